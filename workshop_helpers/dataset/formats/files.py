"""Rows of a file, one after the other: which container, which encoding, which shape, and why."""

from __future__ import annotations

import codecs
import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...core.errors import Closing, WorkshopError
from ...core.wordings import Wording
from . import encodings, plain, tables
from .conversation import Conversation
from .faults import Fault, RowFault, check_characters, fields, missing, shorten, word
from .formats import FORMATS, Columns, detect_format, find_columns, read_row
from .json_rows import WHOLE_CHARACTERS, Item, exact, line_rows, list_rows, not_in
from .stream import Bytes, Recoded, lines, open_bytes, require_file, sample

CONTAINERS = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
    ".parquet": "parquet",
    ".txt": "txt",
    ".text": "txt",
    ".md": "txt",
}
TABLES = ("csv", "tsv", "xlsx", "parquet")
_PEEKED = 20
_FOREIGN = (
    (b"\xd0\xcf\x11\xe0", "xls", ""),
    (b"%PDF", "pdf", ""),
    (b"\x28\xb5\x2f\xfd", "packed", "Zstandard"),
    (b"BZh", "packed", "bzip2"),
    (b"\xfd7zXZ", "packed", "xz"),
    (b"\x80\x04\x95", "pickle", ""),
    (b"SQLite format 3", "sqlite", ""),
)


@dataclass(frozen=True)
class Source:
    """How a file was read, and why so.

    container: "jsonl", "json", "csv", "tsv", "xlsx", "parquet" or "txt"; format: a name of FORMATS,
    "plain" for typed questions and answers, or "unknown"; encoding: Python's name of it, "" for a
    binary container, "unknown" where nothing could be decided; reason: why it was read so.
    """

    path: Path
    container: str
    format: str
    encoding: str
    reason: Wording


@dataclass(frozen=True)
class Plan:
    """What was found out about a file before its rows are read.

    packed: it is gzip; mark: what parts the columns of a table; old_lines: lines end with "\\r"
    alone; fault: why it cannot be read at all.
    """

    container: str
    encoding: str
    reason: Wording
    packed: bool = False
    mark: str = ","
    old_lines: bool = False
    fault: RowFault | None = None


