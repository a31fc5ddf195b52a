"""Rows of tables: CSV, TSV, Excel and Parquet. The header names the columns."""

from __future__ import annotations

import csv
import itertools
import mmap
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from .faults import RowFault, word
from .json_rows import Item
from .stream import ROW_LIMIT, too_large

_LEAST_UNPACKED = 256 << 20
_LEAST_WORKBOOK = 4 << 20  # openpyxl keeps all texts of a workbook in memory
_MOST_EMPTY = 100_000  # cells of a small workbook: a second's work
_MOST_PACKED = 200
_LEAST_ROW = 64  # bytes that a question and its answer take at least, on the average of a file
_BATCH = 512
_LZ4, _ZSTD = b"\x04\x22\x4d\x18", b"\x28\xb5\x2f\xfd"  # how compressed parts begin
_SMALL, _AT_ONCE = 8 << 20, 32 << 20  # bytes of a Parquet file, and of texts in memory
_MARKS = {",": "comma", "\t": "tab", ";": "semicolon"}
# Parts of the csv module's messages.
_CSV_FAULTS = {
    "unexpected end of data": "open-quote",
    "expected after": "after-quote",
    "new-line character": "return",
    "NUL": "zero-byte",
}


def delimiter(head: str) -> str:
    """The comma, tab or semicolon that splits the first line into most columns."""
    line = next((line for line in head.splitlines() if line.strip()), "")
    if '"' in line:
        line = "".join(line.split('"')[::2])
    return max(_MARKS, key=lambda mark: (line.count(mark), mark == ","))


def _records(lines: Iterable[tuple[int, list[str] | RowFault, str]], mark: str) -> Iterator[Item]:
    """Lines of cells as objects; the header comes first, as an object that maps names to names."""
    header: list[str] | None = None
    for line, cells, text in lines:
        if isinstance(cells, RowFault):
            yield line, cells, text
        elif not any(cell.strip() for cell in cells):
            continue
        elif header is None:
            header = _header(cells)
            yield line, dict(zip(header, header, strict=True)), text
        elif any(cell.strip() for cell in cells[len(header) :]):
            name, count, columns = word(f"mark.{_MARKS[mark]}"), len(cells), len(header)
            fault = RowFault("invalid-csv.columns", mark=name, cells=count, columns=columns)
            yield line, fault, text
        else:
            row = dict(itertools.zip_longest(header, cells[: len(header)], fillvalue=""))
            yield line, row, text


def _header(cells: Sequence[str]) -> list[str]:
    """Column names: an unnamed one is "column N", the second of two equal ones gets "(2)"."""
    names: list[str] = []
    for number, cell in enumerate(cells, start=1):
        name = cell.strip().lstrip("\ufeff") or f"column {number}"
        while name in names:
            name += " (2)"
        names.append(name)
    return names


# What a spreadsheet would compute, and the same behind apostrophes; a number is none.
_FORMULA = re.compile("'*[-=+@\t\r\n＝＋－＠]")
_NUMBER = re.compile(r"[-+]?\d+(?:[.,]\d+)*%?")


def defused(cell: str, formulas: bool = False) -> str:
    """The cell as a spreadsheet takes it for text: with an apostrophe before what it would compute,
    unless `formulas` are wanted, and before what looks like one that has it already.
    """
    stays = cell[:1] != "'" and (formulas or _NUMBER.fullmatch(cell))
    return cell if stays or not _FORMULA.match(cell) else f"'{cell}"


def _as_written(cell: str) -> str:
    return cell[1:] if cell[:1] == "'" and _FORMULA.match(cell) else cell


def csv_rows(lines: Iterable[str], mark: str, spreadsheet: bool = False) -> Iterator[Item]:
    """The records of a CSV file as objects, the header first. spreadsheet: apostrophes before
    formulas are taken off.
    """
    found = _csv_cells(lines, mark)
    if spreadsheet:
        found = (
            (line, cells if isinstance(cells, RowFault) else list(map(_as_written, cells)), text)
            for line, cells, text in found
        )
    return _records(found, mark)


