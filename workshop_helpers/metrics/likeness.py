"""How like two texts are: chrF, an F-score of their pieces of characters.

Popović 2015, "chrF: character n-gram F-score for automatic MT evaluation". Pieces of characters
suit Japanese, which has no spaces, and stay fair to endings and word order. Not ROUGE: the usual
`rouge_score` keeps ASCII letters and digits only, and calls most Japanese texts equal or unlike.
"""

from __future__ import annotations

from collections import Counter

from .folding import fold

_ORDER = 6  # the longest piece
_BETA = 2  # what the answer leaves out weighs more than what it adds


def chrf(answer: str, reference: str) -> float:
    """chrF2 of the answer against the reference, 0 (nothing shared) to 1 (the same), as sacrebleu's
    `CHRF().sentence_score` counts it, divided by 100. White space does not count, nor do capitals
    and the width of characters.
    """
    texts = ["".join(fold(text).text.split()) for text in (answer, reference)]
    shares = []
    for size in range(1, _ORDER + 1):
        said, right = (Counter(t[i : i + size] for i in range(len(t) - size + 1)) for t in texts)
        if said and right:
            shared = (said & right).total()
            shares.append((shared / said.total(), shared / right.total()))
    if not shares:
        return 0.0
    precision, recall = (sum(each) / len(shares) for each in zip(*shares, strict=True))
    weighted = _BETA**2 * precision + recall
    return (1 + _BETA**2) * precision * recall / weighted if weighted else 0.0
