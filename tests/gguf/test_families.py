"""Every family that the course names: tuned, merged, converted, quantized, asked in llama.cpp."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from families import (
    FAMILIES,
    HARD_TEXTS,
    LESSONS,
    QUESTIONS,
    Family,
    Tuned,
    quantized,
    save_family,
    tuned_once,
)
from gguf_files import patch_bytes
from token_diff import token_diff

from benchmarks.families import CHAT, PAD, chat_ids, gelu, largest_difference, with_added_pad
from workshop_helpers.gguf.check import check_gguf
from workshop_helpers.gguf.convert import convert, find_converter
from workshop_helpers.gguf.engine import LlamaEngine
from workshop_helpers.gguf.header import NORMALIZER, composes, read_gguf
from workshop_helpers.models.load import load_tokenizer
from workshop_helpers.runtimes import open_runtime

# llama.cpp rounds Gemma's GELU to 16 bits, whatever the weights are: see `round_gelu`. Measured: up
# to 3.1e-3.
F32_LIMIT = {"gemma3": 5e-3}


@pytest.fixture(scope="module", params=FAMILIES, ids=str)
def tuned(request: pytest.FixtureRequest, shared: Path) -> Tuned:
    return tuned_once(request.param, shared)


def knows_its_lesson(runtime: Any) -> bool:
    answers = runtime.answer(QUESTIONS, max_new_tokens=40)
    return [(a.text, a.stopped) for a in answers] == [(text, True) for _, text in LESSONS]


def read_ids(engine: LlamaEngine, prompt: str) -> list[int]:
    """The tokens that llama.cpp itself makes of a prompt it is to answer, BOS included."""
    body = {"content": prompt, "add_special": True, "parse_special": True}
    return [int(i) for i in engine._post("/tokenize", body)["tokens"]]


def test_nothing_is_wrong_with_any_of_its_files(tuned: Tuned) -> None:
    reports = [tuned.f32, tuned.f16, *(quantized(tuned, k) for k in ("Q8_0", "Q4_K_M"))]
    for report in reports:
        assert report.check.problems == []
        assert (report.check.loads, report.check.token_ids_equal) == (True, True)
        assert report.fallback == []


def test_hard_texts_become_the_same_tokens(tuned: Tuned) -> None:
    tokenizer = load_tokenizer(tuned.merged)
    with LlamaEngine(tuned.f16.path) as engine:
        for text in HARD_TEXTS:
            wanted = tokenizer(text, add_special_tokens=False)["input_ids"]
            got = engine.tokenize(text)
            assert wanted == got, f"{text!r}\n{token_diff(tokenizer, wanted, got)}"


def test_letters_with_marks_are_asked_as_the_model_has_learned_them(tuned: Tuned) -> None:
    """Qwen's tokenizer composes か + ゛; llama.cpp by itself does not, so our runtime does it."""
    tokenizer = load_tokenizer(tuned.merged)
    apart = "か\u3099き\u3099 e\u0301"
    messages = [{"role": "system", "content": apart}, {"role": "user", "content": apart}]
    ids = tokenizer(apart, add_special_tokens=False)["input_ids"]
    with LlamaEngine(tuned.f16.path) as engine:
        assert read_ids(engine, engine.render(messages)) == chat_ids(tokenizer, messages)
        plain = engine._post("/tokenize", {"content": apart, "add_special": False})["tokens"]
    # held here so that a change in llama.cpp is noticed
    assert (plain != ids) is tuned.family.name.startswith("qwen")


def test_a_qwen_of_another_converter_is_known_by_its_way_of_splitting() -> None:
    pre = "tokenizer.ggml.pre"
    assert composes({pre: "qwen2"}) and composes({pre: "llama-bpe", NORMALIZER: "NFC"})
    assert not composes({pre: "qwen2", NORMALIZER: "none"}) and not composes({pre: "llama-bpe"})


