"""Models in 4 bits (QLoRA's NF4) and 8 bits by bitsandbytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..core.errors import from_extra

if TYPE_CHECKING:
    from ..core.device import Device


def four_bit_settings(device: Device, *, double: bool = True) -> Any:
    """The BitsAndBytesConfig of QLoRA: NF4, its scales quantized too where `double`; what is
    computed has the device's number format. Raises WorkshopError where bitsandbytes is missing.
    """
    with from_extra("qlora", "bitsandbytes, which keeps a model in 4 bits,"):
        import bitsandbytes  # noqa: F401
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=double,
        bnb_4bit_compute_dtype=device.torch_dtype(),
    )
