"""Rows of JSON: one object per line, a list of objects, or a sequence of objects."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any

from ...core.wordings import Wording
from .conversation import Messages
from .encodings import likely, spoken
from .faults import RowFault, kind, word
from .stream import BLOCK, ROW_LIMIT, Reader, decoded, too_large

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
raw_decode = json.JSONDecoder().raw_decode
_LONG_NUMBER = re.compile(rb"\d{19}")
_ZEROS = bytes(ord("0") if chr(byte).isdigit() and byte < 128 else byte for byte in range(256))
# A list on the line where its first row begins; how rows begin, up to the end of their first name.
_LIST_START = re.compile(rb'[ \t\r\n]*\[[ \t]*(?=(\{[ \t]*"(?:[^"\\]|\\.)*"))')
_SPACE = re.compile(r"[ \t\r\n]*")
_BRACKET = re.compile(r'[][{}"]')
_STOP = re.compile(r"[,\]\n]")
_STRING_END = re.compile(r'["\\]')


class Lines:
    """Lines that each hold an object of texts: their `rows`, and the number of the first. Iterating
    gives items.
    """

    def __init__(self, number: int, rows: list[dict[str, str]], raw: bytes) -> None:
        self.number, self.rows, self._raw = number, rows, raw

    def __iter__(self) -> Iterator[Item]:
        return zip(itertools.count(self.number), self.rows, self._raw.split(b"\n"), strict=False)


def line_rows(pieces: Iterator[bytes], end: bytes, encoding: str) -> Iterator[Iterable[Item]]:
    """The objects of each piece of JSON Lines. encoding: any with ASCII line breaks."""
    plain = encoding in ("utf-8", "utf-8-sig")
    number = 1
    try:
        for piece in pieces:
            rows = _rows_of_texts(piece) if plain and WHOLE_CHARACTERS and end == b"\n" else None
            if rows is not None:
                yield Lines(number, rows, piece)
            else:
                yield _each_line(piece.split(end), number, encoding, plain=plain)
            number += piece.count(end) + 1
    except RowFault as fault:
        yield [(number, fault, "")]


def _rows_of_texts(piece: bytes) -> list[dict[str, str]] | None:
    """The rows of lines, if surely each is an object whose fields are texts with no key twice."""
    # As lists of what stands on each line: a line break elsewhere than between rows is an error.
    lists = piece.replace(b"\n", b"],\n[")
    try:
        if not _all_texts([_loads(piece.partition(b"\n")[0])], None):
            return None
        read = _loads(b"[[%b]]" % lists)
    except (ValueError, RecursionError):
        return None
    if len(read) != 1 + (len(lists) - len(piece)) // 3 or set(map(len, read)) != {1}:
        return None
    rows = list(itertools.chain.from_iterable(read))
    return rows if _all_texts(rows, piece.count(b'"')) else None


def _all_texts(rows: list[Any], marks: int | None) -> bool:
    """Whether all are objects whose fields are texts, and surely no key stands twice in one: what
    they were read from has no more quotation marks (None: any number) than that.
    """
    if set(map(type, rows)) != {dict}:
        return False
    kinds = set(map(type, itertools.chain.from_iterable(map(dict.values, rows))))
    return kinds == {str} and marks in (None, 4 * sum(map(len, rows)))


def _each_line(lines: list[bytes], first: int, encoding: str, *, plain: bool) -> Iterator[Item]:
    for number, line in enumerate(lines, start=first):
        if not line:
            continue
        if plain:
            try:
                row = _loads(line)
                if row.__class__ is dict and _single(line, row):
                    yield number, row, line
                    continue
            except (ValueError, RecursionError):
                pass  # reported below
        if line.strip():
            for row, raw in _line_rows(line, encoding, first=number == 1):
                yield number, row, raw


def _single(raw: bytes, value: Any) -> bool:
    """Whether surely no key stands twice in an object of a text: it has no more quotation marks, or
    no more keys, than what was read of it.
    """
    if raw.count(b'"') == (_marks(value) if value.__class__ is dict else _inner_marks(value)):
        return True
    return b'" :' not in raw and raw.count(b'":') == _keys(value)


def _marks(row: dict[str, Any]) -> int:
    """The number of quotation marks in an object's text, if there are none in its strings."""
    count = 4 * len(row)
    for value in row.values():
        if value.__class__ is not str:
            count += _inner_marks(value) - 2
    return count


