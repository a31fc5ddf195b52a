"""Models in 4 bits (QLoRA's NF4) and in 8, by bitsandbytes; and what becomes of a block of weights.

A trap that is closed here: on a processor with AVX512-BF16 the first inference of a 4-bit layer
puts its weights into another order, in place. What takes them out of the layer afterwards
(`dequantize_4bit`, PEFT's merge) gets other weights, without an error. `plain_weights` refuses, and
everything else in the course loads the model anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import WorkshopError, from_extra
from .load import load_model
from .resolve import ModelRef

if TYPE_CHECKING:
    from ..core.device import Device

KINDS = ("bf16", "int8", "nf4", "nf4_double")


def four_bit_settings(device: Device, *, double: bool = True) -> Any:
    """The BitsAndBytesConfig of QLoRA: NF4, its scales quantized too where `double`; what is
    computed has the device's number format. Raises WorkshopError where bitsandbytes is missing.
    """
    _need()
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=double,
        bnb_4bit_compute_dtype=device.torch_dtype(),
    )


def _need() -> None:
    with from_extra("qlora", "bitsandbytes, which keeps a model in 4 bits,"):
        import bitsandbytes  # noqa: F401


def load_quantized(model: ModelRef | str | Path, device: Device, kind: str) -> Any:
    """A model or an adapter on its base, the base held as "bf16", "int8", "nf4" or "nf4_double"
    (scales in 8 bits, too), all else in bf16 or the device's format. Raises WorkshopError for
    another kind, and where bitsandbytes is missing.
    """
    if kind not in KINDS:
        raise WorkshopError(f"{kind!r} is none of {', '.join(KINDS)}.")
    if kind == "bf16":
        return load_model(model, device, dtype="bf16")
    _need()
    from transformers import BitsAndBytesConfig

    eight = BitsAndBytesConfig(load_in_8bit=True)
    settings = eight if kind == "int8" else four_bit_settings(device, double=kind == "nf4_double")
    return load_model(model, device, dtype="bf16", quantization=settings)


def held_bytes(model: Any) -> int:
    """Bytes of all weights of a model as they are held, with the scales of quantized ones (which
    transformers' `get_memory_footprint` leaves out).
    """
    total = 0
    for weight in model.parameters():
        total += weight.numel() * weight.element_size()
        for scales in _scales(weight):
            total += scales.numel() * scales.element_size()
    return total


def _scales(weight: Any) -> list[Any]:
    """The tensors beside a quantized weight that belong to it alone."""
    state, eight = getattr(weight, "quant_state", None), getattr(weight, "SCB", None)
    found = [eight] if eight is not None else []
    if state is not None:
        found += [state.absmax] + ([state.state2.absmax] if state.nested else [])
    return found


def plain_weights(layer: Any) -> Any:
    """The weights of a layer (fp32, outputs × inputs), restored where they are quantized.

    Raises WorkshopError for a 4-bit layer that an inference has put into another order.
    """
    weight = layer.weight
    state, scales = getattr(weight, "quant_state", None), getattr(weight, "SCB", None)
    if getattr(state, "packing_format_for_cpu", False):
        raise WorkshopError(
            "This 4-bit layer has answered on the CPU, which put its weights into another order: "
            "taken out now they would be scrambled. Load the model anew, and take them first."
        )
    if state is not None:
        from bitsandbytes.functional import dequantize_4bit

        return dequantize_4bit(weight.data, state).float()
    if scales is not None:
        return weight.data.float() * scales[:, None] / 127
    return weight.data.float()


@dataclass(frozen=True)
class Nf4Block:
    """What NF4 makes of one block: its `weights`, the `codes` (0 to 15) that are stored, the one
    `scale`, and the 16 `levels` between -1 and 1 that the codes stand for.
    """

    weights: list[float]
    codes: list[int]
    scale: float
    levels: list[float]

    @property
    def restored(self) -> list[float]:
        """The weights that come back: scale · level."""
        return [self.scale * self.levels[code] for code in self.codes]


def nf4_block(weights: Any, place: int = 0, *, size: int = 64) -> Nf4Block:
    """The block number `place` of a matrix, of `size` weights, as bitsandbytes quantizes it.

    Raises WorkshopError where there is no such block.
    """
    _need()
    from bitsandbytes.functional import quantize_4bit

    block = weights.detach().float().flatten()[place * size : (place + 1) * size]
    if len(block) != size or place < 0:
        count = weights.numel() // size
        raise WorkshopError(f"There is no block {place}: the matrix has {count} of {size} weights.")
    packed, state = quantize_4bit(block.contiguous(), blocksize=size, quant_type="nf4")
    pairs = packed.flatten().tolist()  # two codes a byte, the first in its upper half
    codes = [half for pair in pairs for half in (pair >> 4, pair & 15)]
    return Nf4Block(block.tolist(), codes, float(state.absmax[0]), state.code.tolist())
