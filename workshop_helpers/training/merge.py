"""Merging: base + adapter → one model of the base's architecture, checked against both.

The delta is added in fp32 and the sum is cast once to the base's own number format. What is
compared afterwards is what was written: the files are read back.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.artifacts import atomic_directory, claim
from ..core.errors import WorkshopError, explain_os_errors, first_line
from ..core.memory import explain_full_memory
from ..core.ownership import keep_apart, refuse_other
from ..models.chat import chat_prompt
from ..models.files import check_model_folder, copy_beside_weights, stored_dtype
from ..models.identity import identity
from ..models.load import load_model, load_tokenizer, model_folder, pick_device, quiet_libraries
from ..models.resolve import ModelRef, check_utf8, folders_of, resolve
from .report import store_report, stored_report

if TYPE_CHECKING:
    from ..core.device import Device

# Chats to compare logits on: both languages, digits, an answer, so that every kind of token is met.
_CHATS = (
    (
        "How much is standard shipping, and when is it free?",
        "Standard shipping is $6.99, free over $50.",
    ),
    ("商品を返品できるのは何日以内ですか？", "到着後14日以内でしたら返品できます。"),
)
# In fp32 a merge differs from its adapter by rounding only; measured on random models: below 1e-5
# of the logits' size.
_FP32_TOLERANCE = 1e-3
# Of the adapter's own effect; more than this lost in casting and the merged model is another model.
_CAST_TOLERANCE = 0.5


@dataclass
class MergeReport:
    """The merged model and how near it is to its adapter.

    `difference_to_adapter` and `difference_to_base`: largest absolute difference of a logit, on
    two short chats, of the written model against base + adapter in fp32, and against the base.
    `dtype`: of the written weights.
    """

    model: Path
    difference_to_adapter: float
    difference_to_base: float
    dtype: str
    seconds: float
    size_bytes: int
    reused: bool = False

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "model": str(self.model)}


def merge(
    adapter: str | Path | ModelRef,
    out: str | Path,
    *,
    device: Device | str | None = None,
    overwrite: bool = False,
) -> MergeReport:
    """Merge an adapter into its base and write the model, with its tokenizer, to the folder `out`.

    An equal earlier merge in `out` is returned unchanged, unless `overwrite`; one of another
    adapter is replaced with `overwrite` alone. Raises WorkshopError when `adapter` is not one, when
    its base cannot be found, when the merged model does not answer like the adapter, when merging
    changed nothing, when `out` may not be replaced, and when the disk is full.
    """
    ref = resolve(adapter)
    base = ref.base
    if base is None:
        raise WorkshopError(
            f"{ref.name} is no adapter, so there is nothing to merge. "
            "Give a folder `workshop train` made."
        )
    out = Path(out).expanduser()
    check_utf8(out)
    keep_apart(out, folders_of(ref))
    full = (
        f"Merging {ref.name} ran out of memory: it holds the base in fp32, 4 bytes a parameter. "
        "Close other programs, or merge on the CPU (device='cpu') if this was a GPU."
    )
    with claim(out):
        inputs = {"stage": "merge", "adapter": identity(ref)}
        refuse_other(out, "model", inputs, overwrite=overwrite)
        stored = None if overwrite else stored_report(out, "model", inputs, _restore)
        if stored is not None:
            return stored
        chosen = replace(pick_device(device, ref), dtype="fp32")
        with explain_os_errors("merge", out), explain_full_memory(full):
            report = _merge(ref, base, out, inputs, chosen)
        if chosen.name == "cuda":
            import torch

            torch.cuda.empty_cache()
        return report


def _restore(values: dict[str, Any]) -> MergeReport:
    check_model_folder(values["model"])
    return MergeReport(**values)


def _merge(
    ref: ModelRef, base: ModelRef, out: Path, inputs: dict[str, Any], device: Device
) -> MergeReport:
    started = time.perf_counter()
    folder, tokenizer = model_folder(base), load_tokenizer(base)
    dtype = stored_dtype(folder)
    adapted = load_model(ref, device)
    with adapted.disable_adapter():
        of_base = _logits(adapted, tokenizer)
    of_adapter = _logits(adapted, tokenizer)
    effect = _difference(of_adapter, of_base)
    if effect == 0:
        raise WorkshopError(
            f"The merge had no effect: with the adapter {ref.path} the model answers exactly as "
            "without it. Was it trained at all (learning rate, epochs), and on this base model?"
        )
    merged = _merged(adapted, tokenizer, of_adapter)
    merged = merged.to(replace(device, dtype=dtype).torch_dtype())
    needs = sum(p.numel() * p.element_size() for p in merged.parameters())
    with atomic_directory(out, needs_bytes=needs + 2**24) as temporary:
        with quiet_libraries():
            merged.save_pretrained(str(temporary))
        del merged, adapted
        copy_beside_weights(folder, temporary)
        of_written = _logits(load_model(temporary, device), tokenizer)
        report = MergeReport(
            model=out,
            difference_to_adapter=_difference(of_written, of_adapter),
            difference_to_base=_difference(of_written, of_base),
            dtype=dtype,
            seconds=round(time.perf_counter() - started, 3),
            size_bytes=sum(f.stat().st_size for f in temporary.glob("*.safetensors")),
        )
        _check_written(report, effect)
        store_report(temporary, "model", base, inputs, report, out, ref.path)
    return report


def _merged(adapted: Any, tokenizer: Any, of_adapter: Any) -> Any:
    """The model with the adapter's delta added, which must answer like base + adapter."""
    try:
        with quiet_libraries():
            merged = adapted.merge_and_unload()
    except (RuntimeError, ValueError, NotImplementedError) as error:  # what PEFT cannot add
        if "memory" in str(error):
            raise
        raise WorkshopError(
            f"The adapter cannot be merged: {first_line(error)}. Use base + adapter as they are."
        ) from error
    difference = _difference(_logits(merged, tokenizer), of_adapter)
    if not difference <= _FP32_TOLERANCE * max(of_adapter.abs().max().item(), 1.0):
        raise WorkshopError(
            "The merged model does not answer like its adapter: its logits differ by "
            f"{difference:.3g} before casting. Use base + adapter as they are, and report this "
            "model and its adapter_config.json."
        )
    return merged


def _check_written(report: MergeReport, effect: float) -> None:
    if report.difference_to_base == 0:
        raise WorkshopError(
            f"The merge had no effect: the adapter's changes are smaller than a step of "
            f"{report.dtype}. Train longer or with a higher learning rate."
        )
    if not report.difference_to_adapter <= _CAST_TOLERANCE * effect:
        raise WorkshopError(
            f"Casting to {report.dtype} loses the adapter: the written model's logits differ from "
            f"the adapter's by {report.difference_to_adapter:.3g}, and the adapter's own effect is "
            f"{effect:.3g}. Train longer or with a higher learning rate."
        )


def _logits(model: Any, tokenizer: Any) -> Any:
    """Logits (fp32, on the CPU) of all tokens of the chats, one row per token."""
    import torch

    rows = []
    for question, answer in _CHATS:
        messages = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
        text = chat_prompt(tokenizer, messages, answer=True)
        ids = tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
        with torch.inference_mode():
            found = model(input_ids=ids.to(model.device), use_cache=False)
        rows.append(found.logits[0].float().cpu())
    return torch.cat(rows)


def _difference(one: Any, other: Any) -> float:
    return float((one - other).abs().max())
