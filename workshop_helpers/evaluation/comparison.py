"""Who answered what: the same questions to several models, before and after, prompted and tuned."""

from __future__ import annotations

import html
import json
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.artifacts import atomic_file
from ..core.errors import WorkshopError
from ..dataset.questions import read_questions
from ..metrics.facts import ShopFacts
from ..metrics.scoring import Question, Score, Summary, mark, score_answer, summarise

if TYPE_CHECKING:
    from rich.table import Table

    from ..core.device import Device
    from ..models.chat import Answer
    from ..runtimes.base import Runtime

# Headings of the tables, by language. Shares are shown in per cent.
HEADINGS: dict[str, dict[str, str]] = {
    "en": {
        "model": "model",
        "recall": "facts stated",
        "full": "all facts",
        "contradicted": "contradict a fact",
        "unsupported": "invent a figure",
        "language": "right language",
        "polite": "polite",
        "length": "characters",
        "seconds": "seconds",
        "question": "question",
        "missing": "missing",
        "expected": "a right answer states",
        "prompted": "with a system prompt",
    },
    "ja": {
        "model": "モデル",
        "recall": "事実の再現率",
        "full": "全事実を回答",
        "contradicted": "事実と矛盾",
        "unsupported": "根拠のない数字",
        "language": "質問と同じ言語",
        "polite": "です・ます",
        "length": "文字数",
        "seconds": "秒",
        "question": "質問",
        "missing": "不足",
        "expected": "正答に必要な事実",
        "prompted": "システムプロンプトあり",
    },
}
# A terminal is 80 characters wide: short headings there, explained below the table.
_SHORT = {
    "en": {
        "recall": "facts",
        "full": "all",
        "contradicted": "wrong",
        "unsupported": "invented",
        "language": "lang.",
        "length": "chars",
        "seconds": "s",
    },
    "ja": {
        "recall": "再現率",
        "full": "完答",
        "contradicted": "矛盾",
        "unsupported": "捏造",
        "language": "言語",
        "polite": "敬体",
        "length": "字数",
    },
}
_CAPTION = {
    "en": "facts: of those expected, stated · all: answers with every one · wrong: answers with another "
    "amount instead · invented: answers with a figure nobody gave",
    "ja": "再現率：述べた事実の割合・完答：全事実を述べた回答・矛盾：事実と違う数字のある回答・"
    "捏造：根拠のない数字のある回答",
}
COLUMNS = (
    "recall",
    "full",
    "contradicted",
    "unsupported",
    "language",
    "polite",
    "length",
    "seconds",
)


@dataclass(frozen=True)
class Candidate:
    """A model to compare, under a label for people.

    model: anything `runtimes.open_runtime` opens. system: a system prompt for every question
    (prompt engineering); it takes the place of a question's own.
    """

    label: str
    model: str | Path
    system: str | None = None


@dataclass
class Row:
    """One candidate's answers with their scores, in the order of the questions; seconds of
    answering.
    """

    candidate: Candidate
    answers: list[Answer]
    scores: list[Score]
    summary: Summary
    seconds: float

    @property
    def label(self) -> str:
        """The candidate's label."""
        return self.candidate.label


@dataclass(frozen=True)
class Learned:
    """What one candidate states that another does not: questions gained and lost, and both recalls."""

    before: float | None
    after: float | None
    gained: tuple[Question, ...]
    lost: tuple[Question, ...]

    def __str__(self) -> str:
        return (
            f"facts stated {percent(self.before)} → {percent(self.after)}: "
            f"{len(self.gained)} questions gained, {len(self.lost)} lost"
        )


@dataclass(frozen=True)
class SideBySide:
    """Some questions with every candidate's answer; shows itself in a notebook and as text."""

    comparison: Comparison
    indices: tuple[int, ...]
    language: str = "en"

    def _repr_html_(self) -> str:
        return "".join(self.comparison.question_html(i, self.language) for i in self.indices)

    def __str__(self) -> str:
        blocks = []
        for i in self.indices:
            lines = [self.comparison.questions[i].question]
            lines += [
                f"  {row.label}: {row.answers[i].text.strip()}" for row in self.comparison.rows
            ]
            blocks.append("\n".join(lines))
        return "\n\n".join(blocks)

    __repr__ = __str__


