"""A picture of what NF4 makes of one block of weights."""

from __future__ import annotations

from ..core.wordings import say
from ..models.four_bit import Nf4Block
from .colours import BLUE, VERMILLION
from .plots import Plot, house_style, new_figure


def nf4_picture(block: Nf4Block, language: str = "en") -> Plot:
    """The 16 levels, how many weights of the block fall to each, and each weight on its way to its
    level.
    """
    levels = [block.scale * level for level in block.levels]
    counts = [block.codes.count(code) for code in range(len(levels))]
    with house_style(language):
        figure = new_figure(9.2, 5.0)
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(2, 3))
        above.bar(levels, counts, width=block.scale / 40, color=BLUE)
        above.set_ylabel(say("nf4.count", language))
        for weight, code in zip(block.weights, block.codes, strict=True):
            below.plot([weight, levels[code]], [1, 0], color="#7a8288", linewidth=0.7)
        below.plot(block.weights, [1] * len(block.weights), "|", color=VERMILLION, markersize=14)
        below.plot(levels, [0] * len(levels), "|", color=BLUE, markersize=18, markeredgewidth=2.5)
        below.set_ylim(-0.25, 1.25)
        below.set_yticks([0, 1], [say("nf4.levels", language), say("nf4.weights", language)])
        below.grid(axis="y", visible=False)
        below.set_xlabel(say("nf4.values", language))
    return Plot(figure, say("nf4.picture", language, n=len(block.weights), scale=block.scale))
