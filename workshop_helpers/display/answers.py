"""Answers side by side, with the facts and the wrong figures in them marked."""

from __future__ import annotations

from html import escape

from ..core.wordings import say
from ..evaluation.comparison import CandidateResult, SideBySide
from ..metrics.facts import ShopFacts
from ..metrics.scoring import Question, mark
from ..models.chat import Answer
from .colours import RIGHT, WRONG
from .html import Html

# Colours with alpha read on light and on dark ground; lines tell the two apart without colour.
_GOOD, _BAD = (f"background:{colour}40;color:inherit;" for colour in (RIGHT, WRONG))
MARKS = {
    "found": f"{_GOOD}border-bottom:2px solid {RIGHT};border-radius:2px",
    "wrong": f"{_BAD}border-bottom:2px dashed {WRONG};border-radius:2px",
    "ins": f"{_GOOD}text-decoration:underline;text-decoration-thickness:2px",
    "del": f"{_BAD}text-decoration:line-through",
    "ins-line": f"{_GOOD}border-left:5px solid {RIGHT};padding:.1em .6em;margin:.2em 0",
    "del-line": f"{_BAD}border-left:5px dashed {WRONG};padding:.1em .6em;margin:.2em 0",
}


def answers_side_by_side(
    chosen: SideBySide, language: str | None = None, *, seconds: bool = False
) -> Html:
    """Every candidate's answer to the chosen questions: stated facts blue, wrong figures
    vermillion, missing facts named; with `seconds`, how long each took. Styles are inline, so that
    it reads well in a notebook and on a page.
    """
    comparison, blocks, texts = chosen.comparison, [], []
    language = language or comparison.language
    for index in chosen.indices:
        question = comparison.questions[index]
        cards, lines = [], [question.question]
        for row in comparison.rows:
            card = answer_card(row, index, question, comparison.shop, language, seconds=seconds)
            cards.append(card)
            answer = row.answers[index]
            took = f" ({_seconds(answer, language)})" if seconds else ""
            lines.append(f"  {row.name}{took}: {answer.text.strip()}")
        blocks.append(question_block(question, cards, language))
        texts.append("\n".join(lines))
    return Html("".join(blocks), "\n\n".join(texts))


def question_block(question: Question, cards: list[str], language: str) -> str:
    """A question with the facts that a right answer states, above its answers' cards (HTML)."""
    expected = "　".join(" / ".join(item) for item in question.expected())
    facts = (
        f'<p class="expected" style="margin:.1em 0 .6em;opacity:.8;font-size:.85em">'
        f"{say('display.expected', language)}: <b>{escape(expected)}</b></p>"
        if expected
        else ""
    )
    return (
        '<section class="question" style="margin:0 0 1.4em">'
        f'<p style="margin:0 0 .3em;font-weight:600">{escape(question.question)}</p>{facts}'
        '<div class="answers" style="display:grid;gap:.6em;'
        f'grid-template-columns:repeat(auto-fit,minmax(13em,1fr))">{"".join(cards)}</div></section>'
    )


def answer_card(
    row: CandidateResult,
    place: int,
    question: Question,
    shop: ShopFacts | None,
    language: str,
    *,
    seconds: bool = False,
) -> str:
    """One candidate's answer at that place, to this question, marked; ✓ stands by one that states
    every fact, ✗ by one with a wrong figure.
    """
    answer, score = row.answers[place], row.scores[place]
    pieces = "".join(
        f'<mark class="{piece.mark}" style="{MARKS[piece.mark]}">{escape(piece.text)}</mark>'
        if piece.mark
        else escape(piece.text)
        for piece in mark(answer.text.strip(), row.candidate.judged(question), shop)
    )
    missing = (
        f'<div class="missing" style="margin-top:.5em;font-size:.8em;opacity:.8">'
        f"{say('display.missing', language)}: {escape(', '.join(score.missing))}</div>"
        if score.missing
        else ""
    )
    sign, colour = "", "#8888"
    if score.contradicted or score.unsupported:
        sign, colour = "✗ ", WRONG
    elif score.recall == 1:
        sign, colour = "✓ ", RIGHT
    took = _seconds(answer, language) if seconds else ""
    return _card(f"{sign}{row.name}", pieces or "—", colour, missing, took)


def failed_card(name: str, sentence: str) -> str:
    """The card of a candidate that could not answer, with the sentence that says why."""
    return _card(f"⚠ {name}", escape(sentence), "#8888")


def _card(label: str, body: str, colour: str, below: str = "", beside: str = "") -> str:
    """`body` and what stands `below` it are HTML already; `beside` the label is a short text."""
    right = f'<span style="white-space:nowrap">{escape(beside)}</span>' if beside else ""
    return (
        f'<div class="answer" style="border:1px solid #8884;border-top:3px solid {colour};'
        'border-radius:6px;padding:.55em .75em">'
        '<div class="label" style="font-size:.8em;opacity:.8;line-height:1.5;margin-bottom:.3em;'
        f'display:flex;justify-content:space-between;gap:.6em"><span>{escape(label)}</span>{right}'
        "</div>"
        f'<div style="white-space:pre-wrap;overflow-wrap:anywhere;line-height:1.6">{body}</div>'
        f"{below}</div>"
    )


def _seconds(answer: Answer, language: str) -> str:
    return say("display.took", language, seconds=f"{answer.seconds:.2f}")
