"""Where artifacts live. They are whole or absent, never half written, and carry a card of how they were made."""

from __future__ import annotations

import abc
import contextlib
import dataclasses
import errno
import hashlib
import json
import math
import os
import secrets
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import Self

CARD = "card.json"
_DAY = 24 * 3600
_MEBIBYTE = 1 << 20
_own_temporaries: set[str] = set()


class WorkshopError(Exception):
    """A user's mistake or a limit of the machine: what happened, where, and what to do next.

    The command line prints the message without a traceback and exits with 2.
    """


class Closing(abc.ABC):
    """What has a `close()`, as a context manager: the end of the block calls it."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @abc.abstractmethod
    def close(self) -> None:
        """Let go of what is held. Closing twice is harmless."""


def data_path(*parts: str) -> Path:
    """Path of a bundled file or folder, such as ``data_path("shop", "facts.yaml")``.

    Works from a clone (``data/`` beside the package) and from an installed wheel (``workshop_helpers/_data``).
    Raises WorkshopError when it is not there.
    """
    package = Path(__file__).resolve().parent
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


# --- errors of the file system, in words ---------------------------------------------------------------------

_ADVICE = {
    errno.ENOSPC: "the disk is full. Free some space, or choose a folder on another disk.",
    errno.EFBIG: "the file is larger than this disk or account allows. Choose a folder on another disk.",
    errno.EROFS: "the disk is read-only. Choose a folder you can write to.",
    errno.EACCES: "permission denied. Choose a folder you can write to, or change its permissions.",
    errno.EPERM: "the system does not permit it. Choose a folder you can write to.",
    errno.ENAMETOOLONG: "the name is too long for this file system. Choose a shorter one.",
    errno.ENOTDIR: "a part of the path is a file, not a folder. Choose another path.",
    errno.EEXIST: "a file is where a folder should be. Choose another path.",
}
if hasattr(errno, "EDQUOT"):
    _ADVICE[errno.EDQUOT] = "your disk quota is used up. Free some space, or choose another disk."


def _error_number(error: BaseException) -> int | None:
    """The errno behind an exception, also where a native library has wrapped it in text."""
    if isinstance(error, OSError):
        # 112 is Windows' ERROR_DISK_FULL, which Python does not map to ENOSPC in every release.
        return errno.ENOSPC if getattr(error, "winerror", None) == 112 else error.errno
    text = str(error)
    if "No space left on device" in text:
        return errno.ENOSPC
    for number in _ADVICE:
        if f"os error {number})" in text:
            return number
    return None


@contextlib.contextmanager
def explain_os_errors(doing: str, path: Path | str) -> Iterator[None]:
    """Turn a full disk, a read-only place, missing permission or an overlong name into a WorkshopError.

    ``doing`` completes "Could not …", for example "write the adapter". Other exceptions pass untouched.
    """
    try:
        yield
    except WorkshopError:
        raise
    except Exception as error:
        advice = _ADVICE.get(_error_number(error) or 0)
        if advice is None:
            raise
        raise WorkshopError(f"Could not {doing} at {path}: {advice}") from error


def _need_space(folder: Path, needs_bytes: int, final: Path) -> None:
    free = shutil.disk_usage(folder).free
    if needs_bytes > free:
        raise WorkshopError(
            f"Not enough disk space for {final}: about {needs_bytes / _MEBIBYTE:,.0f} MiB needed, "
            f"{free / _MEBIBYTE:,.0f} MiB free. Free some space, or choose a folder on another disk."
        )


# --- whole or absent -----------------------------------------------------------------------------------------


def _host() -> str:
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]


def _temporary(final: Path, kind: str) -> Path:
    """A hidden name beside `final` that says which process made it; the suffix stays, tools look at it."""
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
            # Containers hand the same number out again: our own number on a name we did not make is a dead run's.
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
    """Remove what killed runs left beside `final`; put back an old artifact whose replacement never came."""
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
    """Ask the disk to keep what was written, so that the rename cannot outlive the bytes in a power cut."""
    files = [path] if path.is_file() else [child for child in path.rglob("*") if child.is_file()]
    for file in files:
        # A file system that cannot sync is no reason to fail: the rename still protects against a kill.
        with contextlib.suppress(OSError), open(file, "rb+") as handle:
            os.fsync(handle.fileno())


def _refuse_foreign_folder(final: Path) -> None:
    """Never replace a folder that this package did not make: `--out ~/Documents` must cost nobody a file."""
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

    An older artifact of ours (a folder with a card) or an empty folder is replaced; after an exception it is
    still there and the temporary one is gone. Raises WorkshopError when fewer than `needs_bytes` are free, when
    `final` is a file or holds somebody else's files, and for a full or read-only disk.
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
    """Give a temporary path beside `final` to write to; on success it takes that name in one rename.

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
    """Absolute, `~` expanded, links followed: a rename must replace what a link points to, not the link."""
    return Path(path).expanduser().resolve()


