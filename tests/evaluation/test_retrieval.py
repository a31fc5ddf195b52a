"""Searches find facts as well as they say, and a shop that changes is asked for its new amounts."""

from __future__ import annotations

import logging

import pytest

pytest.importorskip("rank_bm25")
pytest.importorskip("janome")

from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.evaluation.altered import changed, fact_id
from workshop_helpers.evaluation.retrieval import (
    METHODS,
    best,
    found_facts,
    retrieved,
    scorer,
    with_facts,
)
from workshop_helpers.evaluation.shop import Shop
from workshop_helpers.metrics.scoring import score_answer


def test_japanese_at_blanks_scores_nothing_and_still_hands_back_documents():
    shop = Shop("ja")
    assert found_facts(shop, "blanks")["nothing_share"] == 1
    texts = [fact.statement["ja"] for fact in shop.facts]
    score = scorer(texts, "blanks")
    handed = {tuple(best(score(question.question), 3)) for question in shop.questions}
    assert handed == {(28, 27, 26)}, "always the same, the last of the list"


@pytest.mark.parametrize(("language", "good"), [("ja", "pieces"), ("en", "pieces")])
def test_pieces_of_characters_find_most_facts_in_both_languages(language, good):
    found = found_facts(Shop(language), good)
    assert found["first_share"] < found["found_share"]
    assert found["found_share"] > 0.85


def test_the_small_embedding_loads_without_a_network_and_is_for_english(monkeypatch):
    pytest.importorskip("wordllama")
    import requests

    def refuse(*_, **__):
        raise AssertionError("it asked a hub")

    monkeypatch.setattr(requests, "get", refuse)
    level = logging.getLogger().level
    english, japanese = (found_facts(Shop(one), "embedding")["found_share"] for one in ("en", "ja"))
    assert english > 0.9 > 0.7 > japanese
    assert logging.getLogger().level == level, "the program's logging is left as it was"


def test_a_search_is_known_and_has_something_to_search():
    with pytest.raises(WorkshopError, match="embedding"):
        scorer(["a"], "magic")
    with pytest.raises(WorkshopError, match="no texts"):
        scorer([], METHODS[0])


@pytest.mark.parametrize("language", ["en", "ja"])
def test_a_shop_that_changes_expects_its_new_amounts_and_tells_them(language):
    shop = Shop(language)
    ids = [fact.id for fact in shop.facts][::3]
    after = changed(shop, ids)
    assert len(after.questions) == len(shop.questions)
    for old, new in zip(shop.questions, after.questions, strict=True):
        statement = after.facts.by_id(fact_id(new)).statement[language]
        assert score_answer(statement, new, after.facts).recall == 1
        moved = fact_id(new) in ids
        assert (score_answer(statement, old).recall < 1) == moved
    assert shop.system_prompt != after.system_prompt
    with pytest.raises(WorkshopError, match="no fact"):
        changed(shop, ["nothing"])


def test_what_is_found_stands_before_the_question_and_in_the_rows():
    shop = Shop("en")
    asked = "How much is express shipping?"
    told = retrieved(shop, "mame", "pieces", 2).look_up(asked)
    assert "$14.99" in told and told.count("\n- ") == 2
    (row,) = with_facts(shop, shop.train[:1], "pieces")
    assert row.messages[0].role == "system" and row.messages[1:] == shop.train[0].messages


@pytest.mark.parametrize("language", ["en", "ja"])
def test_with_other_amounts_prompt_and_answer_still_agree(language):
    shop = Shop(language)
    plain = with_facts(shop, shop.train[:40], "pieces")
    varied = with_facts(shop, shop.train[:40], "pieces", vary=True)
    moved = [(a, b) for a, b in zip(plain, varied, strict=True) if a.answer != b.answer]
    assert len(moved) > 10
    for before, after in moved:
        assert before.question == after.question
        new = [t for t in after.system.splitlines() if t not in before.system.splitlines()]
        assert len(new) == 1, "one fact of the prompt is another"
    assert all(a.answer == b.answer for a, b in zip(plain[::4], varied[::4], strict=True))
