"""Which figures a text states: amounts, durations, times, dates, in English and Japanese.

Two texts say the same figure when kind, unit and value agree, however they write it: "￥500" and
"500円", "3-5 business days" and "between 3 and 5 working days", "9:00" and "9時". Nothing is
converted: "12か月" is not "1年", "14 days" is not "2 weeks", and a number word ("two weeks") is not
the digit, unless a fact lists that surface too.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from .language import LANGUAGES

# -- texts that remember where they came from --------------------------------------------------


@dataclass(frozen=True)
class Folded:
    """A text in one way of writing; `spans[i]` is where its i-th character stands in the original."""

    text: str
    spans: tuple[tuple[int, int], ...]

    def origin(self, start: int, end: int) -> tuple[int, int]:
        """The place in the original of the characters from `start` to `end` (not empty)."""
        return self.spans[start][0], self.spans[end - 1][1]


_DASHES = dict.fromkeys("‐‑‒–—―−﹘﹣", "-") | dict.fromkeys("〜～∼˷", "~")
# A base character with the marks that NFKC joins to it (half-width ﾎﾟ is one ポ).
_CLUSTER = re.compile(r".[\u0300-\u036f\u3099\u309a\uff9e\uff9f]*", re.S)


def _fold_cluster(cluster: str) -> str:
    if cluster in _DASHES:
        return _DASHES[cluster]
    # ① and ⑵ number the lines of a list; folded to digits they would read as amounts.
    if "\u2460" <= cluster[0] <= "\u24ff" or "\u2776" <= cluster[0] <= "\u2793":
        return "※"
    folded = unicodedata.normalize("NFKC", cluster).casefold()
    return "".join(_DASHES.get(character, character) for character in folded)


@lru_cache(maxsize=1024)
def fold(text: str) -> Folded:
    """One way of writing (NFKC, lower case, one dash, one tilde), with the way back to `text`."""
    characters: list[str] = []
    spans: list[tuple[int, int]] = []
    for match in _CLUSTER.finditer(text):
        for character in _fold_cluster(match[0]):
            characters.append(character)
            spans.append(match.span())
    # The long-vowel mark is often typed for a dash: 3ー5営業日.
    folded = re.sub(r"(?<=[0-9日円時分])ー(?=[0-9])", "-", "".join(characters))
    return Folded(folded, tuple(spans))


_CJK = r"\u3005-\u30ff\u3400-\u9fff\uf900-\ufaff"


def normalise(text: str) -> str:
    """The text in one way of writing, for comparing and for people to read.

    Full-width characters become plain ones, letters lower case, "￥1,200" "1200円", every dash "-"
    and every tilde "~" (no spaces around them between figures); white space is one space, and
    none between figures and Japanese units.
    """
    text = fold(text).text
    text = re.sub(r"(?<=[0-9]),(?=[0-9]{3}(?![0-9]))", "", text)
    text = re.sub(r"¥\s*([0-9]+(?:\.[0-9]+)?)(?:\s*円)?", r"\1円", text)
    text = re.sub(r"\s+", " ", text).strip()
    text = re.sub(r"(?<=[0-9%円日時分]) ?([-~]) ?(?=[0-9$])", r"\1", text)
    text = re.sub(r"(?<=\$) (?=[0-9])|(?<=[0-9]) (?=%)", "", text)
    return re.sub(rf"(?<=[0-9{_CJK}]) (?=[0-9{_CJK}])", _joins_cjk, text)


def _joins_cjk(match: re.Match[str]) -> str:
    before, after = match.string[match.start() - 1], match.string[match.end()]
    return " " if before.isascii() and after.isascii() else ""


# -- figures -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Quantity:
    """One figure of a text.

    kind: money, duration, percent, clock, points, weekday, date or number.
    value: one number, or two for a range; clock times in minutes after midnight, weekdays from 0
    (Monday). unit: USD, JPY…; second … year, business_day; "" where there is none.
    surface: as the text writes it, at text[start:end]. spelled: written as a word ("two weeks").
    Figures are equal when kind, value, unit and spelled are.
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
            scale, factor = _DURATIONS[self.unit]
            return scale, tuple(round(v * factor, 6) for v in self.value)
        if self.kind == "money":
            return f"money {self.unit}", self.value
        return self.kind, self.value


