"""Conversion of a file into another container, format and encoding."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...core.ownership import keep_apart
from .conversation import Conversation
from .faults import Fault, raise_faults
from .files import TABLES, Source, open_rows
from .shapes import FORMATS, with_texts
from .writing import writable, write_conversations

_KEPT_FAULTS = 1000


@dataclass
class ConvertReport:
    """The result of a conversion.

    source: how the file was read; out, rows, format: what was written; faults: the first 1,000
    skipped rows; skipped: the number of all; rejected: rows that `take` left out; normalised: rows
    that were changed to NFC.
    """

    source: Source
    out: Path
    rows: int = 0
    faults: list[Fault] = field(default_factory=list)
    normalised: int = 0
    skipped: int = 0
    rejected: int = 0
    format: str = ""


def convert(
    source: str | Path,
    out: str | Path,
    *,
    to: str | None = None,
    format: str | None = None,
    columns: Mapping[str, str] | None = None,
    encoding: str | None = None,
    take: str | None = None,
    nfc: bool = False,
    skip_faults: bool = False,
    formulas: bool = False,
    overwrite: bool = False,
) -> ConvertReport:
    """Read a file and write its rows to another file, one row at a time.

    to: the format to write (None keeps the source's if the container supports it); format, columns,
    encoding, take: as for `open_rows`; nfc: normalise texts to Unicode's composed form (か + ゛ →
    が); skip_faults: skip unreadable rows instead of raising; formulas: as for
    `write_conversations`; overwrite: also where `out` holds
    something else. Raises WorkshopError for faults (ten are listed), for a row that does not fit
    the format, and if `out` is the source itself.
    """
    source, out = Path(source), Path(out)
    container = writable(out)
    keep_apart(out, [source])
    how: dict[str, Any] = {"format": format, "columns": columns, "encoding": encoding}
    with open_rows(source, take=take, **how) as rows:
        report = ConvertReport(rows.source, out)

        def readable() -> Iterator[Conversation]:
            for row in rows:
                if isinstance(row, Fault):
                    report.skipped += 1
                    report.faults += [row] if report.skipped <= _KEPT_FAULTS else []
                elif skip_faults or not report.skipped:
                    composed = with_texts(row, _composed) if nfc else row
                    report.normalised += composed is not row
                    yield composed
            if not skip_faults:
                advice = "Correct these rows, or leave them out with --skip-faults."
                also = [f"Nothing was written. {advice}"]
                raise_faults(source, report.faults, count=report.skipped, also=also)

        to = to or _kept(rows.source, container)
        how = {"format": to, "overwrite": overwrite, "formulas": formulas}
        written = write_conversations(readable(), out, **how)
    report.rows, report.format, report.rejected = written.rows, written.format, rows.left_out
    return report


def _composed(text: str) -> str:
    """The text in Unicode's composed form."""
    return unicodedata.normalize("NFC", text)


def _kept(source: Source, container: str) -> str | None:
    """The source's format if it consists of objects and the container supports objects."""
    of_a_table = source.container in TABLES and source.format == "question/answer"
    if container in (*TABLES, "txt") or source.format not in FORMATS or of_a_table:
        return None
    return source.format
