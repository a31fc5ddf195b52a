"""Pictures of what a LoRA adapter adds: its matrices, and what a lower rank would keep of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..core.wordings import say
from ..models.lora import LoraMatrices
from .colours import BLUE, HATCH, VERMILLION
from .plots import Plot, house_style, new_figure

if TYPE_CHECKING:
    import numpy as np

NEGATIVE, POSITIVE = (tuple(bytes.fromhex(colour[1:])) for colour in (BLUE, VERMILLION))
CELLS = 128  # drawn in a row or column at most; noise of more cells is only grey, and heavy
_WIDE, _HIGH, _THIN = 3.3, 2.4, 0.22  # inches


def lora_picture(matrices: LoraMatrices, language: str = "en", rank: int | None = None) -> Plot:
    """W, and beside it the change alpha/r · B·A with B at its left and A above it, as heat maps.

    A value of the change is made of the row of B beside it and the column of A above it. Orange is
    above zero, blue below, and the stronger the colour the farther; W and the change each have
    their own scale, written under them. The boxes are not to scale: A and B are thinner. With
    `rank`, the change is what that rank keeps of it. Of large matrices every n-th row and column is
    drawn.
    """
    change = matrices.change if rank is None else matrices.at_rank(rank)
    outputs, inputs = matrices.W.shape
    inch = min(_WIDE / inputs, _HIGH / outputs)
    wide, high = max(2.0, inch * inputs), max(1.3, inch * outputs)
    left, gap, below = 0.12, 1.05, 0.38
    second = left + wide + gap + _THIN + 0.08
    size = (second + wide + 0.12, below + high + _THIN + 0.8)
    boxes = {
        "W": (left, below, wide, high),
        "B": (left + wide + gap, below, _THIN, high),
        "A": (second, below + high + 0.08, wide, _THIN),
        "BA": (second, below, wide, high),
    }
    values = {"W": matrices.W, "B": matrices.B, "A": matrices.A, "BA": change}
    with house_style(language):
        figure = new_figure(*size)
        figure.set_layout_engine("none")
        axes = {}
        for name, (x, y, width, height) in boxes.items():
            place = (x / size[0], y / size[1], width / size[0], height / size[1])
            axes[name] = figure.add_axes(place)
            reach = _draw(axes[name], values[name].numpy())
            if name in ("W", "BA"):
                axes[name].set_xlabel(f"± {reach:.2g}")
        shape = f"{outputs:,} × {inputs:,}"
        axes["W"].set_title(f"W  {shape}", fontsize=14)
        axes["A"].set_title(f"A  {matrices.rank} × {inputs:,}", fontsize=14)
        axes["B"].set_ylabel(f"B  {outputs:,} × {matrices.rank}")
        plus = ((left + wide + 0.35) / size[0], (below + high / 2) / size[1])
        figure.text(*plus, "+", fontsize=26, ha="center", va="center")
        formula = f"W′ = W + {matrices.scale:g} · B · A"
        figure.text(0.12 / size[0], 1 - 0.08 / size[1], formula, fontsize=16, va="top")
        said = say(
            "lora.picture", language,
            layer=matrices.layer, shape=shape, rank=rank or matrices.rank, of=matrices.rank,
        )  # fmt: skip
    return Plot(figure, said)


def rank_plot(matrices: LoraMatrices, rank: int, language: str = "en") -> Plot:
    """The singular values of the change, those that `rank` keeps as full bars; and the share of
    ‖B·A‖² that each rank keeps.
    """
    values, ranks = matrices.singular_values, range(1, matrices.rank + 1)
    shares = [100 * matrices.kept(k) for k in ranks]
    with house_style(language):
        figure = new_figure(8.6, 3.6)
        bars, line = figure.subplots(1, 2)
        bars.bar(ranks[:rank], values[:rank], color=BLUE)
        lost: dict[str, Any] = {"facecolor": "none", "edgecolor": VERMILLION, "hatch": HATCH}
        bars.bar(ranks[rank:], values[rank:], **lost)
        bars.set_title(say("lora.values", language))
        bars.grid(axis="x", visible=False)
        line.plot(ranks, shares, color=BLUE)
        line.plot([rank], [shares[rank - 1]], "o", color=BLUE, markersize=11)
        line.annotate(
            f"{shares[rank - 1]:.1f} %", (rank, shares[rank - 1]), (10, -22),
            textcoords="offset points", fontsize=16,
        )  # fmt: skip
        line.set_ylim(0, 105)
        line.set_title(say("lora.kept", language))
        for axes in (bars, line):
            axes.set_xlabel(say("lora.rank", language))
            axes.set_xlim(0.4, matrices.rank + 0.6)
    return Plot(figure, rank_sentence(matrices, rank, language))


def rank_sentence(matrices: LoraMatrices, rank: int, language: str = "en") -> str:
    """What a rank keeps, and what it costs."""
    return say(
        "lora.sentence", language, rank=rank, of=matrices.rank,
        share=f"{100 * matrices.kept(rank):.1f}",
        parameters=f"{matrices.parameters(rank):,}", all=f"{matrices.parameters():,}",
    )  # fmt: skip


def _draw(axes: Any, values: np.ndarray) -> float:
    """Draw a heat map; gives the size of the values that have the full colour."""
    import numpy as np

    largest = float(np.quantile(np.abs(values), 0.995)) or float(np.abs(values).max())
    rows, columns = (-(-n // CELLS) for n in values.shape)
    share = np.clip(values[::rows, ::columns] / (largest or 1.0), -1, 1)
    # Zero is see-through, so that the picture is right on a light page and on a dark one.
    colours = np.empty((*share.shape, 4), dtype=np.uint8)
    colours[..., :3] = np.where((share < 0)[..., None], NEGATIVE, POSITIVE)
    colours[..., 3] = np.round(255 * np.abs(share))
    axes.imshow(colours, aspect="auto", interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(False)
    axes.spines[:].set_visible(True)
    axes.spines[:].set_linewidth(0.6)
    return largest
