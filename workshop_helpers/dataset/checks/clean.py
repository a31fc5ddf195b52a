"""The safe repairs of a training file, each of them logged; what needs judgement is not touched.

Lists, indentation and code keep their lines: a cleaner that folds all white space into one space
would turn a program into nonsense and a list into a sentence.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from os.path import commonprefix
from pathlib import Path
from typing import TYPE_CHECKING

from ...core.artifacts import atomic_file
from ...core.errors import WorkshopError
from .findings import shorten

if TYPE_CHECKING:
    from ..formats import Conversation, Fault, Source

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
# Never wanted in text: zero-width space, word joiner, byte order mark, soft hyphen. Joiners stay:
# emoji need them.
_INVISIBLE = re.compile("[\u200b\u2060\ufeff\u00ad]")
_ENDS = re.compile(r"[ \t\u00a0\u3000]+$", re.M)
_BLANK = re.compile(r"\n{4,}")
_FENCE = re.compile(r"(```.*?(?:```|\Z))", re.S)
_AROUND = 24  # characters that the log shows on each side of a change


@dataclass(frozen=True)
class Change:
    """One repair: its rule, and the text before and after; None after a row that was left out."""

    file: str
    line: int
    rule: str
    before: str
    after: str | None
    other_line: int | None = None

    def diff(self) -> str:
        """The change as lines that begin with - and +, with white space written out."""
        head = f"@@ {self.file}:{self.line} {self.rule}"
        added = "" if self.after is None else f"+ {_seen(self.after)}\n"
        if self.after is None:
            head += f": left out, the same row as line {self.other_line}"
        return f"{head}\n- {_seen(self.before)}\n{added}"


def _seen(text: str) -> str:
    return repr(text)[1:-1].replace("\\'", "'").replace("\\u3000", "　")


@dataclass
class CleanReport:
    """What a cleaning did: rows read and kept, changes, rows that could not be read, the log."""

    source: Path
    out: Path
    log: Path | None
    rows: int = 0
    kept: int = 0
    masked: int = 0
    changes: list[Change] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    @property
    def counts(self) -> dict[str, int]:
        """How many changes there are of each kind."""
        return dict(Counter(change.rule for change in self.changes))

    def diff(self) -> str:
        """All changes, readable as a diff."""
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
) -> CleanReport:
    """Write a cleaned copy of a training file; the source stays as it is.

    Repaired are line ends, white space at the ends of lines and texts, runs of blank lines outside
    code, control and invisible characters, and (nfc) characters written in two parts; the second of
    two equal rows is left out. mask_personal: write […] in place of personal data. skip_faults:
    leave out rows that cannot be read. The log of all changes is written beside `out`, as
    OUT.changes.diff, where there are any.

    Raises WorkshopError when `out` is the source, and for rows that cannot be read unless they are
    to be skipped.
    """
    from ..formats import open_rows, write_conversations

    source, out = Path(source), Path(out)
    if out.exists() and source.exists() and out.samefile(source):
        raise WorkshopError(f"{out} is the source itself. Give the cleaned file another name.")
    report = CleanReport(source, out, None)
    with open_rows(source, format=format, columns=columns, encoding=encoding) as reader:
        rows = _cleaned(reader, report, mask_personal, nfc, skip_faults)
        known = format or format_to_write(reader.source)
        write_conversations(rows, out, format=known, columns=columns)
    if report.changes:
        report.log = out.with_name(f"{out.name}.changes.diff")
        with atomic_file(report.log) as temporary:
            temporary.write_text(report.diff(), encoding="utf-8", newline="\n")
    return report


def format_to_write(source: Source) -> str | None:
    """The format in which a copy of a file is written; None: its container's usual one."""
    return None if source.format in ("unknown", "plain") else source.format


def unreadable(faults: list[Fault], how: str) -> WorkshopError:
    """The refusal of rows that cannot be read, ten of them named; `how` they can be left out."""
    shown = [str(fault) for fault in faults[:10]]
    more = [f"… and {len(faults) - 10} more."] if len(faults) > 10 else []
    fix = f"Correct these rows, or leave them out with {how}."
    return WorkshopError("\n".join([*shown, *more, fix]))


def _cleaned(
    rows: Iterable[Conversation | Fault],
    report: CleanReport,
    mask_personal: bool,
    nfc: bool,
    skip_faults: bool,
) -> Iterator[Conversation]:
    from ..formats import Conversation

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
    if report.faults and not skip_faults:
        raise unreadable(report.faults, "--skip-faults")


def _clean_row(row: Conversation, report: CleanReport, mask: bool, nfc: bool) -> Conversation:
    from ..formats import Conversation, Message
    from .personal import mask as mask_text

    def log(rule: str, before: str, after: str) -> None:
        report.changes.append(Change(row.file or "", row.line or 0, rule, before, after))

    messages = []
    for message in row.messages:
        text = message.content
        for rule, repaired in repairs(text, nfc=nfc):
            log(rule, *_difference(text, repaired))
            text = repaired
        masked, times = mask_text(text) if mask else (text, 0)
        if times:
            report.masked += times
            # The log must not hold what the mask takes away.
            log("personal data", "(masked)", shorten(masked))
        messages.append(message if masked == message.content else Message(message.role, masked))
    return Conversation(tuple(messages), row.file, row.line, row.extra)


def repairs(text: str, *, nfc: bool = True) -> Iterator[tuple[str, str]]:
    """The repairs that a text needs, one after the other: (what for, the text after it).

    None changes the sense. A repair that would leave nothing is not made: an empty text is a fault
    for its author to see.
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
    # The first line of several may be indented code; a single line has no indentation to keep.
    first, _, rest = text.partition("\n")
    return text if rest.startswith((" ", "\t", "\u3000")) else first.lstrip() + text[len(first) :]


def _outside(text: str) -> str:
    return _BLANK.sub("\n\n\n", _ENDS.sub("", text))


def _difference(before: str, after: str) -> tuple[str, str]:
    """The pieces in which two texts differ, with a little of their context."""
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
