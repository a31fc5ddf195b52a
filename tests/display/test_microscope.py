"""The block microscope: driven by its controls, and read where no widget runs."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest

from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.display.widgets.microscope import Microscope, microscope
from workshop_helpers.gguf.blocks import read_block, read_weights
from workshop_helpers.gguf.convert import convert
from workshop_helpers.gguf.quantize import quantize

pytest.importorskip("ipywidgets")
GATE = "blk.0.ffn_gate.weight"


@pytest.fixture(scope="module")
def files(mame_gguf: Path) -> list:
    return [mame_gguf, *(quantize(mame_gguf, kind) for kind in ("Q8_0", "Q4_K_M", "Q2_K"))]


@pytest.fixture
def view(files) -> Microscope:
    made = microscope(files, "en")
    assert made.widget
    return made


def text(view: Microscope) -> str:
    """What stands on the screen."""
    return unescape(re.sub(r"<[^>]+>", " ", view._html.value))


def test_it_begins_with_a_block_of_four_bits(view, files, mame_gguf):
    assert (view.file.value, view.tensor.value, view.block.value) == ("Q4_K_M", GATE, 0)
    assert "256 weights in 144 bytes: 4.5 bits each (F16: 512 bytes)" in text(view)
    block = read_block(files[2].path, GATE, 0)
    first = " ".join([f"{read_weights(mame_gguf, GATE, 0, 1)[0]:.4f}", str(block.integers[0])])
    shown = re.sub(r"\s+", " ", text(view).replace("−", "-"))
    assert f"{first} {block.values[0]:.4f}" in shown


def test_every_file_is_measured_on_the_same_weights(view):
    table = view._html.value.partition("<table")[2]
    assert re.findall(r">(Q8_0|Q4_K_M|Q2_K)</th>", table) == ["Q8_0", "Q4_K_M", "Q2_K"]
    errors = [float(found) for found in re.findall(r">([\d.]+) %", table)]
    assert errors == sorted(errors) and errors[0] < 1 < errors[2]


def test_another_file_keeps_the_place_among_the_weights(view):
    view.block.value = 7  # weights 1,792 to 2,047
    view.file.value = "Q8_0"
    assert view.block.value == 56
    assert "weights 1,792 to 1,823" in text(view)
    assert view.group.layout.display == "none"  # a block of Q8_0 is one group
    view.block.value = 63
    view.file.value = "Q2_K"
    assert view.block.value == 7
    assert view.group.max == 15


def test_a_smaller_tensor_ends_the_slider_sooner(view):
    view.block.value = view.block.max
    view.tensor.value = "blk.0.attn_k.weight"
    assert view.block.value == view.block.max == 256 * 128 // 256 - 1
    assert "blk.0.attn_k.weight" in text(view)


def test_another_group_shows_its_own_sum(view, files):
    view.group.value = 5
    block = read_block(files[2].path, GATE, 0)
    assert "Group 5 of 0–7: weights 160 to 191" in text(view)
    assert f"× {block.scales[5]} = " in text(view)
    assert f"× {block.minimums[5]} = " in text(view)


def test_a_mixture_says_which_type_a_tensor_has(view):
    view.tensor.value = "token_embd.weight"
    assert "Q4_K_M is a mixture: it keeps this tensor as Q6_K." in text(view)


@pytest.mark.parametrize("language", ["en", "ja"])
def test_what_is_read_without_widgets_is_the_first_state(files, language):
    view = microscope(files, language)
    still = view.fallback()
    assert view.widget and still.html == view._html.value
    assert GATE in still.text
    assert "<script" not in still.html and "class=" not in still.html
    assert ("復元した値" in still.html) == (language == "ja")


def test_a_tensor_that_was_not_quantized_gets_a_sentence(files, mame_gguf):
    """The widget goes on: the next tensor is shown again."""
    view = microscope([mame_gguf, files[1]], "en")
    assert view.widget
    view.tensors = ["blk.0.attn_norm.weight", GATE]
    view.tensor.options = view.tensors
    view.tensor.value = "blk.0.attn_norm.weight"
    assert "Blocks of type F32 are not taken apart here" in text(view)
    view.tensor.value = GATE
    assert "32 weights in 34 bytes" in text(view)


def test_what_cannot_be_compared_is_refused(files, mame_gguf, tiny_model, tmp_path):
    with pytest.raises(WorkshopError, match="at least one of each"):
        microscope([mame_gguf])
    with pytest.raises(WorkshopError, match="at least one of each"):
        microscope(files[1:])
    other = quantize(convert(tiny_model, tmp_path / "m-F16.gguf").path, "Q8_0")
    with pytest.raises(WorkshopError, match="of different models"):
        microscope([mame_gguf, other])
