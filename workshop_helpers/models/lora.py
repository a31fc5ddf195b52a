"""What is inside an adapter: the matrices W, A and B of its layers, and how much of the change
B·A a lower rank would keep.

The singular values σ of the change give the answer (Eckart and Young 1936): of all matrices of
rank k, none is nearer to it than its k largest components, and these hold σ₁² + … + σₖ² of its
‖B·A‖² = σ₁² + … + σᵣ². The change itself may be large (4096 × 4096), B and A are thin: with their
QR decompositions B = Q₁R₁ and Aᵀ = Q₂R₂ the singular values of B·A are those of the r × r matrix
R₁R₂ᵀ.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import WorkshopError, foreign
from ..core.jsonio import read_json
from .files import stored_tensors, weight_files
from .load import model_folder
from .resolve import ModelRef, resolve

if TYPE_CHECKING:
    from torch import Tensor

WEIGHTS = "adapter_model.safetensors"
# The two matrices of a layer, in the names of the tensors.
LAYER = re.compile(r"^base_model\.model\.(?P<layer>.+)\.lora_(?P<letter>[AB])\.weight$")
# Settings of an adapter that do not change what it adds, or are followed here; any other one that
# is set says that it does something else.
_PLAIN = {
    "r", "lora_alpha", "use_rslora", "alpha_pattern", "rank_pattern", "target_modules", "peft_type",
    "exclude_modules", "layers_to_transform", "layers_pattern", "lora_dropout", "fan_in_fan_out",
    "task_type", "base_model_name_or_path", "revision", "inference_mode", "auto_mapping",
    "megatron_core", "qalora_group_size", "eva_config", "loftq_config", "peft_version",
    "ensure_weight_tying",
}  # fmt: skip
_PLAIN_VALUES = {"bias": ("none",), "init_lora_weights": (True, "gaussian", "eva", "orthogonal")}


@dataclass(frozen=True)
class LoraMatrices:
    """One layer of an adapter: it adds `scale` · B·A to the frozen W.

    `W`: outputs × inputs, `B`: outputs × rank, `A`: rank × inputs, all fp32 on the CPU; `scale`:
    alpha / rank, or what the adapter has instead; `layer`: its name in the model, such as
    "model.layers.0.mlp.down_proj".
    """

    layer: str
    W: Tensor
    A: Tensor
    B: Tensor
    scale: float

    @property
    def rank(self) -> int:
        return int(self.A.shape[0])

    @property
    def change(self) -> Tensor:
        """What the adapter adds to W, in full: `scale` · B·A."""
        return self.scale * (self.B @ self.A)

    def parameters(self, rank: int | None = None) -> int:
        """Parameters of A and B, at this `rank` or at their own: rank · (outputs + inputs)."""
        return (rank or self.rank) * sum(self.W.shape)

    @cached_property
    def _svd(self) -> tuple[Tensor, Tensor, Tensor]:
        import torch

        q1, r1 = torch.linalg.qr(self.B.double())
        q2, r2 = torch.linalg.qr(self.A.double().T)
        u, values, v = torch.linalg.svd(self.scale * (r1 @ r2.T))
        return q1 @ u, values, v @ q2.T

    @property
    def singular_values(self) -> list[float]:
        """Of the change, largest first, as many as the rank."""
        return [float(value) for value in self._svd[1]]

    def kept(self, rank: int) -> float:
        """The share (0 to 1) of the change's ‖B·A‖² that its best copy of this `rank` holds; 1
        where there is no change at all.
        """
        squares = [value**2 for value in self.singular_values]
        whole = math.fsum(squares)
        return math.fsum(squares[:rank]) / whole if whole else 1.0

    def at_rank(self, rank: int) -> Tensor:
        """The best copy of the change that this `rank` allows (fp32, outputs × inputs)."""
        u, values, v = self._svd
        return ((u[:, :rank] * values[:rank]) @ v[:rank]).float()


def lora_layers(adapter: str | Path | ModelRef) -> list[str]:
    """The names of the layers that an adapter folder changes, in the order of the model.

    Raises WorkshopError for what is no adapter.
    """
    ref, config = _adapter(adapter)
    assert ref.path is not None
    names = map(LAYER.match, stored_tensors(ref.path / WEIGHTS))
    found = [match["layer"] for match in names if match and match["letter"] == "A"]
    if not found:
        kind = config.get("peft_type")
        raise WorkshopError(f"{ref.path} holds no LoRA matrices (its kind is {kind}).")
    return sorted(found, key=lambda layer: [int(n) if n.isdigit() else 0 for n in layer.split(".")])


def lora_matrices(adapter: str | Path | ModelRef, layer: str | None = None) -> LoraMatrices:
    """The matrices of one `layer` of a trained adapter (default: the first of `lora_layers`).

        tuned = train(MODEL, rows, runs / "tuned-10")
        matrices = lora_matrices(tuned.adapter)
        matrices.W + matrices.scale * matrices.B @ matrices.A   # the tuned weights
        lora_picture(matrices)                                  # W, A, B and the change, drawn

    `layer` may be the end of a name, such as "layers.0.mlp.down_proj". Raises WorkshopError for
    what is no adapter, an unknown layer, and an adapter that does more than add B·A.
    """
    ref, config = _adapter(adapter)
    assert ref.path is not None and ref.base is not None
    names = lora_layers(ref)
    wanted = [name for name in names if layer is None or f".{name}".endswith(f".{layer}")]
    if not wanted:
        known = ", ".join(names[:4]) + (", …" if len(names) > 4 else "")
        raise WorkshopError(f"The adapter {ref.path} changes no layer {layer}. It has: {known}.")
    name = wanted[0]
    key = f"base_model.model.{name}.lora_{{}}.weight"
    a, b = (_tensor(ref.path / WEIGHTS, key.format(letter)) for letter in "AB")
    with foreign(ref.path / "adapter_config.json"):
        scale = lora_scale(config, name, a.shape[0])
    return LoraMatrices(name, _base_weight(model_folder(ref.base), name), a, b, scale)


def lora_scale(config: Mapping[str, Any], layer: str, rank: int) -> float:
    """The number by which an adapter with this adapter_config.json multiplies B·A of a layer."""
    alpha, patterns = config.get("lora_alpha", 8), config.get("alpha_pattern")
    if patterns:
        from peft.utils.other import get_pattern_key

        alpha = patterns.get(get_pattern_key(patterns.keys(), layer), alpha)
    return float(alpha / math.sqrt(rank) if config.get("use_rslora") else alpha / rank)


def beside_lora(adapter: Path) -> list[str]:
    """What an adapter folder changes beside adding `scale` · B·A to layers, by its names: settings
    such as DoRA, trained biases or embeddings. Empty for a plain one.
    """
    config = read_json(adapter / "adapter_config.json", dict)
    found = [] if config.get("peft_type") == "LORA" else [f"peft_type {config.get('peft_type')}"]
    for name, value in config.items():
        if value and name not in _PLAIN and value not in _PLAIN_VALUES.get(name, ()):
            found.append(name if value is True else f"{name} {value}"[:80])
    others = [name for name in stored_tensors(adapter / WEIGHTS) if not LAYER.match(name)]
    if others:
        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
        found.append(f"the tensor {others[0][:80]}{more}")
    return found


def _adapter(adapter: str | Path | ModelRef) -> tuple[ModelRef, dict[str, Any]]:
    ref = resolve(adapter)
    if ref.path is None or ref.base is None:
        raise WorkshopError(
            f"{ref.name} is {ref.described}, not an adapter. Give the folder that `train` wrote."
        )
    if more := beside_lora(ref.path):
        raise WorkshopError(
            f"The adapter {ref.path} does more than add B·A to layers, so it is not shown as that: "
            f"{'; '.join(more)}."
        )
    return ref, read_json(ref.path / "adapter_config.json", dict)


def _base_weight(folder: Path, layer: str) -> Tensor:
    """The weight of a layer, by its name, or by what follows "layers": checkpoints of models that
    see pictures, too, name the front differently.
    """
    files = {name: file for file in weight_files(folder) for name in stored_tensors(file)}
    wanted = f"{layer}.weight"
    end = wanted[wanted.find("layers.") :] if "layers." in wanted else wanted
    found = [name for name in files if name == wanted] or [
        name for name in files if name.endswith(f".{end}") and "vision" not in name
    ]
    if len(found) != 1:
        raise WorkshopError(f"The model in {folder} has no weight named {wanted}.")
    return _tensor(files[found[0]], found[0])


def _tensor(file: Path, name: str) -> Tensor:
    from safetensors import safe_open

    with safe_open(file, framework="pt") as tensors:
        return tensors.get_tensor(name).float()
