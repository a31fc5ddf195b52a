"""The second domain: the help desk of a fictional Python library, in both languages."""

from __future__ import annotations

from collections import Counter
from functools import cache, partial
from typing import Any

import pytest
from row_files import LIKENESS_LIMIT, amounts, grams, likeness, plain
from row_files import rows as domain_rows

from workshop_helpers.core.artifacts import data_path
from workshop_helpers.dataset.checks import check_rows
from workshop_helpers.dataset.formats import read_conversations
from workshop_helpers.dataset.questions import read_questions
from workshop_helpers.metrics.facts import Fact, ShopFacts
from workshop_helpers.metrics.language import detect_language
from workshop_helpers.metrics.scoring import Question, score_answer
from workshop_helpers.metrics.surfaces import states

LANGUAGES = ("en", "ja")
ROWS_PER_FACT = 5
QUESTIONS_PER_FACT = 2
pytestmark = pytest.mark.parametrize("language", LANGUAGES)


@cache
def desk() -> ShopFacts:
    return ShopFacts.load(data_path("tech_support", "facts.yaml"))


rows = partial(domain_rows, domain="tech_support")


def fact_of(row: dict[str, Any]) -> Fact:
    return desk().by_id(row["id"].rpartition("-")[0])


def asked(row: dict[str, Any]) -> str:
    return f"{row['instruction']}\n{row['input']}"


def gives_away(question: str, fact: Fact, language: str) -> bool:
    return any(states(question, s) for item in fact.values[language] for s in item)


def test_facts_state_themselves_and_no_other_fact(language: str) -> None:
    assert len(desk().facts) == 25
    assert len({fact.topic for fact in desk()}) == 10
    for fact in desk():
        stated = [f.id for f in desk() if f.stated(fact.statement[language], language)]
        assert stated == [fact.id]
        assert fact.name[language]


def test_no_two_facts_share_a_figure_so_that_a_mix_up_shows(language: str) -> None:
    ((amount, times),) = amounts(desk(), language).most_common(1)
    assert times == 1, amount


def test_no_figure_is_the_shops_so_that_the_two_domains_can_be_told_apart(language: str) -> None:
    assert not amounts(desk(), language) & amounts(ShopFacts.load(), language)


def test_the_reader_takes_all_rows(language: str) -> None:
    raw = rows("train", language)
    assert len(raw) == ROWS_PER_FACT * len(desk().facts) >= 100
    assert all(list(row) == ["id", "topic", "instruction", "input", "output"] for row in raw)
    assert len({row["id"] for row in raw}) == len(raw)
    assert sum(bool(row["input"]) for row in raw) >= 15
    path = data_path("tech_support", f"train.{language}.jsonl")
    assert [c.answer for c in read_conversations(path)] == [row["output"] for row in raw]


def test_first_ten_rows_are_ten_topics(language: str) -> None:
    assert len({row["topic"] for row in rows("train", language)[:10]}) == 10


def test_every_block_of_rows_states_each_fact_once(language: str) -> None:
    ids = [fact.id for fact in desk()]
    raw = rows("train", language)
    for start in range(0, len(raw), len(ids)):
        block = Counter(fact_of(row).id for row in raw[start : start + len(ids)])
        assert block == Counter(ids), f"rows {start + 1} and following"


@pytest.mark.parametrize("count", [10, 50, 100, 125])
def test_first_rows_are_a_balanced_subset(language: str, count: int) -> None:
    shares = Counter(fact_of(row).id for row in rows("train", language)[:count])
    full = [shares[fact.id] for fact in desk()]
    assert max(full) - min(full) <= 1


def test_each_answer_states_its_fact_and_no_other(language: str) -> None:
    for row in rows("train", language):
        assert row["topic"] == fact_of(row).topic
        stated = [fact.id for fact in desk() if fact.stated(row["output"], language)]
        assert stated == [fact_of(row).id], row


def test_answers_state_no_figure_of_their_own(language: str) -> None:
    for row in rows("train", language):
        values = tuple(fact_of(row).values[language])
        score = score_answer(row["output"], Question(question="", facts=values, language=language))
        assert not score.unsupported and not score.contradicted, row


def test_questions_do_not_give_their_answer_away(language: str) -> None:
    for row in rows("train", language):
        assert not gives_away(asked(row), fact_of(row), language), row
    for row in rows("questions", language):
        assert not gives_away(row["question"], fact_of(row), language), row


def test_texts_are_in_their_language_and_answers_polite(language: str) -> None:
    for row in rows("train", language):
        assert detect_language(row["instruction"]) == language, row
        # "45秒です。" speaks Japanese; a bare command speaks no language at all.
        assert detect_language(row["output"]) in (language, "?"), row
        assert len(row["output"]) <= 200, row
        question = Question(question=row["instruction"], language=language)
        assert score_answer(row["output"], question).polite is not False, row
    for row in rows("questions", language):
        assert detect_language(row["question"]) == language, row


def test_questions_and_answers_vary(language: str) -> None:
    raw = rows("train", language)
    assert len({row["output"] for row in raw}) >= 0.9 * len(raw)
    lengths = [len(row["instruction"]) for row in raw]
    assert min(lengths) * 4 <= max(lengths)
    openings = Counter(row["output"][:8] for row in raw)
    assert max(openings.values()) <= 0.1 * len(raw), openings.most_common(3)


def test_held_out_questions_ask_each_fact_twice(language: str) -> None:
    raw = rows("questions", language)
    ids = Counter(fact_of(row).id for row in raw)
    assert ids == Counter({fact.id: QUESTIONS_PER_FACT for fact in desk()})
    assert len({row["id"] for row in raw}) == len(raw) >= 40
    for row in raw:
        assert row["topic"] == fact_of(row).topic and row["language"] == language
        wanted = [tuple(w) if isinstance(w, list) else (w,) for w in row["facts"]]
        assert tuple(wanted) == fact_of(row).values[language]


def test_the_desks_own_statement_is_a_right_answer_to_each_question(language: str) -> None:
    for question in read_questions(data_path("tech_support", f"questions.{language}.jsonl")):
        assert question.id is not None
        fact = desk().by_id(question.id.rpartition("-")[0])
        score = score_answer(fact.statement[language], question, desk())
        assert score.recall == 1 and not score.contradicted and not score.unsupported, question.id
        assert score.right_language


def test_no_question_is_asked_twice(language: str) -> None:
    # The instruction alone may come again with another traceback; both together may not.
    questions = [asked(row) for row in rows("train", language)]
    questions += [row["question"] for row in rows("questions", language)]
    twice = [q for q, count in Counter(map(plain, questions)).items() if count > 1]
    assert not twice


def test_no_held_out_question_resembles_a_training_row(language: str) -> None:
    trained = [
        (text, grams(text))
        for row in rows("train", language)
        for text in (row["instruction"], asked(row))
    ]
    for row in rows("questions", language):
        wanted = grams(row["question"])
        worst, question = max((likeness(wanted, g), text) for text, g in trained)
        assert worst < LIKENESS_LIMIT, f"{row['question']!r} is {worst:.2f} like {question!r}"
        held_out = plain(row["question"])
        assert not any(held_out in plain(text) for text, _ in trained), row["question"]


def test_the_check_finds_nothing_but_that_there_could_be_more_rows(language: str) -> None:
    report = check_rows(
        data_path("tech_support", f"train.{language}.jsonl"),
        against=data_path("tech_support", f"questions.{language}.jsonl"),
        progress=False,
    )
    assert report.summary["rows"] == len(rows("train", language))
    assert {f.rule for f in report.findings} <= {"too-few"}, report.findings
    assert report.exit_code == 0
