"""Where artifacts live: whole or absent, never half written, and one run at a time in each."""

from __future__ import annotations

import contextlib
import filecmp
import hashlib
import json
import os
import re
import secrets
import shutil
import socket
import time
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from .errors import WorkshopError, explain_os_errors

CARD = "card.json"
MEBIBYTE = 1 << 20
WAY_OUT = (
    "--overwrite (in Python overwrite=True) replaces it; or choose another place for the result."
)
_DAY = 24 * 3600
_HALVES = re.compile("[\ud800-\udfff]")
# In a temporary folder, beside its name, until it is whole: a proof that it is ours to remove.
_MARK = ".written-by-workshop"
# What file managers leave in every folder that somebody has looked at.
_LITTER = {".DS_Store", "Thumbs.db", "desktop.ini"}
_own_temporaries: set[str] = set()


def data_path(*parts: str) -> Path:
    """Path of a bundled file or folder, such as ``data_path("shop", "facts.yaml")``.

    Works from a clone (``data/`` beside the package) and from an installed wheel
    (``workshop_helpers/_data``). Raises WorkshopError when it is not there.
    """
    return _bundled("data", parts)


def results_path(name: str) -> Path:
    """Path of a recorded measurement, such as ``results_path("learning_map.json")``, found as
    `data_path` finds its files. Raises WorkshopError when it is not there.
    """
    return _bundled("results", (name,))


def _bundled(folder: str, parts: tuple[str, ...]) -> Path:
    package = Path(__file__).resolve().parents[1]
    roots = (package / f"_{folder}", package.parent / folder)
    for root in roots:
        path = root.joinpath(*parts)
        if path.exists():
            return path
    wanted = "/".join((folder, *parts))
    raise WorkshopError(
        f"The bundled {wanted} is missing (looked in {roots[0]} and {roots[1]}). "
        "Install the package again, or run from a complete clone."
    )


def cache_folder() -> Path:
    """Where what is fetched once for all projects lies: `llm-finetuning-workshop` in
    XDG_CACHE_HOME, or else in ~/.cache. It need not be there yet.
    """
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache).expanduser() / "llm-finetuning-workshop"


def runs_folder(model: str | Path, language: str) -> Path:
    """Where the notebooks put what they make of `model` in `language`, such as runs/mame-ja: each
    pair has a folder of its own in the current one. A model folder gives its name and a few digits
    of its path, since two folders may share a name.
    """
    text = str(model)
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(text).name).strip("-.") or "model"
    if name != text:
        where = str(Path(text).expanduser().resolve())
        name += "-" + hashlib.sha256(where.encode("utf-8", "surrogateescape")).hexdigest()[:6]
    return Path("runs", f"{name}-{language}")


class AlreadyThere(WorkshopError):
    """Where a result is to lie, there is another one, which `overwrite` would give up."""


@contextlib.contextmanager
def atomic_directory(
    final: Path | str, *, needs_bytes: int = 0, overwrite: bool = True
) -> Iterator[Path]:
    """Give a temporary folder beside `final`; on success it takes that name in one rename.

    Replaced are an empty folder, and one whose card says that the same verb made it and in which
    nothing else lies; without `overwrite` only one with equal files. After an exception the older
    one is still there and the temporary one is gone. Raises WorkshopError for what may not be
    replaced, when fewer than `needs_bytes` are free, and for a full or read-only disk.
    """
    put = partial(_put_folder, overwrite=overwrite)
    with _beside(final, "folder", needs_bytes, refuse_foreign_folder, put) as temporary:
        temporary.mkdir()
        (temporary / _MARK).touch()
        yield temporary


def atomic_file(
    final: Path | str, *, needs_bytes: int = 0, overwrite: bool = True
) -> contextlib.AbstractContextManager[Path]:
    """Give a temporary path beside `final` to write; on success it takes that name in one rename.

    Without `overwrite` a file that is there already may only be an equal one. Raises as
    `atomic_directory` does, and WorkshopError when `final` is a folder.
    """
    put = partial(_put_file, overwrite=overwrite)
    return _beside(final, "file", needs_bytes, _refuse_folder, put)


