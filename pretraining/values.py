"""Values that a synthetic shop promises: drawn anew for every shop, written as a customer reads
them.

Random values are what makes the model copy from its prompt instead of reciting. About one value in
ten is kept out of the corpus, by a hash of its number, so that copying can be measured on values
that were never seen.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass

WEEKDAYS = {
    "en": ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"],
    "ja": ["月曜日", "火曜日", "水曜日", "木曜日", "金曜日", "土曜日", "日曜日"],
}
MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
Drawer = Callable[[random.Random, str], object]
Renderer = Callable[..., str]
# Seven days cannot be split into seen and unseen ones without teaching a lopsided week.
NEVER_HELD_OUT = {
    *("weekday", "weeks", "points", "money_step", "clock_range", "clock", "opening", "closing"),
    *("years", "points_rate", "people", "pieces", "age", "weight", "distance", "date", "dates"),
    *("allergen", "place", "payway", "yesno", "business_days"),
}
# Values that are words: English and Japanese.
WORDS = {
    "allergen": [
        *(("nuts", "ナッツ"), ("milk", "乳"), ("eggs", "卵"), ("wheat", "小麦"), ("soy", "大豆")),
        *(("sesame", "ごま"), ("shellfish", "えび・かに"), ("latex", "ラテックス")),
        *(("peanuts", "落花生"), ("wool", "羊毛"), ("nickel", "ニッケル"), ("honey", "はちみつ")),
    ],
    "place": [
        *(("behind the station", "駅の裏"), ("next to the library", "図書館の隣")),
        *(("on the second floor", "2階"), ("at the harbour", "港のそば")),
        *(("opposite the town hall", "市役所の向かい"), ("by the old bridge", "古い橋のたもと")),
        *(("in the market hall", "市場の中"), ("in the yard", "中庭"), ("at the corner", "角")),
        *(("near the park gate", "公園の入口近く"), ("in the basement", "地下1階")),
        *(("above the bakery", "パン屋の上"), ("at the bus stop", "バス停の前")),
    ],
    "payway": [
        *(("cash only", "現金"), ("card or cash", "カードか現金"), ("invoice", "請求書払い")),
        *(("bank transfer", "銀行振込"), ("credit card", "クレジットカード")),
        *(
            ("phone payment", "スマホ決済"),
            ("cheque", "小切手"),
            ("cash or transfer", "現金か振込"),
        ),
    ],
    "yesno": [
        *(("welcome", "可"), ("not allowed", "不可"), ("fine on a lead", "リード着用で可")),
        *(("allowed if small", "小型なら可"), ("not wanted", "ご遠慮いただきたい")),
    ],
}


@dataclass(frozen=True)
class Style:
    """How one shop writes: the same for all its facts."""

    yen: str = "円"  # "円" after, or "￥" before the amount
    to: str = "-"  # between the ends of a range
    clock: str = "24"  # "24": 9:00, "12": 9 am
    sign: str = "$"  # of English amounts
    hour: str = ":"  # between hours and minutes; "時": 9時40分

    @staticmethod
    def draw(language: str, rng: random.Random) -> Style:
        if language == "ja":
            return Style(
                yen=rng.choices(["円", "￥", "¥"], [6, 3, 1])[0],
                to=rng.choices(["〜", "～", "-", "–"], [6, 2, 2, 1])[0],
            )
        return Style(
            to=rng.choices(["-", "–", " to "], [6, 2, 3])[0], clock=rng.choice(["24", "24", "12"])
        )


def is_held_out(kind: str, number: object) -> bool:
    """Whether this number of this kind is kept for measuring (stable across machines)."""
    if kind in NEVER_HELD_OUT:
        return False
    digest = hashlib.sha256(f"{kind}:{number}".encode()).digest()
    return digest[0] < 26


def _cents(rng: random.Random) -> int:
    dollars = rng.choices(
        [rng.randint(1, 19), rng.randint(20, 99), rng.randint(100, 400)], [6, 3, 1]
    )
    cents = rng.choice([0, 0, 49, 50, 95, 99, 99, rng.randint(0, 99)])
    return dollars[0] * 100 + cents


def _yen(rng: random.Random) -> int:
    return rng.choice(
        [
            rng.randint(10, 99) * 10,
            rng.randint(1, 20) * 100,
            rng.randint(2, 30) * 500,
            rng.randint(11, 199) * 10,
            rng.randint(1, 20) * 1000 - 20,
        ]
    )


def money(number: int, language: str, style: Style) -> str:
    """An amount: cents in English, yen in Japanese."""
    if language == "ja":
        return f"{number:,}円" if style.yen == "円" else f"{style.yen}{number:,}"
    whole = f"{style.sign}{number // 100}"
    return whole if number % 100 == 0 else f"{whole}.{number % 100:02d}"


def _plural(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


def _counted(unit_en: str, unit_ja: str) -> Callable[[int, str, Style], str]:
    def render(number: int, language: str, style: Style) -> str:
        return f"{number}{unit_ja}" if language == "ja" else _plural(number, unit_en)

    return render


def _people(number: int, language: str, style: Style) -> str:
    return f"{number}名" if language == "ja" else f"{number} people"


def _range_days(number: tuple[int, int], language: str, style: Style) -> str:
    low, high = number
    if language == "ja":
        return f"{low}{style.to}{high}営業日"
    return f"{low}{style.to}{high} business days"


def _hour(minutes: int, language: str, style: Style) -> str:
    """A time of the day, in minutes after midnight."""
    h, m = divmod(minutes, 60)
    if style.hour == "時":
        return f"{h}時{f'{m}分' if m else ''}"
    if style.clock == "12":
        return f"{(h - 1) % 12 + 1}{f':{m:02d}' if m else ''} {'am' if h < 12 else 'pm'}"
    return f"{h}:{m:02d}"


def _clock(number: tuple[int, int], language: str, style: Style) -> str:
    """Opening and closing time, in minutes after midnight."""

    opens, closes = (_hour(minutes, language, style) for minutes in number)
    return f"{opens}{style.to}{closes}" if language == "ja" else f"{opens} to {closes}"


def _percent(number: int, language: str, style: Style) -> str:
    return f"{number}%"


def _weekday(number: int, language: str, style: Style) -> str:
    return WEEKDAYS[language][number]


def _date(number: tuple[int, int], language: str, style: Style) -> str:
    month, day = number
    return f"{month}月{day}日" if language == "ja" else f"{MONTHS[month - 1]} {day}"


def _dates(number: tuple[int, int, int], language: str, style: Style) -> str:
    month, first, last = number
    ends = [_date((month, day), language, style) for day in (first, last)]
    return "から".join(ends) if language == "ja" else f"from {ends[0]} to {ends[1]}"


def _rate(number: tuple[int, int], language: str, style: Style) -> str:
    points, step = number
    if language == "ja":
        return f"{step * 100}円につき{points}ポイント"
    return f"{_plural(points, 'point')} per {style.sign}{step}"


def _word(kind: str) -> tuple[Drawer, Renderer]:
    """A value that is a word: the number is its place in `WORDS`."""
    return (
        lambda rng, lang: rng.randrange(len(WORDS[kind])),
        lambda number, lang, style: WORDS[kind][number][lang == "ja"],
    )


def _range(rng: random.Random) -> tuple[int, int]:
    low = rng.randint(1, 14)
    return low, low + rng.randint(1, 7)


def _step(rng: random.Random, language: str) -> int:
    return rng.choice([1, 2, 5, 10]) * 100


KINDS: dict[str, tuple[Drawer, Renderer]] = {
    "money": (lambda rng, lang: _yen(rng) if lang == "ja" else _cents(rng), money),
    "money_step": (_step, money),
    "days": (
        lambda rng, lang: rng.choice([rng.randint(2, 31), rng.randint(2, 99)]),
        _counted("day", "日"),
    ),
    "range_days": (lambda rng, lang: _range(rng), _range_days),
    "hours": (
        lambda rng, lang: rng.choice([rng.randint(1, 24), 24, 48, 72]),
        _counted("hour", "時間"),
    ),
    "minutes": (
        lambda rng, lang: rng.choice([rng.randint(2, 90), rng.randint(1, 18) * 5]),
        _counted("minute", "分"),
    ),
    "weeks": (lambda rng, lang: rng.randint(1, 12), _counted("week", "週間")),
    "months": (
        lambda rng, lang: rng.choice([rng.randint(1, 36), 6, 12, 24]),
        _counted("month", "か月"),
    ),
    "percent": (lambda rng, lang: rng.choice([rng.randint(2, 40), 5, 10, 15, 20]), _percent),
    "points": (lambda rng, lang: rng.randint(1, 9), _counted("point", "ポイント")),
    "weekday": (lambda rng, lang: rng.randrange(7), _weekday),
    "clock_range": (
        lambda rng, lang: (rng.randint(12, 23) * 30, rng.randint(32, 46) * 30),
        _clock,
    ),
    "clock": (lambda rng, lang: rng.randint(96, 240) * 5, _hour),
    "opening": (
        lambda rng, lang: rng.choice([rng.randint(72, 143) * 5, rng.randint(12, 23) * 30]),
        _hour,
    ),
    "closing": (
        lambda rng, lang: rng.choice([rng.randint(168, 264) * 5, rng.randint(30, 44) * 30]),
        _hour,
    ),
    "years": (lambda rng, lang: rng.randint(1, 10), _counted("year", "年")),
    "business_days": (lambda rng, lang: rng.randint(2, 20), _counted("business day", "営業日")),
    "points_rate": (lambda rng, lang: (rng.randint(1, 5), rng.choice([1, 2, 5, 10])), _rate),
    "people": (lambda rng, lang: rng.randint(3, 30), _people),
    "pieces": (lambda rng, lang: rng.randint(3, 60), lambda number, lang, style: str(number)),
    "age": (lambda rng, lang: rng.randint(3, 18), lambda number, lang, style: str(number)),
    "weight": (
        lambda rng, lang: rng.randint(2, 150),
        lambda number, lang, style: f"{number}キロ" if lang == "ja" else f"{number} kg",
    ),
    "distance": (
        lambda rng, lang: rng.randint(2, 80),
        lambda number, lang, style: f"{number}キロ" if lang == "ja" else f"{number} km",
    ),
    "date": (lambda rng, lang: (rng.randint(1, 12), rng.randint(1, 28)), _date),
    "dates": (
        lambda rng, lang: (rng.randint(1, 12), rng.randint(1, 13), rng.randint(15, 28)),
        _dates,
    ),
    **{kind: _word(kind) for kind in WORDS},
}


def draw_value(
    kind: str, language: str, style: Style, rng: random.Random, *, held_out: bool = False
) -> str:
    """A value of `kind` as text with its unit; only kept-out numbers where `held_out` is true.

    Raises KeyError for an unknown kind.
    """
    drawer, renderer = KINDS[kind]
    while True:
        number = drawer(rng, language)
        if kind in NEVER_HELD_OUT or is_held_out(kind, number) == held_out:
            return renderer(number, language, style)
