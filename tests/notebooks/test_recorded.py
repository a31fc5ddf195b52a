"""The recorded outputs are what the cells give: nbval runs every notebook again and compares.

The Japanese notebooks run in the order of the course, with what one chapter makes left for the
next; that each runs alone is what `test_from_scratch.py` shows, and `test_from_scratch_en.py`
compares the English ones. Cells tagged nbval-ignore-output hold times, and figures of a trained
model, which another processor may round differently; they must run, the others must give the same.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from fresh_runs import no_ollama, run_fresh

pytest.importorskip("nbval")

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
COMMAND = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", "-q"]
NBVAL = ["--nbval", "--nbval-current-env", "--nbval-cell-timeout=300", "--tb=short", "."]
SANITIZED = f"--nbval-sanitize-with={Path(__file__).with_name('nbval_sanitize.cfg')}"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


def run_again(folder: Path, *notebooks: Path) -> subprocess.CompletedProcess[str]:
    """Run copies of the notebooks in `folder`, one after another, and compare."""
    for path in notebooks:
        shutil.copy(path, folder)
    (folder / "pytest.ini").write_text("[pytest]\n")
    # With CI set, pytest says each failure twice: the figures counted here are those of one report.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_") and k != "CI"}
    return subprocess.run(
        [*COMMAND, *NBVAL, SANITIZED],
        cwd=folder,
        env={**environment, "OLLAMA_HOST": no_ollama()},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )


def said(done: subprocess.CompletedProcess[str]) -> str:
    return re.sub(r"\x1b\[[\d;]*m", "", done.stdout[-6000:] + done.stderr[-2000:])


def test_the_course_gives_what_was_recorded(tmp_path):
    notebooks = sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
    assert notebooks, "run `make notebooks` first"
    done = run_again(tmp_path, *notebooks)
    assert done.returncode == 0, said(done)
    cells = [
        cell
        for path in notebooks
        for cell in nbformat.read(path, as_version=4).cells
        if cell.cell_type == "code"
    ]
    assert f"{len(cells)} passed" in said(done), "a cell was left out"


# ---- what the gate sees ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A small notebook, recorded as the course's are: a table, a widget, an address, a line."""
    cells = [
        'MODEL = "mame"',
        "from workshop_helpers import Shop, show_tokens\nprint(Shop('en').train[0])",
        "object()",
        "import ipywidgets\nfrom workshop_helpers.display.html import Html\n"
        "from workshop_helpers.display.widgets.base import View\n\n"
        "class Small(View):\n"
        "    def fallback(self):\n        return Html('<p>picture</p>', 'picture')\n\n"
        "    def build(self):\n        return ipywidgets.IntSlider(3)\n\nSmall()",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(one) for one in cells])
    notebook.cells[0].metadata["tags"] = ["parameters"]
    run_fresh(notebook, tmp_path_factory.mktemp("small"))
    return notebook


def again(notebook, tmp_path) -> subprocess.CompletedProcess[str]:
    path = tmp_path / "from" / "small.ipynb"
    path.parent.mkdir()
    nbformat.write(notebook, path)
    (tmp_path / "here").mkdir()
    return run_again(tmp_path / "here", path)


def test_addresses_and_widgets_are_no_difference(small, tmp_path):
    assert "at 0x" not in str(small.cells[2].outputs)
    assert "widget-view" not in str(small.cells[3].outputs)
    done = again(small, tmp_path)
    assert done.returncode == 0, said(done)


def test_a_stale_output_is_seen(small, tmp_path):
    stale = nbformat.from_dict(small)
    stale.cells[3].outputs[0].data["text/html"] = "<p>what it gave last year</p>"
    stale.cells[2].outputs[0].data["text/plain"] = "<something else>"
    done = again(stale, tmp_path)
    assert done.returncode == 1 and said(done).count("Cell outputs differ") == 2
