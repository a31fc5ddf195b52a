"""Verdicts are read, turned round and held against the facts, by a real llama.cpp server, too."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from raw_server import http, raw_server

from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.evaluation.judge import by_facts, judge, read_verdict
from workshop_helpers.metrics.scoring import Question, score_answer
from workshop_helpers.runtimes.llama_cpp import LlamaCppRuntime
from workshop_helpers.runtimes.openai import ChatServer

ASKED = [Question("How much is shipping?", facts=("$6.99",), reference="Shipping costs $6.99.")] * 4
RIGHT, WRONG = ["It costs $6.99."] * 4, ["It costs $9.99, dear customer."] * 4


@contextmanager
def judging(verdict: Callable[[str, str], str]) -> Iterator[ChatServer]:
    """A server that judges the two answers it is shown by a function."""

    def answer(request: bytes) -> list[bytes]:
        if b"/models" in request.partition(b"\r\n")[0]:
            return [http({"data": [{"id": "scripted"}]})]
        asked = json.loads(request.partition(b"\r\n\r\n")[2])["messages"][-1]["content"]
        a, b = re.findall(r"(?m)^Answer [AB]: (.*)$", asked)
        choice = {"message": {"role": "assistant", "content": verdict(a, b)}}
        return [http({"choices": [choice]})]

    with raw_server(answer) as address, ChatServer(f"http://{address}/v1", retries=0) as server:
        yield server


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("A", "A"), (" b.", "B"), ("T", "T"), ("Answer B is better.", "B"), ("**A**", "A"),
        ("You're right, answer A is better", "A"), ("回答Ａのほうが良い", "A"),
        ("Bが良いです", "B"), ("tie", "T"), ("引き分けです", "T"),
        ("A customer would like", None), ("送料は500円です。", None), ("", None), ("Both", None),
    ],
)  # fmt: skip
def test_a_verdict_is_read_or_known_to_be_none(text, verdict):
    assert read_verdict(text) == verdict


def test_a_judge_that_knows_the_facts_agrees_in_both_orders():
    with judging(lambda a, b: "A" if "6.99" in a else "B") as server:
        found = judge(server, ASKED, RIGHT, WRONG, ["first"] * 4)
    assert found.judge == "scripted"
    assert (found.readable, found.consistent, found.agreement) == (1, 1, 1)
    assert (found.first_place, found.count("first"), found.count("tie")) == (0.5, 4, 0)


def test_a_judge_that_always_takes_the_first_ends_in_ties():
    with judging(lambda a, b: "A is better.") as server:
        found = judge(server, ASKED, RIGHT, WRONG, ["first"] * 4)
    assert (found.first_place, found.consistent, found.agreement) == (1, 0, 0)
    assert found.count("tie") == 4
    assert found.one_order == 1  # asked once, it would look perfect


def test_a_judge_that_likes_length_is_steady_and_wrong():
    with judging(lambda a, b: "A" if len(a) > len(b) else "B") as server:
        found = judge(server, ASKED, RIGHT, WRONG, ["first"] * 4)
    assert (found.consistent, found.agreement, found.count("second")) == (1, 0, 4)


def test_what_cannot_be_read_counts_for_nobody():
    with judging(lambda a, b: "Thank you for asking.") as server:
        found = judge(server, ASKED, RIGHT, WRONG, ["first", "tie", "first", "tie"])
    assert (found.readable, found.consistent, found.agreement) == (0, None, 0)
    assert found.count(None) == 4
    json.dumps(found.to_dict())


def test_the_facts_say_which_answer_is_better():
    question = ASKED[0]
    right, wrong, vague = (
        score_answer(text, question) for text in (RIGHT[0], WRONG[0], "Please ask again.")
    )
    assert by_facts([right, wrong, vague], [wrong, right, vague]) == ["first", "second", "tie"]
    assert by_facts([vague], [wrong]) == ["first"], "saying nothing beats saying something false"


def test_lists_that_do_not_match_are_refused():
    with judging(lambda a, b: "A") as server, pytest.raises(WorkshopError, match="every question"):
        judge(server, ASKED, RIGHT, WRONG[:1], ["first"] * 4)


def test_the_bundled_model_judges_through_the_courses_own_server(mame_gguf):
    with LlamaCppRuntime(mame_gguf) as runtime, ChatServer(runtime.url) as server:
        found = judge(server, ASKED[:1], RIGHT[:1], WRONG[:1], ["first"])
    assert all(found.pairs[0].said), "it answers; that these are no verdicts is chapter 14's point"
