"""A fast prefilter for signs of content faults and personal data in a row.

Most rows have neither, and a million must be checked in seconds. A row's texts are joined and
encoded once, two tables map the bytes to a few classes, and the filter searches for single
characters and short patterns. It may report signs that `content` and `personal` do not confirm, but
must not miss any. Before it, `scanned` passes over most rows of a large batch.
"""

from __future__ import annotations

import itertools
import re
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from typing import Any

from ..formats import Conversation, Message, Pairs
from .row import begin

# Kinds of signs; results are sums of them.
EMAIL, ENGLISH_NAME, JAPANESE_NAME, NUMBER, STREET, JAPANESE_PLACE = 1, 2, 4, 8, 16, 32
PERSONAL = 63  # all of these
CONTENT = 64


def find_signs(messages: Sequence[Message]) -> int:
    """The signs in the turns of a row, 0 for most. Takes about 5 µs per kilobyte."""
    # "|" between turns cannot create a sign.
    if len(messages) == 2:
        text = f"{messages[0].content}|{messages[1].content}"
    else:
        text = "|".join([message.content for message in messages])
    raw = text.encode("ascii", "replace")
    rare = not text.isascii() and _RARE.search(text) is not None
    signs = _personal(text, raw, rare)
    return signs | CONTENT if _content(text, raw, rare) else signs


def personal_signs(text: str) -> int:
    """The kinds of personal data with signs in a text: a sum of the constants above."""
    rare = _WIDE_DIGIT.search(text) is not None
    return _personal(text, text.encode("ascii", "replace"), rare)


# Fewer rows are not worth building the automaton of `_ANY_SIGN`.
_LARGE = 1000


def scanned(conversations: Sequence[Conversation]) -> Iterator[tuple[bool, int]]:
    """Of each row, whether it surely has no sign of what `content`, `personal` and
    `style.check_leftovers` look for, and the size of its last turn in bytes of UTF-8.

    Only of a large batch, and with pyarrow, the first is ever so: an automaton reads each text
    once, in a quarter of the time of `find_signs`, in a thread of its own until the first row is
    asked for.
    """
    try:
        if isinstance(conversations, Pairs):
            both = zip(conversations.questions, conversations.answers, strict=True)
            turns = list(map(str.encode, itertools.chain.from_iterable(both)))
        else:
            turns = [message.content.encode() for one in conversations for message in one.messages]
        signs = _signs(turns)
    except UnicodeEncodeError:  # half a character
        turns, signs = [], None
    return _by_row(conversations, turns, signs)


def _by_row(
    conversations: Sequence[Conversation], turns: list[bytes], signs: Future[Any] | None
) -> Iterator[tuple[bool, int]]:
    if isinstance(conversations, Pairs):
        ends: Sequence[int] = range(2, 2 * len(conversations) + 1, 2)
        answers = conversations.answers
    else:
        ends = list(itertools.accumulate([len(one.messages) for one in conversations]))
        answers = [one.messages[-1].content for one in conversations]
    plain = [signs is not None] * len(ends)
    for place in () if signs is None else signs.result().to_pylist():
        plain[bisect_right(ends, place)] = False
    for row, answer in enumerate(answers):
        if len(answer) < 16:
            plain[row] = False
    sizes = [len(turns[end - 1]) for end in ends] if turns else [0] * len(ends)
    yield from zip(plain, sizes, strict=True)


def _signs(turns: list[bytes]) -> Future[Any] | None:
    """The places of these texts in which there is a sign, soon; None if there may be in all."""
    if len(turns) < _LARGE:
        return None
    try:
        import pyarrow
        import pyarrow.compute
    except ImportError:
        return None
    ends = array("q", [0, *itertools.accumulate(map(len, turns))])
    buffers = [None, pyarrow.py_buffer(ends), pyarrow.py_buffer(b"".join(turns))]
    # pyarrow.array would load pandas.
    texts = pyarrow.Array.from_buffers(pyarrow.large_string(), len(turns), buffers)
    return begin(_places, texts)


def _places(texts: Any) -> Any:
    from pyarrow import compute

    return compute.indices_nonzero(compute.match_substring_regex(texts, _ANY_SIGN))


