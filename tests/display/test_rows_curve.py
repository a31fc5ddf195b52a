"""How the curve over the rows is shown: plot, table, page, and the widget that measures it."""

from __future__ import annotations

from pathlib import Path

import pytest
from training_rows import rows
from well_formed import parsed

from workshop_helpers import Shop, rows_curve
from workshop_helpers.display import as_table
from workshop_helpers.display.rows_curve import rows_curve_html, rows_curve_plot
from workshop_helpers.display.widgets.base import WIDGET_VIEW
from workshop_helpers.evaluation.curve import RowsCurve
from workshop_helpers.metrics.scoring import Question


def shown(language: str):
    shop = Shop(language)
    return rows_curve("mame", shop.train[:100], shop.questions, "runs/nowhere")


@pytest.mark.parametrize(("language", "word"), [("en", "Recorded: mame"), ("ja", "記録：mame")])
def test_the_recorded_curve_is_shown_without_measuring(language, word):
    view = shown(language)
    bundle = view._repr_mimebundle_()
    assert WIDGET_VIEW in bundle and word in bundle["text/plain"]
    assert parsed(bundle["text/html"]).wrong == [] and bundle["text/html"].count("<svg") == 1
    plot, table = rows_curve_plot(view.curve), as_table(view.curve)
    ticks = [tick.get_text() for tick in plot.figure.axes[0].get_xticklabels()]
    assert ticks == ["12", "25", "50", "100", "200"]
    assert [row[0] for row in table.rows] == ["12", "25", "50", "100", "100"]
    assert table.rows[-1][1] == f"{view.curve.epochs / 2:g}"


def test_a_curve_without_trainings_is_shown_too():
    empty = RowsCurve("m", "en", 100, 10, 9, 4)
    assert "Nothing can be said yet" in rows_curve_html(empty)


def test_the_button_measures_and_an_error_is_told_in_its_place(tiny_model: Path, tmp_path: Path):
    questions = [Question(f"Price of {n}?", facts=(f"${n}.99",), language="en") for n in range(8)]
    refused = rows_curve(tiny_model, rows(9), questions, tmp_path / "few")
    button, line, _ = refused.widget.children
    button.click()
    refused.thread.join()
    assert "9 rows are too few" in line.value and not button.disabled
    assert button.description == "Measure here"

    view = rows_curve(tiny_model, rows(16), questions, tmp_path / "out")
    button, line, picture = view.widget.children
    recorded = picture.value
    button.click()
    view.thread.join()
    assert line.value.startswith("Measured here")
    assert picture.value != recorded and "tiny-model" in view.curve.plot().description
    assert [point.rows for point in view.curve.points] == [4, 8, 16]
