"""How a share grows with the number of rows, and what more rows would give: curves that saturate,
weighed by how well each passes through what was measured.

Two families, since a few points do not tell them apart: top · (1 - exp(-(n / scale)^slope)), which
closes in fast, and top / (1 + (n / scale)^-slope), whose rest shrinks like a power of n. No single
best curve is taken: all of a grid count, each with its likelihood, so what the points leave open
shows as a wide interval.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

Z = NormalDist().inv_cdf(0.975)  # of a 95 % interval
FEWEST = 3  # numbers of rows through which a curve is laid
_TOPS, _SLOPES, _SCALES = 33, 20, 120  # steps smaller than the errors of the points


@dataclass(frozen=True)
class Estimate:
    """A share from 0 to 1 with its 95 % interval."""

    low: float
    middle: float
    high: float


def wilson(share: float, n: float) -> tuple[float, float]:
    """The 95 % interval of a share of `n` questions (Wilson 1927): it holds the share
    and is never empty nor outside of 0 to 1. A question that is half right counts as half a one.
    """
    square = Z * Z / n
    middle = (share + square / 2) / (1 + square)
    half = Z * math.sqrt(share * (1 - share) / n + square / (4 * n)) / (1 + square)
    return min(share, max(0.0, middle - half)), max(share, min(1.0, middle + half))


@dataclass(frozen=True)
class Saturation:
    """The points that curves go through: numbers of `rows` (growing), the `shares` measured there
    with their standard `errors`, and `luck`: the standard deviation between trainings that differ
    by chance alone.
    """

    rows: Sequence[int]
    shares: Sequence[float]
    errors: Sequence[float]
    luck: float

    @property
    def tells(self) -> bool:
        """Whether there are enough points for a curve."""
        return len(set(self.rows)) >= FEWEST

    def at(self, rows: float, *, trained: bool = True) -> Estimate:
        """The share at so many rows. The interval is that of the answers of one more training;
        of the curve itself where not `trained`.
        """
        import numpy as np

        parameters, weights = self._weighed
        found = self._curves(rows, parameters)
        middle = _quantiles(found, weights, (0.5,))[0]
        if trained:
            offsets = [NormalDist().inv_cdf(p) for p in (0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98)]
            found = np.clip((found[:, None] + self.luck * np.array(offsets)).ravel(), 0, 1)
            weights = np.repeat(weights, len(offsets))
        low, high = _quantiles(found, weights, (0.025, 0.975))
        return Estimate(low, middle, high)

    @cached_property
    def _weighed(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Parameters of all curves of the grid (family, top, slope, scale), and their weights."""
        import numpy as np

        tops = np.linspace(0.04, 1, _TOPS)
        slopes = np.geomspace(0.15, 5, _SLOPES)
        scales = np.geomspace(self.rows[0] / 4, self.rows[-1] * 8, _SCALES)
        parameters = np.array(list(product((0, 1), tops, slopes, scales)))
        off = np.zeros(len(parameters))
        for rows, share, error in zip(self.rows, self.shares, self.errors, strict=True):
            off += ((self._curves(rows, parameters) - share) / error) ** 2
        weights = np.exp((off.min() - off) / 2)
        kept = weights > 1e-6
        return parameters[kept], weights[kept]

    def _curves(self, rows: float, parameters: NDArray[Any]) -> NDArray[Any]:
        import numpy as np

        family, top, slope, scale = parameters.T
        grown = (rows / scale) ** slope
        found: NDArray[Any] = top * np.where(family == 0, -np.expm1(-grown), grown / (1 + grown))
        return found


def _quantiles(values: NDArray[Any], weights: NDArray[Any], at: Sequence[float]) -> list[float]:
    import numpy as np

    order = np.argsort(values)
    reached = np.cumsum(weights[order]) / weights.sum()
    places = np.minimum(np.searchsorted(reached, at), len(values) - 1)
    return [float(one) for one in values[order][places]]
