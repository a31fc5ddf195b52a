"""Making everything fresh for the next talk: only what a card or a record proves to be the stage's.

What `live` and the demos left is removed; the rehearsal stays, unless all is to go. Removing is
done in steps that can be repeated: killed in the middle, the same call goes on.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..core.artifacts import CARD, claim
from ..core.cards import card_path, read_card
from ..core.errors import WorkshopError, explain_os_errors
from ..core.jsonio import read_json
from ..core.wordings import Wording
from .own import DEMO, OLLAMA_RECORD, OwnFolder, own_folders
from .store import REHEARSAL_KIND, STAGE, STAGE_KIND, WORK_KIND

# Files of the last live run, beside the stage's card.
LIVE_FILES = ("live.jsonl", "now.html", "now.js")
RUNS = Path("runs")


@dataclass(frozen=True)
class OllamaModel:
    """A model that a record names: its server, and its digest where it was finished."""

    host: str
    name: str
    digest: str | None


@dataclass
class Reset:
    """What will be removed, found by `plan_reset`: parts of stage folders, demo folders, models in
    Ollama (by the record in which each stands). `left`: what stays and could be taken for ours,
    with the reason.
    """

    parts: list[Path] = field(default_factory=list)
    demos: list[OwnFolder] = field(default_factory=list)
    models: dict[Path, list[OllamaModel]] = field(default_factory=dict)
    left: list[Wording] = field(default_factory=list)
    stages: list[Path] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to remove."""
        return not (self.parts or self.demos or any(self.models.values()))

    def lines(self) -> list[Wording]:
        """What will be removed, a line each."""
        found = [_word("part", path=part, size=_size(part)) for part in self.parts]
        found += [_word("demo", path=demo.path, size=_size(demo.path)) for demo in self.demos]
        models = dict.fromkeys(one for some in self.models.values() for one in some)
        return found + [_word("model", name=one.name, host=one.host) for one in models]

    def carry_out(self) -> list[Wording]:
        """Remove it all; returns what was left in peace, and why. WorkshopError where a run is at
        work in one of the folders; then nothing of that folder is removed.
        """
        said = list(self.left)
        for record, models in self.models.items():
            said += _remove_models(record, models)
        for stage in self.stages:
            with claim(stage), explain_os_errors("remove", stage):
                for part in self.parts:
                    if part.is_relative_to(stage):
                        _remove(part)
                said += [_word("left", path=path) for path in _clear(stage)]
            _remove_lock(stage)
        for demo in self.demos:
            with claim(demo.path):
                said += [_word("left", path=path) for path in demo.remove()]
            _remove_lock(demo.path)
        return said


def plan_reset(
    runs: Path = STAGE, demos: Sequence[Path] = (RUNS,), *, everything: bool = False
) -> Reset:
    """What a reset would remove: below `runs` the stage's work and its live log (`everything`: the
    rehearsals, too), and the demos' folders that lie in one of the folders `demos`, or are one.
    """
    reset = Reset()
    for folder in sorted(runs.iterdir()) if runs.is_dir() else ():
        card = read_card(folder) if folder.is_dir() and not folder.is_symlink() else None
        if card and card.get("kind") == STAGE_KIND:
            reset.stages.append(folder)
            reset.parts += _parts(folder, everything)
        elif folder.is_dir():
            reset.left.append(_word("left", path=folder))
    for folder in demos:
        card = read_card(folder) if folder.is_dir() else None
        if card and card.get("kind") == DEMO:
            reset.demos.append(OwnFolder(folder, DEMO, str(card.get("name"))))
        else:
            reset.demos += own_folders(folder, DEMO)
    for place in (*reset.stages, *(demo.path for demo in reset.demos)):
        record = place / OLLAMA_RECORD
        if record.is_file():
            reset.models[record] = _recorded(record)
    return reset


def _word(code: str, /, **values: Any) -> Wording:
    return Wording(f"reset.{code}", values)


