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
from .stream import open_bytes, sample

_SUFFIXES = {
    "jsonl": "jsonl ndjson",
    "json": "json",
    "csv": "csv",
    "tsv": "tsv tab",
    "xlsx": "xlsx xlsm",
    "parquet": "parquet",
    "txt": "txt text md",
}
CONTAINERS = {f".{s}": container for container, names in _SUFFIXES.items() for s in names.split()}
# First bytes of unsupported files, the entry foreign.… of formats.yaml, and the packer.
_FOREIGN = (
    (b"\xd0\xcf\x11\xe0", "xls", ""),
    (b"%PDF", "pdf", ""),
    (b"\x28\xb5\x2f\xfd", "packed", "Zstandard"),
    (b"BZh", "packed", "bzip2"),
    (b"\xfd7zXZ", "packed", "xz"),
    (b"\x80\x04\x95", "pickle", ""),
    (b"SQLite format 3", "sqlite", ""),
)
_BINARY = {"xlsx": b"PK\x03\x04", "parquet": b"PAR1"}


@dataclass(frozen=True)
class Plan:
    """How to read a file.

    container: see `Source`; encoding: Python's name, "" for a binary container, "unknown" if it
    could not be detected; packed: the file is gzip; mark: the delimiter of a table; old_lines:
    lines end with "\\r" only; fault: why the file cannot be read at all.
    """

    container: str
    encoding: str
    reason: Wording
    packed: bool = False
    mark: str = ","
    old_lines: bool = False
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
        first = file.read(16)
    for magic, what, packer in _FOREIGN:
        if first.startswith(magic):
            reason = word(f"foreign.{what}", packer=packer)
            fault = RowFault("unreadable.foreign", fix=word(f"foreign.{what}.fix"), reason=reason)
            return Plan(named or "txt", "", reason, fault=fault)
    for container, magic in _BINARY.items():
        if first.startswith(magic):
            return Plan(
                container, "", word("read.first-bytes", container=container_name(container))
            )
    if named in _BINARY:
        return Plan(named, "", word("read.binary-name", container=container_name(named)))
    packed = first.startswith(b"\x1f\x8b")
    head, telling, whole = sample(path, packed=packed)
    if encoding is not None:
        found = encodings.Encoding(encoding, word("coding.asked", encoding=encoding))
    else:
        marked = head.startswith(codecs.BOM_UTF8)
        found = encodings.detect(head if marked else telling, whole=whole and not marked)
    if found.name is None:
        fault = RowFault("encoding.undecided", reason=found.reason)
        return Plan(named or "txt", "unknown", found.reason, packed=packed, fault=fault)
    text = head.decode(found.name, "replace").removeprefix("\ufeff")
    container, because = _container(text, named)
    name = container_name(container)
    if packed:
        name = word("container.packed", container=name)
    tabbed = container == "tsv" and "\t" in text.split("\n")[0]
    return Plan(
        container,
        found.name,
        word(f"read.{because}", container=name, encoding=found.reason),
        packed=packed,
        mark="\t" if tabbed else tables.delimiter(text),
        old_lines="\r" in text and "\n" not in text,
    )


def _container(text: str, named: str | None) -> tuple[str, str]:
    """A text's container and the reason: its suffix, unless the content clearly contradicts it."""
    start = text.lstrip()
    line, _, rest = start.partition("\n")
    # A bracket starts a list of all rows, unless its line is valid JSON by itself.
    listed = start[:1] == "[" and (not rest.strip() or _parsed(line) is None)
    if listed and named in ("jsonl", "json", None, "txt"):
        return "json", "bracket"
    if start[:1] == "{" and named in ("json", None, "txt"):
        # Objects over several lines are not JSON Lines. A broken line of JSON Lines still ends like
        # an object; the first line of a longer object does not.
        row = _parsed(line)
        broken = row is None and line.rstrip().endswith(("}", "},")) and line.strip() != "{"
        if rest.strip() and not (isinstance(row, dict) or broken):
            return "json", "long-object"
        return "jsonl", "objects"
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
