"""Stand-ins for personal data in training rows: text of the same kind that is nobody's.

A person has the same stand-in throughout a text, and nearly always in all texts: it is drawn by a
checksum of the name. Stand-ins are no findings, so that masking twice is masking once.
"""

from __future__ import annotations

import re
from zlib import crc32

from ..spans import Span

# The names with which lawyers call persons unknown, and given names of either sex.
_FAMILY = {
    "latin": "Doe Roe Poe Loe Moe Noe Coe Boe",
    "kanji": "甲野 乙山 丙川 丁田 甲山 乙川 丙田 丁野",
    "kana": "ドウ ロウ ポウ モウ ノウ コウ ボウ ホウ",
}
_GIVEN = {
    "latin": "Alex Robin Sam Kim Lee Jamie Chris Jo",
    "kanji": "薫 歩 望 光 忍 操 渚 葵",
    "kana": "アレックス ロビン サム キム リー ジェイミー クリス ジョー",
}
_NAMES = frozenset(" ".join([*_FAMILY.values(), *_GIVEN.values()]).split())
_JOINED = re.compile(f"(?:{'|'.join(_FAMILY['kanji'].split())}) ?(?:{'|'.join(_NAMES)})?")
_KATAKANA = re.compile(r"[ァ-ヴー・=]+")
_TITLE = re.compile(r"\b(?:Mr|Mrs|Ms|Miss|Dr)\.? $")
_REGION = re.compile(r"(?:.{2,3}[都道府県])?(?:[^市郡]{1,7}[市郡])?[^市区町村]{0,6}[市区町村]")
_CITY = re.compile(r",? [A-Z][a-z]+(?: [A-Z][a-z]+)?$")
_DIGIT = re.compile("[1-9１-９]")
_NUMBERS = {"phone", "service-phone", "card", "my-number", "ssn", "postal-code"}


def is_stand_in(kind: str, text: str) -> bool:
    """Whether this personal data is a stand-in already: a name of the lists, a number of zeros."""
    if kind == "name":
        words = re.split(r"[ ・=]", text)
        return _NAMES.issuperset(word.title() for word in words) or bool(_JOINED.fullmatch(text))
    return "0" in text and not _DIGIT.search(text)


def stand_in(span: Span, text: str, taken: dict[str, str]) -> str:
    """The stand-in for a span of a text; taken: the names given out in it, by those they hide."""
    piece = text[span.start : span.end]
    if span.kind == "name":
        return _name(piece, text[: span.start], taken)
    if span.kind in ("email", "firm-email"):
        user = piece.partition("@")[0].partition("＠")[0]
        if span.kind == "email":
            user = _draw(_GIVEN["latin"], user.lower(), taken).lower()
        return f"{user}@example.com"
    if span.kind == "address":
        return _address(piece)
    if span.kind in _NUMBERS:
        return _DIGIT.sub(lambda digit: "0" if digit[0].isascii() else "０", piece)
    return span.masked


def _draw(names: str, hidden: str, taken: dict[str, str]) -> str:
    """One of the names for a hidden one, not that of another hidden one while some are left."""
    choice = names.split()
    first = crc32(hidden.encode("utf-8", "replace"))
    for step in range(len(choice)):
        name = choice[(first + step) % len(choice)]
        if taken.setdefault(name, hidden) == hidden:
            return name
    return choice[first % len(choice)]


def _name(name: str, before: str, taken: dict[str, str]) -> str:
    if name.isascii() or name[0] < "\u3000":
        return _latin(name, before, taken)
    if _KATAKANA.fullmatch(name):
        *given, family = re.split("[・=]", name)
        parts = [_draw(_GIVEN["kana"], part, taken) for part in given]
        return "・".join([*parts, _draw(_FAMILY["kana"], family, taken)])
    from .names import family_name

    family = family_name(name)
    shown = _draw(_FAMILY["kanji"], family, taken)
    rest = name[len(family) :]
    own = rest.strip()
    return shown + (rest.removesuffix(own) + _draw(_GIVEN["kanji"], own, taken) if own else "")


def _latin(name: str, before: str, taken: dict[str, str]) -> str:
    *given, family = name.split(" ")
    if not given and not _TITLE.search(before):
        alone = _draw(_GIVEN["latin"], family.lower(), taken)
        return alone.lower() if name.islower() else alone
    parts = [_draw(_GIVEN["latin"], part.lower(), taken) for part in given[:1]]
    return " ".join([*parts, _draw(_FAMILY["latin"], family.lower(), taken)])


def _address(address: str) -> str:
    if address.isascii():
        if "Box" in address:
            return _DIGIT.sub("0", address)
        city = _CITY.search(address)
        return f"0 Main Street{city[0] if city and ',' in city[0] else ''}"
    region = _REGION.match(address)
    return f"{region[0] if region else ''}中央0-0-0"
