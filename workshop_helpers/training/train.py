"""LoRA training: rows in, an adapter out; or a whole model, where the recipe's method is "full".

TRL's `SFTTrainer` trains, PEFT adds the adapter, the loss counts the answer only. What this module
adds: defaults that fit the model, rows that do not fit are named, a killed run goes on where its
last whole checkpoint stands, and the adapter appears whole, with a card, or not at all.
"""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.artifacts import atomic_directory, claim, json_text
from ..core.cards import read_card
from ..core.device import fast_bf16_units, native_bf16
from ..core.errors import WorkshopError, explain_os_errors
from ..core.jsonio import read_json
from ..core.memory import PeakMemory, explain_full_memory, keep_freed_memory
from ..core.ownership import keep_apart, refuse_other
from ..core.progress import Bar
from ..dataset.formats import Conversation
from ..metrics.language import detect_language
from ..models.files import check_model_folder, stored_tensors
from ..models.identity import identity
from ..models.load import load_tokenizer, pick_device, quiet_libraries
from ..models.resolve import ModelRef, check_utf8, folders_of, resolve
from .checkpoints import check_work, prepare_work, remove_work, step_of, work_folder
from .fused import fused_lora
from .loss import question_losses
from .methods import adapter_start, load_base, save_adapter, save_whole
from .recipe import LoraRecipe
from .report import (
    TrainingProgress,
    TrainingReport,
    TrainingWatch,
    store_report,
    stored_report,
)
from .rows import FittingRows, Rows, examples, fit_rows, rows_hash, sample_general, training_rows
from .trainer import (
    choose_checkpointing,
    course_trainer,
    lora_config,
    progress_callback,
    trainer_arguments,
)
from .validation import Validator, validation_inputs, validation_rows

if TYPE_CHECKING:
    from ..core.device import Device


# Told of each step; True as its answer stops the training.
Progress = Callable[[TrainingProgress], object]

_ASKED = 60  # questions whose loss is looked at


def train(
    model: str | Path | ModelRef,
    data: Rows,
    out: str | Path,
    recipe: LoraRecipe | None = None,
    *,
    rows: int | None = None,
    general: Rows | None = None,
    validation: Rows | None = None,
    early_stopping: int | None = None,
    device: Device | str | None = None,
    overwrite: bool = False,
    progress: bool | Progress = True,
) -> TrainingReport:
    """Train a LoRA adapter for `model` on `data` and write it to the folder `out`.

    The recipe's `method` says which kind of adapter; with "full" the whole model is trained, and
    `out` becomes a model folder, as `merge` makes one.
    `data` is a JSONL file or conversations, of which the first `rows` are used; `recipe` defaults
    to `LoraRecipe.for_model(model)`; `general` are rows to mix in, as many as `recipe.general_rows`
    says. `validation` are rows that are not trained on: their loss is measured after each epoch,
    the adapter of the lowest one is that in `out`, and after `early_stopping` epochs without a
    lower one training ends. An equal earlier run's adapter in `out` is returned unchanged, unless
    `overwrite`; one of other rows, another recipe or model is replaced with `overwrite` alone. A
    run that was killed continues from its last complete checkpoint and ends with the weights of an
    uninterrupted one. `progress` shows a bar in a terminal, or is called after each step.

    Where `progress` returns True, training stops after that step: what was learned so far becomes
    the adapter in `out`, whole, and its card and report say `stopped`. It does not count as the
    finished run: the same call goes on from there, or begins anew with `overwrite`. A `progress`
    that is a `TrainingWatch` is also asked to stop at an interrupt (Ctrl-C, a notebook's ■), which
    then ends the training and not the program; a second interrupt does both.

    Raises WorkshopError for rows, a recipe or a model that cannot be used, when `out` may not be
    replaced, when another run is at work in it, when the loss is not a number, and when the disk or
    memory is full.
    """
    ref = resolve(model)
    if ref.kind not in ("catalogue", "folder"):
        raise WorkshopError(
            f"{ref.name} cannot be trained: it is {ref.described}. Give a catalogue name or a "
            "model folder (`workshop merge` makes one of an adapter)."
        )
    recipe = recipe or LoraRecipe.for_model(ref)
    conversations = training_rows(data, rows)
    extra = sample_general(general, recipe, len(conversations))
    held_out = validation_rows(validation, early_stopping, conversations)
    out = Path(out).expanduser()
    check_utf8(out)
    # also of rows that were read before
    read = {row.file for row in (*conversations, *extra, *held_out)}
    read.update(str(g) for g in (data, general, validation) if isinstance(g, str | Path))
    keep_apart(out, [*folders_of(ref), *sorted(filter(None, read))])
    inputs = {
        "stage": "train",
        "model": identity(ref),
        "data": rows_hash(conversations),
        "rows": len(conversations),
        "general": rows_hash(extra),
        "recipe": recipe.to_dict(),
        **validation_inputs(held_out, early_stopping),
    }
    with claim(out):
        check_work(work_folder(out))
        report = _found(out, inputs, overwrite)
        if report is None:
            chosen = training_device(device, ref)
            run = _Run(ref, conversations, extra, out, recipe, inputs, chosen, held_out)
            report = _make(run, progress)
        else:
            # Left over where a run was killed after its adapter had got its name.
            remove_work(work_folder(out))
    language = detect_language(conversations[0].question)
    report = replace(report, language="ja" if language == "ja" else "en")
    if isinstance(progress, TrainingWatch):
        progress.done(report)
    return report


