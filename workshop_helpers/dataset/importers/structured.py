"""The FAQPage data that a page carries for search engines: JSON-LD or microdata."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import unescape
from typing import TYPE_CHECKING, Any

from .page import line_of, parse, plain_text
from .pairs import Found

if TYPE_CHECKING:
    from bs4 import BeautifulSoup

_UNANSWERED = "marked as questions, but without an answer"


def read_structured(soup: BeautifulSoup, found: Found) -> None:
    """Add the pairs of the page's JSON-LD, or else of its microdata, to `found`."""
    for script in soup.find_all("script"):
        kind = str(script.get("type", "")).split(";")[0].strip().lower()
        if kind != "application/ld+json":
            continue
        try:
            data = json.loads(script.string or "")
        except (ValueError, RecursionError) as error:
            found.problems.append((str(error), line_of(script)))
            continue
        for question in _json_questions(data):
            _add(found, question, line_of(script))
    if found.pairs:
        found.note = "Taken from the page's own FAQPage data (JSON-LD)."
        return
    for question in soup.find_all(itemtype=re.compile(r"(?:^|/)Question/?$")):
        name = question.find(itemprop="name")
        answer = question.find(itemprop=["acceptedAnswer", "suggestedAnswer"])
        if name is None or answer is None:
            found.skipped[_UNANSWERED] += 1
            continue
        text = answer.find(itemprop="text") or answer
        found.add(plain_text(name), plain_text(text), line_of(question))
    if found.pairs:
        found.note = "Taken from the page's own FAQPage data (microdata)."


def _json_questions(data: Any) -> Iterator[dict[str, Any]]:
    """Every object of type Question that is the main entity of an FAQPage or a QAPage, wherever
    that lies.
    """
    stack = [data]
    while stack:
        value = stack.pop()
        if isinstance(value, list):
            stack += reversed(value)
        elif isinstance(value, dict):
            if {"FAQPage", "QAPage"} & _types(value):
                entities = value.get("mainEntity") or []
                for entity in entities if isinstance(entities, list) else [entities]:
                    if isinstance(entity, dict) and "Question" in _types(entity):
                        yield entity
            else:
                stack += reversed([v for v in value.values() if isinstance(v, list | dict)])


def _types(value: dict[str, Any]) -> set[str]:
    types = value.get("@type")
    names = types if isinstance(types, list) else [types]
    return {str(name).rpartition("/")[2] for name in names}


def _add(found: Found, question: dict[str, Any], line: int) -> None:
    answers = question.get("acceptedAnswer") or question.get("suggestedAnswer") or []
    first = answers[0] if isinstance(answers, list) and answers else answers
    text = first.get("text") if isinstance(first, dict) else first
    name = question.get("name") or question.get("text")
    if not isinstance(name, str) or not isinstance(text, str):
        found.skipped[_UNANSWERED] += 1
        return
    # Answers are HTML by the standard's custom, but plain text with line ends is common.
    is_html = re.search(r"<[a-zA-Z/!]", text)
    found.add(_text_of(name), _text_of(text) if is_html else unescape(text).strip(), line)


def _text_of(html: str) -> str:
    try:
        return plain_text(parse(f"<div>{html}</div>"))
    except UnicodeEncodeError:
        return html  # with half a character in it: no row is made of that
