"""Training by preference: what it moves, and what it refuses."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from training_rows import talk

from workshop_helpers.core.cards import read_card
from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.dataset.preferences import polite_pairs
from workshop_helpers.training.preferences import PreferenceReport, pair_log_probabilities, prefer
from workshop_helpers.training.recipe import LoraRecipe

ROWS = [talk(f"How much is parcel {i}?", f"It costs ${i}.99.") for i in range(8)]
PAIRS = polite_pairs(ROWS, "en", 8)
RECIPE = LoraRecipe(epochs=4, learning_rate=5e-3)


@pytest.fixture(scope="module")
def report(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> PreferenceReport:
    return prefer(tiny_model, PAIRS, tmp_path_factory.mktemp("dpo") / "preferred 豆", RECIPE)


def test_the_wanted_answers_gain_on_the_unwanted_ones(report, tiny_model):
    assert report.steps[0]["loss"] == pytest.approx(math.log(2), abs=1e-3)
    assert report.steps[0]["margin"] == pytest.approx(0, abs=1e-3)
    before = pair_log_probabilities(tiny_model, PAIRS)
    after = pair_log_probabilities(report.adapter, PAIRS)
    gained = [(a - b) - (c - d) for (a, b), (c, d) in zip(after, before, strict=True)]
    assert min(gained) > 0
    assert len(report.steps) == 8 and report.peak_memory_bytes > 0


def test_an_equal_run_is_found_and_another_one_is_not_overwritten(report, tiny_model):
    again = prefer(tiny_model, PAIRS, report.adapter, RECIPE)
    assert again.reused and again.steps == report.steps and again.recipe == RECIPE
    card = read_card(report.adapter)
    assert card is not None and card["inputs"]["stage"] == "prefer"
    with pytest.raises(WorkshopError, match="overwrite"):
        prefer(tiny_model, PAIRS, report.adapter, RECIPE, beta=0.5)


def test_what_cannot_be_trained_on_is_refused(report, tiny_model, tmp_path):
    with pytest.raises(WorkshopError, match="Merge it first"):
        prefer(report.adapter, PAIRS, tmp_path / "out")
    with pytest.raises(WorkshopError, match="no pairs"):
        prefer(tiny_model, [], tmp_path / "out")
    with pytest.raises(WorkshopError, match="beta is 0"):
        prefer(tiny_model, PAIRS, tmp_path / "out", beta=0)
    with pytest.raises(WorkshopError, match='"full" cannot'):
        prefer(tiny_model, PAIRS, tmp_path / "out", RECIPE.replace(method="full"))
    assert not (tmp_path / "out").exists()
