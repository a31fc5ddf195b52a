"""Reading for training: all rows are valid, or one error lists the faults."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from ...core.errors import WorkshopError
from .container import find_out
from .conversation import Conversation
from .faults import Fault, RowFault, check_text, raise_faults
from .files import open_rows
from .json_rows import line_rows
from .stream import Bytes, lines, require_file

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


def json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any] | RowFault]]:
    """The line number (from 1) and the object or fault of each non-empty line of a file.

    Raises WorkshopError for a file that is not lines of text.
    """
    require_file(path)
    plan = find_out(path)
    if plan.fault is not None:
        raise WorkshopError(f"{path}:1: {plan.fault}")
    if plan.container in ("json", "xlsx", "parquet"):
        raise WorkshopError(
            f"{path} is a JSON list, a workbook or similar, not JSON Lines. Write each object on "
            "its own line, without brackets around them or commas between them."
        )
    with Bytes(path, packed=plan.packed) as file:
        for line, row, _ in line_rows(lines(file.read), plan.encoding):
            yield line, row
