"""Answers side by side, and what changed from one answer to another."""

from __future__ import annotations

import difflib
from html import escape

from ..core.wordings import say
from ..evaluation.comparison import CandidateResult, Comparison, SideBySide
from ..metrics.scoring import mark
from .colours import RIGHT, WRONG
from .html import Html

# Colours with alpha read on light and on dark ground; lines tell the two apart without colour.
_GOOD, _BAD = (f"background:{colour}40;color:inherit;" for colour in (RIGHT, WRONG))
MARKS = {
    "found": f"{_GOOD}border-bottom:2px solid {RIGHT};border-radius:2px",
    "wrong": f"{_BAD}border-bottom:2px dashed {WRONG};border-radius:2px",
    "ins": f"{_GOOD}text-decoration:underline;text-decoration-thickness:2px",
    "del": f"{_BAD}text-decoration:line-through",
}


def answers_side_by_side(chosen: SideBySide, language: str | None = None) -> Html:
    """Every candidate's answer to the chosen questions: stated facts blue, wrong figures
    vermillion, missing facts named. Styles are inline, so that it reads well in a notebook and on a
    page.
    """
    comparison, blocks, texts = chosen.comparison, [], []
    language = language or comparison.language
    for index in chosen.indices:
        blocks.append(_question_html(comparison, index, language))
        lines = [f"  {row.name}: {row.answers[index].text.strip()}" for row in comparison.rows]
        texts.append("\n".join([comparison.questions[index].question, *lines]))
    return Html("".join(blocks), "\n\n".join(texts))


def _question_html(comparison: Comparison, index: int, language: str) -> str:
    question = comparison.questions[index]
    expected = "　".join(" / ".join(item) for item in question.expected())
    facts = (
        f'<p class="expected" style="margin:.1em 0 .6em;opacity:.75;font-size:.85em">'
        f"{say('display.expected', language)}: <b>{escape(expected)}</b></p>"
        if expected
        else ""
    )
    answers = "".join(_answer_html(comparison, row, index, language) for row in comparison.rows)
    return (
        '<section class="question" style="margin:0 0 1.4em">'
        f'<p style="margin:0;font-weight:600">{escape(question.question)}</p>{facts}'
        '<div class="answers" style="display:grid;gap:.6em;'
        f'grid-template-columns:repeat(auto-fit,minmax(13em,1fr))">{answers}</div></section>'
    )


def _answer_html(comparison: Comparison, row: CandidateResult, index: int, language: str) -> str:
    score, answer = row.scores[index], row.answers[index].text.strip()
    question = row.candidate.judged(comparison.questions[index])
    pieces = "".join(
        f'<mark class="{piece.mark}" style="{MARKS[piece.mark]}">{escape(piece.text)}</mark>'
        if piece.mark
        else escape(piece.text)
        for piece in mark(answer, question, comparison.shop)
    )
    missing = (
        f'<div class="missing" style="margin-top:.5em;font-size:.8em;opacity:.75">'
        f"{say('display.missing', language)}: {escape(', '.join(score.missing))}</div>"
        if score.missing
        else ""
    )
    sign, colour = "", "#8888"
    if score.recall == 1:
        sign, colour = "✓ ", RIGHT
    elif score.recall is not None and (score.contradicted or score.unsupported):
        sign = "✗ "
    return (
        f'<div class="answer" style="border:1px solid #8884;border-top:3px solid {colour};'
        'border-radius:6px;padding:.55em .75em">'
        f'<div class="label" style="font-size:.8em;opacity:.75;margin-bottom:.3em">{sign}'
        f"{escape(row.name)}</div>"
        f'<div style="white-space:pre-wrap;overflow-wrap:anywhere;line-height:1.6">{pieces or "—"}'
        f"</div>{missing}</div>"
    )


def diff(before: str, after: str) -> Html:
    """What changed from one text to the other, character by character, as <del> and <ins>.

    Characters suit Japanese, which has no spaces. Single equal characters between two changes
    are taken into the change: scattered letters cannot be read.
    """
    pieces: list[tuple[str, str, str]] = []
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for change, a0, a1, b0, b1 in matcher.get_opcodes():
        old, new = before[a0:a1], after[b0:b1]
        if change != "equal":
            if pieces and pieces[-1][0] == "change":
                _, was, now = pieces.pop()
                old, new = was + old, now + new
            pieces.append(("change", old, new))
        elif len(old) == 1 and pieces and a1 < len(before) and b1 < len(after):
            _, was, now = pieces.pop()
            pieces.append(("change", was + old, now + new))
        else:
            pieces.append(("equal", old, new))
    out: list[str] = []
    text: list[str] = []
    for tag, old, new in pieces:
        if tag == "equal":
            out.append(escape(old))
            text.append(old)
            continue
        out += [f'<del style="{MARKS["del"]}">{escape(old)}</del>'] if old else []
        out += [f'<ins style="{MARKS["ins"]}">{escape(new)}</ins>'] if new else []
        text += [f"[-{old}-]"] if old else []
        text += [f"{{+{new}+}}"] if new else []
    body = "".join(out)
    return Html(
        f'<div style="white-space:pre-wrap;overflow-wrap:anywhere;line-height:1.7">{body}</div>',
        "".join(text),
    )
