"""The decompressed bytes of a file, by block or line, with a limit on the size of a row."""

from __future__ import annotations

import codecs
import difflib
import gzip
import stat
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from ...core.errors import Closing, WorkshopError
from .encodings import spoken
from .faults import RowFault

Reader = Callable[[int], bytes]  # returns at most so many bytes; b"" at the end
ROW_LIMIT = 64 << 20  # bytes; a usual row has a few kilobytes
BLOCK = 1 << 18
HEAD = 256 << 10
_SCANNED = 64 << 20  # how far to search for the first non-ASCII character
# Text compresses to a fifth, repetitive text to a fiftieth; a higher ratio suggests a zip bomb.
_MOST_PACKED = 200
_SUSPECT = 256 << 20
_SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".xlsx", ".parquet", ".arrow",
             ".txt", ".gz")  # fmt: skip


def require_file(path: Path) -> None:
    """Raise WorkshopError unless the path is a regular file; the error suggests a similar name."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError as error:
        parent = path.parent
        beside = []
        if parent.is_dir():
            beside = [p.name for p in parent.iterdir() if p.suffix.lower() in _SUFFIXES]
        near = difflib.get_close_matches(path.name, beside, n=1, cutoff=0.5)
        hint = f" Did you mean {parent / near[0]}?" if near else ""
        raise WorkshopError(f"There is no file {path}.{hint}") from error
    except (OSError, ValueError) as error:
        raise WorkshopError(f"{path} cannot be read: {_words(error)}.") from error
    if stat.S_ISDIR(mode):
        raise WorkshopError(f"{path} is a folder{_inside(path)}")
    if not stat.S_ISREG(mode):
        raise WorkshopError(
            f"{path} is a device or a pipe, which can be read only once. "
            "Save its content to a file first."
        )


def _inside(folder: Path) -> str:
    """The rest of the sentence that says what to give instead of a folder."""
    if (folder / "dataset_dict.json").is_file():
        splits = sorted(state.parent.name for state in folder.glob("*/state.json"))
        of = f" of several parts ({', '.join(splits)})" if splits else ""
        return f" that datasets' save_to_disk wrote, {of.strip()}. Give a file of one part."
    shards = sorted(shard.name for shard in folder.glob("*.arrow"))
    if not shards:
        return ". Give a file of training rows, such as .jsonl."
    several = f" and {len(shards) - 1} more" if len(shards) > 1 else ""
    return f" that datasets' save_to_disk wrote. Give its file {folder / shards[0]}{several}."


def open_bytes(path: Path) -> BinaryIO:
    """The file, opened for reading; WorkshopError if that fails."""
    try:
        return open(path, "rb")
    except OSError as error:
        raise WorkshopError(f"{path} cannot be read: {_words(error)}.") from error


def _words(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


class Bytes(Closing):
    """A file's decompressed bytes; `read` raises RowFault for a damaged or hostile gzip."""

    def __init__(self, path: Path, *, packed: bool) -> None:
        self._file = open_bytes(path)
        self._gzip = gzip.GzipFile(fileobj=self._file) if packed else None
        self._given = 0

    def close(self) -> None:
        """Close the file."""
        if self._gzip is not None:
            self._gzip.close()
        self._file.close()

    def read(self, size: int = BLOCK) -> bytes:
        """At most `size` bytes; b"" at the end."""
        if self._gzip is None:
            return self._file.read(size)
        try:
            block = self._gzip.read(size)
        except (OSError, EOFError, zlib.error) as error:
            kinds = {"Compressed file ended": "gzip-ends", "CRC check failed": "gzip-checksum"}
            said = str(error)
            kind = next((kinds[start] for start in kinds if said.startswith(start)), "gzip")
            raise RowFault(f"unreadable.{kind}", error=said) from error
        self._given += len(block)
        if self._given > _SUSPECT and self._given > _MOST_PACKED * self._file.tell():
            raise RowFault("row-too-large.gzip", times=_MOST_PACKED)
        return block


def sample(path: Path, *, packed: bool) -> tuple[bytes, bytes, bool]:
    """The file's head, the part that shows its encoding, and whether that part ends the file.

    The second is the head, or the first block with non-ASCII characters if the head has none.
    """
    with Bytes(path, packed=packed) as file:
        try:
            head = block = file.read(HEAD)
            seen = len(head)
            while block.isascii() and b"\x1b$" not in block and seen < _SCANNED:
                if not (following := file.read(BLOCK)):
                    return head, block, True
                seen += len(following)
                block = following
            if block is head or block.isascii():
                return head, block, not file.read(1)
            # Start at the line: a block may begin inside a character.
            place = next(i for i, byte in enumerate(block) if byte > 0x7F)
            start = block.rfind(b"\n", 0, place) + 1
            whole = len(block) - start <= HEAD and not file.read(1)
            return head, block[start : start + HEAD], whole
        except RowFault:
            return b"", b"", False


def whole_lines(read: Reader, end: bytes = b"\n") -> Iterator[bytes]:
    """Pieces of a file that end where a line does, without the last line break; some hundred
    usual rows in each. Raises RowFault for a line over ROW_LIMIT.

    Only this one byte ends a line: others that `str.splitlines` knows, such as U+2028, may be part
    of a text.
    """
    kept: list[bytes] = []
    while block := read(2 * BLOCK):
        whole, found, last = block.rpartition(end)
        if found:
            yield b"".join([*kept, whole])
            kept = [last]
            continue
        kept.append(last)
        if sum(map(len, kept)) > ROW_LIMIT:
            raise too_large()
    if rest := b"".join(kept):
        yield rest


def too_large() -> RowFault:
    """The fault of a row over ROW_LIMIT."""
    return RowFault("row-too-large", megabytes=ROW_LIMIT >> 20)


def decoded(read: Reader, encoding: str) -> Callable[[int], str]:
    """A reader of text from a reader of bytes; "" at the end.

    Invalid bytes become half characters, so that the rows around them can still be read; RowFault
    if the encoding does not support this.
    """
    decoder = codecs.getincrementaldecoder(encoding)("surrogateescape")

    def text(size: int) -> str:
        while True:
            block = read(size)
            try:
                piece = decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                byte = error.object[error.start]
                raise RowFault(
                    "encoding.stop", encoding=spoken(error.encoding), byte=byte
                ) from error
            if piece or not block:
                return piece

    return text


def recoded(read: Reader, encoding: str) -> Reader:
    """A reader in UTF-8, for an encoding whose line break is not one byte, such as UTF-16."""
    text = decoded(read, encoding)
    return lambda size: text(size).encode("utf-8", "surrogatepass")
