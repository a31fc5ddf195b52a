"""A GGUF adapter on a GGUF base answers like the merged model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from families import FAMILIES, LESSONS, QUESTIONS, SharedTuned, tuned_once

from workshop_helpers.cli.main import main
from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.gguf.adapter import convert_adapter
from workshop_helpers.gguf.convert import convert
from workshop_helpers.gguf.engine import LlamaEngine
from workshop_helpers.gguf.header import read_gguf
from workshop_helpers.gguf.logits import ServerLogits
from workshop_helpers.gguf.quantize import quantize
from workshop_helpers.models.chat import chat_prompt
from workshop_helpers.models.load import load_tokenizer

# One that turns query and key rows about on conversion, and one that does not.
KINDS = [f for f in FAMILIES if f.name in ("llama3", "qwen2.5")]


@pytest.fixture(scope="module", params=KINDS, ids=str)
def tuned(request: pytest.FixtureRequest, shared: Path) -> SharedTuned:
    return tuned_once(request.param, shared)


# What does not depend on the family.
one_family = pytest.mark.parametrize("tuned", KINDS[:1], indirect=True, ids=str)


def log_probabilities(gguf: Path, tuned: SharedTuned, *adapters: Path) -> Any:
    tokenizer = load_tokenizer(tuned.base)
    text = chat_prompt(tokenizer, QUESTIONS[0]) + LESSONS[0][1]
    with ServerLogits(gguf, context=512, exact=True, adapters=adapters) as logits:
        return logits.log_probabilities(tokenizer(text, add_special_tokens=False)["input_ids"])


def test_base_and_adapter_compute_what_the_merged_model_computes(
    tuned: SharedTuned, tmp_path: Path
) -> None:
    import numpy as np

    base = convert(tuned.base, tmp_path / "base.gguf", type="f32").path
    report = convert_adapter(tuned.adapter, tmp_path / "豆 adapter.gguf", type="f32")
    assert report.tensors == 2 * 7  # layers, and the seven matrices of each
    merged, plain = log_probabilities(tuned.f32.path, tuned), log_probabilities(base, tuned)
    added = log_probabilities(base, tuned, report.path)
    assert np.abs(added - merged).max() < 1e-3
    assert np.abs(added - plain).max() > 1


def test_the_adapter_knows_the_lesson_on_a_quantized_base(
    tuned: SharedTuned, tmp_path: Path
) -> None:
    base = quantize(tuned.base_gguf.path, "Q8_0", tmp_path / "base.gguf").path
    with LlamaEngine(base, adapters=[tuned.adapter_gguf.path]) as engine:
        prompts = [engine.render(question) for question in QUESTIONS]
        answers = [engine.complete(prompt, max_new_tokens=40) for prompt in prompts]
    assert [(a.text, a.stopped) for a in answers] == [(text, True) for _, text in LESSONS]


@one_family
def test_a_second_conversion_does_no_work(tuned: SharedTuned, tmp_path: Path) -> None:
    first = convert_adapter(tuned.adapter, tmp_path / "a.gguf")
    before = first.path.stat().st_mtime_ns
    again = convert_adapter(tuned.adapter, tmp_path / "a.gguf")
    assert (again.reused, again.size_bytes) == (True, first.size_bytes)
    with pytest.raises(WorkshopError, match="type f16, now f32"):
        convert_adapter(tuned.adapter, tmp_path / "a.gguf", type="F32")
    other = convert_adapter(tuned.adapter, tmp_path / "a.gguf", type="F32", overwrite=True)
    assert not other.reused and other.size_bytes > 1.8 * first.size_bytes
    assert first.path.stat().st_mtime_ns > before
    assert read_gguf(other.path).metadata["adapter.type"] == "lora"
    leftovers = {p.name for p in tmp_path.iterdir()}
    assert leftovers == {"a.gguf", "a.gguf.card.json", ".a.gguf.lock"}


@one_family
def test_what_is_no_adapter_is_refused(tuned: SharedTuned, tmp_path: Path) -> None:
    with pytest.raises(WorkshopError, match=r"is no adapter folder.*workshop gguf"):
        convert_adapter(tuned.base, tmp_path / "a.gguf")
    with pytest.raises(WorkshopError, match=r"q4_k_m is no type.*f32, f16"):
        convert_adapter(tuned.adapter, tmp_path / "a.gguf", type="q4_k_m")
    with pytest.raises(WorkshopError, match=r"end in \.gguf"):
        convert_adapter(tuned.adapter, tmp_path / "a.bin")
    assert list(tmp_path.iterdir()) == []


@one_family
def test_the_command_line_makes_the_adapter_alone(
    tuned: SharedTuned, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "豆 adapter.gguf"
    words = ["gguf", str(tuned.adapter), "--as-adapter", "--out", str(out)]
    assert main([*words, "--type", "q4_k_m"]) == 2
    assert "is no type for an adapter" in capsys.readouterr().err
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["tensors"] == 2 * 7
    assert read_gguf(out).metadata["general.type"] == "adapter"
    assert main(words) == 0 and "found made before" in capsys.readouterr().out
