"""The recorded outputs are what the cells give: nbval runs every notebook again and compares.

The Japanese notebooks run in the order of the course, with what one chapter makes left for the
next; the English ones each alone in an empty folder. Their code cells are the same.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("nbval")

JAPANESE = Path(__file__).resolve().parents[2] / "notebooks"
ENGLISH = sorted((JAPANESE / "en").glob("[0-9][0-9]_*.ipynb"))
COMMAND = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", "-q"]
NBVAL = ["--nbval", "--nbval-current-env", "--nbval-cell-timeout=300", "--tb=short", "."]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


def run_again(folder: Path, *notebooks: Path) -> None:
    """Cells tagged nbval-ignore-output hold times, and figures of a trained model, which another
    processor may round differently; they must run, the others must give the same.
    """
    for path in notebooks:
        shutil.copy(path, folder)
    (folder / "pytest.ini").write_text("[pytest]\n")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    done = subprocess.run(
        [*COMMAND, *NBVAL],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert (folder / "runs" / "tuned-100" / "adapter_model.safetensors").is_file()


def test_the_course_runs_from_chapter_to_chapter(tmp_path):
    notebooks = sorted(JAPANESE.glob("[0-9][0-9]_*.ipynb"))
    assert len(notebooks) == len(ENGLISH) > 0, "run `make notebooks` first"
    run_again(tmp_path, *notebooks)


@pytest.mark.parametrize("notebook", ENGLISH, ids=lambda path: path.stem)
def test_a_notebook_runs_alone(notebook, tmp_path):
    run_again(tmp_path, notebook)
