"""Conversations into a file of any container and shape, whole or not at all; and from one file into
another.
"""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import json
import re
import tempfile
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from ...core.artifacts import atomic_file
from ...core.errors import WorkshopError
from .conversation import Conversation, Message
from .faults import MOST_FAULTS, Fault, RowFault, check_characters, fields, word
from .files import Source, container_of, open_rows
from .formats import FORMATS, write_row
from .plain import write_plain

_DEFAULT = {"csv": "question/answer", "tsv": "question/answer", "xlsx": "question/answer", "txt": "plain"}  # fmt: skip
_IN_CELLS = ("question/answer", "alpaca", "prompt/completion")
_KEPT_FAULTS = 1000
# What Excel holds in a cell and in a sheet, by its own documentation.
_CELL = 32_767
_SHEET = 1_048_576
# What XML 1.0 cannot hold, a carriage return (XML turns it into a line feed), and Excel's own
# escapes.
_NOT_IN_XML = re.compile("[\x00-\x08\x0b-\x0d\x0e-\x1f\ufffe\uffff]|_x[0-9A-Fa-f]{4}_")

Record = dict[str, Any]


@dataclass(frozen=True)
class WriteReport:
    """What was written: where, how many rows, in which format and container."""

    path: Path
    rows: int
    format: str
    container: str


@dataclass(frozen=True)
class ConvertReport:
    """What became of a file.

    source: how it was read; out: what was written; rows: how many; faults: the rows left out (the
    first 1,000 of them), skipped: how many that are; normalised: rows whose characters were brought
    into NFC; format: of `out`.
    """

    source: Source
    out: Path
    rows: int
    faults: list[Fault] = field(default_factory=list)
    normalised: int = 0
    skipped: int = 0
    format: str = ""


def write_conversations(
    conversations: Iterable[Conversation],
    path: str | Path,
    *,
    format: str | None = None,
    columns: Mapping[str, str] | None = None,
) -> WriteReport:
    """Write conversations, in their order, to a file that appears whole or not at all.

    path: its suffix says the container (.jsonl, .json, .csv, .tsv, .xlsx, .parquet, .txt; the text
    ones also with .gz); format: a name of FORMATS ("messages" if None; tables take question and
    answer columns, .txt is typed text); columns: other names for "question", "answer" and "system".
    CSV and TSV carry a byte order mark, without which Excel takes Japanese for Shift_JIS. The rows'
    other fields are written beside, in tables as columns of their own, what is no text there as
    JSON.

    Raises WorkshopError that names the row and what would be lost where the format cannot hold it.
    """
    path = Path(path)
    container = _writable(path)
    name = _format_for(container, format, columns)
    records = _Records(conversations, name, columns)
    with atomic_file(path) as temporary, contextlib.ExitStack() as stack:
        if container == "xlsx":
            _write_xlsx(records, temporary)
        elif container == "parquet":
            _write_parquet(records, temporary, name)
        else:
            raw: Any = stack.enter_context(open(temporary, "wb"))
            if path.suffix.lower() == ".gz":
                raw = stack.enter_context(gzip.GzipFile("", "wb", fileobj=raw, mtime=0))
            bom = "-sig" if container in ("csv", "tsv") else ""
            out = stack.enter_context(io.TextIOWrapper(raw, f"utf-8{bom}", newline=""))
            _TEXT_WRITERS[container](records, out)
        if not records.count:
            raise WorkshopError(f"There are no rows to write to {path}; it is left as it was.")
    return WriteReport(path, records.count, name, container)


def convert(
    source: str | Path,
    out: str | Path,
    *,
    to: str | None = None,
    format: str | None = None,
    columns: Mapping[str, str] | None = None,
    encoding: str | None = None,
    nfc: bool = False,
    skip_faults: bool = False,
) -> ConvertReport:
    """Read one file and write its rows as another, a row at a time.

    to: the format to write (None keeps the source's where the container can hold it); format,
    columns, encoding: how to read, as for `open_rows`; nfc: bring the texts into Unicode's composed
    form (か + ゛ → が); skip_faults: leave out rows that cannot be read, instead of writing nothing.
    Raises WorkshopError: faults (ten are listed), a row that does not fit the format, `out` being
    the source itself.
    """
    source, out = Path(source), Path(out)
    container = _writable(out)
    with open_rows(source, format=format, columns=columns, encoding=encoding) as rows:
        if out.exists() and out.samefile(source):
            raise WorkshopError(f"{out} is the file that is read. Choose another name to write to.")
        passed = _Passed(rows, nfc=nfc, skip_faults=skip_faults, path=source)
        wanted = to or _format_like(rows.source, container)
        report = write_conversations(passed, out, format=wanted)
        return ConvertReport(
            rows.source,
            out,
            report.rows,
            passed.faults,
            passed.normalised,
            passed.skipped,
            report.format,
        )


