"""Writing conversations to a file of any container and format, complete or not at all."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import itertools
import json
import re
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ...core.artifacts import atomic_file
from ...core.errors import WorkshopError, explain_os_errors
from ...core.jsonio import jsonable
from .container import container_name, container_of
from .conversation import Conversation
from .faults import RowFault, check_characters, quoted
from .files import TABLES, known_format
from .plain import write_plain
from .shapes import write_row
from .tables import defused

_IN_CELLS = ("question/answer", "alpaca", "prompt/completion")
# Excel's documented limits: characters in a cell, rows in a sheet.
_CELL = 32_767
_SHEET = 1_048_576
# Characters not allowed in XML 1.0, carriage returns (XML reads them as line feeds), and Excel's
# escapes.
_NOT_IN_XML = re.compile("[\x00-\x08\x0b-\x0d\x0e-\x1f\ufffe\uffff]|_x[0-9A-Fa-f]{4}_")


@dataclass(frozen=True)
class WriteReport:
    """What was written: where, how many rows, in which format and container."""

    path: Path
    rows: int
    format: str
    container: str


def write_conversations(
    conversations: Iterable[Conversation],
    path: str | Path,
    *,
    format: str | None = None,
    columns: Mapping[str, str] | None = None,
    overwrite: bool = True,
    as_read: bool = False,
    formulas: bool = False,
) -> WriteReport:
    """Write conversations, in their order, to a file that appears complete or not at all.

    path: its suffix selects the container (.jsonl, .json, .csv, .tsv, .xlsx, .parquet, .txt; text
    also with .gz); format: a name of FORMATS (default "messages", "question/answer" for tables,
    plain text for .txt); columns: other names for "question", "answer" and "system". CSV and TSV
    get a byte order mark, since Excel reads Japanese as Shift_JIS without it, and an apostrophe
    before what a spreadsheet would compute (a text with =, +, - or @ first); our reader takes it
    off again, and formulas=True leaves it out. The rows' other fields are written too, in tables as
    columns, with values other than text as JSON. as_read: rows that were read keep their own
    fields, in their order. Without overwrite, a file that is there already may only be an equal
    one.

    Raises WorkshopError that names the row and what would be lost if the format cannot store it.
    """
    path = Path(path)
    container = writable(path)
    name = _format_for(container, format, columns)
    rows = _Rows(conversations, name, columns or {}, as_read, formulas)
    with atomic_file(path, overwrite=overwrite) as temporary, contextlib.ExitStack() as stack:
        if container == "xlsx":
            _write_xlsx(rows, temporary)
        elif container == "parquet":
            _write_parquet(rows, temporary)
        else:
            raw: Any = stack.enter_context(open(temporary, "wb"))
            if path.suffix.lower() == ".gz":
                raw = stack.enter_context(gzip.GzipFile("", "wb", fileobj=raw, mtime=0))
            encoding = "utf-8-sig" if container in TABLES else "utf-8"
            out = stack.enter_context(io.TextIOWrapper(raw, encoding, newline=""))
            _TEXT_WRITERS[container](rows, out)
        if not rows.count:
            raise WorkshopError(f"There are no rows to write to {path}; it is left as it was.")
    return WriteReport(path, rows.count, name, container)


def writable(path: Path) -> str:
    """The container for a file's suffix; WorkshopError if it cannot be written."""
    container = container_of(path)
    packed = path.suffix.lower() == ".gz"
    if container is None or (packed and container in ("xlsx", "parquet")) or path.suffix == ".xlsm":
        raise WorkshopError(
            f"The suffix of {path} selects no format. Use .jsonl, .json, .csv, .tsv, .txt "
            "(each also with .gz), .xlsx or .parquet."
        )
    return container