@dataclass
class Comparison:
    """The questions and one row per candidate, in the order in which they were given."""

    questions: list[Question]
    rows: list[Row]
    shop: ShopFacts | None = field(default=None, repr=False)

    def row(self, label: str) -> Row:
        """The row of that label; WorkshopError with the labels there are."""
        for row in self.rows:
            if row.label == label:
                return row
        labels = ", ".join(row.label for row in self.rows)
        raise WorkshopError(f'No candidate is called "{label}"; there are: {labels}.')

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

    def table(self, language: str = "en") -> Table:
        """A table for the terminal (rich), one line per candidate."""
        from rich import box
        from rich.table import Table

        headings = HEADINGS[language]
        columns = self._columns()
        short = headings | _SHORT[language]
        table = Table(box=box.SIMPLE_HEAD, caption=_CAPTION[language], caption_justify="left")
        table.add_column(headings["model"], overflow="fold")
        for name in columns:
            table.add_column(short[name], justify="right", no_wrap=True)
        for row in self.rows:
            table.add_row(_escape_markup(row.label), *(cell(row, name) for name in columns))
        return table

    def to_html(self, language: str = "en") -> str:
        """The same table as an HTML fragment."""
        headings = HEADINGS[language]
        columns = self._columns()
        head = "".join(f"<th>{html.escape(headings[name])}</th>" for name in ("model", *columns))
        body = "".join(
            f"<tr><th>{html.escape(row.label)}</th>"
            + "".join(f"<td>{cell(row, name)}</td>" for name in columns)
            + "</tr>"
            for row in self.rows
        )
        return (
            f'<table class="comparison"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
        )

    _repr_html_ = to_html

    def _columns(self) -> tuple[str, ...]:
        """The columns that say something: no politeness where nobody spoke Japanese."""
        return tuple(
            name
            for name in COLUMNS
            if name == "seconds" or any(getattr(r.summary, name) is not None for r in self.rows)
        )

    def side_by_side(self, k: int | Sequence[int] = 3, language: str = "en") -> SideBySide:
        """Answers beside each other: of `k` questions where the candidates differ most, or of those
        at the given places (from 0)."""
        if not isinstance(k, int):
            return SideBySide(self, tuple(range(len(self.questions))[i] for i in k), language)

        def spread(i: int) -> float:
            recalls = [row.scores[i].recall or 0.0 for row in self.rows]
            return max(recalls) - min(recalls)

        order = sorted(range(len(self.questions)), key=lambda i: (-spread(i), i))
        return SideBySide(self, tuple(sorted(order[:k])), language)

    def question_html(self, index: int, language: str = "en") -> str:
        """One question with all answers as an HTML fragment: stated facts green, wrong figures red.

        The styles are inline, so that it reads well in a notebook and in a page alike.
        """
        headings = HEADINGS[language]
        question = self.questions[index]
        expected = "　".join(" / ".join(item) for item in question.expected())
        facts = (
            f'<p class="expected" style="margin:.1em 0 .6em;opacity:.75;font-size:.85em">'
            f"{html.escape(headings['expected'])}: <b>{html.escape(expected)}</b></p>"
            if expected
            else ""
        )
        answers = "".join(self._answer_html(row, index, headings) for row in self.rows)
        return (
            '<section class="question" style="margin:0 0 1.4em">'
            f'<p style="margin:0;font-weight:600">{html.escape(question.question)}</p>{facts}'
            '<div class="answers" style="display:grid;gap:.6em;'
            f'grid-template-columns:repeat(auto-fit,minmax(13em,1fr))">{answers}</div></section>'
        )

    def _answer_html(self, row: Row, index: int, headings: dict[str, str]) -> str:
        score, answer = row.scores[index], row.answers[index].text.strip()
        question = self._asked(row, index)
        pieces = "".join(
            f'<mark class="{piece.mark}" style="{MARK_STYLES[piece.mark]}">{html.escape(piece.text)}</mark>'
            if piece.mark
            else html.escape(piece.text)
            for piece in mark(answer, question, self.shop)
        )
        missing = (
            f'<div class="missing" style="margin-top:.5em;font-size:.8em;opacity:.75">'
            f"{html.escape(headings['missing'])}: {html.escape(', '.join(score.missing))}</div>"
            if score.missing
            else ""
        )
        sign, colour = {None: ("", "#8888"), 1.0: ("✓ ", "#2da44e")}.get(
            score.recall, ("✗ " if score.contradicted or score.unsupported else "", "#8888")
        )
        return (
            f'<div class="answer" style="border:1px solid #8884;border-top:3px solid {colour};'
            'border-radius:6px;padding:.55em .75em">'
            f'<div class="label" style="font-size:.8em;opacity:.75;margin-bottom:.3em">{sign}'
            f"{html.escape(row.label)}</div>"
            f'<div style="white-space:pre-wrap;overflow-wrap:anywhere;line-height:1.6">{pieces or "—"}'
            f"</div>{missing}</div>"
        )

    def _asked(self, row: Row, index: int) -> Question:
        return _with_system(self.questions[index], row.candidate)

    def records(self) -> list[dict[str, Any]]:
        """One record an answer: model (the label), question, answer, found, missing, seconds."""
        return [
            {
                "model": row.label,
                "question": question.question,
                "answer": answer.text,
                "found": list(score.found),
                "missing": list(score.missing),
                "seconds": round(answer.seconds, 4),
            }
            for row in self.rows
            for question, answer, score in zip(self.questions, row.answers, row.scores, strict=True)
        ]

    def answers_jsonl(self, path: str | Path) -> Path:
        """Write `records`, one object a line (UTF-8), whole or not at all; gives the path back."""
        with atomic_file(Path(path)) as temporary:
            lines = [json.dumps(record, ensure_ascii=False) + "\n" for record in self.records()]
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


