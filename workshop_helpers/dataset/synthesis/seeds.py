"""What a new row grows from: an existing row, or a fact."""

from __future__ import annotations

from dataclasses import dataclass

from ...metrics.facts import Fact, ShopFacts, Surfaces
from ...metrics.language import detect_language
from ...metrics.quantities import quantities
from ..formats import Conversation, Message


@dataclass(frozen=True)
class Seed:
    """What a new row grows from.

    `row`: the row that is asked anew. `facts`: those it states (none where no facts file is given).
    `expected`: what the new answer must say. `known`: texts whose figures it may say. `fact`: the
    question is made from this fact, and `row` holds only a stand-in for it.
    """

    row: Conversation
    facts: tuple[Fact, ...] = ()
    expected: tuple[Surfaces, ...] = ()
    known: tuple[str, ...] = ()
    fact: Fact | None = None


_STAND_IN = {
    "en": (
        "Please tell me {name}.",
        "Could you tell me {name}?",
        "I would like to know {name}.",
        "Hello, what can you tell me about {name}?",
    ),
    "ja": (
        "{name}を教えてください。",
        "{name}について教えていただけますか？",
        "{name}が知りたいです。",
        "すみません、{name}はどうなっていますか？",
    ),
}


def find_seeds(rows: list[Conversation], shop: ShopFacts | None, language: str) -> list[Seed]:
    """The seeds in rows of that language, with what they state of the facts; without rows, the
    facts themselves.
    """
    if rows:
        return [
            _seed(row, shop, language)
            for row in rows
            if detect_language(row.question) in (language, "?")
        ]
    assert shop is not None
    found = []
    for number, template in enumerate(_STAND_IN[language]):
        for fact in shop:
            messages = (
                Message("user", template.format(name=fact.name[language])),
                Message("assistant", fact.statement[language]),
            )
            row = Conversation(messages, extra={"topic": fact.topic})
            values = fact.values[language]
            known = (fact.statement[language],)
            # The first time round a question is made from the fact; later ones start from other
            # words.
            found.append(Seed(row, (fact,), values, known, fact if number == 0 else None))
    return found


def _seed(row: Conversation, shop: ShopFacts | None, language: str) -> Seed:
    facts = tuple(fact for fact in shop or () if fact.stated(row.answer, language))
    if facts:
        values = tuple(dict.fromkeys(value for fact in facts for value in fact.values[language]))
        known = (row.answer, *(fact.statement[language] for fact in facts))
        return Seed(row, facts, values, known)
    # No facts file, or none of its facts in this row: its own figures must come back.
    said = dict.fromkeys((figure.surface,) for figure in quantities(row.answer))
    return Seed(row, (), tuple(said), (row.answer,))
