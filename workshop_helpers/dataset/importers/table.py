"""Rows of a table."""

from __future__ import annotations

from pathlib import Path

from ...core.errors import WorkshopError
from ..formats import Fault, open_rows
from .imported import Imported


def rows_from_table(
    path: str | Path, *, question: str | None = None, answer: str | None = None
) -> Imported:
    """Rows of a CSV, TSV or Excel table, one line each.

    `question`, `answer`: the columns' names, both or neither; None recognises them in English and
    Japanese. Equal rows are taken once, rows without a question or an answer are passed over as
    faults. Raises WorkshopError when no row is left, and for a column that is not there.
    """
    if bool(question) != bool(answer):
        raise WorkshopError(
            f"Only one column of {path} is named. Name both, the one of the questions and the one "
            "of the answers."
        )
    columns = {"question": question, "answer": answer} if question and answer else None
    made = Imported()
    with open_rows(path, columns=columns) as reader:
        for item in reader:
            if isinstance(item, Fault):
                made.faults.append(item)
            else:
                made.append(item)
        made.note = str(reader.source.reason)
    return made.finished(Path(path))
