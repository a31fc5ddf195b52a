"""Personal data in English and Japanese text, and how it is masked.

Every kind has one finder, in a module for each sort of data. Shapes alone do not decide: a card
number must pass Luhn's test and begin like a network's, a telephone number must be one by the
numbering plan (the `phonenumbers` library), a My Number needs its check digit and a word that
announces it. That keeps prices, dates, order numbers and product codes out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple

from ..findings import Finding, around, finding, place_of, visible
from ..prefilter import (
    EMAIL,
    ENGLISH_NAME,
    JAPANESE_NAME,
    JAPANESE_PLACE,
    NUMBER,
    PERSONAL,
    STREET,
    first_look,
    personal_kinds,
)
from ..secrets import find_secrets
from .addresses import japanese_addresses, postal_codes, streets
from .contact import emails, phones
from .names import english_names, japanese_names
from .numbers import cards, my_numbers, ssns
from .spans import Span

if TYPE_CHECKING:
    from ...formats import Conversation


def check_personal(conversation: Conversation) -> Iterable[Finding]:
    """`pii-email`, `pii-phone`, `pii-card`, `pii-my-number`, `pii-ssn`, `pii-postal-code`,
    `pii-address`, `pii-name`.

    Every turn of the row is looked at; what is found stands masked in message and excerpt.
    """
    if first_look(conversation.messages) & PERSONAL:
        return personal_findings(conversation)
    return ()


def personal_findings(conversation: Conversation) -> list[Finding]:
    """As `check_personal`, where the first look has seen signs."""
    messages = conversation.messages
    found: list[Finding] = []
    for number, message in enumerate(messages, start=1):
        text = message.content
        spans = find_personal(text, speaker=message.role)
        if not spans:
            continue
        where = place_of(message.role, number if len(messages) > 3 else None)
        shown, moved = _masked(text, [*spans, *_secret_spans(text)])
        for span in spans:
            start = moved(span.start)
            found.append(
                finding(
                    span.rule,
                    conversation,
                    f"{where} holds {span.what}: {span.masked}",
                    excerpt=visible(around(shown, start, start + len(span.masked), 80)),
                    severity=span.severity,
                )
            )
    return found


# -- finding and masking ---------------------------------------------------------------------------

_PLAIN = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: " "} | {
    ord(dash): "-" for dash in "‐‑‒–—―−─━"
}  # fmt: skip
_LINK = re.compile(r"(?:https?|ftp|file)://[^\s<>\"'）」]+")
# Numbers first: what is a card number is no telephone number.
_FINDERS: tuple[tuple[int, tuple[Callable[[str], Iterable[Span]], ...]], ...] = (
    (NUMBER, (cards, my_numbers)),
    (EMAIL, (emails,)),
    (NUMBER, (phones, ssns)),
    (NUMBER | STREET, (postal_codes,)),
    (JAPANESE_PLACE, (japanese_addresses,)),
    (STREET, (streets,)),
    (JAPANESE_NAME, (japanese_names,)),
)


def find_personal(text: str, *, speaker: str | None = None) -> list[Span]:
    """The personal data in a text, in order and without overlap.

    speaker: whose turn it is, if known; "My name is …" in an assistant's or system turn is the
    assistant's own name.
    """
    kinds = personal_kinds(text)
    if not kinds:
        return []
    # Full-width forms are read as their ASCII twins; every character keeps its place.
    plain = text if text.isascii() else text.translate(_PLAIN)
    links = [found.span() for found in _LINK.finditer(plain)] if "://" in plain else []
    spans: list[Span] = []
    for kind, finders in _FINDERS:
        if kinds & kind:
            for finder in finders:
                for span in finder(plain):
                    if kind == EMAIL or not any(a <= span.start < b for a, b in links):
                        _add(spans, span)
    if kinds & ENGLISH_NAME:
        for span in english_names(plain, speaker):
            _add(spans, span)
    if plain is not text:
        spans = [span._replace(masked=_in_its_own_form(text, plain, span)) for span in spans]
    return sorted(spans)


def _in_its_own_form(text: str, plain: str, span: Span) -> str:
    # What is not hidden stays as it was written, full-width digits and dashes included.
    if len(span.masked) != span.end - span.start:
        return span.masked
    return "".join(
        text[i] if character == plain[i] else character
        for i, character in enumerate(span.masked, span.start)
    )


def _add(spans: list[Span], new: Span) -> None:
    if all(new.end <= old.start or old.end <= new.start for old in spans):
        spans.append(new)


def mask(text: str, *, speaker: str | None = None) -> tuple[str, int]:
    """The text with personal data and secrets masked, and how many there were.

    Enough stays to recognise it: the first letter of a name or an address, the last four digits of
    a telephone or card number, the region of a postal code, the first characters of a key. E-mail
    addresses and secrets are cut short ("t…@e…"); everything else keeps its length. Masking what is
    masked changes nothing.
    """
    count = 0
    # What is masked may have hidden its neighbour: look again until nothing is left.
    for _ in range(8):
        spans = [*_secret_spans(text), *find_personal(text, speaker=speaker)]
        if not spans:
            break
        masked, _moved = _masked(text, spans)
        if masked == text:
            break
        text = masked
        count += len(spans)
    return text, count


def _secret_spans(text: str) -> list[Span]:
    return [
        Span(one.start, one.end, "secret", one.severity, one.kind, one.masked)
        for one in find_secrets(text)
    ]


class _Moved(NamedTuple):
    """Where a place of the text lies after masking."""

    shifts: tuple[tuple[int, int], ...]

    def __call__(self, place: int) -> int:
        return place + sum(shift for end, shift in self.shifts if end <= place)


def _masked(text: str, spans: Iterable[Span]) -> tuple[str, _Moved]:
    kept: list[Span] = []
    for span in spans:
        _add(kept, span)
    parts, shifts, last = [], [], 0
    for span in sorted(kept):
        parts += [text[last : span.start], span.masked]
        shifts.append((span.end, len(span.masked) - (span.end - span.start)))
        last = span.end
    return "".join([*parts, text[last:]]), _Moved(tuple(shifts))
