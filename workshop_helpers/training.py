"""LoRA training: rows in, an adapter out.

TRL's `SFTTrainer` trains, PEFT adds the adapter, the loss counts the answer only. What this module adds: defaults
that fit the model, rows that do not fit are named, a killed run goes on where its last whole checkpoint stands, and
the adapter appears whole, with a card, or not at all.
"""

from __future__ import annotations

import json
import random
import shutil
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .core.artifacts import atomic_directory, claim
from .core.cards import equal_card, fingerprint, read_json, write_card, write_json
from .core.device import cpu_bf16_units, machine, versions
from .core.errors import WorkshopError, explain_os_errors
from .core.memory import PeakMemory, is_out_of_memory, keep_freed_memory
from .dataset.formats import Conversation, read_conversations
from .models.chat import chat_prompt
from .models.files import check_safetensors
from .models.identity import identity
from .models.load import load_model, load_tokenizer, pick_device, quiet_libraries
from .models.resolve import ModelRef, resolve

if TYPE_CHECKING:
    from .core.device import Device

IGNORED = -100  # the label of a token that carries no loss
SMALL_LOGITS = 2**28  # bytes of a batch's logits in fp32 that any machine has room for
SCHEDULES = ("constant", "linear", "cosine")


@dataclass(frozen=True)
class LoraRecipe:
    """How an adapter is trained.

    `rank` and `alpha`: the adapter adds (alpha / rank) · B·A to a weight, A and B of that rank.
    `target_modules`: names of the layers that get one; None takes every linear layer but the output head.
    `loraplus_ratio`: how many times the learning rate of A the one of B is (LoRA+, Hayou et al. 2024,
    arXiv:2402.12354); 1 is plain LoRA. `epochs`: passes over the rows. `batch_size` · `gradient_accumulation`: rows
    in one optimiser step. `learning_rate` falls by `schedule` ("constant", "linear", "cosine") after rising over the
    first `warmup` share of the steps. `max_length`: tokens of prompt and answer together. `general_rows`: rows mixed
    in against forgetting, as a share of the training rows (0.5: one general row to two of the data).
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
        faults = [
            f"{name} is {getattr(self, name)!r}, must be {rule}"
            for good, name, rule in wrong
            if not good
        ]
        if faults:
            raise WorkshopError(f"The recipe cannot be used: {'; '.join(faults)}.")

    @classmethod
    def for_model(cls, model: str | Path | ModelRef) -> LoraRecipe:
        """The defaults for a model: the catalogue's where it, or the model it comes from, is known."""
        ref = resolve(model)
        return cls(**(ref.origin.recipe if ref.origin else {}))

    def replace(self, **changes: Any) -> LoraRecipe:
        """A copy with some values changed. Raises WorkshopError for a value or a name that makes no sense."""
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
        return values