def _format_for(container: str, format: str | None, columns: Mapping[str, str] | None) -> str:
    if container == "txt":
        if format in (None, "plain", "question/answer") and not columns:
            return "plain"
        raise WorkshopError(
            "Plain text can store only questions and answers. Choose .jsonl, or give no format and "
            "no columns."
        )
    if columns:
        alike = len(set(columns.values())) < len(columns)
        strange = columns.keys() - {"question", "answer", "system"}
        if alike or strange or format not in (None, "question/answer"):
            raise WorkshopError(
                'columns must give different names to "question", "answer" and "system" of the '
                "format question/answer."
            )
        return "question/answer"
    known_format(format)
    name = format or ("question/answer" if container in TABLES else "messages")
    if container in TABLES and name not in _IN_CELLS:
        raise WorkshopError(
            f"{container_name(container)} has columns of text and cannot store the lists of turns "
            f"of {name}. Choose {', '.join(_IN_CELLS)}, or write .jsonl."
        )
    return name


class _Rows:
    """Conversations as rows of a format, counted; the first that does not fit raises an error."""

    def __init__(
        self,
        conversations: Iterable[Conversation],
        format: str,
        columns: Mapping[str, str],
        as_read: bool,
        formulas: bool,
    ) -> None:
        self._conversations, self.format, self._columns = conversations, format, columns
        self._as_read, self.formulas = as_read, formulas
        self.count = 0

    def each(self, make: Callable[[Conversation], str]) -> Iterator[str]:
        """`make` of each conversation; its RowFault becomes an error that names the row."""
        for conversation in self._conversations:
            self.count += 1
            try:
                for message in conversation.messages:
                    check_characters(message.content)
                yield make(conversation)
            except RowFault as fault:
                place = f"row {self.count}"
                if conversation.file:
                    place = f"{conversation.file}:{conversation.line}"
                raise WorkshopError(f"{place}: {fault}") from fault

    def row(self, conversation: Conversation) -> dict[str, Any]:
        """The row of a conversation, with its fields renamed to the given columns."""
        if self._as_read and conversation.row is not None:
            return dict(conversation.row)
        row = write_row(conversation, self.format)
        renamed = {self._columns.get(name, name): value for name, value in row.items()}
        if len(renamed) < len(row):
            raise RowFault("does-not-fit.names")
        return renamed

    def dumped(self) -> Iterator[str]:
        """The rows as lines of JSON."""
        return self.each(lambda conversation: _dump(self.row(conversation)))


