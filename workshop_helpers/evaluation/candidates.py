"""Who is compared: models under labels, and what people call them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..core.wordings import entries, say
from ..dataset.formats import Conversation
from ..metrics.scoring import Question
from ..training.report import TrainingReport


@dataclass(frozen=True)
class Candidate:
    """A model to compare, under a label.

    model: anything `runtimes.open_runtime` opens. system: a system prompt for every question
    (prompt engineering); it takes the place of a question's own. look_up: gives the system prompt
    for a question's text (retrieval), and goes before `system`. examples: rows shown as earlier
    turns of every conversation (few-shot). name: what tables and plots call the candidate, if not
    its label.
    """

    label: str
    model: str | Path
    system: str | None = None
    name: str | None = None
    examples: tuple[Conversation, ...] = ()
    look_up: Callable[[str], str] | None = None

    def system_for(self, question: Question) -> str | None:
        """The system prompt that stands before the question."""
        if self.look_up is not None:
            return self.look_up(question.question)
        return question.system if self.system is None else self.system

    def messages(self, question: Question) -> list[dict[str, str]]:
        """All that the model reads of a question, as chat templates take it."""
        *system, asked = replace(question, system=self.system_for(question)).messages()
        shown = (m for row in self.examples for m in row.messages if m.role != "system")
        return [*system, *({"role": m.role, "content": m.content} for m in shown), asked]

    def judged(self, question: Question) -> Question:
        """The question as its answer is judged: what the model was given counts as known."""
        given = [m["content"] for m in self.messages(question)[:-1]]
        return replace(question, system="\n".join(given) or None)


Candidates = Iterable[Candidate] | Mapping[str, str | Path | TrainingReport | Candidate]


def as_candidates(candidates: Candidates, language: str) -> list[Candidate]:
    """Candidates as `compare` takes them: a list, or a mapping of labels to a model, a
    TrainingReport or a prompted model, with names in `language`.
    """
    if not isinstance(candidates, Mapping):
        return list(candidates)
    found = []
    for label, thing in candidates.items():
        one = thing if isinstance(thing, Candidate) else Candidate(label, model_path(thing))
        found.append(replace(one, label=label, name=candidate_name(label, language)))
    return found


def candidate_name(label: str, language: str) -> str:
    """What people call the candidate of that label in a mapping: "base", "prompt", "few-shot",
    "retrieval", "100" (rows) and "100+general" have names in each language, any other label is the
    name.
    """
    if label in entries("candidates").keys() - {"tuned", "tuned-mixed"}:
        return say(f"candidates.{label}", language)
    rows = re.fullmatch(r"(\d+)(\+general)?", label)
    if rows is None:
        return label
    return say(f"candidates.tuned{'-mixed' if rows[2] else ''}", language, n=int(rows[1]))


def model_path(model: str | Path | TrainingReport) -> str | Path:
    """The model itself, or the adapter of a training."""
    return model.adapter if isinstance(model, TrainingReport) else model


def questions_language(questions: Sequence[Question]) -> str:
    """The language of most answers, "en" or "ja"; results show themselves in it."""
    japanese = sum(question.answer_language() == "ja" for question in questions)
    return "ja" if 2 * japanese > len(questions) else "en"
