"""Plots, with Japanese labels where asked for. Each is a `Plot`: it shows itself in a notebook,
gives SVG for a page that may be light or dark, and is kept out of pyplot's global state.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.artifacts import atomic_file
from ..core.errors import WorkshopError
from ..evaluation.comparison import Comparison
from .labels import label

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SERIES = ("#3b82c4", "#d9822b", "#2da44e", "#8a63d2", "#c2487e", "#7a8288")
WRONG = "#e5534b"
# Stands for "the colour of the text around": replaced by currentColor in the SVG.
_INK = "#0a0b0c"


@dataclass
class Plot:
    """A drawn figure with a sentence that says what it shows, for those who do not see it."""

    figure: Figure
    description: str

    def svg(self) -> str:
        """An <svg> element: letters as paths (no font needed), ink in the colour of the text
        around.
        """
        buffer = io.StringIO()
        with _style("en"):  # the salt of the ids is read when the file is written
            self.figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
        svg = buffer.getvalue()
        svg = svg[svg.index("<svg") :].replace(_INK, "currentColor")
        svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.S)
        # The size of the page decides, not the size in points.
        svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1, flags=re.S)
        svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1, flags=re.S)
        name = self.description.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
        return svg.replace("<svg", f'<svg role="img" aria-label="{name}"', 1)

    def png(self, dpi: int = 110) -> bytes:
        """The picture as PNG on white ground."""
        buffer = io.BytesIO()
        self.figure.savefig(
            buffer, format="png", dpi=dpi, facecolor="white", metadata={"Software": None}
        )
        return buffer.getvalue()

    def save(self, path: str | Path) -> Path:
        """Write .svg or .png, by the name's ending; whole or not at all."""
        path = Path(path)
        if path.suffix.lower() not in (".svg", ".png"):
            raise WorkshopError(f"{path}: a plot is written as .svg or .png.")
        with atomic_file(path) as temporary:
            if path.suffix.lower() == ".png":
                temporary.write_bytes(self.png())
            else:
                temporary.write_text(self.svg(), encoding="utf-8")
        return path

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        import base64

        picture = base64.b64encode(self.png()).decode("ascii")
        return {"text/plain": self.description, "image/png": picture}


@contextmanager
def _style(language: str) -> Iterator[None]:
    try:
        import matplotlib
        from matplotlib import font_manager
    except ImportError as error:
        raise WorkshopError(
            "Plots need matplotlib: pip install 'llm-finetuning-workshop[train]'."
        ) from error
    family = ["DejaVu Sans"]
    font = _japanese_font()  # in English plots too: labels of models may be Japanese
    if font:
        if "IPAexGothic" not in {entry.name for entry in font_manager.fontManager.ttflist}:
            font_manager.fontManager.addfont(str(font))
        family.insert(0 if language == "ja" else 1, "IPAexGothic")
    style = {
        "font.family": family,
        "font.size": 10.5,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.titlesize": 12,
        "axes.titlelocation": "left",
        "axes.unicode_minus": False,
        "grid.alpha": 0.18,
        "legend.frameon": False,
        "svg.fonttype": "path",
        "svg.hashsalt": "workshop",
        "figure.dpi": 110,
    }
    style |= dict.fromkeys(
        (
            "text.color",
            "axes.labelcolor",
            "axes.edgecolor",
            "axes.titlecolor",
            "xtick.color",
            "ytick.color",
            "grid.color",
        ),
        _INK,
    )
    with matplotlib.rc_context(style):
        yield


def _japanese_font() -> Path | None:
    """The font file in matplotlib-fontja. Importing that package would set the font of every plot
    of the process; its file alone is wanted.
    """
    from importlib.util import find_spec

    spec = find_spec("matplotlib_fontja")
    folders = list(spec.submodule_search_locations or []) if spec else []
    paths = [Path(folder) / "fonts" / "ipaexg.ttf" for folder in folders]
    return next((path for path in paths if path.is_file()), None)


