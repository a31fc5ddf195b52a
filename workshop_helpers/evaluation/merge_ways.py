"""What comes of an adapter that was trained on a base in 4 bits, by the way it is merged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.device import choose_device
from ..core.errors import WorkshopError
from ..models.four_bit import load_quantized
from ..models.load import load_model, load_tokenizer, quiet_libraries
from ..models.resolve import resolve
from ..training.loss import summed_loss

if TYPE_CHECKING:
    from ..dataset.formats import Conversation

FOUR_BITS = "nf4_double"


def merge_ways(adapter: str | Path, rows: Sequence[Conversation]) -> list[dict[str, Any]]:
    """The loss of the answers of `rows` (nats a token) for each way to use a QLoRA adapter.

    "as_trained": on the base in 4 bits. "beside_16": on the base in 16 bits. "merged_16": added to
    that one. "merged_4": added to the base in 4 bits, and rounded to 4 bits again.
    "merged_after_answering": the same after the model has answered on the CPU, where the processor
    makes that go wrong (None elsewhere). "base": without the adapter. On the CPU.
    """
    ref, device = resolve(adapter), choose_device("cpu")
    if ref.base is None:
        raise WorkshopError(f"{ref.name} is {ref.described}, not an adapter.")
    base, tokenizer = ref.base, load_tokenizer(ref)

    def loss(model: Any) -> float:
        total, tokens = summed_loss(tokenizer, model, rows)
        return total / tokens

    def merged(model: Any) -> Any:
        with quiet_libraries():
            return model.merge_and_unload()

    def in_four() -> Any:
        return load_quantized(ref, device, FOUR_BITS)

    def after_answering() -> Any:
        model = in_four()
        loss(model)
        return merged(model) if _reordered(model) else None

    ways: dict[str, Callable[[], Any]] = {
        "base": lambda: load_quantized(base, device, "bf16"),
        "as_trained": in_four,
        "beside_16": lambda: load_quantized(ref, device, "bf16"),
        # added in fp32 and rounded once, as `merge` does
        "merged_16": lambda: merged(load_model(ref, device, dtype="fp32")).bfloat16(),
        "merged_4": lambda: merged(in_four()),
        "merged_after_answering": after_answering,
    }
    found: list[dict[str, Any]] = []
    for name, make in ways.items():
        model = make()
        found.append({"way": name, "loss": None if model is None else loss(model)})
    return found


def _reordered(model: Any) -> bool:
    states = (getattr(weight, "quant_state", None) for weight in model.parameters())
    return any(getattr(state, "packing_format_for_cpu", False) for state in states)
