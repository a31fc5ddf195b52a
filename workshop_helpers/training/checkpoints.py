"""Checkpoints of a run that was interrupted."""

from __future__ import annotations

import contextlib
import errno
import re
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..core.artifacts import atomic_directory
from ..core.cards import file_hash, fingerprint, read_card, write_card
from ..core.device import versions
from ..core.errors import Note, WorkshopError, explain_os_errors
from ..core.jsonio import read_json, write_json

_NOTE = "run.json"
_KIND = "checkpoint"
_NOT_WRITTEN = ("PytorchStreamWriter", "inline_container", "write failed")


def work_folder(out: Path) -> Path:
    """Checkpoints lie beside the adapter, hidden, until it is whole."""
    out = out.resolve()
    return out.with_name(f".{out.name}.training")


def check_work(work: Path) -> None:
    """Raise WorkshopError where `work` is not known as a folder of checkpoints, by its note or, if
    that is damaged, by the checkpoints' cards, but only named like one.
    """
    if not work.is_symlink() and not work.exists():
        return
    if work.is_symlink() or not work.is_dir() or not _is_ours(work):
        raise WorkshopError(
            f"{work} is where the checkpoints of this training would lie, but holds something else."
            " Move it away, or choose another folder for the adapter."
        )


def _is_ours(work: Path) -> bool:
    others = [path for path in work.iterdir() if path.name != _NOTE]
    if _run_of(work) is not None or not (others or (work / _NOTE).exists()):
        return True
    named = all(step_of(path) >= 0 and path.is_dir() for path in others)
    return named and any((read_card(path) or {}).get("kind") == _KIND for path in others)


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
    """The last whole checkpoint of an equal run in `work`, if any; all else there is removed, and a
    warning (`Note`) names those that are not whole.
    """
    wanted = fingerprint({**inputs, "versions": versions()})
    broken: list[int] = []
    whole = None
    same = _run_of(work) == wanted
    for folder in sorted(work.glob("checkpoint-*"), key=step_of, reverse=True):
        if whole is None and same and _is_whole(folder):
            whole = folder
            continue
        if whole is None and (same or _run_of(work) is None):
            broken.append(step_of(folder))
        shutil.rmtree(folder, ignore_errors=True)
    if broken:
        steps = ", ".join(map(str, sorted(broken)))
        how = f"goes on from that of step {step_of(whole)}" if whole else "begins anew"
        why = "is cut short or damaged"
        text = f"The checkpoint of step {steps} in {work} {why}: training {how}."
        warnings.warn(text, Note, stacklevel=2)
    if whole is None:
        shutil.rmtree(work, ignore_errors=True)  # `check_work` has been asked
        with atomic_directory(work) as folder:
            write_json(folder / _NOTE, {"inputs": wanted})
    return whole


@contextlib.contextmanager
def saving(checkpoint: Path) -> Iterator[None]:
    """Around the saving of a checkpoint: it gets a card with its hash, or is removed. Raises
    WorkshopError for a full disk.
    """
    try:
        with explain_os_errors("write a checkpoint", checkpoint):
            try:
                yield
            except RuntimeError as error:
                # All that torch says of a full disk is that bytes are missing.
                if not any(words in str(error) for words in _NOT_WRITTEN):
                    raise
                raise OSError(errno.ENOSPC, str(error)) from error
            write_card(checkpoint, {"kind": _KIND, "hash": file_hash(checkpoint)})
    except BaseException:
        shutil.rmtree(checkpoint, ignore_errors=True)
        raise


def step_of(checkpoint: Path) -> int:
    """The step after which a checkpoint was saved, by its name; -1 where it has none."""
    number = checkpoint.name.rpartition("-")[2]
    return int(number) if number.isdigit() else -1


def _is_whole(folder: Path) -> bool:
    """Whether all files of a checkpoint are those that were saved."""
    card = read_card(folder) or {}
    try:
        return card.get("kind") == _KIND and card.get("hash") == file_hash(folder)
    except OSError:
        return False
