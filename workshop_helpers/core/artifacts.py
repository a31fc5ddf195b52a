"""Where artifacts live. They are whole or absent, never half written."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from .errors import WorkshopError, explain_os_errors

CARD = "card.json"
_DAY = 24 * 3600
MEBIBYTE = 1 << 20
_own_temporaries: set[str] = set()


def data_path(*parts: str) -> Path:
    """Path of a bundled file or folder, such as ``data_path("shop", "facts.yaml")``.

    Works from a clone (``data/`` beside the package) and from an installed wheel
    (``workshop_helpers/_data``). Raises WorkshopError when it is not there.
    """
    package = Path(__file__).resolve().parents[1]
    roots = (package / "_data", package.parent / "data")
    for root in roots:
        path = root.joinpath(*parts)
        if path.exists():
            return path
    wanted = "/".join(("data", *parts))
    raise WorkshopError(
        f"The bundled {wanted} is missing (looked in {roots[0]} and {roots[1]}). "
        "Install the package again, or run from a complete clone."
    )


def _need_space(folder: Path, needs_bytes: int, final: Path) -> None:
    free = shutil.disk_usage(folder).free
    if needs_bytes > free:
        raise WorkshopError(
            f"Not enough disk space for {final}: about {needs_bytes / MEBIBYTE:,.0f} MiB needed, "
            f"{free / MEBIBYTE:,.0f} MiB free. Free some space, or choose a folder on another disk."
        )


# --- whole or absent ------------------------------------------------------------------------------


def _host() -> str:
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]


def _temporary(final: Path, kind: str) -> Path:
    """A hidden name beside `final` that says which process made it; the suffix stays, tools look at
    it.
    """
    token = secrets.token_hex(4)
    name = f".{final.name}.{kind}-{_host()}-{os.getpid()}-{token}{final.suffix}"
    _own_temporaries.add(name)
    return final.with_name(name)


def _process_lives(pid: int) -> bool:
    if os.name == "nt":
        import psutil

        return bool(psutil.pid_exists(pid))
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _is_stale(path: Path, host: str, pid: str) -> bool:
    if path.name in _own_temporaries:
        return False
    try:
        if host == _host() and pid.isdigit():
            # Containers hand the same number out again: our own number on a name we did not make is
            # a dead run's.
            return int(pid) == os.getpid() or not _process_lives(int(pid))
        return time.time() - path.stat().st_mtime > _DAY
    except OSError:
        return False


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def _sweep(final: Path) -> None:
    """Remove what killed runs left beside `final`; put back an old artifact whose replacement never
    came.
    """
    for kind in ("old", "tmp"):
        prefix = f".{final.name}.{kind}-"
        for path in final.parent.iterdir():
            if not path.name.startswith(prefix):
                continue
            host, _, rest = path.name[len(prefix) :].partition("-")
            if not _is_stale(path, host, rest.partition("-")[0]):
                continue
            if kind == "old" and not final.exists():
                path.rename(final)
            else:
                _remove(path)


def _flush(path: Path) -> None:
    """Ask the disk to keep what was written, so that the rename cannot outlive the bytes in a power
    cut.
    """
    files = [path] if path.is_file() else [child for child in path.rglob("*") if child.is_file()]
    for file in files:
        # A file system that cannot sync is no reason to fail: the rename still protects against a
        # kill.
        with contextlib.suppress(OSError), open(file, "rb+") as handle:
            os.fsync(handle.fileno())


def _refuse_foreign_folder(final: Path) -> None:
    """Never replace a folder that this package did not make: `--out ~/Documents` must cost nobody a
    file.
    """
    if not final.exists():
        return
    if not final.is_dir():
        raise WorkshopError(
            f"{final} is a file, but a folder is to be written there. Choose another path."
        )
    if not (final / CARD).exists() and any(final.iterdir()):
        raise WorkshopError(
            f"{final} already holds other files (there is no {CARD} in it), and they would be lost. "
            "Choose a new or an empty folder."
        )


@contextlib.contextmanager
def atomic_directory(final: Path | str, *, needs_bytes: int = 0) -> Iterator[Path]:
    """Give a temporary folder beside `final`; on success it takes that name in one rename.

    An older artifact of ours (a folder with a card) or an empty folder is replaced; after an
    exception it is still there and the temporary one is gone. Raises WorkshopError when fewer than
    `needs_bytes` are free, when `final` is a file or holds somebody else's files, and for a full or
    read-only disk.
    """
    final = _absolute(final)
    with explain_os_errors("write the folder", final):
        final.parent.mkdir(parents=True, exist_ok=True)
        _sweep(final)
        _refuse_foreign_folder(final)
        _need_space(final.parent, needs_bytes, final)
        temporary = _temporary(final, "tmp")
        temporary.mkdir()
        try:
            yield temporary
            _flush(temporary)
            _put_folder(temporary, final)
        finally:
            _remove(temporary)
            _own_temporaries.discard(temporary.name)


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


@contextlib.contextmanager
def atomic_file(final: Path | str, *, needs_bytes: int = 0) -> Iterator[Path]:
    """Give a temporary path beside `final` to write to; on success it takes that name in one
    rename.

    Raises as `atomic_directory` does, and WorkshopError when `final` is a folder.
    """
    final = _absolute(final)
    with explain_os_errors("write the file", final):
        final.parent.mkdir(parents=True, exist_ok=True)
        if final.is_dir():
            raise WorkshopError(
                f"{final} is a folder, but a file is to be written there. Add a file name."
            )
        _sweep(final)
        _need_space(final.parent, needs_bytes, final)
        temporary = _temporary(final, "tmp")
        try:
            yield temporary
            _flush(temporary)
            os.replace(temporary, final)
        finally:
            _remove(temporary)
            _own_temporaries.discard(temporary.name)


def _absolute(path: Path | str) -> Path:
    """Absolute, `~` expanded, links followed: a rename must replace what a link points to, not the
    link.
    """
    return Path(path).expanduser().resolve()


@contextlib.contextmanager
def claim(folder: Path | str) -> Iterator[None]:
    """Hold `folder` for this run; a second run in it gets a WorkshopError at once.

    The lock is ``<parent>/.<name>.lock``; the operating system drops it when the process ends,
    however it ends.
    """
    import filelock

    folder = _absolute(folder)
    lock_file = folder.with_name(f".{folder.name}.lock")
    with explain_os_errors("start a run", folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(lock_file)
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout as error:
            raise WorkshopError(
                f"Another run is at work in {folder}. Wait until it ends, or choose another output folder."
            ) from error
    try:
        yield
    finally:
        lock.release()
