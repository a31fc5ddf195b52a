"""A click on the button arrives while the cell is training, and what was learned is saved; so does
the notebook's own interrupt.
"""

from __future__ import annotations

import re
from typing import Any

import nbformat
import pytest
from lab import OpenNotebook, screenshots

TRAINING = """
from workshop_helpers import LoraRecipe, Shop, TrainingView, train

recipe = LoraRecipe.for_model("mame").replace(epochs=50)
view = TrainingView("{language}")
tuned = train("mame", Shop("{language}").train[:40], "runs/{name}", recipe, progress=view)
"""
AFTER = "print('after', tuned.stopped, (tuned.adapter / 'card.json').is_file())"


def training(browser: Any, lab: Any, name: str, language: str) -> OpenNotebook:
    """A notebook that trains, started, as soon as its view has appeared."""
    codes = (TRAINING.format(language=language, name=name), AFTER)
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(code) for code in codes],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )
    nbformat.write(notebook, lab.folder / f"{name}.ipynb")
    opened = OpenNotebook(browser, lab, f"{name}.ipynb")
    opened.page.evaluate(
        """() => { window.ran = undefined;
            window.jupyterapp.commands.execute('notebook:run-all-cells')
                .finally(() => { window.ran = true; }); }"""
    )
    opened.output("progress=view").area.locator("button:enabled").wait_for(timeout=120_000)
    return opened


@pytest.mark.parametrize(
    ("language", "how", "saved"),
    [("en", "click", "and saved"), ("ja", "interrupt", "保存しました")],
)
def test_a_training_is_stopped_and_saved_while_it_runs(
    browser: Any, lab: Any, language: str, how: str, saved: str
) -> None:
    opened = training(browser, lab, f"{how}-{language}", language)
    shown = opened.output("progress=view")
    opened.page.wait_for_timeout(1500)
    shown.area.screenshot(path=screenshots() / f"training-running-{language}.png")
    if how == "click":
        shown.area.locator("button").click()
    else:
        opened.page.evaluate(
            "() => window.jupyterapp.commands.execute('notebook:interrupt-kernel')"
        )
    opened.page.wait_for_function("() => window.ran", timeout=60_000)
    opened.idle()
    assert saved in shown.text
    said = opened.output("'after'").text
    assert re.search(r"after \(\d+, 500\) True", said), said
    shown.photograph(f"training-stopped-{language}")
    opened.check()
    opened.close()
