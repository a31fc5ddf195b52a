"""Numbers as people write them, in English and Japanese: digits, words, and 万 between digits."""

from __future__ import annotations

import re
import unicodedata

_THREE = "[0-9]{3}(?![0-9])"
# A comma parts thousands only before three digits; in "10,14日" it parts two quantities.
DIGITS = (
    rf"(?<![0-9])(?<![0-9]\.)(?!(?<=[0-9],){_THREE})"
    rf"(?:[0-9]{{1,3}}(?:,[0-9]{{3}})+|[0-9]+)(?:\.[0-9]+)?(?![0-9]|\.[0-9]|,{_THREE})"
)
MIXED = rf"(?:{DIGITS}(?:[万千百](?:[0-9]+千?)?)?)"
KANJI = r"(?:(?<![第統唯均単同〇一二三四五六七八九十百千万])[〇一二三四五六七八九十百千万]+)"
_ONES = [
    "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
]  # fmt: skip
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_WORDS = {word: n for n, word in enumerate(_ONES, 1)} | {w: 10 * n for n, w in enumerate(_TENS, 2)}
_SMALL = (
    rf"(?:(?:{'|'.join(_TENS)})(?:[ -](?:{'|'.join(_ONES[:9])}))?"
    rf"|{'|'.join(sorted(_ONES, key=len, reverse=True))})"
)
_HUNDREDS = rf"(?:(?:a|{'|'.join(_ONES[:9])})[ -]hundred(?:(?:[ -]and)?[ -]{_SMALL})?)"
ENGLISH = (
    rf"(?:\b(?:(?:(?:{_SMALL}|a)[ -]thousand(?:(?:[ -]and)?[ -](?:{_HUNDREDS}|{_SMALL}))?)"
    rf"|{_HUNDREDS}|{_SMALL})\b)"
)
HOUR = rf"(?:[0-9]{{1,2}}|\b(?:{'|'.join(sorted(_ONES[:12], key=len, reverse=True))})\b)"
NUMBER = rf"(?:{MIXED}|{ENGLISH}|{KANJI})"


def number(text: str) -> tuple[float, bool]:
    """The number in a piece of folded text, and whether it is written without digits."""
    text = text.replace(",", "")
    if not text[0].isascii():
        return _kanji_number(text), True
    if text[0].isalpha():
        return _english_number(re.split(r"[ -]", text)), True
    parts = re.findall(r"([0-9.]+)([万千百]?)", text)
    return sum((float(n) * unicodedata.numeric(scale or "1") for n, scale in parts), 0.0), False


def _english_number(words: list[str]) -> float:
    thousands = below = 0
    for word in words:
        if word == "hundred":
            below = 100 * (below or 1)
        elif word == "thousand":
            thousands, below = 1000 * (below or 1), 0
        else:
            below += _WORDS.get(word, 0)  # "a" and "and" add nothing
    return float(thousands + below)


def _kanji_number(text: str) -> float:
    if not set(text) & set("十百千万"):  # 一二 written place by place
        return float("".join(str(int(unicodedata.numeric(c))) for c in text))
    *ten_thousands, rest = map(_below_ten_thousand, text.split("万"))
    return sum((n or 1) * 10000 for n in ten_thousands) + rest


def _below_ten_thousand(text: str) -> float:
    places = re.findall("([〇一二三四五六七八九]?)([十百千]|$)", text)
    value = unicodedata.numeric  # the text 十 alone is one ten, and nothing at the end is none
    return sum((value(n or "〇") or bool(ten)) * value(ten or "一") for n, ten in places)


def numbers(*texts: str) -> tuple[tuple[float, ...], bool]:
    """The numbers of some pieces, and whether one of them is written without digits."""
    values, spelled = zip(*map(number, texts), strict=True)
    return values, any(spelled)
