"""What a training run did, and how that is kept in an artifact's card."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

from ..core.cards import equal_card, made_from, write_card
from ..core.device import machine, versions
from ..core.errors import WorkshopError
from ..core.showing import Shown
from ..models.resolve import ModelRef
from .recipe import LoraRecipe
from .validation import Validation

_R = TypeVar("_R")


@dataclass(frozen=True)
class TrainingProgress:
    """Told to a `progress` function after each optimiser step: this `step` of `steps`, the `rows`
    seen so far (each as often as it was seen), the loss of the step and its learning rate.
    """

    step: int
    steps: int
    epoch: float
    loss: float
    rows: int = 0
    learning_rate: float = 0.0


@runtime_checkable
class TrainingWatch(Protocol):
    """A `progress` that follows a training to its end, as the live view of a notebook does."""

    def __call__(self, progress: TrainingProgress) -> object:
        """A step is done; True ends the training here, and saves it."""

    def stop(self) -> None:
        """The training was interrupted (Ctrl-C, a notebook's ■): end it at the next call."""

    def done(self, report: TrainingReport) -> None:
        """There is an adapter: trained, stopped early, or found."""


@dataclass
class TrainingReport(Shown):
    """What a training run did.

    `losses`: (step, epoch, mean loss of the step's answer tokens). `tokens`: prompt and answer
    tokens that went through the model. `truncated` and `dropped`: rows, by their line in the file
    or else their place from 1, whose answer was cut or cut away entirely at `max_length`.
    `peak_memory_bytes`: of the process on a CPU, of torch on a GPU. `resumed_from`: the step of the
    checkpoint that a killed run had left. `reused`: nothing was trained, the adapter of an equal
    run was there. `stopped`: (step, of steps) where the run was asked to end early; the same call
    goes on from there. `validation`: what the validation rows said, where there were any.
    `learning_rates`: of the same steps as `losses`. `question_loss`: what 95 % of the rows'
    questions stay below under a bundled base before it is trained (nats a byte); None for other
    models. `seconds`: without importing libraries; of this
    run only. `language`: the rows', in which the report shows itself; not stored.
    """

    adapter: Path
    trainable: int
    total: int
    losses: list[tuple[int, float, float]]
    rows: int
    general_rows: int
    tokens: int
    seconds: float
    peak_memory_bytes: int
    truncated: list[int]
    dropped: list[int]
    device: str
    checkpointing: str
    recipe: LoraRecipe
    target_modules: tuple[str, ...] = ()
    resumed_from: int | None = None
    reused: bool = False
    stopped: tuple[int, int] | None = None
    validation: Validation | None = None
    learning_rates: list[float] = field(default_factory=list)
    question_loss: float | None = None
    language: str = "en"

    @property
    def final_loss(self) -> float:
        """Mean of the last tenth of the loss curve: one step alone says little."""
        last = [loss for _, _, loss in self.losses[-max(1, len(self.losses) // 10) :]]
        return sum(last) / len(last)

    def to_dict(self) -> dict[str, Any]:
        """All fields but the language, as JSON takes them."""
        return {
            **{f.name: getattr(self, f.name) for f in fields(self) if f.name != "language"},
            "adapter": str(self.adapter),
            "losses": [list(point) for point in self.losses],
            "recipe": self.recipe.to_dict(),
            "target_modules": list(self.target_modules),
            "validation": self.validation.to_dict() if self.validation else None,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> TrainingReport:
        kept = {f.name: values[f.name] for f in fields(cls) if f.name in values}
        kept["adapter"] = Path(kept["adapter"])
        kept["losses"] = [(int(s), float(e), float(x)) for s, e, x in kept["losses"]]
        kept["recipe"] = LoraRecipe(**kept["recipe"])
        kept["target_modules"] = tuple(kept["target_modules"])
        kept["stopped"] = tuple(kept["stopped"]) if kept.get("stopped") else None
        if kept.get("validation"):
            kept["validation"] = Validation.from_dict(kept["validation"])
        return cls(**kept)


def store_report(
    folder: Path,
    kind: str,
    base: ModelRef,
    inputs: dict[str, Any],
    report: Any,
    out: Path,
    source: Path | None,
) -> None:
    """Write the card of an "adapter" or a "model" with its report: into `folder`, which will be
    `out`, and is made from what lies in `source`.
    """
    card = {
        "kind": kind,
        "base": base.name,
        "origin": base.origin.name if base.origin else None,
        "inputs": inputs,
        "machine": machine(),
        "versions": versions(),
        "seconds": report.seconds,
        "report": {**report.to_dict(), kind: out.name},
        "from": made_from(source, out),
    }
    write_card(folder, card)


def stored_report(
    out: Path, kind: str, inputs: dict[str, Any], restore: Callable[[dict[str, Any]], _R]
) -> _R | None:
    """The report of `out` if it was made from exactly these inputs; `restore` checks its files."""
    card = equal_card(out, inputs)
    if card is None:
        return None
    try:
        return restore({**card["report"], kind: out, "reused": True})
    except (WorkshopError, OSError, KeyError, TypeError, ValueError):
        return None
