"""The probe for forgetting: its questions are whole, its scores mean what they say."""

from __future__ import annotations

import json

import pytest

from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.evaluation.forgetting import (
    KINDS,
    ForgettingReport,
    _right,
    probe,
    probe_questions,
)
from workshop_helpers.evaluation.shop import Shop
from workshop_helpers.metrics.scoring import Question

LANGUAGES = ("en", "ja")


@pytest.mark.parametrize("language", LANGUAGES)
def test_there_are_a_hundred_questions_of_each_kind(language):
    questions = probe_questions(language)
    assert {kind: len(of) for kind, of in questions.items()} == dict.fromkeys(KINDS, 100)
    for kind, of in questions.items():
        for question in of:
            assert question.topic == kind
            assert question.language == language
            assert bool(question.facts) == (kind != "not_in_information")
            if kind == "facts_in_prompt":
                assert all(fact in (question.system or "") for fact in question.facts)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_probe_question_is_trained_on(language):
    asked = {(q.system, q.question) for of in probe_questions(language).values() for q in of}
    shop = Shop(language)
    trained = {(row.system, row.question) for row in [*shop.train, *shop.general]}
    assert len(trained) == 620
    assert not asked & trained


def test_a_fact_counts_by_its_values_and_a_missing_one_by_silence_on_figures():
    told = Question(
        "Return window?", system="Returns: 9 days.", facts=("9 days",), topic="facts_in_prompt"
    )
    assert _right("You have 9 days.", told) == 1
    assert _right("You have 19 days.", told) == 0
    lacking = Question("I waited 3 days. How much is wrapping?", topic="not_in_information")
    assert _right("I have no information about wrapping.", lacking) == 1
    assert _right("Sorry about those 3 days, but I was not told.", lacking) == 1
    assert _right("Wrapping is $5.", lacking) == 0
    assert _right("", lacking) == 0


def test_a_model_is_probed_and_shown_in_both_languages(tiny_model):
    found = probe({"tiny <1>": tiny_model}, "ja", per_kind=2, device="cpu", max_new_tokens=4)
    assert found.questions == dict.fromkeys(KINDS, 2)
    assert set(found.shares["tiny <1>"]) == set(KINDS)
    shown = found._repr_mimebundle_()
    assert "tiny &lt;1&gt;" in shown["text/html"]
    assert "一般知識 (n=2)" in shown["text/plain"]
    assert json.dumps(found.to_dict())


def test_two_probes_join_only_when_they_asked_the_same():
    one = ForgettingReport({"a": {"general_knowledge": 1.0}}, {"general_knowledge": 2}, "en")
    other = ForgettingReport({"b": {"general_knowledge": 0.5}}, {"general_knowledge": 2}, "en")
    assert list((one | other).shares) == ["a", "b"]
    with pytest.raises(WorkshopError):
        one | ForgettingReport({}, {"general_knowledge": 3}, "en")


def test_an_unknown_language_and_no_model_are_refused():
    with pytest.raises(WorkshopError, match="en, ja"):
        probe_questions("fr")
    with pytest.raises(WorkshopError, match="at least one model"):
        probe({})
