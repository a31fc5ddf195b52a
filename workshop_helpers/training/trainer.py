"""TRL's SFTTrainer, set up for small runs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .checkpoints import saving
from .estimate import Shape, activation_bytes, logits_bytes
from .loss import answer_loss, answer_places
from .methods import METHODS
from .recipe import LoraRecipe
from .report import TrainingProgress
from .validation import Validator

if TYPE_CHECKING:
    from ..core.device import Device

SMALL_LOGITS = 2**28  # bytes of a batch's logits in fp32 that any machine has room for


def trainer_arguments(
    work: Path, recipe: LoraRecipe, device: Device, max_length: int, checkpointing: bool
) -> Any:
    """TRL's SFTConfig of a recipe."""
    from trl import SFTConfig

    constant = recipe.schedule == "constant"
    arguments = SFTConfig(
        output_dir=str(work),
        num_train_epochs=recipe.epochs,
        per_device_train_batch_size=recipe.batch_size,
        gradient_accumulation_steps=recipe.gradient_accumulation,
        learning_rate=recipe.learning_rate,
        # Rows of like length share a batch: padding costs as much as text, and general rows bring
        # long prompts.
        train_sampling_strategy="group_by_length",
        lr_scheduler_type="constant_with_warmup" if constant else recipe.schedule,
        warmup_steps=recipe.warmup,
        weight_decay=recipe.weight_decay,
        max_grad_norm=recipe.max_grad_norm,
        seed=recipe.seed,
        max_length=max_length,
        completion_only_loss=True,
        packing=False,
        gradient_checkpointing=checkpointing,
        bf16=device.dtype == "bf16",
        fp16=device.dtype == "fp16",
        use_cpu=device.name == "cpu",
        logging_steps=1,
        # A loss that is not a number must be reported, not averaged away.
        logging_nan_inf_filter=False,
        save_strategy="no",  # `progress_callback` saves by time instead
        save_total_limit=2,
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=device.name == "cuda",
    )
    # TRL refuses several GPUs in one process; one is enough for these models.
    if arguments.n_gpu > 1:
        arguments._n_gpu = 1
    return arguments


def lora_config(recipe: LoraRecipe) -> Any:
    """PEFT's LoraConfig of a recipe; None where the whole model is trained."""
    from peft import LoraConfig

    if recipe.method == "full":
        return None
    return LoraConfig(
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        lora_dropout=recipe.dropout,
        target_modules=list(recipe.adapted) if recipe.adapted else "all-linear",
        task_type="CAUSAL_LM",
        **METHODS[recipe.method].peft,
    )


def course_trainer(recipe: LoraRecipe) -> Any:
    """The class of trainer for a recipe: SFTTrainer with LoRA+'s two learning rates, an order of
    rows that a resumed run repeats, and without what a small run need not pay for.
    """
    from transformers import Trainer
    from trl import SFTTrainer

    class CourseTrainer(SFTTrainer):
        validator: Validator | None = None

        def create_optimizer(self, model: Any = None) -> Any:
            if recipe.loraplus_ratio == 1 or getattr(self, "optimizer", None) is not None:
                return super().create_optimizer(model)
            self.optimizer = _loraplus_optimizer(self, recipe)
            return self.optimizer

        def _get_train_sampler(self, train_dataset: Any = None) -> Any:
            return _epoch_sampler(super()._get_train_sampler(train_dataset), recipe.seed)

        def compute_loss(
            self,
            model: Any,
            inputs: dict[str, Any],
            return_outputs: bool = False,
            num_items_in_batch: Any = None,
        ) -> Any:
            labels = inputs["labels"]
            logits = len(labels) * len(answer_places(labels))
            small = 4 * logits * model.config.get_text_config().vocab_size <= SMALL_LOGITS
            if labels.device.type == "cuda" or not small or return_outputs:
                return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
            return _mean_answer_loss(model, inputs, num_items_in_batch)

        def floating_point_ops(self, inputs: Any) -> int:
            # It would count all parameters at every step, for a value that is not used here.
            return 0

        def _save_checkpoint(self, model: Any, trial: Any) -> None:
            folder = Path(self.args.output_dir, f"checkpoint-{self.state.global_step}")
            with saving(folder):
                # TRL's own would write a model card into every checkpoint.
                Trainer._save_checkpoint(self, model, trial)
                if self.validator is not None:
                    self.validator.save(folder)

    return CourseTrainer


