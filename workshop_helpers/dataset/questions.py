"""Held-out questions, read from a file."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

from ..core.errors import WorkshopError
from ..metrics.facts import surfaces
from ..metrics.scoring import Question
from .formats import RowFault, check_text, field_text, json_lines, raise_faults
from .formats.faults import kind

_FIELDS = ("question", "system", "facts", "language", "id", "topic")


def read_questions(path: str | Path) -> list[Question]:
    """Read a questions file: JSON Lines with `question` and, optionally, the other fields of
    Question.

    Raises WorkshopError that lists up to ten faults with file and line, as for training rows;
    fields beyond those known are passed over, but not one that looks like a misspelt known one.
    """
    path = Path(path)
    faults: list[str] = []
    questions: list[Question] = []
    first_seen: dict[tuple[str, str | None], int] = {}
    for line, row in json_lines(path, faults):
        try:
            question = _question(row)
        except (RowFault, ValueError) as fault:
            faults.append(f"{path}:{line}: {fault}")
            continue
        key = (question.question, question.system)
        if key in first_seen:
            faults.append(f"{path}:{line}: the same question as line {first_seen[key]}.")
            continue
        first_seen[key] = line
        questions.append(question)
    raise_faults(path, faults)
    if not questions:
        raise WorkshopError(f"{path} holds no questions. Write one JSON object a line.")
    return questions


def _question(row: dict[str, Any]) -> Question:
    text = field_text(row, "question", known=_FIELDS)
    for key in row:
        near = difflib.get_close_matches(key, _FIELDS, n=1, cutoff=0.75)
        if key not in _FIELDS and near and near[0] not in row:
            raise RowFault("missing-field.unknown", field=key, other=near[0])
    check_text(text)
    optional: dict[str, str | None] = {}
    for name in ("system", "language", "id", "topic"):
        value = row.get(name)
        if value is not None and not isinstance(value, str):
            raise RowFault("missing-field.no-text", field=name, kind=kind(value))
        optional[name] = value or None
    facts = surfaces(row["facts"], '"facts"') if row.get("facts") is not None else ()
    return Question(text, facts=tuple(f[0] if len(f) == 1 else f for f in facts), **optional)
