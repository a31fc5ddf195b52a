"""The GGUF inspector: driven by its controls, and read where no widget runs."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest
from gguf_files import patch_bytes

from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.display.widgets.inspector import PARTS, Inspector, inspect_gguf
from workshop_helpers.gguf.header import read_gguf
from workshop_helpers.gguf.quantize import quantize

pytest.importorskip("ipywidgets")


@pytest.fixture(scope="module")
def small(mame_gguf: Path) -> Path:
    return quantize(mame_gguf, "Q4_K_M").path


@pytest.fixture
def view(small) -> Inspector:
    made = inspect_gguf(small, "en")
    assert made.widget
    return made


def text(html: str) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", html)))


def test_the_overview_tells_type_size_and_shares(view, small):
    shown = text(view._html.value)
    assert small.name in shown and "5,773,568" in shown
    for kind in ("Q4_K 38", "Q6_K 5", "F32 31", "header –"):
        assert kind in shown
    shares = [float(found) for found in re.findall(r"([\d.]+) %", shown)]
    assert sum(shares) == pytest.approx(100, abs=0.2)


def test_metadata_are_searched_and_long_arrays_shortened(view, small):
    view.chosen.value = "metadata"
    of = len(read_gguf(small).metadata)
    assert f"{of} of {of}" in text(view._html.value)
    assert "… 4,096]" in text(view._html.value)
    view.search.value = "EOS token"
    assert f"1 of {of}" in text(view._html.value)
    assert "tokenizer.ggml.eos_token_id 4095" in text(view._html.value)
    view.search.value = "qwen2.rope 10000"  # in key and value
    assert f"1 of {of}" in text(view._html.value)
    view.search.value = "nothing like it"
    assert f"0 of {of}" in text(view._html.value)


def test_tensors_are_searched_by_name_and_type(view, small):
    view.chosen.value = "tensors"
    view.search.value = "q6_k"
    found = [tensor for tensor in read_gguf(small).tensors if tensor.type == "Q6_K"]
    assert f"{len(found)} of 74" in text(view._html.value)
    assert f"token_embd.weight 256×4096 Q6_K {found[0].size_bytes:,}" in text(view._html.value)
    view.search.value = ""
    assert "74 of 74" in text(view._html.value)


def test_only_what_can_be_searched_shows_the_search(view):
    shown = {}
    for part in PARTS:
        view.chosen.value = part
        shown[part] = view.search.layout.display != "none"
    assert {part for part, there in shown.items() if there} == {"metadata", "tensors"}


def test_tokenizer_and_template_are_read(view, small):
    view.chosen.value = "tokenizer"
    assert "ends an answer <|im_end|> (4095)" in text(view._html.value)
    view.chosen.value = "template"
    template = read_gguf(small).metadata["tokenizer.chat_template"]
    assert template in unescape(view._html.value)


def test_what_stands_in_a_file_is_no_html(mame_gguf, tmp_path):
    """A name, a key and a template of a file from somewhere else."""
    evil = b"<img src=x onerror=a(1)>"
    changed = patch_bytes(mame_gguf, tmp_path / "a.gguf", b"tokenizer.ggml.token_type", evil + b"x")
    changed = patch_bytes(changed, tmp_path / "b.gguf", b"blk.0.attn_output.weight", evil)
    path = patch_bytes(changed, tmp_path / "<i>m.gguf", b"{%- for message in messa", evil)
    view = inspect_gguf(path, "en")
    everything = view.fallback().html + "".join(view.part(part) for part in PARTS)
    assert "<img" not in everything and "<i>" not in everything
    assert everything.count("&lt;img") >= 3


@pytest.mark.parametrize("language", ["en", "ja"])
def test_without_widgets_all_parts_are_there_to_unfold(small, language):
    still = inspect_gguf(small, language).fallback()
    assert still.html.count("<details") == len(PARTS) - 1
    assert "tokenizer.ggml.pre" in still.html and "token_embd.weight" in still.html
    assert "Q4_K: 38 tensors, 2.4 MB" in still.text
    assert ("ファイルの内訳" in still.html) == (language == "ja")
    assert len(still.html) < 40_000 and "class=" not in still.html


def test_a_file_without_template_says_so(mame_gguf, tmp_path):
    key = b"tokenizer.chat_template", b"tokenizer.chat_tomplate"
    view = inspect_gguf(patch_bytes(mame_gguf, tmp_path / "m.gguf", *key), "en")
    assert "This file has no chat template." in view.template()


def test_what_is_no_gguf_is_refused(tmp_path):
    (tmp_path / "m.gguf").write_bytes(b"no")
    with pytest.raises(WorkshopError, match="not a whole GGUF"):
        inspect_gguf(tmp_path / "m.gguf")
