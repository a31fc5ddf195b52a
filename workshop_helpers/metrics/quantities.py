"""Which quantities a text states: amounts, durations, times, dates, in English and Japanese.

Two texts say the same quantity when kind, unit and value agree, however they write it: "￥500" and
"500円", "3-5 business days" and "between 3 and 5 working days", "9:00" and "9時". Nothing is
converted: "12か月" is not "1年", "14 days" is not "2 weeks", and a number word ("two weeks") is not
the digit, unless a fact lists that surface too.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from ..core.wordings import LANGUAGES
from .folding import fold


@dataclass(frozen=True)
class Quantity:
    """One quantity of a text.

    kind: money, duration, percent, clock, points, weekday, date or number.
    value: one number, or two for a range; clock times in minutes after midnight, weekdays from 0
    (Monday). unit: USD, JPY…; second … year, business_day; "" where there is none.
    surface: as the text writes it, at text[start:end]. spelled: written as a word ("two weeks").
    Quantities are equal when kind, value, unit and spelled are.
    """

    kind: str
    value: tuple[float, ...]
    unit: str
    surface: str = field(compare=False)
    start: int = field(default=0, compare=False)
    end: int = field(default=0, compare=False)
    spelled: bool = False

    @property
    def amount(self) -> tuple[str, tuple[float, ...]]:
        """What it amounts to, conversions done: "14 days" and "two weeks" have equal amounts."""
        if self.kind == "duration":
            unit = _UNITS[self.unit]
            return unit.scale, tuple(round(v * unit.factor, 6) for v in self.value)
        if self.kind == "money":
            return f"money {self.unit}", self.value
        return self.kind, self.value


_THREE = "[0-9]{3}(?![0-9])"
# A comma parts thousands only before three digits; in "10,14日" it parts two quantities.
_DIGITS = (
    rf"(?<![0-9])(?<![0-9]\.)(?!(?<=[0-9],){_THREE})"
    rf"(?:[0-9]{{1,3}}(?:,[0-9]{{3}})+|[0-9]+)(?:\.[0-9]+)?(?![0-9]|\.[0-9]|,{_THREE})"
)
_MIXED = rf"(?:{_DIGITS}(?:[万千百](?:[0-9]+千?)?)?)"
_KANJI = r"(?:(?<![第統唯均単同〇一二三四五六七八九十百千万])[〇一二三四五六七八九十百千万]+)"
_ONES = [
    "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
]  # fmt: skip
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_WEEK_EN = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_WORDS = {word: n for n, word in enumerate(_ONES, 1)} | {w: 10 * n for n, w in enumerate(_TENS, 2)}
_ENGLISH = (
    rf"(?:\b(?:(?:a|one)[ -]hundred|(?:{'|'.join(_TENS)})(?:[ -](?:{'|'.join(_ONES[:9])}))?"
    rf"|{'|'.join(sorted(_ONES, key=len, reverse=True))})\b)"
)
_NUMBER = rf"(?:{_MIXED}|{_ENGLISH}|{_KANJI})"
_TO = r"\s*(?:-|~|to\b|or\b|and\b|through\b|から|より|、)\s*"


def _number(text: str) -> tuple[float, bool]:
    """The number in a piece of folded text, and whether it is written without digits."""
    text = text.replace(",", "")
    if not text[0].isascii():
        return _kanji_number(text), True
    if text[0].isalpha():
        words = re.split(r"[ -]", text)
        return (100.0 if "hundred" in words else float(sum(_WORDS[w] for w in words))), True
    parts = re.findall(r"([0-9.]+)([万千百]?)", text)
    return sum((float(n) * unicodedata.numeric(scale or "1") for n, scale in parts), 0.0), False


def _kanji_number(text: str) -> float:
    if not set(text) & set("十百千万"):  # 一二 written place by place
        return float("".join(str(int(unicodedata.numeric(c))) for c in text))
    *ten_thousands, rest = map(_below_ten_thousand, text.split("万"))
    return sum((n or 1) * 10000 for n in ten_thousands) + rest


def _below_ten_thousand(text: str) -> float:
    places = re.findall("([〇一二三四五六七八九]?)([十百千]|$)", text)
    value = unicodedata.numeric  # the text 十 alone is one ten, and nothing at the end is none
    return sum((value(n or "〇") or bool(ten)) * value(ten or "一") for n, ten in places)


def _numbers(*texts: str) -> tuple[tuple[float, ...], bool]:
    """The numbers of some pieces, and whether one of them is written without digits."""
    numbers, spelled = zip(*map(_number, texts), strict=True)
    return numbers, any(spelled)


class _Unit(NamedTuple):
    pattern: str
    scale: str  # durations of different scales are never equal
    factor: float  # how much of the scale it is


_UNITS = {
    "business_day": _Unit(
        r"(?:business|working)[ -]days?\b|workdays?\b|営業日間?", "business days", 1
    ),
    "week": _Unit(r"weeks?\b|週間|週(?![一-九0-9末明])", "time", 10080),
    "month": _Unit(r"months?\b|[かカヶヵケ箇個]月間?", "months", 1),
    "year": _Unit(r"years?\b|yrs?\b|年間?(?![0-9生月中])", "months", 12),
    "hour": _Unit(r"hours?\b|hrs?\b|h\b|時間", "time", 60),
    "minute": _Unit(r"minutes?\b|mins?\b|分間?(?!の[0-9一-九])", "time", 1),
    "second": _Unit(r"seconds?\b|secs?\b|秒間?", "time", 1 / 60),
    "day": _Unit(r"(?:calendar )?days?\b|日間?(?![曜本常程市]|月(?!曜))", "time", 1440),
}
_UNIT = f"(?:{'|'.join(unit.pattern for unit in _UNITS.values())})"
# "14-day returns", "14 (fourteen) days", "14　日"
_JOIN = r"\s*(?:\([^()]{1,20}\)\s*)?-?\s*"


def _unit_of(text: str) -> str:
    return next(name for name, unit in _UNITS.items() if re.fullmatch(unit.pattern, text))


class _Found(NamedTuple):
    """A match of a pattern; with the `kind` "" it is not a quantity and is skipped."""

    kind: str
    value: tuple[float, ...] = ()
    unit: str = ""
    spelled: bool = False


_Builder = Callable[["re.Match[str]"], "_Found | None"]
_PATTERNS: list[tuple[re.Pattern[str], _Builder]] = []


def _pattern(regex: str) -> Callable[[_Builder], _Builder]:
    """Register a way to write a quantity; earlier ones win where two overlap."""

    def register(builder: _Builder) -> _Builder:
        # White space is bounded, or a long run of it costs quadratic time.
        bounded = regex.replace(r"\s*", r"\s{0,3}").replace(r"\s+", r"\s{1,3}")
        # ASCII: a word border stands between "days" and です.
        _PATTERNS.append((re.compile(bounded, re.ASCII), builder))
        return builder

    return register


@_pattern(
    # addresses, version numbers
    r"https?://\S+|[\w.+-]{1,64}@[\w-]{1,64}\.[\w.-]{2,64}|\b[0-9]+(?:\.[0-9]+){2,}\b"
    # 1. 2) (3)
    r"|(?m:^)[ \t]{0,9}(?:[-*・#>][ \t]{0,3}){0,5}(?:\*\*)?\(?[0-9]{1,2}"
    r"(?:[.)](?=\s|[^0-9])|、(?![0-9]))"
    r"|\((?:[0-9])\)(?=\s*[^\s0-9.,;!?。、])"
    rf"|\b(?:step|no\.|option|tip|point|note)\s?[0-9]{{1,2}}(?![0-9a-z]|[.,][0-9]|\s*-?\s*(?:{_UNIT}|%))"
    rf"|(?:ステップ|手順|その|第|方法|注)[0-9]{{1,2}}(?![0-9,.]|\s*(?:{_UNIT}|[%円時月]|ポイント))"
    r"|\b[qa][0-9]{1,2}\b"
    r"|[0-9一二三四五六七八九]つ|[1-3]度(?!目|[以前後])"  # counters of things, not of promises
    r"|(?<![0-9])[0-9]+分の[0-9]+"
    r"|一日(?:も早|でも早|中|のうち)|(?<![0-9一-九十百])十分(?!間|以内|後|前|ほど|程|で(?:お|届|届け))"
    r"|一年中|一時(?!間)|一分(?:一秒|の)"
)
def _nothing(match: re.Match[str]) -> _Found:
    return _Found("")


@_pattern(r"(?<![0-9-])\+?[0-9]{1,4}(?:-[0-9]{2,4}){1,2}-[0-9]{3,4}(?![0-9-])")
def _telephone(match: re.Match[str]) -> _Found:
    return _Found("number", _digits(match), "telephone")


@_pattern(r"(?<![0-9])24/7(?![0-9])")
def _always(match: re.Match[str]) -> _Found:
    return _Found("clock", (0.0, 1440.0))


@_pattern(
    r"(?<![0-9])(?:[0-9]{4}年)?[0-9]{1,2}月(?!間)(?:[0-9]{1,2}日)?"
    rf"(?:{_TO}(?:[0-9]{{1,2}}月)?[0-9]{{1,2}}日)?|(?<![0-9])(?:19|20)[0-9]{{2}}年(?!間)"
    r"|(?<![0-9])[0-9]{4}[-/][0-9]{1,2}[-/][0-9]{1,2}(?![0-9])|(?<![0-9/])[0-9]{1,2}/[0-9]{1,2}(?![0-9/])"
    r"|(?<=毎月)[0-9]{1,2}日"
)
def _date(match: re.Match[str]) -> _Found:
    return _Found("date", _digits(match))


def _digits(match: re.Match[str]) -> tuple[float, ...]:
    return tuple(map(float, re.findall("[0-9]+", match[0])))


def _time(i: int) -> str:
    return (
        rf"(?:(?P<part{i}>午前|午後|朝|昼|夕方|夜)の?\s*)?"
        rf"(?<![0-9.,$¥])(?<![0-9]:)(?P<hour{i}>[0-9]{{1,2}}|(?<=午[前後])[一二三四五六七八九十]+)"
        rf"(?:(?P<mark{i}>:(?P<minute{i}>[0-5][0-9])(?![0-9])"
        rf"|時(?!間)(?:(?P<min{i}>[0-9]{{1,2}})分|(?P<half{i}>半))?))?"
        rf"(?:\s*(?P<half_day{i}>[ap]\.?m\b\.?|o'?clock\b))?"
    )


# What may not follow a clock time: the unit that makes "1:30日" an item and a duration.
_NO_UNIT = r"(?![0-9]|[.,:][0-9]|\s*(?:%|円|\$|日|営業|週|か月|年|ポイント))"


def _minutes(match: re.Match[str], i: int, *, half_day: str | None = None) -> float | None:
    hour = _number(match[f"hour{i}"])[0]
    minute = int(match[f"minute{i}"] or match[f"min{i}"] or (30 if match[f"half{i}"] else 0))
    part = match[f"part{i}"] or ""
    half = (match[f"half_day{i}"] or half_day or "").replace(".", "")
    if hour > 24 or (half in ("am", "pm") and not 1 <= hour <= 12 and not match[f"mark{i}"]):
        return None
    if (half == "pm" or part in ("午後", "夕方", "夜")) and hour < 12:
        hour += 12
    if half == "am" and hour == 12:
        hour = 0
    return hour * 60 + minute


@_pattern(
    rf"(?P<between>\bbetween\s+)?{_time(1)}\s*(?P<to>-|~|to\b|until\b|till\b|through\b|and\b|から|より)\s*"
    rf"{_time(2)}{_NO_UNIT}"
)
def _clock_range(match: re.Match[str]) -> _Found | None:
    if (match["to"] == "and") != bool(match["between"]):
        return None
    signs = [match["mark1"] or match["half_day1"], match["mark2"] or match["half_day2"]]
    if not any(signs) or not (signs[1] or match["half_day1"] or match["part2"]):
        return None
    opens, closes = _minutes(match, 1), _minutes(match, 2)
    if opens is not None and closes is not None and not signs[0] and match["half_day2"]:
        # "1-5 pm" is all in the afternoon; "9 to 6 pm" begins in the morning.
        shared = _minutes(match, 1, half_day=match["half_day2"])
        opens = shared if shared is not None and shared < closes else opens
    if opens is None or closes is None:
        return None
    return _Found("clock", (opens, closes))


@_pattern(rf"{_time(1)}{_NO_UNIT}")
def _clock(match: re.Match[str]) -> _Found | None:
    if not (match["mark1"] or match["half_day1"]):
        return None
    minutes = _minutes(match, 1)
    return None if minutes is None else _Found("clock", (minutes,))


@_pattern(r"(?:12\s*)?\b(?:noon|midnight)\b|正午")
def _noon(match: re.Match[str]) -> _Found:
    return _Found("clock", (0.0 if "midnight" in match[0] else 720.0,))


@_pattern(
    rf"(?P<hours>{_MIXED})\s*(?:時間|hours?\b|hrs?\b)\s*(?:and\s*)?(?P<minutes>{_MIXED})\s*(?:分|minutes?\b|mins?\b)"
)
def _hours_minutes(match: re.Match[str]) -> _Found:
    (hours, minutes), _ = _numbers(match["hours"], match["minutes"])
    return _Found("duration", (hours * 60 + minutes,), "minute")


@_pattern(
    rf"(?P<between>\bbetween\s+)?(?P<low>{_NUMBER})(?:{_JOIN}(?P<unit1>{_UNIT}))?(?P<to>{_TO})"
    rf"(?P<high>{_NUMBER}){_JOIN}(?P<unit2>{_UNIT})"
)
def _duration_range(match: re.Match[str]) -> _Found | None:
    unit = _unit_of(match["unit2"])
    if match["unit1"] and _unit_of(match["unit1"]) != unit:
        return None
    to = match["to"].strip()
    if (to == "and") != bool(match["between"]):
        return None
    (low, high), spelled = _numbers(match["low"], match["high"])
    # "2、3日" is a range of neighbours; "10、14日" are two items of a list.
    if low >= high or (to == "、" and high - low != 1):
        return None
    return _Found("duration", (low, high), unit, spelled)


@_pattern(rf"(?P<number>{_NUMBER}){_JOIN}(?P<unit>{_UNIT})(?P<half>半)?")
def _duration(match: re.Match[str]) -> _Found | None:
    unit = _unit_of(match["unit"])
    value, spelled = _number(match["number"])
    if spelled and unit == "second":  # "one second, please"
        return None
    return _Found("duration", (value + 0.5 if match["half"] else value,), unit, spelled)


@_pattern(
    rf"\ban?\s+(?P<unit_t>{_UNIT})\s+or\s+two\b"
    rf"|\b(?P<couple>a couple(?: of)?)\s+(?P<unit_c>{_UNIT})"
    rf"|\b(?:within|in|for|after|takes?|about|around|under|over|than|least|lasts?|most|to)\s+"
    rf"(?P<quantity>an?\s+(?P<unit>{_UNIT}))(?!\s+or\s+two\b)"
    rf"|\bhalf\s+(?:an?\s+)(?P<unit_h>{_UNIT})|半(?P<unit_j>日|年|月)"
)
def _one_or_half(match: re.Match[str]) -> _Found | None:
    if match["couple"]:
        return _Found("duration", (2.0,), _unit_of(match["unit_c"]), True)
    if half := match["unit_h"] or match["unit_j"]:
        return _Found("duration", (0.5,), "month" if half == "月" else _unit_of(half), True)
    unit = _unit_of(match["unit_t"] or match["unit"])
    if unit in ("second", "minute"):  # "in a minute", "takes a second": manners of speaking
        return None
    return _Found("duration", (1.0, 2.0) if match["unit_t"] else (1.0,), unit, True)


_CURRENCIES = {
    "JPY": ("¥", "円", "yen", "jpy"),
    "USD": ("$", "usd", "us$", "dollar", "dollars", "buck", "bucks"),
    "EUR": ("€", "eur", "euro", "euros"),
    "GBP": ("£", "gbp", "pound", "pounds"),
    "cents": ("cent", "cents", "¢"),
}
_CURRENCY = {sign: unit for unit, signs in _CURRENCIES.items() for sign in signs}
_BEFORE = r"(?:(?<![a-z])us\$|[$€£¥]|(?<![a-z])(?:usd|jpy|eur|gbp)\b)"
_AFTER = r"(?:円|¢|(?:yen|jpy|dollars?|bucks?|usd|cents?|euros?|eur|pounds?|gbp)\b)"


# The range is the lower one: it is registered first, and wins where both match.
@_pattern(rf"(?P<b1>{_BEFORE})\s*(?P<n1>{_MIXED})(?:\s*円)?|(?P<n2>{_NUMBER})\s*(?P<a2>{_AFTER})")
@_pattern(
    rf"(?P<b1>{_BEFORE})\s*(?P<n1>{_MIXED})(?:\s*円)?\s*(?:-|~|to\b|から)\s*(?P<b2>{_BEFORE})?\s*"
    rf"(?P<n2>{_MIXED})(?!\s*(?:%|[-~]?\s*{_UNIT}|ポイント|points?))"
    rf"|(?P<n3>{_NUMBER})\s*(?P<a3>{_AFTER})?\s*(?:-|~|to\b|から)\s*"
    rf"(?P<n4>{_NUMBER})\s*(?P<a4>{_AFTER})"
)
def _money(match: re.Match[str]) -> _Found | None:
    groups = {name: text for name, text in match.groupdict().items() if text}
    # b… come before a number, a… after it
    units = {_CURRENCY[text] for name, text in groups.items() if name[0] in "ab"}
    if len(units) != 1:
        return None
    unit = units.pop()
    values, spelled = _numbers(*(text for name, text in groups.items() if name[0] == "n"))
    if unit == "cents":
        unit, values = "USD", tuple(round(value / 100, 6) for value in values)
    return _Found("money", values, unit, spelled)


_PERCENT = r"%|percent\b|per cent\b|パーセント"


@_pattern(
    rf"(?P<low>{_NUMBER})\s*%?(?P<to>{_TO})(?P<high>{_NUMBER})\s*(?P<unit>{_PERCENT})"
    rf"|(?P<number>{_NUMBER})\s*(?P<unit2>{_PERCENT}|割(?!合|り算|れ))"
)
def _percent(match: re.Match[str]) -> _Found | None:
    if match["number"]:
        value, spelled = _number(match["number"])
        tenths = match["unit2"] == "割"
        return _Found(
            "percent", (value * 10 if tenths else value,), "割" if tenths else "", spelled
        )
    if match["to"].strip() not in ("-", "~", "to", "から", "より"):
        return None
    ends, spelled = _numbers(match["low"], match["high"])
    return _Found("percent", ends, "", spelled)


@_pattern(
    rf"(?P<quantity>(?P<number>{_NUMBER})[ \t-]*(?:ポイント|points?\b|pts?\b))"
    r"(?P<rate>\s*(?:per|for (?:every|each))\b)?"
)
def _points(match: re.Match[str]) -> _Found | None:
    value, spelled = _number(match["number"])
    if spelled and match["number"].isascii() and not match["rate"]:  # "one point to keep in mind"
        return None
    return _Found("points", (value,), "", spelled)


_WEEK_JA = "月火水木金土日"
_DAY_EN = rf"(?:{'|'.join(_WEEK_EN)})s?"
_DAY_SHORT = rf"(?:{_DAY_EN}|mon|tues?|wed|thu(?:rs?)?|fri|sat|sun)\.?"


def _day(name: str) -> float:
    if name[0] in _WEEK_JA:
        return float(_WEEK_JA.index(name[0]))
    return float(next(n for n, day in enumerate(_WEEK_EN) if day.startswith(name[:3])))


@_pattern(
    rf"\b(?P<e1>{_DAY_SHORT})\s*(?:-|~|to\b|through\b)\s*(?P<e2>{_DAY_SHORT})(?![a-z])|\b(?P<e>{_DAY_EN})\b"
    rf"|(?<![0-9])(?P<j1>[{_WEEK_JA}])(?:曜日?)?\s*(?:-|~|から)\s*(?P<j2>[{_WEEK_JA}])曜日?"
    r"|(?<![0-9一-九かヶヵカ毎今来先翌])(?P<j3>[月火水木金土])[-~](?P<j4>[火水木金土日])(?![一-龥])"
    rf"|(?<![0-9一-九])(?P<j>[{_WEEK_JA}])曜日?"
)
def _weekday(match: re.Match[str]) -> _Found:
    names = [name for name in match.groups() if name]
    return _Found("weekday", tuple(map(_day, names)))


@_pattern(
    r"(?<![0-9一-九])[土日](?=日(?:祝|は|も|を|に|の|が|、|・|お|休|$)|・[月火水木金土日]曜)|(?<=土)日(?=祝|は|も|を|に|の|が|、|・|お|休|$)"
)
def _weekend(match: re.Match[str]) -> _Found:
    return _Found("weekday", (_day(match[0]),))


@_pattern(
    rf"(?<![a-z_#])(?P<low>{_DIGITS})\s*[-~]\s*(?P<high>{_DIGITS})(?![a-z])"
    rf"|(?<![a-z_])(?<![a-z_]-)(?P<number>{_MIXED})(?P<ordinal>st|nd|rd|th)?(?![a-z])"
)
def _bare(match: re.Match[str]) -> _Found:
    named = [match["number"]] if match["number"] else [match["low"], match["high"]]
    return _Found("number", _numbers(*named)[0])


def quantities(text: str, language: str | None = None) -> list[Quantity]:
    """The quantities of a text, in the order in which they stand.

    language: "en" or "ja" passes over the number words of the other one; None reads both. Numbers
    that only count lines or things (list numbers, "step 2", "1つ"), parts of names ("A4") and
    idioms ("one more thing", "一度", "十分に") are not quantities; digits without a unit are
    of kind "number".
    """
    found = _kept(text) if len(text) <= _LONG else _quantities(text)
    if language not in LANGUAGES:
        return list(found)
    words = language == "en"
    return [f for f in found if not f.spelled or fold(f.surface).text[0].isascii() == words]


_LONG = 10_000  # characters; what is in a longer text is not kept


def _quantities(text: str) -> tuple[Quantity, ...]:
    folded = fold(text)
    taken = bytearray(len(folded.text))
    found: list[Quantity] = []
    for pattern, build in _PATTERNS:
        position = 0
        while match := pattern.search(folded.text, position):
            start, end = match.span("quantity" if match.groupdict().get("quantity") else 0)
            result = None if any(taken[start:end]) else build(match)
            if result is None:
                position = match.start() + 1
                continue
            position = end
            taken[start:end] = b"\x01" * (end - start)
            if result.kind:
                first, last = folded.origin(start, end)
                kind, value, unit, spelled = result
                found.append(Quantity(kind, value, unit, text[first:last], first, last, spelled))
    return tuple(sorted(found, key=lambda one: one.start))


_kept = lru_cache(maxsize=1024)(_quantities)