def _inner_marks(value: Any) -> int:
    if value.__class__ is dict:
        return _marks(value)
    if value.__class__ is list:
        return sum(map(_inner_marks, value))
    return 2 if value.__class__ is str else 0


def _keys(value: object) -> int:
    """The number of keys of all objects in a value."""
    if isinstance(value, dict):
        return len(value) + sum(map(_keys, value.values()))
    return sum(map(_keys, value)) if isinstance(value, list) else 0


def _line_rows(
    line: bytes, encoding: str, *, first: bool
) -> Iterator[tuple[dict[str, Any] | RowFault, str]]:
    """The row of a line, or the several that stand on it one after the other."""
    try:
        text = line.decode("utf-8-sig" if first and encoding == "utf-8" else encoding)
    except UnicodeDecodeError as error:
        yield not_in(line, encoding, error), line.decode(encoding, "replace")
        return
    row = parse(text)
    if isinstance(row, RowFault):
        several = list(_sequence(text))
        if len(several) > 1:
            yield from ((parse(one), one) for one in several)
            return
    yield row, text


def _sequence(text: str) -> Iterator[str]:
    """The texts of objects that follow each other on a line; none if anything else is there."""
    found = []
    place = space(text, 0)
    while text[place : place + 1] == "{":
        try:
            _, end = raw_decode(text, place)
        except (ValueError, RecursionError):
            return
        found.append(text[place:end])
        place = space(text, end)
        if text[place : place + 1] == ",":
            place = space(text, place + 1)
    if place == len(text):
        yield from found


def space(text: str, place: int) -> int:
    """The place behind the white space at this place."""
    match = _SPACE.match(text, place)
    assert match is not None
    return match.end()


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
        row = json.loads(text, object_pairs_hook=_object)
    except _TwiceError as error:
        return RowFault("invalid-json.twice", name=error.args[0])
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


