"""Folders that the stage made: their card lists every file in them that is ours, and only those are
ever removed.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..core.cards import card_path, read_card, write_card
from ..core.errors import WorkshopError, explain_os_errors

DEMO = "stage-demo"
# Where places.py notes what is made on an Ollama server.
OLLAMA_RECORD = "ollama.jsonl"


@dataclass(frozen=True)
class OwnFolder:
    """A folder with a card of `kind`, which lists our files by name and size, and the artifacts
    that were begun, so that what a killed run left of these is known for ours, too.
    """

    path: Path
    kind: str
    name: str

    @classmethod
    def open(cls, path: Path, kind: str, name: str) -> OwnFolder:
        """The folder, made where it is not there. WorkshopError where it is somebody else's."""
        folder = cls(Path(path).expanduser(), kind, name)
        card = read_card(folder.path) if folder.path.is_dir() else None
        if card is None or card.get("kind") != kind:
            if folder.path.exists() and (not folder.path.is_dir() or any(folder.path.iterdir())):
                raise WorkshopError(
                    f"{folder.path} is there already and was not made by `workshop {name}`. "
                    "Choose a new or an empty folder with --out."
                )
            with explain_os_errors("make the folder", folder.path):
                folder.path.mkdir(parents=True, exist_ok=True)
                write_card(folder.path, {"kind": kind, "name": name, "begun": [], "files": {}})
        return folder

    def begin(self, *artifacts: Path) -> None:
        """Note what is going to be made, before it is begun."""
        card = read_card(self.path) or {}
        names = [self._name(artifact) for artifact in artifacts]
        begun = list(dict.fromkeys([*card.get("begun", []), *names]))
        write_card(self.path, {**card, "begun": begun})

    def note(self, name: str, value: str) -> bool:
        """Remember a value under a name; whether another one stood there."""
        card = read_card(self.path) or {}
        noted = card.get("noted", {})
        write_card(self.path, {**card, "noted": {**noted, name: value}})
        return noted.get(name, value) != value

    def made(self, *artifacts: Path) -> None:
        """Note the files of what was made: those that are ours, with their sizes."""
        card = read_card(self.path) or {}
        files = {
            self._name(file): file.stat().st_size
            for artifact in artifacts
            for file in _files_of(artifact)
        }
        write_card(self.path, {**card, "files": {**card.get("files", {}), **files}})

    def remove(self) -> list[Path]:
        """Remove our files, then the folders that are empty; returns what is left inside."""
        card = read_card(self.path) or {}
        begun = [self.path / name for name in card.get("begun", [])]
        with explain_os_errors("remove", self.path):
            for artifact in begun:
                _remove_traces(artifact)
            for name, size in card.get("files", {}).items():
                file = self.path / name
                if _inside(file, self.path) and file.is_file() and file.stat().st_size == size:
                    file.unlink()
            _remove_empty(self.path)
            ours = {card_path(self.path), self.path / OLLAMA_RECORD}
            left = [p for p in sorted(self.path.rglob("*")) if p.is_file() and p not in ours]
            # Last: killed before this, the same call goes on. A record that is still there says
            # that a model may be, too.
            if not left and not (self.path / OLLAMA_RECORD).exists():
                card_path(self.path).unlink(missing_ok=True)
                _remove_empty(self.path)
                with suppress(OSError):
                    self.path.rmdir()
        return left

    def _name(self, path: Path) -> str:
        return path.relative_to(self.path).as_posix()


def own_folders(root: Path, kind: str) -> list[OwnFolder]:
    """The folders of that kind directly in `root`."""
    if not root.is_dir():
        return []
    found = []
    for path in sorted(root.iterdir()):
        card = read_card(path) if path.is_dir() and not path.is_symlink() else None
        if card and card.get("kind") == kind:
            found.append(OwnFolder(path, kind, str(card.get("name", path.name))))
    return found


def _files_of(artifact: Path) -> list[Path]:
    if artifact.is_dir():
        return [file for file in sorted(artifact.rglob("*")) if file.is_file()]
    return [file for file in (artifact, card_path(artifact)) if file.is_file()]


def _remove_traces(artifact: Path) -> None:
    """What a killed run leaves beside an artifact: checkpoints, half-written files, its lock."""
    from ..training.checkpoints import work_folder

    if not artifact.parent.is_dir():
        return
    shutil.rmtree(work_folder(artifact), ignore_errors=True)
    for kind in ("tmp", "old"):
        for path in artifact.parent.glob(f".{artifact.name}.{kind}-*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    artifact.with_name(f".{artifact.name}.lock").unlink(missing_ok=True)


def _inside(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())


def _remove_empty(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not path.is_symlink():
            with suppress(OSError):
                path.rmdir()
