"""Which quantities a text states: amounts, durations, times, dates, in English and Japanese.

Quantities are equal when kind, unit and value agree, however they are written: "￥500" and "500円",
"3-5 business days" and "between 3 and 5 working days", "20:00" and "8 pm". Their `amount` has units
converted and number words read: "14 days" and "two weeks" amount to the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from ..core.wordings import LANGUAGES
from .folding import fold
from .numbers import DIGITS, HOUR, MIXED, NUMBER, number, numbers


@dataclass(frozen=True)
class Quantity:
    """One quantity of a text.

    kind: money, duration, percent, clock, points, weekday, date or number.
    value: one number, or two for a range; clock times in minutes after midnight, weekdays from 0
    (Monday), dates as 20270331, with 0 for a year, month or day that is not said. unit: USD, JPY…;
    second … year, business_day; "" where there is none.
    surface: as the text writes it, at text[start:end]. spelled: written as a word ("two weeks").
    per, denied, span (with the rate): see `figures`.
    Quantities are equal when kind, value, unit and spelled are.
    """

    kind: str
    value: tuple[float, ...]
    unit: str
    surface: str = field(compare=False)
    start: int = field(default=0, compare=False)
    end: int = field(default=0, compare=False)
    spelled: bool = False
    per: frozenset[str] = field(default=frozenset(), compare=False)
    denied: bool = field(default=False, compare=False)
    span: tuple[int, int] = field(default=(0, 0), compare=False)

    @property
    def amount(self) -> tuple[str, tuple[float, ...]]:
        """What it amounts to, conversions done: "14 days" and "two weeks" have equal amounts."""
        if self.kind == "duration":
            unit = _UNITS[self.unit]
            return unit.scale, tuple(round(v * unit.factor, 6) for v in self.value)
        if self.kind == "money":
            return f"money {self.unit}", self.value
        return self.kind, self.value


_TO = r"\s*(?:-|~|to\b|or\b|and\b|through\b|から|より|、)\s*"


class _Unit(NamedTuple):
    pattern: str
    scale: str  # durations of different scales are never equal
    factor: float  # how much of the scale it is


_UNITS = {
    "business_day": _Unit(
        r"(?:business|working)[ -]days?\b|workdays?\b|営業日間?", "business days", 1
    ),
    "fortnight": _Unit(r"fortnights?\b", "time", 20160),
    "week": _Unit(r"weeks?\b|週間|週(?![一-九0-9末明])", "time", 10080),
    "month": _Unit(r"months?\b|[かカヶヵケ箇個]月間?", "months", 1),
    "year": _Unit(r"years?\b|yrs?\b|年間?(?![0-9生月中])", "months", 12),
    "hour": _Unit(r"hours?\b|hrs?\b|h\b|時間", "time", 60),
    "minute": _Unit(r"minutes?\b|mins?\b|分間?(?!の[0-9一-九])", "time", 1),
    "second": _Unit(r"seconds?\b|secs?\b|秒間?", "time", 1 / 60),
    "day": _Unit(r"(?:calendar )?days?\b|日間?(?![曜本常程市]|月(?!曜))", "time", 1440),
}
UNIT = f"(?:{'|'.join(unit.pattern for unit in _UNITS.values())})"
# "14-day returns", "14 (fourteen) days", "14　日"
_JOIN = r"\s*(?:\([^()]{1,20}\)\s*)?-?\s*"


def _unit_of(text: str) -> str:
    return next(name for name, unit in _UNITS.items() if re.fullmatch(unit.pattern, text))


def one_unit(text: str) -> tuple[str, float]:
    """The scale and the size of one such unit of time, named or as a text writes it ("hrs")."""
    unit = _UNITS[text if text in _UNITS else _unit_of(text)]
    return unit.scale, unit.factor


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
    rf"|\b(?:step|no\.|option|tip|point|note)\s?[0-9]{{1,2}}(?![0-9a-z]|[.,][0-9]|\s*-?\s*(?:{UNIT}|%))"
    rf"|(?:ステップ|手順|その|第|方法|注)[0-9]{{1,2}}(?![0-9,.]|\s*(?:{UNIT}|[%円時月]|ポイント))"
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


_MONTHS = [
    "january", "february", "march", "april", "may", "june", "july", "august", "september",
    "october", "november", "december",
]  # fmt: skip
_MONTH_EN = rf"(?:{'|'.join(_MONTHS)}|(?:{'|'.join(m[:3] for m in _MONTHS)}|sept)\b\.?)"
_DAY_OF = r"[0-9]{1,2}(?:st|nd|rd|th)?(?![0-9:]|[.,][0-9]|\s*[ap]\.?m\b)"
_YEAR_EN = r"(?:,?\s*(?P<year>(?:19|20)[0-9]{2})(?![0-9]))?"
_FEW = r"(?:[0-9]{1,2}|[一二三四五六七八九十]{1,3})"
_ERAS = {"令和": 2018, "平成": 1988, "昭和": 1925}
_YEAR_JA = rf"(?:(?P<era>{'|'.join(_ERAS)})?\s*(?P<year>[0-9]{{1,4}}|元)年\s*)"


def _day_number(year: float, month: float, day: float) -> float:
    """Year, month and day as one number, 20270331; what is not said is 0."""
    return year * 10000 + month * 100 + day


@_pattern(
    rf"\b(?P<month>{_MONTH_EN})\s*(?P<day>{_DAY_OF})"
    rf"(?:\s*(?:-|~|to\b|until\b)\s*(?:(?P<month2>{_MONTH_EN})\s*)?(?P<day2>{_DAY_OF}))?{_YEAR_EN}"
)
@_pattern(
    rf"(?<![0-9])(?:(?P<day>{_DAY_OF})\s*(?:-|~|to\b)\s*)?(?P<day2>{_DAY_OF})\s*(?:of\s*)?"
    # "the 5 may be late"
    rf"(?P<month>{_MONTH_EN})(?<!\bmay(?=\s[a-z])){_YEAR_EN}"
)
def _english_date(match: re.Match[str]) -> _Found:
    groups = match.groupdict()
    named = [g for g in (groups["month"], groups.get("month2")) if g]
    months = [next(n for n, m in enumerate(_MONTHS, 1) if m[:3] == g[:3]) for g in named]
    days = [float(re.sub("[a-z]", "", g)) for g in (groups["day"], groups["day2"]) if g]
    year = float(groups["year"] or 0)
    return _Found(
        "date", tuple(_day_number(year, months[-1 if n else 0], d) for n, d in enumerate(days))
    )


@_pattern(
    rf"(?<![0-9]){_YEAR_JA}?(?P<month>[0-9]{{1,2}}|{_FEW}(?=月{_FEW}日))月(?![間曜])(?:(?P<day>{_FEW})日)?"
    rf"(?:{_TO}(?:(?P<month2>{_FEW})月)?(?P<day2>{_FEW})日)?"
)
@_pattern(
    r"(?<![0-9])(?P<year>[0-9]{4})[-/](?P<month>[0-9]{1,2})[-/](?P<day>[0-9]{1,2})(?![0-9])"
    r"|(?<![0-9/])(?P<month2>[0-9]{1,2})/(?P<day2>[0-9]{1,2})(?:/(?P<year2>[0-9]{4}))?(?![0-9/])"
)
def _numeric_date(match: re.Match[str]) -> _Found | None:
    said = {
        name: number(text)[0]
        for name, text in match.groupdict().items()
        if text and name != "era" and text != "元"
    }
    groups = match.groupdict()
    year = 1.0 if groups["year"] == "元" else said.get("year", said.get("year2", 0))
    year += _ERAS.get(groups.get("era") or "", 0)
    found = [_day_number(year, said["month"], said.get("day", 0))] if "month" in said else []
    if "day2" in said:
        month = said.get("month2", said.get("month", 0))
        found.append(_day_number(year, month, said["day2"]))
    return _Found("date", tuple(found))


@_pattern(
    rf"(?<![0-9])(?:(?:{'|'.join(_ERAS)})[0-9]{{1,2}}|(?:19|20)[0-9]{{2}})年(?!間)"
    rf"|(?<=毎月){_FEW}日"
    r"|\bthe\s+(?P<quantity>[0-9]{1,2}(?:st|nd|rd|th))\b(?=\s*(?:of\s+(?:each|every|the)\s+month\b|[.,;!?)]|$))"
)
def _part_of_date(match: re.Match[str]) -> _Found:
    (digits,) = re.findall("[0-9]+|[一二三四五六七八九十]+", match[0])
    if match[0].endswith("年"):
        return _Found("date", (_day_number(float(digits) + _ERAS.get(match[0][:2], 0), 0, 0),))
    return _Found("date", (number(digits)[0],))


def _digits(match: re.Match[str]) -> tuple[float, ...]:
    return tuple(map(float, re.findall("[0-9]+", match[0])))


_OF_DAY = (
    r"(?:[ap]\.?m\b\.?|(?:o'?clock\b\s*)?(?:in\s+the\s+(?:morning|afternoon|evening)|at\s+night)\b"
    r"|o'?clock\b)"
)


def _time(i: int) -> str:
    return (
        rf"(?:(?P<part{i}>午前|午後|朝|昼|夕方|夜)の?\s*)?"
        rf"(?<![0-9.,$¥])(?<![0-9]:)(?P<hour{i}>[0-9]{{1,2}}|{HOUR}(?=\s*{_OF_DAY})"
        rf"|(?<![一-龥])[一二三四五六七八九十]{{1,3}}(?=時)|(?<=午[前後])[一二三四五六七八九十]+)"
        rf"(?:(?P<mark{i}>:(?P<minute{i}>[0-5][0-9])(?![0-9])|\.(?P<dot{i}>[0-5][0-9])(?=\s*[ap]\.?m\b)"
        rf"|時(?!間)(?:(?P<min{i}>[0-9]{{1,2}})分|(?P<half{i}>半))?))?"
        rf"(?:\s*(?P<half_day{i}>{_OF_DAY}))?"
    )


# What may not follow a clock time: the unit that makes "1:30日" an item and a duration.
_NO_UNIT = r"(?![0-9]|[.,:][0-9]|\s*(?:%|円|\$|日|営業|週|か月|年|ポイント))"


def _minutes(match: re.Match[str], i: int, *, half_day: str | None = None) -> float | None:
    hour = number(match[f"hour{i}"])[0]
    said = match[f"minute{i}"] or match[f"dot{i}"] or match[f"min{i}"]
    minute = int(said or (30 if match[f"half{i}"] else 0))
    half = _half(match[f"half_day{i}"] or half_day, match[f"part{i}"])
    if hour > 24 or (
        half and not match[f"part{i}"] and not 1 <= hour <= 12 and not match[f"mark{i}"]
    ):
        return None
    return _hour_of_day(hour, half) * 60 + minute


def _half(half_day: str | None, part: str | None = None) -> str:
    """ "am", "pm", or "" where a time says neither."""
    text = (half_day or "").removeprefix("o'clock").removeprefix("oclock").strip()
    if (text.startswith("a") and not text.startswith("at")) or "morning" in text or part == "午前":
        return "am"
    later = text.startswith("p") or re.search("afternoon|evening|night", text)
    return "pm" if later or part in ("午後", "夕方", "夜") else ""


def _hour_of_day(hour: float, half: str) -> float:
    if half == "pm" and hour < 12:
        return hour + 12
    return 0 if half == "am" and hour == 12 else hour


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
    if closes <= opens <= 720 and closes < 720 and not (match["half_day2"] or match["part2"]):
        closes += 720  # "10:00 to 8:00" ends in the evening
    return _Found("clock", (opens, closes))


@_pattern(
    rf"\b(?:from|open)\s+(?P<quantity>(?P<opens>{HOUR})\s*(?:-|~|to\b|until\b|till\b)\s*"
    rf"(?P<closes>{HOUR}))(?![0-9]|[.,:][0-9]|\s*-?\s*(?:%|{UNIT}|percent|points?|dollars?|books?))"
)
def _nine_to_five(match: re.Match[str]) -> _Found | None:
    opens, closes = number(match["opens"])[0], number(match["closes"])[0]
    # Only a clock goes down from nine to five.
    return _Found("clock", (opens * 60, (closes + 12) * 60)) if closes < opens <= 12 else None


@_pattern(
    rf"\b(?P<part>half|(?:an?\s+)?quarter)[\s-](?P<to>past|to)[\s-](?P<hour>{HOUR})"
    rf"(?:\s*(?P<half_day>{_OF_DAY}))?"
)
def _half_past(match: re.Match[str]) -> _Found:
    minutes = 30 if match["part"] == "half" else 15
    hour = _hour_of_day(number(match["hour"])[0], _half(match["half_day"]))
    return _Found("clock", (hour * 60 + (minutes if match["to"] == "past" else -minutes),))


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
    rf"(?P<hours>{MIXED})\s*(?:時間|hours?\b|hrs?\b)\s*(?:and\s*)?(?P<minutes>{MIXED})\s*(?:分|minutes?\b|mins?\b)"
)
def _hours_minutes(match: re.Match[str]) -> _Found:
    (hours, minutes), _ = numbers(match["hours"], match["minutes"])
    return _Found("duration", (hours * 60 + minutes,), "minute")


@_pattern(
    rf"(?P<between>\bbetween\s+)?(?P<low>{NUMBER})(?:{_JOIN}(?P<unit1>{UNIT}))?(?P<to>{_TO})"
    rf"(?P<high>{NUMBER}){_JOIN}(?P<unit2>{UNIT})"
)
def _duration_range(match: re.Match[str]) -> _Found | None:
    unit = _unit_of(match["unit2"])
    if match["unit1"] and _unit_of(match["unit1"]) != unit:
        return None
    to = match["to"].strip()
    if (to == "and") != bool(match["between"]):
        return None
    (low, high), spelled = numbers(match["low"], match["high"])
    # "2、3日" is a range of neighbours; "10、14日" are two items of a list.
    if low >= high or (to == "、" and high - low != 1):
        return None
    return _Found("duration", (low, high), unit, spelled)


@_pattern(
    rf"(?P<number>{NUMBER})(?P<and_half>\s+and\s+a\s+half)?{_JOIN}(?P<unit>{UNIT})(?P<half>半)?"
)
def _duration(match: re.Match[str]) -> _Found | None:
    unit = _unit_of(match["unit"])
    value, spelled = number(match["number"])
    if spelled and unit == "second":  # "one second, please"
        return None
    half = 0.5 if match["half"] or match["and_half"] else 0
    return _Found("duration", (value + half,), unit, spelled)


@_pattern(
    rf"\ban?\s+(?P<unit_t>{UNIT})\s+or\s+two\b"
    rf"|\b(?P<couple>a couple(?: of)?)\s+(?P<unit_c>{UNIT})"
    rf"|\b(?:within|in|for|after|takes?|about|around|under|over|than|least|lasts?|most|to)\s+"
    rf"(?P<quantity>an?\s+(?P<unit>{UNIT}))(?!\s+or\s+two\b|\s+and\s+a\s+half\b)"
    rf"|\b(?P<ahead>an?\s+(?P<unit_a>{UNIT}))(?=\s+(?:ahead|before|beforehand|in\s+advance)\b)"
    rf"|\b(?P<more>an?|one)\s+(?P<unit_m>{UNIT})\s+and\s+a\s+half\b"
    rf"|\bhalf\s+(?:an?\s+)(?P<unit_h>{UNIT})|半(?P<unit_j>日|年|月|時間)"
)
def _one_or_half(match: re.Match[str]) -> _Found | None:
    if match["couple"]:
        return _Found("duration", (2.0,), _unit_of(match["unit_c"]), True)
    if match["more"]:
        return _Found("duration", (1.5,), _unit_of(match["unit_m"]), True)
    if half := match["unit_h"] or match["unit_j"]:
        return _Found("duration", (0.5,), "month" if half == "月" else _unit_of(half), True)
    unit = _unit_of(match["unit_t"] or match["unit_a"] or match["unit"])
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


@_pattern(rf"(?P<dollars>{NUMBER})\s*dollars?\s*(?:and\s*)?(?P<cents>{NUMBER})\s*cents?\b")
def _dollars_and_cents(match: re.Match[str]) -> _Found:
    (dollars, cents), spelled = numbers(match["dollars"], match["cents"])
    return _Found("money", (round(dollars + cents / 100, 6),), "USD", spelled)


# The range is the lower one: it is registered first, and wins where both match.
@_pattern(rf"(?P<b1>{_BEFORE})\s*(?P<n1>{MIXED})(?:\s*円)?|(?P<n2>{NUMBER})\s*(?P<a2>{_AFTER})")
@_pattern(
    rf"(?P<between>\bbetween\s+)?(?P<b1>{_BEFORE})\s*(?P<n1>{MIXED})(?:\s*円)?\s*(?:-|~|to\b|から|(?P<to>and\b))\s*(?P<b2>{_BEFORE})?\s*"
    rf"(?P<n2>{MIXED})(?!\s*(?:%|[-~]?\s*{UNIT}|ポイント|points?))"
    rf"|(?P<n3>{NUMBER})\s*(?P<a3>{_AFTER})?\s*(?:-|~|to\b|から)\s*"
    rf"(?P<n4>{NUMBER})\s*(?P<a4>{_AFTER})"
)
def _money(match: re.Match[str]) -> _Found | None:
    groups = {name: text for name, text in match.groupdict().items() if text}
    if ("to" in groups) != ("between" in groups):
        return None
    # b… come before a number, a… after it
    units = {
        _CURRENCY[text] for name, text in groups.items() if name[0] in "ab" and name != "between"
    }
    if len(units) != 1:
        return None
    unit = units.pop()
    values, spelled = numbers(*(text for name, text in groups.items() if name[0] == "n"))
    if unit == "cents":
        unit, values = "USD", tuple(round(value / 100, 6) for value in values)
    return _Found("money", values, unit, spelled)


_PERCENT = r"%|percent\b|per cent\b|パーセント"


@_pattern(
    rf"(?P<between>\bbetween\s+)?(?P<low>{NUMBER})\s*%?(?P<to>{_TO})(?P<high>{NUMBER})\s*(?P<unit>{_PERCENT})"
    rf"|(?P<number>{NUMBER})\s*(?P<unit2>{_PERCENT}|割(?!合|り算|れ))"
)
def _percent(match: re.Match[str]) -> _Found | None:
    if match["number"]:
        value, spelled = number(match["number"])
        tenths = match["unit2"] == "割"
        return _Found(
            "percent", (value * 10 if tenths else value,), "割" if tenths else "", spelled
        )
    between = "and" if match["between"] else ""
    if match["to"].strip() not in (between, "-", "~", "to", "から", "より"):
        return None
    ends, spelled = numbers(match["low"], match["high"])
    return _Found("percent", ends, "", spelled)


@_pattern(
    rf"(?P<quantity>(?P<number>{NUMBER})[ \t-]*(?:ポイント|points?\b|pts?\b))"
    r"(?P<rate>\s*(?:per|for (?:every|each))\b)?"
)
def _points(match: re.Match[str]) -> _Found | None:
    value, spelled = number(match["number"])
    if spelled and match["number"].isascii() and not match["rate"]:  # "one point to keep in mind"
        return None
    return _Found("points", (value,), "", spelled)


_WEEK_EN = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_WEEK_JA = "月火水木金土日"
_DAY_EN = rf"(?:{'|'.join(_WEEK_EN)})s?"
_DAY_SHORT = rf"(?:{_DAY_EN}|mon|tues?|wed|thu(?:rs?)?|fri|sat|sun)\.?"


def _day(name: str) -> float:
    if name[0] in _WEEK_JA:
        return float(_WEEK_JA.index(name[0]))
    return float(next(n for n, day in enumerate(_WEEK_EN) if day.startswith(name[:3])))


@_pattern(
    rf"\b(?P<e1>{_DAY_SHORT})\s*(?:-|~|to\b|thr(?:ough|u)\b|until\b)\s*(?P<e2>{_DAY_SHORT})(?![a-z])|\b(?P<e>{_DAY_EN})\b"
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
    rf"(?<![a-z_#])(?P<low>{DIGITS})\s*[-~]\s*(?P<high>{DIGITS})(?![a-z])"
    rf"|(?<![a-z_])(?<![a-z_]-)(?P<number>{MIXED})(?P<ordinal>st|nd|rd|th)?(?![a-z])"
)
def _bare(match: re.Match[str]) -> _Found:
    named = [match["number"]] if match["number"] else [match["low"], match["high"]]
    return _Found("number", numbers(*named)[0])


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