class _Passed:
    """The conversations of a reader; faults are kept, and end it with an error unless they may be
    skipped.
    """

    def __init__(
        self, rows: Iterable[Conversation | Fault], *, nfc: bool, skip_faults: bool, path: Path
    ) -> None:
        self._rows, self._nfc, self._skip_faults, self._path = rows, nfc, skip_faults, path
        self.faults: list[Fault] = []
        self.skipped = 0
        self.normalised = 0

    def __iter__(self) -> Iterator[Conversation]:
        for row in self._rows:
            if isinstance(row, Fault):
                self.skipped += 1
                if len(self.faults) < _KEPT_FAULTS:
                    self.faults.append(row)
            elif not self.skipped or self._skip_faults:
                yield self._normal(row) if self._nfc else row
        if self.skipped and not self._skip_faults:
            shown = [str(fault) for fault in self.faults[:MOST_FAULTS]]
            more = self.skipped - len(shown)
            shown += [f"… and {more} more faults in {self._path}."] if more > 0 else []
            shown.append(
                "Nothing was written. Correct these rows, or leave them out with --skip-faults."
            )
            raise WorkshopError("\n".join(shown))

    def _normal(self, row: Conversation) -> Conversation:
        if all(unicodedata.is_normalized("NFC", message.content) for message in row.messages):
            return row
        self.normalised += 1
        messages = tuple(
            Message(m.role, unicodedata.normalize("NFC", m.content)) for m in row.messages
        )
        return replace(row, messages=messages)


# -- which container and format ----------------------------------------------------------------


def _writable(path: Path) -> str:
    container = container_of(path)
    packed = path.suffix.lower() == ".gz"
    if container is None or (packed and container in ("xlsx", "parquet")) or path.suffix == ".xlsm":
        raise WorkshopError(
            f"{path} does not say what to write: end its name with .jsonl, .json, .csv, .tsv, .txt (each also with "
            ".gz), .xlsx or .parquet."
        )
    return container


def _format_for(container: str, format: str | None, columns: Mapping[str, str] | None) -> str:
    if container == "txt":
        if format in (None, "plain", "question/answer") and not columns:
            return "plain"
        raise WorkshopError(
            "Plain text holds typed questions and answers only; choose .jsonl, or no format and no columns."
        )
    if columns:
        strange = [name for name in columns if name not in ("question", "answer", "system")]
        if (
            strange
            or format not in (None, "question/answer")
            or len(set(columns.values())) < len(columns)
        ):
            raise WorkshopError(
                'columns give other names, each its own, to "question", "answer" and "system" of the format '
                "question/answer."
            )
        return "question/answer"
    name = format or _DEFAULT.get(container, "messages")
    if name not in FORMATS:
        raise WorkshopError(f'There is no format "{name}"; choose from {", ".join(FORMATS)}.')
    if container in ("csv", "tsv", "xlsx") and name not in _IN_CELLS:
        raise WorkshopError(
            f"{word(f'container.{container}')} has columns of text and cannot hold the lists of turns of {name}. Choose "
            f"{', '.join(_IN_CELLS)}, or write .jsonl."
        )
    return name


def _format_like(source: Source, container: str) -> str | None:
    """The format for a converted file: the source's own where that is a shape of objects, else the
    container's.
    """
    if container not in ("jsonl", "json", "parquet") or source.format not in FORMATS:
        return None
    return (
        None
        if source.container in ("csv", "tsv", "xlsx") and source.format == "question/answer"
        else source.format
    )


# -- rows --------------------------------------------------------------------------------------


