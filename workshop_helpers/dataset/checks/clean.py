"""Safe repairs of a training file, all of them logged; what needs judgement stays unchanged.

Line breaks and indentation stay: collapsing all white space would break lists and code.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from os.path import commonprefix
from pathlib import Path
from typing import Any

from ...core.artifacts import already_there, atomic_file
from ...core.errors import WorkshopError
from ...core.ownership import keep_apart
from ..formats import (
    Conversation,
    Fault,
    Source,
    WriteReport,
    open_rows,
    write_conversations,
)
from ..formats.faults import raise_faults
from ..formats.shapes import with_texts
from .findings import CheckReport, shorten

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
# Zero-width space, word joiner, byte order mark, soft hyphen. Joiners stay, since emoji need them.
_INVISIBLE = re.compile("[\u200b\u2060\ufeff\u00ad]")
_ENDS = re.compile(r"(?<![ \t\u00a0\u3000])[ \t\u00a0\u3000]+$", re.M)
_BLANK = re.compile(r"\n{4,}")
_FENCE = re.compile(r"(```.*?(?:```|\Z))", re.S)
# Findings about all rows together: leaving out the one where they stand would mend nothing.
_OF_THE_SET = {"too-few", "low-diversity", "unbalanced"}
_AROUND = 24  # characters of context in the log on each side of a change


@dataclass(frozen=True)
class Change:
    """One repair: its rule, and the text before and after (None for a deleted row)."""

    file: str
    line: int
    rule: str
    before: str
    after: str | None
    other_line: int | None = None

    def diff(self) -> str:
        """The change as - and + lines, with white space escaped."""
        head = f"@@ {self.file}:{self.line} {self.rule}"
        added = "" if self.after is None else f"+ {_seen(self.after)}\n"
        if self.after is None:
            head += f": left out, the same row as line {self.other_line}"
        return f"{head}\n- {_seen(self.before)}\n{added}"


def _seen(text: str) -> str:
    return repr(text)[1:-1].replace("\\'", "'").replace("\\u3000", "　")


@dataclass
class CleanReport:
    """The result of cleaning: rows read and kept, how many were rejected answers that `take` left
    out, changes, unreadable rows, the log.
    """

    source: Path
    out: Path
    log: Path | None
    rows: int = 0
    kept: int = 0
    masked: int = 0
    rejected: int = 0
    changes: list[Change] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    @property
    def counts(self) -> dict[str, int]:
        """The number of changes per rule."""
        return dict(Counter(change.rule for change in self.changes))

    def diff(self) -> str:
        """All changes as a diff."""
        return "".join(change.diff() for change in self.changes)


def clean(
    source: str | Path,
    out: str | Path,
    *,
    mask_personal: bool = False,
    nfc: bool = True,
    skip_faults: bool = False,
    format: str | None = None,
    columns: Mapping[str, str] | None = None,
    encoding: str | None = None,
    take: str | None = None,
    overwrite: bool = False,
) -> CleanReport:
    """Write a cleaned copy of a training file; the source stays as it is.

    It repairs line breaks, white space at the ends of lines and texts, runs of blank lines outside
    code, control and invisible characters, and (nfc) decomposed characters, and deletes duplicate
    rows. What it does not repair stays where it was, field by field. mask_personal: mask personal
    data. skip_faults: skip unreadable rows. format, columns, encoding, take: as for `open_rows`.
    Changes are logged in OUT.changes.diff, if there are any.

    Raises WorkshopError if `out` or the log is the source or, without overwrite, holds something
    else than an equal run writes, and for unreadable rows unless they are skipped.
    """

    source, out = Path(source), Path(out)
    log = out.with_name(f"{out.name}.changes.diff")
    for written in (out, log):
        keep_apart(written, [source])
    if log.exists() and not out.exists() and not overwrite:
        raise already_there(log)
    report = CleanReport(source, out, None)
    how: dict[str, Any] = {"format": format, "columns": columns, "encoding": encoding}
    with open_rows(source, take=take, **how) as reader:
        rows = _cleaned(reader, report, mask_personal, nfc, skip_faults)
        known = format or format_to_write(reader.source)
        write_conversations(rows, out, format=known, overwrite=overwrite, as_read=True)
        report.rejected = reader.left_out
    if report.changes or (overwrite and log.exists()):  # an old one would tell of another run
        report.log = log
        with atomic_file(log, overwrite=overwrite) as temporary:
            seen = {"encoding": "utf-8", "errors": "backslashreplace", "newline": "\n"}
            temporary.write_text(report.diff(), **seen)
    return report


def leave_out(
    source: str | Path,
    report: CheckReport,
    out: str | Path,
    *,
    severities: Sequence[str] = ("error", "warning"),
    overwrite: bool = False,
) -> WriteReport:
    """Write the rows of `source` that its check has nothing against, for the others to be mended by
    hand or given up.

    report: of a check of `source`, maybe with other files; severities: of the findings that count.
    Raises WorkshopError if no row is left, if `out` is the source and if, without overwrite, it
    holds something else.
    """
    source, out = Path(source), Path(out)
    keep_apart(out, [source])
    bad = {
        found.line
        for found in report.findings
        if found.severity in severities
        and Path(found.file) == source
        and found.rule not in _OF_THE_SET
    }
    with open_rows(source) as reader:
        rows = [row for row in reader if isinstance(row, Conversation) and row.line not in bad]
        known = format_to_write(reader.source)
    if not rows:
        raise WorkshopError(f"There is something against every row of {source}: mend some first.")
    return write_conversations(rows, out, format=known, overwrite=overwrite, as_read=True)


def format_to_write(source: Source) -> str | None:
    """The format for a copy of a file; None for its container's default."""
    return None if source.format in ("unknown", "plain") else source.format


