"""The losses of rows that are trained on and of rows that are not, and where they part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from ..core.errors import WorkshopError
from ..core.wordings import say
from ..training.report import TrainingReport
from .colours import BLUE, GREEN, ORANGE, VERMILLION, Stroke
from .plots import Plot, house_style, line, new_figure
from .tables import percent


def validation_curve(
    source: TrainingReport | Sequence[Mapping[str, Any]], language: str | None = None
) -> Plot:
    """Training and validation loss by epochs, with the lowest validation loss marked; below them
    the recall of facts, where it is known.

    `source`: the report of a validated training, or rows with epochs, training_loss,
    validation_loss and, it may be, recall_share. Raises WorkshopError without a validation loss.
    """
    rows = _by_epochs(source) if isinstance(source, TrainingReport) else list(source)
    if not rows:
        raise WorkshopError("No validation loss was measured: train with validation=.")
    language = language or (source.language if isinstance(source, TrainingReport) else "en")
    epochs = [row["epochs"] for row in rows]
    best = min(rows, key=lambda row: row["validation_loss"])
    recalls = [100 * row["recall_share"] for row in rows if "recall_share" in row]
    title = say("display.validation-curve", language)
    marked = say("display.lowest-validation", language, epoch=best["epochs"])
    with house_style(language):
        figure = new_figure(7.6, 6.2 if recalls else 4.2)
        ratios = [3, 2] if recalls else [1]
        grid = figure.subplots(len(ratios), 1, sharex=True, squeeze=False, height_ratios=ratios)
        panels = grid[:, 0]
        losses = panels[0]
        for name, stroke in (("training", _SEEN), ("validation", _UNSEEN)):
            values = [row[f"{name}_loss"] for row in rows]
            losses.plot(epochs, values, label=say(f"display.{name}-loss", language), **line(stroke))
        losses.set_ylabel(say("display.loss", language))
        losses.set_ylim(bottom=0)
        for axes in panels:
            axes.axvline(best["epochs"], color=ORANGE, linestyle=(0, (4, 2)), zorder=0)
        losses.plot([], [], color=ORANGE, linestyle=(0, (4, 2)), label=marked)
        losses.set_title(title, pad=84)
        losses.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0))
        if recalls:
            panels[1].plot(epochs, recalls, **line(Stroke(GREEN, "^", ())))
            panels[1].set_ylabel(f"{say('display.recall', language)} (%)")
            panels[1].set_ylim(-4, 104)
        panels[-1].xaxis.get_major_locator().set_params(integer=True)
        panels[-1].set_xlabel(say("display.epochs", language))
    told = "; ".join(f"{row['epochs']:g}: {_told(row)}" for row in rows)
    return Plot(figure, f"{title} ({marked}; {told})")


_SEEN, _UNSEEN = Stroke(BLUE, "o", ()), Stroke(VERMILLION, "s", (5.0, 2.0))


def _told(row: Mapping[str, Any]) -> str:
    recall = f", {percent(row['recall_share'])}" if "recall_share" in row else ""
    return f"{row['training_loss']:.2f} / {row['validation_loss']:.2f}{recall}"


def _by_epochs(report: TrainingReport) -> list[dict[str, float]]:
    """Of each validated epoch its mean training loss and its validation loss."""
    found, before = [], 0
    for step, epoch, loss in report.validation.losses if report.validation else ():
        seen = [one for at, _, one in report.losses if before < at <= step]
        found.append({"epochs": epoch, "training_loss": fmean(seen), "validation_loss": loss})
        before = step
    return found
