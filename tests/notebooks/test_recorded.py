"""The recorded outputs are what the cells give: nbval runs every notebook again and compares."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("nbval")

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = {"ja": ROOT / "notebooks", "en": ROOT / "notebooks" / "en"}


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("language", list(FOLDERS))
def test_recorded_outputs_come_out_again(language, tmp_path):
    """In the order of the course, with what one chapter makes left for the next.

    Cells tagged nbval-ignore-output hold times, and figures of a trained model, which another
    processor may round differently; they must run, the others must give the same.
    """
    notebooks = sorted(FOLDERS[language].glob("[0-9][0-9]_*.ipynb"))
    assert notebooks, "run `make notebooks` first"
    for path in notebooks:
        shutil.copy(path, tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        "-q",
        "--nbval",
    ]
    options = ["--nbval-current-env", "--nbval-cell-timeout=300", "--tb=short", "."]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    done = subprocess.run(
        [*command, *options],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
