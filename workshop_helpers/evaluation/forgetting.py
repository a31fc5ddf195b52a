"""What tuning cost: the same questions, which have nothing to do with the shop, before and after.

The probe is `data/probe/questions.LANGUAGE.jsonl`, drawn from phrasings, shops and values that
`mame`'s pretraining held out. A model that was tuned too hard answers them worse than its base:
catastrophic forgetting.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.artifacts import data_path
from ..core.errors import WorkshopError
from ..dataset.questions import read_questions
from ..metrics.quantities import quantities
from ..metrics.scoring import Question, score_answer
from .comparison import percent

if TYPE_CHECKING:
    from rich.table import Table

    from ..core.device import Device

# Kinds of question in the probe, in the order in which they are shown.
KINDS = ("general_knowledge", "facts_in_prompt", "not_in_information")
HEADINGS = {
    "en": {
        "model": "model",
        "general_knowledge": "general knowledge",
        "facts_in_prompt": "facts copied from the prompt",
        "not_in_information": "invents no figure when the prompt lacks the fact",
    },
    "ja": {
        "model": "モデル",
        "general_knowledge": "一般知識",
        "facts_in_prompt": "プロンプトの事実を答える",
        "not_in_information": "プロンプトにない数字を作らない",
    },
}


@dataclass(frozen=True)
class Probe:
    """`shares`: for each model's label, kind → share of right answers from 0 to 1; `questions`: of
    each kind.
    """

    shares: dict[str, dict[str, float]]
    questions: dict[str, int]
    language: str

    def __or__(self, other: Probe) -> Probe:
        """Both tables as one: this one's models, then the other's."""
        if (self.questions, self.language) != (other.questions, other.language):
            raise WorkshopError("Two probes with different questions do not compare.")
        return Probe({**self.shares, **other.shares}, self.questions, self.language)

    def to_dict(self) -> dict[str, Any]:
        """All fields, as JSON takes them."""
        return asdict(self)

    def table(self) -> Table:
        """A table for the terminal (rich), one line per model."""
        from rich import box
        from rich.table import Table

        table = Table(box=box.SIMPLE_HEAD)
        head, *columns = self._head()
        table.add_column(head)
        for name in columns:
            table.add_column(name, justify="right")
        for label, cells in self._rows():
            table.add_row(label, *cells)
        return table

    def to_html(self) -> str:
        """The same table as an HTML fragment."""
        head = "".join(f"<th>{html.escape(name)}</th>" for name in self._head())
        body = "".join(
            f"<tr><th>{html.escape(label)}</th>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
            for label, cells in self._rows()
        )
        return f'<table class="probe"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'

    _repr_html_ = to_html

    def __repr__(self) -> str:
        return "\n".join(f"{label}: {', '.join(cells)}" for label, cells in self._rows())

    def _head(self) -> list[str]:
        words = HEADINGS[self.language]
        return [words["model"], *(f"{words[kind]} (n={n})" for kind, n in self.questions.items())]

    def _rows(self) -> list[tuple[str, list[str]]]:
        return [
            (label, [percent(row[kind]) for kind in self.questions])
            for label, row in self.shares.items()
        ]


def probe_questions(language: str, *, per_kind: int | None = None) -> dict[str, list[Question]]:
    """The bundled probe of a language ("en", "ja") by kind, the first `per_kind` of each (None:
    all).
    """
    if language not in HEADINGS:
        raise WorkshopError(f"The probe speaks {', '.join(HEADINGS)}, not {language!r}.")
    found: dict[str, list[Question]] = {kind: [] for kind in KINDS}
    for question in read_questions(data_path("probe", f"questions.{language}.jsonl")):
        found[question.topic or KINDS[0]].append(question)
    return {kind: questions[:per_kind] for kind, questions in found.items()}


def probe(
    models: Mapping[str, str | Path],
    language: str = "en",
    *,
    per_kind: int | None = None,
    device: Device | str | None = None,
    max_new_tokens: int = 120,
) -> Probe:
    """Ask every model (label → model, as `open_runtime` takes it) the bundled probe and score the
    answers.

    "general_knowledge": a right word or number is stated. "facts_in_prompt": the share of the asked
    values, which stand in the system prompt, that the answer states. "not_in_information": the
    asked fact does not stand there, and the answer names no figure but those of the question.
    """
    from ..runtimes import open_runtime

    if not models:
        raise WorkshopError("There is nothing to probe: give at least one model.")
    questions = probe_questions(language, per_kind=per_kind)
    asked = [question for kind in questions.values() for question in kind]
    shares: dict[str, dict[str, float]] = {}
    for label, model in models.items():
        with open_runtime(model, device=device) as runtime:
            answers = runtime.answer([q.messages() for q in asked], max_new_tokens=max_new_tokens)
        scores = iter([_right(a.text, q) for a, q in zip(answers, asked, strict=True)])
        shares[label] = {
            kind: sum(next(scores) for _ in of_kind) / len(of_kind)
            for kind, of_kind in questions.items()
            if of_kind
        }
    return Probe(shares, {kind: len(of) for kind, of in questions.items() if of}, language)


def _right(answer: str, question: Question) -> float:
    if question.facts:
        return score_answer(answer, question).recall or 0.0
    allowed = {figure.amount for figure in quantities(question.question)}
    return float(bool(answer.strip()) and all(f.amount in allowed for f in quantities(answer)))
