"""The bundled shop in one language: rows to train on, questions to ask, and what is true."""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property
from pathlib import Path
from typing import Any

from ..core.artifacts import data_path
from ..core.errors import WorkshopError
from ..core.wordings import LANGUAGES
from ..dataset.formats import Conversation, read_conversations
from ..dataset.questions import read_questions
from ..metrics.facts import Fact, ShopFacts
from ..metrics.scoring import Question
from ..metrics.search import Search
from .candidates import Candidate


class ShopQuestions(list[Question]):
    """Questions that know the shop's `facts`, against which an answer's figures are judged; so does
    a part of them.
    """

    def __init__(self, questions: list[Question], facts: ShopFacts) -> None:
        super().__init__(questions)
        self.facts = facts

    def __getitem__(self, place: Any) -> Any:
        found: Any = super().__getitem__(place)
        return ShopQuestions(found, self.facts) if isinstance(place, slice) else found


def questions_of(path: str | Path, facts: str | Path | None = None) -> list[Question]:
    """The questions of a file, of questions or of rows (see `read_questions`). They know the facts
    of `facts`, else of a facts.yaml beside them, so that every command judges alike. Raises
    WorkshopError for a file that cannot be read.
    """
    questions = read_questions(path)
    beside = Path(facts) if facts is not None else Path(path).with_name("facts.yaml")
    if facts is None and not beside.is_file():
        return questions
    return ShopQuestions(questions, ShopFacts.load(beside))


class Shop:
    """The bundled shop in `language` ("en" or "ja"). What it holds is read when it is asked for.

    Raises WorkshopError for another language.
    """

    def __init__(self, language: str) -> None:
        if language not in LANGUAGES:
            raise WorkshopError(f'There is no shop in "{language}"; choose from en, ja.')
        self.language = language

    def file(self, name: str) -> Path:
        """The file of "train", "validation", "questions" or "general"."""
        return data_path("shop", f"{name}.{self.language}.jsonl")

    @cached_property
    def facts(self) -> ShopFacts:
        """What the shop promises, in both languages."""
        return ShopFacts.load()

    @cached_property
    def train(self) -> list[Conversation]:
        """The rows to train on."""
        return self._rows("train")

    @cached_property
    def general(self) -> list[Conversation]:
        """General rows, to mix in against forgetting."""
        return self._rows("general")

    @cached_property
    def questions(self) -> ShopQuestions:
        """The held-out questions."""
        return ShopQuestions(read_questions(self.file("questions")), self.facts)

    @cached_property
    def validation(self) -> ShopQuestions:
        """Questions to choose a recipe by, so that the held-out ones stay unseen."""
        return ShopQuestions(read_questions(self.file("validation")), self.facts)

    def about(self, ids: Collection[str]) -> tuple[list[Conversation], ShopQuestions]:
        """The rows and the held-out questions on these facts alone: rows whose answer states one of
        them and no other fact of the shop.
        """

        def facts(row: Conversation) -> list[str]:
            return [fact.id for fact in self.facts if fact.stated(row.answer, self.language)]

        rows = [row for row in self.train if (found := facts(row)) and set(found) <= set(ids)]
        asked = [q for q in self.questions if (q.id or "").rpartition("-")[0] in ids]
        return rows, ShopQuestions(asked, self.facts)

    @property
    def system_prompt(self) -> str:
        """The facts as a system prompt."""
        return self.facts.system_prompt(self.language)

    def prompted(self, model: str | Path) -> Candidate:
        """The model with the facts in its system prompt: a candidate for `compare`."""
        return Candidate("prompt", model, system=self.system_prompt)

    def few_shot(self, model: str | Path, n: int = 6) -> Candidate:
        """The model with `n` typical training rows shown before every question. WorkshopError for
        more examples than there are rows.
        """
        from ..runtimes.ollama.prompted import choose_examples

        return Candidate("few-shot", model, examples=tuple(choose_examples(self.train, n)))

    def retrieved(self, model: str | Path, n: int = 3) -> Candidate:
        """The model with only those `n` facts in its system prompt that fit the question best."""

        def look_up(question: str) -> str:
            ids = [fact.id for fact in self.search(question, n)]
            return self.facts.system_prompt(self.language, ids)

        return Candidate("retrieval", model, look_up=look_up)

    def search(self, question: str, n: int = 3) -> list[Fact]:
        """The `n` facts whose name and statement fit the question best, the best first."""
        facts = list(self.facts)
        return [facts[place] for place in self._index.best(question, n)]

    @cached_property
    def _index(self) -> Search:
        language = self.language
        return Search([f"{fact.name[language]} {fact.statement[language]}" for fact in self.facts])

    def _rows(self, name: str) -> list[Conversation]:
        return read_conversations(self.file(name))
