"""The matrices of an adapter are those that the model runs with, and the shares those of an SVD."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from training_rows import rows

from workshop_helpers.core.device import choose_device
from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.models.load import load_model
from workshop_helpers.models.lora import LoraMatrices, lora_layers, lora_matrices
from workshop_helpers.training.recipe import LoraRecipe
from workshop_helpers.training.train import train

RECIPE = LoraRecipe(rank=4, alpha=12, epochs=1, learning_rate=5e-3)
LAST = "model.layers.1.self_attn.v_proj"


@pytest.fixture(scope="module")
def adapter(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(tiny_model, rows(6), tmp_path_factory.mktemp("lora") / "a", RECIPE).adapter


@pytest.fixture
def matrices() -> LoraMatrices:
    """Of rank 6, with two directions that are nothing like the others."""
    generator = torch.Generator().manual_seed(0)
    W, A, B = (torch.randn(*shape, generator=generator) for shape in ((40, 90), (6, 90), (40, 6)))
    A[3:] *= 0.01
    return LoraMatrices("layer", W, A, B, 2.5)


def test_w_and_the_change_are_those_of_the_running_model(adapter: Path, tiny_model: Path) -> None:
    device = choose_device("cpu")
    base, tuned = load_model(tiny_model, device), load_model(adapter, device).merge_and_unload()
    for layer in lora_layers(adapter)[::5]:
        found = lora_matrices(adapter, layer)
        assert (found.rank, found.scale) == (4, 3.0)
        assert torch.equal(found.W, base.get_submodule(layer).weight)
        after = tuned.get_submodule(layer).weight
        assert torch.allclose(found.W + found.change, after, atol=1e-6)
        assert not torch.equal(found.W, after)


def test_layers_come_in_the_order_of_the_model(adapter: Path) -> None:
    names = lora_layers(adapter)
    assert len(names) == 14 and names[-1] == LAST and "layers.0." in names[0]
    assert lora_matrices(adapter).layer == names[0]
    assert lora_matrices(adapter, "layers.1.self_attn.v_proj").layer == LAST


def test_singular_values_are_those_of_the_full_product(matrices: LoraMatrices) -> None:
    full = torch.linalg.svdvals(matrices.change.double())
    assert matrices.singular_values == pytest.approx(full[:6].tolist(), rel=1e-5)
    for rank in range(1, 7):
        share = float((full[:rank] ** 2).sum() / (full**2).sum())
        assert matrices.kept(rank) == pytest.approx(share, rel=1e-6)
    assert matrices.kept(3) > 0.999 > 0.9 > matrices.kept(1)


def test_a_lower_rank_is_the_nearest_matrix_of_that_rank(matrices: LoraMatrices) -> None:
    u, values, v = torch.linalg.svd(matrices.change)
    for rank in (1, 2, 5):
        best = (u[:, :rank] * values[:rank]) @ v[:rank]
        assert torch.allclose(matrices.at_rank(rank), best, atol=1e-4)
        rest = (matrices.change - matrices.at_rank(rank)).square().sum()
        share = 1 - float(rest / matrices.change.square().sum())
        assert matrices.kept(rank) == pytest.approx(share, abs=1e-5)
    assert torch.allclose(matrices.at_rank(6), matrices.change, atol=1e-4)


def test_parameters_are_counted_as_they_are_stored(matrices: LoraMatrices) -> None:
    assert matrices.parameters() == matrices.A.numel() + matrices.B.numel() == 780
    assert matrices.parameters(1) == 130


def test_an_adapter_that_was_never_trained_keeps_all_of_nothing() -> None:
    untrained = LoraMatrices("layer", torch.ones(8, 8), torch.ones(2, 8), torch.zeros(8, 2), 2.0)
    assert untrained.singular_values == [0, 0]
    assert untrained.kept(1) == 1


def test_what_cannot_be_shown_is_said(adapter: Path, tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(WorkshopError, match=r"no layer lm_head.*layers\.0"):
        lora_matrices(adapter, "lm_head")
    with pytest.raises(WorkshopError, match="not an adapter"):
        lora_matrices(tiny_model)
    other = Path(shutil.copytree(adapter, tmp_path / "dora"))
    config = json.loads((other / "adapter_config.json").read_text(encoding="utf-8"))
    config["use_dora"] = True
    (other / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(WorkshopError, match="use_dora"):
        lora_matrices(other)
