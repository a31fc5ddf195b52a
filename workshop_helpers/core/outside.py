"""Texts from outside (a server's answer, a file's name, a library's error) as they may be shown: no
key in them, and nothing that a terminal obeys or that turns the text around.
"""

from __future__ import annotations

import base64
import bisect
import logging
import re
import weakref
from collections.abc import Iterable, Iterator
from json import dumps
from typing import Any

HIDDEN = "•••"
# So many characters in a row of a long key are hidden, too; a short one is hidden as a whole.
_PIECE, _LONG = 8, 16
# Control characters but tab and line feed, invisible ones, those that set the direction of text,
# tags, and halves of surrogate pairs (bytes of a file name that is not UTF-8).
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\ufeff\ufff9-\ufffb\U000e0000-\U000e007f\ud800-\udfff]"
)
# How an ASCII character may be written: in JSON and program texts, addresses and HTML, also twice.
_ESCAPED = re.compile(
    rb"\\+(?:u00|x)([0-9a-f]{2})|%(?:25)*([0-9a-f]{2})|&(?:amp;)*#x0*([0-9a-f]{1,2});"
    rb"|&(?:amp;)*#0*([0-9]{1,3});|&(?:amp;)*(amp|lt|gt|quot|apos);|\\+([!-~])",
    re.I,
)
_NAMED = {b"amp": b"&", b"lt": b"<", b"gt": b">", b"quot": b'"', b"apos": b"'"}


def visible(text: str) -> str:
    """The text with what controls a terminal, is invisible or turns text around replaced by signs
    like ␛ or [U+202E].
    """
    return _UNSEEN.sub(lambda found: _picture(ord(found[0])), text)


def _picture(code: int) -> str:
    return chr(0x2400 + code) if code < 32 else "␡" if code == 127 else f"[U+{code:04X}]"


def escaped(json: str) -> str:
    """JSON text of the same values, with what `visible` replaces written \\uXXXX."""

    def escape(found: re.Match[str]) -> str:
        return "\\u007f" if found[0] == "\x7f" else dumps(found[0])[1:-1]

    return _UNSEEN.sub(escape, json)


def shown(text: str) -> str:
    """The text as it may be shown: `hide` and `visible`."""
    return visible(hide(text))


