"""An adapter that mlx-lm trained, as PEFT and llama.cpp's converter read it.

mlx-lm (0.32) adds scale · x·a·b, with a: inputs × rank and b: rank × outputs, where PEFT adds
alpha / rank · B·A·x with A: rank × inputs and B: outputs × rank. So both matrices are transposed,
their names change, and alpha = scale · rank.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.artifacts import atomic_directory, claim, json_text
from ..core.cards import file_hash
from ..core.errors import WorkshopError, explain_os_errors, foreign
from ..core.jsonio import read_json
from ..core.ownership import keep_apart, refuse_other
from ..models.files import stored_tensors
from ..models.identity import identity
from ..models.resolve import ModelRef, check_utf8, folders_of, resolve
from .report import store_report, stored_report
from .train import tidy_adapter

_MLX = re.compile(r"^(?P<layer>.+)\.lora_(?P<letter>[ab])$")
_NAMES = ("adapters.safetensors", "adapter_config.json")


@dataclass
class ConvertedAdapter:
    """A PEFT adapter made of mlx-lm's: its rank, alpha, and the number of layers it changes."""

    adapter: Path
    rank: int
    alpha: float
    layers: int
    seconds: float
    reused: bool = False

    def to_dict(self) -> dict[str, Any]:
        """All fields, as JSON takes them."""
        return {**vars(self), "adapter": str(self.adapter)}


def from_mlx(
    adapter: str | Path,
    model: str | Path | ModelRef,
    out: str | Path,
    *,
    overwrite: bool = False,
) -> ConvertedAdapter:
    """Write the LoRA adapter in the folder `adapter`, which mlx-lm trained on `model`, to `out` as
    PEFT has it. An equal earlier result is returned unchanged, unless `overwrite`.

    Raises WorkshopError for a folder that mlx-lm did not write, for an adapter that is no plain
    LoRA (DoRA, full), and for layers that change no weight of a linear layer.
    """
    ref, source, out = resolve(model), Path(adapter).expanduser(), Path(out).expanduser()
    check_utf8(out)
    keep_apart(out, [source, *folders_of(ref)])
    for name in _NAMES:
        if not (source / name).is_file():
            raise WorkshopError(
                f"{source} is no adapter of mlx-lm: there is no {name}. Give the folder that "
                "`mlx_lm lora --adapter-path` named."
            )
    hashes = {name: file_hash(source / name) for name in _NAMES}
    inputs = {"stage": "from-mlx", "model": identity(ref), "files": hashes}
    with claim(out):
        refuse_other(out, "adapter", inputs, overwrite=overwrite)
        found = None if overwrite else stored_report(out, "adapter", inputs, _restore)
        if found is not None:
            return found
        with explain_os_errors("convert", out), foreign(source):
            return _convert(source, ref, out, inputs)


def _restore(values: dict[str, Any]) -> ConvertedAdapter:
    stored_tensors(values["adapter"] / "adapter_model.safetensors")
    return ConvertedAdapter(**values)


def _convert(source: Path, ref: ModelRef, out: Path, inputs: dict[str, Any]) -> ConvertedAdapter:
    from peft import LoraConfig
    from safetensors.torch import load_file, save_file

    started = time.perf_counter()
    config = read_json(source / "adapter_config.json", dict)
    kind = config.get("fine_tune_type", "lora")
    lora = config.get("lora_parameters")
    if kind != "lora" or not isinstance(lora, dict) or not {"rank", "scale"} <= lora.keys():
        raise WorkshopError(
            f"{source} holds no plain LoRA (fine_tune_type is {kind}). Only that has a place in "
            "PEFT's LoRA: fuse the others with `mlx_lm fuse`."
        )
    tensors, layers = {}, set[str]()
    for name, tensor in load_file(source / "adapters.safetensors").items():
        match = _MLX.match(name)
        if match is None or tensor.dim() != 2 or "embed" in name:
            raise WorkshopError(f"{source}: the tensor {name} is none of a linear layer's LoRA.")
        layer, letter = match["layer"], match["letter"].upper()
        layers.add(layer)
        tensors[f"base_model.model.{layer}.lora_{letter}.weight"] = tensor.T.contiguous()
    rank, alpha = int(lora["rank"]), float(lora["scale"] * lora["rank"])
    made = LoraConfig(
        r=rank,
        lora_alpha=alpha,
        lora_dropout=float(lora.get("dropout", 0.0)),
        # By their whole names: mlx-lm may have taken the last layers only.
        target_modules=sorted(layers),
        task_type="CAUSAL_LM",
        inference_mode=True,
    )
    values = {k: list(v) if isinstance(v, set) else v for k, v in made.to_dict().items()}
    with atomic_directory(out, needs_bytes=2**24) as folder:
        save_file(tensors, folder / "adapter_model.safetensors", metadata={"format": "pt"})
        (folder / "adapter_config.json").write_text(json_text(values) + "\n", encoding="utf-8")
        tidy_adapter(folder, ref)
        seconds = round(time.perf_counter() - started, 3)
        report = ConvertedAdapter(out, rank, alpha, len(layers), seconds)
        store_report(folder, "adapter", ref, inputs, report, out, source)
    return report
