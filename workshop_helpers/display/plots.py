"""Plots, with Japanese labels where asked for. Each is a `Plot`: it shows itself in a notebook,
gives SVG for a page that may be light or dark, and is kept out of pyplot's global state.

One house style: the colours and strokes of `colours`, letters that are read from the back row.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.artifacts import atomic_file
from ..core.errors import WorkshopError
from ..core.outside import shown
from ..core.wordings import say
from ..evaluation.candidates import candidate_name
from ..evaluation.comparison import Comparison
from ..evaluation.quantization import QuantizationTable
from ..training.report import TrainingReport
from .colours import HATCH, RIGHT, WRONG, Stroke, strokes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Stands for "the colour of the text around": replaced by currentColor in the SVG.
_INK = "#0a0b0c"
LONGEST_LABEL = 60  # characters


@dataclass
class Plot:
    """A drawn figure with a sentence that says what it shows, for those who do not see it."""

    figure: Figure
    description: str

    def svg(self) -> str:
        """An <svg> element: letters as paths (no font needed), ink in the text's colour."""
        buffer = io.StringIO()
        with house_style("en"):  # the salt of the ids is read when the file is written
            self.figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
        svg = buffer.getvalue()
        svg = svg[svg.index("<svg") :].replace(_INK, "currentColor")
        svg = re.sub(r"<metadata>(?:(?!<metadata>).)*?</metadata>", "", svg, flags=re.S)
        # The size of the page decides, not the size in points.
        for side in ("width", "height"):
            svg = re.sub(rf'(<svg[^<>]*?) {side}="[^"<>]*"', r"\1", svg, count=1, flags=re.S)
        name = escape(shown(self.description))
        return svg.replace("<svg", f'<svg role="img" aria-label="{name}"', 1)

    def png(self, dpi: int = 110) -> bytes:
        """The picture as PNG on white ground."""
        buffer = io.BytesIO()
        self.figure.savefig(
            buffer, format="png", dpi=dpi, facecolor="white", metadata={"Software": None}
        )
        return buffer.getvalue()

    def save(self, path: str | Path) -> Path:
        """Write .svg or .png, by the suffix, atomically."""
        path = Path(path)
        made = {".svg": lambda: self.svg().encode("utf-8"), ".png": self.png}
        if path.suffix.lower() not in made:
            raise WorkshopError(f"{path}: a plot is written as .svg or .png.")
        with atomic_file(path) as temporary:
            temporary.write_bytes(made[path.suffix.lower()]())
        return path

    def rich(self) -> str:
        """What a terminal shows."""
        return self.description

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        picture = base64.b64encode(self.png()).decode("ascii")
        return {"text/plain": shown(self.description), "image/png": picture}


@contextmanager
def house_style(language: str) -> Iterator[None]:
    """matplotlib as all plots of the course use it, in this block alone; Japanese can be read.

    Raises WorkshopError where matplotlib is missing.
    """
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
        "font.size": 14,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.titlesize": 16,
        "axes.titleweight": "normal",  # the Japanese font has no bold one
        "axes.titlelocation": "left",
        "axes.linewidth": 1.2,
        "axes.unicode_minus": False,
        "grid.alpha": 0.18,
        "hatch.linewidth": 1.2,
        "lines.linewidth": 2.6,
        "lines.markersize": 9,
        "legend.frameon": False,
        "svg.fonttype": "path",
        "svg.hashsalt": "workshop",
        "text.parse_math": False,  # $ is a dollar
        "figure.dpi": 110,
    }
    inked = ("text.", "axes.label", "axes.edge", "axes.title", "xtick.", "ytick.", "grid.")
    style |= {f"{name}color": _INK for name in inked}
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


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of this size in inches; call it within `house_style`."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def label(name: str) -> str:
    """A name as it is written into a plot: short, and text whatever it holds."""
    name = re.sub("[␀-␡]", "\ufffd", " ".join(shown(name).split()))  # no font has those signs
    name = name if len(name) <= LONGEST_LABEL else name[: LONGEST_LABEL - 1] + "…"
    return f" {name}" if name.startswith("_") else name  # which else gets no place in a legend


def line(stroke: Stroke) -> dict[str, Any]:
    """A stroke as the arguments of `Axes.plot`."""
    style: Any = (0, stroke.dashes) if stroke.dashes else "-"
    return {"color": stroke.colour, "marker": stroke.marker, "linestyle": style}


def loss_curve(
    reports: TrainingReport | Mapping[str, TrainingReport], language: str | None = None
) -> Plot:
    """Training loss against the step, of one report or of several under labels.

    Raises WorkshopError where no loss was logged.
    """
    named = {"": reports} if isinstance(reports, TrainingReport) else reports
    curves = {name: report.losses for name, report in named.items() if report.losses}
    if not curves:
        raise WorkshopError("No loss was logged, so there is no curve to draw.")
    language = language or next(iter(named.values())).language
    curves = {candidate_name(name, language): points for name, points in curves.items()}
    title = say("display.loss-curve", language)
    with house_style(language):
        figure = new_figure(7.6, 4.2)
        axes = figure.add_subplot()
        for stroke, (name, points) in zip(strokes(), curves.items(), strict=False):
            steps, losses = [p[0] for p in points], [p[2] for p in points]
            axes.plot(steps, losses, label=label(name) or None, markevery=[-1], **line(stroke))
            axes.annotate(
                f"{losses[-1]:.2f}", (steps[-1], losses[-1]), (7, 7), textcoords="offset points"
            )
        axes.set_ylim(bottom=0)
        axes.margins(x=0.11)
        axes.set_xlabel(say("display.step", language))
        axes.set_ylabel(say("display.loss", language))
        axes.set_title(title)
        if any(curves):
            axes.legend()
    ends = "; ".join(
        f"{name + ': ' if name else ''}{points[0][2]:.2f} → {points[-1][2]:.2f}"
        for name, points in curves.items()
    )
    return Plot(figure, f"{title} ({ends})")