class _Records:
    """The rows that a format makes of conversations, counted; a row that does not fit ends it with
    an error.
    """

    def __init__(
        self, conversations: Iterable[Conversation], format: str, columns: Mapping[str, str] | None
    ) -> None:
        self._conversations, self._format, self._columns = conversations, format, columns or {}
        self.count = 0

    def each(self, make: Callable[[Conversation], Any]) -> Iterator[Any]:
        """What `make` gives for each conversation; its RowFault becomes an error that names the
        row.
        """
        for conversation in self._conversations:
            self.count += 1
            try:
                for message in conversation.messages:
                    check_characters(message.content)
                yield make(conversation)
            except RowFault as fault:
                place = (
                    f"{conversation.file}:{conversation.line}"
                    if conversation.file
                    else f"row {self.count}"
                )
                raise WorkshopError(f"{place}: {fault}") from fault

    def row(self, conversation: Conversation) -> Record:
        """The row of one conversation, with the names that are wanted for its fields."""
        row = write_row(conversation, self._format)
        if not self._columns:
            return row
        renamed = {self._columns.get(name, name): value for name, value in row.items()}
        if len(renamed) < len(row):
            raise RowFault("does-not-fit.names")
        return renamed

    def dumped(self, conversation: Conversation) -> str:
        """The row as one line of JSON."""
        return _dump(self.row(conversation))


def _dump(value: Any) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False, default=_plain_value)
    except (TypeError, ValueError, RecursionError) as error:
        raise RowFault("does-not-fit.json", error=error) from error
    check_characters(text)
    return text


def _plain_value(value: Any) -> str:
    """Dates, times and exact numbers of Parquet and Excel as text; TypeError for bytes and the
    like.
    """
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    if type(value).__name__ in ("Decimal", "UUID"):
        return str(value)
    raise TypeError(f"a {type(value).__name__}")


# -- containers of text ------------------------------------------------------------------------


def _write_jsonl(records: _Records, out: IO[str]) -> None:
    for line in records.each(records.dumped):
        out.write(line + "\n")


def _write_json(records: _Records, out: IO[str]) -> None:
    before = "[\n"
    for line in records.each(records.dumped):
        out.write(before + line)
        before = ",\n"
    out.write("\n]\n")


def _write_txt(records: _Records, out: IO[str]) -> None:
    def text(conversation: Conversation) -> str:
        if conversation.extra:
            raise RowFault("does-not-fit.plain-extra", names=fields(conversation.extra))
        return write_plain(conversation.messages)

    for piece in records.each(text):
        out.write(piece)


def _write_csv(mark: str) -> Callable[[_Records, IO[str]], None]:
    def write(records: _Records, out: IO[str]) -> None:
        # Both of "\r\n" as a line's end make the module quote a text that holds either.
        writer = csv.writer(out, delimiter=mark, lineterminator="\r\n")
        with _spooled(records, _check_csv) as (names, rows):
            writer.writerow(names)
            for row in rows:
                writer.writerow([row.get(name, "") for name in names])

    return write


def _check_csv(text: str) -> None:
    if "\x00" in text:
        raise RowFault("does-not-fit.csv-zero")


_TEXT_WRITERS: dict[str, Callable[[_Records, IO[str]], None]] = {
    "jsonl": _write_jsonl,
    "json": _write_json,
    "txt": _write_txt,
    "csv": _write_csv(","),
    "tsv": _write_csv("\t"),
}


@contextlib.contextmanager
def _spooled(
    records: _Records, check: Callable[[str], None]
) -> Iterator[tuple[list[str], Iterator[dict[str, str]]]]:
    """Column names and rows of text. The rows wait in a temporary file, since the last may bring a
    new column.
    """
    names: dict[str, None] = {}

    def cells(conversation: Conversation) -> Record:
        row = {}
        for name, value in records.row(conversation).items():
            if isinstance(value, list) and name not in conversation.extra:
                raise RowFault("does-not-fit.cell-list", field=name)
            row[name] = value if isinstance(value, str) else "" if value is None else _dump(value)
            check(row[name])
            check(name)
        names.update(dict.fromkeys(row))
        return row

    with tempfile.TemporaryFile("w+", encoding="utf-8", newline="\n") as spool:
        for row in records.each(cells):
            spool.write(_dump(row) + "\n")
        spool.seek(0)
        yield list(names), (json.loads(line) for line in spool)