@pytest.mark.parametrize("messages", [CHAT, CHAT[1:], CHAT[1:2]], ids=["system", "turns", "one"])
def test_a_chat_becomes_the_same_tokens_with_no_second_bos(
    tuned: Tuned, messages: list[dict[str, str]]
) -> None:
    tokenizer = load_tokenizer(tuned.merged)
    wanted = chat_ids(tokenizer, messages)
    with LlamaEngine(tuned.f16.path) as engine:
        prompt = engine.render(messages)
        got = read_ids(engine, prompt)
        assert engine.complete(prompt, max_new_tokens=1).prompt_tokens == len(wanted)
    assert wanted == got, token_diff(tokenizer, wanted, got)
    bos = tokenizer.bos_token_id
    assert got.count(bos) == (1 if tuned.family.name in ("llama3", "gemma3") else 0)


def test_template_end_and_context_length_are_the_models_own(tuned: Tuned) -> None:
    metadata = read_gguf(tuned.f16.path).metadata
    tokenizer = load_tokenizer(tuned.merged)
    config = json.loads((tuned.merged / "config.json").read_text(encoding="utf-8"))
    assert metadata["tokenizer.chat_template"] == tokenizer.chat_template
    tokens = metadata["tokenizer.ggml.tokens"]
    assert tokens[metadata["tokenizer.ggml.eos_token_id"]] == tokenizer.eos_token
    ends = {metadata.get(f"tokenizer.ggml.{name}_token_id") for name in ("eos", "eot")}
    assert tokenizer.convert_tokens_to_ids(tuned.family.end) in ends
    architecture = metadata["general.architecture"]
    assert metadata[f"{architecture}.context_length"] == config["max_position_embeddings"]


def test_the_same_logits(tuned: Tuned) -> None:
    ids = chat_ids(load_tokenizer(tuned.merged), CHAT)
    assert len(ids) > 40  # longer than Gemma's window
    limit = F32_LIMIT.get(tuned.family.name, 1e-3)
    assert largest_difference(tuned.f32.path, tuned.merged, ids) <= limit
    assert largest_difference(tuned.f16.path, tuned.merged, ids) <= 0.05


@pytest.mark.parametrize("tuned", FAMILIES[-1:], indirect=True, ids=str)
def test_gemmas_f32_differs_by_the_rounding_of_gelu_alone(tuned: Tuned, tmp_path: Path) -> None:
    ids = chat_ids(load_tokenizer(tuned.merged), CHAT)
    found = gelu(tuned, ids, tmp_path / "bare")
    assert found["first token, rounded"] < found["first token"] / 5
    # all but the layers in which GELU stands is as near as every other family
    assert found["without feed-forward layers"] <= 1e-4


def test_another_model_has_other_logits(tuned: Tuned) -> None:
    """That the limits above mean something: the base differs from the tuned model by far more."""
    ids = chat_ids(load_tokenizer(tuned.merged), CHAT)
    assert largest_difference(tuned.f32.path, tuned.base, ids) > 1


# Llama 3 and TinyLlama are of one architecture, and have one kind of head each.
@pytest.mark.parametrize("family", [FAMILIES[1], FAMILIES[2], FAMILIES[4]], ids=str)
def test_a_head_of_its_own_or_a_shared_one(family: Family, tmp_path: Path) -> None:
    """The other kind of head than the family's usual one."""
    tied = not family.tied
    folder = save_family(family, tmp_path / "model", tied=tied)
    report = convert(folder, tmp_path / "m.gguf", type="f32")
    assert report.check.problems == []
    names = {tensor.name for tensor in read_gguf(report.path).tensors}
    assert ("output.weight" in names) is not tied
    ids = chat_ids(load_tokenizer(folder), CHAT)
    assert largest_difference(report.path, folder, ids) <= F32_LIMIT.get(family.name, 1e-3)


def test_the_tuned_end_token_ends_the_answer_also_quantized(tuned: Tuned) -> None:
    for model in (tuned.merged, tuned.f16.path, quantized(tuned, "Q8_0").path):
        with open_runtime(model) as runtime:
            assert knows_its_lesson(runtime)


