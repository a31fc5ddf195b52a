"""A checkpoint is used only if it is whole to the last byte; what else lies there is said."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from training_rows import LONG, rows

from workshop_helpers.core.errors import Note, WorkshopError
from workshop_helpers.training.checkpoints import check_work, prepare_work, saving
from workshop_helpers.training.train import train

INPUTS = {"model": "a", "rows": 3}
FILES = ("adapter_model.safetensors", "optimizer.pt", "rng_state.pth", "trainer_state.json")


def flip(file: Path) -> None:
    found = bytearray(file.read_bytes())
    found[len(found) // 2] ^= 0xFF
    file.write_bytes(found)


def cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size - 3)


def save(work: Path, step: int) -> Path:
    folder = work / f"checkpoint-{step}"
    with saving(folder):
        folder.mkdir(exist_ok=True)
        for name in FILES:
            (folder / name).write_bytes(name.encode() * 100)
    return folder


def prepared(work: Path) -> tuple[Path | None, list[str]]:
    """The checkpoint from which a rerun goes on, and what it says."""
    check_work(work)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = prepare_work(work, INPUTS)
    assert all(issubclass(one.category, Note) for one in said)
    return found, [str(one.message) for one in said]


@pytest.mark.parametrize("damage", [flip, cut, Path.unlink])
@pytest.mark.parametrize("name", [*FILES, "card.json"])
def test_a_damaged_one_is_left_out_and_said(
    damage: Callable[[Path], None], name: str, tmp_path: Path
) -> None:
    work = tmp_path / ".a.training"
    assert prepared(work) == (None, [])
    one, two = save(work, 5), save(work, 10)
    assert prepared(work) == (two, [])
    assert not one.exists()  # the last is enough
    one, two = save(work, 5), save(work, 10)
    damage(two / name)
    found, (said,) = prepared(work)
    assert found == one and not two.exists()
    assert "step 10" in said and "goes on from that of step 5" in said
    damage(one / name)
    found, (said,) = prepared(work)
    assert found is None and not one.exists()
    assert "step 5" in said and "begins anew" in said
    assert prepared(work) == (None, [])


@pytest.mark.parametrize("damage", [flip, cut, Path.unlink])
def test_a_damaged_note_is_no_reason_to_refuse(
    damage: Callable[[Path], None], tmp_path: Path
) -> None:
    work = tmp_path / ".a.training"
    prepared(work)
    save(work, 5)
    (work / "checkpoint-9").mkdir()  # killed before it was whole
    damage(work / "run.json")
    found, (said,) = prepared(work)
    assert found is None and "begins anew" in said
    assert [path.name for path in work.iterdir()] == ["run.json"]
    # A user's file is: the cards prove only that the checkpoints are ours.
    save(work, 5)
    (work / "thesis.txt").write_text("years of work")
    damage(work / "run.json")
    with pytest.raises(WorkshopError, match="holds something else"):
        check_work(work)


def test_one_that_is_not_saved_to_its_end_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint-3"
    for error, message in (
        (RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos"), "is full"),
        (OSError(28, "No space left on device"), "is full"),
    ):
        with pytest.raises(WorkshopError, match=message) as caught, saving(folder):
            folder.mkdir()
            (folder / "half").write_text("half")
            raise error
        assert f"write a checkpoint at {folder}" in str(caught.value)
        assert not folder.exists()
    with pytest.raises(KeyboardInterrupt), saving(folder):
        folder.mkdir()
        raise KeyboardInterrupt
    assert not folder.exists()


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_training_with_a_damaged_one_begins_anew(
    overwrite: bool, tiny_model: Path, tmp_path: Path
) -> None:
    recipe, out, work = LONG.replace(epochs=1), tmp_path / "a", tmp_path / ".a.training"
    train(tiny_model, rows(8), out, recipe, progress=lambda step: True)  # saves, and ends
    (checkpoint,) = work.glob("checkpoint-*")
    flip(checkpoint / "optimizer.pt")
    # to overwrite is to begin anew: nothing need be said then
    said = contextlib.nullcontext() if overwrite else pytest.warns(Note, match="begins anew")
    with said:
        report = train(tiny_model, rows(8), out, recipe, overwrite=overwrite)
    assert report.resumed_from is None and report.stopped is None
    assert not work.exists()