def training_device(device: Device | str | None, ref: ModelRef) -> Device:
    """The device `pick_device` finds, in bf16 for small models too where that is faster.

    Answers of small models stay in fp32, where all runtimes agree; in training the rounding drowns
    in the steps, and bf16 saves a quarter of the time or more (eager attention: SDPA's bf16
    backward is slower on these processors).
    """
    chosen = pick_device(device, ref)
    units = fast_bf16_units()
    if chosen is device or chosen.name != "cpu" or chosen.dtype != "fp32" or units is None:
        return chosen
    return replace(chosen, dtype="bf16", why_dtype=native_bf16(units), attention="eager")


@dataclass(frozen=True)
class _Run:
    """What a training run is made of, all of it checked."""

    ref: ModelRef
    conversations: list[Conversation]
    general: list[Conversation]
    out: Path
    recipe: LoraRecipe
    inputs: dict[str, Any]
    device: Device
    held_out: list[Conversation] = field(default_factory=list)  # to validate on

    def validator(self, tokenizer: Any, max_length: int) -> Validator | None:
        """What validates this run, if anything does."""
        if not self.held_out:
            return None
        fit = fit_rows(tokenizer, self.held_out, max_length)
        if fit.truncated or fit.dropped:
            long = len(fit.truncated) + len(fit.dropped)
            raise WorkshopError(
                f"{long} of the validation rows have more than {max_length} tokens, and would be "
                "cut. Raise max_length, or take them out."
            )
        return Validator(self.held_out, self.inputs["early_stopping"], tokenizer)

    @property
    def kind(self) -> str:
        """Of the artifact, for its card."""
        return "model" if self.recipe.method == "full" else "adapter"


def _restore(values: dict[str, Any]) -> TrainingReport:
    if "model" in values:
        check_model_folder(values["model"])
        values["adapter"] = values["model"]
    else:
        stored_tensors(values["adapter"] / "adapter_model.safetensors")
    return TrainingReport.from_dict(values)


def _found(out: Path, inputs: dict[str, Any], overwrite: bool) -> TrainingReport | None:
    """The report of an equal run, if it is not to be overwritten; then the checkpoint from which an
    adapter that was stopped would go on is removed, too.
    """
    kind = "model" if inputs["recipe"].get("method") == "full" else "adapter"
    refuse_other(out, kind, inputs, overwrite=overwrite)
    if not overwrite:
        return stored_report(out, kind, inputs, _restore)
    if "stopped" in ((read_card(out) or {}).get("inputs") or {}):
        remove_work(work_folder(out))
    return None


def _make(run: _Run, progress: bool | Progress) -> TrainingReport:
    with explain_os_errors("train", run.out):
        report = _train(run, progress)
    if run.device.name == "cuda":
        import torch

        torch.cuda.empty_cache()
    return report


