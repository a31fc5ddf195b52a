"""Whether a training by preference has reached the answers, by signs that can be counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..dataset.preferences import PreferencePair, courtesy
from ..training.preferences import PreferenceReport, pair_log_probabilities
from ..training.report import TrainingReport
from .comparison import Comparison


def preference_figures(
    comparison: Comparison,
    models: Mapping[str, str | Path | TrainingReport | PreferenceReport],
    pairs: Sequence[PreferencePair],
) -> list[dict[str, Any]]:
    """One row for each candidate of the comparison, as `figures_table` takes them.

    wins_share: of its answers against the first candidate's, the one with more sentences of
    courtesy wins, equal ones count half. courteous_share: of its answers, those with any.
    recall_share: facts stated. characters: mean length. chosen and rejected: mean log-probability
    that it gives to both answers of the held-out `pairs`; margin_share: of the pairs, those of
    which it finds the wanted answer the likelier one, as against the first candidate.
    """
    first = [courtesy(answer.text) for answer in comparison.rows[0].answers]
    begun: list[tuple[float, float]] = []
    rows = []
    for row in comparison.rows:
        counts = [courtesy(answer.text) for answer in row.answers]
        points = [1.0 * (a > b) + 0.5 * (a == b) for a, b in zip(counts, first, strict=True)]
        model = models[row.label]
        if not isinstance(model, str | Path):
            model = model.adapter
        found = pair_log_probabilities(model, pairs)
        begun = begun or found
        grown = [(a - b) > (c - d) for (a, b), (c, d) in zip(found, begun, strict=True)]
        rows.append(
            {
                "method": row.label,
                "wins_share": sum(points) / len(points),
                "courteous_share": sum(map(bool, counts)) / len(counts),
                "recall_share": row.summary.recall,
                "characters": row.summary.length,
                "chosen": sum(a for a, _ in found) / len(found),
                "rejected": sum(b for _, b in found) / len(found),
                "margin_share": sum(grown) / len(grown) if row is not comparison.rows[0] else None,
            }
        )
    return rows
