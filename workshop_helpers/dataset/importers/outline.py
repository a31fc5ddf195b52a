"""Pairs of what people see on a page.

A page is an outline of blocks; a question is a block that asks in one of the ways people write
FAQs, its answer what follows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .page import HEADINGS, holds_block, line_of, phrase, plain_text, tags_in
from .pairs import LABEL_A, LABEL_Q, NUMBER, Found, asks

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag


_MOST_TERMS = 50  # that share a definition


def read_outline(soup: BeautifulSoup, found: Found) -> None:
    """Add the pairs on the page to `found`.

    Where nothing asks, headings with text below them may be what people ask about.
    """
    _Reader(found).read_page(soup)
    if found.pairs:
        return
    second = Found(problems=found.problems)
    _Reader(second, every_heading=True).read_page(soup)
    if len(second.pairs) >= 2:
        found.pairs, found.skipped = second.pairs, second.skipped
        found.note = (
            "No heading asks, so each heading with a text below it was taken as a question: "
            "look them through."
        )


class _Reader:
    """Walks through a page's blocks; holds the open question and the answer so far."""

    def __init__(self, found: Found, *, every_heading: bool = False) -> None:
        self.found = found
        self.every_heading = every_heading
        self.topic: str | None = None
        self.question: str | None = None
        self.line = 1
        self.level = 9  # of the heading that is the question; 9: the question is no heading
        self.parts: list[str] = []

    def read_page(self, soup: BeautifulSoup) -> None:
        self.read(soup)
        self.close()

    def close(self) -> None:
        """The answer ends here."""
        if self.question is not None:
            self.found.add(self.question, "\n\n".join(self.parts), self.line, self.topic)
        self.question, self.parts = None, []

    def ask(self, text: str, line: int, level: int = 9) -> None:
        """A question begins."""
        self.close()
        self.question, self.line, self.level = text, line, level

    def say(self, text: str) -> None:
        """A part of an answer."""
        if text and self.question is not None:
            self.parts.append(text)
        elif text:
            self.found.skipped["paragraphs that answer no question"] += 1

    def read(self, tag: Tag) -> None:
        """The blocks in a tag, or the tag as a paragraph where there are none."""
        if not holds_block(tag):
            self._paragraph(tag)
            return
        for block in tags_in(tag):
            self._block(block)

    def _block(self, tag: Tag) -> None:
        items = tag.find_all("li", recursive=False) if tag.name in ("ul", "ol") else []
        if tag.name in HEADINGS:
            self._heading(tag, int(tag.name[1]))
        elif tag.name == "details":
            self._details(tag)
        elif tag.name == "dl":
            self._definitions(tag)
        elif any(_item_asks(item) for item in items):
            for item in items:
                self.read(item)
        elif tag.name in ("ul", "ol", "pre", "table", "blockquote") and not _asks_inside(tag):
            self.say(plain_text(tag))
        elif tag.name in ("header", "footer") and self.question is None:
            if tag.find(HEADINGS):
                self.read(tag)
        elif tag.name not in ("footer", "aside", "form"):
            self.read(tag)

    def _heading(self, tag: Tag, level: int) -> None:
        text = plain_text(tag)
        if not text:
            return
        if asks(text) or (self.every_heading and level > 1):
            self.ask(text, line_of(tag), level)
        elif self.question is not None and self.level < level:
            self.say(text)  # a heading inside a long answer
        else:
            self.close()
            self.topic = text

    def _details(self, tag: Tag) -> None:
        summary = tag.find("summary", recursive=False)
        if summary is None:
            self.read(tag)
            return
        self.close()
        title = plain_text(summary)
        rest = [child for child in tags_in(tag) if child is not summary]
        if tag.find(["details", "dl"]):
            self.topic = title or self.topic
            for child in rest:
                self._block(child)
            self.close()
        else:
            self.found.add(title, plain_text(*rest), line_of(tag), self.topic)

    def _definitions(self, tag: Tag) -> None:
        """Each term with all its definitions; terms that follow each other share them."""
        self.close()
        terms: list[Tag] = []
        said: list[Tag] = []

        def add() -> None:
            answer = plain_text(*said) if terms else ""
            for term in terms[:_MOST_TERMS]:
                self.found.add(plain_text(term), answer, line_of(term), self.topic)
            if len(terms) > _MOST_TERMS:
                many = f"terms beyond the {_MOST_TERMS} that share a definition"
                self.found.skipped[many] += len(terms) - _MOST_TERMS

        for one in _terms(tag):
            if one.name == "dt" and said:
                add()
                terms, said = [], []
            (terms if one.name == "dt" else said).append(one)
        add()

    def _paragraph(self, tag: Tag) -> None:
        """A paragraph may be a question, hold one with its answer (on the next line or after A:),
        or say more.
        """
        text = phrase(tag.contents)
        if not text:
            return
        strong = _leading_strong(tag.contents)
        if strong is not None and asks(phrase([strong[0]])):
            self.ask(phrase([strong[0]]), line_of(tag))
            self.say(phrase(strong[1]))
            return
        lines = _lines(tag.contents)
        labelled = any(LABEL_Q.match(line) for line in lines)
        button = tag if tag.name == "button" else tag.find("button")
        if button and phrase([button]) == text and asks(text):
            self.ask(text, line_of(tag))
        elif labelled and (len(lines) > 1 or asks(text)):
            self._labelled(lines, line_of(tag))
        elif "\n" not in text and LABEL_Q.match(text):
            self.ask(text, line_of(tag))
        else:
            self.say(text)

    def _labelled(self, lines: list[str], first: int) -> None:
        """Lines with Q: and A: in one paragraph; a line without a label goes on with what was
        before.
        """
        answering = True
        for number, line in enumerate(lines, first):
            if LABEL_Q.match(line):
                self.ask(line, number)
                answering = False
            elif self.question is None:
                self.say(line)
            elif answering or LABEL_A.match(line) or asks(self.question):
                self.parts[-1:] = ["\n".join([*self.parts[-1:], line])]
                answering = True
            else:
                self.question += f" {line}"