# -- Excel and Parquet -------------------------------------------------------------------------


def _check_xlsx(text: str) -> None:
    found = _NOT_IN_XML.search(text)
    if found:
        raise RowFault("does-not-fit.xlsx-character", character=found[0])
    # Excel counts a character outside the first 65,536 as two.
    if len(text) > _CELL // 2 and len(text.encode("utf-16-le", "surrogatepass")) > 2 * _CELL:
        raise RowFault("does-not-fit.xlsx-length", limit=_CELL)


def _write_xlsx(records: _Records, temporary: Path) -> None:
    import openpyxl
    from openpyxl.cell import WriteOnlyCell

    with _spooled(records, _check_xlsx) as (names, rows):
        if records.count >= _SHEET:
            raise WorkshopError(
                f"An Excel sheet holds {_SHEET - 1:,} rows, not {records.count:,}. Write CSV."
            )
        book = openpyxl.Workbook(write_only=True)
        sheet = book.create_sheet("rows")

        def cell(text: str) -> Any:
            made = WriteOnlyCell(sheet, value=text)
            made.data_type = "s"  # a text, though it begin with "=" as a formula does
            return made

        sheet.append([cell(name) for name in names])
        for row in rows:
            sheet.append([cell(row[name]) if row.get(name) else None for name in names])
        book.save(temporary)


def _write_parquet(records: _Records, temporary: Path, format: str) -> None:
    import pyarrow
    import pyarrow.parquet

    text = pyarrow.string()
    turns = pyarrow.list_(pyarrow.struct({"role": text, "content": text}))
    parts = pyarrow.list_(pyarrow.struct({"text": text}))
    types = {
        "messages": turns,
        "conversations": pyarrow.list_(pyarrow.struct({"from": text, "value": text})),
        "contents": pyarrow.list_(pyarrow.struct({"role": text, "parts": parts})),
        "systemInstruction": pyarrow.struct({"parts": parts}),
    }
    kinds: dict[str, set[type]] = {}

    def noted(conversation: Conversation) -> Record:
        row = records.row(conversation)
        for name, value in row.items():
            kinds.setdefault(name, set()).add(type(value))
        return row

    with tempfile.TemporaryFile("w+", encoding="utf-8", newline="\n") as spool:
        own = set()
        for row in records.each(noted):
            own |= {name for name in row if name in FORMATS[format].known}
            spool.write(_dump(row) + "\n")
        # A side that is a list of turns in one row is one in all: a Parquet column has one type.
        sides = {name for name in ("prompt", "completion") if name in own and list in kinds[name]}
        simple = {bool: pyarrow.bool_(), int: pyarrow.int64(), float: pyarrow.float64()}
        schema, as_json = {}, set()
        for name, found in kinds.items():
            found = found - {type(None)}
            if name in own:
                schema[name] = turns if name in sides else types.get(name, text)
                continue
            (only,) = found if len(found) == 1 else (object,)
            schema[name] = simple.get(only, text)
            if only is not str and only not in simple:
                as_json.add(name)
        spool.seek(0)
        _put_parquet(spool, temporary, pyarrow.schema(schema), sides, as_json)


def _put_parquet(
    spool: IO[str], path: Path, schema: Any, sides: set[str], as_json: set[str]
) -> None:
    import pyarrow
    import pyarrow.parquet

    def row_of(line: str) -> Record:
        row: Record = json.loads(line)
        for name in sides:
            if isinstance(row[name], str):
                role = "user" if name == "prompt" else "assistant"
                row[name] = [{"role": role, "content": row[name]}]
        for name in as_json & row.keys():
            row[name] = row[name] if isinstance(row[name], str) else _dump(row[name])
        return row

    with pyarrow.parquet.ParquetWriter(path, schema) as writer:
        while lines := [line for _, line in zip(range(1000), spool, strict=False)]:
            try:
                batch = pyarrow.RecordBatch.from_pylist(
                    [row_of(line) for line in lines], schema=schema
                )
            except (pyarrow.ArrowException, OverflowError) as error:
                raise WorkshopError(
                    f"Another field of a row does not fit a Parquet column ({error}). Delete that field."
                ) from error
            writer.write_batch(batch)
