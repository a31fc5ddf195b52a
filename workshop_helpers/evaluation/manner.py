"""How candidates answer, apart from what they state: the manner that few rows can teach."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any

from ..core.showing import Shown
from ..metrics.quantities import quantities
from .comparison import CandidateResult, Comparison

_LIST_LINE = re.compile(r"^[^\S\n]*(?:[-*・•●]|\d{1,2}[.)．）])\s*\S", re.M)


@dataclass(frozen=True)
class Manner:
    """How one candidate answers; all but `characters` are shares of the answers, from 0 to 1.

    unchanged: word for word what the first candidate says. characters: mean length. polite: of the
    Japanese ones, in です・ます; None without any. lists: hold a line of a list. figures: commit
    themselves to a figure. right: of those with a figure, state a fact that was asked for; None
    without any.
    """

    label: str
    unchanged: float
    characters: float
    polite: float | None
    lists: float
    figures: float
    right: float | None


@dataclass(frozen=True)
class Manners(Shown):
    """The manner of each candidate of a comparison, in its order and language."""

    rows: tuple[Manner, ...]
    language: str

    def row(self, label: str) -> Manner:
        """The row of that label. KeyError for another."""
        return {row.label: row for row in self.rows}[label]

    def to_dict(self) -> dict[str, Any]:
        """All fields, as JSON takes them."""
        return asdict(self)


def manner(comparison: Comparison) -> Manners:
    """How each candidate of the comparison answers; see `Manner`."""
    first = comparison.rows[0]
    return Manners(tuple(_manner(row, first) for row in comparison.rows), comparison.language)


def _manner(row: CandidateResult, first: CandidateResult) -> Manner:
    texts, count = [answer.text for answer in row.answers], len(row.answers)
    same = sum(a.text == b.text for a, b in zip(row.answers, first.answers, strict=True))
    with_figure = [n for n, text in enumerate(texts) if quantities(text)]
    right = sum(bool(row.scores[n].found) for n in with_figure)
    return Manner(
        label=row.label,
        unchanged=same / count,
        characters=row.summary.length,
        polite=row.summary.polite,
        lists=sum(bool(_LIST_LINE.search(text)) for text in texts) / count,
        figures=len(with_figure) / count,
        right=right / len(with_figure) if with_figure else None,
    )
