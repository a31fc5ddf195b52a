"""What new rows grow from: existing rows, or facts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ...core.cards import file_hash
from ...core.errors import WorkshopError
from ...core.wordings import entries, say
from ...metrics.facts import Fact, ShopFacts, Surfaces
from ...metrics.language import detect_language
from ...metrics.quantities import quantities
from ..formats import Conversation, Message, read_conversations
from ..questions import read_questions


@dataclass(frozen=True)
class Seed:
    """The basis of a new row.

    `row`: the row to rephrase. `facts`: those it states (none where no facts file is given).
    `expected`: what the new answer must say. `known`: texts whose figures it may say. `fact`: the
    question is made from this fact, and `row` holds only a stand-in for it.
    """

    row: Conversation
    facts: tuple[Fact, ...] = ()
    expected: tuple[Surfaces, ...] = ()
    known: tuple[str, ...] = ()
    fact: Fact | None = None


@dataclass(frozen=True)
class Sources:
    """The files that new rows grow from, and the language of the rows, "en" or "ja".

    `rows`: a file of rows; those in another language are left out. `facts`: a facts file: true
    facts are copied from it, and each row is checked against it. Without one, a new row must state
    the figures of the row it comes from. `against`: files whose questions must not come up, such as
    the held-out ones.
    """

    language: str
    rows: str | Path | None = None
    facts: str | Path | None = None
    against: Sequence[str | Path] = ()

    @property
    def inputs(self) -> dict[str, Any]:
        """The language and the hashes of the files, for a card."""
        return {
            "language": self.language,
            "source": file_hash(self.rows) if self.rows is not None else None,
            "facts": file_hash(self.facts) if self.facts is not None else None,
            "against": sorted(file_hash(path) for path in self.against),
        }

    def load(self) -> Material:
        """What the files hold. Raises WorkshopError where there is nothing to grow from."""
        if self.rows is None and self.facts is None:
            raise WorkshopError("Rows grow from rows or facts: give rows=, facts= or both.")
        material = Material(
            self.language,
            read_conversations(self.rows) if self.rows is not None else [],
            ShopFacts.load(self.facts) if self.facts is not None else None,
            [question for path in self.against for question in _questions(path)],
        )
        if not material.seeds:
            raise WorkshopError(
                f"{self.rows} holds no row in {self.language!r}, so there is nothing to grow from."
            )
        return material


@dataclass
class Material:
    """What new rows grow from, and the `held` questions that must not come up."""

    language: str
    rows: list[Conversation] = field(default_factory=list)
    shop: ShopFacts | None = None
    held: list[str] = field(default_factory=list)

    @cached_property
    def seeds(self) -> list[Seed]:
        """The rows in that language, with what they state of the facts; without rows, the facts
        themselves.
        """
        if self.rows:
            languages = (self.language, "?")
            rows = [row for row in self.rows if detect_language(row.question) in languages]
            return [self._of_row(row) for row in rows]
        stand_ins = [name for name in entries("synthesis") if name.startswith("stand-in-")]
        # The first time round a question is made from the fact; later ones start from other words.
        return [
            self._of_fact(fact, name, first=name == stand_ins[0])
            for name in stand_ins
            for fact in self.shop or ()
        ]

    def _of_fact(self, fact: Fact, stand_in: str, *, first: bool) -> Seed:
        question = say(f"synthesis.{stand_in}", self.language, name=fact.name[self.language])
        statement = fact.statement[self.language]
        messages = (Message("user", question), Message("assistant", statement))
        row = Conversation(messages, extra={"topic": fact.topic})
        values = fact.values[self.language]
        return Seed(row, (fact,), values, (statement,), fact if first else None)

    def _of_row(self, row: Conversation) -> Seed:
        language = self.language
        facts = tuple(fact for fact in self.shop or () if fact.stated(row.answer, language))
        if facts:
            values = dict.fromkeys(value for fact in facts for value in fact.values[language])
            known = (row.answer, *(fact.statement[language] for fact in facts))
            return Seed(row, facts, tuple(values), known)
        # No facts file, or none of its facts in this row: its own figures must come back.
        said = dict.fromkeys((figure.surface,) for figure in quantities(row.answer))
        return Seed(row, (), tuple(said), (row.answer,))


def _questions(path: str | Path) -> list[str]:
    """The questions of a training file or of a questions file (which has no answers)."""
    try:
        return [row.question for row in read_conversations(path)]
    except WorkshopError as error:
        try:
            return [question.question for question in read_questions(path)]
        except WorkshopError:
            raise error from None
