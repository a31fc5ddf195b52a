"""Answers on a terminal: facts underlined, wrong figures in ‹ ›, so that no colour is needed."""

from __future__ import annotations

from typing import Any

from ..core.wordings import say
from ..evaluation.comparison import CandidateResult, SideBySide
from ..metrics.facts import ShopFacts
from ..metrics.scoring import Question, mark
from .colours import RIGHT, WRONG

_STYLES = {"found": f"bold underline {RIGHT}", "wrong": f"bold {WRONG}"}


def answers_on_terminal(chosen: SideBySide, language: str | None = None) -> Any:
    """Every candidate's answer to the chosen questions, for rich to print: ✓ and ✗ as on a page."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    comparison, blocks = chosen.comparison, list[Any]()
    language = language or comparison.language
    for index in chosen.indices:
        question = comparison.questions[index]
        blocks += _asked(question, language)
        table = Table.grid(padding=(0, 1))
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        first, *others = comparison.rows
        for row in comparison.rows:
            sign, said = _answer(row, index, question, comparison.shop)
            if row in others and row.answers[index].text == first.answers[index].text:
                said = Text(say("demos.unchanged", language), "dim")
            table.add_row(sign, said)
        blocks += [table, Text()]
    return Group(*blocks[:-1])


def marked_on_terminal(answer: str, question: Question, shop: ShopFacts | None) -> Any:
    """The answer as rich's Text, with its facts and its wrong figures marked."""
    from rich.text import Text

    text = Text()
    for piece in mark(answer.strip(), question, shop):
        wrong = piece.mark == "wrong"
        text.append(f"‹{piece.text}›" if wrong else piece.text, _STYLES.get(piece.mark or ""))
    return text


def _asked(question: Question, language: str) -> list[Any]:
    from rich.text import Text

    facts = "　".join(" / ".join(item) for item in question.expected())
    asked = [Text(f"? {question.question}", "bold")]
    if facts:
        asked.append(Text(f"  {say('display.expected', language)}: {facts}", "dim"))
    return asked


def _answer(
    row: CandidateResult, place: int, question: Question, shop: ShopFacts | None
) -> tuple[Any, Any]:
    from rich.text import Text

    score = row.scores[place]
    sign, style = "·", "dim"
    if score.contradicted or score.unsupported:
        sign, style = "✗", WRONG
    elif score.recall == 1:
        sign, style = "✓", RIGHT
    judged = row.candidate.judged(question)
    said = marked_on_terminal(row.answers[place].text, judged, shop)
    return Text(f"{sign} ", style).append(row.name, style), said if said else Text("—")