def _csv_cells(lines: Iterable[str], mark: str) -> Iterator[tuple[int, list[str] | RowFault, str]]:
    # The limit is global, and the default is shorter than a long answer.
    csv.field_size_limit(max(csv.field_size_limit(), ROW_LIMIT))
    taken: list[str] = []  # the lines of the record that is being read
    columns = 0

    def counted() -> Iterator[str]:
        size = 0
        for line in lines:
            size = len(line) + (size if taken else 0)
            if size > ROW_LIMIT:
                raise too_large()
            taken.append(line)
            yield line

    records = csv.reader(counted(), delimiter=mark, strict=True)
    while True:
        first = records.line_num + 1
        taken.clear()
        cells: list[str] | RowFault
        try:
            cells = next(records)
        except StopIteration:
            return
        except csv.Error as error:
            said = str(error)
            name = next((name for piece, name in _CSV_FAULTS.items() if piece in said), "other")
            last = max(first, records.line_num)
            cells = RowFault(f"invalid-csv.{name}", error=said, first=first, last=last)
        except RowFault as fault:
            yield first, fault, "".join(taken)[:400]
            return
        apart = _lone_quotes(taken, columns) if mark == "\t" and len(taken) > 1 else None
        if apart is not None:
            yield from ((first + n, one, taken[n][:400]) for n, one in enumerate(apart))
            continue
        columns = columns or (0 if isinstance(cells, RowFault) else len(cells))
        yield first, cells, taken[0][:400] if taken else ""


def _lone_quotes(lines: list[str], columns: int) -> list[list[str] | RowFault] | None:
    """The rows of lines that are one record only because two of their cells have a quotation mark;
    one fault if only some of the lines have all columns; None for a record of several lines.

    In a record, a cell of several lines has no tab (`writing` holds to that).
    """
    rows = [line.rstrip("\r\n").split("\t") for line in lines]
    whole = [len(cells) == columns for cells in rows]
    tabs_in_cells = sum(map(len, rows)) >= columns + len(rows)
    if columns < 2 or not tabs_in_cells or not any(whole[1:]):
        return None
    if not all(whole):
        return [RowFault("invalid-csv.swallowed", lines=len(lines))]
    return [[_unquoted(cell) for cell in cells] for cells in rows]


def _unquoted(cell: str) -> str:
    quoted = len(cell) > 1 and cell[0] == cell[-1] == '"'
    return cell[1:-1].replace('""', '"') if quoted else cell


class Header(dict[str, str]):
    """The first item of a table: each column's name under its name. sheet: of a workbook that has
    other sheets, the name of the one that is read.
    """

    sheet = ""


def xlsx_rows(path: Path, usable: Callable[[dict[str, str]], bool]) -> Iterator[Item]:
    """The rows of one sheet, the header first: the first sheet with `usable` columns, or without
    any the first that is not empty. Another sheet with usable columns is a fault at the end.
    """
    import openpyxl

    line = 0
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
        _refuse_bomb("workbook", path, unpacked, _LEAST_WORKBOOK)
        most = max(_MOST_EMPTY, 4 * path.stat().st_size)
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        try:
            sheets = [sheet for sheet in book.worksheets if hasattr(sheet, "iter_rows")]
            headers = {}
            for sheet in sheets:
                sheet.reset_dimensions()
                first = next(_records(_sheet_cells(sheet, most), ","), None)
                if first is not None:
                    headers[sheet.title] = isinstance(first[1], dict) and usable(first[1])
            read = next((name for name, fits in headers.items() if fits), next(iter(headers), ""))
            for sheet in sheets:
                if sheet.title != read:
                    continue
                for number, item in enumerate(_records(_sheet_cells(sheet, most), ",")):
                    line, row, text = item
                    if not number and isinstance(row, dict):
                        row = Header(row)
                        row.sheet = read if len(sheets) > 1 else ""
                    yield line, row, text
            for name, fits in headers.items():
                if fits and name != read:
                    yield line + 1, RowFault("unreadable.sheet", sheet=name, read=read), ""
        finally:
            book.close()
    except RowFault as fault:
        yield line + 1, fault, ""
    except ImportError:
        raise
    except MemoryError:
        yield line + 1, too_large(), ""
    except Exception as error:  # a damaged workbook raises any of a dozen errors of four libraries
        yield line + 1, RowFault("unreadable.workbook", error=type(error).__name__), ""


def _sheet_cells(sheet: Any, most: int) -> Iterator[tuple[int, list[str], str]]:
    """The rows of a sheet. One cell may say that it is the last of a billion, so the empty ones
    are counted: RowFault for more than `most`.
    """
    count = 0
    for line, values in enumerate(sheet.iter_rows(values_only=True), start=1):
        count += values.count(None) if values else 1
        if count > most:
            raise RowFault("row-too-large.workbook", times=_MOST_PACKED)
        cells = [_cell_text(value) for value in values]
        while cells and not cells[-1].strip():  # ignore empty cells that are only formatted
            cells.pop()
        yield line, cells, " | ".join(cells)[:400]


