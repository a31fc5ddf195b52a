"""The methods of training: which weights learn, as small changes to plain LoRA."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..models.files import copy_beside_weights, stored_dtype
from ..models.four_bit import four_bit_settings
from ..models.load import load_model, model_folder
from ..models.lora import WEIGHTS
from ..models.resolve import ModelRef

if TYPE_CHECKING:
    from ..core.device import Device

MLP = ("down_proj", "gate_proj", "up_proj")


@dataclass(frozen=True)
class Method:
    """What a method changes: the settings of PEFT's LoraConfig (`peft`), the learning rate where
    none is given (`rate`, times that of LoRA), the layers it adapts (`modules`, if not the
    recipe's), and how the base is held (`base`: "own" as the device has it, "fp32", "four_bit").
    """

    peft: Mapping[str, Any] = field(default_factory=dict)
    rate: float = 1.0
    modules: tuple[str, ...] | None = None
    base: str = "own"


METHODS = {
    "lora": Method(),
    # Weights that change by small steps would lose them in 16 bits. The rate: of those tried on
    # mame the smallest that learned as much (results/advanced/11_lora_and_full_finetuning.json).
    "full": Method(rate=0.3, base="fp32"),
    "mlp": Method(modules=MLP),
    # The change in two parts, direction and length (Liu et al. 2024, arXiv:2402.09353).
    "dora": Method({"use_dora": True}),
    # alpha / √rank in place of alpha / rank (Kalajdzievski 2023, arXiv:2312.03732).
    "rslora": Method({"use_rslora": True}),
    # Begins with the largest components of W, which the base then lacks (Meng et al. 2024,
    # arXiv:2404.02948); what is left of W would be rounded once more in 16 bits.
    "pissa": Method({"init_lora_weights": "pissa"}, base="fp32"),
    "qlora": Method(base="four_bit"),
}


def load_base(ref: ModelRef, device: Device, method: str) -> Any:
    """The model as a method trains on it. Raises WorkshopError as `load_model` does, and where
    bitsandbytes is missing for "qlora".
    """
    base = METHODS[method].base
    if base == "four_bit":
        model = load_model(ref, device, quantization=four_bit_settings(device))
        # A validation in between would have the layers reorder their weights (see four_bit.py), and
        # through those no gradient comes back.
        for layer in model.modules():
            if hasattr(layer, "support_avx512bf16_for_cpu"):
                layer.support_avx512bf16_for_cpu = False
        return model
    return load_model(ref, device, dtype="fp32" if base == "fp32" else None)


def adapter_start(model: Any, method: str) -> dict[str, Any] | None:
    """PiSSA's adapter as it begins, of which the base has been relieved; None for the others."""
    if method != "pissa":
        return None
    from peft import get_peft_model_state_dict

    found = get_peft_model_state_dict(model, save_embedding_layers=False)
    return {name: value.detach().clone() for name, value in found.items()}


def save_adapter(model: Any, start: dict[str, Any] | None, folder: Path) -> None:
    """Write the adapter to `folder`; with its `start` as what it adds to the base as it is: the
    trained one less the start, of twice the rank.
    """
    if start is None:
        model.save_pretrained(str(folder), save_embedding_layers=False)
        return
    from safetensors.torch import save_file

    with tempfile.TemporaryDirectory() as place:
        begun = Path(place, "pissa_start")
        begun.mkdir()
        save_file(start, begun / WEIGHTS)
        model.save_pretrained(
            str(folder),
            save_embedding_layers=False,
            path_initial_model_for_weight_conversion=str(begun),
        )


def save_whole(model: Any, ref: ModelRef, folder: Path) -> None:
    """Write a model that was trained in full to `folder`: cast once to its base's number format,
    with the base's own configuration, tokenizer and licence.
    """
    import torch

    base = model_folder(ref)
    kind = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}[stored_dtype(base)]
    model.to(getattr(torch, kind)).save_pretrained(str(folder))
    shutil.copyfile(base / "config.json", folder / "config.json")
    copy_beside_weights(base, folder)
