"""What growing shares of the rows taught: plot, table, advice, and the page of all three."""

from __future__ import annotations

import time
from html import escape
from pathlib import Path
from typing import Any

from ..core.artifacts import atomic_file
from ..core.wordings import say
from ..evaluation.curve import Point, RowsCurve
from ..evaluation.saturation import Estimate
from .colours import BLUE, ORANGE, VERMILLION
from .html import SCROLL, page, section
from .plots import Plot, house_style, label, new_figure
from .tables import ResultTable, as_table, percent

COLUMNS = ("rows", "epochs", "recall", "interval", "seeds", "own", "loss", "seconds")
_DRAWN = 40  # places of the band


def rows_curve_plot(curve: RowsCurve, language: str | None = None) -> Plot:
    """Recall against the rows, with the curves that fit as a band up to twice the rows, and the
    training with half of the epochs.
    """
    language = language or curve.language
    title = say("curve.title", language, model=label(curve.model))
    with house_style(language):
        figure = new_figure(7.6, 5.2)
        axes = figure.add_subplot()
        _draw_band(axes, curve, language)
        if curve.points:
            _draw_points(axes, curve, language)
        axes.axhline(100 * curve.goal, color="#7a8288", linestyle=":")
        goal = say("curve.goal", language)
        axes.annotate(
            goal, (0.005, 100 * curve.goal), (0, 3), textcoords="offset points",
            xycoords=("axes fraction", "data"),
        )  # fmt: skip
        _axes(axes, [point.rows for point in curve.points], curve.rows)
        axes.set_xlabel(say("curve.rows-axis", language))
        axes.set_ylabel(say("curve.share", language))
        handles, _ = axes.get_legend_handles_labels()
        axes.set_title(title, pad=12 + 25 * -(-len(handles) // 2))
        if handles:
            axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=2, fontsize=12)
    told = ", ".join(f"{point.rows}: {percent(point.recall.middle)}" for point in curve.points)
    return Plot(figure, f"{title} ({told})" if told else title)


def _draw_band(axes: Any, curve: RowsCurve, language: str) -> None:
    if not curve.fit.tells:
        return
    import numpy as np

    places = np.geomspace(curve.points[0].rows, 2 * curve.rows, _DRAWN)
    found = [curve.fit.at(rows, trained=False) for rows in places]
    low, middle, high = ([100 * getattr(e, n) for e in found] for n in ("low", "middle", "high"))
    axes.fill_between(
        places, low, high, color=BLUE, alpha=0.16, linewidth=0, label=say("curve.band", language)
    )
    axes.plot(places, middle, color=BLUE, linewidth=1.6, linestyle=(0, (4, 2)))
    ahead = curve.at(2 * curve.rows)
    assert ahead is not None
    name = say("curve.doubled", language, n=2 * curve.rows)
    _bar(axes, 2 * curve.rows, ahead, color=VERMILLION, marker="D", markerfacecolor="none",
         markeredgewidth=2.4, label=name)  # fmt: skip


def _draw_points(axes: Any, curve: RowsCurve, language: str) -> None:
    for n, point in enumerate(curve.points):
        name = say("curve.measured", language) if n == 0 else None
        _bar(axes, point.rows, point.recall, color=BLUE, marker="o", label=name)
        if len(point.trainings) > 1:
            axes.plot(
                [point.rows] * len(point.trainings), [100 * one.recall for one in point.trainings],
                color=BLUE, marker="_", markersize=16, markeredgewidth=1.6, linestyle="none",
                label=say("curve.trained", language) if n == 0 else None,
            )  # fmt: skip
    if fewer := curve.fewer_epochs:
        name = say("curve.half-epochs", language, n=fewer.epochs)
        _bar(axes, fewer.rows * 0.95, fewer.recall, color=ORANGE, marker="s", label=name)


def _bar(axes: Any, rows: float, found: Estimate, **style: Any) -> None:
    """A measured or expected share with its interval."""
    ends = [[100 * (found.middle - found.low)], [100 * (found.high - found.middle)]]
    axes.errorbar([rows], [100 * found.middle], yerr=ends, capsize=5, linestyle="none", **style)


def _axes(axes: Any, rows: list[int], most: int) -> None:
    from matplotlib.ticker import NullFormatter, NullLocator

    axes.set_xscale("log")
    ticks = sorted({*rows, most, 2 * most})
    axes.set_xticks(ticks, [f"{n:,}" for n in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlim(min(ticks) / 1.25, 2.5 * most)
    axes.set_ylim(-4, 104)
    axes.set_yticks(range(0, 101, 20))


@as_table.register
def _table(curve: RowsCurve, language: str | None = None) -> ResultTable:
    language = language or curve.language
    fewer = curve.fewer_epochs
    rows = [_cells(point) for point in [*curve.points, *([fewer] if fewer else [])]]
    head = [say(f"curve.column-{column}", language) for column in COLUMNS]
    note = say(
        "curve.note", language, done=len(curve.trainings), planned=curve.planned,
        questions=curve.questions, luck=curve.luck,
    )  # fmt: skip
    return ResultTable("rows-curve", head, rows, note, whole=(3,))


def _cells(point: Point) -> list[str]:
    found, loss = point.recall, point.mean("loss")
    return [
        f"{point.rows:,}",
        f"{point.epochs:g}",
        percent(found.middle),
        f"{percent(found.low)} – {percent(found.high)}",
        ", ".join(percent(one.recall) for one in point.trainings),
        percent(point.mean("own")),
        "–" if loss is None else f"{loss:.3f}",
        f"{point.mean('seconds') or 0:.1f}",
    ]


def advice_lines(curve: RowsCurve, language: str | None = None) -> list[tuple[str, str]]:
    """Each piece of advice with the measurement behind it, as sentences."""
    language = language or curve.language
    return [(one.what.said(language), one.why.said(language)) for one in curve.advice]


def expected_line(curve: RowsCurve, language: str | None = None) -> str:
    """What twice the rows would give, as a sentence; "" where nothing tells."""
    ahead = curve.at(2 * curve.rows)
    if ahead is None:
        return ""
    return say("curve.expected", language or curve.language, twice=2 * curve.rows, **vars(ahead))


def rows_curve_html(curve: RowsCurve, language: str | None = None) -> str:
    """Advice, plot and table as a fragment of a page."""
    told = "".join(
        f"<li><b>{escape(what)}</b><br>{escape(why)}</li>"
        for what, why in advice_lines(curve, language)
    )
    ahead = expected_line(curve, language)
    return (
        f"<ul>{told}</ul>{f'<p>{escape(ahead)}</p>' if ahead else ''}"
        f'<div style="max-width:44em">{rows_curve_plot(curve, language).svg()}</div>'
        f'<div style="{SCROLL}">{as_table(curve, language).html()}</div>'
    )


def write_rows_curve(path: str | Path, curve: RowsCurve) -> None:
    """Write the page of a curve, atomically."""
    language = curve.language
    title = say("curve.report-title", language, model=curve.model)
    heading = say("curve.advice-heading", language)
    body = section(heading, "", rows_curve_html(curve), name="advice")
    footer = f"{say('display.made', language)}: {time.strftime('%Y-%m-%d %H:%M')}"
    with atomic_file(Path(path)) as temporary:
        text = page(title, "", [body], footer, language)
        temporary.write_text(text, encoding="utf-8", errors="replace")