def _parts(stage: Path, everything: bool) -> list[Path]:
    """What goes of a stage folder, each proven ours by a card of its own or by its name."""
    found = [stage / name for name in LIVE_FILES if (stage / name).is_file()]
    found += [path for path in _folders(stage / "work") if _kind(path) == WORK_KIND]
    if everything:
        for path in _folders(stage / "rehearsal"):
            found += [file for file in sorted(path.glob("*.json")) if _is_result(file)]
            if _kind(path) == REHEARSAL_KIND:
                found.append(path / CARD)
    return found


def _folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return [path for path in sorted(folder.iterdir()) if path.is_dir() and not path.is_symlink()]


def _kind(folder: Path) -> str:
    return str((read_card(folder) or {}).get("kind"))


def _is_result(file: Path) -> bool:
    """Whether a file is what a rehearsal kept of a cell (a killed one has no card)."""
    with suppress(WorkshopError):
        found = read_json(file, dict)
        return found.get("cell") == file.stem and "source_hash" in found
    return False


def _clear(stage: Path) -> list[Path]:
    """Remove the folders that are empty now, and the stage's own card once nothing is kept; returns
    the files that are not ours.
    """
    rehearsed = [file for file in stage.glob("rehearsal/*/*.json") if _is_result(file)]
    for path in sorted((p for p in stage.rglob("*") if p.is_dir()), reverse=True):
        with suppress(OSError):
            path.rmdir()
    ours = {card_path(stage), stage / OLLAMA_RECORD, *rehearsed}
    ours |= {file.parent / CARD for file in rehearsed}
    left = [path for path in sorted(stage.rglob("*")) if path.is_file() and path not in ours]
    if not rehearsed and not left and not (stage / OLLAMA_RECORD).exists():
        card_path(stage).unlink(missing_ok=True)
        with suppress(OSError):
            stage.rmdir()
    return left


def _remove(path: Path) -> None:
    if path.is_dir():
        # Its card goes last: killed before, the rest is still known for ours.
        for child in sorted(path.iterdir()):
            if child.name == CARD:
                continue
            if child.is_dir() and not child.is_symlink():
                shutil.rmtree(child)
            else:
                child.unlink()
        (path / CARD).unlink(missing_ok=True)
        path.rmdir()
    else:
        path.unlink(missing_ok=True)


def _remove_lock(folder: Path) -> None:
    if not folder.exists():
        folder.with_name(f".{folder.name}.lock").unlink(missing_ok=True)


def _size(path: Path) -> float:
    """Megabytes."""
    files: Iterable[Path] = [path] if path.is_file() else path.rglob("*")
    return sum(file.stat().st_size for file in files if file.is_file()) / 1e6


# --- Ollama ---------------------------------------------------------------------------------------


def _recorded(record: Path) -> list[OllamaModel]:
    """The models that a record names, the last word on each."""
    found: dict[tuple[str, str], OllamaModel] = {}
    for line in record.read_text(encoding="utf-8", errors="replace").splitlines():
        with suppress(ValueError, KeyError, TypeError):  # the last line of a killed run
            note = json.loads(line)
            model = OllamaModel(str(note["host"]), str(note["name"]), note.get("digest"))
            found[model.host, model.name] = model
    return [model for model in found.values() if model.digest != ""]  # removed already


def _remove_models(record: Path, models: list[OllamaModel]) -> list[Wording]:
    """Remove those that are still as they were made; the record stays while one cannot be asked."""
    from ..runtimes.ollama.client import Ollama

    said: list[Wording] = []
    unasked = False
    for host in dict.fromkeys(model.host for model in models):
        ours = [model for model in models if model.host == host]
        try:
            with Ollama(host, timeout=10) as server:
                there = {model.name: model.digest for model in server.models()}
                for model in ours:
                    if model.name not in there:
                        continue
                    if model.digest == there[model.name]:
                        server.remove(model.name)
                    else:
                        said.append(_word("other-model", name=model.name, host=host))
        except WorkshopError:
            unasked = True
            said.append(_word("no-server", host=host, names=[model.name for model in ours]))
    if not unasked:
        record.unlink(missing_ok=True)
    return said
