"""Validation while a training runs: the loss of rows that are not trained on, after each epoch; the
weights of the lowest one are those that are kept, and training may end early.

The loss is `summed_loss`'s, a mean over answer tokens. The Trainer's own evaluation loop takes the
mean of its batches' means instead, and TRL's head would compute all logits of each three times.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..core.cards import fingerprint
from ..core.errors import WorkshopError
from ..dataset.formats import Conversation
from .loss import summed_loss
from .rows import Rows, rows_hash, training_rows

LOGGED = "validation_loss"  # its name in the Trainer's log, which goes into every checkpoint
_BEST = "best.safetensors"
_BATCH = 16


@dataclass(frozen=True)
class Validation:
    """What the validation rows said: `losses` (step, epoch, mean loss of their answer tokens) after
    each epoch, of so many `rows`. `patience`: after how many epochs without a lower loss training
    was to end; None: never. `ended`: "early" where it did, else "epochs".
    """

    losses: tuple[tuple[int, float, float], ...]
    rows: int
    patience: int | None = None
    ended: str = "epochs"

    @property
    def best(self) -> tuple[int, float, float]:
        """Step, epoch and loss of the lowest loss; of equal ones the first. Its weights are those
        of the adapter.
        """
        return self.losses[_best(self.losses)]

    def to_dict(self) -> dict[str, Any]:
        """All fields, and the best step, as JSON takes them."""
        losses = [list(point) for point in self.losses]
        return {**asdict(self), "losses": losses, "best_step": self.best[0]}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Validation:
        losses = tuple((int(s), float(e), float(x)) for s, e, x in values["losses"])
        return cls(losses, int(values["rows"]), values.get("patience"), values["ended"])


def _best(losses: Sequence[tuple[int, float, float]]) -> int:
    return min(range(len(losses)), key=lambda place: losses[place][2])


def validation_rows(
    validation: Rows | None, early_stopping: int | None, training: Sequence[Conversation]
) -> list[Conversation]:
    """The rows to validate on; none without `validation`.

    Raises WorkshopError where there are none in it, where they are the training's own, and where
    training is to end early without any.
    """
    if early_stopping is not None and early_stopping < 1:
        raise WorkshopError(
            f"early_stopping is {early_stopping}: give the number of epochs without a lower "
            "validation loss after which training ends, at least 1."
        )
    if validation is None:
        if early_stopping is not None:
            raise WorkshopError(
                "early_stopping needs rows to judge by: give validation=, a file or rows that are "
                "not trained on."
            )
        return []
    found = training_rows(validation)
    trained = {_asked(row) for row in training}
    same = sum(_asked(row) in trained for row in found)
    if same:
        raise WorkshopError(
            f"{same} of the {len(found)} validation rows ask what a training row asks: their loss "
            "would fall with the training's and say nothing. Take them out of one of the two "
            "(`workshop data split` makes two files that share none)."
        )
    return found


def _asked(row: Conversation) -> str:
    return fingerprint(row.prompt_messages())


def validation_inputs(rows: list[Conversation], early_stopping: int | None) -> dict[str, Any]:
    """What a run's inputs have besides where it is validated; nothing where it is not."""
    if not rows:
        return {}
    return {"validation": rows_hash(rows), "early_stopping": early_stopping}


class Validator:
    """Measures a training at the end of each epoch, and keeps the best weights, in memory and in
    every checkpoint. `rows` are those that fit.
    """

    def __init__(self, rows: list[Conversation], patience: int | None, tokenizer: Any) -> None:
        self.rows, self.patience, self.tokenizer = rows, patience, tokenizer
        self.trainer: Any = None
        self._kept: dict[str, Any] = {}

    def attach(self, trainer: Any, checkpoint: Path | None) -> None:
        """Validate this trainer's model from now on; `checkpoint`: where it goes on."""
        from safetensors.torch import load_file

        self.trainer = trainer
        trainer.validator = self
        trainer.add_callback(_callback(self.measure))
        if checkpoint is not None and (checkpoint / _BEST).is_file():
            self._kept = load_file(checkpoint / _BEST)

    def measure(self) -> bool:
        """Measure the loss now; whether training is to end here."""
        model, state = self.trainer.model, self.trainer.state
        was_training = model.training
        model.eval()
        try:
            with self.trainer.autocast_smart_context_manager():
                total, tokens = summed_loss(self.tokenizer, model, self.rows, _BATCH)
        finally:
            model.train(was_training)
        loss = total / tokens
        if not math.isfinite(loss):
            raise WorkshopError(
                "The validation loss is no number any more: training diverged. Lower the learning "
                "rate."
            )
        state.log_history.append({"step": state.global_step, "epoch": state.epoch, LOGGED: loss})
        losses = self.losses
        if _best(losses) == len(losses) - 1:
            self._kept = {name: p.detach().cpu().clone() for name, p in _trained(model)}
        return self._ends(losses)

    def _ends(self, losses: Sequence[tuple[int, float, float]]) -> bool:
        since = len(losses) - 1 - _best(losses)
        return self.patience is not None and since >= self.patience

    @property
    def losses(self) -> tuple[tuple[int, float, float], ...]:
        """(step, epoch, loss) so far, also of the run that was interrupted."""
        log = self.trainer.state.log_history
        return tuple((e["step"], float(e["epoch"]), e[LOGGED]) for e in log if LOGGED in e)

    def save(self, folder: Path) -> None:
        """Put the best weights so far into a checkpoint."""
        from safetensors.torch import save_file

        if self._kept:
            save_file(self._kept, folder / _BEST)

    def finish(self) -> Validation | None:
        """Give the model its best weights, and tell what was measured; None where training was
        stopped before the first epoch had ended.
        """
        import torch

        losses, state = self.losses, self.trainer.state
        if not losses:
            return None
        with torch.no_grad():
            for name, parameter in _trained(self.trainer.model):
                parameter.copy_(self._kept[name])
        early = state.global_step < state.max_steps and self._ends(losses)
        ended = "early" if early else "epochs"
        return Validation(losses, len(self.rows), self.patience, ended)


def _trained(model: Any) -> list[tuple[str, Any]]:
    return [(name, p) for name, p in model.named_parameters() if p.requires_grad]


def _callback(measure: Callable[[], bool]) -> Any:
    """Calls `measure` after the last step of each epoch, and of the training; ends it where the
    answer is True. Not at the epoch's end: a checkpoint of its last step would lack the figure.
    """
    from transformers import TrainerCallback

    class AtEpochs(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            batches = len(kwargs["train_dataloader"])
            steps = max(1, math.ceil(batches / args.gradient_accumulation_steps))
            last = state.global_step >= state.max_steps
            if (state.global_step % steps == 0 or last) and measure():
                control.should_training_stop = True

    return AtEpochs()
