"""The checks of exercises: what is right, what is wrong and why, and what is not answered yet."""

from __future__ import annotations

import pytest

from workshop_helpers import Exercises
from workshop_helpers.core import wordings
from workshop_helpers.core.errors import WorkshopError

TABLE = {
    "rank": {"en": "Two thin ones.", "ja": "細い行列2つです。"},
    "rank-wrong": {"en": "Count A and B.", "ja": "AとBを数えます。"},
    "rank-whole": {"en": "That is all of W.", "ja": "それはW全体です。"},
}


@pytest.fixture
def exercises(monkeypatch):
    found = wordings._table
    monkeypatch.setattr(wordings, "_table", lambda s: TABLE if s == "exercises-99" else found(s))
    return Exercises("99", "en")


def test_what_is_not_answered_yet_is_neither_right_nor_wrong(exercises):
    verdict = exercises.check("rank", ..., 8)
    assert verdict.state == "open"
    assert verdict._repr_mimebundle_()["text/plain"].startswith("○")


@pytest.mark.parametrize(
    ("given", "right", "within"),
    [
        (8, 8, 0.0),
        (8.0, 8, 0.0),
        (101, 100, 0.02),
        (" Q2_k ", "Q2_K", 0.0),
        ([1, 2], [1, 2], 0.0),
        (True, True, 0.0),
        (7, lambda answer: answer > 6, 0.0),
    ],
)
def test_a_right_answer_is_told_why_it_is_right(exercises, given, right, within):
    verdict = exercises.check("rank", given, right, within=within)
    assert verdict.state == "right"
    assert "Two thin ones." in verdict.text


@pytest.mark.parametrize(
    ("given", "right", "within"),
    [
        (9, 8, 0.0),
        (103, 100, 0.02),
        (float("nan"), 8, 0.5),
        (True, 1, 0.0),
        ("8", 8, 0.0),
        (None, 8, 0.0),
        ("Q4_0", "Q2_K", 0.0),
        ("text", lambda answer: answer > 6, 0.0),
        ([1], [1, 2], 0.0),
    ],
)
def test_a_wrong_answer_gets_the_hint(exercises, given, right, within):
    verdict = exercises.check("rank", given, right, within=within)
    assert verdict.state == "wrong"
    assert "Count A and B." in verdict.text
    assert "✗" in verdict._repr_mimebundle_()["text/plain"]


def test_a_pitfall_is_told_its_own_reason(exercises):
    verdict = exercises.check("rank", 64, 8, pitfalls={64: "rank-whole"})
    assert (verdict.state, "all of W" in verdict.text) == ("wrong", True)


def test_the_right_answer_wins_over_a_pitfall_of_equal_value(exercises):
    assert exercises.check("rank", 8, 8, pitfalls={8: "rank-whole"}).state == "right"


def test_a_verdict_speaks_the_language_of_the_notebook(exercises):
    japanese = Exercises("99", "ja").check("rank", 8, 8)
    assert "細い行列2つです。" in japanese.text


def test_an_unknown_chapter_language_or_text_is_named(exercises):
    with pytest.raises(WorkshopError, match="98"):
        Exercises("98", "en")
    with pytest.raises(WorkshopError, match="fr"):
        Exercises("99", "fr")
    with pytest.raises(WorkshopError, match="alpha"):
        exercises.check("alpha", 1, 1)
