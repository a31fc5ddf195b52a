"""Reading for training: all rows are valid, or one error lists the faults."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from ...core.errors import WorkshopError
from .conversation import Conversation
from .faults import Fault, RowFault, check_text, raise_faults
from .files import open_rows

T = TypeVar("T")


def read_conversations(
    path: str | Path, *, limit: int | None = None, **how: Any
) -> list[Conversation]:
    """Read a file of training rows, in file order, in any format of `open_rows`, which `how` is
    handed to.

    limit: return only the first rows; the whole file is still checked. Raises WorkshopError that
    lists up to ten faults with file and line: those of `open_rows`, duplicate rows, control tokens
    in a text, a file without rows.
    """
    if limit is not None and limit < 1:
        raise WorkshopError(f"limit is {limit}; ask for at least one row.")
    path = Path(path)
    with open_rows(path, **how) as reader:
        rows = ((row.line or 0, _checked(row)) for row in reader)
        return all_right(path, rows, lambda row: row.messages, "row")[:limit]


def _checked(row: Conversation | Fault) -> Conversation | Fault | RowFault:
    try:
        for message in row.messages if isinstance(row, Conversation) else ():
            check_text(message.content)
    except RowFault as fault:
        return fault
    return row


def all_right(
    path: Path,
    rows: Iterable[tuple[int, T | Fault | ValueError]],
    key: Callable[[T], Hashable],
    what: str,
) -> list[T]:
    """The rows of a file, given with their lines; WorkshopError that lists up to ten faults.

    key: must be unique among the rows; what: the name of a row in messages.
    """
    faults: list[str] = []
    kept: list[T] = []
    first_seen: dict[Hashable, int] = {}
    for line, row in rows:
        if isinstance(row, Fault | ValueError):
            faults.append(str(row) if isinstance(row, Fault) else f"{path}:{line}: {row}")
        elif (earlier := first_seen.get(key(row))) is not None:
            same = f"the same {what} as line {earlier}. Delete one of the two."
            faults.append(f"{path}:{line}: {same}")
        else:
            first_seen[key(row)] = line
            kept.append(row)
    raise_faults(path, faults)
    if not kept:
        raise WorkshopError(f"{path} contains no {what}s. Write one JSON object per line.")
    return kept
