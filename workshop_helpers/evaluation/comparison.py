"""Who answered what: the same questions to several models, before and after, prompted and tuned."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.artifacts import atomic_file
from ..core.errors import WorkshopError
from ..core.jsonio import to_json
from ..core.showing import Shown, display
from ..core.wordings import say
from ..metrics.facts import ShopFacts
from ..metrics.scoring import Question, Score, Summary, score_answer, summarise
from .candidates import Candidate, Candidates, as_candidates, questions_language
from .shop import ShopQuestions, questions_of

if TYPE_CHECKING:
    from ..core.device import Device
    from ..models.chat import Answer
    from ..runtimes.base import Runtime


@dataclass
class CandidateResult:
    """One candidate's answers and scores, in the order of the questions; seconds of answering."""

    candidate: Candidate
    answers: list[Answer]
    scores: list[Score]
    summary: Summary
    seconds: float

    @property
    def label(self) -> str:
        """The candidate's label."""
        return self.candidate.label

    @property
    def name(self) -> str:
        """What tables and plots call the candidate."""
        return self.candidate.name or self.label

    @property
    def prompt_tokens(self) -> float:
        """How many tokens the candidate read for a question, on average."""
        return sum(answer.prompt_tokens for answer in self.answers) / len(self.answers)


@dataclass(frozen=True)
class Learned:
    """What one candidate states that another does not: both recalls, questions gained and lost."""

    before: float | None
    after: float | None
    gained: tuple[Question, ...]
    lost: tuple[Question, ...]


@dataclass(frozen=True)
class Fault:
    """An answer that is not right, of the model of that name, and why not."""

    model: str
    question: str
    answer: str
    why: str


def why_wrong(score: Score, language: str) -> str:
    """What is not right about an answer, as a sentence in `language`; "" for a right one."""
    right = {"right": list(score.missing)}
    said = [text for text in score.unsupported if text not in score.contradicted]
    parts = [
        say("scoring.contradicted", language, said=list(score.contradicted), **right)
        if score.contradicted
        else say("scoring.missing", language, **right)
        if score.missing
        else "",
        say("scoring.invented", language, said=said) if said else "",
    ]
    return "; ".join(filter(None, parts)) if language == "en" else "。".join(filter(None, parts))


@dataclass
class Comparison(Shown):
    """The questions and one row per candidate, in the order in which they were given."""

    questions: list[Question]
    rows: list[CandidateResult]
    shop: ShopFacts | None = field(default=None, repr=False)

    @property
    def language(self) -> str:
        """The language of the questions, "en" or "ja", in which the comparison shows itself."""
        return questions_language(self.questions)

    def row(self, label: str) -> CandidateResult:
        """The row of that label; WorkshopError with the labels there are."""
        for row in self.rows:
            if row.label == label:
                return row
        labels = ", ".join(row.label for row in self.rows)
        raise WorkshopError(f'No candidate is called "{label}"; there are: {labels}.')

    def of(self, *labels: str) -> Comparison:
        """The same with the rows of these labels only, in that order; WorkshopError as `row`."""
        return replace(self, rows=[self.row(label) for label in labels])

    def __or__(self, other: Comparison) -> Comparison:
        """Both as one: this one's rows, then the other's. WorkshopError where they asked other
        questions, or use a label twice.
        """
        if self.questions != other.questions:
            raise WorkshopError("Two comparisons with different questions do not compare.")
        _check_labels([row.label for row in (*self.rows, *other.rows)])
        return replace(self, rows=[*self.rows, *other.rows])

    def places(self, which: str = "all") -> tuple[int, ...]:
        """The places (from 0) of the questions: "all" of them; those where the rows "differ" in the
        facts they state; where one has "missed" a fact; or where one is "wrong", which is to
        contradict a fact or to invent a figure.
        """
        kinds: dict[str, Callable[[list[Score]], bool]] = {
            "all": lambda scores: True,
            "differ": lambda scores: len({score.found for score in scores}) > 1,
            "missed": lambda scores: any(s.missing for s in scores),
            "wrong": lambda scores: any(s.contradicted or s.unsupported for s in scores),
        }
        if which not in kinds:
            raise WorkshopError(f'There are no "{which}" questions; choose {", ".join(kinds)}.')
        of_all = zip(*(row.scores for row in self.rows), strict=True)
        return tuple(n for n, scores in enumerate(of_all) if kinds[which](list(scores)))

    def learned(self, label: str, than: str | None = None) -> Learned:
        """What `label` states that `than` (the first candidate, unless named) does not."""
        before = self.row(than) if than else self.rows[0]
        after = self.row(label)
        pairs = list(zip(self.questions, before.scores, after.scores, strict=True))
        return Learned(
            before=before.summary.recall,
            after=after.summary.recall,
            gained=tuple(q for q, b, a in pairs if (b.recall or 0) < (a.recall or 0)),
            lost=tuple(q for q, b, a in pairs if (b.recall or 0) > (a.recall or 0)),
        )

    def side_by_side(self, k: int | Sequence[int] = 3) -> SideBySide:
        """Answers beside each other: of `k` questions where the candidates differ most, or of those
        at the given places (from 0).
        """
        if not isinstance(k, int):
            return SideBySide(self, tuple(range(len(self.questions))[i] for i in k))

        def spread(i: int) -> tuple[float, int]:
            scores = [row.scores[i] for row in self.rows]
            recalls = [score.recall or 0.0 for score in scores]
            # Right, hedged and wrong beside each other show more than right and hedged.
            kinds = {(s.recall == 1, bool(s.contradicted or s.unsupported)) for s in scores}
            return max(recalls) - min(recalls), len(kinds)

        places = range(len(self.questions))
        order = sorted(places, key=spread, reverse=True)  # of equals the first stays first
        return SideBySide(self, tuple(sorted(order[:k])))

    def bars(self) -> Any:
        """A plot: facts stated, and answers with a wrong figure, of each candidate."""
        return display().recall_bars(self)

    def faults(self, language: str | None = None) -> list[Fault]:
        """The answers that are not right: first those that say something wrong, then those that
        leave something out; each with the reason in `language`.
        """
        judged = [
            (score, Fault(row.name, question.question, answer.text.strip(), why))
            for row in self.rows
            for question, answer, score in zip(self.questions, row.answers, row.scores, strict=True)
            if (why := why_wrong(score, language or self.language))
        ]
        return [fault for _, fault in sorted(judged, key=lambda one: not one[0].wrong)]

    def unscored(self) -> int:
        """How many questions expect no facts."""
        return sum(not question.facts for question in self.questions)

    def records(self) -> list[dict[str, Any]]:
        """One record an answer: model (the label), question, answer, found, missing, contradicted,
        invented, likeness (to the reference answer), why (it is not right), seconds.
        """
        return [
            {
                "model": row.label,
                "question": question.question,
                "answer": answer.text,
                "found": list(score.found),
                "missing": list(score.missing),
                "contradicted": list(score.contradicted),
                "invented": list(score.unsupported),
                "likeness": None if score.likeness is None else round(score.likeness, 4),
                "why": why_wrong(score, self.language),
                "seconds": round(answer.seconds, 4),
            }
            for row in self.rows
            for question, answer, score in zip(self.questions, row.answers, row.scores, strict=True)
        ]

    def answers_jsonl(self, path: str | Path) -> Path:
        """Write `records` atomically, one object per line (UTF-8); returns the path."""
        with atomic_file(Path(path)) as temporary:
            lines = [to_json(record, indent=None) + "\n" for record in self.records()]
            temporary.write_text("".join(lines), encoding="utf-8")
        return Path(path)

    def to_dict(self) -> dict[str, Any]:
        """Questions, and per candidate its summary, answers and scores, as JSON takes them."""
        return {
            "questions": [asdict(question) for question in self.questions],
            "candidates": [
                {
                    "label": row.label,
                    "model": str(row.candidate.model),
                    "system": row.candidate.system,
                    "seconds": round(row.seconds, 3),
                    "summary": row.summary.to_dict(),
                    "answers": [
                        {"text": a.text, "tokens": a.tokens, "seconds": round(a.seconds, 4)}
                        | s.to_dict()
                        for a, s in zip(row.answers, row.scores, strict=True)
                    ],
                }
                for row in self.rows
            ],
        }


