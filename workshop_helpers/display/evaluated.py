"""An evaluation as a table, and means with their intervals as a plot."""

from __future__ import annotations

from collections.abc import Mapping

from ..core.wordings import say
from ..evaluation.candidates import candidate_name
from ..evaluation.evaluate import Evaluated, Evaluation
from ..evaluation.intervals import Interval
from .colours import BLUE
from .plots import Plot, house_style, label, new_figure
from .tables import ResultTable, as_table, percent


@as_table.register
def _evaluation(evaluation: Evaluation, language: str | None = None) -> ResultTable:
    language = language or evaluation.language
    cells = [_cells(row, language) for row in evaluation.rows]
    kept = [name for name in cells[0] if any(row[name] != "–" for row in cells)]
    rows = [
        [row.name, *(cell[name] for name in kept)]
        for row, cell in zip(evaluation.rows, cells, strict=True)
    ]
    head = [say("display.model", language), *kept]
    below = say("evaluate.below", language)
    return ResultTable("evaluation", head, rows, "", head, below)


def _cells(row: Evaluated, language: str) -> dict[str, str]:
    """Heading → cell, "–" for what was not measured."""
    one, like, loss = row.judged, row.overlap, row.loss
    counts = [one.count(outcome) for outcome in ("second", "tie", "first")] if one else []
    cells = {
        "recall": f"{percent(row.recall.mean)} ({_ends(row.recall)})" if row.recall else "–",
        "rise": _ends(row.rise),
        "perplexity": f"{loss.perplexity:.2f}" if loss else "–",
        "bits": f"{loss.bits_per_character:.2f}" if loss else "–",
        "rouge": f"{like.rouge:.2f}" if like else "–",
        "bleu": f"{like.bleu:.2f}" if like else "–",
        "chrf": f"{like.chrf:.2f}" if like else "–",
        "judged": "/".join(map(str, counts)) or "–",
    }
    return {say(f"evaluate.{name}", language): cell for name, cell in cells.items()}


def _ends(interval: Interval | None) -> str:
    return f"{100 * interval.low:.0f}…{100 * interval.high:.0f} %" if interval else "–"


def judge_lines(evaluation: Evaluation, language: str | None = None) -> list[str]:
    """What is to be known of the judge, a sentence for each model it compared with the first."""
    language = language or evaluation.language
    return [
        say(
            "evaluate.judge",
            language,
            judge=one.judge.rpartition("/")[2],
            name=row.name,
            readable=percent(one.readable),
            first=percent(one.first_place),
            consistent=percent(one.consistent),
            agreement=percent(one.agreement),
        )
        for row in evaluation.rows
        if (one := row.judged)
    ]


def interval_plot(intervals: Mapping[str, Interval], language: str, title: str = "") -> Plot:
    """Each mean as a point in its 95 % interval, in percent, the first on top; a line at 0 where an
    interval goes below it.
    """
    title = title or say("evaluate.title", language)
    with house_style(language):
        figure = new_figure(7.6, 1.2 + 0.62 * len(intervals))
        axes = figure.add_subplot()
        for place, one in enumerate(intervals.values()):
            ends = [[100 * (one.mean - one.low)], [100 * (one.high - one.mean)]]
            axes.errorbar(100 * one.mean, -place, xerr=ends, fmt="o", color=BLUE, capsize=6)
            axes.annotate(
                f"{100 * one.mean:.0f}", (100 * one.mean, -place), (0, 8),
                textcoords="offset points", ha="center", fontsize=12,
            )  # fmt: skip
        names = [label(candidate_name(name, language)) for name in intervals]
        axes.set_yticks([-place for place in range(len(names))], names)
        axes.set_ylim(0.6 - len(names), 0.6)
        axes.grid(axis="y", visible=False)
        if any(one.low < 0 for one in intervals.values()):
            axes.axvline(0, color=axes.xaxis.label.get_color(), linewidth=1)
        axes.set_xlabel("%")
        axes.locator_params(axis="x", integer=True, nbins=8)
        axes.set_title(title)
    told = "; ".join(
        f"{name} {100 * one.mean:.0f} % ({_ends(one)})" for name, one in intervals.items()
    )
    return Plot(figure, f"{title}: {told}")
