"""A widget on the course's own base is alive in JupyterLab: each kind of control it may use answers
to the mouse and to the keyboard.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest
from lab import NoBrowser, OpenNotebook, find_browser

ROOT = Path(__file__).resolve().parents[2]
CELL = """
import ipywidgets
from workshop_helpers.display.html import Html
from workshop_helpers.display.widgets.base import View

class Echo(View):
    def fallback(self):
        return Html("<p>picture</p>", "picture")

    def build(self):
        said = ipywidgets.HTML("nothing yet")

        def tell(change):
            said.value = f"<b>{change.new}</b>"

        controls = [
            ipywidgets.IntSlider(4, 0, 8, description="rank"),
            ipywidgets.SelectionSlider(options=["F16", "Q8_0", "Q2_K"], description="type"),
            ipywidgets.FloatLogSlider(1.0, min=-3, max=3, step=1, description="rate"),
            ipywidgets.Dropdown(options=["a", "b", "c"], description="question"),
            ipywidgets.ToggleButtons(options=["left", "right"], description="side"),
            ipywidgets.Text(description="own"),
            ipywidgets.Checkbox(description="whole"),
        ]
        for control in controls:
            control.observe(tell, "value")
        button = ipywidgets.Button(description="stop")
        button.on_click(lambda _: setattr(said, "value", "<b>stopped</b>"))
        return ipywidgets.VBox([*controls, button, said])

Echo()
"""


@pytest.fixture(scope="module")
def shown(browser: Any, lab: Any) -> Iterator[Any]:
    """The output of a cell that shows a widget with every kind of control."""
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(CELL)],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )
    nbformat.write(notebook, lab.folder / "echo.ipynb")
    opened = OpenNotebook(browser, lab, "echo.ipynb")
    opened.run_all()
    yield opened.output("class Echo")
    opened.check()
    opened.close()


def test_a_live_notebook_shows_the_widget_and_not_its_picture(shown):
    assert "nothing yet" in shown.text
    assert "picture" not in shown.text
    shown.notebook.check()


def said(shown: Any) -> str:
    return str(shown.area.locator(".widget-html b").inner_text())


def test_the_mouse_works_every_control(shown):
    shown.slide(shown.labelled("rank"), 1.0)
    assert said(shown) == "8"
    shown.slide(shown.labelled("type"), 1.0)
    assert said(shown) == "Q2_K"
    shown.slide(shown.labelled("rate"), 1.0)
    assert said(shown) == "1000.0"
    shown.choose(shown.labelled("question"), "c")
    assert said(shown) == "c"
    shown.click(shown.button("right"))
    assert said(shown) == "right"
    shown.type(shown.labelled("own"), "送料は？")
    assert said(shown) == "送料は？"
    shown.click(shown.area.get_by_label("whole"))
    assert said(shown) == "True"
    shown.click(shown.button("stop"))
    assert said(shown) == "stopped"


def test_the_keyboard_works_every_control(shown):
    shown.press(shown.labelled("rank"), "Home", "ArrowRight")
    assert said(shown) == "1"
    shown.press(shown.labelled("type"), "ArrowLeft")
    assert said(shown) == "Q8_0"
    shown.press(shown.labelled("rate"), "Home")
    assert said(shown) == "0.001"
    # Opened first: on a closed list the arrows are Lab's own and move to another cell.
    shown.press(shown.labelled("question"), "Enter", "ArrowUp", "Enter")
    assert said(shown) == "b"
    shown.press(shown.button("left"), "Space")
    assert said(shown) == "left"
    shown.press(shown.labelled("own"), "End", "x", "Enter")
    assert said(shown) == "送料は？x"
    shown.press(shown.area.get_by_label("whole"), "Space")
    assert said(shown) == "False"
    shown.press(shown.button("stop"), "Enter")
    assert said(shown) == "stopped"


def test_the_checks_see_an_error_of_the_page_and_a_widget_that_is_gone(browser, lab):
    source = (
        "from IPython.display import Javascript, display\n"
        "display(Javascript('setTimeout(() => { throw new Error(\"seeded\"); }, 0)'))\n"
    )
    gone = "{'application/vnd.jupyter.widget-view+json': {'model_id': 'f' * 32}}"
    cells = [source, f"display({gone}, raw=True)"]
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(one) for one in cells],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )
    nbformat.write(notebook, lab.folder / "broken.ipynb")
    opened = OpenNotebook(browser, lab, "broken.ipynb")
    opened.run_all()
    opened.page.wait_for_timeout(300)
    assert any("seeded" in error for error in opened.errors)
    opened.errors.clear()
    with pytest.raises(AssertionError, match="widget"):
        opened.check()
    opened.close()


def test_a_missing_browser_is_named_with_what_to_install(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(NoBrowser, match="apt install chromium"):
        find_browser()


# Starts a server with a kernel, says who is running, and waits to be killed.
CHILD = """
import json, sys, urllib.request
from pathlib import Path
import psutil
from lab import LabServer

own = LabServer(Path(sys.argv[1])).start()
address = own.url().replace("/api?", "/api/kernels?")
urllib.request.urlopen(urllib.request.Request(address, b'{"name": "python3"}')).read()
served = psutil.Process(own._process.pid)
print(json.dumps([p.pid for p in (served, *served.children(recursive=True))]), flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no process groups")
def test_a_test_run_that_is_killed_leaves_no_server_and_no_kernel_behind(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as child:
        assert child.stdin and child.stdout
        running = [psutil.Process(pid) for pid in json.loads(child.stdout.readline())]
        assert len(running) > 1, "the server and its kernel"
        child.kill()
    _, alive = psutil.wait_procs(running, timeout=15)
    assert not alive
