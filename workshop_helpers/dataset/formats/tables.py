"""Rows of a table: CSV and TSV, Excel, Parquet. The header names the columns."""

from __future__ import annotations

import csv
import itertools
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from .faults import RowFault, word
from .json_rows import Item
from .stream import ROW_LIMIT, too_large

_LEAST_UNPACKED = 256 << 20
_MOST_PACKED = 200
_BATCH = 512


# -- CSV and TSV -------------------------------------------------------------------------------


def delimiter(head: str) -> str:
    """What parts the columns: the comma, tab or semicolon that parts the first line into most
    columns.
    """
    line = next((line for line in head.splitlines() if line.strip()), "")
    if '"' in line:
        line = "".join(line.split('"')[::2])
    return max(",\t;", key=lambda mark: (line.count(mark), mark == ","))


def header_of(cells: Sequence[object]) -> list[str]:
    """Column names: a nameless one by its number, the second of two equal ones with a number behind
    it.
    """
    names: list[str] = []
    for number, cell in enumerate(cells, start=1):
        name = str(cell).strip() if cell is not None else ""
        name = name.lstrip("\ufeff") or f"column {number}"
        while name in names:
            name += " (2)"
        names.append(name)
    return names


def csv_rows(lines: Iterable[str], mark: str) -> Iterator[Item]:
    """The records of a CSV file as objects; the first filled one is the header and comes first, as
    an object whose values are its own names.
    """
    # The limit is the whole process's, and the default is less than a long answer.
    csv.field_size_limit(max(csv.field_size_limit(), ROW_LIMIT))
    counted = _Counted(lines)
    records = csv.reader(counted, delimiter=mark, strict=True)
    header: list[str] | None = None
    while True:
        counted.begin()
        try:
            cells = next(records)
        except StopIteration:
            return
        except csv.Error as error:
            yield counted.first, _csv_fault(str(error)), counted.text
            continue
        except RowFault as fault:
            yield counted.first, fault, counted.text
            return
        if not any(cell.strip() for cell in cells):
            continue
        if header is None:
            header = header_of(cells)
            yield counted.first, dict(zip(header, header, strict=True)), counted.text
        else:
            yield counted.first, _record(header, cells, mark), counted.text


class _Counted:
    """Hands lines to the csv module and keeps where its record began and how it begins."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self._next = 1
        self.begin()

    def begin(self) -> None:
        self.first = self._next
        self.text = ""
        self._size = 0

    def __iter__(self) -> _Counted:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self._next += 1
        self._size += len(line)
        if self._size > ROW_LIMIT:
            raise too_large()
        if not self.text:
            self.text = line[:400]
        return line


def _record(header: list[str], cells: list[str], mark: str) -> dict[str, Any] | RowFault:
    if len(cells) > len(header):
        if any(cell.strip() for cell in cells[len(header) :]):
            name = word("mark." + {",": "comma", "\t": "tab", ";": "semicolon"}[mark])
            count, columns = len(cells), len(header)
            return RowFault("invalid-csv.columns", mark=name, cells=count, columns=columns)
        cells = cells[: len(header)]
    return dict(itertools.zip_longest(header, cells, fillvalue=""))


# What the csv module says, by a piece of it.
_CSV_FAULTS = {
    "unexpected end of data": "open-quote",
    "expected after": "after-quote",
    "new-line character": "return",
    "NUL": "zero-byte",
}


def _csv_fault(error: str) -> RowFault:
    name = next((name for piece, name in _CSV_FAULTS.items() if piece in error), "other")
    return RowFault(f"invalid-csv.{name}", error=error)


# -- Excel -------------------------------------------------------------------------------------


def xlsx_rows(path: Path) -> Iterator[Item]:
    """The rows of the first sheet that is not empty, the header first, as for CSV."""
    import openpyxl

    line = 0
    try:
        _refuse_bomb(path)
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        try:
            for sheet in book.worksheets:
                header: list[str] | None = None
                sheet.reset_dimensions()
                for line, values in enumerate(sheet.iter_rows(values_only=True), start=1):
                    cells = [cell_text(value) for value in values]
                    if not any(cell.strip() for cell in cells):
                        continue
                    if header is None:
                        while cells and not cells[-1].strip():
                            cells.pop()
                        header = header_of(cells)
                        yield line, dict(zip(header, header, strict=True)), ""
                    else:
                        yield line, _record(header, cells, ","), " | ".join(cells)[:400]
                if header is not None:
                    return
        finally:
            book.close()
    except RowFault as fault:
        yield line + 1, fault, ""
    except MemoryError:
        yield line + 1, too_large(), ""
    except (
        Exception
    ) as error:  # A damaged workbook ends in any of a dozen exceptions of four libraries.
        if isinstance(error, ImportError):
            raise
        yield line + 1, RowFault("unreadable.workbook", error=type(error).__name__), ""


def cell_text(value: object) -> str:
    """A cell as text: whole numbers without ".0", dates as 2024-01-31, empty cells as ""."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    isoformat = getattr(value, "isoformat", None)
    if isoformat is not None:
        text: str = (
            isoformat(" ") if hasattr(value, "hour") and hasattr(value, "year") else isoformat()
        )
        return text.removesuffix(" 00:00:00")
    return str(value)


def _refuse_bomb(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(entry.file_size for entry in archive.infolist())
    if unpacked > _LEAST_UNPACKED and unpacked > _MOST_PACKED * path.stat().st_size:
        raise RowFault("row-too-large.workbook", times=_MOST_PACKED)


# -- Parquet -----------------------------------------------------------------------------------


def parquet_rows(path: Path) -> Iterator[Item]:
    """The rows of a Parquet file as objects; fields that are null are left out, since every row has
    all columns.
    """
    import pyarrow
    import pyarrow.parquet

    line = 0
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            metadata = file.metadata
            groups = [metadata.row_group(n).total_byte_size for n in range(metadata.num_row_groups)]
            unpacked = sum(groups)
            if unpacked > _LEAST_UNPACKED and unpacked > _MOST_PACKED * path.stat().st_size:
                raise RowFault("row-too-large.parquet", times=_MOST_PACKED)
            for batch in file.iter_batches(_BATCH, use_threads=False):
                for row in batch.to_pylist():
                    line += 1
                    filled = {name: value for name, value in row.items() if value is not None}
                    yield line, without_nulls(filled), ""
    except RowFault as fault:
        yield line + 1, fault, ""
    except (
        pyarrow.ArrowException,
        OSError,
        ValueError,
        KeyError,
        TypeError,
        MemoryError,
        OverflowError,
    ) as error:
        yield line + 1, RowFault("unreadable.parquet", error=type(error).__name__), ""


def without_nulls(row: dict[str, Any]) -> dict[str, Any]:
    """The turns of a row without the fields that only other rows' turns have."""
    for name in ("messages", "conversations", "contents", "prompt", "completion"):
        value = row.get(name)
        if isinstance(value, list):
            row[name] = [
                {k: v for k, v in turn.items() if v is not None} if isinstance(turn, dict) else turn
                for turn in value
            ]
    return row
