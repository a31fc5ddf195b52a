"""What fills a GGUF, told in figures and in short."""

from __future__ import annotations

from pathlib import Path

import pytest

from workshop_helpers.gguf.contents import header_bytes, shortened, tokenizer_facts, type_shares
from workshop_helpers.gguf.header import GgufFile, read_gguf
from workshop_helpers.gguf.quantize import quantize


def test_types_and_header_make_up_the_whole_file(mame_gguf):
    file = read_gguf(quantize(mame_gguf, "Q4_K_M").path)
    shares = type_shares(file)
    assert {one.type for one in shares} == {"Q4_K", "Q6_K", "F32"}
    assert [one.size_bytes for one in shares] == sorted(
        (one.size_bytes for one in shares), reverse=True
    )
    assert sum(one.size_bytes for one in shares) + header_bytes(file) == file.size_bytes
    assert sum(one.share for one in shares) + header_bytes(file) / file.size_bytes == pytest.approx(
        1
    )
    assert sum(one.tensors for one in shares) == len(file.tensors)


def test_the_tokenizer_tells_what_it_is(mame_gguf):
    facts = tokenizer_facts(read_gguf(mame_gguf))
    assert facts["tokens"] == "4,096"
    assert facts["eos"] == "<|im_end|> (4095)"
    assert (facts["model"], facts["pre"]) == ("gpt2", "qwen2")
    assert "bos" not in facts  # mame has none


def test_a_file_without_tokenizer_tells_nothing():
    assert tokenizer_facts(GgufFile(Path("m.gguf"), 10, {}, ())) == {}


@pytest.mark.parametrize(
    ("value", "short"),
    [
        ([1, 2, 3], "[1, 2, 3]"),
        (list(range(1200)), "[0, 1, 2, 3, 4, … 1,200]"),
        (["a\nb"] * 6, "[a\\nb, a\\nb, a\\nb, a\\nb, a\\nb, … 6]"),
        ("x" * 3000, "x" * 120 + " … 3,000"),
        ("{% if x %}\n\x1b[2J", "{% if x %}\\n\\x1b[2J"),
        (9.999999974752427e-07, "1e-06"),
        (True, "True"),
        ([], "[]"),
    ],
)
def test_long_values_are_shortened(value, short):
    assert shortened(value) == short
