"""Models in 4 and 8 bits: what is held, what comes back, and weights that change their order."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from training_rows import rows

bitsandbytes = pytest.importorskip("bitsandbytes")

from workshop_helpers.core.artifacts import data_path  # noqa: E402
from workshop_helpers.core.device import choose_device  # noqa: E402
from workshop_helpers.core.errors import WorkshopError  # noqa: E402
from workshop_helpers.evaluation.merge_ways import merge_ways  # noqa: E402
from workshop_helpers.models.four_bit import (  # noqa: E402
    KINDS,
    held_bytes,
    load_quantized,
    nf4_block,
    plain_weights,
)
from workshop_helpers.models.load import load_model  # noqa: E402
from workshop_helpers.training.merge import merge  # noqa: E402
from workshop_helpers.training.recipe import LoraRecipe  # noqa: E402
from workshop_helpers.training.train import train  # noqa: E402

CPU = choose_device("cpu")
LAYER = "model.layers.0.mlp.down_proj"


def likeness(one: torch.Tensor, other: torch.Tensor) -> float:
    return float(torch.corrcoef(torch.stack([one.flatten(), other.flatten()]))[0, 1])


def answered(model: object) -> None:
    with torch.no_grad():
        model(torch.tensor([[1, 2, 3]]))  # type: ignore[operator]


@pytest.fixture(scope="module")
def original() -> torch.Tensor:
    return plain_weights(load_model(data_path("mame"), CPU).get_submodule(LAYER))


def test_fewer_bits_hold_fewer_bytes_and_give_nearly_the_weights_back(
    original: torch.Tensor,
) -> None:
    held, like = [], []
    for kind in KINDS:
        model = load_quantized(data_path("mame"), CPU, kind)
        held.append(held_bytes(model))
        like.append(likeness(plain_weights(model.get_submodule(LAYER)), original))
    assert held == sorted(held, reverse=True) and len(set(held)) == len(KINDS)
    assert like[0] == 1 and like[1] > 0.9999 and min(like[2:]) > 0.99


@pytest.mark.skipif(
    not bitsandbytes.functional.has_avx512bf16(), reason="only AVX512-BF16 reorders the weights"
)
def test_weights_in_another_order_are_not_taken_out(original: torch.Tensor) -> None:
    model = load_quantized(data_path("mame"), CPU, "nf4_double")
    layer = model.get_submodule(LAYER)
    before = plain_weights(layer)
    answered(model)
    scrambled = bitsandbytes.functional.dequantize_4bit(layer.weight, layer.weight.quant_state)
    assert abs(likeness(scrambled.float(), before)) < 0.1  # what the guard is there for
    with pytest.raises(WorkshopError, match="Load the model anew"):
        plain_weights(layer)
    anew = load_quantized(data_path("mame"), CPU, "nf4_double").get_submodule(LAYER)
    assert torch.equal(plain_weights(anew), before) and likeness(before, original) > 0.99


def test_an_adapter_from_four_bits_is_merged_into_sixteen(tiny_model: Path, tmp_path: Path) -> None:
    recipe = LoraRecipe(epochs=6, batch_size=4, learning_rate=5e-3, method="qlora")
    tuned = train(tiny_model, rows(12), tmp_path / "tuned", recipe, device=CPU)
    answered(load_quantized(tuned.adapter, CPU, "nf4_double"))
    merged = merge(tuned.adapter, tmp_path / "merged", device=CPU)
    assert merged.difference_to_adapter < merged.difference_to_base / 10
    loss = {row["way"]: row["loss"] for row in merge_ways(tuned.adapter, rows(12))}
    assert loss["merged_16"] == pytest.approx(loss["beside_16"], abs=0.05)
    assert loss["merged_16"] < loss["base"] - 0.3
    if bitsandbytes.functional.has_avx512bf16():
        assert loss["merged_after_answering"] > loss["merged_4"] + 0.1
    with pytest.raises(WorkshopError, match="not an adapter"):
        merge_ways(tiny_model, rows(2))


def test_a_block_moves_to_the_nearest_of_sixteen_levels() -> None:
    torch.manual_seed(0)
    matrix = torch.randn(4, 64)
    block = nf4_block(matrix, 2)
    assert block.weights == matrix[2].tolist() and len(block.levels) == 16
    assert block.scale == pytest.approx(matrix[2].abs().max().item())
    for weight, back in zip(block.weights, block.restored, strict=True):
        nearest = min(
            (block.scale * level for level in block.levels), key=lambda x: abs(x - weight)
        )
        assert back == pytest.approx(nearest, abs=1e-5)
    with pytest.raises(WorkshopError, match="has 4 of 64 weights"):
        nf4_block(matrix, 4)


def test_an_unknown_kind_is_named() -> None:
    with pytest.raises(WorkshopError, match="'fp4' is none of bf16, int8"):
        load_quantized(data_path("mame"), CPU, "fp4")
