"""A whole evaluation: facts with their intervals, likeness to references, perplexity, a judge."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import WorkshopError
from ..core.showing import Shown
from ..metrics.overlap import Overlap, overlap
from ..metrics.scoring import Question
from .altered import fact_id, referenced
from .candidates import Candidates
from .comparison import CandidateResult, Comparison, compare
from .intervals import Interval, bootstrap, difference
from .judge import Judgement, by_facts, judge
from .perplexity import ReferenceLoss, reference_loss
from .shop import questions_of

if TYPE_CHECKING:
    from ..core.device import Device
    from ..runtimes.openai import ChatServer


@dataclass(frozen=True)
class Evaluated:
    """One model: its recall of facts with the interval; how much it rises over the first model's
    (None for the first); both None where no question expects facts. overlap, loss: on the questions
    with a reference, None without any; loss is None, too, for a model that gives no probabilities.
    judged: against the first model ("first" is that one), None without a judge.
    """

    name: str
    recall: Interval | None
    rise: Interval | None
    overlap: Overlap | None
    loss: ReferenceLoss | None
    judged: Judgement | None

    def to_dict(self) -> dict[str, Any]:
        """All parts, as JSON takes them."""
        parts = ("recall", "rise", "overlap", "loss", "judged")
        told = {part: getattr(self, part) for part in parts}
        return {"name": self.name, **{part: one and one.to_dict() for part, one in told.items()}}


@dataclass
class Evaluation(Shown):
    """The comparison that the figures are of, and one row a model."""

    comparison: Comparison
    rows: list[Evaluated] = field(default_factory=list)

    @property
    def language(self) -> str:
        """The language of the questions, "en" or "ja"."""
        return self.comparison.language

    def to_dict(self) -> dict[str, Any]:
        """The rows, and every answer with its scores, as JSON takes them."""
        return {
            "models": [row.to_dict() for row in self.rows],
            "answers": self.comparison.records(),
        }


def evaluate(
    candidates: Candidates,
    questions: Sequence[Question] | str | Path,
    *,
    server: ChatServer | None = None,
    device: Device | str | None = None,
    max_new_tokens: int = 160,
    progress: bool | Callable[[CandidateResult], None] = True,
) -> Evaluation:
    """Ask the candidates, as `compare` does, and measure more of the answers.

    Intervals are drawn by fact where the questions say which fact they ask for. The shop's
    questions have the statements of its facts as references. `server`: an open judge, which
    compares the answers of every later candidate with the first one's. Raises WorkshopError as
    `compare` does, and for a judge with less than two models to compare.
    """

    if isinstance(questions, (str, Path)):
        questions = questions_of(questions)
    shop = getattr(questions, "facts", None)
    asked = referenced(questions)
    if server is not None and len(list(candidates)) < 2:
        raise WorkshopError(
            "A judge compares two answers: give at least two models, the first of them the one "
            "that the others are compared with."
        )
    how: dict[str, Any] = {"device": device, "max_new_tokens": max_new_tokens}
    found = compare(candidates, asked, shop=shop, progress=progress, **how)
    first, groups = found.rows[0], _groups(asked)
    before, rows = _recalls(first), list[Evaluated]()
    for row in found.rows:
        recalls, pairs = _recalls(row), _with_reference(row, asked)
        later = row is not first
        rows.append(
            Evaluated(
                row.name,
                recall=bootstrap(recalls, groups) if recalls else None,
                rise=difference(before, recalls, groups) if recalls and later else None,
                overlap=overlap(*zip(*pairs, strict=True)) if pairs else None,
                loss=_loss(row, asked, device) if pairs else None,
                judged=_judged(server, found, first, row) if server and later else None,
            )
        )
    return Evaluation(found, rows)


def _loss(row: CandidateResult, asked: Sequence[Question], device: Any) -> ReferenceLoss | None:
    """None for a candidate that reads more than the question, and behind a server."""
    from ..models.resolve import resolve

    one = row.candidate
    if one.system or one.look_up or one.examples or resolve(one.model).kind == "ollama":
        return None
    return reference_loss(one.model, asked, device=device)


def _judged(
    server: ChatServer, found: Comparison, first: CandidateResult, row: CandidateResult
) -> Judgement:
    a, b = ([answer.text for answer in one.answers] for one in (first, row))
    better = by_facts(first.scores, row.scores)
    return judge(server, found.questions, a, b, better, language=found.language)


def _with_reference(row: CandidateResult, asked: Sequence[Question]) -> list[tuple[str, str]]:
    """Answers beside their references, where there are any."""
    both = zip(row.answers, asked, strict=True)
    return [(answer.text, question.reference) for answer, question in both if question.reference]


def _recalls(row: CandidateResult) -> list[float]:
    """Recall of the answers to the questions that expect facts."""
    return [score.recall for score in row.scores if score.recall is not None]


def _groups(asked: Sequence[Question]) -> list[str] | None:
    """The fact that each of these questions asks for, where all say it."""
    facts = [fact_id(question) for question in asked if question.facts]
    return facts if all(facts) else None
