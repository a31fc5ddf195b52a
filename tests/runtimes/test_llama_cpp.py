"""llama.cpp as a runtime, and its log-probabilities, on a small random model."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from gguf_files import patch_bytes

from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.gguf.convert import convert
from workshop_helpers.gguf.engine import LlamaEngine
from workshop_helpers.gguf.header import read_gguf
from workshop_helpers.gguf.logits import NativeLogits, ServerLogits, open_logits
from workshop_helpers.runtimes.llama_cpp import LlamaCppRuntime

QUESTIONS = [
    [{"role": "user", "content": "How much is standard shipping?"}],
    [{"role": "system", "content": "あなたは店員です。"}, {"role": "user", "content": "送料は？"}],
    [{"role": "user", "content": "Refunds?"}],
    [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": "営業時間は何時ですか？"},
    ],
]


@pytest.fixture(scope="module")
def f16(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return convert(tiny_model, tmp_path_factory.mktemp("run") / "豆 の m-F16.gguf").path


@pytest.fixture
def runtime(f16: Path) -> Iterator[LlamaCppRuntime]:
    with LlamaCppRuntime(f16) as found:
        yield found


def test_the_models_own_template_and_tokens_are_used(
    runtime: LlamaCppRuntime, tiny_model: Path
) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    for messages in QUESTIONS:
        theirs = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        ours = runtime.engine.render(messages)
        assert ours == theirs
        ids = tokenizer(theirs, add_special_tokens=False)["input_ids"]
        assert runtime.engine.tokenize(ours) == ids
        assert runtime.answer([messages], max_new_tokens=1)[0].prompt_tokens == len(ids)


def test_a_batch_gives_the_answers_of_one_by_one_in_order(
    runtime: LlamaCppRuntime, f16: Path
) -> None:
    questions = QUESTIONS * 5
    with LlamaCppRuntime(f16, slots=8) as wide:
        batch = wide.answer(questions, max_new_tokens=12)
    single = [runtime.answer([q], max_new_tokens=12)[0] for q in QUESTIONS]
    assert [a.token_ids for a in batch] == [a.token_ids for a in single] * 5
    assert all(a.tokens == 12 and not a.stopped for a in batch)
    assert all(a.seconds > 0 for a in batch)


def test_an_answer_stops_at_the_end_token_and_leaves_it_out(
    runtime: LlamaCppRuntime, f16: Path, tmp_path: Path
) -> None:
    free = runtime.answer(QUESTIONS[:1], max_new_tokens=12)[0].token_ids
    assert free is not None
    end = free[5]
    data = bytearray(f16.read_bytes())
    at = data.index(b"tokenizer.ggml.eos_token_id") + len("tokenizer.ggml.eos_token_id") + 4
    data[at : at + 4] = struct.pack("<I", end)
    (tmp_path / "ends.gguf").write_bytes(data)
    with LlamaCppRuntime(tmp_path / "ends.gguf") as changed:
        answer = changed.answer(QUESTIONS[:1], max_new_tokens=12)[0]
        assert answer.stopped
        assert answer.token_ids == free[: free.index(end)]
        assert answer.tokens == free.index(end)
        prompt = changed.engine.render(QUESTIONS[0])
        past = changed.engine.complete(prompt, max_new_tokens=12, ignore_end=True)
        assert len(past.token_ids) == 12


def test_a_question_too_long_is_refused_with_both_lengths(f16: Path) -> None:
    with (
        LlamaCppRuntime(f16, slots=2, context=256) as runtime,
        pytest.raises(WorkshopError, match=r"of \d+ tokens does not fit into the 256 tokens"),
    ):
        runtime.answer([*QUESTIONS, [{"role": "user", "content": "送料 " * 400}]])


def test_slots_are_bounded_by_the_memory_of_their_cache(
    f16: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workshop_helpers.gguf.engine.CACHE_BYTES", 4 * 2**20)
    with LlamaEngine(f16, slots=64, context=1024) as engine:
        # 2 layers x 2 kv heads x (64 + 64) x 2 bytes x 1,024 tokens = 1 MiB a slot
        assert engine.slots == 4


def test_a_missing_template_is_refused_before_guessing(f16: Path, tmp_path: Path) -> None:
    data = f16.read_bytes().replace(b"tokenizer.chat_template", b"tokenizer.chat_tomplate")
    (tmp_path / "m.gguf").write_bytes(data)
    with (
        LlamaCppRuntime(tmp_path / "m.gguf") as runtime,
        pytest.raises(WorkshopError, match="no chat template"),
    ):
        runtime.answer(QUESTIONS)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda data: data[: len(data) // 2], "is not a whole GGUF"),
        (lambda data: b"", "it is empty"),
        (lambda data: data.replace(b"\0qwen2", b"\0qwex2", 1), "architecture: 'qwex2'"),
        (lambda data: data.replace(b"{% for", b"{% fox", 1), "Unknown statement: fox"),
    ],
)
def test_a_damaged_file_is_refused_with_the_reason(
    f16: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    damage: Callable[[bytes], bytes],
    reason: str,
) -> None:
    (tmp_path / "m.gguf").write_bytes(damage(f16.read_bytes()))
    with pytest.raises(WorkshopError, match=reason):
        LlamaCppRuntime(tmp_path / "m.gguf")
    assert capfd.readouterr() == ("", "")


def test_llama_cpp_never_sees_a_template_without_end(
    f16: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workshop_helpers.models.rendering.SECONDS", 0.5)
    old = read_gguf(f16).metadata["tokenizer.chat_template"].encode()
    new = ("{% for a in range(99999) %}" * 3 + "{% endfor %}" * 3).encode().ljust(len(old))
    with pytest.raises(WorkshopError, match="did not come to an end"):
        LlamaEngine(patch_bytes(f16, tmp_path / "m.gguf", old, new))


@pytest.fixture(scope="module")
def ids(f16: Path) -> list[int]:
    with LlamaEngine(f16) as engine:
        return engine.tokenize(
            "<|im_start|>user\n送料は500円？<|im_end|>\n Standard shipping " * 20
        )


def test_log_probabilities_are_those_of_transformers(
    tiny_model: Path, f16: Path, ids: list[int]
) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
    with torch.no_grad():
        logits = model(torch.tensor([ids])).logits[0, :-1]
    theirs = torch.log_softmax(logits, -1).numpy()
    assert len(ids) > 256  # more than one batch
    with closing(open_logits(f16, context=1024)) as reader:
        ours = reader.log_probabilities(ids)
        assert ours.shape == (len(ids) - 1, 512)
        np.testing.assert_allclose(np.exp(ours).sum(-1), 1.0, atol=1e-4)
        assert np.abs(ours - theirs).max() < 0.02
        np.testing.assert_allclose(reader.log_probabilities(ids, 270), ours[269:], atol=1e-6)


def test_the_server_gives_what_the_c_interface_gives(f16: Path, ids: list[int]) -> None:
    with (
        closing(NativeLogits(f16, context=512)) as native,
        closing(ServerLogits(f16, context=512)) as server,
    ):
        ours, theirs = (one.log_probabilities(ids[:60], 30) for one in (native, server))
    assert theirs.shape == ours.shape
    assert np.abs(ours - theirs).max() < 0.02


def test_log_probabilities_are_read_in_silence_up_to_the_context(
    f16: Path, ids: list[int], capfd: pytest.CaptureFixture[str]
) -> None:
    with closing(NativeLogits(f16, context=256)) as reader:
        reader.log_probabilities(ids[:50])
        with pytest.raises(WorkshopError, match="does not fit"):
            reader.log_probabilities(ids * 2)
    assert capfd.readouterr() == ("", "")