def _cell_text(value: object) -> str:
    """A cell as text: whole numbers without ".0", dates as 2024-01-31, empty cells as ""."""
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    # str() gives dates and times in ISO format, without the "T".
    return str(value).removesuffix(" 00:00:00")


def _refuse_bomb(kind: str, path: Path, unpacked: int, least: int) -> None:
    if unpacked > least and unpacked > _MOST_PACKED * path.stat().st_size:
        raise RowFault(f"row-too-large.{kind}", times=_MOST_PACKED)


def parquet_rows(path: Path) -> Iterator[Item]:
    """The rows of a Parquet file as objects, without null fields: every row has all columns there,
    and every turn all fields.
    """
    import pyarrow.parquet

    line = 0
    try:
        # Opened here: pyarrow opens no name that is not UTF-8.
        with path.open("rb") as raw, pyarrow.parquet.ParquetFile(raw) as file:
            metadata = file.metadata
            groups = (metadata.row_group(n) for n in range(metadata.num_row_groups))
            unpacked = sum(group.total_byte_size for group in groups)
            unpacked = max(unpacked, metadata.num_rows * _LEAST_ROW)
            _refuse_bomb("parquet", path, unpacked, _LEAST_UNPACKED)
            unpacked = 0
            for batch in file.iter_batches(_batch_size(path, metadata), use_threads=False):
                for row in batch.to_pylist():
                    line += 1
                    unpacked += sum(len(value) for value in row.values() if isinstance(value, str))
                    yield line, _without_nulls(row), ""
                # A dictionary's one long text may be the value of a billion rows.
                _refuse_bomb("parquet", path, unpacked + batch.nbytes, _LEAST_UNPACKED)
    except RowFault as fault:
        yield line + 1, fault, ""
    except Exception as error:  # pyarrow's, Python's for values out of range, MemoryError
        yield line + 1, RowFault("unreadable.parquet", error=type(error).__name__), ""


def arrow_rows(path: Path) -> Iterator[Item]:
    """The rows of an Arrow file or stream, as datasets' `save_to_disk` writes them."""
    import pyarrow

    line = 0
    try:
        with path.open("rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        # Decompressed, a few bytes may be a billion; these marks are in no text.
        if mapped.find(_LZ4) >= 0 or mapped.find(_ZSTD) >= 0:
            raise RowFault("unreadable.packed-arrow")
        raw = pyarrow.BufferReader(pyarrow.py_buffer(mapped))
        if mapped[:6] == b"ARROW1":
            whole = pyarrow.ipc.open_file(raw)
            batches = map(whole.get_batch, range(whole.num_record_batches))
        else:
            batches = iter(pyarrow.ipc.open_stream(raw))
        unpacked = 0
        for batch in batches:
            for start in range(0, batch.num_rows, _BATCH):
                for row in batch.slice(start, _BATCH).to_pylist():
                    line += 1
                    unpacked += 1 + sum(len(v) for v in row.values() if isinstance(v, str))
                    yield line, _without_nulls(row), ""
                _refuse_bomb("arrow", path, unpacked, _LEAST_UNPACKED)
    except RowFault as fault:
        yield line + 1, fault, ""
    except ImportError:
        raise
    except Exception as error:  # pyarrow's, Python's for values out of range, MemoryError
        yield line + 1, RowFault("unreadable.arrow", error=type(error).__name__), ""


def _batch_size(path: Path, metadata: Any) -> int:
    """How many rows to read at once: few of a small file, whose rows may all hold a long text."""
    if path.stat().st_size > _SMALL:
        return _BATCH
    groups = [metadata.row_group(n) for n in range(metadata.num_row_groups)]
    columns = (group.column(n) for group in groups for n in range(group.num_columns))
    longest = max((column.total_uncompressed_size for column in columns), default=0)
    return max(1, min(_BATCH, _AT_ONCE // max(1, longest)))


def _without_nulls(row: dict[str, Any]) -> dict[str, Any]:
    row = {name: value for name, value in row.items() if value is not None}
    for name in ("messages", "conversations", "contents", "prompt", "completion"):
        if isinstance(row.get(name), list):
            row[name] = [
                {k: v for k, v in turn.items() if v is not None} if isinstance(turn, dict) else turn
                for turn in row[name]
            ]
    return row