class _TwiceError(ValueError):
    """An object has a key twice."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        raise _TwiceError(next(name for name in names if names.count(name) > 1)[:40])
    return made


def long_number(raw: bytes | str) -> bool:
    """Whether a row may hold an integer beyond 64 bits, which was read as a float."""
    return isinstance(raw, bytes) and _LONG_NUMBER.search(raw) is not None


def doubtful(raw: bytes | str, extra: dict[str, Any], messages: Messages) -> bool:
    """The same where such a number would stand in other fields of the row or of its turns."""
    for message in messages:
        if message.extra:
            return long_number(raw)
    for value in extra.values():
        if value.__class__ in (float, dict, list):
            return long_number(raw)
    return False


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
            self.move(space(self.text, self.place))
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


def list_rows(
    read: Reader, encoding: str, inside: str = "", is_row: Callable[[Any], object] = bool
) -> Iterator[Item]:
    """The objects of a JSON list or sequence; reading continues after an invalid object.

    inside: the rows are the list of this name in an object; another list whose elements are rows
    for `is_row`, or a long text beside it, is a fault.
    """
    text: _Text | None = None
    try:
        block = read(BLOCK)
        start = _LIST_START.match(block) if WHOLE_CHARACTERS and encoding == "utf-8" else None
        if start is not None and not inside:
            held = yield from _quick_rows(block[start.end() :], start[1], read)
            text = _Text(decoded(_after(held, read), encoding))
            yield from _elements(text, "]")
            yield from _list_end(text)
            return
        text = _Text(decoded(_after(block, read), encoding))
        text.past("\ufeff")
        if inside:
            yield from _wrapped(text, inside, is_row)
        elif text.past("["):
            yield from _elements(text, "]")
            yield from _list_end(text)
        else:
            yield from _elements(text, "")
    except RowFault as fault:
        yield (1, fault, "") if text is None else (text.line, fault, text.excerpt)


def _after(held: bytes, read: Reader) -> Reader:
    """A reader that first gives these bytes."""
    blocks = [held] if held else []
    return lambda size: blocks.pop() if blocks else read(size)


def _quick_rows(held: bytes, begin: bytes, read: Reader) -> Generator[Item, None, bytes]:
    """The rows of a list on one line, many at a time; returns what must be read one by one.

    held: the first bytes behind the bracket; begin: how a row begins.
    """
    while len(held) <= 4 * BLOCK:
        last = held.rfind(begin)
        if last > 0:
            rows = _many(held[:last].rstrip())
            if rows is None:
                break
            for row in rows:
                yield 1, row, b""
            held = held[last:]
        block = read(BLOCK)
        if not block:
            break
        held += block
    return held


def _many(part: bytes) -> list[dict[str, Any]] | None:
    """The rows of a part of a list that ends with a comma; None if they need a closer look."""
    if b"\n" in part or part[-1:] != b",":
        return None
    try:
        rows: list[dict[str, Any]] = _loads(b"[%b]" % part[:-1])
    except (ValueError, RecursionError):
        return None
    if _all_texts(rows, part.count(b'"')):
        return rows
    long_number = part.translate(_ZEROS).find(b"0" * 19) >= 0
    single = set(map(type, rows)) == {dict} and _single(part, rows)
    return rows if single and not long_number else None


def is_text(value: object) -> bool:
    """Whether a value beside a list of rows is more than a version or a name."""
    return isinstance(value, str) and len(value) > 200


def _elements(text: _Text, end: str) -> Iterator[Item]:
    """The elements up to the bracket `end`, or to the end of the text."""
    first = True
    while (character := text.next()) not in ("", end):
        if character == "," and not first:
            text.move(text.place + 1)
            if (character := text.next()) in ("", end):
                if character:
                    yield text.line, RowFault("invalid-json.last-comma"), ","
                break
        elif end and not first:
            yield text.line, RowFault("invalid-json.no-comma"), text.excerpt
        first = False
        line = text.line
        row, raw = _value(text)
        if not isinstance(row, dict | RowFault):
            row = RowFault("invalid-json.no-object", kind=kind(row))
        yield line, row, raw


def _list_end(text: _Text) -> Iterator[Item]:
    if not text.past("]"):
        yield text.line, RowFault("invalid-json.open-list"), ""
    elif text.next():
        yield text.line, RowFault("invalid-json.after-list"), text.excerpt


def _wrapped(text: _Text, inside: str, is_row: Callable[[Any], object]) -> Iterator[Item]:
    """The rows in the list `inside` of the object that comes next."""
    text.past("{")
    while text.next() == '"':
        name, _ = _value(text)
        text.past(":")
        line, listed = text.line, text.past("[")
        beside = False
        if listed and name == inside:
            yield from _elements(text, "]")
        elif listed:
            for _, row, _ in _elements(text, "]"):
                beside = beside or bool(is_row(row))
        else:
            beside = is_text(_value(text)[0])
        if beside:
            name = str(name)[:40]
            yield line, RowFault("invalid-json.beside", name=name, inside=inside), ""
        if listed and not text.past("]"):
            yield text.line, RowFault("invalid-json.open-list"), ""
            return
        if not text.past(","):
            break
    if not text.past("}"):
        yield text.line, RowFault("invalid-json.open-row"), text.excerpt
    elif text.next():
        yield text.line, RowFault("invalid-json.after-list"), text.excerpt


def _value(text: _Text) -> tuple[Any, str]:
    """The value at the window's start or its fault, and its text; the window moves behind it."""
    value: Any
    while True:
        try:
            value, end = raw_decode(text.text, text.place)
        except (ValueError, RecursionError) as error:
            # Looking for the end of what is only cut off would take long.
            if _cut_off(error, text.text) and text.more():
                continue
            found = _end(text.text, text.place)
            if found is None and text.more():
                continue
            raw = text.text[text.place : found]
            before = text.place - text.text.rfind("\n", 0, text.place) - 1
            value = parse(raw, line=text.line, before=before)
            if found is None:
                value = RowFault("invalid-json.open-row")
        else:
            # A number at the window's end may continue beyond it.
            ended = end < len(text.text) or isinstance(value, dict | list | str)
            if not ended and text.more():
                continue
            raw = text.text[text.place : end]
            if isinstance(value, dict) and not _single(raw.encode("utf-8", "replace"), value):
                value = parse(raw, line=text.line)
        text.move(text.place + len(raw))
        return value, raw


def _cut_off(error: Exception, text: str) -> bool:
    """Whether a value is invalid only because the text ends in it."""
    if not isinstance(error, json.JSONDecodeError):
        return False
    return error.pos >= len(text) - 10 or error.msg.startswith("Unterminated string")


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
