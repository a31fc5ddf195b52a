"""Detection and masking of personal data in English and Japanese text.

Each kind has one detector. A pattern alone is not enough: a card number must pass Luhn's test and
have a network's prefix, a telephone number must be valid in the numbering plan (the `phonenumbers`
library), a My Number needs its check digit and a word that introduces it. This excludes prices,
dates, order numbers and product codes.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate
from typing import Any

from ....core.outside import visible
from ...formats import Conversation
from .. import prefilter
from ..findings import Finding, around, finding, who, word
from ..secrets import find_secrets
from ..spans import Span, without_overlap
from .addresses import japanese_addresses, postal_codes, streets
from .contact import emails, phones
from .names import english_names, japanese_names
from .numbers import cards, my_numbers, ssns
from .stand_ins import is_stand_in, stand_in


def personal_findings(conversation: Conversation) -> list[Finding]:
    """The `pii-…` findings in the turns of one row, masked in message and excerpt."""
    messages = conversation.messages
    found: list[Finding] = []
    for number, message in enumerate(messages, start=1):
        text = message.content
        spans = find_personal(text, speaker=message.role)
        if not spans:
            continue
        turn = who(message.role, number if len(messages) > 3 else None)
        hidden = without_overlap([*spans, *find_secrets(text)])
        shown = _replaced(text, hidden, [one.masked for one in hidden])
        moved = [0, *accumulate(_growth(one) for one in hidden)]
        ends = [one.end for one in hidden]
        seen: set[tuple[str, str]] = set()
        for span in spans:
            said = (span.kind, text[span.start : span.end])
            if said in seen:
                continue  # a person that a story names again and again is one finding
            seen.add(said)
            start = span.start + moved[bisect_right(ends, span.start)]
            excerpt = visible(around(shown, start, start + len(span.masked), 80))
            values: dict[str, Any] = {"who": turn, "kind": word(span.kind), "masked": span.masked}
            values |= {"severity": span.severity, "excerpt": excerpt}
            found.append(finding(span.rule, conversation, "holds", **values))
    return found


_PLAIN = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: " "} | {
    ord(dash): "-" for dash in "‐‑‒–—―−─━"
}  # fmt: skip
_LINK = re.compile(r"(?:https?|ftp|file)://[^\s<>\"'）」]+")
# Card numbers come first, so that they are not reported as telephone numbers.
_FINDERS: tuple[tuple[int, tuple[Callable[[str], Iterable[Span]], ...]], ...] = (
    (prefilter.NUMBER, (cards, my_numbers)),
    (prefilter.EMAIL, (emails,)),
    (prefilter.NUMBER, (phones, ssns)),
    (prefilter.NUMBER | prefilter.STREET, (postal_codes,)),
    (prefilter.JAPANESE_PLACE, (japanese_addresses,)),
    (prefilter.STREET, (streets,)),
    (prefilter.JAPANESE_NAME, (japanese_names,)),
)


def find_personal(text: str, *, speaker: str | None = None) -> list[Span]:
    """The personal data in a text, in order and without overlap.

    speaker: the role of the turn, if known; "My name is …" in an assistant or system turn is the
    assistant's name.
    """
    kinds = prefilter.personal_signs(text)
    if not kinds:
        return []
    # Full-width characters are replaced one by one with ASCII, so positions stay the same.
    plain = text if text.isascii() else text.translate(_PLAIN)
    found = _spans(plain, kinds, speaker)
    spans = without_overlap(s for s in found if not is_stand_in(s.kind, plain[s.start : s.end]))
    if plain is not text:
        spans = [span._replace(masked=_in_its_own_form(text, plain, span)) for span in spans]
    return spans


def _spans(text: str, kinds: int, speaker: str | None) -> Iterator[Span]:
    links = [found.span() for found in _LINK.finditer(text)] if "://" in text else []
    for kind, finders in _FINDERS:
        if kinds & kind:
            for span in (span for finder in finders for span in finder(text)):
                link = bisect_right(links, (span.start, len(text))) - 1
                if kind == prefilter.EMAIL or link < 0 or links[link][1] <= span.start:
                    yield span
    if kinds & prefilter.ENGLISH_NAME:
        yield from english_names(text, speaker)


def _in_its_own_form(text: str, plain: str, span: Span) -> str:
    # Characters that are not masked keep their form, including full-width digits and dashes.
    if len(span.masked) != span.end - span.start:
        return span.masked
    return "".join(
        text[i] if character == plain[i] else character
        for i, character in enumerate(span.masked, span.start)
    )


def mask(text: str, *, speaker: str | None = None) -> tuple[str, int]:
    """The text with stand-ins for personal data that read as text, and how many there are.

    The same person has the same name throughout ("Dr. Doe's", "甲野様"), numbers keep their shape
    in zeros, addresses their city; secrets are shortened. Masking is idempotent.
    """
    taken: dict[str, str] = {}
    return _until_clean(text, speaker, lambda span, text: stand_in(span, text, taken))


def hide(text: str) -> str:
    """The text for a report, with stars that let one recognise personal data in the file: the first
    letter of a name, the last four digits of a number, the first characters of a key.
    """
    return _until_clean(text, None, lambda span, _: span.masked)[0]


def _until_clean(
    text: str, speaker: str | None, shown: Callable[[Span, str], str]
) -> tuple[str, int]:
    count = 0
    # A masked item may have hidden another one, so repeat until nothing changes.
    for _ in range(8):
        spans = [*find_secrets(text), *find_personal(text, speaker=speaker)]
        kept = without_overlap(spans)
        masked = _replaced(text, kept, [shown(span, text) for span in kept])
        if masked == text:
            break
        text = masked
        count += len(spans)
    return text, count


def _replaced(text: str, spans: Iterable[Span], new: Iterable[str]) -> str:
    parts, last = [], 0
    for span, piece in zip(spans, new, strict=True):
        parts += [text[last : span.start], piece]
        last = span.end
    return "".join([*parts, text[last:]])


def _growth(span: Span) -> int:
    return len(span.masked) - (span.end - span.start)
