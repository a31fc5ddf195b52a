"""Recorded notebooks, run again and compared by nbval."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from fresh_runs import no_ollama

SANITIZERS = Path(__file__).resolve().parents[1] / "notebooks" / "nbval_sanitize.cfg"
COMMAND = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", "-q"]
NBVAL = ["--nbval", "--nbval-current-env", "--nbval-cell-timeout=300", "--tb=short", "."]


def run_again(folder: Path, *notebooks: Path) -> subprocess.CompletedProcess[str]:
    """Run copies of the notebooks in `folder`, one after another, without Ollama, and compare."""
    for path in notebooks:
        shutil.copy(path, folder)
    (folder / "pytest.ini").write_text("[pytest]\n")
    # With CI set, pytest says each failure twice: the figures counted here are those of one report.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_") and k != "CI"}
    return subprocess.run(
        [*COMMAND, *NBVAL, f"--nbval-sanitize-with={SANITIZERS}"],
        cwd=folder,
        env={**environment, "OLLAMA_HOST": no_ollama()},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )


def said(done: subprocess.CompletedProcess[str]) -> str:
    """What pytest printed, without colours."""
    return re.sub(r"\x1b\[[\d;]*m", "", done.stdout[-6000:] + done.stderr[-2000:])
