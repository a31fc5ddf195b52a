"""A sweep as a plot, a panel for each setting, and as a table."""

from __future__ import annotations

from typing import Any

from ..core.wordings import entries, say
from ..evaluation.sweep import Sweep
from .plots import Plot, house_style, line, new_figure, strokes
from .tables import ResultTable, as_table

COLUMNS = ("setting", "value", "trainable", "steps", "loss", "held-out", "seconds")


def sweep_plot(sweep: Sweep, language: str | None = None) -> Plot:
    """Training and held-out loss against the values of each setting, and the held-out loss before
    any training.
    """
    language = language or sweep.language
    settings = list(dict.fromkeys(row.setting for row in sweep.rows))
    title = say("lora.sweep-title", language, rows=sweep.training_rows, held=sweep.held_out_rows)
    told = []
    with house_style(language):
        figure = new_figure(3.6 * len(settings), 4.4)
        panels = figure.subplots(1, len(settings), squeeze=False, sharey=True)[0]
        for axes, setting in zip(panels, settings, strict=True):
            rows = sweep.of(setting)
            drawn, places = strokes(), range(len(rows))
            for name in ("held-out", "loss"):
                losses = [r.held_out if name == "held-out" else r.loss for r in rows]
                axes.plot(
                    places, losses, label=say(f"lora.sweep-{name}", language), **line(next(drawn))
                )
                for place, loss in enumerate(losses):
                    axes.annotate(
                        f"{loss:.2f}",
                        (place, loss),
                        (0, 9),
                        textcoords="offset points",
                        ha="center",
                    )
            axes.axhline(
                sweep.before,
                color="#7a8288",
                linestyle=":",
                label=say("lora.sweep-before", language),
            )
            axes.set_xticks(places, [value_text(sweep, r.setting, r.value) for r in rows])
            axes.margins(x=0.2, y=0.14)
            axes.set_xlabel(setting_name(setting, language))
            held = ", ".join(f"{r.value:g}: {r.held_out:.2f}" for r in rows)
            told.append(f"{setting_name(setting, language)} {held}")
        panels[0].set_ylim(bottom=0)
        panels[0].set_ylabel(say("display.loss", language))
        figure.suptitle(title, x=0.01, ha="left", fontsize=15)
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return Plot(figure, f"{title} ({'; '.join(told)})")


@as_table.register
def _table(sweep: Sweep, language: str | None = None) -> ResultTable:
    language = language or sweep.language
    rows = [
        [
            setting_name(row.setting, language), value_text(sweep, row.setting, row.value),
            f"{row.trainable:,}", str(row.steps), f"{row.loss:.3f}", f"{row.held_out:.3f}",
            f"{row.seconds:.1f}",
        ]
        for row in sweep.rows
    ]  # fmt: skip
    head = [say(f"lora.sweep-{column}", language) for column in COLUMNS]
    note = say(
        "lora.sweep-note", language,
        rows=sweep.training_rows, held=sweep.held_out_rows, before=f"{sweep.before:.3f}",
    )  # fmt: skip
    return ResultTable("sweep", head, rows, note)


def setting_name(setting: str, language: str) -> str:
    """What people call a setting of the recipe."""
    known = f"setting-{setting}" in entries("lora")
    return say(f"lora.setting-{setting}", language) if known else setting


def value_text(sweep: Sweep, setting: str, value: Any) -> str:
    """A value, with a star where it is the recipe's own."""
    own = "*" if value == getattr(sweep.recipe, setting) else ""
    return f"{value:g}{own}"
