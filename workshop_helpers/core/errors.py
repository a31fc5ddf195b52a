"""Errors that tell a user what happened, where, and what to do next."""

from __future__ import annotations

import abc
import contextlib
import errno
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from .outside import shown

if TYPE_CHECKING:
    from typing_extensions import Self  # in `typing` from Python 3.11 on


class WorkshopError(Exception):
    """A user's mistake or a limit of the machine: what happened, where, and what to do next.

    The command line prints the message without a traceback and exits with 2. What comes from
    outside may stand in it as it is: it is made fit to be shown.
    """

    def __init__(self, *said: object) -> None:
        super().__init__(*(shown(one) if isinstance(one, str) else one for one in said))


class Note(UserWarning):
    """What a user should know, though the work goes on: the command line prints it in a line."""


class Closing(abc.ABC):
    """What has a `close()`, as a context manager: the end of the block calls it."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @abc.abstractmethod
    def close(self) -> None:
        """Let go of what is held. Closing twice is harmless."""


_ADVICE = {
    errno.ENOSPC: "the disk is full. Free some space, or choose a folder on another disk.",
    errno.EFBIG: "the file is larger than this disk or account allows. Choose another disk.",
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
        # Rust's way to say it, and libxml2's
        if f"os error {number})" in text or text == f"IO_{errno.errorcode[number]}":
            return number
    return None


@contextlib.contextmanager
def explain_os_errors(doing: str, path: Path | str) -> Iterator[None]:
    """Turn a full disk, a read-only place, missing permission or a long name into a WorkshopError.

    ``doing`` completes "Could not …", for example "write the adapter". Other exceptions pass
    untouched.
    """
    try:
        yield
    except WorkshopError:
        raise
    except Exception as error:
        if "No usable temporary directory" in str(error):
            raise WorkshopError(
                f"Temporary files cannot be written anywhere ({error}): the disk is full or "
                "read-only. Free some space, or let TMPDIR name a folder on another disk."
            ) from error
        advice = _ADVICE.get(_error_number(error) or 0)
        if advice is None:
            raise
        raise WorkshopError(f"Could not {doing} at {path}: {advice}") from error


def first_line(error: BaseException) -> str:
    """The first line of an exception's message, without full stop; else its type."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:300].rstrip(".")


@contextlib.contextmanager
def foreign(what: Path | str) -> Iterator[None]:
    """Around the use of values from a file that others made: what a value of another kind or size
    raises there becomes a WorkshopError that names `what`.
    """
    try:
        yield
    except (
        TypeError, ValueError, AttributeError, LookupError, ArithmeticError, RecursionError,
        NotImplementedError, re.error,
    ) as error:  # fmt: skip
        raise WorkshopError(
            f"{what} holds a value that makes no sense there ({type(error).__name__}: "
            f"{first_line(error)}). Correct it, or make or download it again."
        ) from error


@contextlib.contextmanager
def from_extra(extra: str, what: str) -> Iterator[None]:
    """Around imports: a missing package becomes a WorkshopError that names the `extra` with it."""
    try:
        yield
    except ImportError as error:
        raise WorkshopError(
            f"{what} is not installed: `pip install 'llm-finetuning-workshop[{extra}]'`."
        ) from error
