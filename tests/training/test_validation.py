"""Validation while a training runs: what is measured, kept, ended early and taken up again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from training_rows import LONG, rows, talk

from workshop_helpers.core.cards import file_hash, read_card
from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.training.loss import held_out_loss
from workshop_helpers.training.report import TrainingProgress, TrainingReport
from workshop_helpers.training.train import train

# Few rows, many epochs and a high rate: the loss of other rows soon rises.
HARD = LONG.replace(epochs=8, learning_rate=2e-2, schedule="constant")
OTHERS = [talk(f"Other question {n}?", f"Another answer, {n * 17} of them.") for n in range(6)]


def weights(report: TrainingReport) -> str:
    return file_hash(report.adapter / "adapter_model.safetensors")


@pytest.fixture(scope="module")
def plain(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainingReport:
    return train(tiny_model, rows(8), tmp_path_factory.mktemp("plain") / "a", HARD)


@pytest.fixture(scope="module")
def validated(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainingReport:
    out = tmp_path_factory.mktemp("validated") / "a"
    return train(tiny_model, rows(8), out, HARD, validation=OTHERS)


def test_validating_changes_nothing_of_the_training(
    plain: TrainingReport, validated: TrainingReport
) -> None:
    assert validated.losses == plain.losses
    assert plain.validation is None
    card = read_card(plain.adapter)
    assert card is not None and not {"validation", "early_stopping"} & set(card["inputs"])


def test_the_loss_of_each_epoch_is_that_of_the_held_out_rows(
    validated: TrainingReport,
) -> None:
    found = validated.validation
    assert found is not None
    assert [(step, epoch) for step, epoch, _ in found.losses] == [(2 * n, n) for n in range(1, 9)]
    assert (found.rows, found.patience, found.ended) == (6, None, "epochs")
    step, _, loss = found.best
    assert loss == min(loss for _, _, loss in found.losses) < found.losses[-1][2]
    # The adapter in `out` is the best epoch's, not the last one's.
    assert held_out_loss(validated.adapter, OTHERS) == pytest.approx(loss, rel=0.02)
    assert held_out_loss(validated.adapter, OTHERS) < found.losses[-1][2]
    card = read_card(validated.adapter)
    assert card is not None and card["report"]["validation"]["best_step"] == step


def test_the_kept_weights_are_those_of_the_best_epoch(
    validated: TrainingReport, tiny_model: Path, tmp_path: Path
) -> None:
    assert validated.validation is not None
    step = validated.validation.best[0]

    def stop(progress: TrainingProgress) -> bool:
        return progress.step == step

    there = train(tiny_model, rows(8), tmp_path / "a", HARD, progress=stop)
    assert weights(there) == weights(validated)


def test_training_ends_after_so_many_epochs_without_a_lower_loss(
    validated: TrainingReport, tiny_model: Path, tmp_path: Path
) -> None:
    report = train(tiny_model, rows(8), tmp_path / "a", HARD, validation=OTHERS, early_stopping=2)
    assert validated.validation is not None and report.validation is not None
    best = validated.validation.best
    assert report.validation.best == best
    assert report.validation.losses == validated.validation.losses[: int(best[1]) + 2]
    assert report.validation.ended == "early" and report.stopped is None
    assert report.losses == validated.losses[: best[0] + 4]
    assert weights(report) == weights(validated)
    assert TrainingReport.from_dict(json.loads(json.dumps(report.to_dict()))) == report
    # It counts as the finished run of the same call, and of no other.
    assert not list(tmp_path.glob(".*.training"))
    again = train(tiny_model, rows(8), tmp_path / "a", HARD, validation=OTHERS, early_stopping=2)
    assert again.reused and again.validation == report.validation
    for other in (
        {},
        {"validation": OTHERS},
        {"validation": OTHERS[1:], "early_stopping": 2},
        {"validation": OTHERS, "early_stopping": 1},
    ):
        with pytest.raises(WorkshopError, match="overwrite=True"):
            train(tiny_model, rows(8), tmp_path / "a", HARD, **other)


@pytest.mark.parametrize("step", [1, 2, 5, 6])  # also of the first and the third epoch the last
def test_an_interrupted_run_goes_on_to_the_same_best(
    step: int, validated: TrainingReport, tiny_model: Path, tmp_path: Path
) -> None:
    how = {"validation": OTHERS, "early_stopping": 2}

    def stop(progress: TrainingProgress) -> bool:
        return progress.step == step

    first = train(tiny_model, rows(8), tmp_path / "a", HARD, progress=stop, **how)
    assert first.stopped is not None or first.validation is not None
    on = train(tiny_model, rows(8), tmp_path / "a", HARD, **how)
    whole = train(tiny_model, rows(8), tmp_path / "b", HARD, **how)
    assert on.validation == whole.validation
    assert on.losses == whole.losses
    assert weights(on) == weights(whole)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"early_stopping": 2}, "needs rows"),
        ({"validation": OTHERS, "early_stopping": 0}, "at least 1"),
        ({"validation": []}, "no rows"),
        ({"validation": [*OTHERS, rows(1)[0]]}, "1 of the 7 validation rows"),
        ({"validation": [talk("Long?", "word " * 200)]}, "more than"),
    ],
)
def test_what_cannot_be_validated_is_said_before_training(
    how: dict, said: str, tiny_model: Path, tmp_path: Path
) -> None:
    with pytest.raises(WorkshopError, match=said):
        train(tiny_model, rows(8), tmp_path / "a", HARD.replace(max_length=64), **how)
    assert not (tmp_path / "a").exists()