def _cleaned(
    rows: Iterable[Conversation | Fault],
    report: CleanReport,
    mask_personal: bool,
    nfc: bool,
    skip_faults: bool,
) -> Iterator[Conversation]:

    seen: dict[int, int] = {}
    for row in rows:
        if not isinstance(row, Conversation):
            report.faults.append(row)
            continue
        report.rows += 1
        line = row.line or 0
        changed = _clean_row(row, report, mask_personal, nfc)
        key = hash(changed.messages)
        if key not in seen:
            seen[key] = line
            report.kept += 1
            yield changed
            continue
        text = shorten(changed.messages[-2].content)
        change = Change(str(report.source), line, "duplicate", text, None, seen[key])
        report.changes.append(change)
    if not skip_faults:
        also = ["Correct these rows, or leave them out with --skip-faults."]
        raise_faults(report.source, report.faults, also=also)


def _clean_row(row: Conversation, report: CleanReport, mask: bool, nfc: bool) -> Conversation:
    from .personal import mask as mask_text

    def log(rule: str, before: str, after: str) -> None:
        report.changes.append(Change(row.file or "", row.line or 0, rule, before, after))

    def cleaned(text: str) -> str:
        for rule, repaired in repairs(text, nfc=nfc):
            log(rule, *_difference(text, repaired))
            text = repaired
        masked, times = mask_text(text) if mask else (text, 0)
        if times:
            report.masked += times
            # The log must not contain what is masked.
            log("personal data", "(masked)", shorten(masked))
        return masked

    return with_texts(row, cache(cleaned))  # once for each text, in whichever places it stands


def repairs(text: str, *, nfc: bool = True) -> Iterator[tuple[str, str]]:
    """The repairs that a text needs, in order, as (rule, repaired text).

    None changes the meaning. A repair that would leave an empty text is not made, so that the
    author sees the fault.
    """
    steps = [
        ("line ends", lambda t: t.replace("\r\n", "\n").replace("\r", "\n") if "\r" in t else t),
        ("control-character", lambda t: _CONTROL.sub("", t)),
        ("invisible-character", lambda t: _INVISIBLE.sub("", t)),
        ("whitespace", _trim),
    ]
    if nfc:
        steps.insert(1, ("NFC", lambda t: unicodedata.normalize("NFC", t)))
    for rule, step in steps:
        repaired = step(text)
        if repaired != text and repaired.strip():
            yield rule, repaired
            text = repaired


def _trim(text: str) -> str:
    if "```" in text:
        parts = _FENCE.split(text)
        text = "".join(part if part.startswith("```") else _outside(part) for part in parts)
    else:
        text = _outside(text)
    text = text.rstrip().lstrip("\n")
    # The first of several lines may be indented code; a single line needs no indentation.
    first, _, rest = text.partition("\n")
    return text if rest.startswith((" ", "\t", "\u3000")) else first.lstrip() + text[len(first) :]


def _outside(text: str) -> str:
    return _BLANK.sub("\n\n\n", _ENDS.sub("", text))


def _difference(before: str, after: str) -> tuple[str, str]:
    """The parts where two texts differ, with some context."""
    if len(before) <= 4 * _AROUND and len(after) <= 4 * _AROUND:
        return before, after
    start = len(commonprefix([before, after]))  # noqa: RUF071
    end = len(commonprefix([before[start:][::-1], after[start:][::-1]]))  # noqa: RUF071
    first = max(0, start - _AROUND)
    head = "…" if first else ""

    def piece(text: str) -> str:
        last = min(len(text), len(text) - end + _AROUND)
        return f"{head}{text[first:last]}{'…' if last < len(text) else ''}"

    return shorten(piece(before), 400), shorten(piece(after), 400)