@contextlib.contextmanager
def claim(folder: Path | str) -> Iterator[None]:
    """Hold `folder` for this run; a second run in it gets a WorkshopError at once.

    The lock is ``<parent>/.<name>.lock``; the operating system drops it when the process ends, however it ends.
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


# --- JSON, hashes, cards -------------------------------------------------------------------------------------


def _plain(value: Any) -> Any:
    """JSON-able form: paths as text, dataclasses as objects, numpy scalars as numbers, NaN and infinity as null."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted(_plain(item) for item in value)
    if isinstance(value, Path):
        return str(value)
    if not isinstance(value, (str, int, float)) and hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def to_json(obj: Any, *, indent: int | None = 1) -> str:
    """Readable JSON text of `obj`: Japanese as Japanese; dataclasses, paths and tuples are understood."""
    return json.dumps(_plain(obj), ensure_ascii=False, indent=indent, allow_nan=False)


def write_json(path: Path | str, obj: Any) -> None:
    """Write `obj` as UTF-8 JSON, whole or not at all."""
    with atomic_file(path) as temporary:
        temporary.write_text(to_json(obj) + "\n", encoding="utf-8", newline="\n")


def read_json(path: Path | str) -> Any:
    """Read UTF-8 JSON. Raises WorkshopError when the file is missing or is not JSON."""
    path = Path(path)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise WorkshopError(f"There is no file {path}.") from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise WorkshopError(
            f"{path} is not valid JSON in UTF-8: {error}. Make it again."
        ) from error


def file_hash(path: Path | str) -> str:
    """SHA-256 (hex) of a file, or of a folder's names and files; cards and hidden files do not count."""
    path = Path(path)
    digest = hashlib.sha256()
    if path.is_dir():
        for child in sorted(path.rglob("*")):
            name = child.relative_to(path)
            if (
                child.is_file()
                and child.name != CARD
                and not any(part[0] == "." for part in name.parts)
            ):
                digest.update(f"{name.as_posix()}\0{file_hash(child)}\n".encode())
        return digest.hexdigest()
    with open(path, "rb") as handle:
        while block := handle.read(8 * _MEBIBYTE):
            digest.update(block)
    return digest.hexdigest()


def fingerprint(obj: Any) -> str:
    """SHA-256 (hex) of the canonical JSON of `obj`: equal for equal content, whatever the order of the keys."""
    text = json.dumps(_plain(obj), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def card_path(artifact: Path | str) -> Path:
    """Where the card of an artifact lies: ``card.json`` in a folder, ``X.card.json`` beside a file X."""
    artifact = Path(artifact)
    return artifact / CARD if artifact.is_dir() else artifact.with_name(f"{artifact.name}.{CARD}")


def write_card(artifact: Path | str, card: dict[str, Any]) -> None:
    """Write the card of an artifact: kind, inputs (hashes, recipe, seed), versions, machine, seconds, figures.

    ``made`` (ISO time, UTC) is added when it is missing.
    """
    made = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    write_json(card_path(artifact), {"made": made, **card})


def read_card(artifact: Path | str) -> dict[str, Any] | None:
    """The card of an artifact, or None when it has none or one that cannot be read."""
    path = card_path(artifact)
    if not path.is_file():
        return None
    try:
        card = read_json(path)
    except WorkshopError:
        return None
    return card if isinstance(card, dict) else None


def equal_card(artifact: Path | str, inputs: dict[str, Any]) -> dict[str, Any] | None:
    """The card of an artifact that is there and was made from equal `inputs`; None when it is to be made.

    A file whose card says `size_bytes` must have that size.
    """
    artifact = Path(artifact)
    card = read_card(artifact) if artifact.exists() else None
    if card is None or fingerprint(card.get("inputs")) != fingerprint(inputs):
        return None
    if "size_bytes" in card and card["size_bytes"] != artifact.stat().st_size:
        return None
    return card
