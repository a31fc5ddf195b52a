"""What the steps of the course take is measured, and multiplied by what there is to do."""

from __future__ import annotations

import time

import pytest

from workshop_helpers.display import view
from workshop_helpers.display.machine import duration
from workshop_helpers.evaluation import timing
from workshop_helpers.evaluation.shop import Shop
from workshop_helpers.evaluation.timing import StepTime, StepTimes, time_steps
from workshop_helpers.training.recipe import LoraRecipe
from workshop_helpers.training.train import train

SHORT = LoraRecipe(epochs=2, batch_size=2, rank=2)


def test_what_was_measured_is_multiplied_by_what_there_is_to_do():
    step = StepTime("train", "unit-steps", 100, start=2.0, measured=3.0, units=6, todo=100)
    assert step.seconds == 2 + 3 / 6 * 100
    four = StepTime("answers", "unit-answers", 0, 1.0, 2.0, 10, 360, times=4)
    assert four.seconds == 4 * 1 + 0.2 * 360
    assert StepTime("merge", reason="too-large").seconds is None


def test_a_training_is_cut_short_and_nothing_of_it_stays(tiny_model, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    long = SHORT.replace(epochs=1000)
    found = list(timing._training(timing.resolve(tiny_model), Shop("en"), tmp_path, 4, long, 0.2))
    assert found[0].todo == 1999  # of 2,000 steps the first is the start's
    assert 3 <= found[0].units < 1000
    assert not (tmp_path / "tuned-4").exists(), "a training cut short leaves no adapter"


@pytest.fixture(scope="module")
def times(tiny_model) -> StepTimes:
    return time_steps(tiny_model, Shop("ja"), {4: SHORT}, seconds=0.3, progress=False)


def test_each_step_of_the_course_is_measured(times):
    assert [s.step for s in times.steps if s.step != "libraries"] == [
        "train", "answers", "merge", "convert", "quantize",
    ]  # fmt: skip
    assert all(step.seconds is not None and step.seconds > 0 for step in times.steps)
    assert times.seconds == sum(step.seconds for step in times.steps)
    assert times.of("train", 4).todo == 3
    assert times.of("answers").todo == 4 * 90
    with pytest.raises(KeyError):
        times.of("train", 5)


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_table_shows_what_was_measured_beside_what_is_expected(times, language):
    shown = view(StepTimes(times.model, times.steps, language)).html()
    assert "tiny-model" in shown
    for text in {"en": ("3 steps in", "3 files", "all together"),
                 "ja": ("3ステップに", "3ファイル", "合計")}[language]:  # fmt: skip
        assert text in shown


def test_a_large_model_is_not_converted_for_the_measurement(tiny_model, tmp_path, monkeypatch):
    monkeypatch.setattr(timing, "_SMALL", 0)
    ref = timing.resolve(tiny_model)
    found = {step.step: step for step in timing._files(ref, tmp_path, 2_000_000_000, 4)}
    assert (found["merge"].seconds, found["merge"].reason) == (None, "too-large")
    assert found["convert"].by == found["quantize"].by == "mame"
    # 4 GB of weights less mame's own
    assert found["convert"].todo == pytest.approx(4000, rel=0.01)
    assert found["quantize"].seconds > found["quantize"].measured * 100


def test_without_the_tools_the_reason_stands_there(tiny_model, tmp_path, monkeypatch):
    monkeypatch.setattr("workshop_helpers.gguf.convert.find_spec", lambda name: None)
    *_, step = timing._files(timing.resolve(tiny_model), tmp_path, 1000, 4)
    assert step.step == "convert" and "not installed" in step.reason
    shown = view(StepTimes("tiny", (step,), "en")).html()
    assert "not installed" in shown


def test_times_are_said_as_people_say_them():
    said = [duration(seconds, "en") for seconds in (0.44, 9.94, 75, 240, 9000)]
    assert said == ["0.4 s", "9.9 s", "75 s", "4 min", "2.5 h"]


@pytest.mark.slow
def test_the_estimate_is_near_what_the_steps_then_take(mame, tmp_path):
    """Within a factor of 2 on a quiet machine; other tests at work may cost as much again."""
    shop, recipe = Shop("en"), LoraRecipe.for_model(mame).replace(epochs=6)
    (step,) = timing._training(timing.resolve(mame), shop, tmp_path, 40, recipe, 1.0)
    begun = time.perf_counter()
    train(mame, shop.train[:40], tmp_path / "tuned", recipe, progress=False)
    took = time.perf_counter() - begun
    assert took / 4 < step.seconds < took * 4
