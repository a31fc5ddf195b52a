"""A comparison whose answers are known, without a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from workshop_helpers.evaluation.candidates import Candidate
from workshop_helpers.evaluation.comparison import CandidateResult, Comparison
from workshop_helpers.metrics.scoring import Question, score_answer, summarise
from workshop_helpers.models.chat import Answer

QUESTIONS = [
    Question("How much is shipping?", facts=("$6.99",)),
    Question("返金は？", facts=("5〜7営業日",)),
    Question("Hello <b>there</b> & you?"),
]
ANSWERS = {
    "base": ["It depends.", "場合によります。", "Hello!"],
    "tuned [10]": ["It is $9.99.", "５～７営業日です。", "Hi!"],
    "tuned": ["It is $6.99 <now>.", "5-7営業日です。", "Hi!"],
}


def answered(
    answers: Mapping[str, Sequence[str]] = ANSWERS, questions: list[Question] = QUESTIONS
) -> Comparison:
    """The comparison in which each label gave those answers."""
    rows = []
    for label, texts in answers.items():
        scores = [score_answer(t, q) for t, q in zip(texts, questions, strict=True)]
        given = [Answer(t, tokens=3, prompt_tokens=5, seconds=0.25, stopped=True) for t in texts]
        rows.append(CandidateResult(Candidate(label, "mame"), given, scores, summarise(scores), 1))
    return Comparison(questions, rows)
