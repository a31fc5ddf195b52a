"""Rows of JSON: one object a line, or a list of objects, or objects one after the other."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from ...core.wordings import Wording
from .encodings import likely, spoken
from .faults import RowFault, kind, word
from .stream import ROW_LIMIT, too_large

_loads: Callable[[bytes], Any]
try:
    # Three times as fast. It refuses what it would read otherwise than json does, or `exact` sees
    # to it. WHOLE_CHARACTERS: it reads no half characters.
    import orjson

    _loads, WHOLE_CHARACTERS = orjson.loads, True
except ImportError:
    # Not json.loads on bytes: that would take the line for UTF-16 where zero bytes stand in it.
    _loads, WHOLE_CHARACTERS = lambda line: json.loads(line.decode()), False

# A line (from 1), its row or what is wrong with it, and the row's text (bytes of UTF-8 if it was
# not decoded).
Item = tuple[int, "dict[str, Any] | RowFault", "bytes | str"]
_LONG_NUMBER = re.compile(rb"\d{19}")
_SPACE = re.compile(r"[ \t\r\n]*")
_BRACKET = re.compile(r'[][{}"]')
_STOP = re.compile(r"[,\]\n]")
_STRING_END = re.compile(r'["\\]')


def line_rows(lines: Iterator[bytes], encoding: str) -> Iterator[Item]:
    """The objects of JSON Lines. `encoding`: of the lines; any whose line ends are ASCII."""
    plain = encoding in ("utf-8", "utf-8-sig")
    number = 0
    try:
        for number, line in enumerate(lines, start=1):
            if not line:
                continue
            if plain:
                try:
                    row = _loads(line)
                    if row.__class__ is dict:
                        yield number, row, line
                        continue
                except (ValueError, RecursionError):
                    pass  # said in words below
            if line.strip():
                yield number, *_line_row(line, encoding, first=number == 1)
    except RowFault as fault:
        yield number + 1, fault, ""


def _line_row(line: bytes, encoding: str, *, first: bool) -> tuple[dict[str, Any] | RowFault, str]:
    try:
        text = line.decode("utf-8-sig" if first and encoding == "utf-8" else encoding)
    except UnicodeDecodeError as error:
        return not_in(line, encoding, error), line.decode(encoding, "replace")
    return parse(text), text


def not_in(line: bytes, encoding: str, error: UnicodeDecodeError) -> RowFault:
    """The fault of a line that is not in the file's encoding."""
    guess = likely(line) if encoding.startswith("utf-8") else ""
    byte = line[error.start]
    return RowFault("encoding.line", encoding=spoken(encoding), byte=byte, guess=guess)


def parse(text: str, *, line: int = 1, before: int = 0) -> dict[str, Any] | RowFault:
    """The object that a text is, or what is wrong with it.

    line: of the file, in which the text begins; before: characters of that line before it.
    """
    try:
        row = json.loads(text)
    except json.JSONDecodeError as error:
        hint = _hint(text, error.msg)
        if error.lineno == 1:
            return RowFault("invalid-json.column", fix=hint, column=before + error.colno)
        line += error.lineno - 1
        return RowFault("invalid-json.line", fix=hint, column=error.colno, line=line)
    except ValueError:
        return RowFault("invalid-json.digits")
    except RecursionError:
        return RowFault("invalid-json.deep")
    return row if isinstance(row, dict) else RowFault("invalid-json.no-object", kind=kind(row))


def exact(raw: bytes | str, extra: dict[str, Any]) -> dict[str, Any]:
    """The other fields of a row, with whole numbers beyond 64 bits whole, as json reads them."""
    doubtful = any(value.__class__ in (float, dict, list) for value in extra.values())
    if not (doubtful and isinstance(raw, bytes) and _LONG_NUMBER.search(raw)):
        return extra
    again = json.loads(raw)
    return {name: again[name] for name in extra}


# What the json module says, by how it begins.
_SAID = {
    "Expecting value": "value",
    "Expecting ',' delimiter": "comma",
    "Expecting ':' delimiter": "colon",
    "Expecting property name enclosed in double quotes": "name",
    "Illegal trailing comma": "trailing-comma",
    "Extra data": "extra",
    "Invalid \\uXXXX": "unicode-escape",
    "Invalid \\escape": "escape",
    "Invalid control character": "control",
}


def _hint(line: str, message: str) -> Wording:
    stripped = line.strip()
    said = next((name for start, name in _SAID.items() if message.startswith(start)), "other")
    if said == "name" and "'" in line:
        said = "single-quotes"
    elif stripped.endswith(","):
        said = "last-comma"
    elif "Unterminated string" in message or not stripped.endswith("}"):
        said = "no-end"
    elif re.search("[“”]", line):
        said = "curly"
    return word(f"hint.{said}", message=message)