def _lines(nodes: list[Any]) -> list[str]:
    """A paragraph's lines in the source; HTML treats their line breaks as spaces."""
    return [line for line in phrase(nodes, source_lines=True).split("\n") if line]


def _leading_strong(nodes: list[Any]) -> tuple[Tag, list[Any]] | None:
    """A bold phrase that opens a paragraph, and what comes after it."""
    rest = list(nodes)
    while rest and isinstance(rest[0], str) and not NUMBER.sub("", rest[0]).strip():
        rest.pop(0)
    if not rest or rest[0].name not in ("strong", "b"):
        return None
    return rest[0], rest[1:]


def _item_asks(item: Tag) -> bool:
    """Whether a list item opens with a bold question or with "Q:", and so is a pair and not a part
    of an answer.
    """
    first = next((n for n in item.contents if not isinstance(n, str) or n.strip()), None)
    nodes = first.contents if first is not None and first.name == "p" else item.contents
    strong = _leading_strong(nodes)
    if strong is not None and asks(phrase([strong[0]])):
        return True
    lines = _lines([n for n in nodes if isinstance(n, str) or not holds_block(n)])
    return bool(lines) and bool(LABEL_Q.match(lines[0])) and len(lines[0]) > 3


def _asks_inside(tag: Tag) -> bool:
    """Whether a table or list is only the page's layout around questions."""
    return tag.find(["details", "dl"]) is not None or any(
        asks(plain_text(heading)) for heading in tag.find_all(HEADINGS)
    )


def _terms(tag: Tag) -> list[Tag]:
    """dt and dd, also if each pair is in its own div."""
    found = []
    for child in tag.find_all(["dt", "dd", "div"], recursive=False):
        found += _terms(child) if child.name == "div" else [child]
    return found