def _loraplus_optimizer(trainer: Any, recipe: LoraRecipe) -> Any:
    from peft.optimizers import create_loraplus_optimizer
    from transformers import Trainer

    kind, options = Trainer.get_optimizer_cls_and_kwargs(trainer.args, trainer.model)
    return create_loraplus_optimizer(
        trainer.model,
        kind,
        loraplus_lr_ratio=recipe.loraplus_ratio,
        loraplus_weight_decay=recipe.weight_decay,
        weight_decay=recipe.weight_decay,
        **options,
    )


def _epoch_sampler(sampler: Any, seed: int) -> Any:
    """Rows of similar length together, in an order that depends only on seed and epoch.

    The library's sampler uses torch's global state, which is lost when a run is resumed in its
    second epoch.
    """
    import torch
    from transformers.trainer_pt_utils import LengthGroupedSampler

    class EpochSampler(LengthGroupedSampler):
        def set_epoch(self, epoch: int) -> None:
            self.generator = torch.Generator().manual_seed(1000 * seed + epoch)

    return EpochSampler(sampler.batch_size, lengths=sampler.lengths)


def _mean_answer_loss(model: Any, inputs: dict[str, Any], answer_tokens: Any) -> Any:
    """The mean loss of the answer tokens, from the logits of their places alone.

    TRL's own never holds all logits, which a large vocabulary on a GPU needs; without a GPU's
    kernels it computes them three times over, and figures that nobody reads here: half of a small
    model's step.
    """
    loss, count = answer_loss(model, inputs)
    return loss / (count if answer_tokens is None else answer_tokens)


def progress_callback(tell: Callable[[TrainingProgress], bool]) -> Any:
    """A callback that tells of each step, and asks for checkpoints. Where `tell` answers True, it
    asks for a last one and ends the training.

    Never more than about a tenth of the work can be lost. Saving takes at most about a twentieth of
    the time, and a run of less than a second has no checkpoint.
    """
    from transformers import TrainerCallback

    class Watch(TrainerCallback):
        def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            self.begun = self.saved = time.monotonic()
            self.cost = 0.02
            self.asked = 0.0

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            now = time.monotonic()
            wait = max(0.5, 20 * self.cost, 0.1 * (now - self.begun))
            if state.global_step < state.max_steps and now - self.saved >= wait:
                control.should_save = True
                self.asked = now

        def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            self.saved = time.monotonic()
            self.cost = self.saved - self.asked

        def on_log(
            self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any
        ) -> None:
            if not logs or "loss" not in logs:
                return
            step, steps, epoch = state.global_step, state.max_steps, state.epoch or 0.0
            rows = round(epoch * len(kwargs["train_dataloader"].dataset))
            loss, rate = float(logs["loss"]), float(logs["learning_rate"])
            if tell(TrainingProgress(step, steps, epoch, loss, rows, rate)) and step < steps:
                self.asked = time.monotonic()
                control.should_save = control.should_training_stop = True

    return Watch()


def libraries_bytes() -> int:
    """What a process holds once it has imported everything that a training needs, and trained
    nothing: the part of `TrainingReport.peak_memory_bytes` that no formula for tensors counts.

    Measured in a fresh process, since this one may have trained already; that takes some seconds.
    """
    code = (
        "import psutil; from workshop_helpers import LoraRecipe; "
        "from workshop_helpers.training.trainer import course_trainer; "
        "course_trainer(LoraRecipe()); print(psutil.Process().memory_info().rss)"
    )
    found = str(Path(__file__).resolve().parents[2])  # the package, wherever this one found it
    paths = os.pathsep.join(filter(None, (found, os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "PYTHONPATH": paths}
    command = [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return int(done.stdout.split()[-1])


def choose_checkpointing(
    model: Any, recipe: LoraRecipe, device: Device, length: int
) -> tuple[bool, str]:
    """Whether to recompute activations in the backward pass (slower by half or more), and why."""
    if device.memory_bytes is None:
        return False, "off: the memory of this device is not known"
    config = model.config.get_text_config()
    tokens = recipe.batch_size * length
    width = 4 if device.dtype == "fp32" else 2
    layers, hidden = config.num_hidden_layers, config.hidden_size
    wide = getattr(config, "intermediate_size", None) or 4 * hidden
    shape = Shape(0, layers, hidden, wide, hidden, config.vocab_size)
    activations = activation_bytes(tokens, shape, width) + logits_bytes(tokens, shape.vocabulary)
    weights = sum(p.numel() * p.element_size() for p in model.parameters())
    need, have = (activations + 1.2 * weights) / 1e9, 0.8 * device.memory_bytes / 1e9
    if need > have:
        return True, f"on: about {need:.1f} GB are needed without it, {have:.1f} GB are there"
    return False, f"off: about {need:.1f} GB of {have:.1f} GB are needed without it"
