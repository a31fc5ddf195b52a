"""Which ways to write a number a text has: each in what it is written in, in nothing near it."""

from __future__ import annotations

import pytest

from workshop_helpers.dataset.checks.style import WAYS

PATTERNS = {way: pattern for _, _, ways in WAYS for way, pattern in ways}
WRITTEN = [
    ("with-commas", "計1,200円", "1,200"),
    ("with-commas", "It is $1,200,000", "$1,200,000"),
    ("with-commas", "2.1,200円 11,2000円", None),
    ("without-commas", "It is 1200 yen", "1200"),
    ("without-commas", "¥1200です", "¥1200"),
    ("without-commas", "3,1200円 $1200,5 0.1200円", None),
    ("half-width", "A4枚 B12個", "2"),  # the 4 is part of a name
    ("half-width", "全12個", "12"),
    ("half-width", "ab12個", "2"),
    ("full-width", "全１２個", "１２"),
    ("年月日", "2024年1月31日", "2024年1月31日"),
    ("Y/M/D", "on 2024/1/31.", "2024/1/31"),
    ("Y/M/D", "1/2024/1/31 12024/1/31 2024/1/31/4", None),
    ("D-Month-Y", "on 31st January 2024", "31st January 2024"),
    ("D-Month-Y", "on a31 January 2024", None),
    ("M/D/Y", "on 1/31/2024", "1/31/2024"),
    ("M/D/Y", "131/31/2024", None),
    ("Y-M-D", "on 2024-01-31", "2024-01-31"),
    ("Y-M-D", "12024-01-31 2024-01-312", None),
    ("9時", "午後9時半まで", "午後9時半"),
    ("9時", "123時", "23時"),
    ("9時", "午9時間 3時間", None),
    ("9-00", "at 19:00", "19:00"),
    ("9-00", "119:00 1:19:000 9:00 am", None),
    ("9-am", "at 9:30 AM", "9:30 AM"),
    ("9-am", "at 119am", None),
]


@pytest.mark.parametrize(("way", "text", "found"), WRITTEN)
def test_a_way_to_write_a_number(way: str, text: str, found: str | None) -> None:
    match = PATTERNS[way].search(text)
    assert (match[0] if match else None) == found
