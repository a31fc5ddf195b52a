"""How a model is trained: the recipe."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from math import isfinite
from pathlib import Path
from typing import Any

from ..core.errors import WorkshopError
from ..models.resolve import ModelRef, resolve
from .methods import METHODS

SCHEDULES = ("constant", "linear", "cosine")


@dataclass(frozen=True)
class LoraRecipe:
    """How an adapter is trained, or with `method` "full" a whole model.

    `method`: what is trained, one of `METHODS` (methods.py); plain LoRA, unless said otherwise.
    `rank` and `alpha`: the adapter adds (alpha / rank) · B·A to a weight, A and B of that rank.
    `target_modules`: names of the layers that get one; None takes every linear layer but the output
    head. `loraplus_ratio`: how many times the learning rate of A the one of B is (LoRA+, Hayou et
    al. 2024, arXiv:2402.12354); 1 is plain LoRA. `epochs`: passes over the rows. `batch_size` ·
    `gradient_accumulation`: rows in one optimiser step. `learning_rate` falls by `schedule`
    ("constant", "linear", "cosine") after rising over the first `warmup` share of the steps.
    `max_length`: tokens of prompt and answer together. `general_rows`: rows mixed in against
    forgetting, as a share of the training rows (0.5: one general row to two of the data).
    """

    rank: int = 8
    alpha: float = 16
    dropout: float = 0.0
    target_modules: tuple[str, ...] | None = None
    learning_rate: float = 2e-3
    loraplus_ratio: float = 1.0
    epochs: float = 5
    batch_size: int = 4
    gradient_accumulation: int = 1
    schedule: str = "cosine"
    warmup: float = 0.05
    seed: int = 0
    max_length: int = 512
    general_rows: float = 0.0
    weight_decay: float = 0.0
    max_grad_norm: float = 1.0
    method: str = "lora"

    def __post_init__(self) -> None:
        if isinstance(self.target_modules, list | tuple | set):
            object.__setattr__(self, "target_modules", tuple(sorted(self.target_modules)))
        wrong = [
            (self.rank >= 1, "rank", "at least 1"),
            (self.alpha > 0, "alpha", "above 0"),
            (0 <= self.dropout < 1, "dropout", "at least 0 and below 1"),
            (0 < self.learning_rate < 1, "learning_rate", "between 0 and 1, such as 2e-4"),
            (self.loraplus_ratio > 0, "loraplus_ratio", "above 0"),
            (self.epochs > 0, "epochs", "above 0"),
            (self.batch_size >= 1, "batch_size", "at least 1"),
            (self.gradient_accumulation >= 1, "gradient_accumulation", "at least 1"),
            (self.method in METHODS, "method", f"one of {', '.join(METHODS)}"),
            (self.schedule in SCHEDULES, "schedule", f"one of {', '.join(SCHEDULES)}"),
            (0 <= self.warmup < 1, "warmup", "at least 0 and below 1"),
            (self.max_length >= 8, "max_length", "at least 8"),
            (self.general_rows >= 0, "general_rows", "at least 0"),
            (
                self.target_modules is None or len(self.target_modules) > 0,
                "target_modules",
                "None or names",
            ),
        ]
        numbers = [name for name, value in vars(self).items() if isinstance(value, float)]
        wrong += [(isfinite(getattr(self, name)), name, "a finite number") for name in numbers]
        faults = [
            f"{name} is {getattr(self, name)!r}, must be {rule}"
            for good, name, rule in wrong
            if not good
        ]
        if faults:
            raise WorkshopError(f"The recipe cannot be used: {'; '.join(faults)}.")

    @classmethod
    def for_model(cls, model: str | Path | ModelRef, method: str = "lora") -> LoraRecipe:
        """The defaults for a model: the catalogue's for it or the model it comes from, with the
        learning rate that goes with `method`.
        """
        ref = resolve(model)
        found = cls(**(ref.origin.recipe if ref.origin else {})).replace(method=method)
        return found.replace(learning_rate=found.learning_rate * METHODS[method].rate)

    @property
    def adapted(self) -> tuple[str, ...] | None:
        """The layers that get an adapter, as `target_modules` or the method says."""
        return METHODS[self.method].modules or self.target_modules

    def replace(self, **changes: Any) -> LoraRecipe:
        """A copy with some values changed. Raises WorkshopError for a value or a name that makes no
        sense.
        """
        known = [f.name for f in fields(self)]
        unknown = [name for name in changes if name not in known]
        if unknown:
            raise WorkshopError(
                f"A recipe has no {', '.join(unknown)}. It has: {', '.join(known)}."
            )
        return replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        values = asdict(self)
        values["target_modules"] = list(self.target_modules) if self.target_modules else None
        if self.method == "lora":  # what was made before there were others stays what it is
            del values["method"]
        return values