@dataclass
class TrainingReport:
    """What a training run did.

    `losses`: (step, epoch, mean loss of the step's answer tokens). `tokens`: prompt and answer tokens that went
    through the model. `truncated` and `dropped`: rows, by their line in the file or else their place from 1, whose
    answer was cut or cut away entirely at `max_length`. `peak_memory_bytes`: of the process on a CPU, of torch on a
    GPU. `resumed_from`: the step of the checkpoint that a killed run had left. `reused`: nothing was trained, the
    adapter of an equal run was there. `seconds`: without importing libraries; of this run only.
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

    @property
    def final_loss(self) -> float:
        """Mean of the last tenth of the loss curve: one step alone says little."""
        last = [loss for _, _, loss in self.losses[-max(1, len(self.losses) // 10) :]]
        return sum(last) / len(last)

    def to_dict(self) -> dict[str, Any]:
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {
            **values,
            "adapter": str(self.adapter),
            "losses": [list(point) for point in self.losses],
            "recipe": self.recipe.to_dict(),
            "target_modules": list(self.target_modules),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> TrainingReport:
        known = {f.name for f in fields(cls)}
        kept = {name: value for name, value in values.items() if name in known}
        kept["adapter"] = Path(kept["adapter"])
        kept["losses"] = [(int(s), float(e), float(x)) for s, e, x in kept["losses"]]
        kept["recipe"] = LoraRecipe(**kept["recipe"])
        kept["target_modules"] = tuple(kept["target_modules"])
        return cls(**kept)


@dataclass(frozen=True)
class Progress:
    """Told to a `progress` function after each optimiser step."""

    step: int
    steps: int
    epoch: float
    loss: float


Rows = str | Path | Sequence[Conversation]


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

    `data` is a JSONL file or conversations, of which the first `rows` are used; `recipe` defaults to
    `LoraRecipe.for_model(model)`; `general` are rows to mix in, as many as `recipe.general_rows` says. An equal
    earlier run's adapter in `out` is returned as it is, unless `overwrite`. A run that was killed goes on from its
    last whole checkpoint and ends with the weights of an uninterrupted one. `progress` shows a bar in a terminal,
    or is called with a `Progress` after each step.

    Raises WorkshopError for rows, a recipe or a model that cannot be used, when another run is at work in `out`,
    when the loss is no number, and when the disk or memory is full.
    """
    ref = resolve(model)
    if ref.kind not in ("catalogue", "folder"):
        kinds = {"adapter": "an adapter", "gguf": "a GGUF file", "ollama": "a model on Ollama"}
        raise WorkshopError(
            f"{ref.name} cannot be trained: it is {kinds[ref.kind]}. "
            "Give a catalogue name or a model folder (`workshop merge` makes one of an adapter)."
        )
    recipe = recipe or LoraRecipe.for_model(ref)
    conversations = _conversations(data, rows)
    extra = _general(general, recipe, len(conversations))
    out = Path(out).expanduser()
    inputs = {
        "stage": "train",
        "model": identity(ref),
        "data": _rows_hash(conversations),
        "rows": len(conversations),
        "general": _rows_hash(extra),
        "recipe": recipe.to_dict(),
    }
    with claim(out):
        stored = None if overwrite else stored_report(out, inputs)
        if stored is not None:
            # Left over where a run was killed between its last two breaths.
            shutil.rmtree(_work_folder(out), ignore_errors=True)
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
    """The device `pick_device` finds; on a processor that multiplies bf16 natively a small model trains in it too.

    Answers of small models stay in fp32, where all runtimes agree; in training the rounding drowns in the steps, and
    bf16 saves a quarter of the time (eager attention: SDPA's bf16 backward is slower on these processors).
    """
    chosen = pick_device(device, ref)
    units = cpu_bf16_units()
    if chosen is device or chosen.name != "cpu" or chosen.dtype != "fp32" or units is None:
        return chosen
    reason = f"{units} found: the processor multiplies bf16 natively"
    return replace(chosen, dtype="bf16", dtype_reason=reason, attention="eager")


def stored_report(out: Path, inputs: dict[str, Any]) -> TrainingReport | None:
    """The report of the adapter in `out` if it was made from exactly these inputs and is whole."""
    card = equal_card(out, inputs)
    if card is None:
        return None
    try:
        check_safetensors(out / "adapter_model.safetensors")
        return TrainingReport.from_dict({**card["report"], "adapter": out, "reused": True})
    except (WorkshopError, OSError, KeyError, TypeError, ValueError):
        return None


# ---- rows -----------------------------------------------------------------------------------------------------------


def _conversations(data: Rows, rows: int | None) -> list[Conversation]:
    if rows is not None and rows < 1:
        raise WorkshopError(f"rows is {rows}; train on at least one row.")
    found = (
        read_conversations(data, limit=rows) if isinstance(data, str | Path) else list(data)[:rows]
    )
    if not found:
        raise WorkshopError("There are no rows to train on.")
    return found


