"""Whether a text states a surface: a fact as it may be written."""

from __future__ import annotations

import itertools
import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import lru_cache

from .folding import Folded, fold
from .quantities import Quantity, quantities


def states(answer: str, surface: str) -> bool:
    """Whether the answer says the surface: quantities by kind, unit and value, words as a whole.

    "14 days" is not in "114 days", "$5" in neither "$50" nor "$5.99", "free" not in "freedom";
    "500円" is in "￥500". A clock range is also said by its two ends apart from each other, and a
    bare number by any single quantity of that value.
    """
    return bool(locate(answer, surface))


def locate(answer: str, surface: str) -> list[tuple[int, int]]:
    """Where `states` finds the surface: (start, end) places in the answer; empty if nowhere."""
    wanted = quantities(surface)
    if len(wanted) == 1 and not _rest(surface, wanted):
        return _locate_quantity(answer, wanted[0])
    needle = _canonical(surface, wanted) if wanted else fold(surface)
    pattern = _phrase(needle.text)
    if pattern is None:
        return []
    hay = _canonical(answer, quantities(answer)) if wanted else fold(answer)
    return [hay.origin(*match.span()) for match in pattern.finditer(hay.text)]


# What a number counts: "8 books", 8冊. English: any word but those that no count ends in.
_COUNTED = re.compile(
    r"[ -]?(?P<en>(?!(?:a|an|and|are|as|at|but|by|can|do|for|from|has|if|in|is|it|no|not|of|off|on"
    r"|or|our|per|so|than|that|the|then|to|until|was|were|when|will|with|you)\b)[a-z]{2,20})\b"
    r"|\s?(?P<ja>人|名|冊|点|回|個|枚|本|台|通|件|歳|才|階|番|号|倍|部|席|室|組|校|店|匹|頭|杯|箱|文字|学年|年生)",
    re.IGNORECASE,
)
_ONE_COUNTER = {"名": "人", "才": "歳", "kilograms": "kg", "kilogram": "kg", "kilos": "kg"}


def counted(text: str, number: Quantity) -> tuple[str, int] | None:
    """What the number counts in the text (singular, in lower case), and where that ends."""
    found = _COUNTED.match(text, number.end, number.end + 24)
    if found is None:
        return None
    noun = found[found.lastgroup or 0].casefold()
    noun = _ONE_COUNTER.get(noun, noun)
    return (noun.removesuffix("s") or noun), found.end()


def _rest(text: str, found: Sequence[Quantity]) -> str:
    kept = list(text)
    for quantity in found:
        kept[quantity.start : quantity.end] = " " * (quantity.end - quantity.start)
    return "".join(c for c in kept if not c.isspace() and unicodedata.category(c)[0] not in "PZ")


def _locate_quantity(answer: str, wanted: Quantity) -> list[tuple[int, int]]:
    said = quantities(answer)
    if wanted.kind == "number":
        hits = [f for f in said if f.value == wanted.value and not f.spelled]
    else:
        hits = [f for f in said if f == wanted]
    if not hits and wanted.kind == "clock" and len(wanted.value) == 2:
        clocks = [f for f in said if f.kind == "clock"]
        opens, closes = ([f for f in clocks if f.value == (end,)] for end in wanted.value)
        hits = opens + closes if opens and closes else []
    return [(f.start, f.end) for f in hits]


def _canonical(text: str, found: Sequence[Quantity]) -> Folded:
    """The folded text with each quantity in place of its surface as one unmistakable token."""
    folded = fold(text)
    starts, ends = [start for start, _ in folded.spans], [end for _, end in folded.spans]
    parts: list[str] = []
    spans: list[tuple[int, int]] = []
    position = 0
    for quantity in found:
        start = bisect_left(starts, quantity.start, position)
        token = f"\ue000{quantity.kind} {quantity.unit} {quantity.value} {quantity.spelled}\ue001"
        parts += [folded.text[position:start], token]
        spans += [*folded.spans[position:start], *[(quantity.start, quantity.end)] * len(token)]
        position = bisect_right(ends, quantity.end, start)
    text = "".join([*parts, folded.text[position:]])
    return Folded(text, (*spans, *folded.spans[position:]))


@lru_cache(maxsize=1024)
def _phrase(needle: str) -> re.Pattern[str] | None:
    needle = " ".join(needle.strip(" \t\r\n.。!?、,").split())
    if not needle:
        return None
    body = re.escape(needle[0])
    for before, after in itertools.pairwise(needle):
        if after == " ":
            continue
        # Spaces in Japanese are a matter of taste; in English they part words.
        spaced = before.isascii() and after.isascii()
        gap = (r"\s+" if before == " " else "") if spaced else r"\s*"
        body += gap + re.escape(after)
    first, last = needle[0], needle[-1]
    left = r"(?<![a-z0-9])" if first.isascii() and first.isalnum() else ""
    right = r"(?:e?s)?(?![a-z0-9])" if last.isascii() and last.isalnum() else ""
    return re.compile(left + body + right)