def size_against_quality(table: QuantizationTable, language: str | None = None) -> Plot:
    """Facts stated, and KL divergence to F16, against the file size of each type.

    Raises WorkshopError where the table has no rows.
    """
    rows = sorted(table.rows, key=lambda row: row.size_bytes)
    if not rows:
        raise WorkshopError("The quantization table has no rows, so there is nothing to draw.")
    language = language or table.language
    unit, scale = ("GB", 1e9) if rows[-1].size_bytes >= 1e9 else ("MB", 1e6)
    sizes = [row.size_bytes / scale for row in rows]
    measured = list(zip(sizes, rows, strict=True))
    recalls = [(size, 100 * r.recall, r.type) for size, r in measured if r.recall is not None]
    divergences = [(size, row.kl_to_f16, row.type) for size, row in measured]
    title = say("display.size-against-quality", language)
    with house_style(language):
        figure = new_figure(9.6, 4.4)
        panels = figure.subplots(1, 2 if recalls else 1, squeeze=False)[0]
        drawn = strokes()
        for axes in panels:
            axes.set_xlabel(f"{say('display.file-size', language)} ({unit})")
            axes.set_xlim(left=0, right=sizes[-1] * 1.12)
        if recalls:
            _points(panels[0], recalls, next(drawn), below=True)
            panels[0].set_ylabel(f"{say('display.recall', language)} (%)")
            panels[0].set_ylim(-8, 114)
            panels[0].set_yticks(range(0, 101, 20))
        _points(panels[-1], divergences, next(drawn))
        panels[-1].set_ylabel(say("display.divergence", language))
        panels[-1].set_ylim(bottom=0)
        panels[-1].margins(y=0.2)
        figure.suptitle(title, x=0.01, ha="left", fontsize=16)
    told = "; ".join(
        f"{row.type} {size:.3g} {unit}"
        + ("" if row.recall is None else f", {100 * row.recall:.0f} %")
        for size, row in measured
    )
    return Plot(figure, f"{title} ({told})")


def _points(
    axes: Axes, points: Sequence[tuple[float, float, str]], stroke: Stroke, below: bool = False
) -> None:
    """A line through (x, y, name), each point's name above it, or by turns `below` and above:
    neighbours in size would write over each other. The smallest, which as a rule lies lowest,
    begins below: its name above it would be next to the next one's point.
    """
    axes.plot([x for x, _, _ in points], [y for _, y, _ in points], **line(stroke))
    for number, (x, y, name) in enumerate(points):
        shift = (0 if below else 4, -21 if below and number % 2 == 0 else 10)
        side = "center" if below else "left"  # clear of a line that comes down from the left
        axes.annotate(label(name), (x, y), shift, textcoords="offset points", ha=side, fontsize=12)


def recall_bars(comparison: Comparison, language: str | None = None) -> Plot:
    """Two bars per candidate: facts stated, and answers with a wrong figure."""
    rows, language = comparison.rows, language or comparison.language
    right = [100 * (row.summary.recall or 0.0) for row in rows]
    wrong = [
        100 * sum(bool(s.unsupported or s.contradicted) for s in row.scores) / len(row.scores)
        for row in rows
    ]
    title = say("display.recall-by-model", language)
    with house_style(language):
        figure = new_figure(8.6, 1.9 + 0.95 * len(rows))
        axes = figure.add_subplot()
        places = range(len(rows))
        for values, shift, colour, hatch, name in (
            (right, -0.19, RIGHT, "", say("display.recall", language)),
            (wrong, 0.19, WRONG, HATCH, say("display.wrong-figures", language)),
        ):
            look: dict[str, Any] = {"color": colour, "hatch": hatch, "edgecolor": "white"}
            bars = axes.barh([p + shift for p in places], values, 0.36, label=name, **look)
            axes.bar_label(bars, fmt="%.0f %%", padding=5)
        axes.set_yticks(list(places), [label(row.name) for row in rows])
        axes.invert_yaxis()
        axes.set_xlim(0, 114)
        axes.set_xticks(range(0, 101, 20))
        axes.grid(axis="y", visible=False)
        axes.set_xlabel("%")
        figure.suptitle(title, x=0.01, ha="left", fontsize=16)
        # over the whole width: beside long names of models the axes are too narrow for it
        figure.legend(loc="outside lower left", ncols=2)
    told = "; ".join(
        f"{row.name}: {good:.0f} %, {bad:.0f} %"
        for row, good, bad in zip(rows, right, wrong, strict=True)
    )
    return Plot(figure, f"{title} ({told})")
