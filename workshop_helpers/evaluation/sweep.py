"""What one setting of a recipe does, the others left as they are: short trainings, and the loss on
rows that none of them saw.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..core.showing import Shown, display
from ..dataset.formats import Conversation
from ..metrics.language import detect_language
from ..training.loss import held_out_loss
from ..training.recipe import LoraRecipe
from ..training.train import train


@dataclass(frozen=True)
class SweepRow:
    """One training: the recipe's `setting` that was given this `value`, the mean loss on its own
    rows at the end and on the held-out ones, and what it took.
    """

    setting: str
    value: float
    loss: float
    held_out: float
    trainable: int
    steps: int
    seconds: float


@dataclass(frozen=True)
class Sweep(Shown):
    """The trainings of a sweep, setting by setting. `before`: the held-out loss of the base
    model; `training_rows`, `held_out_rows`: how many; `recipe`: the one that was varied.
    """

    rows: list[SweepRow]
    before: float
    training_rows: int
    held_out_rows: int
    recipe: LoraRecipe
    language: str = "en"

    def of(self, setting: str) -> list[SweepRow]:
        """The trainings with other values of one setting, in their order."""
        return sorted((r for r in self.rows if r.setting == setting), key=lambda r: r.value)

    def plot(self) -> Any:
        """A plot: training and held-out loss against the values of each setting."""
        return display().sweep_plot(self)


def sweep(
    model: str | Path,
    rows: Sequence[Conversation],
    held_out: Sequence[Conversation],
    recipe: LoraRecipe,
    folder: str | Path,
    *,
    overwrite: bool = False,
    **values: Sequence[float],
) -> Sweep:
    """Train with each of the `values` of a recipe's settings, one setting at a time, on `rows`.

        sweep(MODEL, shop.train[:32], shop.train[-50:], recipe, runs / "sweep", rank=(1, 8, 64))

    The recipe's own value of each setting is measured with them. Adapters lie in `folder`, and are
    found there when the same is asked again; those of other rows or another recipe are replaced
    with `overwrite` alone. Raises WorkshopError as `train` does.
    """
    measured: dict[LoraRecipe, SweepRow] = {}
    found = []
    for setting, chosen in values.items():
        for value in sorted({*chosen, getattr(recipe, setting)}):
            tried = recipe.replace(**{setting: value})
            if tried not in measured:
                out = Path(folder) / ("as-it-is" if tried == recipe else f"{setting}-{value:g}")
                report = train(model, rows, out, tried, overwrite=overwrite, progress=False)
                measured[tried] = SweepRow(
                    setting, value, report.final_loss, held_out_loss(out, held_out),
                    report.trainable, len(report.losses), report.seconds,
                )  # fmt: skip
            found.append(replace(measured[tried], setting=setting, value=value))
    language = "ja" if detect_language(rows[0].question) == "ja" else "en"
    before = held_out_loss(model, held_out)
    return Sweep(found, before, len(rows), len(held_out), recipe, language)
