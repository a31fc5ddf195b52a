"""The pictures of chapters 11 and 12 say in words what they show."""

from __future__ import annotations

import pytest

from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.display.measured import recorded_rows
from workshop_helpers.display.measured_plot import measured_plot
from workshop_helpers.display.nf4 import nf4_picture
from workshop_helpers.models.four_bit import Nf4Block

CHAPTER = "11_lora_and_full_finetuning"


def test_a_recorded_table_is_drawn_with_a_line_for_each_name() -> None:
    plot = measured_plot(CHAPTER, "rates", "en", log=True)
    rows = recorded_rows(CHAPTER, "rates")[1]
    (axes,) = plot.figure.axes
    assert len(axes.lines) == len({row["method"] for row in rows})
    assert sum(len(one.get_xdata()) for one in axes.lines) == len(rows)
    assert "LoRA, MLP only: 0.0009 → 18.97" in plot.description
    with pytest.raises(WorkshopError, match="has no table speeds"):
        measured_plot(CHAPTER, "speeds", "en")


@pytest.mark.parametrize("language", ["en", "ja"])
def test_each_weight_of_a_block_is_drawn_on_its_way_to_its_level(language: str) -> None:
    block = Nf4Block([0.1, -0.4, 0.38], [1, 0, 2], 0.4, [-1.0, 0.2, 1.0])
    plot = nf4_picture(block, language)
    _, below = plot.figure.axes
    ways = [list(one.get_xdata()) for one in below.lines[:3]]
    assert ways == [[0.1, 0.4 * 0.2], [-0.4, -0.4], [0.38, 0.4]]
    assert "0.400" in plot.description
