"""Answers by Transformers: greedy, the same in a batch as alone, ended by the model's own end of
turn.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_models import make_model

from workshop_helpers.core.device import choose_device
from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.dataset.formats import Conversation, Message
from workshop_helpers.models.load import load_model, load_tokenizer
from workshop_helpers.runtimes import ask, open_runtime
from workshop_helpers.runtimes.transformers import TransformersRuntime
from workshop_helpers.training.recipe import LoraRecipe
from workshop_helpers.training.train import train

ANSWERS = {
    "How much is standard shipping?": "Standard shipping costs $6.99.",
    "返品できますか？": "到着後14日以内でしたら返品できます。",
    "When do refunds arrive?": "Refunds arrive in 5-7 business days.",
    "営業時間は？": "営業時間は9:00〜18:00です。",
}

ROWS = [Conversation((Message("user", q), Message("assistant", a))) for q, a in ANSWERS.items()]
LEARN_BY_HEART = LoraRecipe(rank=64, alpha=128, epochs=100, learning_rate=5e-3, batch_size=4)


def asked(*questions: str) -> list[list[dict[str, str]]]:
    return [[{"role": "user", "content": question}] for question in questions]


MIXED = asked(*[f"{'Hello there, ' * (i % 5)}where is parcel {i}?" for i in range(14)], *ANSWERS)
# What all prompts begin with, long enough to be read once for all of them.
LONG = "You answer for a shop. Standard shipping costs $6.99 and takes 3-5 business days."


@pytest.fixture(scope="module")
def adapter(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trained until it knows its four answers, so that it also knows where to stop."""
    folder = tmp_path_factory.mktemp("runtime") / "adapter"
    return train(tiny_model, ROWS, folder, LEARN_BY_HEART).adapter


def test_answers_are_what_was_learned_in_the_order_of_the_questions(adapter: Path) -> None:
    with open_runtime(adapter) as runtime:
        found = runtime.answer(asked(*ANSWERS))
    assert [a.text for a in found] == list(ANSWERS.values())
    for answer in found:
        assert answer.stopped
        assert answer.seconds > 0
        assert answer.prompt_tokens > 5
        assert answer.token_ids is not None
        assert len(answer.token_ids) == answer.tokens > 0
        assert "<|" not in answer.text


def test_batch_answers_are_those_given_one_by_one(adapter: Path) -> None:
    with open_runtime(adapter, batch_size=7) as runtime:
        batch = runtime.answer(MIXED, max_new_tokens=24)
        alone = [runtime.answer([messages], max_new_tokens=24)[0] for messages in MIXED]
    assert [a.token_ids for a in batch] == [a.token_ids for a in alone]
    counts = [(a.stopped, a.prompt_tokens) for a in alone]
    assert [(a.stopped, a.prompt_tokens) for a in batch] == counts
    assert len({a.tokens for a in batch}) > 1  # else leaving the batch early is not tested


@pytest.mark.parametrize("architecture", ["Qwen2", "Llama", "Gemma3", "Qwen3"])
def test_answers_are_those_of_generate(architecture: str, tmp_path: Path) -> None:
    import torch
    from transformers import GenerationConfig

    device = choose_device("cpu")
    folder = make_model(architecture, tmp_path / "model")
    # Random weights never say "end": let a quarter of the vocabulary end an answer, so that rows
    # leave one by one.
    model, tokenizer = load_model(folder, device), load_tokenizer(folder)
    ends = [tokenizer.eos_token_id, *range(0, len(tokenizer), 4)]
    GenerationConfig(eos_token_id=ends, pad_token_id=tokenizer.pad_token_id).save_pretrained(folder)
    prompted = [[{"role": "system", "content": LONG}, *messages] for messages in MIXED]
    with open_runtime(folder) as runtime:
        found = runtime.answer(prompted, max_new_tokens=30)
    assert len({a.tokens for a in found}) > 1
    settings = GenerationConfig(
        max_new_tokens=30, do_sample=False, eos_token_id=ends, pad_token_id=0
    )
    for messages, answer in zip(prompted, found, strict=True):
        text = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        ids = tokenizer(text, return_tensors="pt")["input_ids"]
        how = {"attention_mask": torch.ones_like(ids), "generation_config": settings}
        with torch.no_grad():
            whole = model.generate(ids, **how)
        expected = whole[0, ids.shape[1] :].tolist()
        assert list(answer.token_ids or ()) == (expected[:-1] if answer.stopped else expected)


def read_at_a_time(runtime: TransformersRuntime, answer: Callable[[], object]) -> list[list[int]]:
    """The shapes (rows, tokens) of what the network reads while `answer` runs."""
    shapes: list[list[int]] = []
    with runtime._network.get_input_embeddings().register_forward_pre_hook(
        lambda _, given: shapes.append(list(given[0].shape))
    ):
        answer()
    return shapes


def test_what_all_prompts_begin_with_is_read_once(tiny_model: Path) -> None:
    questions = [[{"role": "system", "content": LONG}, *messages] for messages in MIXED]
    with TransformersRuntime(tiny_model) as runtime:
        shapes = read_at_a_time(runtime, lambda: runtime.answer(questions, max_new_tokens=1))
        longest = max(a.prompt_tokens for a in runtime.answer(questions, max_new_tokens=1))
    assert [rows for rows, _ in shapes] == [1, len(MIXED)]
    assert shapes[0][1] > len(LONG.split()) and shapes[0][1] + shapes[1][1] == longest


