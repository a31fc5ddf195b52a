"""The live view of a training tells how far it is and how it ended, and its button stops it."""

from __future__ import annotations

import builtins
import re
from dataclasses import replace
from typing import Any

import pytest
from measured import trained
from well_formed import parsed

from workshop_helpers.display.widgets import training
from workshop_helpers.display.widgets.training import Course, TrainingView, loss_svg
from workshop_helpers.training.report import TrainingProgress, TrainingWatch

pytest.importorskip("ipywidgets")


def step(number: int, steps: int = 10, loss: float = 2.0) -> TrainingProgress:
    return TrainingProgress(number, steps, number / 5, loss, 4 * number, 1e-3)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time as the view reads it."""
    now = [100.0]
    monkeypatch.setattr(training.time, "monotonic", lambda: now[0])
    return now


def test_it_is_what_train_watches_with() -> None:
    assert isinstance(TrainingView(), TrainingWatch)


def test_pace_and_time_left_are_those_of_the_steps_seen(clock: list[float]) -> None:
    view = TrainingView()
    for number in (3, 4, 5):  # it goes on from a checkpoint at step 2
        view(step(number))
        clock[0] += 0.5
    assert view.course.rows_per_second == pytest.approx(8)  # 4 rows in half a second
    assert view.course.seconds_left == pytest.approx(2.5)  # for 5 steps
    shown = view.fallback()
    assert "step 5 of 10" in shown.text
    for figure in ("5 / 10", "2.000", "1.0e-03", "8.0", "2 s"):
        assert figure in shown.html
    assert parsed(shown.html).wrong == []


def test_a_picture_is_drawn_a_few_times_a_second_however_fast_the_steps(
    clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    view = TrainingView()
    drawn: list[float] = []
    monkeypatch.setattr(view, "_redraw", lambda: drawn.append(clock[0]))
    for number in range(1, 1001):
        view(step(number, 1000))
        clock[0] += 0.002
    assert 7 <= len(drawn) <= 9  # of two seconds


def test_the_button_stops_at_the_next_step_and_only_while_it_trains() -> None:
    view = TrainingView()
    button = view.widget.children[1].children[0]
    assert button.disabled
    button.click()
    assert view(step(1)) is False  # nothing was running
    view._redraw()
    assert not button.disabled
    button.click()
    assert button.disabled and "saving" in view.widget.children[0].value
    assert view(step(2)) is True
    view.done(replace(trained(), stopped=(2, 10)))
    assert "Stopped at step 2 of 10" in view.widget.children[0].value
    assert view.widget.children[1].layout.display == "none"


@pytest.mark.parametrize(("language", "word"), [("en", "Finished"), ("ja", "学習が終わりました")])
def test_what_stays_is_the_whole_curve_and_how_it_ended(language: str, word: str) -> None:
    view = TrainingView(language)
    for number in range(1, 20):
        view(step(number, 19, 3.0 / number))
    report = trained()
    view.done(report)
    assert view.fallback().text.startswith(word)
    assert view.course.losses == [loss for _, _, loss in report.losses]
    assert view.widget.children[0].value == view.fallback().html
    # An adapter that was found shows the same as the one that was trained.
    found = TrainingView(language)
    found.done(replace(report, reused=True))
    assert found.fallback() == view.fallback()


def test_a_run_that_went_on_counts_the_rows_of_its_own_seconds() -> None:
    whole, resumed = trained(), replace(trained(), resumed_from=10)
    paces = [Course.of(report).rows_per_second for report in (whole, resumed)]
    assert paces[1] == pytest.approx(paces[0] * 9 / 19)


def test_a_long_curve_stays_small_and_ends_at_its_last_loss() -> None:
    losses = [5.0 / (1 + n) for n in range(5000)]
    svg = loss_svg(Course("running", 1, 5000, 10_000, losses=losses), "en")
    points = re.findall(r"[\d.]+,[\d.]+", svg)
    assert 100 < len(points) < 300 and len(svg) < 10_000
    assert points[-1] == "273.0,180.0"  # half of the way, and nearly at the bottom
    broken = Course("running", 1, 2, 4, losses=[1.0, float("nan")])
    assert "nan" not in loss_svg(broken, "en")


def test_it_works_without_ipywidgets_and_without_a_notebook(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.partition(".")[0] == "ipywidgets":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    view = TrainingView()
    assert view(step(1)) is False
    view.done(trained())
    assert set(view._repr_mimebundle_()) == {"text/plain", "text/html"}
