"""The bundled shop's rows and questions: what the course's figures rest on."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from typing import Any

import pytest
from row_files import LIKENESS_LIMIT, amounts, grams, likeness, plain, rows

from workshop_helpers.core.artifacts import data_path
from workshop_helpers.dataset.formats import read_conversations
from workshop_helpers.dataset.questions import read_questions
from workshop_helpers.metrics.facts import ShopFacts
from workshop_helpers.metrics.language import detect_language
from workshop_helpers.metrics.quantities import Quantity, quantities
from workshop_helpers.metrics.scoring import Question, score_answer

LANGUAGES = ("en", "ja")
# What is asked: to learn from, to choose a recipe by, and to report on. The field that holds the
# question differs.
ASKED = {"train": "instruction", "validation": "question", "questions": "question"}
# The sets of held-out questions: how many there are, and how often each fact is asked at least.
HELD_OUT = {"validation": (58, 2), "questions": (90, 3)}
pytestmark = pytest.mark.parametrize("language", LANGUAGES)


@cache
def shop() -> ShopFacts:
    return ShopFacts.load()


@cache
def asked(name: str, language: str) -> list[str]:
    """Every question of a set."""
    return [row[ASKED[name]] for row in rows(name, language)]


def stated(answer: str, language: str) -> list[str]:
    """Ids of the facts that the answer states in full."""
    return [fact.id for fact in shop() if fact.stated(answer, language)]


@cache
def order(language: str) -> list[str]:
    """The fact of each training row: the one its question asks for stands first in its answer."""

    def place(answer: str, fact_id: str) -> int:
        first = shop().by_id(fact_id).values[language][0][0]
        wanted = quantities(first)[0]
        return next(f.start for f in quantities(answer) if f == wanted)

    found = []
    for row in rows("train", language):
        answer = row["output"]
        found.append(min(stated(answer, language), key=lambda id: place(answer, id)))
    return found


def shop_figures(language: str) -> list[Quantity]:
    surfaces = [s for fact in shop() for item in fact.values[language] for s in item]
    return [figure for surface in surfaces for figure in quantities(surface)]


def test_facts_are_those_the_base_model_knows_to_ask_for(language: str) -> None:
    from pretraining.grammar import load

    assert {f.id: f.topic for f in shop()} == {i.id: i.topic for i in load().intents}
    for fact in shop():
        assert fact.stated(fact.statement[language], language), fact.id
        assert fact.name[language]


def test_seed_figures_are_the_shops(language: str) -> None:
    seeds = {
        "en": {
            "shipping_fee": "$6.99",
            "free_shipping": "$50",
            "express_fee": "$14.99",
            "return_window": "14 days",
            "refund_time": "5-7 business days",
        },
        "ja": {
            "shipping_fee": "￥500",
            "free_shipping": "5,000円",
            "express_fee": "￥800",
            "return_window": "14日",
            "refund_time": "5-7営業日",
            "points_expiry": "1年",
        },
    }
    for fact_id, surface in seeds[language].items():
        assert shop().by_id(fact_id).stated(surface, language), fact_id


def test_no_two_facts_share_a_figure_so_that_a_mix_up_shows(language: str) -> None:
    ((amount, times),) = amounts(shop(), language).most_common(1)
    assert times == 1, amount


def test_training_file_has_500_rows_that_the_reader_takes(language: str) -> None:
    raw = rows("train", language)
    assert len(raw) == 500
    assert all(list(row) == ["instruction", "input", "output"] for row in raw)
    assert any(row["input"] for row in raw)
    path = data_path("shop", f"train.{language}.jsonl")
    assert len(read_conversations(path)) == 500
    assert [c.answer for c in read_conversations(path, limit=10)] == [r["output"] for r in raw[:10]]


def test_first_ten_rows_are_ten_topics(language: str) -> None:
    topics = {shop().by_id(fact_id).topic for fact_id in order(language)[:10]}
    assert len(topics) == 10


def test_every_block_of_rows_states_each_fact_once(language: str) -> None:
    facts = {fact.id for fact in shop()}
    for start in range(0, 17 * len(facts), len(facts)):
        block = order(language)[start : start + len(facts)]
        assert Counter(block) == Counter(facts), f"rows {start + 1} and following"


@pytest.mark.parametrize("count", [10, 50, 100, 200, 500])
def test_first_rows_are_a_balanced_subset(language: str, count: int) -> None:
    shares = Counter(order(language)[:count])
    full = [shares[fact.id] for fact in shop()]
    assert max(full) - min(full) <= 1


def test_answers_state_the_shops_figures_and_no_others(language: str) -> None:
    known = shop_figures(language)
    for number, row in enumerate(rows("train", language), start=1):
        strange = [f.surface for f in quantities(row["output"], language) if f not in known]
        assert not strange, f"row {number}: {strange}"


def test_an_answer_states_its_fact_and_at_times_a_related_one(language: str) -> None:
    counts = Counter(len(stated(row["output"], language)) for row in rows("train", language))
    assert set(counts) <= {1, 2}
    assert counts[2] <= 50


def test_questions_give_no_figure_away(language: str) -> None:
    for row in rows("train", language):
        assert not re.search(r"\d", row["instruction"] + row["input"]), row
    for name in HELD_OUT:
        assert not [question for question in asked(name, language) if re.search(r"\d", question)]


def test_answers_are_short_polite_and_in_their_language(language: str) -> None:
    for row in rows("train", language):
        answer = row["output"]
        assert detect_language(answer) == language, answer
        assert len(answer) <= 200, answer
        score = score_answer(answer, Question(question=row["instruction"], language=language))
        assert score.polite is not False, answer


def test_answers_vary(language: str) -> None:
    outputs = {row["output"] for row in rows("train", language)}
    assert len(outputs) >= 450
    assert sum("\n" in output for output in outputs) >= 25


@pytest.mark.parametrize("name", HELD_OUT)
def test_held_out_questions_ask_each_fact_two_or_three_times(language: str, name: str) -> None:
    raw = rows(name, language)
    total, least = HELD_OUT[name]
    assert len(raw) == len({row["id"] for row in raw}) == total
    facts = [fact.id for fact in shop()]
    times = Counter(row["id"].rpartition("-")[0] for row in raw)
    assert set(times) == set(facts) and min(times.values()) >= least
    for start in range(0, least * len(facts), len(facts)):
        block = raw[start : start + len(facts)]
        assert [row["id"].rpartition("-")[0] for row in block] == facts
    for row in raw:
        assert list(row) == ["id", "topic", "question", "language", "facts"]
        fact = shop().by_id(row["id"].rpartition("-")[0])
        assert row["topic"] == fact.topic and row["language"] == language
        wanted = [tuple(w) if isinstance(w, list) else (w,) for w in row["facts"]]
        assert tuple(wanted) == fact.values[language]


def test_no_id_names_two_questions(language: str) -> None:
    ids = Counter(row["id"] for name in HELD_OUT for row in rows(name, language))
    assert max(ids.values()) == 1, ids.most_common(3)


@pytest.mark.parametrize("name", HELD_OUT)
def test_the_shops_own_statement_is_a_right_answer_to_each_question(
    language: str, name: str
) -> None:
    for question in read_questions(data_path("shop", f"{name}.{language}.jsonl")):
        assert question.id is not None
        fact = shop().by_id(question.id.rpartition("-")[0])
        score = score_answer(fact.statement[language], question, shop())
        assert score.recall == 1 and not score.contradicted and not score.unsupported, question.id
        assert score.right_language


def test_no_question_is_asked_twice(language: str) -> None:
    everything = [plain(question) for name in ASKED for question in asked(name, language)]
    twice = [q for q, count in Counter(everything).items() if count > 1]
    assert not twice


@pytest.mark.parametrize(
    ("held_out", "other"), [(one, other) for one in HELD_OUT for other in ASKED if one != other]
)
def test_no_question_resembles_one_of_another_set(language: str, held_out: str, other: str) -> None:
    others = [(text, grams(text)) for text in asked(other, language)]
    for question in asked(held_out, language):
        wanted = grams(question)
        worst, like = max((likeness(wanted, g), text) for text, g in others)
        assert worst < LIKENESS_LIMIT, f"{question!r} is {worst:.2f} like {like!r}"
        assert not any(plain(question) in plain(text) for text, _ in others), question


def test_shop_questions_are_no_templates_of_the_pretraining_corpus(language: str) -> None:
    """What the base model was pretrained on must not hold the very questions it is measured on."""
    from pretraining.grammar import _parse, load

    def pattern(parts: tuple[Any, ...]) -> str:
        return "".join(
            re.escape(plain(part))
            if isinstance(part, str)
            else f"(?:{'|'.join(pattern(option) for option in part)})"
            for part in parts
        )

    templates = [t for intent in load().intents for t in intent.questions[language]]
    corpus = [re.compile(pattern(_parse(template))) for template in templates]
    for question in (question for name in HELD_OUT for question in asked(name, language)):
        assert not any(p.fullmatch(plain(question)) for p in corpus), question


def test_no_validation_question_copies_the_pretrainings_own_held_out_phrasings(
    language: str,
) -> None:
    from pretraining.grammar import expand, load

    templates = [t for intent in load().intents for t in intent.held_out[language]]
    kept = {plain(text) for template in templates for text in expand(template)}
    assert not [question for question in asked("validation", language) if plain(question) in kept]


def test_general_rows_keep_other_skills_and_another_shop(language: str) -> None:
    raw = rows("general", language)
    assert len(raw) == 120
    prompted = [row for row in raw if row["messages"][0]["role"] == "system"]
    assert len(prompted) == 60
    for row in raw:
        roles = [message["role"] for message in row["messages"]]
        assert roles in (["user", "assistant"], ["system", "user", "assistant"])
        assert detect_language(row["messages"][-1]["content"]) in (language, "?"), row
    for row in prompted:
        assert shop().shop_name[language] not in row["messages"][0]["content"]
    assert len(read_conversations(data_path("shop", f"general.{language}.jsonl"))) == 120


def test_answers_about_another_shop_state_only_its_own_figures(language: str) -> None:
    stating = 0
    for row in rows("general", language):
        system, _, answer = ["", *(m["content"] for m in row["messages"])][-3:]
        if not system:
            continue
        amounts = {f.amount for f in quantities(answer, language) if not f.spelled}
        assert amounts <= {f.amount for f in quantities(system, language)}, row
        stating += bool(amounts)
    assert stating == 40


def test_general_rows_share_no_question_with_the_shop(language: str) -> None:
    general = {plain(row["messages"][-2]["content"]) for row in rows("general", language)}
    assert not general & {plain(question) for name in ASKED for question in asked(name, language)}


def test_general_rows_use_no_phrasing_that_forgetting_is_measured_with(language: str) -> None:
    from pretraining.grammar import expand, load

    kept = {
        plain(text)
        for entry in load().general["facts"]
        for template in entry[language]["held_out"]
        for text in expand(template)
    }
    for row in rows("general", language):
        assert plain(row["messages"][-2]["content"]) not in kept
