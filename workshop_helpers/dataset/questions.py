"""Held-out questions: read from a file of questions or of rows, and written to be edited.

Where a row says no `facts`, they are drawn from its reference answer (see `metrics.drawing`).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..core.jsonio import to_json
from ..metrics.drawing import draw_facts
from ..metrics.facts import Surfaces, surfaces
from ..metrics.scoring import Question
from .formats import (
    TABLES,
    Conversation,
    Fault,
    RowFault,
    all_right,
    check_text,
    field_text,
    find_roles,
    open_rows,
)

_FIELDS = ("question", "system", "facts", "reference", "language", "id", "topic")
_OPTIONAL = ("system", "reference", "language", "id", "topic")


def read_questions(path: str | Path) -> list[Question]:
    """Read the questions of a file: of questions, or of rows in any format of `open_rows`.

    A file of questions has `question` and, optionally, Question's other fields; the answer's column
    of a table is its `reference`, and there `facts` are one text: "$6.99; 14 days|two weeks" (`;`
    parts facts, `|` equally right texts). Of a row, the first exchange is asked. Raises
    WorkshopError that lists up to ten faults with file and line, as for training rows. Unknown
    fields are ignored, unless they look like a misspelt known one.
    """
    path = Path(path)
    with open_rows(path) as reader:
        table = reader.source.container in TABLES
        rows: Iterable[tuple[int, Question | Fault | ValueError]]
        if reader.source.format in ("unknown", "question/answer"):
            rows = ((line, _question(row, table)) for line, row in reader.fields())
        else:
            rows = ((row.line or 0, _of_row(row)) for row in reader)
        return all_right(path, rows, lambda q: (q.question, q.system, q.reference), "question")


def question_of(row: Conversation) -> Question:
    """The first exchange of a row as a question: its answer is the reference, facts are drawn."""
    turns = [message.content for message in row.messages if message.role != "system"]
    fields = {name: row.extra[name] for name in ("language", "id") if _text(row.extra.get(name))}
    topic = row.extra.get("topic") or row.extra.get("category")
    return Question(
        turns[0],
        row.system,
        draw_facts(turns[1], turns[0]),
        topic=topic if _text(topic) else None,
        reference=turns[1],
        **fields,
    )


def write_questions(questions: Iterable[Question], path: Path) -> None:
    """Write questions as JSON Lines (UTF-8), with the facts as lists, to be edited."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for one in questions:
            facts = [f if isinstance(f, str) else list(f) for f in one.facts]
            fields = {**vars(one), "facts": facts}
            kept = {n: fields[n] for n in _FIELDS if n == "facts" or fields[n] is not None}
            file.write(to_json(kept, indent=None) + "\n")


def _text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _of_row(row: Conversation | Fault) -> Question | Fault | RowFault:
    try:
        for message in row.messages if isinstance(row, Conversation) else ():
            check_text(message.content)
    except RowFault as fault:
        return fault
    return row if isinstance(row, Fault) else question_of(row)


def _question(row: dict[str, Any] | RowFault, table: bool) -> Question | ValueError:
    if isinstance(row, RowFault):
        return row
    for role, name in find_roles(tuple(row), table=table).items():
        known = "reference" if role == "answer" else role
        row = row if known in row else {**row, known: row[name]}
    try:
        text = field_text(row, "question", known=_FIELDS)
        for key in row:
            near = difflib.get_close_matches(key, _FIELDS, n=1, cutoff=0.75)
            if key not in _FIELDS and near and near[0] not in row:
                raise RowFault("missing-field.unknown", field=key, other=near[0])
        check_text(text)
        optional = {
            name: field_text(row, name, known=_FIELDS)
            for name in _OPTIONAL
            if row.get(name) not in (None, "")
        }
        facts = _facts(row.get("facts"), table)
    except ValueError as fault:
        return fault
    if facts is None:
        reference = optional.get("reference")
        facts = draw_facts(reference, text) if reference else ()
    return Question(text, facts=facts, **optional)


def _facts(value: Any, table: bool) -> tuple[str | Surfaces, ...] | None:
    """The facts as a Question holds them; None where none are given."""
    if value is None or (table and not value.strip()):
        return None
    if table:
        items = filter(str.strip, re.split(r"[;；\n]", value))
        value = [[s.strip() for s in re.split(r"[|｜]", item) if s.strip()] for item in items]
    return tuple(f[0] if len(f) == 1 else f for f in surfaces(value, '"facts"'))
