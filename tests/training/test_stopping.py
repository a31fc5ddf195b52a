"""A training that is asked to stop saves what it has learned, says so, and can go on."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

import pytest
from training_rows import LONG, rows

from workshop_helpers.core.cards import file_hash, read_card
from workshop_helpers.models.load import load_model, pick_device
from workshop_helpers.models.resolve import resolve
from workshop_helpers.training.report import TrainingProgress, TrainingReport
from workshop_helpers.training.train import train

RECIPE = LONG.replace(epochs=3)  # of five steps each, for 20 rows


@pytest.fixture(autouse=True)
def interrupts_arrive():
    """Also in a background job of a shell, which begins with Ctrl-C ignored."""
    usual = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, usual)


class Watch:
    """Stops at a step, by the answer that it gives or by an interrupt of its own process."""

    def __init__(self, at: int, *, interrupt: bool = False) -> None:
        self.at, self.interrupt = at, interrupt
        self.seen: list[TrainingProgress] = []
        self.reports: list[TrainingReport] = []
        self.asked = False

    def __call__(self, progress: TrainingProgress) -> object:
        self.seen.append(progress)
        if progress.step == self.at and self.interrupt:
            os.kill(os.getpid(), signal.SIGINT)
            return self.asked
        return progress.step == self.at

    def stop(self) -> None:
        self.asked = True

    def done(self, report: TrainingReport) -> None:
        self.reports.append(report)


@pytest.fixture(scope="module")
def whole(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainingReport:
    return train(tiny_model, rows(20), tmp_path_factory.mktemp("whole") / "adapter", RECIPE)


@pytest.mark.parametrize("step", [1, 5, 7, 14])  # the first, the end of an epoch, two others
def test_a_stopped_training_is_saved_and_goes_on_to_the_same_weights(
    step: int, whole: TrainingReport, tiny_model: Path, tmp_path: Path
) -> None:
    out, watch = tmp_path / "a", Watch(step)
    report = train(tiny_model, rows(20), out, RECIPE, progress=watch)
    assert report.stopped == (step, 15)
    assert report.losses == whole.losses[:step]
    assert report.tokens == pytest.approx(whole.tokens * step / 15, rel=0.01)
    assert watch.reports == [report]
    # What is there is an adapter like any other, and its card says how far it went.
    assert sorted(p.name for p in out.iterdir()) == [
        "adapter_config.json", "adapter_model.safetensors", "card.json",
    ]  # fmt: skip
    load_model(out, pick_device("cpu", resolve(out)))
    card = read_card(out)
    assert card is not None
    assert card["inputs"]["stopped"] == card["report"]["stopped"] == [step, 15]
    assert TrainingReport.from_dict(card["report"]).stopped == (step, 15)

    on = train(tiny_model, rows(20), out, RECIPE)
    assert (on.resumed_from, on.reused, on.stopped) == (step, False, None)
    assert on.losses == whole.losses
    same = [file_hash(a.adapter / "adapter_model.safetensors") for a in (on, whole)]
    assert same[0] == same[1]
    assert not list(tmp_path.glob(".*.training"))
    assert train(tiny_model, rows(20), out, RECIPE).reused


def test_it_can_be_stopped_again_and_again(
    whole: TrainingReport, tiny_model: Path, tmp_path: Path
) -> None:
    for step in (2, 6):
        report = train(tiny_model, rows(20), tmp_path / "a", RECIPE, progress=Watch(step))
        assert report.stopped == (step, 15)
    assert report.resumed_from == 2
    assert train(tiny_model, rows(20), tmp_path / "a", RECIPE).losses == whole.losses


def test_a_stopped_training_begins_anew_where_it_is_to_be_overwritten(
    tiny_model: Path, tmp_path: Path
) -> None:
    for _ in range(2):
        report = train(
            tiny_model, rows(8), tmp_path / "a", RECIPE, progress=Watch(2), overwrite=True
        )
        assert (report.stopped, report.resumed_from) == ((2, 6), None)


def test_a_stop_at_the_last_step_is_the_end(tiny_model: Path, tmp_path: Path) -> None:
    watch = Watch(15)
    report = train(tiny_model, rows(20), tmp_path / "a", RECIPE, progress=watch)
    assert report.stopped is None
    assert train(tiny_model, rows(20), tmp_path / "a", RECIPE, progress=watch).reused
    assert [r.reused for r in watch.reports] == [False, True]


def test_only_true_stops(tiny_model: Path, tmp_path: Path) -> None:
    report = train(tiny_model, rows(4), tmp_path / "a", RECIPE, progress=lambda step: step.step)
    assert report.stopped is None


def test_each_step_tells_its_rows_and_its_learning_rate(
    whole: TrainingReport, tiny_model: Path, tmp_path: Path
) -> None:
    watch = Watch(0)
    report = train(tiny_model, rows(20), tmp_path / "a", RECIPE, progress=watch)
    assert [p.rows for p in watch.seen] == [4 * step for step in range(1, 16)]
    rates = [p.learning_rate for p in watch.seen]
    assert rates == report.learning_rates == whole.learning_rates
    assert max(rates) == RECIPE.learning_rate  # after the warm-up
    assert rates[1:] == sorted(rates[1:], reverse=True) and rates[-1] < 0.1 * max(rates)


@pytest.mark.skipif(sys.platform == "win32", reason="interrupts come another way")
def test_an_interrupt_stops_and_saves_where_somebody_watches(
    whole: TrainingReport, tiny_model: Path, tmp_path: Path
) -> None:
    usual = signal.getsignal(signal.SIGINT)
    out = tmp_path / "a"
    report = train(tiny_model, rows(20), out, RECIPE, progress=Watch(4, interrupt=True))
    assert report.stopped == (4, 15)
    assert signal.getsignal(signal.SIGINT) is usual
    assert train(tiny_model, rows(20), out, RECIPE).losses == whole.losses


@pytest.mark.skipif(sys.platform == "win32", reason="interrupts come another way")
def test_an_interrupt_is_one_where_nobody_watches_and_at_the_second_time(
    tiny_model: Path, tmp_path: Path
) -> None:
    class Twice(Watch):
        def __call__(self, progress: TrainingProgress) -> object:
            for _ in range(2):
                os.kill(os.getpid(), signal.SIGINT)
            return False

    twice = Twice(0)
    for progress in (lambda _: os.kill(os.getpid(), signal.SIGINT), twice):
        with pytest.raises(KeyboardInterrupt):
            train(tiny_model, rows(8), tmp_path / "a", RECIPE, progress=progress)
        assert not (tmp_path / "a").exists()
    assert twice.asked and not twice.reports


def test_a_training_in_another_thread_can_be_watched(tiny_model: Path, tmp_path: Path) -> None:
    watch = Watch(2)

    def work() -> None:
        train(tiny_model, rows(8), tmp_path / "a", RECIPE, progress=watch)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(60)
    assert [report.stopped for report in watch.reports] == [(2, 6)]
