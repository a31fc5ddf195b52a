"""What nbval sees in a recorded notebook, and what it takes for no difference. (The course itself
is compared in `test_from_scratch.py`.)
"""

from __future__ import annotations

import subprocess

import nbformat
import pytest
from fresh_runs import run_fresh
from nbval_runs import run_again, said

pytest.importorskip("nbval")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


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
