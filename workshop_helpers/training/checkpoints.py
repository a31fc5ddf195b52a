"""Checkpoints of a run that was interrupted."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path
from typing import Any

from ..core.cards import fingerprint
from ..core.device import versions
from ..core.errors import WorkshopError
from ..core.jsonio import read_json, write_json
from ..models.files import stored_tensors


def work_folder(out: Path) -> Path:
    """Checkpoints lie beside the adapter, hidden, until it is whole."""
    out = out.resolve()
    return out.with_name(f".{out.name}.training")


def prepare_work(work: Path, inputs: dict[str, Any]) -> Path | None:
    """The last whole checkpoint of an equal run in `work`, if any; everything else there is
    removed.
    """
    wanted = fingerprint({**inputs, "versions": versions()})
    note = work / "run.json"
    try:
        same = read_json(note).get("inputs") == wanted
    except (WorkshopError, AttributeError):
        same = False
    if not same:
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        write_json(note, {"inputs": wanted})
        return None
    whole = None
    for folder in sorted(work.glob("checkpoint-*"), key=_step_of, reverse=True):
        if whole is None and _is_whole(folder):
            whole = folder
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return whole


def _step_of(folder: Path) -> int:
    number = folder.name.rpartition("-")[2]
    return int(number) if number.isdigit() else -1


def _is_whole(folder: Path) -> bool:
    """trainer_state.json is written last; the others are checked because a full disk can cut any of
    them.
    """
    try:
        state = read_json(folder / "trainer_state.json")
        stored_tensors(folder / "adapter_model.safetensors")
        archives = ("optimizer.pt", "scheduler.pt", "rng_state.pth")
        return state["global_step"] == _step_of(folder) and all(
            zipfile.is_zipfile(folder / f) for f in archives
        )
    except (WorkshopError, OSError, KeyError, TypeError):
        return False
