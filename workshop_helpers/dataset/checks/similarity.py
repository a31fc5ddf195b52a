"""The similarity of texts by character n-grams, which need no word segmentation in Japanese.

The Jaccard index |A ∩ B| / |A ∪ B| of the sets of n-grams (Broder 1997, "On the resemblance and
containment of documents"). Candidates are found by bands of a signature: for each of 128 fixed
points the first hash of the set at or after it, which two sets share with the probability of their
index, as they share a MinHash; but the sorted hashes are searched once and not hashed 128 times.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from typing import Any

POINTS = 128
BANDS = 32  # of 4 points each: pairs at 0.7 are found with a probability above 99.9 %
FEWEST_BANDS = 3  # shared bands needed to compare two rows
# Rows kept per band, and rows compared; both limit the work for equal rows.
NEIGHBOURS, CANDIDATES = 12, 8
_JOIN = re.compile(r"[\W_]+")
# Full-width signs, which normalising makes ASCII ones: without them most texts are normalised.
_WIDE = re.compile("[！-／：-＠［-｀｛-～]+")
_ASCII = str.maketrans({chr(code): " " for code in range(128) if not chr(code).isalnum()})


def plain(text: str) -> str:
    """The text for comparing: NFKC, lower case, only letters and digits, single spaces."""
    if text.isascii():  # the same, three times as fast
        return " ".join(text.lower().translate(_ASCII).split())
    text = _WIDE.sub(" ", text)
    if not unicodedata.is_normalized("NFKC", text):  # a quick look; normalising takes long
        text = unicodedata.normalize("NFKC", text)
    return _JOIN.sub(" ", text.casefold()).strip()


def shingles(text: str) -> Any:
    """Hashes of the distinct n-grams of a text in its `plain` form, a sorted numpy array (uint32).

    n is 3 for mostly non-ASCII text (a kanji carries more than a letter), else 5; a shorter text is
    one n-gram.
    """
    import numpy as np

    text = plain(text)
    if text.isascii():
        codes, size = np.frombuffer(text.encode(), dtype=np.uint8).astype(np.uint64), 5
    else:
        raw = text.encode("utf-32-le", "replace")
        codes = np.frombuffer(raw, dtype=np.uint32).astype(np.uint64)
        size = 3 if (codes > 127).mean() > 0.3 else 5
    if codes.size <= size:
        size = max(1, codes.size)
    if not codes.size:
        return np.empty(0, dtype=np.uint32)
    count = codes.size - size + 1
    grams = codes[:count].copy()
    for offset in range(1, size):  # a polynomial hash modulo 2^64, for all positions at once
        grams *= np.uint64(0x100000001B3)
        grams += codes[offset : offset + count]
    grams ^= grams >> np.uint64(29)
    grams *= np.uint64(0xBF58476D1CE4E5B9)
    found = (grams >> np.uint64(32)).astype(np.uint32)
    found.sort()  # np.unique is slower
    return found[np.concatenate(([True], found[1:] != found[:-1]))]


def jaccard(a: Any, b: Any) -> float:
    """The Jaccard index of two results of `shingles`; 1 for two empty ones."""
    import numpy as np

    if not a.size and not b.size:
        return 1.0
    both = np.concatenate((a, b))
    both.sort()
    common = np.count_nonzero(both[1:] == both[:-1])
    return float(common / (a.size + b.size - common))


class Similar:
    """Finds the most similar of the texts kept so far.

    threshold: the minimum Jaccard index. Memory: about 2 KB per text and 4 bytes per character.
    Needs numpy.
    """

    def __init__(self, threshold: float = 0.8) -> None:
        import numpy as np

        self.threshold = threshold
        draw = np.random.RandomState(0)
        # Points side by side often share their hash in a short text, so a band's are drawn.
        self._points = draw.permutation(np.arange(POINTS, dtype=np.uint32) << np.uint32(25))
        # Odd factors for each place in a band, and a number for each band.
        self._factors = draw.randint(1 << 62, size=(1, POINTS // BANDS)).astype(np.uint64) | 1
        self._numbers = draw.randint(1 << 62, size=BANDS).astype(np.uint64)
        self._bands: dict[int, list[int]] = {}
        self._grams: list[Any] = []

    def add(self, text: str) -> None:
        """Keep a text without comparing it; numbers count from 0."""
        self._keep(*self._signed(text))

    def nearest(self, text: str, *, keep: bool = False) -> tuple[int, float] | None:
        """The number of the most similar kept text and its Jaccard index; None below the threshold.

        keep: keep this text as well.
        """
        grams, keys = self._signed(text)
        shared = Counter([number for key in keys for number in self._bands.get(key, ())])
        # A pair at 0.7 shares 8 of the 32 bands on average, a pair at 0.8 shares 13.
        likely = [number for number, bands in shared.items() if bands >= FEWEST_BANDS]
        if len(likely) > CANDIDATES:
            likely = sorted(likely, key=lambda number: -shared[number])[:CANDIDATES]
        indices = [(number, jaccard(grams, self._grams[number])) for number in likely]
        best = max(indices, key=lambda pair: pair[1], default=(0, -1.0))
        if keep:
            self._keep(grams, keys)
        return best if best[1] >= self.threshold else None

    def _signed(self, text: str) -> tuple[Any, list[int]]:
        """The n-grams of a text, and a hash of each band of its signature."""
        grams = shingles(text)
        if not grams.size:
            return grams, self._numbers.tolist()
        # Behind the last hash comes the first one again.
        signature = grams[grams.searchsorted(self._points) % grams.size].reshape(BANDS, -1)
        return grams, ((signature * self._factors).sum(axis=1) ^ self._numbers).tolist()

    def _keep(self, grams: Any, keys: list[int]) -> None:
        for key in keys:
            rows = self._bands.setdefault(key, [])
            if len(rows) < NEIGHBOURS:
                rows.append(len(self._grams))
        self._grams.append(grams)