# Latin, Greek and Cyrillic letters; Japanese mojibake of UTF-8 and Shift_JIS (縺 繧 繝, ｱ) or GBK
# (銇 銈 銉); lost and hidden characters; surrogates and the private-use characters after them.
_STRANGE = (
    "\x80-\u07ff縺繧繝銇銈銉‚ｦ-ﾟ\ufffd\ufeff\u200b\u2028-\u202b\u202d\u202e\u2060\u2066-\u2068"
    "\ud800-\uf8ff"
)
_STRANGE_CHARACTER, _WIDE_DIGIT = re.compile(f"[{_STRANGE}]"), re.compile("[０-９]")
_RARE = re.compile(f"[{_STRANGE}０-９]")  # both in one search


def _table(other: bytes, **classes: bytes) -> bytes:
    """A table for bytes.translate; keywords map a class letter to its bytes."""
    table = bytearray(other * 256)
    for name, members in classes.items():
        for member in members:
            table[member] = ord(name)
    return bytes(table)


_DIGITS = b"0123456789"
_CAPITALS = bytes(range(0x41, 0x5B))
_SMALL = bytes(range(0x61, 0x7B))

_CLASSES = _table(
    b" ",
    n=_DIGITS + _CAPITALS + _SMALL + b"_-+/",  # characters of names and keys
    x=bytes([*range(9), *range(11, 32), 0x7F, *b"<"]),  # C0 except tab and line feed, DEL
)
_SUSPICIOUS = ord("x")
_LONG_NAME = b"n" * 20  # the shortest key of a known provider


def _content(text: str, raw: bytes, rare: bool) -> bool:
    classes = raw.translate(_CLASSES)
    return (
        _SUSPICIOUS in classes
        or classes.find(_LONG_NAME) >= 0
        or "assw" in text
        or ("&" in text and ";" in text)
        or ("[" in text and "INST]" in text)
        or ("@" in text and "://" in text)
        or ("W" in text and "ASSW" in text)
        or (rare and _STRANGE_CHARACTER.search(text) is not None)
        or ("パ" in text and "パスワ" in text)
        or ("暗" in text and "暗証" in text)
    )


# "0" for digits, "A" and "a" for letters, "-" for separators in numbers, "?" for non-ASCII
# characters such as other dashes; everything else is ",".
_FIGURES = _table(
    b",",
    **{"0": _DIGITS, "A": _CAPITALS, "a": _SMALL, "-": b" .-()/", "?": b"?"},
)
# All patterns begin with a digit, since a pattern with a fixed first character is fastest. Seven or
# more digits, together or grouped like telephone numbers; a state's letters and its ZIP code.
_NUMBER = re.compile(rb"0(?:0[-?]0000|00[-?]000|000000|0000(?<=A-00000)|[-?]0000(?<![0Aa]0.0000))")
# A house number before a capital letter or "5th", or the end of a British postcode.
_STREET = re.compile(rb"0[Aa]?-(?:A|0{1,3}aa-A|0AA)")
# Roughly either of the two, or five digits of a possible ZIP code; every text is searched for it.
_FIGURE = re.compile(rb"0(?:0(?:[-?]000|000(?:00|(?!0)(?<=[,-]00000)))|[-?]0000|-[A0]|[Aa]-[A0])")

_TITLES = {"r.", "r ", "rs", "s.", "s ", "is"}  # after the M of Mr., Mrs., Ms., Miss
# Titles after a possible name (not お客様, 皆様, 仕様, たくさん), and words that introduce a name.
_AFTER_NAME = re.compile(
    "[様氏殿君](?<![客皆仕同模多奥神王員方者主社彼摂華何各貴上有異]様)(?<![彼摂華源平諸某両]氏)(?![名々子式])"
)
_SAN = re.compile("さん(?<![ァ-ヴーぁ-ん客家達員]さん)|[ぁ-ん](?<=[一-龥][ぁ-ん][ぁ-ん])さん")
_NAME_SIGN = re.compile("(?:氏名|名前|名義人?|宛名|者名|客様名|人様名) ?[:：は　]")
# The part of an address after the name of the city.
PLOT = re.compile(
    "[0-9０-９一二三四五六七八九十]"
    "(?:[ 　]?丁目|[ 　]?番地|[ 　]?番[0-9０-９]|[-‐−–ー－―][0-9０-９])"
)


