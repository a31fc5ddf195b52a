"""How far a mean may be trusted: intervals by the bootstrap.

The questions are drawn anew, with replacement, thousands of times; the middle 95 % of the means is
the interval (Efron 1979; the percentile method). Questions about the same fact stand and fall
together, so they can be drawn by groups. Two models that answered the same questions are compared
by the differences, question by question: what is hard for both cancels out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from ..core.errors import WorkshopError

_DRAWS = 4000


@dataclass(frozen=True)
class Interval:
    """A mean and the ends of its 95 % interval, of `n` values."""

    mean: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"

    def to_dict(self) -> dict[str, float]:
        """All fields, as JSON takes them."""
        ends = (self.mean, self.low, self.high)
        mean, low, high = (round(value, 4) for value in ends)
        return {"mean": mean, "low": low, "high": high, "n": self.n}


def bootstrap(
    values: Sequence[float],
    groups: Sequence[Hashable] | None = None,
    *,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """The mean of `values` and its interval. `groups`: for each value what it belongs to; whole
    groups are drawn then. Raises WorkshopError for no values, or another number of groups.
    """
    import numpy as np

    if not values:
        raise WorkshopError("There are no values: nothing to put an interval around.")
    if groups is not None and len(groups) != len(values):
        raise WorkshopError(f"{len(values)} values, but {len(groups)} groups: give one for each.")
    together: dict[Hashable, list[float]] = defaultdict(list)
    for place, value in enumerate(values):
        together[place if groups is None else groups[place]].append(float(value))
    sums = np.array([sum(group) for group in together.values()])
    sizes = np.array([len(group) for group in together.values()])
    drawn = np.random.default_rng(seed).integers(len(sums), size=(_DRAWS, len(sums)))
    means = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(sums.sum() / sizes.sum()), float(low), float(high), len(values))


def difference(
    before: Sequence[float],
    after: Sequence[float],
    groups: Sequence[Hashable] | None = None,
    *,
    paired: bool = True,
    seed: int = 0,
) -> Interval:
    """How much the mean rises from `before` to `after`, and its 95 % interval.

    paired: the n-th values belong to the same question. Otherwise the two lists are drawn each for
    itself, as if other questions had been asked. Raises WorkshopError as `bootstrap` does, and for
    pairs that do not match.
    """
    import numpy as np

    if paired:
        if len(before) != len(after):
            raise WorkshopError(f"{len(before)} values before and {len(after)} after are no pairs.")
        rises = [after - before for before, after in zip(before, after, strict=True)]
        return bootstrap(rises, groups, seed=seed)
    dice = np.random.default_rng(seed)
    means = [
        np.array(values)[dice.integers(len(values), size=(_DRAWS, len(values)))].mean(axis=1)
        for values in (before, after)
    ]
    low, high = np.quantile(means[1] - means[0], [0.025, 0.975])
    rise = sum(after) / len(after) - sum(before) / len(before)
    return Interval(float(rise), float(low), float(high), len(after))
