"""What `data/unseen` promises of itself; `mame` is measured elsewhere."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from functools import cache
from typing import Any

import pytest
from row_files import LIKENESS_LIMIT, amounts, grams, likeness, plain, rows

from workshop_helpers.core.artifacts import data_path
from workshop_helpers.dataset.checks import check_rows
from workshop_helpers.metrics.facts import ShopFacts
from workshop_helpers.metrics.language import detect_language
from workshop_helpers.metrics.quantities import quantities
from workshop_helpers.metrics.surfaces import states

UNSEEN = "unseen"
SHOPS = ("allotments", "apiary", "kayaks", "launderette", "observatory")
KINDS = {
    "en": {
        "capitals", "lowercase", "no punctuation", "doubled punctuation", "typo", "one word",
        "fragment",
    },
    "ja": {
        "width", "hiragana", "missing particles", "doubled punctuation", "typo", "one word",
        "fragment",
    },
}  # fmt: skip

pytestmark = pytest.mark.parametrize("language", ["en", "ja"])
of_each_shop = pytest.mark.parametrize("shop", SHOPS)


def of(shop: str) -> str:
    return f"{UNSEEN}/shops/{shop}"


@cache
def facts(shop: str) -> ShopFacts:
    return ShopFacts.load(data_path(of(shop), "facts.yaml"))


def wanted(row: dict[str, Any]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(item) if isinstance(item, list) else (item,) for item in row["facts"])


def test_the_prompted_questions_are_many_and_their_facts_stand_in_the_prompt(language):
    raw = rows("prompted", language, UNSEEN)
    assert len(raw) >= 160
    assert len({row["system"] for row in raw}) >= 25
    assert len({plain(row["question"]) for row in raw}) == len(raw)
    for row in raw:
        assert row["language"] == language
        # As a whole figure: the "5 days" of "15 days" is another one.
        for fact in row["facts"]:
            assert re.search(rf"(?<![\d.,]){re.escape(fact)}", row["system"]), row
            assert quantities(fact), row
            assert not states(row["question"], fact), row
    absent = [row for row in raw if row.get("absent")]
    assert 0.07 * len(raw) <= len(absent) <= 0.13 * len(raw)
    assert absent == [row for row in raw if not row["facts"]]


def test_a_variant_is_of_a_question_that_stands_in_the_shops_files(language):
    asked = {row["question"]: wanted(row) for row in rows("questions", language)}
    answers = {row["instruction"]: row["output"] for row in rows("train", language)}
    raw = rows("variants", language, UNSEEN)
    assert len(raw) >= 100
    assert len({row["question"] for row in raw}) == len(raw)
    for row in raw:
        assert row["language"] == language and row["question"] not in {*asked, *answers}
        if row["plain"] in asked:
            assert asked[row["plain"]] == wanted(row)
        else:
            answer = answers[row["plain"]]
            assert all(any(states(answer, s) for s in item) for item in wanted(row)), row
    kinds = Counter(row["kind"] for row in raw)
    assert set(kinds) == KINDS[language] and min(kinds.values()) >= 14


def test_the_questions_outside_are_of_eight_kinds_and_no_question_of_the_shop(language):
    raw = rows("outside", language, UNSEEN)
    asked = {plain(row["question"]) for row in rows("questions", language)}
    texts = {plain(row["question"]) for row in raw}
    assert len(texts) == len(raw) == 120 and not texts & asked
    assert set(Counter(row["kind"] for row in raw).values()) == {15}
    assert all(row["language"] == language for row in raw)


@of_each_shop
def test_an_unseen_shop_has_eight_facts_of_its_own(shop, language):
    shop_facts = facts(shop)
    assert len(shop_facts.facts) == len({fact.topic for fact in shop_facts}) == 8
    assert max(amounts(shop_facts, language).values()) == 1
    for fact in shop_facts:
        statement = fact.statement[language]
        assert [f.id for f in shop_facts if f.stated(statement, language)] == [fact.id]


@of_each_shop
def test_each_training_row_states_one_fact_and_each_block_states_all(shop, language):
    raw = rows("train", language, of(shop))
    ids = {fact.id for fact in facts(shop)}
    assert len(raw) == len({plain(row["instruction"]) for row in raw}) == 15 * len(ids)
    order = []
    for row in raw:
        assert list(row) == ["instruction", "input", "output"]
        assert detect_language(row["output"]) == language, row
        stated = [fact.id for fact in facts(shop) if fact.stated(row["output"], language)]
        assert len(stated) == 1, row
        order += stated
    for start in range(0, len(raw), len(ids)):
        assert set(order[start : start + len(ids)]) == ids


@of_each_shop
def test_the_held_out_questions_ask_every_fact_in_other_words_than_the_rows(shop, language):
    raw = rows("questions", language, of(shop))
    trained = [row["instruction"] for row in rows("train", language, of(shop))]
    assert len(raw) == len({row["id"] for row in raw}) == 30
    assert min(Counter(row["topic"] for row in raw).values()) >= 3
    for row in raw:
        assert list(row) == ["id", "topic", "question", "language", "facts"]
        fact = facts(shop).by_id(row["id"].rpartition("-")[0])
        assert (row["topic"], row["language"]) == (fact.topic, language)
        assert wanted(row) == fact.values[language]
        assert not re.search(r"\d", row["question"])
        like = max((likeness(grams(row["question"]), grams(text)), text) for text in trained)
        assert like[0] < LIKENESS_LIMIT, (row["question"], like)
    questions = {plain(row["question"]) for row in raw}
    assert len(questions) == 30 and not questions & {plain(text) for text in trained}


@of_each_shop
def test_the_check_finds_no_fault_in_the_rows_of_an_unseen_shop(shop, language):
    train, questions = (
        data_path(of(shop), f"{name}.{language}.jsonl") for name in ("train", "questions")
    )
    report = check_rows(train, against=questions, progress=False, quick=True)
    assert report.exit_code == 0
    assert {finding.rule for finding in report.findings} <= {"too-few"}, report.findings


def test_no_question_stands_in_two_of_the_unseen_shops(language):
    asked = [
        plain(row.get("question") or row["instruction"])
        for shop, name in itertools.product(SHOPS, ("train", "questions"))
        for row in rows(name, language, of(shop))
    ]
    twice = [text for text, count in Counter(asked).items() if count > 1]
    assert not twice