def container_of(path: Path) -> str | None:
    """The container that a file's name asks for (".gz" left out), or None."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    return CONTAINERS.get(suffixes[-1]) if suffixes else None


def open_rows(
    path: str | Path,
    *,
    format: str | None = None,
    columns: Mapping[str, str] | None = None,
    encoding: str | None = None,
) -> RowReader:
    """Open a file of training rows; iterate over the reader for a Conversation or a Fault each, in
    file order.

    format: a name of FORMATS, to read every row as that; columns: the fields of "question",
    "answer" and, if wanted, "system" and "input", by name; encoding: as Python names it. None finds
    out, and `source.reason` says why. Raises WorkshopError for a file that is not there or cannot
    be opened, and for wrong arguments; ModuleNotFoundError where the library for Excel or Parquet
    is not installed.
    """
    return RowReader(Path(path), format=format, columns=columns, encoding=encoding)


class RowReader(Closing):
    """Iterates over Conversation and Fault in file order, in bounded memory; each iteration reads
    the file anew.

    `source` says how the file is read and why. A context manager; leaving it closes the file.
    """

    def __init__(
        self,
        path: Path,
        *,
        format: str | None = None,
        columns: Mapping[str, str] | None = None,
        encoding: str | None = None,
    ) -> None:
        self._path = path
        self._format = _known_format(format)
        self._columns = _known_columns(columns)
        self._open: list[Iterator[Conversation | Fault]] = []
        require_file(path)
        self._plan = find_out(path, _known_encoding(encoding))
        self.source = self._source()

    def close(self) -> None:
        """End the iterations that are under way and close their files."""
        while self._open:
            self._open.pop().close()  # type: ignore[attr-defined]

    def __iter__(self) -> Iterator[Conversation | Fault]:
        found = self._rows()
        self._open.append(found)
        return found

    # -- finding out -----------------------------------------------------------------------------

    def _source(self) -> Source:
        plan = self._plan
        name, because = "unknown", word("rows.unknown")
        if self._format is not None:
            name, because = self._format, word("rows.asked", format=self._format)
        elif plan.container == "txt":
            name, because = "plain", word("rows.marks", format="plain")
        elif plan.fault is None:
            items = self._items()
            try:
                rows = [
                    row for _, row, _ in itertools.islice(items, _PEEKED) if isinstance(row, dict)
                ]
            finally:
                items.close()  # type: ignore[attr-defined]
            if self._columns is not None:
                name = "question/answer"
                because = word("rows.given", format=name)
            elif rows and plan.container in ("csv", "tsv", "xlsx"):
                name, because = _table_format(rows[0])
            else:
                names = [detect_format(row) for row in rows]
                known = next((n for n in names if n is not None), None)
                if known is not None:
                    signs = FORMATS[known].signs
                    if known == "question/answer":
                        found = find_columns(tuple(rows[names.index(known)]))
                        signs = found.known[:2] if found else signs
                    name = known
                    because = word("rows.fields", format=name, fields=_together(signs))
        return Source(
            self._path,
            plan.container,
            name,
            plan.encoding,
            word("read", read=plan.reason, rows=because),
        )

    # -- reading ---------------------------------------------------------------------------------

    def _items(self) -> Iterator[Item]:
        plan = self._plan
        if plan.fault is not None:
            yield 1, plan.fault, ""
            return
        if plan.container == "xlsx":
            yield from tables.xlsx_rows(self._path)
            return
        if plan.container == "parquet":
            yield from tables.parquet_rows(self._path)
            return
        with Bytes(self._path, packed=plan.packed) as file:
            read, encoding = file.read, plan.encoding
            if encodings.wide(encoding):
                read, encoding = Recoded(file, encoding).read, "utf-8"
            if plan.container == "json":
                yield from list_rows(read, "utf-8-sig" if encoding == "utf-8" else encoding)
                return
            cut = lines(read, b"\r" if plan.old_lines else b"\n")
            if plan.container == "jsonl":
                yield from line_rows(cut, encoding)
            elif plan.container == "txt":
                yield from plain.plain_rows(_texts(cut, encoding))
            else:
                yield from tables.csv_rows(_texts(cut, encoding), plan.mark)

    def _rows(self) -> Iterator[Conversation | Fault]:
        file = str(self._path)
        container = self._plan.container
        format, columns = self._format, self._columns
        if container == "txt" and columns is None:
            columns = Columns("question", "answer", "system")
        usual = None
        # A table of text says "" where there is nothing; its header is the first row.
        header = container in ("csv", "tsv", "xlsx")
        for line, row, raw in self._items():
            if row.__class__ is RowFault:
                yield row.at(file, line, _shown(raw))
                continue
            assert isinstance(row, dict)
            if header:
                header = False
                try:
                    format, columns = _for_table(row, format, columns)
                except RowFault as fault:
                    yield fault.at(file, line, _shown(raw))
                    return
                continue
            try:
                usual, messages, extra = read_row(row, format=format, usual=usual, columns=columns)
                if not (WHOLE_CHARACTERS and raw.__class__ is bytes):
                    for message in messages:
                        check_characters(message.content)
            except RowFault as fault:
                yield fault.at(file, line, _shown(raw) or _row_text(row))
                continue
            if extra:
                extra = exact(row, raw, extra)
                if container in TABLES:
                    extra = {
                        name: value for name, value in extra.items() if value not in ("", None)
                    }
            yield Conversation(messages, file, line, extra)


def _shown(raw: bytes | str) -> str:
    return raw[:2000].decode("utf-8", "replace") if isinstance(raw, bytes) else raw[:2000]


def _row_text(row: dict[str, Any]) -> str:
    return shorten(json.dumps(row, ensure_ascii=False, default=str)[:2000])


def _texts(cut: Iterator[bytes], encoding: str) -> Iterator[str]:
    """Lines as text, with their ends. What is not in the encoding becomes half characters, and a
    fault of its row.
    """
    # The codec with the mark would take one away at the start of every line.
    codec = "utf-8" if encoding == "utf-8-sig" else encoding
    first = True
    for line in cut:
        try:
            text = line.decode(codec, "surrogateescape")
        except (
            UnicodeDecodeError
        ) as error:  # escapes of ISO-2022-JP have no half characters to become
            raise not_in(line, codec, error) from error
        if first:
            text, first = text.removeprefix("\ufeff"), False
        yield text + "\n"


def _for_table(
    header: dict[str, str], format: str | None, columns: Columns | None
) -> tuple[str | None, Columns | None]:
    """How to read the rows under this header; RowFault where it does not name what is needed."""
    names = tuple(header)
    if columns is not None:
        for wanted in columns.known:
            if wanted not in header:
                raise missing(header, wanted, ())
        return None, columns
    if format is not None and format != "question/answer":
        return format, None
    detected = detect_format(header)
    if format is None and detected not in (None, "question/answer"):
        return detected, None
    found = find_columns(names, table=True)
    if found is None:
        reason = word("columns", names=fields(shorten(name, 40) for name in names[:20]))
        raise RowFault("missing-field.columns", reason=reason)
    return None, found


def _table_format(header: dict[str, str]) -> tuple[str, Wording]:
    try:
        format, columns = _for_table(header, None, None)
    except RowFault as fault:
        return "unknown", word("rows.no-columns", **fault.message.values)
    signs = columns.known[:2] if columns is not None else FORMATS[format or ""].signs
    name = format or "question/answer"
    return name, word("rows.columns", format=name, fields=_together(signs))


def _together(names: tuple[str, ...]) -> Wording:
    """One field, or two."""
    if len(names) == 1:
        return word("field", name=names[0])
    return word("two-fields", name=names[0], other=names[1])


# -- what the caller asks for ------------------------------------------------------------------


def _known_format(format: str | None) -> str | None:
    if format is None or format in FORMATS:
        return format
    raise WorkshopError(f'There is no format "{format}"; choose from {", ".join(FORMATS)}.')


def _known_columns(columns: Mapping[str, str] | None) -> Columns | None:
    if not columns:
        return None
    allowed = ("question", "answer", "system", "input")
    strange = [name for name in columns if name not in allowed]
    if strange or "question" not in columns or "answer" not in columns:
        raise WorkshopError(
            "columns must say which field is the question and which the answer, as in "
            f"question=質問,answer=回答; known are {', '.join(allowed)}."
        )
    return Columns(**dict(columns))


def _known_encoding(encoding: str | None) -> str | None:
    if encoding is None:
        return None
    try:
        "あ".encode(encoding, "replace").decode(encoding, "replace")
        name = codecs.lookup(encoding).name
        # Files that say Shift_JIS hold Windows' additions (①, ㈱) more often than not.
        return "cp932" if name == "shift_jis" else name
    except (LookupError, TypeError, ValueError) as error:
        raise WorkshopError(
            f'There is no encoding "{encoding}"; utf-8, cp932 (Shift_JIS), euc_jp and utf-16 are some that are known.'
        ) from error


# -- what the file is --------------------------------------------------------------------------


def find_out(path: Path, encoding: str | None = None) -> Plan:
    """How to read a file: by its first bytes, then its name, then what stands in it."""
    named = container_of(path)
    with open_bytes(path) as file:
        first = file.read(16)
    for magic, what, packer in _FOREIGN:
        if first.startswith(magic):
            reason = word(f"foreign.{what}", packer=packer)
            fault = RowFault("unreadable.foreign", fix=word(f"foreign.{what}.fix"), reason=reason)
            return Plan(named or "txt", "", reason, fault=fault)
    for container, magic in (("xlsx", b"PK\x03\x04"), ("parquet", b"PAR1")):
        if first.startswith(magic):
            reason = word("read.first-bytes", container=word(f"container.{container}"))
            return Plan(container, "", reason)
    if named in ("xlsx", "parquet"):
        return Plan(named, "", word("read.binary-name", container=word(f"container.{named}")))
    packed = first.startswith(b"\x1f\x8b")
    head, telling, whole = sample(path, packed=packed)
    found = encodings.Encoding(encoding, word("coding.asked", encoding=encoding))
    if encoding is None:
        marked = head.startswith(codecs.BOM_UTF8)
        found = encodings.detect(head if marked else telling, whole=whole and not marked)
    if found.name is None:
        fault = RowFault("encoding.undecided", reason=found.reason)
        return Plan(named or "txt", "unknown", found.reason, packed=packed, fault=fault)
    text = head.decode(found.name, "replace").removeprefix("\ufeff")
    container, because = _container(text, named)
    tabbed = container == "tsv" and "\t" in text.split("\n")[0]
    name = word(f"container.{container}")
    if packed:
        name = word("container.packed", container=name)
    return Plan(
        container,
        found.name,
        word(f"read.{because}", container=name, encoding=found.reason),
        packed=packed,
        mark="\t" if tabbed else tables.delimiter(text),
        old_lines="\r" in text and "\n" not in text,
    )


def _container(text: str, named: str | None) -> tuple[str, str]:
    """The container of a text, by its name unless its content is plainly something else, and why."""
    start = text.lstrip()
    if start[:1] == "[" and named in ("jsonl", "json", None, "txt") and _is_list(start):
        return "json", "bracket"
    if start[:1] == "{" and named in ("json", None, "txt"):
        line, _, rest = start.partition("\n")
        # One object over several lines is no JSON Lines, nor are several.
        if rest.strip() and not _is_object(line):
            return "json", "long-object"
        return "jsonl", "objects"
    if named is not None and named != "json":
        return named, "name"
    if named == "json":
        return "jsonl", "neither"
    if plain.looks_plain(text):
        return "txt", "marks"
    first = start.split("\n")[0]
    mark = tables.delimiter(first)
    names = [name.strip(' "\r') for name in first.split(mark)]
    if len(names) > 1 and find_columns(tuple(names), table=True):
        return ("tsv" if mark == "\t" else "csv"), "first-line"
    return "txt", "no-suffix"


def _is_list(start: str) -> bool:
    """Whether the bracket opens the list of all rows, and not only a line that is no object."""
    line, _, rest = start.partition("\n")
    if not rest.strip():
        return True
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return True
    return False


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        # A broken line of JSON Lines still ends as an object does; one that goes on below does not.
        return line.rstrip().endswith(("}", "},")) and line.strip() != "{"