def hide(text: str) -> str:
    """The text without the keys that are in use, nor pieces of long ones, however they are written:
    plain, in capitals, escaped as in JSON, addresses or HTML, in Base64 or hexadecimal.

    Hide before a text is cut: of a key that the cut divides, less than a piece may remain.
    """
    if not _known:
        return text
    return hide_bytes(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")


def hide_bytes(data: bytes) -> bytes:
    """The same in bytes of any encoding that contains ASCII."""
    for secret in list(_known):
        data = secret.hide_bytes(data)
    return data


class ShownStream:
    """A stream (stdout, stderr) to which only texts that may be shown come through. rich, which
    writes colours, finds the stream below by itself; for others there is `below`.
    """

    def __init__(self, stream: Any) -> None:
        self.rich_proxied_file = stream

    def write(self, text: str) -> int:
        """Write the text as it may be shown."""
        self.rich_proxied_file.write(shown(text.replace("\r\n", "\n")))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write the lines as they may be shown."""
        self.write("".join(lines))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.rich_proxied_file, name)


def below(stream: Any) -> Any:
    """The stream to which a ShownStream writes, for what draws bars; any other stream itself."""
    return getattr(stream, "rich_proxied_file", stream)


class Secret:
    """A key that does not print itself, in no repr, message or traceback of local variables. While
    it is in use, `hide` takes it out of texts, and all logs are without it.
    """

    def __init__(self, value: str = "") -> None:
        self._value = value
        if value:
            _watch_logs()
            self._signs = set(_signs(value.encode()))
            _known.add(self)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return HIDDEN if self._value else "no key"

    def __reduce__(self) -> Any:
        raise TypeError("a key is not stored")

    def header(self) -> str:
        """The value of the Authorization header."""
        return f"Bearer {self._value}"

    def hide_bytes(self, data: bytes) -> bytes:
        """The data without this key and its pieces."""
        folded = _Folded(data)
        found = sorted(run for sign, least in self._signs for run in folded.runs(sign, least))
        if not found:
            return data
        kept, end = list[bytes](), 0
        for first, last in found:
            begins, ends = folded.source(first)[0], folded.source(last - 1)[1]
            if begins > end or not kept:
                kept += [data[end:begins], HIDDEN.encode()]
            end = max(end, ends)
        return b"".join([*kept, data[end:]])


_known: weakref.WeakSet[Secret] = weakref.WeakSet()


def _signs(key: bytes) -> Iterator[tuple[bytes, int]]:
    """What must not be shown, folded: a key, plain and encoded, and of each how many characters in
    a row are a piece.
    """
    for plain in {key.lower(), _Folded(key).text}:  # of an odd key a part looks like an escape
        yield plain, _PIECE if len(plain) >= _LONG else len(plain)
    if len(key) >= _PIECE:
        yield key.hex().encode(), 2 * _PIECE
        for shift in range(3):  # Base64 takes three bytes at a time; the outer signs hold others
            coded = base64.b64encode(b"\0" * shift + key + b"\0\0")
            inner = coded[-(-shift * 8 // 6) : (shift + len(key)) * 8 // 6].lower()
            for text in {inner, inner.translate(bytes.maketrans(b"+/", b"-_"))}:
                yield text, _PIECE + 2


class _Folded:
    """Bytes with escapes resolved and in small letters, and where each came from."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        # Of each piece: where it begins in the folded text, and in the data.
        self._begins, self._sources = [0], [0]
        parts, size, at = [], 0, 0
        for found in _ESCAPED.finditer(data):
            plain = data[at : found.start()]
            parts += [plain, _character(found)]
            size += len(plain)
            self._begins += [size, size + 1]
            self._sources += [found.start(), found.end()]
            size, at = size + 1, found.end()
        self.text = b"".join([*parts, data[at:]]).lower()

    def runs(self, sign: bytes, least: int) -> Iterator[tuple[int, int]]:
        """Where at least so many characters in a row of a sign stand; a sign of less than a piece
        only as a word.
        """
        at = self.text.find(sign)
        while at >= 0:
            ends = at + len(sign)
            beside = (*self.text[max(0, at - 1) : at], *self.text[ends : ends + 1])
            if least >= _PIECE or not any(chr(one).isalnum() for one in beside):
                yield at, ends
            at = self.text.find(sign, ends)
        if least < len(sign):
            yield from _parts(self.text.replace(sign, b"\0" * len(sign)), sign, least)

    def source(self, at: int) -> tuple[int, int]:
        """Where in the data the folded character at `at` begins and ends."""
        piece = bisect.bisect_right(self._begins, at) - 1
        if piece % 2:  # an escape
            return self._sources[piece], self._sources[piece + 1]
        begins = self._sources[piece] + at - self._begins[piece]
        return begins, begins + 1


def _parts(text: bytes, sign: bytes, least: int) -> Iterator[tuple[int, int]]:
    """Where at least so many characters in a row of a sign stand, but not all of it."""
    step = least // 2
    size = least - step + 1  # each run holds one of these parts of the sign
    for offset in range(0, len(sign) - size + 1, step):
        part = sign[offset : offset + size]
        at = text.find(part)
        while at >= 0:
            begins, first, ends, last = at, offset, at + size, offset + size
            while begins and first and text[begins - 1] == sign[first - 1]:
                begins, first = begins - 1, first - 1
            while ends < len(text) and last < len(sign) and text[ends] == sign[last]:
                ends, last = ends + 1, last + 1
            if ends - begins >= least:
                yield begins, ends
            at = text.find(part, max(at + 1, ends - size + 1))


def _character(found: re.Match[bytes]) -> bytes:
    text, address, hexadecimal, decimal, name, after = found.groups()
    if code := text or address or hexadecimal:
        return bytes([int(code, 16)])
    if decimal:
        return bytes([int(decimal) % 256])
    return _NAMED[name.lower()] if name else bytes(after)


def _watch_logs() -> None:
    """From now on no record of any log holds a key, however it is handled."""
    usual = logging.getLogRecordFactory()
    if usual is _without_keys.get("factory"):
        return

    def record(*arguments: Any, **more: Any) -> logging.LogRecord:
        made = usual(*arguments, **more)
        try:
            said = made.getMessage()
        except (TypeError, ValueError):  # arguments that do not fit: the log says so itself
            return made
        if (hidden := hide(said)) != said:
            made.msg, made.args = hidden, ()
        return made

    _without_keys["factory"] = record
    logging.setLogRecordFactory(record)


_without_keys: dict[str, Any] = {}
