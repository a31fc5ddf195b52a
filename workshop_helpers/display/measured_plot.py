"""A table of figures as a plot: one column against another, a line for each name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .measured import chapter_word, recorded_rows
from .plots import Plot, house_style, line, new_figure, strokes


def figures_plot(
    chapter: str, rows: Sequence[Mapping[str, Any]], language: str, *, log: bool = False
) -> Plot:
    """`rows` as `figures_table` takes them, of three columns: the name of the line, what goes to
    the right, and what goes up (shares as percent); `log`: the first of these by powers.
    """
    name, right, up = rows[0]
    percent = 100 if up.endswith("_share") else 1
    told = []
    with house_style(language):
        figure = new_figure(8.6, 4.6)
        axes = figure.subplots()
        for label, stroke in zip(dict.fromkeys(row[name] for row in rows), strokes(), strict=False):
            points = [(row[right], percent * row[up]) for row in rows if row[name] == label]
            said = chapter_word(chapter, label, language)
            axes.plot(*zip(*points, strict=True), label=said, **line(stroke))
            told.append(f"{said}: " + ", ".join(f"{x:g} → {y:.4g}" for x, y in points))
        if log:
            axes.set_xscale("log")
        axes.set_ylim(bottom=0)
        axes.set_xlabel(chapter_word(chapter, right, language))
        axes.set_ylabel(chapter_word(chapter, up, language) + (" (%)" if percent == 100 else ""))
        figure.legend(loc="outside right upper")
    return Plot(figure, "; ".join(told))


def measured_plot(name: str, table: str, language: str, *, log: bool = False) -> Plot:
    """A table of results/advanced/NAME.json, drawn by `figures_plot`."""
    return figures_plot(name[:2], recorded_rows(name, table)[1], language, log=log)
