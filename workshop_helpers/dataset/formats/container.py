"""Detection of a file's container, compression and encoding, with the reason."""

from __future__ import annotations

import codecs
import json
from dataclasses import dataclass
from pathlib import Path

from ...core.errors import WorkshopError
from ...core.wordings import Wording
from . import encodings, plain, tables
from .columns import find_columns
from .faults import RowFault, word
from .foreign import foreign
from .json_rows import is_text, raw_decode, space
from .shapes import detect_format
from .stream import open_bytes, sample

_SUFFIXES = {
    "jsonl": "jsonl ndjson",
    "json": "json",
    "csv": "csv",
    "tsv": "tsv tab",
    "xlsx": "xlsx xlsm",
    "parquet": "parquet",
    "arrow": "arrow feather",
    "txt": "txt text md",
}
CONTAINERS = {f".{s}": container for container, names in _SUFFIXES.items() for s in names.split()}
_LONG = 1 << 17  # characters of a line on which one row would be unusual
_BINARY = {
    "xlsx": (b"PK\x03\x04",),
    "parquet": (b"PAR1",),
    "arrow": (b"ARROW1\x00\x00", b"\xff\xff\xff\xff"),  # a file, a stream
}


@dataclass(frozen=True)
class Plan:
    """How to read a file.

    container: see `Source`; encoding: Python's name, "" for a binary container, "unknown" if it
    could not be detected; packed: the file is gzip; mark: the delimiter of a table; old_lines:
    lines end with "\\r" only; inside: the name of the list that holds the rows of a JSON object, or
    ""; fault: why the file cannot be read at all.
    """

    container: str
    encoding: str
    reason: Wording
    packed: bool = False
    mark: str = ","
    old_lines: bool = False
    inside: str = ""
    fault: RowFault | None = None


def container_of(path: Path) -> str | None:
    """The container for a file's suffix (ignoring ".gz"), or None."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    return CONTAINERS.get(suffixes[-1]) if suffixes else None


def container_name(container: str) -> Wording:
    """The name of a container."""
    return word(f"container.{container}")


def find_out(path: Path, encoding: str | None = None) -> Plan:
    """How to read a file, by its first bytes, its name and its content."""
    named = container_of(path)
    with open_bytes(path) as file:
        first = file.read(1024)
    for container, magics in _BINARY.items():
        if first.startswith(magics) and (container != "arrow" or named in (None, "arrow")):
            if container == "xlsx" and (fault := foreign(path, first)):
                return _refused(fault, named)
            reason = word("read.first-bytes", container=container_name(container))
            return Plan(container, "", reason)
    if fault := foreign(path, first):
        return _refused(fault, named)
    if named in _BINARY:
        return Plan(named, "", word("read.binary-name", container=container_name(named)))
    packed = first.startswith(b"\x1f\x8b")
    head, telling, whole = sample(path, packed=packed)
    if packed and (fault := foreign(path, head[:1024])):
        return _refused(fault, named)
    if encoding is not None:
        found = encodings.Encoding(encoding, word("coding.asked", encoding=encoding))
    else:
        marked = head.startswith(codecs.BOM_UTF8)
        found = encodings.detect(head if marked else telling, whole=whole and not marked)
    if found.name is None:
        fault = RowFault("encoding.undecided", reason=found.reason)
        return Plan(named or "txt", "unknown", found.reason, packed=packed, fault=fault)
    text = head.decode(found.name, "replace").removeprefix("\ufeff")
    container, because, inside = _container(text, named)
    name = container_name(container)
    if packed:
        name = word("container.packed", container=name)
    tabbed = container == "tsv" and "\t" in text.split("\n")[0]
    return Plan(
        container,
        found.name,
        word(f"read.{because}", container=name, encoding=found.reason, inside=inside),
        packed=packed,
        mark="\t" if tabbed else tables.delimiter(text),
        old_lines="\r" in text and "\n" not in text,
        inside=inside,
    )


def _refused(fault: RowFault, named: str | None) -> Plan:
    return Plan(named or "txt", "", fault.message.values["reason"], fault=fault)


def _container(text: str, named: str | None) -> tuple[str, str, str]:
    """A text's container, the reason (its suffix, unless the content clearly contradicts it), and
    the list of a JSON object that holds the rows.
    """
    start = text.lstrip()
    line, _, rest = start.partition("\n")
    if named in ("jsonl", "json", None, "txt"):
        # A bracket starts a list of all rows, unless its line is valid JSON by itself.
        if start[:1] == "[" and (not rest.strip() or _parsed(line) is None):
            return "json", "bracket", ""
        if start[:1] == "{" and (inside := _inside(start)):
            return "json", "inside", inside
        if start[:1] == "{" and _over_lines(line, rest, named):
            return "json", "long-object", ""
        if start[:1] == "{" and named != "jsonl":
            return "jsonl", "objects", ""
    found = _by_content(text, line, named)
    return *found, ""


def _over_lines(line: str, rest: str, named: str | None) -> bool:
    """Whether the first object goes on after its line, or many stand on a long one. A broken line
    of JSON Lines still ends like an object; the first line of a longer object does not.
    """
    if not rest.strip():
        return len(line) > _LONG and _parsed(line) is None and _whole(line)
    broken = line.rstrip().endswith(("}", "},")) and line.strip() != "{"
    if broken or isinstance(_parsed(line), dict):
        return False
    return named != "jsonl" or rest[:1] in " \t" or _whole(f"{line}\n{rest}")


def _whole(text: str) -> bool:
    """Whether a text starts with a whole object."""
    try:
        raw_decode(text)
    except (ValueError, RecursionError):
        return False
    return True


def _inside(text: str) -> str:
    """The name of the list of rows in the object that is the whole text, or "".

    An object that is a row itself, or has more than short values beside the list, is none.
    """
    found = ""
    place = 0
    try:
        while text[place] in "{,":
            name, place = raw_decode(text, space(text, place + 1))
            place = space(text, space(text, place) + 1)
            first = space(text, place + 1)
            if not found and text[place] == "[" and text[first] == "{":
                found = str(name) if detect_format(raw_decode(text, first)[0]) else ""
            value, place = raw_decode(text, place)
            if found != name and is_text(value):
                return ""
            place = space(text, place)
        row, end = raw_decode(text)
    except (ValueError, IndexError, RecursionError):
        return found  # longer than what was read: no row of usual size
    return "" if detect_format(row) or text[end:].strip() else found


def _by_content(text: str, line: str, named: str | None) -> tuple[str, str]:
    if named is not None:
        return ("jsonl", "neither") if named == "json" else (named, "name")
    if plain.looks_plain(text):
        return "txt", "marks"
    mark = tables.delimiter(line)
    names = [name.strip(' "\r') for name in line.split(mark)]
    if len(names) > 1 and find_columns(tuple(names), table=True):
        return ("tsv" if mark == "\t" else "csv"), "first-line"
    return "txt", "no-suffix"


def _parsed(line: str) -> object:
    """The value of a line of JSON; None if it is invalid."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def known_encoding(encoding: str | None) -> str | None:
    """Python's name of an encoding; WorkshopError for an unknown one."""
    if encoding is None:
        return None
    try:
        "あ".encode(encoding, "replace").decode(encoding, "replace")
        name = codecs.lookup(encoding).name
    except (LookupError, TypeError, ValueError) as error:
        raise WorkshopError(
            f'There is no encoding "{encoding}"; known are, for example, utf-8, cp932 (Shift_JIS), '
            "euc_jp and utf-16."
        ) from error
    # Most files declared as Shift_JIS contain Windows' additions (①, ㈱).
    return "cp932" if name == "shift_jis" else name
