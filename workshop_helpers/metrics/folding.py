"""One way of writing a text (full-width, half-width, dashes), with the way back to the original."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True)
class Folded:
    """A text in normal form; `spans[i]`: the position of its i-th character in the original."""

    text: str
    spans: tuple[tuple[int, int], ...]

    def origin(self, start: int, end: int) -> tuple[int, int]:
        """The place in the original of the characters from `start` to `end` (not empty)."""
        return self.spans[start][0], self.spans[end - 1][1]


_DASHES = dict.fromkeys("‐‑‒–—―−﹘﹣", "-") | dict.fromkeys("〜～∼˷", "~")
_DASHES |= dict.fromkeys("‘’ʼ", "'")
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


_LONG = 10_000  # characters; a longer text is not kept, since its spans take much memory


def fold(text: str) -> Folded:
    """One way of writing (NFKC, lower case, one dash, one tilde), with the way back to `text`."""
    return _kept(text) if len(text) <= _LONG else _fold(text)


def _fold(text: str) -> Folded:
    if text.isascii():
        places = range(len(text))
        return Folded(text.lower(), tuple((place, place + 1) for place in places))
    clusters = [(_fold_cluster(match[0]), match.span()) for match in _CLUSTER.finditer(text)]
    folded = "".join(cluster for cluster, _ in clusters)
    # The long-vowel mark is often typed for a dash: 3ー5営業日.
    folded = re.sub(r"(?<=[0-9日円時分])ー(?=[0-9])", "-", folded)
    return Folded(folded, tuple(span for cluster, span in clusters for _ in cluster))


_kept = lru_cache(maxsize=1024)(_fold)


_CJK = r"\u3005-\u30ff\u3400-\u9fff\uf900-\ufaff"


def normalise(text: str) -> str:
    """The text in normal form, for comparing and reading.

    Full-width characters become plain ones, letters lower case, "￥1,200" "1200円", every dash "-"
    and every tilde "~" (no spaces around them between quantities); white space is one space, and
    none between quantities and Japanese units.
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
