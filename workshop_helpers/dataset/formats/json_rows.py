"""Rows of JSON: one object per line, a list of objects, or a sequence of objects."""

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
    # Three times as fast as json. Where it would read a value differently it fails, or `exact`
    # corrects it. WHOLE_CHARACTERS: it rejects half characters.
    import orjson

    _loads, WHOLE_CHARACTERS = orjson.loads, True
except ImportError:
    # json.loads on bytes would read a line with zero bytes as UTF-16.
    _loads, WHOLE_CHARACTERS = lambda line: json.loads(line.decode()), False

# The line (from 1), its row or fault, and the row's text (UTF-8 bytes if it was not decoded).
Item = tuple[int, "dict[str, Any] | RowFault", "bytes | str"]
_LONG_NUMBER = re.compile(rb"\d{19}")
_SPACE = re.compile(r"[ \t\r\n]*")
_BRACKET = re.compile(r'[][{}"]')
_STOP = re.compile(r"[,\]\n]")
_STRING_END = re.compile(r'["\\]')


def line_rows(lines: Iterator[bytes], encoding: str) -> Iterator[Item]:
    """The objects of JSON Lines. encoding: any with ASCII line breaks."""
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
                    pass  # reported below
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
    """The fault of a line that is not valid in the file's encoding."""
    guess = likely(line) if encoding.startswith("utf-8") else ""
    byte = line[error.start]
    return RowFault("encoding.line", encoding=spoken(encoding), byte=byte, guess=guess)


def parse(text: str, *, line: int = 1, before: int = 0) -> dict[str, Any] | RowFault:
    """The object in a text, or its fault.

    line: the line of the file where the text begins; before: the characters before it on that line.
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
    """The row's other fields, with integers beyond 64 bits kept exact."""
    doubtful = any(value.__class__ in (float, dict, list) for value in extra.values())
    if not (doubtful and isinstance(raw, bytes) and _LONG_NUMBER.search(raw)):
        return extra
    again = json.loads(raw)
    return {name: again[name] for name in extra}


# Starts of the json module's messages.
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


class _Text:
    """A window on a stream of text that is not yet read as rows; it counts lines."""

    def __init__(self, read: Callable[[int], str]) -> None:
        self._read = read
        self._ended = False
        self.text = ""
        self.place = 0
        self.line = 1

    @property
    def excerpt(self) -> str:
        """The start of the window."""
        return self.text[self.place : self.place + 80]

    def more(self) -> bool:
        """Double the window, so that a long row is rarely rescanned; False at the end."""
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
        """Advance to a position and count the lines on the way."""
        self.line += self.text.count("\n", self.place, place)
        self.place = place

    def next(self) -> str:
        """Advance to the next character that is not white space; "" at the end."""
        while True:
            match = _SPACE.match(self.text, self.place)
            assert match is not None
            self.move(match.end())
            if self.place < len(self.text):
                return self.text[self.place]
            if not self.more():
                return ""

    def past(self, character: str) -> bool:
        """Skip this character if it comes next."""
        found = self.next() == character
        if found:
            self.move(self.place + 1)
        return found


def list_rows(read: Callable[[int], str]) -> Iterator[Item]:
    """The objects of a JSON list or sequence; reading continues after an invalid object."""
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
    """The element at the window's start, and its text; the window advances past it."""
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
            # A number at the window's end may continue beyond it.
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
    """The end of the element at `start`, by its brackets outside strings, or None."""
    place = start
    depth = 0
    while match := _BRACKET.search(text, place):
        character = match[0]
        if depth == 0 and match.start() > start:
            # The element has no bracket: it ends at the next row or the end of the list.
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
