"""The recorded trainings as curves: held-out facts by rows, epochs or learning rate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..core.wordings import say
from ..evaluation.learning_map import LearningMap, Setting
from .colours import HATCH, ORANGE, RIGHT, SERIES, WRONG, Stroke, strokes
from .plots import Plot, house_style, label, line, new_figure
from .tables import ResultTable, as_table, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# The live measurement: a large open diamond, like no marker of a series.
_HERE: dict[str, Any] = {
    "marker": "D",
    "markersize": 14,
    "markerfacecolor": "none",
    "markeredgewidth": 2.8,
}


def learning_curve(
    found: LearningMap,
    by: str,
    here: dict[float, float] | None = None,
    scores: tuple[str, ...] = ("recall",),
    language: str | None = None,
) -> Plot:
    """A line a model and score through the medians, in a band from the least to the greatest.

    `here`: recall of trainings of the reader's own, by their value of `by`. `scores`: "recall",
    "contradicted", "unsupported". Raises WorkshopError as `LearningMap.curve` does.
    """
    language = language or found.language
    named = say(f"learning.{by}", language)
    title = say("learning.curve", language, by=named)
    with house_style(language):
        figure = new_figure(7.2, 4.8)
        axes = figure.add_subplot()
        drawn, values = strokes(), set(here or ())
        for model in found.models:
            curve = found.curve(by, model)
            values |= {getattr(one.first, by) for one in curve}
            for score in scores:
                stroke = _stroke(score, next(drawn), len(found.models))
                name = say(f"display.{score}", language)
                many = len(found.models) > 1
                name = label(f"{model}: {name}" if many else name)
                _band(axes, by, curve, score, stroke, name)
        if here:
            xs = sorted(here)
            ys = [100 * here[x] for x in xs]
            name = say("learning.here", language)
            axes.plot(xs, ys, linestyle="none", color=ORANGE, label=name, **_HERE)
        _axes(axes, sorted(values))
        axes.set_xlabel(named)
        one = scores == ("recall",)
        axes.set_ylabel(say("learning.share-of-facts" if one else "learning.share", language))
        lines = -(-len(axes.get_legend_handles_labels()[0]) // 2)
        axes.set_title(title, pad=12 + 25 * lines)
        axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=2)
    told = [_told(by, model, found.curve(by, model)) for model in found.models]
    if here:
        mine = ", ".join(f"{x:g}: {percent(share)}" for x, share in sorted(here.items()))
        told.append(f"{say('learning.here', language)} {mine}")
    return Plot(figure, f"{title} ({'; '.join(told)})")


def _stroke(score: str, stroke: Stroke, models: int) -> Stroke:
    """What is right in blue and what is wrong in vermillion, where there is one model."""
    if models > 1:
        return stroke
    colours = {"recall": RIGHT, "contradicted": WRONG, "unsupported": SERIES[3]}
    return Stroke(colours[score], stroke.marker, stroke.dashes)


def _band(axes: Axes, by: str, curve: list[Setting], score: str, stroke: Stroke, name: str) -> None:
    """The median line and the band; settings that always diverged are left out."""
    points = [(getattr(one.first, by), one.spread(score)) for one in curve]
    known = [(x, *(100 * value for value in found)) for x, found in points if found]
    if not known:
        return
    xs, low, middle, high = zip(*known, strict=True)
    hatch = HATCH if score == "contradicted" else None
    axes.fill_between(xs, low, high, color=stroke.colour, alpha=0.22, linewidth=0, hatch=hatch)
    axes.plot(xs, middle, label=name, **line(stroke))


def _axes(axes: Axes, values: list[float]) -> None:
    """What is varied grows by factors: a logarithmic axis with the measured values on it."""
    from matplotlib.ticker import NullFormatter, NullLocator

    axes.set_xscale("log")
    axes.set_xticks(values, [f"{value:g}" for value in values])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.margins(x=0.06)
    axes.set_ylim(-4, 104)
    axes.set_yticks(range(0, 101, 20))


def _told(by: str, model: str, curve: list[Setting]) -> str:
    points = ", ".join(f"{getattr(one.first, by):g}: {percent(one.recall)}" for one in curve)
    return f"{model} {points}"


SCORES = ("recall", "contradicted", "unsupported")


def settings_table(found: LearningMap, settings: list[Setting], language: str) -> ResultTable:
    """Settings with the median of each score and its range."""
    many = len(found.models) > 1
    head = [
        *(["display.model"] if many else []),
        *(f"learning.{name}" for name in ("rows", "epochs", "learning_rate", "batch_size")),
        *(f"display.{name}" for name in SCORES),
        *("learning.final_loss", "learning.trainings"),
    ]
    rows = []
    for one in settings:
        first = one.first
        shown = [first.model] if many else []
        shown += [str(first.rows), f"{first.epochs:g}", f"{first.learning_rate:g}"]
        shown += [str(first.batch_size), *(_range(one, score, language) for score in SCORES)]
        loss = one.spread("final_loss")
        shown += [f"{loss[1]:.2f}" if loss else "–", str(len(one.trainings))]
        rows.append(shown)
    below = f"{found.source}. {say('learning.spread', language)}"
    return ResultTable(
        "learning", [say(code, language) for code in head], rows, found.source, below=below
    )


def _range(one: Setting, score: str, language: str) -> str:
    spread = one.spread(score)
    if spread is None:
        return say("learning.diverged", language)
    low, middle, high = spread
    if low == high:
        return percent(middle)
    return f"{percent(middle)} ({percent(low).removesuffix(' %')}–{percent(high)})"


@as_table.register
def _learning_map(found: LearningMap, language: str | None = None) -> ResultTable:
    return settings_table(found, found.settings, language or found.language)