def _new(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _get(thing: Any, name: str, default: Any = None) -> Any:
    """A field of a dataclass or of the dict it became in a JSON report."""
    if isinstance(thing, Mapping):
        return thing.get(name, default)
    return getattr(thing, name, default)


def _is_report(thing: Any) -> bool:
    return not isinstance(thing, Mapping) or "losses" in thing


def loss_curve(reports: Any, language: str = "en") -> Plot:
    """Training loss against the step.

    reports: a TrainingReport, or a mapping of label → TrainingReport (or their dicts); each has
    `losses`, a list of (step, epoch, loss). Raises WorkshopError where no loss was logged.
    """
    named: Mapping[str, Any] = {"": reports} if _is_report(reports) else reports
    curves = {name: [tuple(point) for point in _get(r, "losses", [])] for name, r in named.items()}
    curves = {name: points for name, points in curves.items() if points}
    if not curves:
        raise WorkshopError("No loss was logged, so there is no curve to draw.")
    with _style(language):
        figure = _new(6.4, 3.2)
        axes = figure.add_subplot()
        for colour, (name, points) in zip(_cycle(len(curves)), curves.items(), strict=True):
            steps, losses = [p[0] for p in points], [p[2] for p in points]
            axes.plot(steps, losses, color=colour, linewidth=1.8, label=name or None)
            axes.plot(steps[-1:], losses[-1:], "o", color=colour, markersize=5)
            axes.annotate(
                f"{losses[-1]:.2f}", (steps[-1], losses[-1]), (5, 5), textcoords="offset points"
            )
        axes.set_ylim(bottom=0)
        axes.margins(x=0.06)
        axes.set_xlabel(label("step", language))
        axes.set_ylabel(label("loss", language))
        axes.set_title(label("loss curve", language))
        if any(curves):
            axes.legend()
    ends = "; ".join(
        f"{name + ': ' if name else ''}{points[0][2]:.2f} → {points[-1][2]:.2f}"
        for name, points in curves.items()
    )
    return Plot(figure, f"{label('loss curve', language)} ({ends})")


def size_against_quality(table: Any, language: str = "en") -> Plot:
    """Facts stated, and KL divergence to F16, against the file size of each type.

    table: a QuantizationTable, or its dict; `rows` with type, size_bytes, recall, kl_to_f16.
    """
    rows = [row for row in _get(table, "rows", []) if _get(row, "size_bytes")]
    if not rows:
        raise WorkshopError("The quantization table has no rows, so there is nothing to draw.")
    rows.sort(key=lambda row: _get(row, "size_bytes"))
    sizes = [_get(row, "size_bytes") / 1e6 for row in rows]
    unit, scale = ("GB", 1e-3) if max(sizes) >= 1000 else ("MB", 1.0)
    sizes = [size * scale for size in sizes]
    panels = [
        ("recall", [_percentage(_get(row, "recall")) for row in rows], SERIES[2], " %"),
        ("kl", [_get(row, "kl_to_f16") for row in rows], WRONG, ""),
    ]
    panels = [panel for panel in panels if any(value is not None for value in panel[1])]
    with _style(language):
        figure = _new(7.6, 3.3)
        for place, (name, values, colour, suffix) in enumerate(panels, start=1):
            axes = figure.add_subplot(1, len(panels), place)
            points = [
                (s, v, r) for s, v, r in zip(sizes, values, rows, strict=True) if v is not None
            ]
            axes.plot([p[0] for p in points], [p[1] for p in points], "o-", color=colour, alpha=0.9)
            for number, (size, value, row) in enumerate(points):
                # By turns below and above: neighbours in size would write over each other. The
                # smallest, which as a rule lies lowest, begins below: its name above it would stand
                # beside the next one's point.
                below = number % 2 == 0 and name == "recall"
                axes.annotate(
                    _get(row, "type"),
                    (size, value),
                    (0, -15 if below else 8),
                    textcoords="offset points",
                    ha="center",
                    fontsize=9,
                )
            axes.set_xlabel(f"{label('size', language)} ({unit})")
            axes.set_ylabel(label(name, language) + (" (%)" if suffix else ""))
            axes.set_xlim(left=0, right=max(sizes) * 1.12)
            if name == "recall":
                axes.set_ylim(-8, 114)
                axes.set_yticks(range(0, 101, 20))
            else:
                axes.set_ylim(bottom=0)
                axes.margins(y=0.2)
        figure.suptitle(label("size against quality", language), x=0.01, ha="left", fontsize=12)
    told = "; ".join(
        f"{_get(row, 'type')} {size:.3g} {unit}, {_percentage(_get(row, 'recall')):.0f} %"
        if _get(row, "recall") is not None
        else f"{_get(row, 'type')} {size:.3g} {unit}"
        for row, size in zip(rows, sizes, strict=True)
    )
    return Plot(figure, f"{label('size against quality', language)} ({told})")


def recall_bars(comparison: Comparison, language: str = "en") -> Plot:
    """Two bars per candidate: facts stated, and answers with an invented or contradicting figure."""
    rows = comparison.rows
    right = [_percentage(row.summary.recall) or 0.0 for row in rows]
    wrong = [
        100 * sum(bool(s.unsupported or s.contradicted) for s in row.scores) / len(row.scores)
        for row in rows
    ]
    with _style(language):
        figure = _new(6.8, 0.9 + 0.62 * len(rows))
        axes = figure.add_subplot()
        places = range(len(rows))
        for values, shift, colour, name in (
            (right, -0.19, SERIES[2], label("recall", language)),
            (wrong, 0.19, WRONG, label("wrong figures", language)),
        ):
            axes.barh([p + shift for p in places], values, 0.36, color=colour, label=name)
            for place, value in zip(places, values, strict=True):
                axes.annotate(
                    f"{value:.0f} %",
                    (value, place + shift),
                    (4, 0),
                    textcoords="offset points",
                    va="center",
                    fontsize=9,
                )
        axes.set_yticks(list(places), [row.label for row in rows])
        axes.invert_yaxis()
        axes.set_xlim(0, 109)
        axes.grid(axis="y", visible=False)
        axes.set_xlabel("%")
        axes.set_title(label("recall by model", language), pad=26)
        axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=2, fontsize=9)
    told = "; ".join(
        f"{row.label}: {good:.0f} %, {bad:.0f} %"
        for row, good, bad in zip(rows, right, wrong, strict=True)
    )
    return Plot(figure, f"{label('recall by model', language)} ({told})")


def _percentage(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _cycle(count: int) -> list[str]:
    return [SERIES[i % len(SERIES)] for i in range(count)]
