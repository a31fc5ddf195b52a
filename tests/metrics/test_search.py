"""Search finds the facts that a question is about, in languages with and without spaces."""

from __future__ import annotations

import pytest

from workshop_helpers.evaluation.shop import Shop
from workshop_helpers.metrics.search import Search

TEXTS = ["Standard shipping costs $6.99.", "Returns are free.", "Points expire after a year."]


def test_the_text_that_shares_rare_pieces_comes_first() -> None:
    search = Search(TEXTS)
    assert search.best("What does it cost to ship?", 1) == [0]
    assert search.best("WHEN DO MY POINTS EXPIRE", 1) == [2]
    assert search.scores("When?") == [0.0, 0.0, 0.0]


def test_what_fits_not_at_all_is_not_found() -> None:
    assert Search(TEXTS).best("zzz", 3) == []
    assert Search(TEXTS).best("", 3) == []
    assert Search([]).best("Returns?", 3) == []


@pytest.mark.parametrize(("text", "size"), [("送料は500円です。", 2), ("Café crème", 3)])
def test_pieces_suit_the_language(text: str, size: int) -> None:
    assert Search([text]).size == size


@pytest.mark.parametrize("language", ["en", "ja"])
def test_three_facts_hold_most_answers_to_the_held_out_questions(language: str) -> None:
    shop = Shop(language)
    found = 0
    for question in shop.questions:
        statements = [fact.statement[language] for fact in shop.search(question.question, 3)]
        assert len(statements) <= 3
        found += any(text in s for item in question.expected() for text in item for s in statements)
    assert found / len(shop.questions) > 0.85
