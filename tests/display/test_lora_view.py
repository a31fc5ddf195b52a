"""The LoRA view shows a layer at a rank, follows its controls, and reads well without them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from well_formed import parsed

from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.display.lora import rank_plot
from workshop_helpers.display.widgets import lora as lora_widget
from workshop_helpers.display.widgets.lora import LoraView, lora_view
from workshop_helpers.models.lora import LoraMatrices

pytest.importorskip("ipywidgets")


def matrices(layer: str, rank: int) -> LoraMatrices:
    generator = torch.Generator().manual_seed(rank)
    shapes = ((6, 10), (rank, 10), (6, rank))
    return LoraMatrices(layer, *(torch.randn(*s, generator=generator) for s in shapes), 2.0)


LAYERS = {f"layers.{n}.down": matrices(f"layers.{n}.down", rank) for n, rank in ((0, 4), (1, 2))}


@pytest.fixture
def view(monkeypatch: pytest.MonkeyPatch) -> LoraView:
    def read(adapter: Any, layer: str) -> LoraMatrices:
        if layer not in LAYERS:
            raise WorkshopError("the weights are gone")
        return LAYERS[layer]

    monkeypatch.setattr(lora_widget, "lora_layers", lambda adapter: [*LAYERS, "layers.2.gone"])
    monkeypatch.setattr(lora_widget, "lora_matrices", read)
    return lora_view(Path("tuned"), "en")


def shown(view: LoraView) -> str:
    return str(view.widget.children[-1].value)


def test_the_slider_tells_what_a_rank_keeps_and_costs(view: LoraView) -> None:
    first = LAYERS["layers.0.down"]
    view.widget  # noqa: B018  (builds the controls)
    assert (view.rank.value, view.rank.max) == (1, 4)
    view.rank.value = 3
    share = f"{100 * first.kept(3):.1f} %"
    assert f"Rank 3 of 4 keeps {share}" in shown(view)
    assert "with 48 of 64 parameters" in shown(view)
    assert "<th" in shown(view) and "3 ◀" in shown(view)
    assert parsed(shown(view)).wrong == []


def test_another_layer_is_read_and_the_slider_keeps_to_its_rank(view: LoraView) -> None:
    view.widget  # noqa: B018
    view.rank.value = 4
    view.layer.value = "layers.1.down"
    assert (view.rank.value, view.rank.max) == (2, 2)
    assert "Rank 2 of 2 keeps 100.0 %" in shown(view)


def test_what_goes_wrong_is_said_in_its_place(view: LoraView) -> None:
    view.widget  # noqa: B018
    view.layer.value = "layers.2.gone"
    assert "the weights are gone" in shown(view)
    view.layer.value = "layers.0.down"
    assert "the weights are gone" not in shown(view)


@pytest.mark.parametrize(("language", "word"), [("en", "Rank 1 of 4"), ("ja", "ランク4のうち1")])
def test_without_widgets_the_first_state_is_there_to_read(
    view: LoraView, language: str, word: str
) -> None:
    view.language = language
    still = view.fallback()
    assert still.text.startswith(word) and word in still.html
    assert still.html.count("<svg") == 2 and "<table" in still.html


def test_kept_and_lost_singular_values_differ_by_more_than_colour() -> None:
    plot = rank_plot(matrices("layer", 5), 2)
    kept, lost = plot.figure.axes[0].containers
    assert [len(kept), len(lost)] == [2, 3]
    assert not kept[0].get_hatch() and lost[0].get_hatch()
