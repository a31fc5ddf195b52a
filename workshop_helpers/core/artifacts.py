"""Where artifacts live: whole or absent, never half written, and one run at a time in each."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from .errors import WorkshopError, explain_os_errors

CARD = "card.json"
MEBIBYTE = 1 << 20
_DAY = 24 * 3600
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


@contextlib.contextmanager
def atomic_directory(final: Path | str, *, needs_bytes: int = 0) -> Iterator[Path]:
    """Give a temporary folder beside `final`; on success it takes that name in one rename.

    An older artifact of ours (a folder with a card) or an empty folder is replaced; after an
    exception it is still there and the temporary one is gone. Raises WorkshopError when fewer than
    `needs_bytes` are free, when `final` is a file or contains foreign files, and for a full or
    read-only disk.
    """
    with _beside(final, "folder", needs_bytes, _refuse_foreign_folder, _put_folder) as temporary:
        temporary.mkdir()
        yield temporary


def atomic_file(
    final: Path | str, *, needs_bytes: int = 0
) -> contextlib.AbstractContextManager[Path]:
    """Give a temporary path beside `final` to write; on success it takes that name in one rename.

    Raises as `atomic_directory` does, and WorkshopError when `final` is a folder.
    """
    return _beside(final, "file", needs_bytes, _refuse_folder, os.replace)


@contextlib.contextmanager
def claim(folder: Path | str) -> Iterator[None]:
    """Lock `folder` for this run; a second run in it gets a WorkshopError at once.

    The lock is ``<parent>/.<name>.lock``; the operating system drops it when the process ends,
    however it ends.
    """
    import filelock

    folder = _absolute(folder)
    lock = filelock.FileLock(folder.with_name(f".{folder.name}.lock"))
    with explain_os_errors("start a run", folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
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
    final = _absolute(final)
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
            _flush(temporary)
            put(temporary, final)
        finally:
            _remove(temporary)
            _own_temporaries.discard(temporary.name)


def _refuse_folder(final: Path) -> None:
    if final.is_dir():
        raise WorkshopError(
            f"{final} is a folder, but a file is to be written there. Add a file name."
        )


def _refuse_foreign_folder(final: Path) -> None:
    """Never replace a foreign folder: `--out ~/Documents` must not delete a user's files."""
    if not final.exists():
        return
    if not final.is_dir():
        raise WorkshopError(
            f"{final} is a file, but a folder is to be written there. Choose another path."
        )
    if not (final / CARD).exists() and any(final.iterdir()):
        raise WorkshopError(
            f"{final} already holds other files (there is no {CARD} in it), and they would be lost."
            " Choose a new or an empty folder."
        )


def _put_folder(temporary: Path, final: Path) -> None:
    if not final.exists():
        temporary.rename(final)
        return
    _refuse_foreign_folder(final)
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


def _absolute(path: Path | str) -> Path:
    """Absolute, `~` expanded, links followed: what a link points to is replaced, not the link."""
    return Path(path).expanduser().resolve()


def _host() -> str:
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]


def _temporary(final: Path, kind: str) -> Path:
    """A hidden name beside `final` that names the process; the suffix stays, tools look at it."""
    token = secrets.token_hex(4)
    name = f".{final.name}.{kind}-{_host()}-{os.getpid()}-{token}{final.suffix}"
    _own_temporaries.add(name)
    return final.with_name(name)


def _is_stale(path: Path, host: str, pid: str) -> bool:
    import psutil

    if path.name in _own_temporaries:
        return False
    if host == _host() and pid.isdigit():
        # Containers hand the same number out again: our own number on a name that we did not make
        # is a dead run's.
        return int(pid) == os.getpid() or not psutil.pid_exists(int(pid))
    try:
        return time.time() - path.stat().st_mtime > _DAY
    except OSError:
        return False


def _sweep(final: Path) -> None:
    """Remove what killed runs left beside `final`; put back an old artifact not yet replaced."""
    for kind in ("old", "tmp"):
        prefix = f".{final.name}.{kind}-"
        for path in final.parent.iterdir():
            host, _, rest = path.name.removeprefix(prefix).partition("-")
            if not path.name.startswith(prefix) or not _is_stale(path, host, rest.split("-")[0]):
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