# -- a list of objects -------------------------------------------------------------------------


class _Text:
    """A window on the text of a stream: what is not yet read as rows. Line numbers go with it."""

    def __init__(self, read: Callable[[int], str]) -> None:
        self._read = read
        self._ended = False
        self.text = ""
        self.place = 0
        self.line = 1

    @property
    def excerpt(self) -> str:
        """How the window begins."""
        return self.text[self.place : self.place + 80]

    def more(self) -> bool:
        """Widen the window to twice its width, so that a long row is not looked at over and over;
        False at the end of the stream.
        """
        if self._ended:
            return False
        wanted = max(1 << 18, len(self.text) - self.place)
        if wanted > ROW_LIMIT:
            raise too_large()
        pieces = [self.text[self.place :]]
        self.place = 0
        while wanted > 0 and not self._ended:
            pieces.append(self._read(min(wanted, 1 << 20)))
            wanted -= len(pieces[-1])
            self._ended = not pieces[-1]
        self.text = "".join(pieces)
        return True

    def move(self, place: int) -> None:
        """Go on to a place further on, counting the lines that are passed."""
        self.line += self.text.count("\n", self.place, place)
        self.place = place

    def next(self) -> str:
        """The next character that is no space, or "" at the end; the window then begins there."""
        while True:
            match = _SPACE.match(self.text, self.place)
            assert match is not None
            self.move(match.end())
            if self.place < len(self.text):
                return self.text[self.place]
            if not self.more():
                return ""

    def past(self, character: str) -> bool:
        """Go past this character if it comes next."""
        found = self.next() == character
        if found:
            self.move(self.place + 1)
        return found


def list_rows(read: Callable[[int], str]) -> Iterator[Item]:
    """The objects of a JSON list, or objects that follow each other, from a reader of text.

    A broken object does not end the reading.
    """
    text = _Text(read)
    try:
        text.past("\ufeff")
        bracket = text.past("[")
        end = "]" if bracket else ""
        first = True
        while (character := text.next()) not in ("", end):
            if character == "," and not first:
                text.move(text.place + 1)
                if (character := text.next()) in ("", end):
                    if character:
                        yield text.line, RowFault("invalid-json.last-comma"), ","
                    break
            elif bracket and not first:
                yield text.line, RowFault("invalid-json.no-comma"), text.excerpt
            first = False
            line = text.line
            yield line, *_element(text)
        if bracket and not text.past("]"):
            yield text.line, RowFault("invalid-json.open-list"), ""
        elif bracket and text.next():
            yield text.line, RowFault("invalid-json.after-list"), text.excerpt
    except RowFault as fault:
        yield text.line, fault, text.excerpt


_decode = json.JSONDecoder().raw_decode


def _element(text: _Text) -> tuple[dict[str, Any] | RowFault, str]:
    """The element that begins at the window's start, and its text; the window goes on behind it."""
    row: dict[str, Any] | RowFault
    while True:
        try:
            value, end = _decode(text.text, text.place)
        except (ValueError, RecursionError):
            found = _end(text.text, text.place)
            if found is None and text.more():
                continue
            raw = text.text[text.place : found]
            before = text.place - text.text.rfind("\n", 0, text.place) - 1
            row = parse(raw, line=text.line, before=before)
            if found is None:
                row = RowFault("invalid-json.open-row")
        else:
            # A number at the window's edge may go on behind it.
            ended = end < len(text.text) or isinstance(value, dict | list | str)
            if not ended and text.more():
                continue
            raw = text.text[text.place : end]
            row = value
            if not isinstance(value, dict):
                row = RowFault("invalid-json.no-object", kind=kind(value))
        text.move(text.place + len(raw))
        return row, raw


def _end(text: str, start: int) -> int | None:
    """Where the element at `start` ends by its brackets, texts left out; None if it does not."""
    place = start
    depth = 0
    while match := _BRACKET.search(text, place):
        character = match[0]
        if depth == 0 and match.start() > start:
            # No bracket opens it: what stands before the next row or the list's end is the element.
            stop = _STOP.search(text, start, match.start() + 1)
            if stop is not None:
                return max(stop.start(), start + 1)
        place = match.end()
        if character == '"':
            while closing := _STRING_END.search(text, place):
                place = closing.end()
                if closing[0] == '"':
                    break
                place += 1
            else:
                return None
            if depth == 0:
                return place
        elif character in "[{":
            depth += 1
        else:
            depth -= 1
            if depth <= 0:
                return place
    stop = _STOP.search(text, start) if depth == 0 else None
    return max(stop.start(), start + 1) if stop is not None else None
