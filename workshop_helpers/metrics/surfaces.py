"""Whether a text states a surface: a fact as it may be written."""

from __future__ import annotations

import itertools
import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from .figures import days, figures, says
from .folding import Folded, fold
from .numbers import ENGLISH, number
from .quantities import Quantity, quantities

Places = list[tuple[int, int]]


def states(answer: str, surface: str) -> bool:
    """Whether the answer says the surface: figures by their value, words as a whole.

    "14 days" is in "two weeks" and not in "114 days", "$5" in neither "$50" nor "$5.99", "free" not
    in "freedom" and not in "not free"; "20:00" is in "10 am to 8 pm". A range of times or dates is
    also said by its two ends apart from each other, a set of weekdays by its days, and a bare
    number by any single quantity of that value.
    """
    return bool(locate(answer, surface))


def locate(answer: str, surface: str) -> Places:
    """Where `states` finds the surface: (start, end) places in the answer; empty if nowhere."""
    wanted = figures(surface)
    if not wanted or _rest(surface, wanted):
        return _phrases(answer, surface)[0]
    places: Places = []
    for one in wanted:
        found = _locate_figure(answer, one)
        if not found:
            return []
        places += found
    return sorted(set(places))


def opposed(answer: str, surface: str) -> Places:
    """Where the answer says the words of a surface with the other yes or no: "refundable" for "not
    refundable".
    """
    return _phrases(answer, surface)[1] if _rest(surface, figures(surface)) else []


# What only joins figures: "Saturday and Sunday", "from 9:00 to 17:00".
_GLUE = re.compile(r"\b(?:to|and|or|until|through)\b|から|まで|より|と|[・、,~-]")


# What says of a figure only how nearly or how often it is meant.
_AROUND = re.compile(
    r"^(?:the|about|around|approximately|up to|at most|at least|between|every|約|およそ|最大|毎週)$"
    r"|^(?:ほど|くらい|ぐらい|程度|前後)$"
)


def _rest(text: str, found: Sequence[Quantity]) -> str:
    """The letters and digits of a text beside its figures and what joins them."""
    ends = [0, *(place for one in found for place in one.span), len(text)]
    around, between = [text[ends[0] : ends[1]], text[ends[-2] :]], list[str]()
    for start, end in zip(ends[2:-2:2], ends[3:-1:2], strict=True):
        between.append(_GLUE.sub("", fold(text[start:end]).text))
    around = [_AROUND.sub("", fold(part).text.strip()) for part in around]
    kept = "".join((*around, *between))
    return "".join(c for c in kept if not c.isspace() and unicodedata.category(c)[0] not in "PZ")


def _locate_figure(answer: str, wanted: Quantity) -> Places:
    said = figures(answer)
    hits = [one for one in said if says(one, wanted)]
    if not hits and len(wanted.value) == 2 and wanted.kind in ("clock", "date"):
        ends = ([o for o in said if says(o, _end(wanted, n))] for n in (0, 1))
        opens, closes = ends
        hits = opens + closes if opens and closes else []
    if not hits and wanted.kind == "weekday":
        named = [one for one in said if one.kind == "weekday" and not one.denied]
        named = [one for one in named if days(one) <= days(wanted) and len(one.value) == 1]
        whole = frozenset[int]().union(*map(days, named)) == days(wanted)
        hits = (
            named if whole else [o for o in said if o.kind == "weekday" and days(o) == days(wanted)]
        )
    if not hits and wanted.kind == "number" and not wanted.unit:
        words = _WORDS.finditer(fold(answer).text)  # "up to eight"
        return [fold(answer).origin(*w.span()) for w in words if (number(w[0])[0],) == wanted.value]
    return [one.span if wanted.per else (one.start, one.end) for one in hits]


_WORDS = re.compile(ENGLISH, re.ASCII)


def _end(wanted: Quantity, place: int) -> Quantity:
    return replace(wanted, value=(wanted.value[place],))


def _canonical(text: str, found: Sequence[Quantity]) -> Folded:
    """The folded text with each quantity in place of its surface as one unmistakable token."""
    folded = fold(text)
    starts, ends = [start for start, _ in folded.spans], [end for _, end in folded.spans]
    parts: list[str] = []
    spans: list[tuple[int, int]] = []
    position = 0
    for quantity in found:
        start = bisect_left(starts, quantity.start, position)
        token = f"\ue000{quantity.amount}\ue001"
        parts += [folded.text[position:start], token]
        spans += [*folded.spans[position:start], *[(quantity.start, quantity.end)] * len(token)]
        position = bisect_right(ends, quantity.end, start)
    text = "".join([*parts, folded.text[position:]])
    return Folded(text, (*spans, *folded.spans[position:]))