@contextlib.contextmanager
def claim(folder: Path | str) -> Iterator[None]:
    """Lock `folder` for this run; a second run in it gets a WorkshopError at once.

    The lock is ``<parent>/.<name>.lock``; the operating system drops it when the process ends,
    however it ends.
    """
    import filelock

    folder = absolute(folder)
    lock = filelock.FileLock(folder.with_name(f".{folder.name}.lock"))
    with explain_os_errors("start a run", folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        place = Path(lock.lock_file)
        if place.exists() and (not place.is_file() or place.stat().st_size):  # ours are empty
            raise WorkshopError(
                f"{place} is not a lock of this course, and would be lost. Move it away."
            )
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout as error:
            raise WorkshopError(
                f"Another run is at work in {folder}. "
                "Wait until it ends, or choose another output folder."
            ) from error
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def _beside(
    final: Path | str,
    kind: str,
    needs_bytes: int,
    refuse: Callable[[Path], None],
    put: Callable[[Path, Path], None],
) -> Iterator[Path]:
    """A temporary path beside `final`, which replaces it on success and is always removed."""
    final = absolute(final)
    with explain_os_errors(f"write the {kind}", final):
        final.parent.mkdir(parents=True, exist_ok=True)
        _sweep(final)
        refuse(final)
        free = shutil.disk_usage(final.parent).free
        if needs_bytes > free:
            raise WorkshopError(
                f"Not enough disk space for {final}: about {needs_bytes / MEBIBYTE:,.0f} MiB "
                f"needed, {free / MEBIBYTE:,.0f} MiB free. Free some space, or choose a folder on "
                "another disk."
            )
        temporary = _temporary(final, "tmp")
        try:
            yield temporary
            put(temporary, final)
        finally:
            _remove(temporary)
            _own_temporaries.discard(temporary.name)


def _refuse_folder(final: Path) -> None:
    if final.is_dir():
        raise WorkshopError(
            f"{final} is a folder, but a file is to be written there. Add a file name."
        )


def refuse_foreign_folder(final: Path, card: dict[str, Any] | None = None) -> None:
    """Raise WorkshopError for a folder that holds anything but what its card lists: `--out
    ~/Documents` must not delete a user's files. With the `card` of what is to come, also for one
    that another verb made.
    """
    if not final.exists():
        return
    if not final.is_dir():
        raise WorkshopError(
            f"{final} is a file, but a folder is to be written there. Choose another path."
        )
    there = _files_in(final)
    if not there and not any(final.iterdir()):
        return
    own = _card_of(final)
    if own is None:
        raise WorkshopError(
            f"{final} already holds other files (there is no {CARD} in it), and they would be lost."
            " Choose a new or an empty folder."
        )
    if card is not None and _maker(own) != _maker(card):
        raise WorkshopError(
            f"{final} holds something else ({_described(own)}), which this command did not make "
            "and does not replace. Choose another folder."
        )
    if not isinstance(own.get("files"), list):
        raise WorkshopError(
            f"{final} was made by an older version, and nothing tells what else lies in it. "
            "Delete it yourself, or choose another folder."
        )
    if foreign := sorted(there - set(own["files"])):
        shown = ", ".join(foreign[:3]) + (", …" if foreign[3:] else "")
        raise WorkshopError(
            f"{final} also holds other files ({shown}), and they would be lost. Move them away, or "
            "choose another folder."
        )


def _card_of(folder: Path) -> dict[str, Any] | None:
    try:
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return card if isinstance(card, dict) else None


def _maker(card: dict[str, Any]) -> tuple[Any, Any]:
    """The verb that a card speaks of: what it makes, and at which stage."""
    inputs = card.get("inputs")
    return card.get("kind"), inputs.get("stage") if isinstance(inputs, dict) else None


def _described(card: dict[str, Any]) -> str:
    kind, stage = _maker(card)
    return " by ".join(str(part) for part in (kind, stage) if part) or "an unknown card"


def _files_in(folder: Path) -> set[str]:
    """The names of all that lies in a folder but litter and, since they hold nothing, folders."""
    found = (path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    return {
        path.relative_to(folder).as_posix()
        for path in found
        if path.name not in _LITTER and path.name != _MARK
    }


def _put_folder(temporary: Path, final: Path, *, overwrite: bool) -> None:
    card = _card_of(temporary)
    if card is not None:
        card["files"] = sorted(_files_in(temporary))
        (temporary / CARD).write_text(json_text(card) + "\n", encoding="utf-8", newline="\n")
    (temporary / _MARK).unlink(missing_ok=True)
    _flush(temporary)
    if not final.exists():
        temporary.rename(final)
        return
    refuse_foreign_folder(final, card or {})
    if not overwrite and any(final.iterdir()):
        _refuse_other_files(temporary, final)
        return
    old = _temporary(final, "old")
    final.rename(old)
    try:
        temporary.rename(final)
    except BaseException:
        old.rename(final)
        raise
    finally:
        _own_temporaries.discard(old.name)
    _remove(old)


def _refuse_other_files(temporary: Path, final: Path) -> None:
    """Raise WorkshopError unless both folders hold the same files with the same contents."""
    names = _files_in(temporary)
    _, other, missing = filecmp.cmpfiles(temporary, final, names - {CARD}, shallow=False)
    if other or missing or names != _files_in(final):
        raise already_there(final)


def _put_file(temporary: Path, final: Path, *, overwrite: bool) -> None:
    _flush(temporary)
    if not overwrite and final.exists() and not _equal(temporary, final):
        raise already_there(final)
    os.replace(temporary, final)


def _equal(one: Path, other: Path) -> bool:
    if filecmp.cmp(one, other, shallow=False):
        return True
    if one.suffix.lower() != ".xlsx" or not zipfile.is_zipfile(other):
        return False
    return _parts(one) == _parts(other)


def _parts(workbook: Path) -> dict[str, int]:
    """The check sums of a workbook's parts but the one that holds the time of writing."""
    with zipfile.ZipFile(workbook) as archive:
        parts = archive.infolist()
    return {part.filename: part.CRC for part in parts if part.filename != "docProps/core.xml"}


def already_there(final: Path | str) -> AlreadyThere:
    """The error for a file or folder of which nothing says that an equal run made it."""
    return AlreadyThere(f"{final} is there already, with other contents. {WAY_OUT}")


def json_text(value: Any, **how: Any) -> str:
    """JSON as all files of the course have it: Japanese as Japanese, no NaN, and what is no
    character (a file name that is not UTF-8) escaped, so that it is read as it was.
    """
    text = json.dumps(value, **{"ensure_ascii": False, "indent": 1, "allow_nan": False, **how})
    return _HALVES.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def absolute(path: Path | str) -> Path:
    """Absolute, `~` expanded, links followed: what a link points to is replaced, not the link."""
    return Path(path).expanduser().resolve()


def _host() -> str:
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]


def _temporary(final: Path, kind: str) -> Path:
    """A hidden name beside `final` that names the process; the suffix stays, tools look at it."""
    token = secrets.token_hex(4)
    begin = f".{final.name}.{kind}-{_host()}-{os.getpid()}-{token}"
    name = f"{begin}{_proof(begin)}{final.suffix}"
    _own_temporaries.add(name)
    return final.with_name(name)


def _proof(name: str) -> str:
    """Eight digits that only `_temporary` puts behind a name."""
    return hashlib.sha256(f"workshop {name}".encode("utf-8", "surrogateescape")).hexdigest()[:8]


def _is_stale(path: Path, final: Path, kind: str) -> bool:
    """Whether a dead run of ours left `path` behind, on its way to `final`: its name proves that it
    was made by `_temporary`, and a folder must hold our mark or our card.
    """
    import psutil

    begin = re.escape(f".{final.name}.{kind}-")
    shape = rf"({begin}([0-9a-f]{{8}})-(\d+)-[0-9a-f]{{8}})([0-9a-f]{{8}}){re.escape(final.suffix)}"
    found = re.fullmatch(shape, path.name)
    if found is None or found[4] != _proof(found[1]) or path.name in _own_temporaries:
        return False
    if path.is_dir() and not (path / _MARK).is_file() and _card_of(path) is None:
        return False
    if found[2] == _host():
        # Containers hand the same number out again: our own number on a name that we did not make
        # is a dead run's.
        return int(found[3]) == os.getpid() or not psutil.pid_exists(int(found[3]))
    try:
        return time.time() - path.stat().st_mtime > _DAY
    except OSError:
        return False


def _sweep(final: Path) -> None:
    """Remove what killed runs left beside `final`; put back an old artifact not yet replaced."""
    for kind in ("old", "tmp"):
        for path in list(final.parent.iterdir()):
            if not _is_stale(path, final, kind):
                continue
            if kind == "old" and not final.exists():
                path.rename(final)
            else:
                _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    """Ask the disk to keep the bytes, so that the rename cannot outlive them in a power cut."""
    files = [path] if path.is_file() else [child for child in path.rglob("*") if child.is_file()]
    for file in files:
        # Do not fail if a file system cannot sync: the rename protects against a kill.
        with contextlib.suppress(OSError), open(file, "rb+") as handle:
            os.fsync(handle.fileno())
