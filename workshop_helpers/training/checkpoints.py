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
    """The last whole checkpoint of an equal run in `work`, if any; all else there is removed."""
    wanted = fingerprint({**inputs, "versions": versions()})
    note = work / "run.json"
    try:
        same = read_json(note, dict).get("inputs") == wanted
    except WorkshopError:
        same = False
    if not same:
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        write_json(note, {"inputs": wanted})
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