# Colours with alpha read on light and on dark ground; the line below is for eyes that see no red.
MARK_STYLES = {
    "found": "background:#2da44e44;color:inherit;border-bottom:2px solid #2da44e;border-radius:2px",
    "wrong": "background:#e5534b3d;color:inherit;border-bottom:2px dashed #e5534b;border-radius:2px",
}


def percent(share: float | None) -> str:
    """A share from 0 to 1 as "93 %"; "–" for None. Only all is 100 %, only none is 0 %."""
    if share is None:
        return "–"
    rounded = round(100 * share)
    if rounded in (0, 100) and share not in (0, 1):
        return (
            f"{100 * share:.1f} %"
            if 0.0005 < share < 0.9995
            else ("< 0.1 %" if share < 0.5 else "> 99.9 %")
        )
    return f"{rounded} %"


def cell(row: Row, column: str) -> str:
    """What stands in a column of the table for one candidate."""
    if column == "seconds":
        return f"{row.seconds:.1f}"
    value = getattr(row.summary, column)
    return f"{value:.0f}" if column == "length" else percent(value)


def _escape_markup(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def _with_system(question: Question, candidate: Candidate) -> Question:
    return question if candidate.system is None else replace(question, system=candidate.system)


# -- asking ------------------------------------------------------------------------------------


def compare(
    candidates: Iterable[Candidate],
    questions: Sequence[Question] | str | Path,
    *,
    shop: ShopFacts | None = None,
    device: Device | str | None = None,
    max_new_tokens: int = 160,
    progress: bool = True,
) -> Comparison:
    """Ask every candidate every question (greedy decoding) and score the answers.

    questions: read already, or a questions file. shop: what counts as known besides the expected
    facts. Models are open one at a time; neighbours with the same model share it. Raises
    WorkshopError for no candidates, no questions, or a label given twice, before any is asked.
    """
    candidates = list(candidates)
    asked = read_questions(questions) if isinstance(questions, (str, Path)) else list(questions)
    if not candidates:
        raise WorkshopError("There is nothing to compare: give at least one candidate.")
    if not asked:
        raise WorkshopError("There is nothing to ask: give at least one question.")
    labels = [candidate.label for candidate in candidates]
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        raise WorkshopError(
            f'Two candidates are called "{twice[0]}". Give each a label of its own.'
        )

    from ..runtimes import open_runtime

    rows: list[Row] = []
    runtime: Runtime | None = None
    opened: str | None = None
    try:
        for candidate in candidates:
            if runtime is None or opened != str(candidate.model):
                if runtime is not None:
                    runtime.close()
                    runtime = None
                runtime = open_runtime(candidate.model, device=device)
                opened = str(candidate.model)
            rows.append(_ask(runtime, candidate, asked, shop, max_new_tokens, progress))
    finally:
        if runtime is not None:
            runtime.close()
    return Comparison(asked, rows, shop)


def _ask(
    runtime: Runtime,
    candidate: Candidate,
    questions: Sequence[Question],
    shop: ShopFacts | None,
    max_new_tokens: int,
    progress: bool,
) -> Row:
    asked = [_with_system(question, candidate) for question in questions]
    start = time.perf_counter()
    answers = runtime.answer(
        [question.messages() for question in asked],
        max_new_tokens=max_new_tokens,
        progress=progress,
    )
    seconds = time.perf_counter() - start
    scores = [score_answer(a.text, q, shop) for a, q in zip(answers, asked, strict=True)]
    summary = summarise(scores)
    if progress:
        print(
            f"{candidate.label}: {len(answers)} answers in {seconds:.1f} s, "
            f"facts stated {percent(summary.recall)}",
            file=sys.stderr,
        )
    return Row(candidate, answers, scores, summary, seconds)
