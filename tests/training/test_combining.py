"""Adapters made of adapters: `cat` is the sum of the changes, `linear` is not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from training_rows import talk

from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.models.lora import lora_layers, lora_matrices
from workshop_helpers.training.combining import combine_adapters
from workshop_helpers.training.recipe import LoraRecipe
from workshop_helpers.training.train import train

RECIPE = LoraRecipe(rank=4, alpha=12, epochs=2, learning_rate=5e-3)


@pytest.fixture(scope="module")
def two(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("two")
    rows = [talk(f"How much is parcel {i}?", f"It costs ${i}.99.") for i in range(8)]
    parts = {"one": rows[:4], "other 豆": rows[4:]}
    return [
        train(tiny_model, part, folder / name, RECIPE, progress=False).adapter
        for name, part in parts.items()
    ]


def changes(adapter: Path) -> list[torch.Tensor]:
    return [lora_matrices(adapter, layer).change for layer in lora_layers(adapter)]


def test_cat_is_the_weighted_sum_of_the_changes(two, tmp_path):
    made = combine_adapters(two, tmp_path / "cat", "cat", weights=[1.0, -0.5])
    assert made.rank == 8
    for total, one, other in zip(changes(made.adapter), *map(changes, two), strict=True):
        assert torch.allclose(total, one - 0.5 * other, atol=1e-6)
    assert combine_adapters(two, tmp_path / "cat", "cat", weights=[1.0, -0.5]).reused


def test_the_sum_of_rank_stabilised_adapters_is_no_stronger(two, tmp_path):
    folders = []
    for adapter in two:
        folders.append(Path(shutil.copytree(adapter, tmp_path / adapter.name)))
        config = json.loads((folders[-1] / "adapter_config.json").read_text("utf-8"))
        text = json.dumps({**config, "use_rslora": True})
        (folders[-1] / "adapter_config.json").write_text(text, "utf-8")
    made = combine_adapters(folders, tmp_path / "cat", "cat")
    for total, one, other in zip(changes(made.adapter), *map(changes, folders), strict=True):
        assert torch.allclose(total, one + other, atol=1e-6)


def test_linear_brings_along_what_nobody_trained(two, tmp_path):
    made = combine_adapters(two, tmp_path / "linear", "linear")
    layer = lora_layers(two[0])[0]
    one, other = (lora_matrices(adapter, layer) for adapter in two)
    crossed = 3.0 * (one.B @ other.A + other.B @ one.A)  # alpha / rank
    found = lora_matrices(made.adapter, layer).change
    assert crossed.abs().max() > 1e-4
    assert torch.allclose(found, one.change + other.change + crossed, atol=1e-6)


def test_what_drops_values_by_chance_repeats(two, tmp_path):
    made = [
        combine_adapters(two, tmp_path / name, "dare_linear", seed=seed)
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    ]
    first, same, other = (changes(one.adapter)[0] for one in made)
    assert torch.equal(first, same) and not torch.equal(first, other)


def test_what_cannot_be_combined_is_refused(two, tiny_model, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(WorkshopError, match="not an adapter"):
        combine_adapters([two[0], tiny_model], out)
    with pytest.raises(WorkshopError, match="at least two"):
        combine_adapters(two[:1], out)
    with pytest.raises(WorkshopError, match="no way 'sum'"):
        combine_adapters(two, out, "sum")
    with pytest.raises(WorkshopError, match="as many weights"):
        combine_adapters(two, out, weights=[1.0])
    with pytest.raises(WorkshopError, match="density is 0"):
        combine_adapters(two, out, "ties", density=0)
    assert not out.exists()
