"""The similarity of texts by character n-grams, which need no word segmentation in Japanese.

The Jaccard index |A ∩ B| / |A ∪ B| of the sets of n-grams (Broder 1997, "On the resemblance and
containment of documents"); candidates are found by banding MinHash signatures (`datasketch`).
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from typing import Any

PERMUTATIONS = 128
BANDS = 32  # of 4 values each: pairs at 0.7 are found with a probability above 99.9 %
FEWEST_BANDS = 3  # shared bands needed to compare two rows
# Rows kept per band, and rows compared; both limit the work for equal rows.
NEIGHBOURS, CANDIDATES = 12, 8
_JOIN = re.compile(r"[\W_]+")


def plain(text: str) -> str:
    """The text for comparing: NFKC, lower case, only letters and digits, single spaces."""
    return _JOIN.sub(" ", unicodedata.normalize("NFKC", text).casefold()).strip()


def shingles(text: str) -> Any:
    """Hashes of the distinct n-grams of a text in its `plain` form, a sorted numpy array (uint32).

    n is 3 for mostly non-ASCII text (a kanji carries more than a letter), else 5; a shorter text is
    one n-gram.
    """
    import numpy as np

    text = plain(text)
    codes = np.frombuffer(text.encode("utf-32-le", "replace"), dtype=np.uint32).astype(np.uint64)
    size = 3 if codes.size and (codes > 127).mean() > 0.3 else 5
    if codes.size <= size:
        size = max(1, codes.size)
    if not codes.size:
        return np.empty(0, dtype=np.uint32)
    grams = np.zeros(codes.size - size + 1, dtype=np.uint64)
    for offset in range(size):  # a polynomial hash modulo 2^64, for all positions at once
        grams = grams * np.uint64(0x100000001B3) + codes[offset : offset + grams.size]
    grams ^= grams >> np.uint64(29)
    grams *= np.uint64(0xBF58476D1CE4E5B9)
    return np.unique((grams >> np.uint64(32)).astype(np.uint32))


def jaccard(a: Any, b: Any) -> float:
    """The Jaccard index of two results of `shingles`; 1 for two empty ones."""
    import numpy as np

    if not a.size and not b.size:
        return 1.0
    common = np.intersect1d(a, b, assume_unique=True).size
    return float(common / (a.size + b.size - common))


class Similar:
    """Finds the most similar of the texts kept so far.

    threshold: the minimum Jaccard index. Memory: about 2 KB per text and 4 bytes per character.
    Needs numpy and datasketch.
    """

    def __init__(self, threshold: float = 0.8) -> None:
        from datasketch import MinHash

        self.threshold = threshold
        self._fresh = MinHash(num_perm=PERMUTATIONS, hashfunc=int)
        self._bands: dict[bytes, list[int]] = {}
        self._grams: list[Any] = []

    def add(self, text: str) -> None:
        """Keep a text without comparing it; numbers count from 0."""
        self._keep(*self._signed(text))

    def nearest(self, text: str, *, keep: bool = False) -> tuple[int, float] | None:
        """The number of the most similar kept text and its Jaccard index; None below the threshold.

        keep: keep this text as well.
        """
        grams, keys = self._signed(text)
        shared = Counter(number for key in keys for number in self._bands.get(key, ()))
        # A pair at 0.7 shares 8 of the 32 bands on average, a pair at 0.8 shares 13.
        likely = [number for number, bands in shared.items() if bands >= FEWEST_BANDS]
        if len(likely) > CANDIDATES:
            likely = sorted(likely, key=lambda number: -shared[number])[:CANDIDATES]
        indices = [(number, jaccard(grams, self._grams[number])) for number in likely]
        best = max(indices, key=lambda pair: pair[1], default=(0, -1.0))
        if keep:
            self._keep(grams, keys)
        return best if best[1] >= self.threshold else None

    def _signed(self, text: str) -> tuple[Any, list[bytes]]:
        """The n-grams of a text, and the bands of its MinHash signature."""
        grams = shingles(text)
        signature = self._fresh.copy()
        signature.update_batch(grams)
        raw = signature.hashvalues.tobytes()
        width = len(raw) // BANDS
        return grams, [bytes([n]) + raw[n * width : (n + 1) * width] for n in range(BANDS)]

    def _keep(self, grams: Any, keys: list[bytes]) -> None:
        for key in keys:
            rows = self._bands.setdefault(key, [])
            if len(rows) < NEIGHBOURS:
                rows.append(len(self._grams))
        self._grams.append(grams)