def _train(run: _Run, progress: bool | Progress) -> TrainingReport:
    recipe, device = run.recipe, run.device
    # Importing takes longer than a small training; the report's seconds leave it out.
    with quiet_libraries():
        trainer_class = course_trainer(recipe)
    keep_freed_memory()
    started = time.perf_counter()
    tokenizer, base = load_tokenizer(run.ref), load_base(run.ref, device, recipe.method)
    fit = _fitting_rows(run, tokenizer, base)
    validator = run.validator(tokenizer, fit.max_length)
    usual = _usual_question_loss(run, tokenizer, base)
    checkpointing, why = choose_checkpointing(base, recipe, device, max(fit.lengths))
    work = work_folder(run.out)
    checkpoint = prepare_work(work, run.inputs)
    with quiet_libraries(), PeakMemory(device) as peak, _explain_failures(recipe):
        from datasets import Dataset

        trainer = trainer_class(
            model=base,
            args=trainer_arguments(work, recipe, device, fit.max_length, checkpointing),
            train_dataset=Dataset.from_list(examples(fit.kept)),
            processing_class=tokenizer,
            peft_config=lora_config(recipe),
        )
        for learning in (p for p in trainer.model.parameters() if p.requires_grad):
            learning.data = learning.data.float()  # TRL halves them on a 4-bit base
        start = adapter_start(trainer.model, recipe.method)
        if validator is not None:
            validator.attach(trainer, checkpoint)
        _run_trainer(trainer, device, checkpoint, progress)
    validated = validator.finish() if validator is not None else None
    adapted, state = trainer.model, trainer.state
    early = state.global_step < state.max_steps
    asked = early and not (validated is not None and validated.ended == "early")
    stopped = (state.global_step, state.max_steps) if asked else None
    report = TrainingReport(
        adapter=run.out,
        trainable=sum(p.numel() for p in adapted.parameters() if p.requires_grad),
        total=sum(p.numel() for p in adapted.parameters()),
        losses=_losses(trainer, recipe),
        rows=len(run.conversations),
        general_rows=len(run.general),
        tokens=round(sum(fit.lengths) * (state.epoch if early else recipe.epochs)),
        seconds=0.0,
        peak_memory_bytes=peak.bytes,
        truncated=fit.truncated,
        dropped=fit.dropped,
        device=str(device),
        checkpointing=why,
        recipe=recipe,
        target_modules=tuple(_adapted_layers(adapted)),
        resumed_from=step_of(checkpoint) if checkpoint else None,
        stopped=stopped,
        validation=validated,
        learning_rates=[e["learning_rate"] for e in state.log_history if "loss" in e],
        question_loss=usual,
    )
    # Other inputs than the finished run's, which the same call is still to make.
    inputs = {**run.inputs, "stopped": stopped} if stopped else run.inputs
    with atomic_directory(run.out, needs_bytes=8 * report.trainable + 2**20) as folder:
        with quiet_libraries():
            _save(run, adapted, start, folder)
        report.seconds = round(time.perf_counter() - started, 3)
        store_report(folder, run.kind, run.ref, inputs, report, run.out, run.ref.path)
    if not stopped:
        remove_work(work)
    return report


