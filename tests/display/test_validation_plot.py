"""The plots of losses on rows seen and unseen, and of memory by terms."""

from __future__ import annotations

from dataclasses import replace

import pytest
from measured import trained

from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.display import validation_curve, view
from workshop_helpers.display.memory import memory_bars
from workshop_helpers.training.estimate import METHODS, Shape, estimate_memory
from workshop_helpers.training.validation import Validation

ROWS = [
    {"epochs": 1, "training_loss": 3.0, "validation_loss": 2.5, "recall_share": 0.1},
    {"epochs": 2, "training_loss": 1.0, "validation_loss": 2.0, "recall_share": 0.2},
    {"epochs": 8, "training_loss": 0.1, "validation_loss": 2.4, "recall_share": 0.9},
]


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_lowest_validation_loss_is_marked(language: str) -> None:
    plot = validation_curve(ROWS, language)
    assert plot.png().startswith(b"\x89PNG")
    assert len(plot.figure.axes) == 2
    marks = [
        line.get_xdata()[0] for line in plot.figure.axes[1].lines if len(line.get_xdata()) == 2
    ]
    assert 2 in marks
    assert "2.00" in plot.description and "90 %" in plot.description


def test_a_validated_training_shows_its_validation() -> None:
    report = trained()
    steps = [step for step, _, _ in report.losses]
    half, last = steps[len(steps) // 2], steps[-1]
    validation = Validation(((half, 1.0, 2.0), (last, 2.0, 2.5)), 5)
    plot = view(replace(report, validation=validation))
    seen = [loss for step, _, loss in report.losses if step <= half]
    assert f"1: {sum(seen) / len(seen):.2f} / 2.00" in plot.description
    with pytest.raises(WorkshopError, match="validation="):
        validation_curve(report)


@pytest.mark.parametrize("language", ["en", "ja"])
def test_memory_is_drawn_by_terms_and_the_peak_is_said(language: str) -> None:
    shape = Shape.typical(7e9)
    plot = memory_bars({name: estimate_memory(shape, name) for name in METHODS}, language)
    assert plot.png().startswith(b"\x89PNG")
    assert f"full {estimate_memory(shape, 'full').peak / 1e9:.1f} GB" in plot.description
    assert len(plot.figure.axes[0].patches) == 3 * 6
