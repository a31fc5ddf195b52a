"""How much answers differ: what collapses when a model has learned to say one thing only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

OPENING = 16  # length of an answer's opening; half as many Japanese characters


@dataclass(frozen=True)
class Variety:
    """Of some answers: how many there are for each different one and each different opening, as
    shares (1: all differ), the commonest opening, and the share of the answers that begin with it.
    """

    distinct: float
    openings: float
    commonest: str
    commonest_share: float


def opening(text: str) -> str:
    """What an answer begins with. By characters: Japanese is written without blanks, so that a
    split at these finds the whole answer.
    """
    start = text[:OPENING]
    return start if start.isascii() else start[: OPENING // 2]


def variety(texts: Sequence[str]) -> Variety:
    """The variety of `texts`; of none it is 0."""
    said = [text.strip() for text in texts]
    if not said:
        return Variety(0.0, 0.0, "", 0.0)
    openings = Counter(map(opening, said))
    commonest, times = openings.most_common(1)[0]
    many = len(said)
    return Variety(len(set(said)) / many, len(openings) / many, commonest, times / many)
