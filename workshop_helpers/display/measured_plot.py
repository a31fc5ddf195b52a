"""A recorded table as lines: one column against another, a line for each name."""

from __future__ import annotations

from .measured import chapter_word, recorded_rows
from .plots import Plot, house_style, line, new_figure, strokes


def measured_plot(name: str, table: str, language: str, *, log: bool = False) -> Plot:
    """A table of results/advanced/NAME.json with three columns: the name of the line, what goes to
    the right, and what goes up (shares as percent); `log`: the first of these by powers.

    Raises WorkshopError where the file or the table is missing.
    """
    rows, chapter = recorded_rows(name, table)[1], name[:2]
    label, right, up = rows[0]
    percent = 100 if up.endswith("_share") else 1
    told = []
    with house_style(language):
        figure = new_figure(8.6, 4.6)
        axes = figure.subplots()
        for one, stroke in zip(dict.fromkeys(row[label] for row in rows), strokes(), strict=False):
            points = [(row[right], percent * row[up]) for row in rows if row[label] == one]
            said = chapter_word(chapter, one, language)
            axes.plot(*zip(*points, strict=True), label=said, **line(stroke))
            told.append(f"{said}: " + ", ".join(f"{x:g} → {y:.4g}" for x, y in points))
        if log:
            axes.set_xscale("log")
        axes.set_ylim(bottom=0)
        axes.set_xlabel(chapter_word(chapter, right, language))
        axes.set_ylabel(chapter_word(chapter, up, language) + (" (%)" if percent == 100 else ""))
        figure.legend(loc="outside right upper")
    return Plot(figure, "; ".join(told))
