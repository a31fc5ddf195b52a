"""An adapter's matrices are drawn as they are: one box each, with shapes, sign and strength."""

from __future__ import annotations

import pytest
import torch
from well_formed import parsed

from workshop_helpers.display.lora import NEGATIVE, POSITIVE, lora_picture
from workshop_helpers.models.lora import LoraMatrices

W = torch.tensor([[1.0, -1.0], [0.0, 1.0]])
SMALL = LoraMatrices("layers.0.down", W, torch.ones(1, 2), torch.tensor([[3.0], [-3.0]]), 0.5)


def drawn(matrices: LoraMatrices, **how: object) -> dict[str, object]:
    plot = lora_picture(matrices, **how)
    return dict(zip("WBAΔ", (axes.images[0].get_array() for axes in plot.figure.axes), strict=True))


def test_sign_is_a_colour_and_size_its_strength() -> None:
    colours = drawn(SMALL)
    assert colours["W"][0, 0].tolist() == [*POSITIVE, 255]
    assert colours["W"][0, 1].tolist() == [*NEGATIVE, 255]
    assert colours["W"][1, 0, 3] == 0  # nothing where the weight is zero
    assert colours["Δ"][:, 0, :3].tolist() == [list(POSITIVE), list(NEGATIVE)]


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_picture_says_shapes_and_strength(language: str) -> None:
    plot = lora_picture(SMALL, language)
    axes = plot.figure.axes
    assert [axes[0].get_title(loc="left"), axes[1].get_ylabel(), axes[2].get_title(loc="left")] == [
        "W  2 × 2", "B  2 × 1", "A  1 × 2",
    ]  # fmt: skip
    assert axes[3].get_xlabel() == "± 1.5"
    assert "layers.0.down" in plot.description
    assert parsed(plot.svg()).wrong == []


def test_a_lower_rank_changes_the_change_only_and_large_matrices_are_thinned_out() -> None:
    generator = torch.Generator().manual_seed(0)
    big = LoraMatrices(
        "layer", *(torch.randn(*s, generator=generator) for s in ((600, 70), (3, 70), (600, 3))), 1
    )
    whole, one = drawn(big), drawn(big, rank=1)
    assert whole["W"].shape == (120, 70, 4)
    assert (whole["W"] == one["W"]).all()
    assert (whole["Δ"] != one["Δ"]).any()