_DURATIONS: dict[str, tuple[str, float]] = {
    "second": ("time", 1 / 60),
    "minute": ("time", 1),
    "hour": ("time", 60),
    "day": ("time", 1440),
    "week": ("time", 10080),
    "business_day": ("business days", 1),
    "month": ("months", 1),
    "year": ("months", 12),
}

_THREE = "[0-9]{3}(?![0-9])"
# A comma parts thousands only before three digits; in "10,14日" it parts two figures.
_DIGITS = (
    rf"(?<![0-9])(?<![0-9]\.)(?!(?<=[0-9],){_THREE})(?:[0-9]{{1,3}}(?:,[0-9]{{3}})+|[0-9]+)(?:\.[0-9]+)?"
    rf"(?![0-9]|\.[0-9]|,{_THREE})"
)
_MIXED = rf"(?:{_DIGITS}(?:[万千百](?:[0-9]+千?)?)?)"
_KANJI = r"(?:(?<![第統唯均単同〇一二三四五六七八九十百千万])[〇一二三四五六七八九十百千万]+)"
# fmt: off
_ONES = [
    "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_WEEK_EN = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
# fmt: on
_WORDS = {word: n for n, word in enumerate(_ONES, 1)} | {w: 10 * n for n, w in enumerate(_TENS, 2)}
_ENGLISH = (
    rf"(?:\b(?:(?:a|one)[ -]hundred|(?:{'|'.join(_TENS)})(?:[ -](?:{'|'.join(_ONES[:9])}))?"
    rf"|{'|'.join(sorted(_ONES, key=len, reverse=True))})\b)"
)
_NUMBER = rf"(?:{_MIXED}|{_ENGLISH}|{_KANJI})"
_TO = r"\s*(?:-|~|to\b|or\b|and\b|through\b|から|より|、)\s*"
_KANJI_DIGITS = {c: n for n, c in enumerate("〇一二三四五六七八九")}
_KANJI_TENS = {"十": 10, "百": 100, "千": 1000}


def _value(text: str) -> tuple[float, bool]:
    """The number that a piece of folded text writes, and whether it does so without digits."""
    text = text.replace(",", "")
    if not text[0].isascii():
        return _kanji_value(text), True
    if text[0].isalpha():
        words = re.split(r"[ -]", text)
        return (100.0 if "hundred" in words else float(sum(_WORDS[w] for w in words))), True
    total = 0.0
    for number, scale in re.findall(r"([0-9.]+)([万千百]?)", text):
        total += float(number) * {"万": 10000, "千": 1000, "百": 100}.get(scale, 1)
    return total, False


def _kanji_value(text: str) -> float:
    if not any(c in "十百千万" for c in text):  # 一二 written place by place
        return float("".join(str(_KANJI_DIGITS[c]) for c in text))
    total, section, digit = 0, 0, 0
    for c in text:
        if c in _KANJI_DIGITS:
            digit = _KANJI_DIGITS[c]
        elif c == "万":
            total, section, digit = total + (section + digit or 1) * 10000, 0, 0
        else:
            section, digit = section + (digit or 1) * _KANJI_TENS[c], 0
    return float(total + section + digit)


_UNITS: tuple[tuple[str, str], ...] = (
    ("business_day", r"(?:business|working)[ -]days?\b|workdays?\b|営業日間?"),
    ("week", r"weeks?\b|週間|週(?![一-九0-9末明])"),
    ("month", r"months?\b|[かカヶヵケ箇個]月間?"),
    ("year", r"years?\b|yrs?\b|年間?(?![0-9生月中])"),
    ("hour", r"hours?\b|hrs?\b|h\b|時間"),
    ("minute", r"minutes?\b|mins?\b|分間?(?!の[0-9一-九])"),
    ("second", r"seconds?\b|secs?\b|秒間?"),
    ("day", r"(?:calendar )?days?\b|日間?(?![曜本常程市]|月(?!曜))"),
)
_UNIT = "(?:" + "|".join(pattern for _, pattern in _UNITS) + ")"
# "14-day returns", "14 (fourteen) days", "14　日"
_JOIN = r"\s*(?:\([^()]{1,20}\)\s*)?-?\s*"


def _unit_of(text: str) -> str:
    return next(unit for unit, pattern in _UNITS if re.fullmatch(pattern, text))


Found = tuple[str, tuple[float, ...], str, bool]  # kind, value, unit, spelled
Builder = Callable[[re.Match[str]], "Found | None"]
_PATTERNS: list[tuple[re.Pattern[str], Builder]] = []


def _pattern(regex: str) -> Callable[[Builder], Builder]:
    """Register a way to write a figure; earlier ones win where two overlap."""

    def register(builder: Builder) -> Builder:
        # White space is bounded, or a long run of it costs quadratic time.
        bounded = regex.replace(r"\s*", r"\s{0,3}").replace(r"\s+", r"\s{1,3}")
        # ASCII: a word border stands between "days" and です.
        _PATTERNS.append((re.compile(bounded, re.ASCII), builder))
        return builder

    return register


NOT_A_FIGURE: Found = ("", (), "", False)


@_pattern(
    r"https?://\S+|[\w.+-]{1,64}@[\w-]{1,64}\.[\w.-]{2,64}|\b[0-9]+(?:\.[0-9]+){2,}\b"  # addresses, version numbers
    r"|(?m:^)[ \t]{0,9}(?:[-*・#>][ \t]{0,3}){0,5}(?:\*\*)?\(?[0-9]{1,2}(?:[.)](?=\s|[^0-9])|、(?![0-9]))"  # 1. 2) (3)
    r"|\((?:[0-9])\)(?=\s*[^\s0-9.,;!?。、])"
    rf"|\b(?:step|no\.|option|tip|point|note)\s?[0-9]{{1,2}}(?![0-9a-z]|[.,][0-9]|\s*-?\s*(?:{_UNIT}|%))"
    rf"|(?:ステップ|手順|その|第|方法|注)[0-9]{{1,2}}(?![0-9,.]|\s*(?:{_UNIT}|[%円時月]|ポイント))"
    r"|\b[qa][0-9]{1,2}\b"
    r"|[0-9一二三四五六七八九]つ|[1-3]度(?!目|[以前後])"  # counters of things, not of promises
    r"|[0-9]+分の[0-9]+"
    r"|一日(?:も早|でも早|中|のうち)|(?<![0-9一-九十百])十分(?!間|以内|後|前|ほど|程|で(?:お|届|届け))"
    r"|一年中|一時(?!間)|一分(?:一秒|の)"
)
def _nothing(match: re.Match[str]) -> Found:
    return NOT_A_FIGURE


@_pattern(r"(?<![0-9-])\+?[0-9]{1,4}(?:-[0-9]{2,4}){1,2}-[0-9]{3,4}(?![0-9-])")
def _telephone(match: re.Match[str]) -> Found:
    return (
        "number",
        tuple(float(part) for part in re.findall("[0-9]+", match[0])),
        "telephone",
        False,
    )


@_pattern(r"(?<![0-9])24/7(?![0-9])")
def _always(match: re.Match[str]) -> Found:
    return "clock", (0.0, 1440.0), "", False


@_pattern(
    r"(?<![0-9])(?:[0-9]{4}年)?[0-9]{1,2}月(?!間)(?:[0-9]{1,2}日)?"
    rf"(?:{_TO}(?:[0-9]{{1,2}}月)?[0-9]{{1,2}}日)?|(?<![0-9])(?:19|20)[0-9]{{2}}年(?!間)"
    r"|(?<![0-9])[0-9]{4}[-/][0-9]{1,2}[-/][0-9]{1,2}(?![0-9])|(?<![0-9/])[0-9]{1,2}/[0-9]{1,2}(?![0-9/])"
    r"|(?<=毎月)[0-9]{1,2}日"
)
def _date(match: re.Match[str]) -> Found:
    return "date", tuple(float(part) for part in re.findall("[0-9]+", match[0])), "", False


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
    hour_text = match[f"hour{i}"]
    hour = _value(hour_text)[0]
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
def _clock_range(match: re.Match[str]) -> Found | None:
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
    return "clock", (opens, closes), "", False


@_pattern(rf"{_time(1)}{_NO_UNIT}")
def _clock(match: re.Match[str]) -> Found | None:
    if not (match["mark1"] or match["half_day1"]):
        return None
    minutes = _minutes(match, 1)
    return None if minutes is None else ("clock", (minutes,), "", False)


@_pattern(r"(?:12\s*)?\b(?:noon|midnight)\b|正午")
def _noon(match: re.Match[str]) -> Found:
    return "clock", (0.0 if "midnight" in match[0] else 720.0,), "", False


@_pattern(
    rf"(?P<hours>{_MIXED})\s*(?:時間|hours?\b|hrs?\b)\s*(?:and\s*)?(?P<minutes>{_MIXED})\s*(?:分|minutes?\b|mins?\b)"
)
def _hours_minutes(match: re.Match[str]) -> Found:
    return (
        "duration",
        (_value(match["hours"])[0] * 60 + _value(match["minutes"])[0],),
        "minute",
        False,
    )


@_pattern(
    rf"(?P<between>\bbetween\s+)?(?P<low>{_NUMBER})(?:{_JOIN}(?P<unit1>{_UNIT}))?(?P<to>{_TO})"
    rf"(?P<high>{_NUMBER}){_JOIN}(?P<unit2>{_UNIT})"
)
def _duration_range(match: re.Match[str]) -> Found | None:
    unit = _unit_of(match["unit2"])
    if match["unit1"] and _unit_of(match["unit1"]) != unit:
        return None
    to = match["to"].strip()
    if (to == "and") != bool(match["between"]):
        return None
    (low, spelled1), (high, spelled2) = _value(match["low"]), _value(match["high"])
    # "2、3日" is a range of neighbours; "10、14日" are two items of a list.
    if low >= high or (to == "、" and high - low != 1):
        return None
    return "duration", (low, high), unit, spelled1 or spelled2


@_pattern(rf"(?P<number>{_NUMBER}){_JOIN}(?P<unit>{_UNIT})(?P<half>半)?")
def _duration(match: re.Match[str]) -> Found | None:
    unit = _unit_of(match["unit"])
    value, spelled = _value(match["number"])
    if spelled and unit == "second":  # "one second, please"
        return None
    return "duration", (value + 0.5 if match["half"] else value,), unit, spelled


@_pattern(
    rf"\ban?\s+(?P<unit_t>{_UNIT})\s+or\s+two\b|\b(?P<couple>a couple(?: of)?)\s+(?P<unit_c>{_UNIT})"
    rf"|\b(?:within|in|for|after|takes?|about|around|under|over|than|least|lasts?|most|to)\s+"
    rf"(?P<figure>an?\s+(?P<unit>{_UNIT}))(?!\s+or\s+two\b)"
    rf"|\bhalf\s+(?:an?\s+)(?P<unit_h>{_UNIT})|半(?P<unit_j>日|年|月)"
)
def _one_or_half(match: re.Match[str]) -> Found | None:
    if match["couple"]:
        return "duration", (2.0,), _unit_of(match["unit_c"]), True
    if match["unit_h"]:
        return "duration", (0.5,), _unit_of(match["unit_h"]), True
    if match["unit_j"]:
        return "duration", (0.5,), {"日": "day", "年": "year", "月": "month"}[match["unit_j"]], True
    unit = _unit_of(match["unit_t"] or match["unit"])
    if unit in ("second", "minute"):  # "in a minute", "takes a second": manners of speaking
        return None
    return "duration", ((1.0, 2.0) if match["unit_t"] else (1.0,)), unit, True


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


def _money(signs: Iterable[str | None], numbers: Sequence[str]) -> Found | None:
    units = {_CURRENCY[sign] for sign in signs if sign}
    if len(units) != 1:
        return None
    unit = units.pop()
    values = [_value(number) for number in numbers]
    amounts = tuple(round(value / 100, 6) if unit == "cents" else value for value, _ in values)
    return "money", amounts, "USD" if unit == "cents" else unit, any(s for _, s in values)


@_pattern(
    rf"(?P<b1>{_BEFORE})\s*(?P<n1>{_MIXED})(?:\s*円)?\s*(?:-|~|to\b|から)\s*(?P<b2>{_BEFORE})?\s*"
    rf"(?P<n2>{_MIXED})(?!\s*(?:%|[-~]?\s*{_UNIT}|ポイント|points?))"
    rf"|(?P<n3>{_NUMBER})\s*(?P<a3>{_AFTER})?\s*(?:-|~|to\b|から)\s*(?P<n4>{_NUMBER})\s*(?P<a4>{_AFTER})"
)
def _money_range(match: re.Match[str]) -> Found | None:
    if match["b1"]:
        return _money((match["b1"], match["b2"]), (match["n1"], match["n2"]))
    return _money((match["a3"], match["a4"]), (match["n3"], match["n4"]))


@_pattern(rf"(?P<b1>{_BEFORE})\s*(?P<n1>{_MIXED})(?:\s*円)?|(?P<n2>{_NUMBER})\s*(?P<a2>{_AFTER})")
def _money_single(match: re.Match[str]) -> Found | None:
    if match["b1"]:
        return _money((match["b1"],), (match["n1"],))
    return _money((match["a2"],), (match["n2"],))


@_pattern(
    rf"(?P<low>{_NUMBER})\s*%?(?P<to>{_TO})(?P<high>{_NUMBER})\s*(?P<unit>%|percent\b|per cent\b|パーセント)"
    rf"|(?P<number>{_NUMBER})\s*(?P<unit2>%|percent\b|per cent\b|パーセント|割(?!合|り算|れ))"
)
def _percent(match: re.Match[str]) -> Found | None:
    if match["number"]:
        value, spelled = _value(match["number"])
        tenths = match["unit2"] == "割"
        return "percent", (value * 10 if tenths else value,), "割" if tenths else "", spelled
    if match["to"].strip() not in ("-", "~", "to", "から", "より"):
        return None
    (low, spelled1), (high, spelled2) = _value(match["low"]), _value(match["high"])
    return "percent", (low, high), "", spelled1 or spelled2


@_pattern(
    rf"(?P<figure>(?P<number>{_NUMBER})[ \t-]*(?:ポイント|points?\b|pts?\b))"
    r"(?P<rate>\s*(?:per|for (?:every|each))\b)?"
)
def _points(match: re.Match[str]) -> Found | None:
    value, spelled = _value(match["number"])
    if spelled and match["number"].isascii() and not match["rate"]:  # "one point to keep in mind"
        return None
    return "points", (value,), "", spelled


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
def _weekday(match: re.Match[str]) -> Found:
    names = [match[name] for name in ("e1", "e2", "e", "j1", "j2", "j3", "j4", "j") if match[name]]
    return "weekday", tuple(_day(name) for name in names), "", False


@_pattern(
    r"(?<![0-9一-九])[土日](?=日(?:祝|は|も|を|に|の|が|、|・|お|休|$)|・[月火水木金土日]曜)|(?<=土)日(?=祝|は|も|を|に|の|が|、|・|お|休|$)"
)
def _weekend(match: re.Match[str]) -> Found:
    return "weekday", (_day(match[0]),), "", False


@_pattern(
    rf"(?<![a-z_#])(?P<low>{_DIGITS})\s*[-~]\s*(?P<high>{_DIGITS})(?![a-z])"
    rf"|(?<![a-z_])(?<![a-z_]-)(?P<number>{_MIXED})(?P<ordinal>st|nd|rd|th)?(?![a-z])"
)
def _bare(match: re.Match[str]) -> Found:
    names = ("number",) if match["number"] else ("low", "high")
    return "number", tuple(_value(match[name])[0] for name in names), "", False


def quantities(text: str, language: str | None = None) -> list[Quantity]:
    """The figures of a text, in the order in which they stand.

    language: "en" or "ja" passes over the number words of the other one; None reads both. Numbers
    that only count lines or things (list numbers, "step 2", "1つ"), parts of names ("A4") and idioms
    ("one more thing", "一度", "十分に") are no figures; digits without a unit are of kind "number".
    """
    found = list(_quantities(text))
    if language in LANGUAGES:
        wanted = language == "en"
        found = [f for f in found if not f.spelled or fold(f.surface).text[0].isascii() == wanted]
    return found


@lru_cache(maxsize=1024)
def _quantities(text: str) -> tuple[Quantity, ...]:
    folded = fold(text)
    taken = bytearray(len(folded.text))
    found: list[Quantity] = []
    for pattern, build in _PATTERNS:
        position = 0
        while match := pattern.search(folded.text, position):
            start, end = match.span("figure" if match.re.groupindex.get("figure") else 0)
            if start < 0:  # the pattern matched by another of its ways
                start, end = match.span()
            result = None if any(taken[start:end]) else build(match)
            if result is None:
                position = match.start() + 1
                continue
            position = end
            taken[start:end] = b"\x01" * (end - start)
            kind, value, unit, spelled = result
            if kind:
                first, last = folded.origin(start, end)
                surface = text[first:last]
                found.append(Quantity(kind, value, unit, surface, first, last, spelled))
    return tuple(sorted(found, key=lambda figure: figure.start))


# -- does a text state a surface? --------------------------------------------------------------


def states(answer: str, surface: str) -> bool:
    """Whether the answer says the surface: figures by kind, unit and value, words at word borders.

    "14 days" is not in "114 days", "$5" in neither "$50" nor "$5.99", "free" not in "freedom";
    "500円" is in "￥500". A clock range is also said by its two ends apart from each other, and a
    bare number by any single figure of that value.
    """
    return bool(locate(answer, surface))


def locate(answer: str, surface: str) -> list[tuple[int, int]]:
    """Where `states` finds the surface: (start, end) places in the answer; empty if nowhere."""
    wanted = _quantities(surface)
    if len(wanted) == 1 and not _rest(surface, wanted):
        return _locate_figure(answer, wanted[0])
    needle = _canonical(surface, wanted) if wanted else fold(surface)
    pattern = _phrase(needle.text)
    if pattern is None:
        return []
    hay = _canonical(answer, _quantities(answer)) if wanted else fold(answer)
    return [hay.origin(*match.span()) for match in pattern.finditer(hay.text)]


def _rest(text: str, found: Sequence[Quantity]) -> str:
    kept = list(text)
    for figure in found:
        kept[figure.start : figure.end] = " " * (figure.end - figure.start)
    return "".join(c for c in kept if not c.isspace() and unicodedata.category(c)[0] not in "PZ")


def _locate_figure(answer: str, wanted: Quantity) -> list[tuple[int, int]]:
    said = _quantities(answer)
    if wanted.kind == "number":
        hits = [f for f in said if f.value == wanted.value and (not f.spelled)]
    else:
        hits = [f for f in said if f == wanted]
    if not hits and wanted.kind == "clock" and len(wanted.value) == 2:
        ends = [
            [f for f in said if f.kind == "clock" and f.value == (end,)] for end in wanted.value
        ]
        hits = [*ends[0], *ends[1]] if all(ends) else []
    return [(f.start, f.end) for f in hits]


def _canonical(text: str, found: Sequence[Quantity]) -> Folded:
    """The folded text with each figure in place of its surface as one unmistakable token."""
    parts: list[str] = []
    spans: list[tuple[int, int]] = []

    def add(piece: str, places: Iterable[tuple[int, int]]) -> None:
        parts.append(piece)
        spans.extend(places)

    folded = fold(text)
    position = 0
    for figure in found:
        while position < len(folded.text) and folded.spans[position][0] < figure.start:
            add(folded.text[position], [folded.spans[position]])
            position += 1
        token = f"\ue000{figure.kind} {figure.unit} {figure.value} {figure.spelled}\ue001"
        add(token, [(figure.start, figure.end)] * len(token))
        while position < len(folded.text) and folded.spans[position][1] <= figure.end:
            position += 1
    add(folded.text[position:], folded.spans[position:])
    return Folded("".join(parts), tuple(spans))


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
