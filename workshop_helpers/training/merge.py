"""Merging: base + adapter → one model of the base's architecture, checked against both.

The delta is added in fp32 and the sum is cast once to the base's own number format. What is
compared afterwards is what was written: the files are read back.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.artifacts import atomic_directory, claim
from ..core.cards import equal_card, write_card
from ..core.device import machine, versions
from ..core.errors import WorkshopError, explain_os_errors
from ..core.memory import is_out_of_memory
from ..models.chat import chat_prompt
from ..models.files import check_model_folder, stored_dtype
from ..models.identity import identity
from ..models.load import load_model, load_tokenizer, model_folder, pick_device, quiet_libraries
from ..models.resolve import ModelRef, resolve

if TYPE_CHECKING:
    from ..core.device import Device

# Questions to compare logits on: both languages, digits and an answer, so that every kind of token
# is met.
PROBES = (
    (
        "How much is standard shipping, and when is it free?",
        "Standard shipping is $6.99, free over $50.",
    ),
    ("商品を返品できるのは何日以内ですか？", "到着後14日以内でしたら返品できます。"),
)
# In fp32 a merge differs from its adapter by rounding only; measured on random models: below 1e-5
# of the logits' size.
FP32_TOLERANCE = 1e-3
# Of the adapter's own effect; more than this lost in casting and the merged model is another model.
CAST_TOLERANCE = 0.5
COPIED = (
    "tokenizer",
    "special_tokens",
    "added_tokens",
    "vocab",
    "merges",
    "chat_template",
    "generation_config",
)


@dataclass
class MergeReport:
    """The merged model and how near it is to its adapter.

    `difference_to_adapter` and `difference_to_base`: largest absolute difference of a logit, on
    `PROBES`, of the written model against base + adapter in fp32, and against the base alone.
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

    An equal earlier merge in `out` is returned as it is, unless `overwrite`. Raises WorkshopError
    when `adapter` is none, when its base cannot be found, when the merged model does not answer
    like the adapter, when merging changed nothing, and when the disk is full.
    """
    ref = resolve(adapter)
    if ref.kind != "adapter" or ref.base is None:
        raise WorkshopError(
            f"{ref.name} is no adapter, so there is nothing to merge. Give a folder `workshop train` made."
        )
    out = Path(out).expanduser()
    with claim(out):
        inputs = {"stage": "merge", "adapter": identity(ref)}
        stored = None if overwrite else _stored(out, inputs)
        if stored is not None:
            return stored
        with explain_os_errors("merge", out), _memory_in_words(ref):
            return _merge(
                ref, ref.base, out, inputs, replace(pick_device(device, ref), dtype="fp32")
            )


def _stored(out: Path, inputs: dict[str, Any]) -> MergeReport | None:
    card = equal_card(out, inputs)
    if card is None:
        return None
    try:
        check_model_folder(out)
        return MergeReport(**{**card["report"], "model": out, "reused": True})
    except (WorkshopError, KeyError, TypeError):
        return None


def _merge(
    ref: ModelRef, base: ModelRef, out: Path, inputs: dict[str, Any], device: Device
) -> MergeReport:
    import torch

    started = time.perf_counter()
    folder = model_folder(base)
    tokenizer = load_tokenizer(base)
    dtype = stored_dtype(folder)
    adapted = load_model(ref, device)
    with adapted.disable_adapter():
        of_base = _logits(adapted, tokenizer)
    of_adapter = _logits(adapted, tokenizer)
    effect = _difference(of_adapter, of_base)
    if effect == 0:
        raise WorkshopError(
            f"The merge had no effect: with the adapter {ref.path} the model answers exactly as without it. "
            "Was it trained at all (learning rate, epochs), and on this base model?"
        )
    with quiet_libraries():
        merged = adapted.merge_and_unload()
    size = max(of_adapter.abs().max().item(), 1.0)
    exact = _difference(_logits(merged, tokenizer), of_adapter)
    if not exact <= FP32_TOLERANCE * size:
        raise WorkshopError(
            f"The merged model does not answer like its adapter: its logits differ by {exact:.3g} before casting. "
            "Use base + adapter as they are, and report this model and its adapter_config.json."
        )
    merged = merged.to(replace(device, dtype=dtype).torch_dtype())
    needs = sum(p.numel() * p.element_size() for p in merged.parameters())
    with atomic_directory(out, needs_bytes=needs + 2**24) as temporary:
        with quiet_libraries():
            merged.save_pretrained(str(temporary))
        del merged, adapted
        _copy_tokenizer(folder, temporary)
        written = load_model(temporary, device)
        of_written = _logits(written, tokenizer)
        del written
        report = MergeReport(
            model=out,
            difference_to_adapter=_difference(of_written, of_adapter),
            difference_to_base=_difference(of_written, of_base),
            dtype=dtype,
            seconds=round(time.perf_counter() - started, 3),
            size_bytes=sum(f.stat().st_size for f in temporary.glob("*.safetensors")),
        )
        _check_written(report, effect)
        write_card(
            temporary,
            {
                "kind": "model",
                "base": base.name,
                "origin": base.origin.name if base.origin else None,
                "inputs": inputs,
                "machine": machine(),
                "versions": versions(),
                "seconds": report.seconds,
                "report": {**report.to_dict(), "model": out.name},
            },
        )
    if device.name == "cuda":
        torch.cuda.empty_cache()
    return report


def _check_written(report: MergeReport, effect: float) -> None:
    if report.difference_to_base == 0:
        raise WorkshopError(
            f"The merge had no effect: the adapter's changes are smaller than a step of {report.dtype}. "
            "Train longer or with a higher learning rate."
        )
    if not report.difference_to_adapter <= CAST_TOLERANCE * effect:
        raise WorkshopError(
            f"Casting to {report.dtype} loses the adapter: the written model's logits differ from the adapter's by "
            f"{report.difference_to_adapter:.3g}, and the adapter's own effect is {effect:.3g}. "
            "Train longer or with a higher learning rate."
        )


def _logits(model: Any, tokenizer: Any) -> Any:
    """Logits (fp32, on the CPU) of all probe tokens, one row a token, one probe after the other."""
    import torch

    rows = []
    for question, answer in PROBES:
        messages = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
        text = chat_prompt(tokenizer, messages, answer=True)
        ids = tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"].to(
            model.device
        )
        with torch.inference_mode():
            rows.append(model(input_ids=ids, use_cache=False).logits[0].float().cpu())
    return torch.cat(rows)


def _difference(one: Any, other: Any) -> float:
    return float((one - other).abs().max())


def _copy_tokenizer(source: Path, target: Path) -> None:
    """The base's own files, byte for byte: llama.cpp's converter wants Gemma's tokenizer.model, for
    example.
    """
    for file in source.iterdir():
        wanted = file.name.startswith(COPIED) or file.suffix in (".model", ".jinja")
        if file.is_file() and (wanted or file.name.upper().startswith(("LICENSE", "NOTICE"))):
            shutil.copyfile(file, target / file.name)


@contextmanager
def _memory_in_words(ref: ModelRef) -> Iterator[None]:
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if is_out_of_memory(error):
            raise WorkshopError(
                f"Merging {ref.name} ran out of memory: it holds the base in fp32, 4 bytes a parameter. "
                "Close other programs, or merge on the CPU (device='cpu') if this was a GPU."
            ) from error
        raise