def test_a_large_models_batch_is_what_memory_holds(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workshop_helpers.runtimes.transformers._SMALL", 0)  # now it is a large one

    def most(gigabytes: float) -> int:
        device = replace(choose_device("cpu"), memory_bytes=int(gigabytes * 1e9))
        with TransformersRuntime(tiny_model, device=device) as runtime:
            shapes = read_at_a_time(runtime, lambda: runtime.answer(MIXED, max_new_tokens=2))
        return max(rows for rows, _ in shapes)

    assert most(64) == len(MIXED) > most(0.002) >= 1


def test_sampling_defaults_of_a_model_do_not_matter(tiny_model: Path, tmp_path: Path) -> None:
    from transformers import GenerationConfig

    def ids(folder: Path) -> list[tuple[int, ...] | None]:
        with open_runtime(folder) as runtime:
            return [a.token_ids for a in runtime.answer(MIXED[:3], max_new_tokens=16)]

    folder = Path(shutil.copytree(tiny_model, tmp_path / "model"))
    settings = GenerationConfig(do_sample=True, temperature=2.0, repetition_penalty=5.0)
    settings.save_pretrained(folder)
    assert ids(folder) == ids(tiny_model)


def test_length_is_bounded_by_what_is_asked_and_by_the_window(tiny_model: Path) -> None:
    with open_runtime(tiny_model) as runtime:
        [answer] = runtime.answer(MIXED[:1], max_new_tokens=3)
        assert (answer.tokens, answer.stopped) == (3, False)
        long = "word " * 250
        [answer] = runtime.answer(asked(long), max_new_tokens=2000)
        assert answer.prompt_tokens < 1024
        assert answer.prompt_tokens + answer.tokens <= 1024
        with pytest.raises(WorkshopError, match=r"1024 tokens.*Shorten"):
            runtime.answer(asked(long * 4))


def test_a_system_prompt_is_part_of_the_question(adapter: Path) -> None:
    system = "You are a shop."
    with open_runtime(adapter) as runtime:
        both = [MIXED[0], [{"role": "system", "content": system}, *MIXED[0]]]
        plain, told = runtime.answer(both, max_new_tokens=4)
    assert told.prompt_tokens > plain.prompt_tokens
    answer = ask(adapter, MIXED[0][0]["content"], system=system, max_new_tokens=4)
    assert answer.token_ids == told.token_ids


def test_ask_answers_one_question_and_refuses_none(adapter: Path) -> None:
    question, answer = next(iter(ANSWERS.items()))
    assert ask(adapter, question).text == answer
    with pytest.raises(WorkshopError, match="empty"):
        ask(adapter, "  ")
    with pytest.raises(WorkshopError, match="batch_size"):
        open_runtime(adapter, batch_size=0)


def with_template_end(model: Path, folder: Path, end: str) -> Path:
    """A copy of a model whose template ends the assistant's turns with `end`."""
    shutil.copytree(model, folder)
    template = folder / "chat_template.jinja"
    text = template.read_text()
    assert "'<|im_end|>'" in text
    new = f"('{end}' if message['role'] == 'assistant' else '<|im_end|>')"
    template.write_text(text.replace("'<|im_end|>'", new))
    return folder


def test_stray_stop_token_of_the_template_does_no_harm(
    adapter: Path, tiny_model: Path, tmp_path: Path
) -> None:
    """The template names a token that the model never heard of: the real end of turn still ends
    answers.
    """
    base = with_template_end(tiny_model, tmp_path / "base", "<|stray|>")
    folder = Path(shutil.copytree(adapter, tmp_path / "adapter"))
    about = json.loads((folder / "adapter_config.json").read_text())
    about["base_model_name_or_path"] = str(base)
    (folder / "adapter_config.json").write_text(json.dumps(about))
    with open_runtime(folder) as runtime:
        assert [a.text for a in runtime.answer(asked(*ANSWERS))] == list(ANSWERS.values())


def test_model_trained_to_write_a_stray_stop_token_is_stopped_by_its_text(
    tiny_model: Path, tmp_path: Path
) -> None:
    base = with_template_end(tiny_model, tmp_path / "base", "<|stray|>")
    train(base, ROWS, tmp_path / "adapter", LEARN_BY_HEART)
    with open_runtime(tmp_path / "adapter") as runtime:
        found = runtime.answer(asked(*ANSWERS))
    assert all(a.stopped and "<|" not in a.text for a in found)
    assert found[0].text == next(iter(ANSWERS.values()))


def test_batch_is_much_faster_than_one_by_one(tiny_model: Path) -> None:
    questions = asked(*[f"Where is parcel {i}?" for i in range(24)])
    with open_runtime(tiny_model) as runtime:
        runtime.answer(questions[:2], max_new_tokens=4)
        started = time.process_time()
        runtime.answer(questions, max_new_tokens=24)
        batch = time.process_time() - started
        started = time.process_time()
        for question in questions:
            runtime.answer([question], max_new_tokens=24)
        alone = time.process_time() - started
    # Processor time, since the cores are shared; the benchmark measures the 60 questions of the
    # shop.
    assert alone > 2 * batch