@dataclass(frozen=True)
class SideBySide(Shown):
    """Some questions of a comparison, by their places, with every candidate's answer."""

    comparison: Comparison
    indices: tuple[int, ...]


def compare(
    candidates: Candidates,
    questions: Sequence[Question] | str | Path,
    *,
    shop: ShopFacts | None = None,
    device: Device | str | None = None,
    max_new_tokens: int = 160,
    progress: bool | Callable[[CandidateResult], None] = True,
) -> Comparison:
    """Ask every candidate every question (greedy decoding) and score the answers.

    candidates: a mapping of labels to a model, a TrainingReport or a prompted model, such as
    ``{"base": "mame", "prompt": shop.prompted("mame"), "100": train(…)}``, or a list of Candidates.
    questions: read already, or a file of them (see `questions_of`). shop: what counts as known
    besides the expected facts; the shop's own questions know it. Models are open one at a time;
    neighbours with the same model share it. `progress` shows a bar in a terminal, and a function is
    called with each candidate's result. Raises WorkshopError for no candidates, no questions, or a
    label given twice, before any is asked.
    """
    if isinstance(questions, (str, Path)):
        questions = questions_of(questions)
    asked = list(questions)
    candidates = as_candidates(candidates, questions_language(asked))
    if not candidates:
        raise WorkshopError("There is nothing to compare: give at least one candidate.")
    if not asked:
        raise WorkshopError("There is nothing to ask: give at least one question.")
    _check_labels([candidate.label for candidate in candidates])
    if shop is None and isinstance(questions, ShopQuestions):
        shop = questions.facts

    from ..runtimes import open_runtime

    bar, rows = bool(progress), list[CandidateResult]()
    for _, group in groupby(candidates, key=lambda candidate: str(candidate.model)):
        of_one_model = list(group)
        with open_runtime(of_one_model[0].model, device=device) as runtime:
            for candidate in of_one_model:
                rows.append(ask_all(runtime, candidate, asked, shop, max_new_tokens, bar))
                if callable(progress):
                    progress(rows[-1])
    return Comparison(asked, rows, shop)


def _check_labels(labels: list[str]) -> None:
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        raise WorkshopError(
            f'Two candidates are called "{twice[0]}". Give each a label of its own.'
        )


def ask_all(
    runtime: Runtime,
    candidate: Candidate,
    questions: Sequence[Question],
    shop: ShopFacts | None,
    max_new_tokens: int,
    progress: bool,
) -> CandidateResult:
    """Put the questions to one candidate, whose model the runtime has open, and score them."""
    messages = [candidate.messages(question) for question in questions]
    start = time.perf_counter()
    answers = runtime.answer(messages, max_new_tokens=max_new_tokens, progress=progress)
    seconds = time.perf_counter() - start
    judged = map(candidate.judged, questions)
    scores = [score_answer(a.text, q, shop) for a, q in zip(answers, judged, strict=True)]
    return CandidateResult(candidate, answers, scores, summarise(scores), seconds)