def _general(general: Rows | None, recipe: LoraRecipe, rows: int) -> list[Conversation]:
    if general is None:
        if recipe.general_rows:
            raise WorkshopError(
                f"The recipe mixes in general rows (general_rows={recipe.general_rows:g}), but none were given. "
                "Pass them as general=, or set general_rows to 0."
            )
        return []
    if not recipe.general_rows:
        raise WorkshopError(
            "General rows were given, but the recipe mixes in none. Set general_rows, for example to 0.5: "
            "one general row to two training rows."
        )
    pool = _conversations(general, None)
    wanted = max(1, round(recipe.general_rows * rows))
    if wanted > len(pool):
        raise WorkshopError(
            f"general_rows={recipe.general_rows:g} of {rows} rows are {wanted}, but only {len(pool)} general rows "
            f"were given. Give more, or set general_rows to at most {len(pool) / rows:.2f}."
        )
    return random.Random(recipe.seed).sample(pool, wanted)


def _rows_hash(conversations: list[Conversation]) -> str:
    return fingerprint([conversation.to_messages() for conversation in conversations])


@dataclass
class _Fit:
    """Which rows fit into `max_length`, and how long they are."""

    kept: list[Conversation] = field(default_factory=list)
    truncated: list[int] = field(default_factory=list)
    dropped: list[int] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)


def _fit(tokenizer: Any, conversations: list[Conversation], max_length: int) -> _Fit:
    """TRL cuts long rows at the end and drops, silently, those whose answer is gone: this finds them first."""
    fit = _Fit()
    if not conversations:
        return fit

    def lengths(texts: list[str]) -> list[int]:
        return [
            len(ids)
            for ids in tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]
        ]

    prompts = lengths([chat_prompt(tokenizer, c.prompt_messages()) for c in conversations])
    wholes = lengths([chat_prompt(tokenizer, c.to_messages(), answer=True) for c in conversations])
    for place, (conversation, prompt, whole) in enumerate(
        zip(conversations, prompts, wholes, strict=True), 1
    ):
        row = conversation.line or place
        if prompt >= max_length:
            fit.dropped.append(row)
            continue
        if whole > max_length:
            fit.truncated.append(row)
        fit.kept.append(conversation)
        fit.lengths.append(min(whole, max_length))
    return fit


def examples(conversations: Sequence[Conversation]) -> list[dict[str, Any]]:
    """The rows as TRL's trainer takes them: prompt and completion, so that the loss counts the completion only."""
    return [
        {
            "prompt": c.prompt_messages(),
            "completion": [{"role": "assistant", "content": c.answer}],
            "chat_template_kwargs": {"enable_thinking": False},
        }
        for c in conversations
    ]


# ---- the run --------------------------------------------------------------------------------------------------------


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
    fit = _fit(tokenizer, conversations, max_length)
    if not fit.kept:
        raise WorkshopError(
            f"No row is left: every prompt alone has {max_length} tokens or more. Raise max_length or shorten them."
        )
    fit_extra = _fit(tokenizer, extra, max_length)
    lengths = fit.lengths + fit_extra.lengths
    checkpointing, checkpointing_reason = _checkpointing(base, recipe, device, max(lengths))
    work = _work_folder(out)
    checkpoint = _prepare_work(work, inputs)
    bar = _Bar(progress)
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
                callbacks=[_callback(bar)],
            )
            # It prints every log line where the bar is; PEFT's model card is a form that nobody fills in.
            trainer.remove_callback(PrinterCallback)
            trainer.model.create_or_update_model_card = lambda *_: None
            # Autocast puts the adapter's inputs into bf16 anyhow; PEFT would take them to fp32 and back first.
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


def trainer_arguments(
    work: Path, recipe: LoraRecipe, device: Device, max_length: int, checkpointing: bool
) -> Any:
    from trl import SFTConfig

    arguments = SFTConfig(
        output_dir=str(work),
        num_train_epochs=recipe.epochs,
        per_device_train_batch_size=recipe.batch_size,
        gradient_accumulation_steps=recipe.gradient_accumulation,
        learning_rate=recipe.learning_rate,
        # Rows of like length share a batch: padding costs as much as text, and general rows bring long prompts.
        train_sampling_strategy="group_by_length",
        lr_scheduler_type="constant_with_warmup"
        if recipe.schedule == "constant"
        else recipe.schedule,
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
        # A loss that is no number must be seen, not averaged away.
        logging_nan_inf_filter=False,
        save_strategy="no",  # `_callback` saves by time instead
        save_total_limit=2,
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=device.name == "cuda",
    )
    # TRL refuses several GPUs in one process; one is enough for these models.
    if arguments.n_gpu > 1:
        arguments._n_gpu = 1
    return arguments