def _dump(value: Any) -> str:
    try:
        text = _strict(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise RowFault("does-not-fit.json", error=error) from error
    check_characters(text)
    return text


def _strict(value: Any) -> str:
    how: dict[str, Any] = {"ensure_ascii": False, "default": _plain_value, "allow_nan": False}
    try:
        return json.dumps(value, **how)
    except ValueError:  # NaN and infinity, which JSON does not have: a table's empty cells
        return json.dumps(jsonable(value), **how)


def _plain_value(value: Any) -> str:
    """Dates, times, decimals and UUIDs as text; TypeError for bytes and others."""
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    if type(value).__name__ in ("Decimal", "UUID"):
        return str(value)
    raise TypeError(f"a {type(value).__name__}")


def _in_temporary_files() -> contextlib.AbstractContextManager[None]:
    """A full disk in this block is that of the temporary files, not that of the result."""
    return explain_os_errors("keep temporary files (TMPDIR says where)", tempfile.gettempdir())


@contextlib.contextmanager
def _spooled(lines: Iterable[str]) -> Iterator[Iterator[dict[str, Any]]]:
    """Rows kept as JSON in a temporary file, since the last may add a column."""
    with _in_temporary_files():
        spool = tempfile.TemporaryFile("w+", encoding="utf-8", newline="\n")  # noqa: SIM115
    try:
        with _in_temporary_files():
            spool.writelines(line + "\n" for line in lines)
            spool.seek(0)
        yield map(json.loads, spool)
    finally:
        with contextlib.suppress(OSError):  # of a full disk, which has been told
            spool.close()


def _write_jsonl(rows: _Rows, out: IO[str]) -> None:
    out.writelines(line + "\n" for line in rows.dumped())


def _write_json(rows: _Rows, out: IO[str]) -> None:
    for number, line in enumerate(rows.dumped()):
        out.write((",\n" if number else "[\n") + line)
    out.write("\n]\n")


def _write_txt(rows: _Rows, out: IO[str]) -> None:
    def text(conversation: Conversation) -> str:
        if conversation.extra:
            raise RowFault("does-not-fit.plain-extra", names=quoted(conversation.extra))
        return write_plain(conversation.messages)

    out.writelines(rows.each(text))


def _write_csv(rows: _Rows, out: IO[str], mark: str = ",") -> None:
    # With "\r\n" as the line terminator the module quotes texts that contain either character.
    writer = csv.writer(out, delimiter=mark, lineterminator="\r\n")
    with _cells(rows, _check_tsv if mark == "\t" else _check_csv) as table:
        writer.writerows([defused(cell, rows.formulas) for cell in line] for line in table)


def _check_tsv(text: str) -> None:
    _check_csv(text)
    if "\t" in text and ("\n" in text or "\r" in text):
        raise RowFault("does-not-fit.tsv-tab")  # as in a row that a lone quotation mark swallowed


def _check_csv(text: str) -> None:
    if "\x00" in text:
        raise RowFault("does-not-fit.csv-zero")


_TEXT_WRITERS: dict[str, Callable[[_Rows, IO[str]], None]] = {
    "jsonl": _write_jsonl,
    "json": _write_json,
    "txt": _write_txt,
    "csv": _write_csv,
    "tsv": lambda rows, out: _write_csv(rows, out, "\t"),
}


@contextlib.contextmanager
def _cells(rows: _Rows, check: Callable[[str], None]) -> Iterator[Iterator[list[str]]]:
    """The lines of a table, the header first. check: raises RowFault for an unsupported text."""
    names: dict[str, None] = {}

    def line(conversation: Conversation) -> str:
        row = rows.row(conversation)
        for name, value in row.items():
            if isinstance(value, list) and name not in conversation.extra:
                raise RowFault("does-not-fit.cell-list", field=name)
            if not isinstance(value, str):
                row[name] = "" if value is None or value != value else _dump(value)
            check(row[name])
            check(name)
        names.update(dict.fromkeys(row))
        return _dump(row)

    with _spooled(rows.each(line)) as spooled:
        yield itertools.chain([list(names)], ([row.get(n, "") for n in names] for row in spooled))


def _check_xlsx(text: str) -> None:
    if found := _NOT_IN_XML.search(text):
        raise RowFault("does-not-fit.xlsx-character", character=found[0])
    # Excel counts a character beyond U+FFFF as two.
    if len(text) > _CELL // 2 and len(text.encode("utf-16-le", "surrogatepass")) > 2 * _CELL:
        raise RowFault("does-not-fit.xlsx-length", limit=_CELL)


def _write_xlsx(rows: _Rows, temporary: Path) -> None:
    import openpyxl
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.writer.excel import ExcelWriter

    with _cells(rows, _check_xlsx) as table:
        if rows.count >= _SHEET:
            raise WorkshopError(
                f"An Excel sheet holds {_SHEET - 1:,} rows, not {rows.count:,}. Write CSV."
            )
        book = openpyxl.Workbook(write_only=True)
        sheet = book.create_sheet("rows")

        def cell(text: str) -> Any:
            made = WriteOnlyCell(sheet, value=text)
            made.data_type = "s"  # text, even if it begins with "=" like a formula
            return made

        try:
            with _in_temporary_files():  # openpyxl's, until it packs them
                for texts in table:
                    sheet.append([cell(text) if text else None for text in texts])
                sheet.close()
        except BaseException:
            with contextlib.suppress(Exception):  # here, or a traceback tells of it later
                sheet.close()
            raise
        # As `book.save` does, but closed after an error, too.
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
            ExcelWriter(book, archive).save()


def _write_parquet(rows: _Rows, temporary: Path) -> None:
    import pyarrow.parquet

    seen: dict[str, _Seen] = {}

    def line(conversation: Conversation) -> str:
        row = rows.row(conversation)
        for name, value in row.items():
            seen.setdefault(name, _Seen(name, name in _NESTED)).add(value)
        return _dump(row)

    with _spooled(rows.each(line)) as spooled:
        for name in ("prompt", "completion"):
            # A Parquet column has one type: if one row has a list of turns, all get one.
            if name in seen and {str, list} <= seen[name].kinds:
                seen[name].add([_side(name, "")])
                seen[name].kinds.remove(str)
        schema = pyarrow.schema({name: one.type() for name, one in seen.items()})

        def fitted(row: dict[str, Any]) -> dict[str, Any]:
            for name, value in row.items():
                if isinstance(value, str) and list in seen[name].kinds and name in _NESTED:
                    value = [_side(name, value)]
                row[name] = seen[name].fit(value)
            return row

        # A file of Python's: pyarrow opens no name that is not UTF-8.
        with open(temporary, "wb") as out, pyarrow.parquet.ParquetWriter(out, schema) as writer:
            while batch := [fitted(row) for row in itertools.islice(spooled, 1000)]:
                try:
                    table = pyarrow.RecordBatch.from_pylist(batch, schema=schema)
                except (pyarrow.ArrowException, OverflowError) as error:
                    raise WorkshopError(
                        f"Another field of a row does not fit a Parquet column ({error}). "
                        "Delete that field."
                    ) from error
                writer.write_batch(table)


# Columns of turns get Arrow's nested types; lists and objects elsewhere are written as JSON.
_NESTED = {"messages", "conversations", "contents", "prompt", "completion", "systemInstruction",
           "system_instruction"}  # fmt: skip


def _side(name: str, text: str) -> dict[str, str]:
    return {"role": "user" if name == "prompt" else "assistant", "content": text}


class _Seen:
    """The types that were seen at one place of the rows, and inside of its lists and objects."""

    def __init__(self, name: str, nested: bool) -> None:
        self.name, self.nested = name, nested
        self.kinds: set[type] = set()
        self.fields: dict[str, _Seen] = {}  # a list's items are the field ""

    def add(self, value: Any) -> None:
        """Count a value in."""
        if value is not None:
            big = isinstance(value, int) and not -(1 << 63) <= value < 1 << 63
            self.kinds.add(str if big else type(value))
        if self.nested and isinstance(value, list | dict):
            inside = value.items() if isinstance(value, dict) else (("", one) for one in value)
            for key, one in inside:
                self.fields.setdefault(key, _Seen(key or self.name, True)).add(one)

    def type(self) -> Any:
        """The Arrow type that holds all of it; text, where that is JSON."""
        import pyarrow

        if not self.nested or not self.kinds & {list, dict}:
            simple = {bool: pyarrow.bool_, int: pyarrow.int64, float: pyarrow.float64}
            only = next(iter(self.kinds)) if len(self.kinds) == 1 else str
            return simple.get(only, pyarrow.string)()
        if len(self.kinds) > 1:
            raise WorkshopError(
                f'"{self.name}" is a text in some rows and a list or an object in others, which a '
                "Parquet column cannot store. Write JSON Lines."
            )
        if not self.fields:  # all are empty: Parquet has no object without fields
            return pyarrow.string()
        if self.kinds == {list}:
            return pyarrow.list_(self.fields[""].type())
        return pyarrow.struct({key: one.type() for key, one in self.fields.items()})

    def fit(self, value: Any) -> Any:
        """The value as that type takes it."""
        if self.fields and isinstance(value, list):
            return [self.fields[""].fit(one) for one in value]
        if self.fields and isinstance(value, dict):
            return {key: self.fields[key].fit(one) for key, one in value.items()}
        simple = value is None or (type(value) in self.kinds and len(self.kinds) == 1)
        if isinstance(value, str) or (simple and not isinstance(value, list | dict)):
            return value
        return _dump(value)
