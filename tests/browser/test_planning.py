"""The widgets of the last two chapters in JupyterLab, by mouse and keyboard, in both languages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import nbformat
import pytest
from lab import OpenNotebook

CELLS = (
    "from workshop_helpers import decision_helper\ndecision_helper(LANGUAGE)",
    "from workshop_helpers import cost_sliders\ncost_sliders(LANGUAGE)",
    "from workshop_helpers import agenda_clock\nagenda_clock(LANGUAGE)",
    "from workshop_helpers import learning_map\nlearning_map(LANGUAGE).explore()",
    "from workshop_helpers import Shop, rows_curve\nshop = Shop(LANGUAGE)\n"
    "rows_curve('mame', shop.train[:16], shop.questions[:8], f'curve-{LANGUAGE}')",
)
WORDS = {
    "en": ("about 100", "A small training", "tokens per second", "epochs"),
    "ja": ("100ほど", "小さく学習する", "1秒あたりトークン数", "エポック数"),
}


@pytest.fixture(scope="module", params=["en", "ja"])
def opened(browser: Any, lab: Any, request: Any) -> Iterator[Any]:
    cells = [f'LANGUAGE = "{request.param}"', *CELLS]
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(one) for one in cells],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )
    nbformat.write(notebook, lab.folder / f"planning-{request.param}.ipynb")
    found = OpenNotebook(browser, lab, f"planning-{request.param}.ipynb")
    found.run_all()
    found.language = request.param
    yield found
    found.check()
    found.close()


# Of the curve of rows: both names of its button, what is told when it is stopped, and when done.
CURVE = {
    "en": ("Measure here", "Stop", "What is finished is kept", "Measured here, in"),
    "ja": ("ここで測る", "止める", "済んだ分は残っていて", "秒かけて測りました"),
}


def until(output: Any, what: Callable[[], Any], seconds: float = 10) -> None:
    """Wait for what a control brings about: on a busy machine the answer takes a moment."""
    for _ in range(round(10 * seconds)):
        if what():
            return
        output.page.wait_for_timeout(100)
    raise AssertionError(f"nothing came of it: {output.text}")


def test_the_widgets_of_planning_answer_to_mouse_and_keyboard(opened):
    hundred, small, speed, epochs = WORDS[opened.language]
    yes = "yes" if opened.language == "en" else "はい"

    helper = opened.output("decision_helper")
    for place in (3, 4, 5):  # manner, volume, measured
        helper.click(helper.button(yes).nth(place))
    helper.press(helper.button(hundred), "Enter")
    until(helper, lambda: f"→ {small}" in helper.text)
    helper.photograph(f"decision-{opened.language}")

    sliders = opened.output("cost_sliders")
    before = sliders.text
    sliders.press(sliders.area.get_by_role("slider").first, "ArrowRight")
    until(sliders, lambda: sliders.text != before)
    sliders.type(sliders.labelled(speed), "fast")
    alert = sliders.area.get_by_role("alert")
    until(sliders, lambda: alert.count() and "fast" in alert.inner_text())
    sliders.type(sliders.labelled(speed), "1500")
    until(sliders, lambda: alert.count() == 0)
    sliders.photograph(f"cost-{opened.language}")

    clock = opened.output("agenda_clock")
    clock.press(clock.area.get_by_role("button").nth(0), "Enter")
    until(clock, lambda: "0:00 " not in clock.text.split("50:00")[0])
    clock.click(clock.area.get_by_role("button").nth(2))
    until(clock, lambda: "▶ 2. " in clock.text)
    clock.click(clock.area.get_by_role("button").nth(1))
    clock.photograph(f"clock-{opened.language}")

    explorer = opened.output("learning_map")
    before = explorer.html
    explorer.click(explorer.button(epochs))
    until(explorer, lambda: explorer.html != before)
    assert explorer.area.locator(".widget-html svg").count() == 1
    by_epochs = explorer.html
    explorer.press(explorer.area.get_by_role("checkbox").nth(1), "Space")
    until(explorer, lambda: explorer.html != by_epochs)
    explorer.photograph(f"curves-{opened.language}")


def test_the_curve_of_rows_is_measured_by_its_button_stopped_and_gone_on_with(opened):
    start, stop, stopped, done = CURVE[opened.language]
    curve = opened.output("rows_curve")
    recorded = curve.area.locator(".widget-html svg").inner_html()
    curve.click(curve.button(start))
    until(curve, lambda: curve.button(stop).count())
    curve.click(curve.button(stop))
    until(curve, lambda: stopped in curve.text, 120)
    curve.press(curve.button(start), "Enter")
    until(curve, lambda: done in curve.text, 300)
    assert curve.area.locator(".widget-html svg").inner_html() != recorded
    assert curve.button(start).is_enabled()
    curve.photograph(f"rows-{opened.language}")
