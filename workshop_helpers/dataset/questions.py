"""Held-out questions, read from a file."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

from ..metrics.facts import surfaces
from ..metrics.scoring import Question
from .formats import RowFault, all_right, check_text, field_text, json_lines

_FIELDS = ("question", "system", "facts", "language", "id", "topic")


def read_questions(path: str | Path) -> list[Question]:
    """Read questions from JSON Lines with `question` and, optionally, Question's other fields.

    Raises WorkshopError that lists up to ten faults with file and line, as for training rows.
    Unknown fields are ignored, unless they look like a misspelt known one.
    """
    path = Path(path)
    rows = ((line, _question(row)) for line, row in json_lines(path))
    return all_right(path, rows, lambda asked: (asked.question, asked.system), "question")


def _question(row: dict[str, Any] | RowFault) -> Question | ValueError:
    if isinstance(row, RowFault):
        return row
    try:
        text = field_text(row, "question", known=_FIELDS)
        for key in row:
            near = difflib.get_close_matches(key, _FIELDS, n=1, cutoff=0.75)
            if key not in _FIELDS and near and near[0] not in row:
                raise RowFault("missing-field.unknown", field=key, other=near[0])
        check_text(text)
        optional = {
            name: field_text(row, name, known=_FIELDS)
            for name in ("system", "language", "id", "topic")
            if row.get(name) not in (None, "")
        }
        facts = surfaces(row["facts"], '"facts"') if row.get("facts") is not None else ()
    except ValueError as fault:
        return fault
    return Question(text, facts=tuple(f[0] if len(f) == 1 else f for f in facts), **optional)
