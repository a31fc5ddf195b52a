"""What a text says in values, as far as scoring compares it: its quantities, and more.

More are counts and ordinals ("8 books", "third floor", 8冊), sets of weekdays ("weekdays", 土日),
rates ("30 cents a day", 1日につき30円) and denials ("not $4"). Values are compared, not texts: "14
days" and "two weeks" are one, and so are "20:00" and "8 pm".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache

from .folding import fold
from .numbers import DIGITS, ENGLISH, KANJI, number
from .quantities import UNIT, Quantity, one_unit, quantities

_ORDINALS = [
    "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth",
    "eleventh", "twelfth",
]  # fmt: skip
# Words that no count ends in: "8 of", "5 to".
_STOP = (
    "a|an|and|are|as|at|but|by|can|do|each|every|for|from|had|has|have|if|in|is|it|may|must|no|not"
    "|of|off|on|or|our|per|please|so|than|that|the|then|there|they|this|to|until|up|was|we|were"
    "|when|which|who|will|with|you|your|am|pm|past|half|hundred|thousand|percent"
)
_WORD = rf"(?!(?:{_STOP})\b)[a-z]{{1,20}}"
_COUNTERS = (
    "年生|学年|クラス|キログラム|キロ|グラム|センチ|ページ|文字|人|名|冊|点|回|個|枚|本|台|通|件|歳|才|階|番"
    "|号|倍|部|席|室|組|校|店|匹|頭|杯|箱|品|種|袋|泊|曲|問|票|か所|箇所"
)
_LABELS = (
    "room|grade|class|gate|floor|level|line|platform|bus|desk|counter|window|route|track|table"
    "|seat|hall|building|unit|chapter|lesson|locker"
)
_SAME_NOUN = {
    "metre": "m", "meter": "m", "kilometre": "km", "kilometer": "km", "centimetre": "cm",
    "centimeter": "cm", "litre": "l", "liter": "l", "megabyte": "mb", "gigabyte": "gb",
    "名": "人", "才": "歳", "学年": "年生", "キログラム": "kg", "キロ": "kg", "kilogram": "kg",
    "kilo": "kg", "グラム": "g", "gram": "g", "センチ": "cm", "person": "people",
    "child": "children",
}  # fmt: skip
_WEEK = "月火水木金土日", ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SHORT = "(?:mon|tues?|wed|thu(?:rs?)?|fri|sat|sun)"
# Beside the quantities, by kind. A count gives way to them; a day or a set of days does not.
_MORE = [
    (kind, re.compile(pattern, re.ASCII))
    for kind, pattern in (
        ("weekday", r"\bweek(?:day|end)s?\b|平日|週末|土日(?=祝|[はもをにのが、。・お休だで)]|$)"),
        (
            "weekday",
            rf"[(](?P<in>[{_WEEK[0]}])[)]|(?<![一-龥])(?P<of>[{_WEEK[0]}])"
            rf"(?=[・、,][{_WEEK[0]}](?:[・、,][{_WEEK[0]}]){{0,5}}曜)"
            rf"|(?<![一-龥])(?P<with>[{_WEEK[0]}])(?=・[{_WEEK[0]}](?![一-龥]))"
            rf"|(?<=[{_WEEK[0]}]・)(?P<last>[{_WEEK[0]}])(?![一-龥])"
            rf"|\b(?P<en>{_SHORT})(?:\.(?=\s|$)|(?=\s?(?:,|and|&|/)\s?(?:and\s)?{_SHORT}\b))"
            rf"|(?<=\band\s)(?P<and>{_SHORT})\b",
        ),
        ("nth", rf"第(?P<number>[0-9]|[一二三四五])(?P<what>[{_WEEK[0]}])曜日?"),
        ("count", rf"第?(?P<number>{DIGITS}|{KANJI})\s?(?P<what>{_COUNTERS})"),
        (
            "nth",
            rf"(?<![a-z])(?:(?P<number>[0-9]{{1,3}})(?:st|nd|rd|th)"
            rf"|(?<![0-9] )(?P<word>{'|'.join(_ORDINALS)}))[ -](?P<what>{_WORD})\b",
        ),
        # "first and third Monday", 第1・第3月曜日: the first of two
        (
            "nth",
            rf"\b(?:(?P<number>[0-9])(?:st|nd|rd|th)|(?P<word>{'|'.join(_ORDINALS)}))"
            rf"(?=\s(?:and|or|&)\s(?:[0-9](?:st|nd|rd|th)|{'|'.join(_ORDINALS)})\s(?P<what>{_WORD}))",
        ),
        (
            "nth",
            r"第(?P<number>[0-9]|[一二三四五])"
            rf"(?=(?:[・、と]第?[0-9一二三四五]){{1,4}}(?P<what>[{_WEEK[0]}])曜)",
        ),
        (
            "nth",
            rf"\b(?P<what>{_LABELS})\s(?:no\.?\s?)?(?P<number>[0-9]{{1,4}})(?![0-9]|[.,:][0-9])",
        ),
        (
            "count",
            rf"(?<![a-z_#$])(?P<number>{DIGITS}|{ENGLISH})[ -]?"
            rf"(?P<what>{_WORD}(?:[ -]{_WORD}){{0,2}})(?![a-z])",
        ),
        (
            "count",
            r"\b(?P<times>twice|once(?=\s(?:an?|per|each|every|daily|weekly|monthly|yearly)\b))",
        ),
    )
]  # fmt: skip
_RATED = ("money", "points", "percent", "number", "count")
_PER = r"(?:/|per|each|every|for\s(?:each|every))"
# What is sold by the piece: "10 cents a page".
_SOLD = (
    "(?:page|copy|sheet|person|head|child|adult|piece|item|book|ticket|visit|trip|night|class"
    "|lesson|session|seat|bag|call)"
)
_PER_AFTER = re.compile(
    rf"\s?(?:(?:{_PER}|an?)\s?(?P<unit>{UNIT}|時(?!間))"
    rf"|(?:{_PER}\s?|an?\s(?={_SOLD}\b))(?P<noun>[a-z]{{2,20}}|[人枚冊回名個台本泊])"
    r"|(?P<adverb>hourly|daily|weekly|monthly|yearly|annually))",
    re.ASCII,
)
_PER_NEXT = re.compile(rf"\s?{_PER}\s?", re.ASCII)
_PER_BEFORE = re.compile(
    r"毎(?P<every>[日週月年])$|(?P<flat>[日月年])(?:額|会費|間|々)は?$|(?<![0-9一-龥])(?P<bare>[週月年日])に?$"
    r"|\b(?:each|every)\s(?P<noun>[a-z]{2,20})\s(?:costs?|is)\s$"
    r"|\b(?P<adverb>hourly|daily|weekly|monthly|yearly|annual)\s[a-z]{1,20}(?:\s[a-z]{1,20})?"
    r"\s(?:is|costs?|of)\s$",
    re.ASCII,
)
# What joins a unit to a rate; only the first of them joins more than one of the unit.
_JOINS = re.compile(r"(?:様|さま)?(?:(?:につき|に付き|あたり|当たり|当り|ごとに?|毎に?)、?)?\s?")
_JOINS_ONE = re.compile(r"(?:様|さま)?(?:に|で|は)\s?")
_DENIED_BEFORE = re.compile(
    r"(?:\bnot|n't|\bnever|\bno longer)\s(?:(?:at|on|for|in|by|an?|the|be)\s)?$", re.ASCII
)
_DENIED_AFTER = re.compile(
    r"(?:まで|から|以内|間|分)?(?:では|じゃ)(?:な[いくかけ]|ありませ|ございませ)"
)


def figures(text: str) -> tuple[Quantity, ...]:
    """All figures of a text, in the order in which they stand.

    Beside the kinds of `quantities` there are "count" (unit: what is counted, in the singular) and
    "nth" (unit: what is numbered). `per` is the unit of a rate, which is then no figure of its own,
    and `span` the place of the figure with it; `denied`: the text says that this is not it.
    """
    return _kept(text) if len(text) <= _LONG else _figures(text)


_LONG = 10_000  # characters; what is in a longer text is not kept


def _figures(text: str) -> tuple[Quantity, ...]:
    base = dict(enumerate(quantities(text)))
    owner = {place: n for n, one in base.items() for place in range(one.start, one.end)}
    more: list[Quantity] = []
    taken = bytearray(len(text))
    for one in _more(text):
        places = range(one.start, one.end)
        within = {owner[place] for place in places if owner.get(place) in base}
        if not any(taken[one.start : one.end]) and all(_gives_way(base[n], one) for n in within):
            taken[one.start : one.end] = b"\x01" * len(places)
            for n in within:
                del base[n]
            more.append(one)
    found = (replace(one, span=(one.start, one.end)) for one in (*base.values(), *more))
    rated = _rated(text, sorted(found, key=lambda one: one.start))
    return tuple(replace(one, denied=_denied(text, one)) for one in rated)


_kept = lru_cache(maxsize=1024)(_figures)


def _more(text: str) -> Iterable[Quantity]:
    folded = fold(text)
    for kind, pattern in _MORE:
        for match in pattern.finditer(folded.text):
            groups = {name: said for name, said in match.groupdict().items() if said}
            unit, spelled = "", False
            if kind == "weekday":
                value = _days(match[0], groups)
            else:
                what = groups.get("what", "time")
                unit = " ".join(_singular(word) for word in re.split("[ -]+", what))
                value, spelled = _value(groups)
            first, last = folded.origin(*match.span())
            yield Quantity(kind, value, unit, text[first:last], first, last, spelled)


def _days(text: str, groups: dict[str, str]) -> tuple[float, ...]:
    if groups:
        (day,) = groups.values()
        return (float(_WEEK[day.isascii()].index(day[:3] if day.isascii() else day)),)
    return (5.0, 6.0) if text.startswith(("weekend", "週末", "土日")) else (0.0, 4.0)


def _value(groups: dict[str, str]) -> tuple[tuple[float, ...], bool]:
    if "times" in groups:
        return (1.0 if groups["times"] == "once" else 2.0,), True
    if "word" in groups:
        return (_ORDINALS.index(groups["word"]) + 1.0,), True
    value, spelled = number(groups["number"])
    return (value,), spelled


def _singular(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        word = word[:-3] + "y"
    elif word.endswith(("sses", "xes", "ches", "shes")):
        word = word[:-2]
    elif word.endswith("s") and not word.endswith("ss"):
        word = word[:-1]
    return _SAME_NOUN.get(word, word)


def _gives_way(quantity: Quantity, one: Quantity) -> bool:
    """Whether a quantity is only a part of what was found: the number of a count, a day of a set
    of days or of a numbered day.
    """
    of_days = one.kind in ("weekday", "nth") and quantity.kind in ("weekday", "duration")
    covered = one.start <= quantity.start and quantity.end <= one.end
    return quantity.kind == "number" or (of_days and covered)


def _rated(text: str, found: Sequence[Quantity]) -> list[Quantity]:
    """The figures with their rates; a figure that is only the unit of a rate goes into it."""
    rated: list[Quantity] = []
    for one in found:
        last = rated[-1] if rated else None
        gap = _between(text, last.span[1], one.start) if last and last.kind in _RATED else ""
        if last and gap and _is_unit(one) and _PER_NEXT.fullmatch(gap):
            rated[-1] = _at(last, _unit_key(one), last.span[0], one.end)
            continue
        if one.kind in _RATED:
            one = _per_after(text, one)
            while rated and _joins(_between(text, rated[-1].end, one.span[0]), rated[-1]):
                unit = rated.pop()
                one = _at(one, _unit_key(unit), unit.start, one.span[1])
            one = one if one.per else _per_before(text, one)
        rated.append(one)
    return rated


def _at(one: Quantity, unit: str, start: int, end: int) -> Quantity:
    return replace(one, per=one.per | {unit}, span=(start, end))


def _between(text: str, start: int, end: int) -> str:
    return fold(text[start:end]).text if end - start < 16 else "…"


def _is_unit(one: Quantity) -> bool:
    return one.kind in ("duration", "count") and len(one.value) == 1 and not one.per


def _joins(gap: str, unit: Quantity) -> bool:
    if not _is_unit(unit):
        return False
    if unit.unit.isascii() and unit.kind == "count":
        return False
    if _JOINS.fullmatch(gap):
        return bool(gap.strip()) or not unit.surface.isascii()
    return unit.value == (1.0,) and bool(_JOINS_ONE.fullmatch(gap))


def _unit_key(unit: Quantity) -> str:
    scale, values = unit.amount
    return f"{scale if unit.kind == 'duration' else unit.unit} {values[0]:g}"


def _per_after(text: str, one: Quantity) -> Quantity:
    end = one.end
    after = fold(text[end : end + 40])
    while match := _PER_AFTER.match(after.text):
        end += after.origin(0, match.end())[1]
        unit = _key_of(match["unit"] or match["adverb"], match["noun"])
        one = _at(one, unit, one.start, end)
        after = fold(text[end : end + 40])
    return one


def _per_before(text: str, one: Quantity) -> Quantity:
    from_ = max(0, one.start - 48)
    before = fold(text[from_ : one.start])
    match = _PER_BEFORE.search(before.text)
    if match is None or (match["bare"] and one.kind not in ("count", "money")):
        return one
    apart = match["adverb"] or match["noun"]  # words stand between it and the figure
    start = one.start if apart else from_ + before.origin(*match.span())[0]
    said = match["every"] or match["flat"] or match["bare"] or match["adverb"]
    return _at(one, _key_of(said, match["noun"]), start, one.end)


_NAMED_UNITS = {
    "hourly": "hour", "daily": "day", "weekly": "week", "monthly": "month", "yearly": "year",
    "annually": "year", "annual": "year", "時": "hour", "日": "day", "週": "week", "月": "month",
    "年": "year",
}  # fmt: skip


def _key_of(unit: str | None, noun: str | None) -> str:
    if unit is None:
        return f"{_singular(noun or '')} 1"
    scale, factor = one_unit(_NAMED_UNITS.get(unit, unit))
    return f"{scale} {factor:g}"


def _denied(text: str, one: Quantity) -> bool:
    before = fold(text[max(0, one.start - 24) : one.start]).text
    after = fold(text[one.end : one.end + 16]).text
    return bool(_DENIED_BEFORE.search(before) or _DENIED_AFTER.match(after))


def with_rate(text: str, one: Quantity, others: Iterable[Quantity]) -> Quantity:
    """The figure with its rate as its surface where one of the others, of its kind, has a rate."""
    if not one.per or not any(other.per and other.kind == one.kind for other in others):
        return one
    start, end = one.span
    return replace(one, start=start, end=end, surface=text[start:end])


def says(said: Quantity, wanted: Quantity) -> bool:
    """Whether what is said states what is wanted: the same value, or a range that ends in it."""
    if said.denied or not wanted.per <= said.per:
        return False
    if wanted.kind == "number" and not wanted.unit:
        return said.value == wanted.value and said.kind not in ("weekday", "date")
    if said.kind != wanted.kind:
        return False
    if wanted.kind in ("count", "nth"):
        return said.value == wanted.value and _alike(said.unit, wanted.unit)
    if wanted.kind in ("clock", "date") and len(wanted.value) == 1:
        return any(_same_point(wanted, end, wanted.value[0]) for end in said.value)
    if wanted.kind == "weekday":  # the weekend names its two days; a longer range names none
        return days(said) == days(wanted) or days(wanted) < days(said) == {5, 6}
    if wanted.kind == "date":
        return len(said.value) == len(wanted.value) and all(
            _same_point(wanted, a, b) for a, b in zip(said.value, wanted.value, strict=True)
        )
    return said.amount == wanted.amount


def is_known(said: Quantity, known: Sequence[Quantity]) -> bool:
    """Whether known figures cover what is said: its value, one or both of its ends, all its days;
    for bare numbers and counts the same number of anything.
    """
    if said.kind == "weekday":
        return days(said) <= frozenset[int]().union(
            *(days(k) for k in known if k.kind == "weekday")
        )
    return any(_knows(one, said) for one in known)


def _knows(known: Quantity, said: Quantity) -> bool:
    if not (said.per <= known.per or known.per <= said.per):
        return False
    if said.kind == "nth" and known.kind == "nth" and not _alike(said.unit, known.unit):
        return False
    if said.kind in ("number", "count", "nth"):
        return said.value == known.value and known.kind not in ("weekday", "date", "clock")
    if said.kind != known.kind:
        return False
    if said.kind in ("clock", "date"):
        return all(any(_same_point(said, a, b) for b in known.value) for a in said.value)
    (kind, values), (known_kind, known_values) = said.amount, known.amount
    if kind != known_kind:
        return False
    return values == known_values or (len(values) == 1 and values[0] in known_values)


def rivals(said: Quantity, wanted: Quantity) -> bool:
    """Whether what is said would stand in the place of what is wanted."""
    if said.kind != wanted.kind or wanted.kind == "number":
        return False
    if said.kind in ("count", "nth"):
        return _alike(said.unit, wanted.unit)
    # "Monday to Saturday" does not deny that Sunday is the closed day; another day does.
    return said.kind != "weekday" or len(said.value) == len(wanted.value)


def days(one: Quantity) -> frozenset[int]:
    """The weekdays, from 0 (Monday), that a figure of that kind names."""
    first, last = int(one.value[0]), int(one.value[-1])
    return frozenset(
        range(first, last + 1) if first <= last else {*range(first, 7), *range(last + 1)}
    )


def _alike(one: str, other: str) -> bool:
    return bool(set(one.split()) & set(other.split()))


def _same_point(of: Quantity, one: float, other: float) -> bool:
    if of.kind == "date" and 0 in (one // 10000, other // 10000):
        one, other = one % 10000, other % 10000  # any year
    return one == other and (one > 0 or of.kind == "clock")
