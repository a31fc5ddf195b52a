"""Search: which of some short texts fit a question best, by BM25 over pieces of characters.

Pieces of characters instead of words: Japanese has no spaces, and "shipping", "shipped" and "ship"
share pieces where they share no word.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

# How fast repeating a piece stops to count, and how much a long text is marked down: the usual
# values of BM25 (Robertson and Zaragoza 2009, "The Probabilistic Relevance Framework").
_K1, _B = 1.2, 0.75
_WITHOUT_SPACES = re.compile("[\u3040-\u30ff\u3400-\u9fff]")  # kana and kanji


class Search:
    """Texts to be searched. `size` is the length of a piece in characters: 2 suits Japanese, 3
    English; None takes the one that suits the texts.
    """

    def __init__(self, texts: Sequence[str], size: int | None = None) -> None:
        self.size = size or (2 if any(map(_WITHOUT_SPACES.search, texts)) else 3)
        self._texts = [self._pieces(text) for text in texts]
        found_in = Counter(piece for text in self._texts for piece in text)
        # What stands in few of the texts tells most about the one it stands in.
        self._weight = {
            piece: math.log(1 + (len(texts) - n + 0.5) / (n + 0.5)) for piece, n in found_in.items()
        }
        self._mean = sum(map(Counter.total, self._texts)) / max(1, len(texts))

    def scores(self, question: str) -> list[float]:
        """How well each text fits the question, in their order; 0 where they share no piece."""
        asked = self._pieces(question)
        return [self._score(asked, text) for text in self._texts]

    def best(self, question: str, n: int) -> list[int]:
        """The places of the `n` texts that fit best, the best first; fewer where fewer fit."""
        scores = self.scores(question)
        order = sorted(range(len(scores)), key=lambda i: -scores[i])
        return [i for i in order[:n] if scores[i] > 0]

    def _score(self, asked: Counter[str], text: Counter[str]) -> float:
        damp = _K1 * (1 - _B + _B * text.total() / self._mean)
        shared = asked.keys() & text.keys()
        return sum(self._weight[p] * text[p] * (_K1 + 1) / (text[p] + damp) for p in shared)

    def _pieces(self, text: str) -> Counter[str]:
        text = re.sub(r"\s+", " ", text.casefold())
        return Counter(text[i : i + self.size] for i in range(len(text) - self.size + 1))
