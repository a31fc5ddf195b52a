"""Detectors of card numbers, My Numbers and US Social Security numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..spans import ALONE, ENDED, ORDER, Span, stars, text_before

_CARD = re.compile(ALONE + r"\d(?:[ -]?\d){12,18}" + ENDED)
_CARD_WORD = re.compile(
    r"(?:card|credit|debit|visa|mastercard|amex|american express|jcb|diners|カード|クレカ|ビザ)",
    re.IGNORECASE,
)
_TEST_CARD = re.compile(
    r"test card|テスト用?(?:の)?カード|テスト用|sandbox|サンドボックス|Stripe|dummy|ダミー",
    re.IGNORECASE,
)
_CARD_SHAPES = {(4, 4, 4, 4), (4, 6, 5), (4, 6, 4), (4, 4, 4, 4, 3), (4, 4, 4, 1)}


def cards(text: str) -> Iterator[Span]:
    """Card numbers; a warning if the text calls them test numbers."""
    for found in _CARD.finditer(text):
        groups = re.split("[ -]", found[0])
        digits = "".join(groups)
        shape = tuple(map(len, groups))
        if not _is_card(digits) or (len(groups) > 1 and shape not in _CARD_SHAPES):
            continue
        near = text_before(found) + " " + text[found.end() : found.end() + 20]
        named = _CARD_WORD.search(near)
        # One in ten 13-digit numbers passes Luhn's test, and Japanese bar codes (JAN) begin like
        # Visa cards.
        if not named and (len(digits) == 13 or ORDER.search(text_before(found))):
            continue
        severity = "warning" if _TEST_CARD.search(near) else "error"
        yield Span(*found.span(), "card", severity, stars(found[0], keep_last=4))


def _is_card(digits: str) -> bool:
    """Whether prefix (ISO/IEC 7812), length and Luhn check digit are those of a network."""
    size, two, three, four = len(digits), int(digits[:2]), int(digits[:3]), int(digits[:4])
    network = (
        (digits[0] == "4" and size in (13, 16, 19))  # Visa
        or (size == 16 and (51 <= two <= 55 or 2221 <= four <= 2720))  # Mastercard
        or (size == 15 and two in (34, 37))  # American Express
        or (16 <= size <= 19 and 3528 <= four <= 3589)  # JCB
        or (14 <= size <= 19 and (300 <= three <= 305 or two in (36, 38, 39)))  # Diners Club
        or (16 <= size <= 19 and (four == 6011 or 644 <= three <= 649 or two in (62, 65)))
    )
    return network and luhn(digits)


def luhn(digits: str) -> bool:
    """Luhn's test (ISO/IEC 7812-1, annex B)."""
    doubled = (int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits)))
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


_TWELVE = re.compile(ALONE + r"\d{4}(?P<gap>[ -]?)\d{4}(?P=gap)\d{4}" + ENDED)
_MY_NUMBER_WORD = re.compile(r"マイナンバー|個人番号|my ?number|individual number", re.IGNORECASE)


def my_numbers(text: str) -> Iterator[Span]:
    """My Numbers, after a word that introduces them."""
    for found in _TWELVE.finditer(text):
        digits = re.sub(r"\D", "", found[0])
        near = text_before(found) + text[found.end() : found.end() + 20]
        if _MY_NUMBER_WORD.search(near) and is_my_number(digits):
            yield Span(*found.span(), "my-number", "error", stars(found[0], keep_last=2))


def is_my_number(digits: str) -> bool:
    """Whether the twelfth digit is the check digit of the eleven before it.

    Weights from the right 2 to 7, then 2 to 6; 11 minus the sum's remainder by 11, and 0 for a
    remainder of 0 or 1 (Ordinance of the Ministry of Internal Affairs and Communications No. 85 of
    2014, article 5).
    """
    weighed = sum(
        int(digit) * (n + 1 if n <= 6 else n - 5)
        for n, digit in enumerate(reversed(digits[:11]), 1)
    )
    rest = weighed % 11
    if len(set(digits)) == 1:  # an example such as 0000 0000 0000
        return False
    return int(digits[11]) == (0 if rest <= 1 else 11 - rest)


_SSN = re.compile(ALONE + r"(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}" + ENDED)
_SSN_WORD = re.compile(r"\bSSN\b|social security|社会保障番号", re.IGNORECASE)


def ssns(text: str) -> Iterator[Span]:
    """US Social Security numbers."""
    for found in _SSN.finditer(text):
        before = text_before(found)
        named = _SSN_WORD.search(before)
        if not named and ORDER.search(before):
            continue
        severity = "error" if named else "warning"
        yield Span(*found.span(), "ssn", severity, stars(found[0], keep_last=4))
