"""Reading the rows of a file: container, encoding and format are detected, with the reason."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...core.errors import Closing, WorkshopError
from ...core.wordings import Wording
from . import encodings, plain, tables
from .columns import Columns, find_columns
from .container import find_out, known_encoding
from .conversation import Conversation, Messages, Pairs
from .faults import Fault, Fields, RowFault, check_characters, missing, quoted, word
from .json_rows import (
    WHOLE_CHARACTERS,
    Item,
    Lines,
    doubtful,
    line_rows,
    list_rows,
    long_number,
    not_in,
)
from .marks import chosen, marks_of
from .shapes import FORMATS, detect_format, read_pairs, read_row
from .stream import Bytes, Reader, recoded, require_file, whole_lines

TABLES = ("csv", "tsv", "xlsx")  # cells are text, and the first row is the header
_PEEKED = 20
# Faults that the next rows need not have, though many have them.
_OF_ROWS = {f"missing-field.{name}" for name in ("media", "stand-in", "double", "beside-turns")}
# With so many rows of one of these faults and none that can be read, a file is given up.
_ENOUGH, _HOPELESS = 1000, ("missing-field", "invalid-json", "wrong-order", "invalid-csv")


@dataclass(frozen=True)
class Source:
    """How a file was read.

    container: "jsonl", "json", "csv", "tsv", "xlsx", "parquet", "arrow" or "txt"; format: a name of
    FORMATS, "plain" for plain text, or "unknown"; encoding: Python's name, "" for a binary
    container, "unknown" if it could not be detected; reason: how these were detected.
    """

    path: Path
    container: str
    format: str
    encoding: str
    reason: Wording


def open_rows(
    path: str | Path,
    *,
    format: str | None = None,
    columns: Mapping[str, str] | None = None,
    encoding: str | None = None,
    take: str | None = None,
) -> RowReader:
    """Open a file of training rows; the reader yields Conversations and Faults in file order.

    format: the name in FORMATS for all rows; columns: the field names for "question", "answer" and,
    optionally, "system" and "input"; encoding: Python's name. None detects it, and `source.reason`
    gives the reason. take: "chosen" reads the good answers of preference rows and leaves out the
    rejected ones, which are faults otherwise. Raises WorkshopError for a file that is missing or
    cannot be opened, and for wrong arguments; ModuleNotFoundError if the library for Excel or
    Parquet is not installed.
    """
    known_format(format)
    if take not in (None, "chosen"):
        raise WorkshopError(f'take is "{take}"; it can only be "chosen".')
    named, read_as = _known_columns(columns), known_encoding(encoding)
    return RowReader(Path(path), format, named, read_as, take)


def known_format(format: str | None) -> None:
    """Raise WorkshopError for a name that is not in FORMATS."""
    if format is not None and format not in FORMATS:
        raise WorkshopError(f'There is no format "{format}"; choose from {", ".join(FORMATS)}.')


def _known_columns(columns: Mapping[str, str] | None) -> Columns | None:
    if not columns:
        return None
    allowed = {"question", "answer", "system", "input"}
    if not {"question", "answer"} <= columns.keys() <= allowed:
        raise WorkshopError(
            "columns must name the question and the answer field, as in "
            "question=質問,answer=回答; known are question, answer, system, input."
        )
    return Columns(**columns, given=True)


class RowReader(Closing):
    """Yields Conversations and Faults in file order, in bounded memory.

    `source` says how the file is read; `left_out` counts the rejected rows that `take` passed over.
    Each iteration reads the file again. A context manager.
    """

    def __init__(
        self,
        path: Path,
        format: str | None,
        columns: Columns | None,
        encoding: str | None,
        take: str | None = None,
    ) -> None:
        self._path, self._format, self._columns, self._take = path, format, columns, take
        self.left_out = 0
        self._open: list[Iterator[Any]] = []
        require_file(path)
        self._plan = plan = find_out(path, encoding)
        name, because = self._shape()
        reason = word("read", read=plan.reason, rows=because)
        self.source = Source(path, plan.container, name, plan.encoding, reason)

    def close(self) -> None:
        """Stop all iterations and close their files."""
        while self._open:
            self._open.pop().close()  # type: ignore[attr-defined]

    def __iter__(self) -> Iterator[Conversation | Fault]:
        found = (row for rows in self._batches() for row in rows)
        self._open.append(found)
        return found

    def batches(self) -> Iterator[Iterable[Conversation | Fault]]:
        """The same, as many at once as were read together; each is a `Pairs`, or read row by row
        before the next.
        """
        found = self._batches()
        self._open.append(found)
        return found

    def fields(self) -> Iterator[tuple[int, dict[str, Any] | RowFault]]:
        """The line and the fields of each row, or its fault, whatever shape it has; a table's
        header is no row. For files whose rows are no conversations.
        """
        header = self.source.container in TABLES
        for line, row, _ in self._items():
            if not header or isinstance(row, RowFault):
                yield line, row
            header = False

    def _shape(self) -> tuple[str, Wording]:
        """The format, detected from the first rows, and the reason."""
        if self._format is not None:
            return self._format, word("rows.asked", format=self._format)
        if self._plan.container == "txt":
            return "plain", word("rows.marks", format="plain")
        unknown = "unknown", word("rows.unknown")
        if self._plan.fault is not None:
            return unknown
        items = self._items()
        try:
            found = (row for _, row, _ in itertools.islice(items, _PEEKED) if isinstance(row, dict))
            # The rest of a table says nothing that its header does not.
            rows = list(itertools.islice(found, 1 if self._plan.container in TABLES else None))
        finally:
            items.close()  # type: ignore[attr-defined]
        if self._columns is not None:
            return "question/answer", word("rows.given", format="question/answer")
        if rows and self._plan.container in TABLES:
            try:
                name, columns = _for_table(rows[0], None, None)
            except RowFault as fault:
                return "unknown", word("rows.no-columns", **fault.message.values)
            if (name, columns) != (None, None):
                shape, by = _by("columns", name or "question/answer", columns)
                sheet = getattr(rows[0], "sheet", "")
                return shape, word("rows.sheet", rows=by, sheet=sheet) if sheet else by
            rows = rows[1:]
        for row in rows:
            fields: Fields = row
            with contextlib.suppress(RowFault):
                fields = (chosen(row) or row) if self._take else row
            if (known := detect_format(fields)) is not None:
                asked = known == "question/answer"
                return _by("fields", known, find_columns(tuple(fields)) if asked else None)
        return unknown

    def _usable(self, header: dict[str, str]) -> bool:
        """Whether rows can be read under this header."""
        try:
            return _for_table(header, self._format, self._columns) != (None, None)
        except RowFault:
            return False

    def _items(self) -> Iterator[Item]:
        return (item for items in self._pieces() for item in items)

    def _pieces(self) -> Iterator[Iterable[Item]]:
        """The items of the file, those of JSON Lines as many at once as were read together."""
        plan, encoding = self._plan, self._plan.encoding
        if plan.fault is not None:
            yield [(1, plan.fault, "")]
        elif plan.container == "xlsx":
            yield tables.xlsx_rows(self._path, self._usable)
        elif plan.container == "parquet":
            yield tables.parquet_rows(self._path)
        elif plan.container == "arrow":
            yield tables.arrow_rows(self._path)
        else:
            with Bytes(self._path, packed=plan.packed) as file:
                yield from self._text_pieces(file, encoding)

    def _text_pieces(self, file: Bytes, encoding: str) -> Iterator[Iterable[Item]]:
        plan = self._plan
        read: Reader = file.read
        if plan.container == "json":
            yield list_rows(read, encoding, plan.inside, _is_row)
            return
        if encodings.wide(encoding):
            read, encoding = recoded(read, encoding), "utf-8"
        end = b"\r" if plan.old_lines else b"\n"
        pieces = whole_lines(read, end)
        if plan.container == "jsonl":
            yield from line_rows(pieces, end, encoding)
        elif plan.container == "txt":
            yield plain.plain_rows(_texts(pieces, end, encoding))
        else:
            # The mark is what we, and spreadsheets, write before CSV.
            marked = encoding == "utf-8-sig"
            yield tables.csv_rows(_texts(pieces, end, encoding), plan.mark, marked)

    def _batches(self) -> Iterator[Iterable[Conversation | Fault]]:
        batches = self._rows()
        first = iter(next(batches, ()))
        row = next(first, None)
        if isinstance(row, Conversation):
            yield (row,)
            yield first
            yield from batches
        else:
            start = () if row is None else (row,)
            rest = itertools.chain.from_iterable(batches)
            yield _until_hopeless(itertools.chain(start, first, rest))

    def _rows(self) -> Iterator[Iterable[Conversation | Fault]]:
        how = _How(self._format, self._columns, header=self._plan.container in TABLES)
        if self._plan.container == "txt" and how.columns is None:
            how.columns = Columns("question", "answer", "system")
        for items in self._pieces():
            pairs = None
            if isinstance(items, Lines) and not self._take:
                pairs = how.pairs(str(self._path), items)
            yield pairs or self._each(items, how)

    def _each(self, items: Iterable[Item], how: _How) -> Iterator[Conversation | Fault]:
        file = str(self._path)
        for line, row, raw in items:
            if row.__class__ is RowFault:
                yield row.at(file, line, _shown(raw))
                continue
            assert isinstance(row, dict)
            fields: Any = row
            if how.header:
                how.header = False
                try:
                    how.format, how.columns = _for_table(row, how.format, how.columns)
                except RowFault as fault:
                    yield fault.at(file, line, _shown(raw))
                    return
                continue
            try:
                if self._take:
                    fields = chosen(json.loads(raw) if long_number(raw) else row, how.columns)
                    if fields is None:
                        self.left_out += 1
                        continue
                messages, extra = how.read(fields)
                if fields is row and doubtful(raw, extra, messages):
                    fields = json.loads(raw)
                    messages, extra = how.read(fields)
                if not (WHOLE_CHARACTERS and raw.__class__ is bytes):
                    for message in messages:
                        check_characters(message.content)
            except RowFault as fault:
                yield fault.at(file, line, _shown(raw) or _row_text(row))
                continue
            if extra and self._plan.container in (*TABLES, "parquet", "arrow"):
                # An empty cell is a missing value.
                extra = {name: value for name, value in extra.items() if value != ""}
            yield Conversation(messages, file, line, extra, fields)


@dataclass
class _How:
    """How the next row is read. usual: the format of the one before; header: it is none yet."""

    format: str | None
    columns: Columns | None
    header: bool
    usual: str | None = None

    def read(self, row: Fields) -> tuple[Messages, dict[str, Any]]:
        """The messages and the other fields of a row."""
        self.usual, messages, extra = read_row(
            row, format=self.format, usual=self.usual, columns=self.columns
        )
        return messages, extra

    def pairs(self, file: str, lines: Lines) -> Pairs | None:
        """The conversations of lines that are alike, or None."""
        found = read_pairs(lines.rows, self.format, self.usual, self.columns)
        if found is None:
            return None
        self.usual, questions, answers, extra = found
        return Pairs(file, lines.number, questions, answers, lines.rows, extra)


def _until_hopeless(found: Iterator[Conversation | Fault]) -> Iterator[Conversation | Fault]:
    """The same, or one fault instead of many equal ones with which a file begins: without a usable
    field, reading it to its end would find nothing else.
    """
    faults: list[Fault] = []
    for row in found:
        code = row.message.code.removeprefix("formats.") if isinstance(row, Fault) else ""
        if not isinstance(row, Fault) or row.rule not in _HOPELESS or code in _OF_ROWS:
            yield from faults
            yield row
            break
        faults.append(row)
        if row.message.code != faults[0].message.code:
            yield from faults
            break
        if len(faults) == _ENOUGH:
            said = word("hopeless", count=_ENOUGH, message=faults[0].message)
            yield replace(faults[0], message=said)
            return
    else:
        yield from faults
        return
    yield from found


def _is_row(value: object) -> bool:
    return isinstance(value, dict) and detect_format(value) is not None


def _by(what: str, format: str, columns: Columns | None) -> tuple[str, Wording]:
    """The format, and the one or two fields or columns that identify it."""
    signs = columns.known[:2] if columns is not None else FORMATS[format].signs
    names = word("field", name=signs[0])
    if len(signs) == 2:
        names = word("two-fields", name=signs[0], other=signs[1])
    return format, word(f"rows.{what}", format=format, fields=names)


def _shown(raw: bytes | str) -> str:
    return raw[:2000].decode("utf-8", "replace") if isinstance(raw, bytes) else raw[:2000]


def _row_text(row: Fields) -> str:
    return json.dumps(row, ensure_ascii=False, default=str)[:2000]


def _texts(pieces: Iterator[bytes], end: bytes, encoding: str) -> Iterator[str]:
    """Lines as text, with their line breaks; invalid bytes become a fault of their row."""
    # utf-8-sig would remove a byte order mark from every line.
    codec = "utf-8" if encoding == "utf-8-sig" else encoding
    mark = "\ufeff"
    for line in itertools.chain.from_iterable(piece.split(end) for piece in pieces):
        try:
            text = line.decode(codec, "surrogateescape")
        except UnicodeDecodeError as error:  # surrogateescape fails for ISO-2022-JP
            raise not_in(line, codec, error) from error
        yield text.removeprefix(mark) + "\n"
        mark = ""


def _for_table(
    header: dict[str, str], format: str | None, columns: Columns | None
) -> tuple[str | None, Columns | None]:
    """How to read the rows under this header; RowFault if it lacks the needed columns."""
    if columns is not None:
        for wanted in columns.known:
            if wanted not in header:
                raise missing(header, wanted, ())
        return None, columns
    if format is None:
        format = detect_format(header)
    elif format != "question/answer":
        return format, None
    if format not in (None, "question/answer"):
        return format, None
    found = find_columns(tuple(header), table=True)
    if found is None and any(kind in ("chosen", "rejected") for _, kind in marks_of(tuple(header))):
        return None, None  # said of the rows
    if found is None:
        reason = word("columns", names=quoted(list(header)[:20]))
        raise RowFault("missing-field.columns", reason=reason)
    return None, found
