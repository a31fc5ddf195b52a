"""The base of all widgets: a live widget, and the same to read where none runs."""

from __future__ import annotations

import builtins

import pytest

from workshop_helpers.display.html import Html
from workshop_helpers.display.tables import ResultTable, unbroken
from workshop_helpers.display.widgets.base import WIDGET_VIEW, View


class Counting(View):
    built = 0

    def fallback(self):
        return Html("<b>three</b>", "three")

    def build(self):
        import ipywidgets

        self.built += 1
        return ipywidgets.IntSlider(3)


def test_a_view_shows_the_widget_and_the_same_to_read():
    pytest.importorskip("ipywidgets")
    view = Counting()
    bundle = view._repr_mimebundle_()
    assert bundle["text/plain"] == "three" and bundle["text/html"] == "<b>three</b>"
    assert bundle[WIDGET_VIEW]["model_id"] == view.widget.model_id


def test_a_view_that_is_shown_twice_is_one_widget():
    pytest.importorskip("ipywidgets")
    view = Counting()
    first, second = (view._repr_mimebundle_()[WIDGET_VIEW]["model_id"] for _ in range(2))
    assert (first == second, view.built) == (True, 1)


def test_without_ipywidgets_the_picture_stands_alone(monkeypatch):
    real = builtins.__import__

    def without(name, *rest, **more):
        if name.partition(".")[0] == "ipywidgets":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    assert set(Counting()._repr_mimebundle_()) == {"text/plain", "text/html"}


@pytest.mark.parametrize(
    ("cell", "kept"),
    [
        ("7 % – 59 %", "7\u00a0% – 59\u00a0%"),
        ("11.7 MB", "11.7\u00a0MB"),
        ("about 8 min, 2.5 GB", "about 8\u00a0min, 2.5\u00a0GB"),
        ("in 3 steps of 2", "in 3 steps of 2"),
        ("4 shops, 5 more", "4 shops, 5 more"),
    ],
)
def test_no_line_of_a_table_ends_between_a_figure_and_its_unit(cell, kept):
    assert unbroken(cell) == kept
    assert f"<td>{kept}</td>" in ResultTable("t", ["a", "b"], [["x", cell]]).html()
