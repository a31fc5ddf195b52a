"""LoRA training: rows in, an adapter out.

TRL's `SFTTrainer` trains, PEFT adds the adapter, the loss counts the answer only. What this module
adds: defaults that fit the model, rows that do not fit are named, a killed run goes on where its
last whole checkpoint stands, and the adapter appears whole, with a card, or not at all.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.artifacts import atomic_directory, claim
from ..core.cards import write_card
from ..core.device import cpu_bf16_units, machine, versions
from ..core.errors import WorkshopError, explain_os_errors
from ..core.memory import PeakMemory, is_out_of_memory, keep_freed_memory
from ..dataset.formats import Conversation
from ..models.identity import identity
from ..models.load import load_model, load_tokenizer, pick_device, quiet_libraries
from ..models.resolve import ModelRef, resolve
from .checkpoints import prepare_work, work_folder
from .recipe import LoraRecipe
from .report import Progress, TrainingReport, stored_report
from .rows import Rows, examples, fit_rows, general_rows, rows_hash, training_rows
from .trainer import Bar, choose_checkpointing, course_trainer, progress_callback, trainer_arguments

if TYPE_CHECKING:
    from ..core.device import Device


def train(
    model: str | Path | ModelRef,
    data: Rows,
    out: str | Path,
    recipe: LoraRecipe | None = None,
    *,
    rows: int | None = None,
    general: Rows | None = None,
    device: Device | str | None = None,
    overwrite: bool = False,
    progress: bool | Callable[[Progress], None] = True,
) -> TrainingReport:
    """Train a LoRA adapter for `model` on `data` and write it to the folder `out`.

    `data` is a JSONL file or conversations, of which the first `rows` are used; `recipe` defaults
    to `LoraRecipe.for_model(model)`; `general` are rows to mix in, as many as `recipe.general_rows`
    says. An equal earlier run's adapter in `out` is returned as it is, unless `overwrite`. A run
    that was killed goes on from its last whole checkpoint and ends with the weights of an
    uninterrupted one. `progress` shows a bar in a terminal, or is called with a `Progress` after
    each step.

    Raises WorkshopError for rows, a recipe or a model that cannot be used, when another run is at
    work in `out`, when the loss is no number, and when the disk or memory is full.
    """
    ref = resolve(model)
    if ref.kind not in ("catalogue", "folder"):
        kinds = {"adapter": "an adapter", "gguf": "a GGUF file", "ollama": "a model on Ollama"}
        raise WorkshopError(
            f"{ref.name} cannot be trained: it is {kinds[ref.kind]}. "
            "Give a catalogue name or a model folder (`workshop merge` makes one of an adapter)."
        )
    recipe = recipe or LoraRecipe.for_model(ref)
    conversations = training_rows(data, rows)
    extra = general_rows(general, recipe, len(conversations))
    out = Path(out).expanduser()
    inputs = {
        "stage": "train",
        "model": identity(ref),
        "data": rows_hash(conversations),
        "rows": len(conversations),
        "general": rows_hash(extra),
        "recipe": recipe.to_dict(),
    }
    with claim(out):
        stored = None if overwrite else stored_report(out, inputs)
        if stored is not None:
            # Left over where a run was killed between its last two breaths.
            shutil.rmtree(work_folder(out), ignore_errors=True)
            return stored
        with explain_os_errors("train", out):
            return _train(
                ref,
                conversations,
                extra,
                out,
                recipe,
                inputs,
                training_device(device, ref),
                progress,
            )


def training_device(device: Device | str | None, ref: ModelRef) -> Device:
    """The device `pick_device` finds; on a processor that multiplies bf16 natively a small model
    trains in it too.

    Answers of small models stay in fp32, where all runtimes agree; in training the rounding drowns
    in the steps, and bf16 saves a quarter of the time (eager attention: SDPA's bf16 backward is
    slower on these processors).
    """
    chosen = pick_device(device, ref)
    units = cpu_bf16_units()
    if chosen is device or chosen.name != "cpu" or chosen.dtype != "fp32" or units is None:
        return chosen
    reason = f"{units} found: the processor multiplies bf16 natively"
    return replace(chosen, dtype="bf16", dtype_reason=reason, attention="eager")


def _train(
    ref: ModelRef,
    conversations: list[Conversation],
    extra: list[Conversation],
    out: Path,
    recipe: LoraRecipe,
    inputs: dict[str, Any],
    device: Device,
    progress: bool | Callable[[Progress], None],
) -> TrainingReport:
    # Importing takes longer than a small training; the report's seconds leave it out.
    with quiet_libraries():
        import torch
        from datasets import Dataset
        from peft import LoraConfig
        from peft.helpers import disable_input_dtype_casting
        from transformers import PrinterCallback

        trainer_class = course_trainer(recipe)
    keep_freed_memory()
    started = time.perf_counter()
    tokenizer = load_tokenizer(ref)
    base = load_model(ref, device)
    config = base.config.get_text_config()
    max_length = min(
        recipe.max_length, getattr(config, "max_position_embeddings", None) or recipe.max_length
    )
    fit = fit_rows(tokenizer, conversations, max_length)
    if not fit.kept:
        raise WorkshopError(
            f"No row is left: every prompt alone has {max_length} tokens or more. Raise max_length or shorten them."
        )
    fit_extra = fit_rows(tokenizer, extra, max_length)
    lengths = fit.lengths + fit_extra.lengths
    checkpointing, checkpointing_reason = choose_checkpointing(base, recipe, device, max(lengths))
    work = work_folder(out)
    checkpoint = prepare_work(work, inputs)
    bar = Bar(progress)
    try:
        with quiet_libraries(), PeakMemory(device) as peak, _failures_in_words(recipe, work):
            trainer = trainer_class(
                model=base,
                args=trainer_arguments(work, recipe, device, max_length, checkpointing),
                train_dataset=Dataset.from_list(examples(fit.kept + fit_extra.kept)),
                processing_class=tokenizer,
                peft_config=LoraConfig(
                    r=recipe.rank,
                    lora_alpha=recipe.alpha,
                    lora_dropout=recipe.dropout,
                    target_modules=list(recipe.target_modules)
                    if recipe.target_modules
                    else "all-linear",
                    task_type="CAUSAL_LM",
                ),
                callbacks=[progress_callback(bar)],
            )
            # It prints every log line where the bar is; PEFT's model card is a form that nobody
            # fills in.
            trainer.remove_callback(PrinterCallback)
            trainer.model.create_or_update_model_card = lambda *_: None
            # Autocast puts the adapter's inputs into bf16 anyhow; PEFT would take them to fp32 and
            # back first.
            twice = device.name == "cpu" and device.dtype == "bf16"
            with disable_input_dtype_casting(trainer.model, active=twice):
                trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    finally:
        bar.close()
    losses = [
        (int(entry["step"]), float(entry["epoch"]), float(entry["loss"]))
        for entry in trainer.state.log_history
        if "loss" in entry
    ]
    if not losses or not all(loss == loss and abs(loss) != float("inf") for _, _, loss in losses):
        raise WorkshopError(
            f"The loss is no number any more: training diverged. "
            f"Lower the learning rate (now {recipe.learning_rate:g})."
        )
    adapted = trainer.model
    report = TrainingReport(
        adapter=out,
        trainable=sum(p.numel() for p in adapted.parameters() if p.requires_grad),
        total=sum(p.numel() for p in adapted.parameters()),
        losses=losses,
        rows=len(conversations),
        general_rows=len(extra),
        tokens=_tokens_seen(lengths, recipe.epochs),
        seconds=0.0,
        peak_memory_bytes=peak.bytes,
        truncated=fit.truncated,
        dropped=fit.dropped,
        device=str(device),
        checkpointing=checkpointing_reason,
        recipe=recipe,
        target_modules=tuple(_adapted_layers(adapted)),
        resumed_from=int(checkpoint.name.rpartition("-")[2]) if checkpoint else None,
    )
    with atomic_directory(out, needs_bytes=8 * report.trainable + 2**20) as folder:
        with quiet_libraries():
            adapted.save_pretrained(str(folder), save_embedding_layers=False)
        _tidy_adapter(folder, ref)
        report.seconds = round(time.perf_counter() - started, 3)
        write_card(
            folder,
            {
                "kind": "adapter",
                "base": ref.name,
                "origin": ref.origin.name if ref.origin else None,
                "inputs": inputs,
                "machine": machine(),
                "versions": versions(),
                "seconds": report.seconds,
                "report": {**report.to_dict(), "adapter": out.name},
            },
        )
    shutil.rmtree(work, ignore_errors=True)
    del trainer, adapted, base
    if device.name == "cuda":
        torch.cuda.empty_cache()
    return report


def _adapted_layers(model: Any) -> list[str]:
    from peft.tuners.lora import LoraLayer

    return sorted(
        {
            name.rpartition(".")[2]
            for name, module in model.named_modules()
            if isinstance(module, LoraLayer)
        }
    )


def _tidy_adapter(folder: Path, ref: ModelRef) -> None:
    """Name the base so that the adapter can be moved, and keep files equal for equal weights."""
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    if ref.kind == "catalogue" and ref.entry is not None:
        config["base_model_name_or_path"] = ref.entry.hub_id or ref.entry.name
        config["revision"] = ref.entry.revision
    else:
        assert ref.path is not None
        config["base_model_name_or_path"] = ref.path.resolve().as_posix()
    if isinstance(config.get("target_modules"), list):
        config["target_modules"] = sorted(config["target_modules"])
    path.write_text(
        json.dumps(config, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8"
    )


def _tokens_seen(lengths: list[int], epochs: float) -> int:
    return round(sum(lengths) * epochs)


@contextmanager
def _failures_in_words(recipe: LoraRecipe, work: Path) -> Iterator[None]:
    """Full memory, a full disk behind torch's own message, and unknown target modules as
    WorkshopErrors.
    """
    try:
        yield
    except (RuntimeError, ValueError, MemoryError) as error:
        if is_out_of_memory(error):
            raise WorkshopError(
                f"Training ran out of memory with batch_size={recipe.batch_size}, max_length={recipe.max_length}. "
                "Halve the batch size (and double gradient_accumulation), or shorten max_length."
            ) from error
        text = str(error)
        if "arget modules" in text:
            raise WorkshopError(
                f"The model has no layers named {', '.join(recipe.target_modules or ())}. "
                "Leave target_modules at None to take every linear layer, or look the names up in print(model)."
            ) from error
        if "PytorchStreamWriter" in text or "file write failed" in text:
            raise WorkshopError(
                f"A checkpoint could not be written at {work}: the disk is full. "
                "Free some space and run again: it goes on from the last whole checkpoint."
            ) from error
        raise
