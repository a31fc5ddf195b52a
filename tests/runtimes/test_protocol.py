"""What every runtime in this process does alike: protocol, sampling, silence, closing."""

from __future__ import annotations

from pathlib import Path

import pytest

from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.gguf.convert import convert
from workshop_helpers.models.chat import Sampling
from workshop_helpers.runtimes import open_runtime
from workshop_helpers.runtimes.base import Runtime
from workshop_helpers.runtimes.chat import Chat

QUESTION = [{"role": "user", "content": "How much is standard shipping?"}]


@pytest.fixture(scope="module", params=["transformers", "llama.cpp"])
def model(
    request: pytest.FixtureRequest, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path]:
    """A runtime's name, and a model for it."""
    if request.param == "transformers":
        return request.param, tiny_model
    return request.param, convert(tiny_model, tmp_path_factory.mktemp("run") / "豆 の m.gguf").path


def test_a_model_opens_and_closes_without_a_word(
    model: tuple[str, Path], capfd: pytest.CaptureFixture[str]
) -> None:
    with open_runtime(model[1]) as runtime:
        assert isinstance(runtime, Runtime)
        assert runtime.name == model[0]
        assert len(runtime.answer([QUESTION] * 2, max_new_tokens=4, progress=True)) == 2
        assert runtime.answer([]) == []
    runtime.close()  # again
    with pytest.raises(WorkshopError, match="closed"):
        runtime.answer([QUESTION])
    assert capfd.readouterr() == ("", "")


def test_a_seed_repeats_its_draws_and_each_conversation_has_its_own(
    model: tuple[str, Path],
) -> None:
    with open_runtime(model[1]) as runtime:

        def ids(sampling: Sampling | None) -> list[tuple[int, ...] | None]:
            found = runtime.answer([QUESTION] * 3, max_new_tokens=12, sampling=sampling)
            return [answer.token_ids for answer in found]

        first = ids(Sampling(1.0, seed=3))
        assert first == ids(Sampling(1.0, seed=3)) != ids(Sampling(1.0, seed=9))
        assert len(set(first)) == 3
        assert ids(Sampling(1e-6)) == ids(None)


def test_a_reply_is_the_answer_piece_by_piece(model: tuple[str, Path]) -> None:
    with open_runtime(model[1]) as runtime:
        (whole,) = runtime.answer([QUESTION], max_new_tokens=24)
        reply = runtime.reply(QUESTION, max_new_tokens=24)
        pieces = list(reply)
        assert len(pieces) > 3 and "".join(pieces).strip() == reply.answer.text == whole.text
        assert (reply.answer.tokens, reply.answer.stopped) == (whole.tokens, whole.stopped)
        assert reply.first_seconds <= reply.seconds
        broken = runtime.reply(QUESTION)
        next(iter(broken))
        broken.close()
        with pytest.raises(WorkshopError, match="broken off"):
            _ = broken.answer
        assert runtime.answer([QUESTION], max_new_tokens=24)[0].text == whole.text


def test_a_chat_remembers_and_forgets(model: tuple[str, Path]) -> None:
    with open_runtime(model[1]) as runtime:
        chat = Chat(runtime, max_new_tokens=6)
        first, second = chat.say("How much is shipping?"), chat.say("And returns?")
        assert second.prompt_tokens > first.prompt_tokens
        assert [m["role"] for m in chat.history] == ["user", "assistant"] * 2
        chat.reset()
        assert chat.say("How much is shipping?").text == first.text
        chat.system = "Shipping costs $6.99."
        chat.reset()
        assert chat.say("How much is shipping?").prompt_tokens > first.prompt_tokens


def test_a_temperature_is_above_zero() -> None:
    with pytest.raises(WorkshopError, match="temperature"):
        Sampling(0.0)
