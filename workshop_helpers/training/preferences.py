"""Training by preference: pairs of a wanted and an unwanted answer in, an adapter out.

Direct Preference Optimization (Rafailov et al. 2023, arXiv:2305.18290): with π the model that is
trained and ρ the same model before it, the loss of a pair is

    -log σ( β · [ (log π(chosen) - log ρ(chosen)) - (log π(rejected) - log ρ(rejected)) ] )

TRL's `DPOTrainer` computes it. An adapter needs no second model for ρ: it is switched off.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.artifacts import atomic_directory, claim
from ..core.cards import fingerprint
from ..core.errors import WorkshopError, explain_os_errors
from ..core.memory import PeakMemory, keep_freed_memory
from ..core.ownership import keep_apart, refuse_other
from ..dataset.preferences import PreferencePair, answered
from ..models.files import stored_tensors
from ..models.identity import identity
from ..models.load import load_model, load_tokenizer, pick_device, quiet_libraries
from ..models.resolve import ModelRef, check_utf8, folders_of, resolve
from .loss import summed_loss
from .recipe import LoraRecipe
from .report import store_report, stored_report
from .rows import rows_hash
from .train import tidy_adapter, training_device
from .trainer import lora_config

if TYPE_CHECKING:
    from ..core.device import Device

# Less than a plain training's rate: the loss of a pair has no floor that holds the text together.
RATE = 0.1
METHODS = ("lora", "mlp", "rslora", "dora")  # whose adapter is nothing at the start


@dataclass
class PreferenceReport:
    """What a training by preference did.

    `steps`: for each optimiser step its loss, the margin (β times what the difference of the two
    log-probabilities grew by), and the summed log-probability of the wanted and of the unwanted
    answer, as means over the step's pairs. `seconds`: without importing libraries.
    `peak_memory_bytes`: of the process on a CPU, of torch on a GPU. `reused`: the adapter of an
    equal run was there.
    """

    adapter: Path
    pairs: int
    beta: float
    recipe: LoraRecipe
    steps: list[dict[str, float]]
    seconds: float
    peak_memory_bytes: int
    device: str
    reused: bool = False

    def to_dict(self) -> dict[str, Any]:
        """All fields, as JSON takes them."""
        values = {**vars(self), "adapter": str(self.adapter)}
        return {**values, "recipe": self.recipe.to_dict()}


def prefer(
    model: str | Path | ModelRef,
    pairs: Sequence[PreferencePair],
    out: str | Path,
    recipe: LoraRecipe | None = None,
    *,
    beta: float = 0.1,
    device: Device | str | None = None,
    overwrite: bool = False,
) -> PreferenceReport:
    """Train a LoRA adapter for `model` on preference pairs by DPO, and write it to `out`.

    `model` is a catalogue name or a model folder, such as a merged one that knows the shop: it is
    the reference, and the adapter lies on it. `recipe` defaults to the model's own with a tenth of
    its learning rate and 3 epochs; dropout, schedule and general rows do not count here. `beta`:
    how dear it is to leave the reference; smaller moves farther. An equal earlier run's adapter is
    returned unchanged, unless `overwrite`.

    Raises WorkshopError without pairs, for an adapter as the model, for a method that is none of
    `METHODS`, and where `out` may not be replaced.
    """
    ref = resolve(model)
    if ref.kind not in ("catalogue", "folder"):
        raise WorkshopError(
            f"{ref.name} cannot be trained by preference: it is {ref.described}. Merge it first "
            "(`workshop merge`), and give the model folder."
        )
    if not pairs:
        raise WorkshopError("There are no pairs to train on.")
    if not beta > 0:
        raise WorkshopError(f"beta is {beta}; it must be above 0, such as 0.1.")
    usual = LoraRecipe.for_model(ref)
    recipe = recipe or usual.replace(learning_rate=RATE * usual.learning_rate, epochs=3)
    if recipe.method not in METHODS:
        raise WorkshopError(
            f'The method "{recipe.method}" cannot be trained by preference here; choose from '
            f"{', '.join(METHODS)}."
        )
    out = Path(out).expanduser()
    check_utf8(out)
    keep_apart(out, folders_of(ref))
    inputs = {
        "stage": "prefer",
        "model": identity(ref),
        "pairs": fingerprint([rows_hash([p.row]) + p.rejected for p in pairs]),
        "beta": beta,
        "recipe": recipe.to_dict(),
    }
    with claim(out):
        refuse_other(out, "adapter", inputs, overwrite=overwrite)
        found = None if overwrite else stored_report(out, "adapter", inputs, _restore)
        if found is not None:
            return found
        with explain_os_errors("train", out):
            chosen = training_device(device, ref)
            return _prefer(ref, pairs, out, recipe, beta, inputs, chosen)


def pair_log_probabilities(
    model: str | Path | ModelRef,
    pairs: Sequence[PreferencePair],
    *,
    device: Device | str | None = None,
) -> list[tuple[float, float]]:
    """For each pair, the log-probability (nats, summed over the tokens) that a model or an adapter
    gives to the wanted and to the unwanted answer.
    """
    ref = resolve(model)
    tokenizer, loaded = load_tokenizer(ref), load_model(ref, pick_device(device, ref))
    found = []
    for pair in pairs:
        rows = (pair.row, answered(pair.row, pair.rejected))
        chosen, rejected = (-summed_loss(tokenizer, loaded, [row])[0] for row in rows)
        found.append((chosen, rejected))
    return found


def _restore(values: dict[str, Any]) -> PreferenceReport:
    stored_tensors(values["adapter"] / "adapter_model.safetensors")
    return PreferenceReport(**{**values, "recipe": LoraRecipe(**values["recipe"])})


def _prefer(
    ref: ModelRef,
    pairs: Sequence[PreferencePair],
    out: Path,
    recipe: LoraRecipe,
    beta: float,
    inputs: dict[str, Any],
    device: Device,
) -> PreferenceReport:
    with quiet_libraries():
        from datasets import Dataset
        from transformers import PrinterCallback
        from trl import DPOTrainer
    keep_freed_memory()
    started = time.perf_counter()
    tokenizer, base = load_tokenizer(ref), load_model(ref, device)
    with (
        atomic_directory(out, needs_bytes=2**24) as folder,
        quiet_libraries(),
        PeakMemory(device) as peak,
    ):
        trainer = DPOTrainer(
            model=base,
            args=_arguments(folder, recipe, beta, device),
            train_dataset=Dataset.from_list([_example(pair) for pair in pairs]),
            processing_class=tokenizer,
            peft_config=lora_config(recipe),
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
        trainer.model.save_pretrained(str(folder), save_embedding_layers=False)
        tidy_adapter(folder, ref)
        report = PreferenceReport(
            adapter=out,
            pairs=len(pairs),
            beta=beta,
            recipe=recipe,
            steps=[_step(log) for log in trainer.state.log_history if "loss" in log],
            seconds=round(time.perf_counter() - started, 3),
            peak_memory_bytes=peak.bytes,
            device=str(device),
        )
        store_report(folder, "adapter", ref, inputs, report, out, ref.path)
    return report


def _arguments(work: Path, recipe: LoraRecipe, beta: float, device: Device) -> Any:
    from trl import DPOConfig

    constant = recipe.schedule == "constant"
    return DPOConfig(
        output_dir=str(work),
        beta=beta,
        learning_rate=recipe.learning_rate,
        num_train_epochs=recipe.epochs,
        per_device_train_batch_size=recipe.batch_size,
        gradient_accumulation_steps=recipe.gradient_accumulation,
        lr_scheduler_type="constant_with_warmup" if constant else recipe.schedule,
        warmup_steps=recipe.warmup,
        weight_decay=recipe.weight_decay,
        max_grad_norm=recipe.max_grad_norm,
        seed=recipe.seed,
        max_length=recipe.max_length,
        gradient_checkpointing=False,
        bf16=device.dtype == "bf16",
        fp16=device.dtype == "fp16",
        use_cpu=device.name == "cpu",
        logging_steps=1,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=device.name == "cuda",
    )


def _example(pair: PreferencePair) -> dict[str, Any]:
    def said(text: str) -> list[dict[str, str]]:
        return [{"role": "assistant", "content": text}]

    prompt = pair.row.prompt_messages()
    return {"prompt": prompt, "chosen": said(pair.chosen), "rejected": said(pair.rejected)}


def _step(log: dict[str, Any]) -> dict[str, float]:
    return {
        "loss": float(log["loss"]),
        "margin": float(log["rewards/margins"]),
        "chosen": float(log["logps/chosen"]),
        "rejected": float(log["logps/rejected"]),
    }
