"""What a training will take on this machine, by a step that is tried before."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..models.resolve import ModelRef, resolve
from .recipe import LoraRecipe

if TYPE_CHECKING:
    from ..core.device import Device
    from ..dataset.formats import Conversation


def training_seconds(
    model: str | ModelRef,
    rows: Sequence[Conversation],
    recipe: LoraRecipe,
    device: Device | str | None = None,
    *,
    here: bool = True,
) -> float:
    """Seconds that a training of a model takes on this machine as busy as it is now.

    Where the weights are `here`, two real steps are taken and the second is timed; else the
    machine's speed with matrices is, and the training is taken to reach half of that with 6
    operations a weight and token. Loading and libraries are left out.
    """
    from .train import training_device

    ref = resolve(model)
    chosen = training_device(device, ref)
    batch = list(rows[: recipe.batch_size])
    steps = max(1.0, len(rows) / recipe.batch_size) * recipe.epochs
    if here:
        return _step_seconds(ref, batch, recipe, chosen) * steps
    entry = ref.entry
    assert entry is not None
    # About four bytes of text are a token in every language.
    tokens = sum(len(m.content.encode()) for row in rows for m in row.messages) / 4 + 10 * len(rows)
    return 2 * 6 * entry.parameters * tokens * recipe.epochs / _operations_a_second(chosen)


def _step_seconds(
    ref: ModelRef, batch: list[Conversation], recipe: LoraRecipe, device: Device
) -> float:
    import torch
    from peft import get_peft_model

    from ..models.load import load_tokenizer, quiet_libraries
    from .fused import fused_lora
    from .loss import answer_loss, training_batch
    from .methods import load_base
    from .trainer import lora_config

    with quiet_libraries():
        model, config = load_base(ref, device, recipe.method), lora_config(recipe)
        model = model if config is None else get_peft_model(model, config)
    inputs = training_batch(load_tokenizer(ref), batch)
    inputs = {name: value[:, : recipe.max_length].to(device.name) for name, value in inputs.items()}
    seconds = 0.0
    for _ in range(2):  # the first makes kernels
        begun = time.perf_counter()
        with (
            fused_lora(model, active=device.name == "cpu"),
            torch.autocast(device.name, torch.bfloat16, enabled=device.dtype == "bf16"),
        ):
            loss, _count = answer_loss(model, inputs)
        loss.backward()
        loss.item()  # a GPU works on until its result is asked for
        seconds = time.perf_counter() - begun
        model.zero_grad()
    return seconds


def _operations_a_second(device: Device) -> float:
    """Floating-point operations a second in products of matrices of a training's size."""
    import torch

    kind = {"device": device.name, "dtype": device.torch_dtype()}
    one, other = torch.rand(256, 1024, **kind), torch.rand(1024, 4096, **kind)
    best = 0.0
    for _ in range(4):
        begun = time.perf_counter()
        float((one @ other)[0, 0])
        best = max(best, 2 * 256 * 1024 * 4096 / (time.perf_counter() - begun))
    return best
