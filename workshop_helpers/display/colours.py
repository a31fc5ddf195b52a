"""The colours of everything that is drawn: those of Okabe and Ito, which can be told apart with any
kind of colour vision (https://jfly.uni-koeln.de/color/).

Nothing is told by colour alone: lines have their own style and marker, bars a hatching, text a line
below it. Right and wrong are blue and vermillion, never green and red.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle

BLUE, ORANGE, GREEN = "#0072B2", "#E69F00", "#009E73"
VERMILLION, PURPLE, SKY = "#D55E00", "#CC79A7", "#56B4E9"
RIGHT, WRONG = BLUE, VERMILLION
HATCH = "///"  # of bars that stand for what is wrong

# The dark ones first: the light ones are weak on white ground.
SERIES = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY)


@dataclass(frozen=True)
class Stroke:
    """How one line of a plot is drawn, so that it is told from the others without colour too."""

    colour: str
    marker: str  # as matplotlib names it
    dashes: tuple[float, ...]  # drawn and left out, in widths of the line; none: a whole line


_MARKERS = ("o", "s", "^", "D", "v", "P")
_DASHES = ((), (5.0, 2.0), (1.5, 1.5), (7.0, 2.0, 1.5, 2.0), (3.0, 1.2), (9.0, 3.0))


def strokes() -> Iterator[Stroke]:
    """Six different strokes, and then these again."""
    return cycle(map(Stroke, SERIES, _MARKERS, _DASHES))
