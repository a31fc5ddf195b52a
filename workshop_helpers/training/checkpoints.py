"""Checkpoints of a run that was interrupted."""

from __future__ import annotations

import re
import shutil
import zipfile
from pathlib import Path
from typing import Any

from ..core.cards import fingerprint
from ..core.device import versions
from ..core.errors import WorkshopError
from ..core.jsonio import read_json, write_json
from ..models.files import stored_tensors

_NOTE = "run.json"


def work_folder(out: Path) -> Path:
    """Checkpoints lie beside the adapter, hidden, until it is whole."""
    out = out.resolve()
    return out.with_name(f".{out.name}.training")


def check_work(work: Path) -> None:
    """Raise WorkshopError where `work` is not known by its note as a folder of checkpoints, but
    only named like one.
    """
    if not work.is_symlink() and not work.exists():
        return
    if work.is_symlink() or not work.is_dir() or (any(work.iterdir()) and _run_of(work) is None):
        raise WorkshopError(
            f"{work} is where the checkpoints of this training would lie, but holds something else."
            " Move it away, or choose another folder for the adapter."
        )


def remove_work(work: Path) -> None:
    """Remove the checkpoints of a run. Raises WorkshopError as `check_work` does."""
    check_work(work)
    shutil.rmtree(work, ignore_errors=True)


def _run_of(work: Path) -> str | None:
    """The fingerprint of the run whose checkpoints lie in `work`, by the note in it."""
    try:
        run = read_json(work / _NOTE, dict).get("inputs")
    except WorkshopError:
        return None
    return run if isinstance(run, str) and re.fullmatch("[0-9a-f]{64}", run) else None


def prepare_work(work: Path, inputs: dict[str, Any]) -> Path | None:
    """The last whole checkpoint of an equal run in `work`, if any; all else there is removed."""
    wanted = fingerprint({**inputs, "versions": versions()})
    if not work.is_dir() or _run_of(work) != wanted:
        remove_work(work)
        work.mkdir(parents=True)
        write_json(work / _NOTE, {"inputs": wanted})
        return None
    whole = None
    for folder in sorted(work.glob("checkpoint-*"), key=step_of, reverse=True):
        if whole is None and _is_whole(folder):
            whole = folder
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return whole


def step_of(checkpoint: Path) -> int:
    """The step after which a checkpoint was saved, by its name; -1 where it has none."""
    number = checkpoint.name.rpartition("-")[2]
    return int(number) if number.isdigit() else -1


def _is_whole(folder: Path) -> bool:
    """Whether trainer_state.json, written last, exists and no other file was cut by a full disk."""
    try:
        state = read_json(folder / "trainer_state.json", dict)
        stored_tensors(folder / "adapter_model.safetensors")
    except WorkshopError:
        return False
    archives = ("optimizer.pt", "scheduler.pt", "rng_state.pth")
    whole = all(zipfile.is_zipfile(folder / name) for name in archives)
    return whole and state.get("global_step") == step_of(folder)