def _personal(text: str, raw: bytes, rare: bool) -> int:
    signs = EMAIL if "@" in text else 0
    if _names_an_english_person(text):
        signs |= ENGLISH_NAME
    if "B" in text and "Box " in text:
        signs |= STREET
    figures = raw.translate(_FIGURES)
    if _FIGURE.search(figures):
        if _NUMBER.search(figures) or (b"00000" in figures and _zip_word(text)):
            signs |= NUMBER
        if _STREET.search(figures):
            signs |= STREET
    if text.isascii():
        return signs
    if rare and _WIDE_DIGIT.search(text):
        signs |= NUMBER
    return signs | _japanese(text)


def _names_an_english_person(text: str) -> bool:
    return (
        "ame is" in text
        or ("M" in text and any([rest[:2] in _TITLES for rest in text.split("M")[1:]]))  # noqa: C419
        or ("D" in text and ("Dear " in text or "Dr. " in text or "Dr " in text))
        or (":" in text and "ame: " in text)
        or ("\n" in text and ",\n" in text)
    )


def _zip_word(text: str) -> bool:
    return ("Z" in text and ("ZIP" in text or "Zip" in text)) or ("z" in text and "zip" in text)


def _japanese(text: str) -> int:
    signs = EMAIL if "＠" in text else 0
    if _names_a_japanese_person(text):
        signs |= JAPANESE_NAME
    if "〒" in text:
        signs |= NUMBER
    if (
        ("市" in text or "区" in text or "町" in text or "村" in text or "郡" in text)
        and ("番" in text or "丁" in text or _dashed(text))
        and PLOT.search(text)
    ):
        signs |= JAPANESE_PLACE
    return signs


def _names_a_japanese_person(text: str) -> bool:
    titled = "様" in text or "氏" in text or "殿" in text or "君" in text
    return (
        (titled and _AFTER_NAME.search(text) is not None)
        or ("さん" in text and _SAN.search(text) is not None)
        or ("名" in text and _NAME_SIGN.search(text) is not None)
        or ("申" in text and "と申し" in text)
        or ("言" in text and "と言いま" in text)
        or ("当" in text and ("担当:" in text or "担当：" in text or "担当は" in text))
    )


def _dashed(text: str) -> bool:
    return ("-" in text or "ー" in text or "－" in text or "−" in text) or (
        "‐" in text or "–" in text or "―" in text
    )


# For pyarrow's regular expressions, RE2, which look around nothing. It matches wherever the tests
# above do, or those with which `style.check_leftovers` begins for a longer answer.
_SEPARATOR = "[ .()/-]"
_ANY_SEPARATOR = rf"(?:{_SEPARATOR}|[^\x00-\x7f])"
_ANY_SIGN = "|".join(
    [
        f"[{_STRANGE.replace(chr(0xD800), chr(0xE000))}０-９＠〒【]",
        r"[\x00-\x08\x0b-\x1f\x7f<@&\[{]",
        r"[0-9A-Za-z_+/-]{20}",
        r"[Aa]ssw|ASSW|パスワ|暗証",
        rf"[0-9](?:[0-9]{_ANY_SEPARATOR}[0-9]{{4}}|[0-9]{{2}}{_ANY_SEPARATOR}[0-9]{{3}}|[0-9]{{6}})",
        rf"[0-9]{_ANY_SEPARATOR}[0-9]{{4}}|[A-Z]{_SEPARATOR}[0-9]{{5}}",
        rf"[0-9][A-Za-z]?{_SEPARATOR}(?:[A-Z]|[0-9]{{1,3}}[a-z]{{2}}{_SEPARATOR}[A-Z])",
        rf"[0-9][A-Za-z]?{_SEPARATOR}[0-9][A-Z]{{2}}",
        r"ZIP|[Zz]ip|ame is|ame: |,\n|Dear |Dr\.? |M[rs]?[.s ]|Miss|Box ",
        r"[様氏殿君]|さん|[名者人] ?[:：は　]|名義|と申し|と言いま|担当[:：は]",
        PLOT.pattern,
        r"AI|GPT|Gemini|Claude|artificial|nthropic|TODO|TBD|FIXME|orem|ここ",
        r"\A[\s\p{Z}]|[\s\p{Z}]\z",
    ]
)
