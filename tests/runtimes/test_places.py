"""A model made of a Modelfile and asked: in this process, and on a real Ollama server where there
is one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from workshop_helpers.core.cards import file_hash
from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.dataset.formats import Message
from workshop_helpers.evaluation.shop import Shop
from workshop_helpers.runtimes.llama_cpp import LlamaCppRuntime
from workshop_helpers.runtimes.ollama.client import Ollama
from workshop_helpers.runtimes.ollama.prompted import prompted
from workshop_helpers.runtimes.places import InProcess, OnOllama, Place, place_to_run

NOBODY = "http://127.0.0.1:9"
SHOP = Shop("en")
QUESTION = "How much does express shipping cost?"


@pytest.fixture(params=["llama.cpp", "Ollama"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    if request.param == "llama.cpp":
        made: Place = place_to_run("en", host=NOBODY)
    else:
        host = request.getfixturevalue("ollama_host")
        # one thread: two on shared cores are a hundred times slower
        made = OnOllama("of the test", "en", host=host, parameters={"num_thread": 1})
    with made:
        yield made


def test_a_prompted_model_knows_the_facts_and_has_the_weights_of_its_base(
    place: Place, mame_gguf: Path
) -> None:
    plain = prompted(mame_gguf).setting(temperature=0, repeat_penalty=1)
    base = place.create("test-places-base", plain)
    told = place.create("test-places-told", replace(plain, system=SHOP.system_prompt))
    assert told.name == "test-places-told:workshop"
    assert "$14.99" in told.ask(QUESTION).text
    assert "$14.99" not in base.ask(QUESTION).text
    assert told.weights == base.weights == file_hash(mame_gguf)
    proof = place.proof(base, told)
    assert proof.shared(told.name)
    kinds = {one.kind: one.digest for one in told.layers()}
    assert {"model", "template", "system", "params"} <= set(kinds)
    assert kinds["system"] not in {one.digest for one in base.layers()}


def test_an_answer_comes_in_pieces_that_are_the_answer(place: Place, mame_gguf: Path) -> None:
    plain = prompted(mame_gguf).setting(temperature=0, repeat_penalty=1)
    model = place.create("test-places-stream", plain)
    reply = model.stream(QUESTION)
    pieces = list(reply)
    assert len(pieces) > 3
    assert "".join(pieces).strip() == reply.answer.text == model.ask(QUESTION).text
    assert reply.answer.stopped and reply.answer.tokens > 3
    assert 0 < reply.first_seconds < reply.seconds < 60
    with LlamaCppRuntime(mame_gguf) as runtime:
        (greedy,) = runtime.answer([[{"role": "user", "content": QUESTION}]])
    assert greedy.text == reply.answer.text
    assert greedy.prompt_tokens == reply.answer.prompt_tokens


def test_a_chat_sends_all_that_was_said_before(place: Place, mame_gguf: Path) -> None:
    plain = prompted(mame_gguf).setting(temperature=0, repeat_penalty=1)
    chat = place.create("test-places-chat", plain).chat()
    first, second = chat.say(QUESTION), chat.say("And overseas?")
    assert [m["role"] for m in chat.history] == ["user", "assistant"] * 2
    assert chat.history[1]["content"] == first.text
    assert second.prompt_tokens > first.prompt_tokens + first.tokens
    with pytest.raises(WorkshopError, match="empty"):
        chat.say(" ")


def test_what_a_modelfile_says_holds(place: Place, mame_gguf: Path) -> None:
    plain = prompted(mame_gguf).setting(temperature=0, repeat_penalty=1)
    free = place.create("test-places-free", plain).ask(QUESTION)
    short = place.create("test-places-short", plain.setting(num_predict=3)).ask(QUESTION)
    assert (short.stopped, free.stopped) == (False, True)
    assert free.text.startswith(short.text) and short.tokens == 3
    turns = (Message("user", "Hi"), Message("assistant", "Hello"))
    shown = place.create("test-places-turns", replace(plain, messages=turns)).ask(QUESTION)
    assert shown.prompt_tokens > free.prompt_tokens + 8
    word = free.text.split()[2]
    stopped = place.create("test-places-stop", plain.setting(stop=(word,))).ask(QUESTION)
    assert stopped.text == free.text.partition(word)[0].strip()


def test_an_answer_that_is_broken_off_is_not_taken_for_a_whole_one(
    place: Place, mame_gguf: Path
) -> None:
    model = place.create("test-places-broken", mame_gguf)
    reply = model.stream(QUESTION)
    next(iter(reply))
    reply.close()
    with pytest.raises(WorkshopError, match="broken off"):
        _ = reply.answer
    assert model.ask(QUESTION).text  # the place goes on


def test_closing_removes_what_was_made_there_and_nothing_else(
    ollama_host: str, mame_gguf: Path
) -> None:
    with Ollama(ollama_host) as server:
        server.create("test-places-mine", mame_gguf)
        try:
            with OnOllama("x", "en", host=ollama_host) as place:
                made = place.create("test-places-mine", mame_gguf)
                names = {one.name for one in server.models()}
                assert {made.name, "test-places-mine:latest"} <= names
            names = {one.name for one in server.models()}
            assert "test-places-mine:latest" in names and made.name not in names
            place.close()
        finally:
            server.remove("test-places-mine")


def test_a_server_is_taken_where_there_is_one(ollama_host: str) -> None:
    with place_to_run("ja", host=ollama_host) as place:
        assert place.name.startswith("Ollama ")
        assert place.name in str(place) and "127.0.0.1" not in str(place)


@pytest.mark.parametrize("language", ["en", "ja"])
def test_without_a_server_it_says_so(language: str) -> None:
    with place_to_run(language, host=NOBODY) as place:
        assert isinstance(place, InProcess) and place.name == "llama.cpp"
        assert NOBODY in str(place) and "llama.cpp" in str(place)
        assert "  " not in str(place)


def test_without_a_server_only_a_gguf_can_be_run(mame_gguf: Path) -> None:
    with place_to_run("en", host=NOBODY) as place:
        with pytest.raises(WorkshopError, match=r"FROM llama3\.2:1b"):
            place.create("m", prompted("ollama:llama3.2:1b"))
        adapted = replace(prompted(mame_gguf), adapter="./adapter.gguf")
        with pytest.raises(WorkshopError, match="merge an adapter"):
            place.create("m", adapted)


def test_only_one_gguf_is_open_at_a_time(mame_gguf: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.gguf"
    copy.write_bytes(mame_gguf.read_bytes())
    with place_to_run("en", host=NOBODY) as place:
        one, other = place.create("one", mame_gguf), place.create("other", copy)
        for model in (one, other, one):
            assert model.ask(QUESTION).text
        assert isinstance(place, InProcess)
        engine = place.engine(mame_gguf, None)
    with pytest.raises(WorkshopError, match="closed"):
        engine.tokenize("x")