def course_trainer(recipe: LoraRecipe) -> Any:
    import torch
    from transformers import Trainer
    from transformers.trainer_pt_utils import LengthGroupedSampler
    from trl import SFTTrainer

    class EpochSampler(LengthGroupedSampler):
        """Rows of like length together, in an order that seed and epoch alone decide.

        The library's own draws it from torch's global state, which a run resumed in its second epoch has not got.
        """

        def set_epoch(self, epoch: int) -> None:
            self.generator = torch.Generator().manual_seed(1000 * recipe.seed + epoch)

    class CourseTrainer(SFTTrainer):
        """SFTTrainer with LoRA+'s two learning rates, and without what a small run needs not pay for."""

        def create_optimizer(self, model: Any = None) -> Any:
            if recipe.loraplus_ratio == 1 or getattr(self, "optimizer", None) is not None:
                return super().create_optimizer(model)
            from peft.optimizers import create_loraplus_optimizer

            kind, options = Trainer.get_optimizer_cls_and_kwargs(self.args, self.model)
            self.optimizer = create_loraplus_optimizer(
                self.model,
                kind,
                loraplus_lr_ratio=recipe.loraplus_ratio,
                loraplus_weight_decay=recipe.weight_decay,
                weight_decay=recipe.weight_decay,
                **options,
            )
            return self.optimizer

        def _get_train_sampler(self, train_dataset: Any = None) -> Any:
            sampler = super()._get_train_sampler(train_dataset)
            return EpochSampler(sampler.batch_size, lengths=sampler.lengths)

        def compute_loss(
            self,
            model: Any,
            inputs: dict[str, Any],
            return_outputs: bool = False,
            num_items_in_batch: Any = None,
        ) -> Any:
            """The mean loss of the answer tokens, from the logits of their places alone.

            TRL's own never holds all logits, which a large vocabulary on a GPU needs; without a GPU's kernels it
            computes them three times over, and figures that nobody reads here: half of a small model's step.
            """
            labels = inputs["labels"]
            small = 4 * labels.numel() * model.config.get_text_config().vocab_size <= SMALL_LOGITS
            if labels.device.type == "cuda" or not small or return_outputs:
                return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
            targets = labels[:, 1:]  # each place is asked for the next token
            places = (targets != IGNORED).any(dim=0).nonzero().squeeze(1)
            rest = {name: value for name, value in inputs.items() if name != "labels"}
            logits = model(**rest, use_cache=False, logits_to_keep=places).logits
            wanted = targets[:, places]
            loss = torch.nn.functional.cross_entropy(
                logits.float().flatten(0, 1),
                wanted.flatten(),
                ignore_index=IGNORED,
                reduction="sum",
            )
            count = (wanted != IGNORED).sum() if num_items_in_batch is None else num_items_in_batch
            return loss / count

        def floating_point_ops(self, inputs: Any) -> int:
            """It would count all parameters anew at every step, for a figure that nobody reads here."""
            return 0

        def _save_checkpoint(self, model: Any, trial: Any) -> None:
            # TRL's own would write a model card into every checkpoint.
            Trainer._save_checkpoint(self, model, trial)

    return CourseTrainer


def _callback(bar: _Bar) -> Any:
    from transformers import TrainerCallback

    class Watch(TrainerCallback):
        """Tells the bar, and asks for checkpoints: never more than about a tenth of the work can be lost.

        Saving takes at most about a twentieth of the time, and a run of less than a second has no checkpoint.
        """

        def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            self.begun = self.saved = time.monotonic()
            self.cost = 0.02
            self.asked = 0.0
            bar.start(state.global_step, state.max_steps)

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
            if logs and "loss" in logs:
                bar.step(
                    Progress(
                        state.global_step, state.max_steps, state.epoch or 0.0, float(logs["loss"])
                    )
                )

    return Watch()


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


