"""Estimated memory as bars of terms, one under the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.wordings import say
from ..training.estimate import MemoryEstimate
from .colours import SERIES
from .plots import Plot, house_style, label, new_figure

_HATCHES = ("", "//", "..", "\\\\", "xx", "--")


def memory_bars(estimates: Mapping[str, MemoryEstimate], language: str = "en") -> Plot:
    """A bar for each estimate, of its terms, in GB. What is held at once is less than their sum
    where gradients come as activations go; the mark says how much.
    """
    title = say("display.memory-bars", language)
    names = list(estimates)
    with house_style(language):
        figure = new_figure(8.6, 2.4 + 0.62 * len(names))
        axes = figure.add_subplot()
        left = [0.0] * len(names)
        for term, colour, hatch in zip(next(iter(estimates.values())).terms, SERIES, _HATCHES,
                                       strict=True):  # fmt: skip
            values = [one.terms[term] / 1e9 for one in estimates.values()]
            named = say(f"widgets.cost-{term}", language)
            look: dict[str, Any] = {"color": colour, "hatch": hatch, "edgecolor": "white"}
            axes.barh(range(len(names)), values, 0.6, left, label=named, **look)
            left = [a + b for a, b in zip(left, values, strict=True)]
        peaks = [one.peak / 1e9 for one in estimates.values()]
        axes.plot(peaks, range(len(names)), "k|", markersize=24, markeredgewidth=3)
        axes.set_yticks(range(len(names)), [label(name) for name in names])
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
        axes.set_xlabel("GB")
        axes.set_title(title)
        figure.legend(loc="outside lower left", ncols=3, fontsize=12)
    told = "; ".join(f"{name} {peak:.1f} GB" for name, peak in zip(names, peaks, strict=True))
    return Plot(figure, f"{title} ({told})")
