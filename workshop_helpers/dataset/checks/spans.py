"""Spans of personal data or secrets, how they are masked, and the context of numbers."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import NamedTuple

_RULES = {"firm-email": "pii-email", "service-phone": "pii-phone"}


class Span(NamedTuple):
    """Personal data or a secret at text[start:end]; kind: its name in checks.yaml."""

    start: int
    end: int
    kind: str
    severity: str
    masked: str

    @property
    def rule(self) -> str:
        """The rule for personal data of this kind."""
        return _RULES.get(self.kind, f"pii-{self.kind}")


def without_overlap(spans: Iterable[Span]) -> list[Span]:
    """The spans, sorted; of overlapping ones, the one given first."""
    kept: list[Span] = []
    for span in spans:
        place = bisect_left(kept, span)
        free_before = not place or kept[place - 1].end <= span.start
        if free_before and (place == len(kept) or span.end <= kept[place].start):
            kept.insert(place, span)
    return kept


def stars(text: str, *, keep_first: bool = False, keep_last: int = 0) -> str:
    """Letters and digits replaced by "*", optionally except the first of each word or the last."""
    places = [i for i, c in enumerate(text) if c.isalnum() or c in "々ー"]
    hidden = set(places[: len(places) - keep_last])
    if keep_first and len(places) > 1:
        hidden -= {i for i in places if i == places[0] or text[i - 1] in " \u3000・"}
    return "".join("*" if i in hidden else character for i, character in enumerate(text))


# A number must not be part of a code, a decimal, a path or something already masked.
ALONE = r"(?<![A-Za-z0-9_*…#=/&.,+])(?<![A-Za-z0-9*]-)(?<!\d:)"
ENDED = r"(?![A-Za-z0-9_*…]|-[A-Za-z0-9*]|[.,:]\d)"
# Words before the number of an order, a product or similar.
ORDER = re.compile(
    r"(?:orders?|invoice|tracking|parcel|shipment|ticket|case|reference|ref|serial|model|item|part"
    r"|sku|isbn|issn|jan|ean|upc|gtin|product|customer|member(?:ship)?|booking|reservation"
    r"|confirmation|transaction|policy|batch|lot|\bids?|uuid|imei|timestamp|注文|受注|伝票|追跡"
    r"|送り状|受付|予約|管理|整理|会員|顧客|製造|商品|品番|型番|シリアル|バーコード|ロット"
    r"|問い?合わ?せ番号)"
    r"(?:[ ]?(?:番号|コード|number|numbers|code|id|no))?[^0-9\n]{0,12}$",
    re.IGNORECASE,
)


def text_before(found: re.Match[str], most: int = 40) -> str:
    """At most `most` characters before a match."""
    return found.string[max(0, found.start() - most) : found.start()]


def matches_near(
    pattern: re.Pattern[str], sign: re.Pattern[str], text: str, back: int, ahead: int
) -> Iterator[re.Match[str]]:
    """Matches of a slow pattern near the matches of a fast one."""
    done = 0
    for place in sign.finditer(text):
        if place.start() < done:
            continue
        start = max(done, place.start() - back)
        for found in pattern.finditer(text, start, place.end() + ahead):
            if found.end() >= place.start():
                yield found
                done = found.end()
                break