def _checkpointing(model: Any, recipe: LoraRecipe, device: Device, length: int) -> tuple[bool, str]:
    """Whether to recompute activations in the backward pass (slower by half or more) to save memory, and why.

    Activations of one layer are about 34 · hidden values a token without the attention matrix, which SDPA does not
    store (Korthikanti et al. 2022, arXiv:2205.05198, §4.1, in bytes for 16-bit values), and the logits are held in
    fp32 a few times over.
    """
    if device.memory_bytes is None:
        return False, "off: the memory of this device is not known"
    config = model.config.get_text_config()
    tokens = recipe.batch_size * length
    width = 4 if device.dtype == "fp32" else 2
    layers, hidden = config.num_hidden_layers, config.hidden_size
    activations = tokens * (layers * 17 * width * hidden + 3 * 4 * config.vocab_size)
    weights = sum(p.numel() * p.element_size() for p in model.parameters())
    need, have = (activations + 1.2 * weights) / 1e9, 0.8 * device.memory_bytes / 1e9
    if need > have:
        return True, f"on: about {need:.1f} GB are needed without it, {have:.1f} GB are there"
    return False, f"off: about {need:.1f} GB of {have:.1f} GB are needed without it"


# ---- checkpoints ----------------------------------------------------------------------------------------------------


def _work_folder(out: Path) -> Path:
    """Checkpoints lie beside the adapter, hidden, until it is whole."""
    out = out.resolve()
    return out.with_name(f".{out.name}.training")


def _prepare_work(work: Path, inputs: dict[str, Any]) -> Path | None:
    """The last whole checkpoint of an equal run in `work`, if any; everything else there is removed."""
    wanted = fingerprint({**inputs, "versions": versions()})
    note = work / "run.json"
    try:
        same = read_json(note).get("inputs") == wanted
    except (WorkshopError, AttributeError):
        same = False
    if not same:
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        write_json(note, {"inputs": wanted})
        return None
    whole = None
    for folder in sorted(work.glob("checkpoint-*"), key=_step_of, reverse=True):
        if whole is None and _is_whole(folder):
            whole = folder
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return whole


def _step_of(folder: Path) -> int:
    number = folder.name.rpartition("-")[2]
    return int(number) if number.isdigit() else -1


def _is_whole(folder: Path) -> bool:
    """trainer_state.json is written last; the others are checked because a full disk can cut any of them."""
    try:
        state = read_json(folder / "trainer_state.json")
        check_safetensors(folder / "adapter_model.safetensors")
        archives = ("optimizer.pt", "scheduler.pt", "rng_state.pth")
        return state["global_step"] == _step_of(folder) and all(
            zipfile.is_zipfile(folder / f) for f in archives
        )
    except (WorkshopError, OSError, KeyError, TypeError):
        return False


# ---- what the user sees ---------------------------------------------------------------------------------------------


class _Bar:
    """A progress bar on a terminal's stderr, or the caller's own function."""

    def __init__(self, progress: bool | Callable[[Progress], None]) -> None:
        self.call = progress if callable(progress) else None
        self.shown = progress is True and sys.stderr.isatty()
        self.bar: Any = None

    def start(self, done: int, steps: int) -> None:
        if self.shown:
            from tqdm import tqdm

            self.bar = tqdm(
                total=steps,
                initial=done,
                unit="step",
                desc="training",
                leave=False,
                file=sys.stderr,
            )

    def step(self, event: Progress) -> None:
        if self.call is not None:
            self.call(event)
        if self.bar is not None:
            self.bar.set_postfix(
                loss=f"{event.loss:.3f}", epoch=f"{event.epoch:.1f}", refresh=False
            )
            self.bar.update(event.step - self.bar.n)

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()


@contextmanager
def _failures_in_words(recipe: LoraRecipe, work: Path) -> Iterator[None]:
    """Full memory, a full disk behind torch's own message, and unknown target modules as WorkshopErrors."""
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
