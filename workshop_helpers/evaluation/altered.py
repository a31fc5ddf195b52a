"""Answers with another amount in them: as near to the right one as a wrong answer can be."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from ..core.errors import WorkshopError
from ..metrics.facts import Fact, ShopFacts, Surfaces
from ..metrics.scoring import Question
from .shop import Shop, ShopQuestions

_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
_ONE = re.compile(r"1 \w+s")  # not "1 hours"
_TIMES = (2, 3, 0.5, 4, 5)
_HOURS = (1, 2, -1)
_WEEKDAYS = (
    ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    ("月曜日", "火曜日", "水曜日", "木曜日", "金曜日", "土曜日", "日曜日"),
)


def other_amounts(surface: str) -> list[str]:
    """Three other amounts written like `surface`: "14 days" gives "28 days", "42 days", "7 days".
    Clocks move by hours, weekdays along the week. Empty for a text without an amount.
    """
    for week in _WEEKDAYS:
        if surface in week:
            return [week[(week.index(surface) + step) % 7] for step in (1, 3, 5)]
    if not _NUMBER.search(surface):
        return []
    if re.search(r"\d:00", surface):
        return [
            re.sub(r"(?<!\d)(\d{1,2}):00", lambda m, by=by: f"{(int(m[1]) + by) % 24}:00", surface)  # type: ignore[misc]
            for by in _HOURS
        ]
    found = (_NUMBER.sub(lambda m, by=by: _times(m[0], by), surface) for by in _TIMES)  # type: ignore[misc]
    others = (text for text in dict.fromkeys(found) if text != surface)
    return [text for text in others if not _ONE.fullmatch(text)][:3]


def _times(number: str, by: float) -> str:
    value = float(number.replace(",", "")) * by
    decimals = len(number.partition(".")[2])
    comma = "," if "," in number or (value >= 1000 and not decimals) else ""
    return format(value if decimals else max(1, int(value + 0.5)), f"{comma}.{decimals}f")


def wrong_answers(question: Question) -> list[str]:
    """The question's reference with another amount in the place of its first fact, three times;
    none where the reference does not hold the fact literally.
    """
    reference = question.reference or ""
    surfaces = next(iter(question.expected()), ())
    right = next((surface for surface in surfaces if surface in reference), None)
    if right is None:
        return []
    return [reference.replace(right, other) for other in other_amounts(right)]


def changed(shop: Shop, ids: Sequence[str]) -> Shop:
    """The shop after a change of policy: the facts of `ids` have another amount, and the held-out
    questions about these expect it.

    Raises WorkshopError for an unknown id, and for a fact without an amount that can change.
    """
    language, after = shop.language, Shop(shop.language)
    new = {id: _changed(shop.facts.by_id(id), language) for id in ids}
    kept = tuple(new.get(fact.id, fact) for fact in shop.facts)
    after.facts = ShopFacts(kept, shop.facts.shop_name)
    asked = []
    for question in shop.questions:
        fact = new.get(fact_id(question))
        asked.append(replace(question, facts=fact.values[language]) if fact else question)
    after.questions = ShopQuestions(asked, after.facts)
    return after


def _changed(fact: Fact, language: str) -> Fact:
    first, *rest = fact.values[language]
    old = next((surface for surface in first if surface in fact.statement[language]), "")
    others = other_amounts(old)
    if not others:
        raise WorkshopError(f'The fact "{fact.id}" holds no amount that could change.')
    values: tuple[Surfaces, ...] = ((others[0],), *rest)
    statement = fact.statement[language].replace(old, others[0])
    return replace(
        fact,
        values={**fact.values, language: values},
        statement={**fact.statement, language: statement},
    )


def fact_id(question: Question) -> str:
    """The fact that a question of the shop asks for: its id is "FACT-NUMBER"."""
    return (question.id or "").rpartition("-")[0]


def referenced(questions: Sequence[Question]) -> list[Question]:
    """The questions, where they know the shop's facts each with the statement of its fact as the
    reference answer, if it has none.
    """
    facts = questions.facts if isinstance(questions, ShopQuestions) else ()
    known = {fact.id: fact for fact in facts}

    def one(question: Question) -> Question:
        fact = known.get(fact_id(question))
        if question.reference or fact is None:
            return question
        return replace(question, reference=fact.statement[question.answer_language()])

    return list(map(one, questions))