# A phrase without its yes or no: "is not refundable", 返金できません.
_NOT_EN = re.compile(
    r"(?:(?:is|are|was|were|do|does|must|may|can|will)\s)?"
    r"(?:(?:not|cannot|never|no longer|[a-z]{1,6}n't)\s(?:be\s)?|non-)"
)
_NOT_JA = re.compile(
    r"(?:では|じゃ)?(?:は|が)?(?:ありません|ございません|ないです|ない)$|ません(?:でした)?$|かねます$"
)
_YES_JA = re.compile(r"(?:(?<=[ぁ-ん])(?:ます|る)|です)$")
_YES_EN = re.compile(r"(?:can|may|is|are)\s(?:be\s)?")
_NO_BEFORE = re.compile(
    r"(?:(?:\bnot|n't|\bnever|\bcannot|\bno longer)\s"
    r"(?:(?:be|been|yet|currently|normally|usually|generally|always|fully|an?|the)\s){0,2}"
    r"|\bno\s(?:[a-z]+\s(?:is|are|was|were)\s)?|\bnon-?|\bun|[不非未])$",
    re.ASCII,
)
_NO_AFTER = re.compile(
    r"(?:は|が|も)?(?:では|じゃ)(?:な[いくか]|ありませ|ございませ)|(?:は|が|も)?(?:あり|ござい)ませ"
    r"|(?:て(?:い|おり))?ませ|な[いくけ](?!ど)|かね"
)


def _phrases(answer: str, surface: str) -> tuple[Places, Places]:
    """Where the words of a surface stand with its own yes or no, and where with the other one."""
    wanted = _tokens(surface)
    needle = _canonical(surface, wanted) if wanted else fold(surface)
    hay = _canonical(answer, _tokens(answer)) if wanted else fold(answer)
    places: tuple[Places, Places] = [], []
    for core, negative in _cores(needle.text):
        pattern = _phrase(core)
        for match in pattern.finditer(hay.text) if pattern else ():
            before = hay.text[max(0, match.start() - 40) : match.start()]
            after = hay.text[match.end() : match.end() + 12]
            denied = bool(_NO_BEFORE.search(before) or _NO_AFTER.match(after))
            places[denied != negative].append(hay.origin(*match.span()))
    return places


def _tokens(text: str) -> list[Quantity]:
    """The quantities of a text, and the numbers in kanji of its counts as if they were digits."""
    tokens = list(quantities(text))
    for one in figures(text):
        kanji = _KANJI_COUNT.match(one.surface)
        if one.kind == "count" and kanji:
            start, end = one.start + kanji.start(1), one.start + kanji.end(1)
            tokens.append(Quantity("number", one.value, "", kanji[1], start, end))
    return sorted(tokens, key=lambda one: one.start)


_KANJI_COUNT = re.compile("第?([〇一二三四五六七八九十百千]+)")
# A word that says no by itself, and what it denies.
_NO_WORDS = {"不要": "必要", "不可": "でき"}


def _cores(needle: str) -> list[tuple[str, bool]]:
    """The words of a phrase without its yes or no, and whether that is no; first as written, then
    as another word says the same: 不要 for 必要ありません.
    """
    needle = " ".join(needle.strip(" \t\r\n.。!?、,").split())
    core, negative = _YES_JA.sub("", needle) or needle, False
    core = (core[found.end() :] if (found := _YES_EN.match(core)) else "") or core
    if (found := _NOT_EN.match(needle)) and found.end() < len(needle):
        core, negative = needle[found.end() :], True
    elif (found := _NOT_JA.search(needle)) and found.start() > 0:
        core, negative = needle[: found.start()], True
    same = [(core, negative)]
    for one, other in (*_NO_WORDS.items(), *((yes, no) for no, yes in _NO_WORDS.items())):
        if core.endswith(one):
            same.append((core.removesuffix(one) + other, not negative))
    return same


@lru_cache(maxsize=1024)
def _phrase(needle: str) -> re.Pattern[str] | None:
    if not needle:
        return None
    for form, sign in _FORMS.items():
        needle = needle.replace(form, sign)
    body = _written(needle[0])
    for before, after in itertools.pairwise(needle):
        if after == " ":
            continue
        # Spaces in Japanese are a matter of taste, and so is は after a noun; in English spaces
        # part words.
        spaced = before.isascii() and after.isascii()
        gap = (r"\s+" if before == " " else "") if spaced else r"\s*"
        if "一" <= before <= "龥" and not after.isascii():
            gap = r"\s*[はがもをの]?"
        body += gap + _written(after)
    first, last = needle[0], needle[-1]
    left = r"(?:(?<![a-z0-9])|(?<=\bun))" if first.isascii() and first.isalnum() else ""
    right = r"(?:e?s)?(?![a-z0-9])" if last.isascii() and last.isalnum() else ""
    return re.compile(left + body + right, re.ASCII)


# Forms of a verb that say the same, each by a sign that no text holds.
_FORMS = {"でき": "\ue002", "てい": "\ue003"}
_WRITTEN = {
    "\ue002": "(?:でき|出来|いただけ|頂け|になれ|(?:いたし|致し)(?=かね))",
    "\ue003": "て(?:い|おり)",
    "-": "[- ]?",  # WiFi, check in
}


def _written(character: str) -> str:
    return _WRITTEN.get(character) or re.escape(character)