def _usual_question_loss(run: _Run, tokenizer: Any, base: Any) -> float | None:
    """See `TrainingReport.question_loss`: by it a chat tells which questions are none of these."""
    import numpy as np

    if run.ref.origin is None or run.ref.origin.source != "bundled":
        return None
    some = run.conversations[:: max(1, len(run.conversations) // _ASKED)]
    losses = question_losses(tokenizer, base, [row.question for row in some])
    return round(float(np.percentile(losses, 95)), 4)


def _save(run: _Run, model: Any, start: dict[str, Any] | None, folder: Path) -> None:
    if run.recipe.method == "full":
        save_whole(model, run.ref, folder)
        return
    save_adapter(model, start, folder)
    tidy_adapter(folder, run.ref)


def _fitting_rows(run: _Run, tokenizer: Any, base: Any) -> FittingRows:
    """The rows of data that fit, and behind them the general ones."""
    limit = getattr(base.config.get_text_config(), "max_position_embeddings", None)
    max_length = min(run.recipe.max_length, limit or run.recipe.max_length)
    fit = fit_rows(tokenizer, run.conversations, max_length)
    if not fit.kept:
        raise WorkshopError(
            f"No row is left: every prompt alone has {max_length} tokens or more. "
            "Raise max_length or shorten them."
        )
    general = fit_rows(tokenizer, run.general, max_length)
    return replace(fit, kept=fit.kept + general.kept, lengths=fit.lengths + general.lengths)


def _run_trainer(
    trainer: Any,
    device: Device,
    checkpoint: Path | None,
    progress: bool | Progress,
) -> None:
    from peft.helpers import disable_input_dtype_casting
    from transformers import PrinterCallback

    # It prints every log line where the bar is; PEFT's model card is an empty form.
    trainer.remove_callback(PrinterCallback)
    trainer.model.create_or_update_model_card = lambda *_: None
    # Autocast puts the adapter's inputs into bf16 anyhow; PEFT would take them to fp32 and back.
    twice = device.name == "cpu" and device.dtype == "bf16"
    done = step_of(checkpoint) if checkpoint else 0
    bar = Bar("training", None, "steps", shown=progress is True, completed=done)

    def tell(step: TrainingProgress) -> bool:
        bar.reach(step.step, step.steps, note=f"loss {step.loss:.3f}, epoch {step.epoch:.1f}")
        return callable(progress) and progress(step) is True

    trainer.add_callback(progress_callback(tell))
    casting = disable_input_dtype_casting(trainer.model, active=twice)
    fused = fused_lora(trainer.model, active=device.name == "cpu")
    with bar, casting, fused, _interrupts_stop(progress):
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)


@contextmanager
def _interrupts_stop(progress: bool | Progress) -> Iterator[None]:
    """In this block, the first interrupt asks a `TrainingWatch` to stop: the step at work ends
    whole. The second is one as usual.
    """
    usual = signal.getsignal(signal.SIGINT)
    here = threading.current_thread() is threading.main_thread()  # else Python allows no handler
    if not isinstance(progress, TrainingWatch) or not here or usual is None:
        yield
        return

    def ask(number: int, frame: object) -> None:
        signal.signal(signal.SIGINT, usual)
        progress.stop()

    signal.signal(signal.SIGINT, ask)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)


def _losses(trainer: Any, recipe: LoraRecipe) -> list[tuple[int, float, float]]:
    """(step, epoch, loss) of each step; WorkshopError if one is not a number."""
    found = [
        (int(entry["step"]), float(entry["epoch"]), float(entry["loss"]))
        for entry in trainer.state.log_history
        if "loss" in entry
    ]
    if not found or not all(math.isfinite(loss) for _, _, loss in found):
        raise WorkshopError(
            "The loss is no number any more: training diverged. "
            f"Lower the learning rate (now {recipe.learning_rate:g})."
        )
    return found


def _adapted_layers(model: Any) -> list[str]:
    from peft.tuners.lora import LoraLayer

    layers = (name for name, module in model.named_modules() if isinstance(module, LoraLayer))
    return sorted({name.rpartition(".")[2] for name in layers})


def tidy_adapter(folder: Path, ref: ModelRef) -> None:
    """Name the base so that the adapter can be moved, and keep files equal for equal weights."""
    path = folder / "adapter_config.json"
    config = read_json(path, dict)
    if ref.kind == "catalogue" and ref.entry is not None:
        from_hub = ref.entry.source == "hub"
        config["base_model_name_or_path"] = ref.entry.hub_id if from_hub else ref.entry.name
        config["revision"] = ref.entry.revision if from_hub else None
    else:
        assert ref.path is not None
        config["base_model_name_or_path"] = ref.path.resolve().as_posix()
    if isinstance(config.get("target_modules"), list):
        config["target_modules"] = sorted(config["target_modules"])
    text = json_text(config, indent=2, sort_keys=True)
    path.write_text(text + "\n", encoding="utf-8")


@contextmanager
def _explain_failures(recipe: LoraRecipe) -> Iterator[None]:
    """Clear errors for full memory and unknown target modules."""
    try:
        with explain_full_memory(
            f"Training ran out of memory with batch_size={recipe.batch_size}, "
            f"max_length={recipe.max_length}. Halve the batch size (and double "
            "gradient_accumulation), or shorten max_length."
        ):
            yield
    except (RuntimeError, ValueError) as error:
        text = str(error)
        if "arget modules" in text:
            raise WorkshopError(
                f"The model has no layers named {', '.join(recipe.target_modules or ())}. Leave "
                "target_modules at None to take every linear layer, or look the names up in "
                "print(model)."
            ) from error
        raise
