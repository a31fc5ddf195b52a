"""What tuning cost: the same questions, which have nothing to do with the shop, before and after.

The probe is `data/probe/questions.LANGUAGE.jsonl`, drawn from phrasings, shops and values that
`mame`'s pretraining held out. A model that was tuned too hard answers them worse than its base:
catastrophic forgetting.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.artifacts import data_path
from ..core.errors import WorkshopError
from ..core.showing import Shown
from ..core.wordings import LANGUAGES
from ..dataset.questions import read_questions
from ..metrics.quantities import quantities
from ..metrics.scoring import Question, score_answer
from ..training.report import TrainingReport
from .candidates import model_path

if TYPE_CHECKING:
    from ..core.device import Device

# Kinds of question in the probe, in the order in which they are shown.
KINDS = ("general_knowledge", "facts_in_prompt", "not_in_information")


@dataclass(frozen=True)
class ForgettingReport(Shown):
    """`shares`: for each model's label, kind → share of right answers from 0 to 1; `questions`: of
    each kind; `language`: theirs.
    """

    shares: dict[str, dict[str, float]]
    questions: dict[str, int]
    language: str

    def __or__(self, other: ForgettingReport) -> ForgettingReport:
        """Both as one: this one's models, then the other's. WorkshopError where they asked other
        questions.
        """
        if (self.questions, self.language) != (other.questions, other.language):
            raise WorkshopError("Two probes with different questions do not compare.")
        return replace(self, shares={**self.shares, **other.shares})

    def to_dict(self) -> dict[str, Any]:
        """All fields, as JSON takes them."""
        return asdict(self)


def probe_questions(language: str, *, per_kind: int | None = None) -> dict[str, list[Question]]:
    """The bundled probe in "en" or "ja" by kind, the first `per_kind` of each (None: all)."""
    if language not in LANGUAGES:
        raise WorkshopError(f"The probe speaks {', '.join(LANGUAGES)}, not {language!r}.")
    found: dict[str, list[Question]] = {kind: [] for kind in KINDS}
    for question in read_questions(data_path("probe", f"questions.{language}.jsonl")):
        found[question.topic or KINDS[0]].append(question)
    return {kind: questions[:per_kind] for kind, questions in found.items()}


def probe(
    models: Mapping[str, str | Path | TrainingReport],
    language: str = "en",
    *,
    per_kind: int | None = None,
    device: Device | str | None = None,
    max_new_tokens: int = 120,
) -> ForgettingReport:
    """Ask every model (label → a model as `open_runtime` takes it, or a TrainingReport) the bundled
    probe and score the answers.

    "general_knowledge": a right word or number is stated. "facts_in_prompt": the share of the asked
    values from the system prompt that the answer states. "not_in_information": the
    asked fact does not stand there, and the answer names no figure but those of the question.
    """
    from ..runtimes import open_runtime

    if not models:
        raise WorkshopError("There is nothing to probe: give at least one model.")
    by_kind = probe_questions(language, per_kind=per_kind).items()
    questions = {kind: of_kind for kind, of_kind in by_kind if of_kind}
    asked = [question for kind in questions.values() for question in kind]
    shares: dict[str, dict[str, float]] = {}
    for label, model in models.items():
        with open_runtime(model_path(model), device=device) as runtime:
            answers = runtime.answer([q.messages() for q in asked], max_new_tokens=max_new_tokens)
        scores = iter([_right(a.text, q) for a, q in zip(answers, asked, strict=True)])
        shares[label] = {
            kind: sum(next(scores) for _ in of_kind) / len(of_kind)
            for kind, of_kind in questions.items()
        }
    return ForgettingReport(shares, {kind: len(of) for kind, of in questions.items()}, language)


def _right(answer: str, question: Question) -> float:
    if question.facts:
        return score_answer(answer, question).recall or 0.0
    allowed = {known.amount for known in quantities(question.question)}
    return float(bool(answer.strip()) and all(f.amount in allowed for f in quantities(answer)))
