"""Trainings that are tried in a process of their own, with a limit to their memory."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from training_rows import talk

from workshop_helpers.training.recipe import LoraRecipe
from workshop_helpers.training.trials import try_training

ROWS = [talk(f"What about parcel {n}? " * 12, f"It is parcel {n}. " * 30) for n in range(32)]
WHOLE = LoraRecipe(epochs=1, batch_size=32)
WAYS = {"whole": WHOLE, "portions": WHOLE.replace(batch_size=1, gradient_accumulation=32)}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds a process to such a limit")
def test_what_does_not_fit_is_said_and_ends_nothing_else(tiny_model: Path) -> None:
    free = try_training(tiny_model, ROWS, WAYS)
    assert all(trial.fits and trial.seconds > 0 for trial in free.values())
    assert free["whole"].bytes > 1.5 * free["portions"].bytes > 0
    room = (free["whole"].bytes + free["portions"].bytes) // 2
    held = try_training(tiny_model, ROWS, WAYS, room_bytes=room)
    assert "out of memory with batch_size=32" in held["whole"].error
    assert held["portions"].fits
    gone = try_training(tiny_model / "nothing", ROWS[:1], {"one": WHOLE})
    assert not gone["one"].fits and "nothing" in gone["one"].error
