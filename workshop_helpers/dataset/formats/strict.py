"""Reading for training: every row is right, or all that is wrong is said at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...core.errors import WorkshopError
from .container import find_out
from .conversation import Conversation, Message
from .faults import Fault, RowFault, check_text, raise_faults
from .files import open_rows
from .json_rows import line_rows
from .stream import Bytes, lines, require_file


def read_conversations(path: str | Path, *, limit: int | None = None) -> list[Conversation]:
    """Read a file of training rows, in file order; every container, format and encoding that
    `open_rows` reads.

    limit: keep the first so many conversations; the whole file is checked all the same. Raises
    WorkshopError that lists up to ten faults with file and line: what `open_rows` finds, equal
    rows, a template's control tokens in a text, a file without rows.
    """
    if limit is not None and limit < 1:
        raise WorkshopError(f"limit is {limit}; ask for at least one row.")
    path = Path(path)
    faults: list[str] = []
    conversations: list[Conversation] = []
    first_seen: dict[tuple[Message, ...], int] = {}
    with open_rows(path) as rows:
        for row in rows:
            if isinstance(row, Fault):
                faults.append(str(row))
                continue
            line = row.line or 0
            try:
                for message in row.messages:
                    check_text(message.content)
            except RowFault as fault:
                faults.append(f"{path}:{line}: {fault}")
                continue
            if row.messages in first_seen:
                earlier = first_seen[row.messages]
                faults.append(
                    f"{path}:{line}: the same row as line {earlier}. Delete one of the two."
                )
                continue
            first_seen[row.messages] = line
            conversations.append(row)
    raise_faults(path, faults)
    if not conversations:
        raise WorkshopError(f"{path} holds no rows. Write one JSON object a line.")
    return conversations[:limit]


def json_lines(path: Path, faults: list[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number from 1, object) for each filled line of a JSON Lines file.

    A line that is no JSON object is added to `faults` (as "file:line: what and what to do") and
    passed over. Raises WorkshopError for a file that cannot be read as lines of text at all.
    """
    require_file(path)
    plan = find_out(path)
    if plan.fault is not None:
        raise WorkshopError(f"{path}:1: {plan.fault}")
    if plan.container in ("json", "xlsx", "parquet"):
        raise WorkshopError(
            f"{path} is one JSON list, a workbook or the like, not JSON Lines. Write each object "
            "on a line of its own, without brackets around them and commas between."
        )
    with Bytes(path, packed=plan.packed) as file:
        for line, row, _ in line_rows(lines(file.read), plan.encoding):
            if isinstance(row, RowFault):
                faults.append(f"{path}:{line}: {row}")
            else:
                yield line, row