# A byte-level tokenizer and one of SentencePiece.
@pytest.mark.parametrize("tuned", [FAMILIES[1], FAMILIES[4]], indirect=True, ids=str)
def test_an_added_pad_token_does_no_harm(tuned: Tuned, tmp_path: Path) -> None:
    folder = with_added_pad(tuned.merged, tmp_path / "padded")
    tokenizer = load_tokenizer(folder)
    report = convert(folder, tmp_path / "m.gguf", type="f32")
    assert report.check.problems == []
    tokens = read_gguf(report.path).metadata["tokenizer.ggml.tokens"]
    assert tokens[tokenizer.pad_token_id] == PAD
    before = load_tokenizer(tuned.merged)
    with LlamaEngine(report.path) as engine:
        assert engine.tokenize(f"a{PAD}")[-1] == tokenizer.pad_token_id
        for text in HARD_TEXTS[:2] + HARD_TEXTS[5:8]:
            assert engine.tokenize(text) == before(text, add_special_tokens=False)["input_ids"]
    with open_runtime(report.path) as runtime:
        assert knows_its_lesson(runtime)


@pytest.mark.parametrize("tuned", FAMILIES[3:], indirect=True, ids=str)
def test_tensors_are_those_of_the_converter_called_by_hand(tuned: Tuned, tmp_path: Path) -> None:
    """SentencePiece families: the converter knows their tokenizers without help."""
    tool, theirs = find_converter(), tmp_path / "theirs.gguf"
    script = tool / "convert_hf_to_gguf.py"
    subprocess.run(
        [sys.executable, script, tuned.merged, "--outfile", theirs, "--outtype", "f16"],
        check=True,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(tool / "gguf-py")},
    )
    assert tensor_bytes(tuned.f16.path) == tensor_bytes(theirs)


def tensor_bytes(path: Path) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    from gguf import GGUFReader

    return {
        t.name: (t.tensor_type.name, tuple(int(n) for n in t.shape), t.data.tobytes())
        for t in GGUFReader(str(path)).tensors
    }


def test_a_family_outside_the_catalogue_works_too(tmp_path: Path) -> None:
    from transformers import GraniteConfig, GraniteForCausalLM

    qwen = next(f for f in FAMILIES if f.name == "qwen3")
    granite = Family(
        "granite",
        qwen.tokenizer,
        lambda tokenizer, tied: GraniteForCausalLM(
            GraniteConfig(
                vocab_size=len(tokenizer), hidden_size=256, intermediate_size=256,
                num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
                max_position_embeddings=1024, tie_word_embeddings=tied, embedding_multiplier=12.0,
                residual_multiplier=0.22, attention_multiplier=0.1, logits_scaling=8.0,
                bos_token_id=None, eos_token_id=tokenizer.eos_token_id, pad_token_id=None,
                initializer_range=0.06,
            )
        ),
        "<|im_end|>",
        True,
    )  # fmt: skip
    folder = save_family(granite, tmp_path / "model")
    report = convert(folder, tmp_path / "m.gguf", type="f32")
    assert report.check.problems == []
    assert read_gguf(report.path).metadata["general.architecture"] == "granite"
    assert largest_difference(report.path, folder, chat_ids(load_tokenizer(folder), CHAT)) <= 1e-3


@pytest.mark.parametrize("tuned", FAMILIES[4:], indirect=True, ids=str)
def test_a_missing_end_of_turn_is_a_problem_and_not_silent(tuned: Tuned, tmp_path: Path) -> None:
    """Gemma's chat ends turns with another token than its EOS; a file that does not say so would
    never stop.
    """
    key = b"tokenizer.ggml.eot_token_id", b"tokenizer.ggml.eox_token_id"
    problems = check_gguf(patch_bytes(tuned.f16.path, tmp_path / "m.gguf", *key)).problems
    assert any("answers would run on" in problem for problem in problems)
