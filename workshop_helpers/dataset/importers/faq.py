"""Questions and answers of an FAQ page, in HTML or Markdown, as plain text.

Markdown is turned into HTML first (with the line of each block), so that there is one way of
reading both. A page is an outline of blocks; a question is a block that asks in one of the ways
people write FAQs, its answer what follows.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape
from typing import Any

from .html_tree import (
    BLOCKS,
    DEEPEST,
    HEADINGS,
    Element,
    holds_block,
    is_hidden,
    parse,
    phrase,
    plain_text,
    raw_text,
)


@dataclass(frozen=True)
class Pair:
    """A question and its answer, where the question stands (line from 1), and the heading it stands
    under.
    """

    question: str
    answer: str
    line: int
    topic: str | None = None


@dataclass
class Found:
    """What a page holds.

    `skipped`: reason → how many; `problems`: what the JSON library says, and the line; `note`: how
    the page was read.
    """

    pairs: list[Pair] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    problems: list[tuple[str, int]] = field(default_factory=list)
    note: str = ""


# ---- does a text ask? ----------------------------------------------------------------------------

_LABEL_Q = re.compile(
    r"^\s*(?:[QＱ]\s*[0-9０-９]{0,3}\s*(?:[:：.．)）、]|\s(?=\S))|(?:Question|質問|問)\s*[0-9０-９]{0,3}\s*[:：.．])\s*",
    re.I,
)
_LABEL_A = re.compile(
    r"^\s*(?:[AＡ]\s*[0-9０-９]{0,3}\s*[:：.．)）]|(?:Answer|回答|答え|答)\s*[0-9０-９]{0,3}\s*[:：.．])\s*",
    re.I,
)
_NUMBER = re.compile(r"^\s*(?:[0-9０-９]{1,3}\s*[.．)）、]|[①-⑳])\s*")
_MARK_END = re.compile(r"[?？][\s」』）)\"'”’*]*$")
_STARTS_EN = re.compile(
    r"(?:how (?:to|do|does|can|much|many|long|often|soon|will)|what(?:'s| is| are| do| does| happens| if)"
    r"|(?:can|may|do|should|will|am|must) (?:i|we|you)|is (?:there|it|my)|are (?:there|my)"
    r"|where (?:is|are|can|do)|when (?:is|are|can|do|will)|who (?:is|are|can|do)|why (?:is|are|do|does|can)"
    r"|which)\b",
    re.I,
)
_ENDS_JA = re.compile(
    r"(?:か|とは|ください|下さい|教えて|知りたい(?:です)?|たいのですが)[\s。.．…]*$"
)


def asks(text: str) -> bool:
    """Whether a heading or a bold line is a question: by its mark, its label, its first words or
    its last.
    """
    text = " ".join(text.split())
    if not text or len(text) > 300:
        return False
    if _LABEL_Q.match(text) and len(_LABEL_Q.sub("", text)) > 1:
        return True
    text = _NUMBER.sub("", text)
    return bool(_MARK_END.search(text) or _STARTS_EN.match(text) or _ENDS_JA.search(text))


def _question(text: str) -> str:
    """The question without its label or number, on one line."""
    return _NUMBER.sub("", _LABEL_Q.sub("", " ".join(text.split()))).strip(" *")


def _answer(text: str) -> str:
    return _LABEL_A.sub("", text, count=1).strip()


# ---- from a page to pairs ------------------------------------------------------------------------


def pairs_of_html(html: str) -> Found:
    """The pairs of an HTML page: of its FAQPage data where it has any, else of what stands on it."""
    root, found = parse(html), Found()
    _structured(root, found)
    if found.pairs:
        return found
    _visible(root, found)
    return found


def pairs_of_markdown(text: str) -> Found:
    """The pairs of a Markdown page; HTML inside it counts, too."""
    from markdown_it import MarkdownIt

    body, offset = _without_front_matter(text)
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    tokens = parser.parse(body)
    for token in tokens:
        if token.map is None:
            continue
        line = token.map[0] + 1 + offset
        if token.type == "html_block":
            token.content = f"<!--line:{line}-->\n{token.content}"
        elif token.nesting == 1 or token.type == "fence":
            token.attrSet("data-line", str(line))
    found = Found()
    _visible(parse(parser.renderer.render(tokens, parser.options, {})), found)
    return found


def _without_front_matter(text: str) -> tuple[str, int]:
    match = re.match(r"---[ \t]*\n.*?\n---[ \t]*(?:\n|$)", text, re.S)
    return (text[match.end() :], match[0].count("\n")) if match else (text, 0)


# -- the page's own data


def _structured(root: Element, found: Found) -> None:
    for element in root.elements():
        kind = element.attributes.get("type", "").split(";")[0].strip().lower()
        if element.tag == "script" and kind == "application/ld+json":
            try:
                data = json.loads(raw_text(element))
            except (ValueError, RecursionError) as error:
                found.problems.append((str(error), element.line))
                continue
            for question in _json_questions(data):
                _add_structured(found, question, element.line)
            if found.pairs:
                found.note = "Taken from the page's own FAQPage data (JSON-LD)."
    if found.pairs:
        return
    for element in root.elements():
        if _item_type(element) == "Question":
            name = _property(element, "name")
            answers = [
                _property(a, "text") or a
                for a in element.elements()
                if a.attributes.get("itemprop") in ("acceptedAnswer", "suggestedAnswer")
            ]
            if name is None or not answers:
                found.skipped["marked as questions, but without an answer"] += 1
                continue
            _add(found, plain_text(*name.children), plain_text(*answers[0].children), element.line)
    if found.pairs:
        found.note = "Taken from the page's own FAQPage data (microdata)."


def _item_type(element: Element) -> str:
    return element.attributes.get("itemtype", "").rstrip("/").rpartition("/")[2]


def _property(element: Element, name: str) -> Element | None:
    return next((e for e in element.elements() if e.attributes.get("itemprop") == name), None)


def _json_questions(data: Any) -> Iterator[dict[str, Any]]:
    """Every object of type Question that is the main entity of an FAQPage (or QAPage), wherever
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


def _add_structured(found: Found, question: dict[str, Any], line: int) -> None:
    answers = question.get("acceptedAnswer") or question.get("suggestedAnswer") or []
    first = answers[0] if isinstance(answers, list) and answers else answers
    text = first.get("text") if isinstance(first, dict) else first
    name = question.get("name") or question.get("text")
    if not isinstance(name, str) or not isinstance(text, str):
        found.skipped["marked as questions, but without an answer"] += 1
        return
    # Answers are HTML by the standard's custom, but plain text with line ends is common.
    is_html = re.search(r"<[a-zA-Z/!]", text)
    answer = plain_text(*parse(text).children) if is_html else unescape(text).strip()
    _add(found, plain_text(*parse(name).children), answer, line)


def _add(found: Found, question: str, answer: str, line: int, topic: str | None = None) -> None:
    question, answer = _question(question), _answer(answer)
    if not question:
        found.skipped["without a question"] += 1
    elif not answer:
        found.skipped["questions without an answer"] += 1
    else:
        found.pairs.append(Pair(question, answer, line, topic))


# -- what stands on the page


class _Reader:
    """Walks through a page's blocks; holds the question that is open and what has been said to it
    so far.
    """

    def __init__(self, found: Found, *, every_heading: bool) -> None:
        self.found = found
        self.every_heading = every_heading
        self.topic: str | None = None
        self.question: str | None = None
        self.line = 1
        self.level = 9  # of the heading that is the question; 9: the question is no heading
        self.parts: list[Element | str] = []

    def close(self) -> None:
        if self.question is not None:
            _add(self.found, self.question, plain_text(*self.parts), self.line, self.topic)
        self.question, self.parts = None, []

    def ask(self, text: str, line: int, level: int = 9) -> None:
        self.close()
        self.question, self.line, self.level = text, line, level

    def read(self, nodes: list[Element | str], depth: int = 0) -> None:
        run: list[Element | str] = []
        for node in nodes:
            if isinstance(node, str) or (node.tag not in BLOCKS and not holds_block(node)):
                if isinstance(node, Element) and node.tag == "button":
                    self._flush(run)
                    self._paragraph(node, [node], button=True)
                else:
                    run.append(node)
                continue
            self._flush(run)
            if not is_hidden(node) and depth <= DEEPEST:
                self._block(node, depth)
        self._flush(run)

    def _flush(self, run: list[Element | str]) -> None:
        if phrase(run):
            first = next((n for n in run if isinstance(n, Element)), None)
            self._paragraph(Element("p", {}, [], first.line if first else self.line), list(run))
        run.clear()

    def _block(self, node: Element, depth: int) -> None:
        if node.tag in HEADINGS:
            self._heading(node, int(node.tag[1]))
        elif node.tag == "details":
            self._details(node, depth)
        elif node.tag == "dl":
            self._definitions(node)
        elif node.tag == "p":
            self._paragraph(node, node.children)
        elif node.tag in ("ul", "ol") and any(_item_asks(item) for item in _items(node)):
            for item in _items(node):
                self.read(item.children, depth + 1)
        elif node.tag in ("ul", "ol", "pre", "table", "blockquote") and not _asks_inside(node):
            self._say(node)
        elif node.tag in ("header", "footer") and self.question is None:
            if any(e.tag in HEADINGS for e in node.elements()):
                self.read(node.children, depth + 1)
        elif node.tag not in ("footer", "aside", "form"):
            self.read(node.children, depth + 1)

    def _say(self, *nodes: Element | str) -> None:
        if self.question is not None:
            self.parts += nodes
        elif plain_text(*nodes):
            self.found.skipped["paragraphs that answer no question"] += 1

    def _heading(self, node: Element, level: int) -> None:
        text = plain_text(*node.children)
        if not text:
            return
        if asks(text) or (self.every_heading and level > 1):
            self.ask(text, node.line, level)
        elif self.question is not None and self.level < level:
            self.parts.append(Element("p", {}, [text]))  # a heading inside a long answer
        else:
            self.close()
            self.topic = text

    def _details(self, node: Element, depth: int) -> None:
        summary = next(
            (c for c in node.children if isinstance(c, Element) and c.tag == "summary"), None
        )
        rest = [child for child in node.children if child is not summary]
        inner = Element("div", {}, rest)
        if summary is None:
            self.read(rest, depth + 1)
            return
        title = plain_text(*summary.children)
        if any(e.tag in ("details", "dl") for e in inner.elements()):
            self.close()
            self.topic = title or self.topic
            self.read(rest, depth + 1)
            self.close()
            return
        self.close()
        _add(self.found, title, plain_text(*rest), node.line, self.topic)

    def _definitions(self, node: Element) -> None:
        self.close()
        terms: list[Element] = []
        said: list[Element | str] = []

        def close() -> None:
            for term in terms:
                answer = plain_text(*said)
                _add(self.found, plain_text(*term.children), answer, term.line, self.topic)
            terms.clear()
            said.clear()

        for element in _terms(node):
            if element.tag == "dt":
                if said:
                    close()
                terms.append(element)
            else:
                said.append(Element("div", {}, element.children))
        close()

    def _paragraph(
        self, node: Element, children: list[Element | str], *, button: bool = False
    ) -> None:
        """A paragraph may be a question, hold one with its answer (on the next line or after A:),
        or say more.
        """
        text = phrase(children)
        if not text:
            return
        lines = text.split("\n") if "\n" in text else [text]
        strong = _leading_strong(children)
        if strong is not None:
            bold, rest = strong
            title = phrase([bold])
            if asks(title):
                self.ask(title, node.line)
                if phrase(rest):
                    self.parts.append(Element("p", {}, rest))
                return
        if button and asks(text):
            self.ask(text, node.line)
            return
        labelled = [bool(_LABEL_Q.match(line)) for line in _split_lines(children)]
        if any(labelled) and (len(labelled) > 1 or asks(text)):
            self._labelled(node, children)
            return
        if len(lines) == 1 and _LABEL_Q.match(text):
            self.ask(text, node.line)
            return
        self._say(Element("p", {}, children))

    def _labelled(self, node: Element, children: list[Element | str]) -> None:
        """Lines with Q: and A: in one paragraph; a line without a label goes on with what was
        before.
        """
        answering = True
        for number, line in enumerate(_split_lines(children)):
            if _LABEL_Q.match(line):
                self.ask(line, node.line + number)
                answering = False
            elif self.question is None:
                self._say(line)
            elif answering or _LABEL_A.match(line) or asks(self.question):
                self.parts += [Element("br"), line] if self.parts else [line]
                answering = True
            else:
                self.question += f" {line}"


def _split_lines(children: list[Element | str]) -> list[str]:
    """The paragraph's lines as they stand in the source, where a line end is a space to HTML."""
    marked: list[Element | str] = []
    for child in children:
        if isinstance(child, str) and "\n" in child:
            for number, line in enumerate(child.split("\n")):
                marked += ([Element("br")] if number else []) + [line]
        else:
            marked.append(child)
    return [line for line in phrase(marked).split("\n") if line.strip()]


def _leading_strong(
    children: list[Element | str],
) -> tuple[Element, list[Element | str]] | None:
    """A bold phrase that opens a paragraph, and what comes after it."""
    rest = list(children)
    while rest and isinstance(rest[0], str) and not _NUMBER.sub("", rest[0]).strip():
        rest.pop(0)
    if not rest or not isinstance(rest[0], Element) or rest[0].tag not in ("strong", "b"):
        return None
    after = rest[1:]
    while after and (
        (isinstance(after[0], Element) and after[0].tag == "br")
        or (isinstance(after[0], str) and not after[0].strip())
    ):
        after.pop(0)
    return rest[0], after


def _items(node: Element) -> list[Element]:
    return [c for c in node.children if isinstance(c, Element) and c.tag == "li"]


def _item_asks(item: Element) -> bool:
    """A list item that opens with a bold question or with "Q:", and so is a pair and not a part of
    an answer.
    """
    children = list(item.children)
    while children and isinstance(children[0], str) and not children[0].strip():
        children.pop(0)
    if children and isinstance(children[0], Element) and children[0].tag == "p":
        children = children[0].children
    strong = _leading_strong(children)
    if strong is not None and asks(phrase([strong[0]])):
        return True
    lines = _split_lines([c for c in children if isinstance(c, str) or not holds_block(c)])
    return bool(lines) and bool(_LABEL_Q.match(lines[0])) and len(lines[0]) > 3


def _asks_inside(node: Element) -> bool:
    """Whether a table or list is only the page's layout around questions."""
    return any(
        e.tag in ("details", "dl") or (e.tag in HEADINGS and asks(plain_text(*e.children)))
        for e in node.elements()
    )


def _terms(node: Element) -> Iterator[Element]:
    """dt and dd, also where each pair stands in a div of its own."""
    for child in node.children:
        if isinstance(child, Element):
            if child.tag in ("dt", "dd"):
                yield child
            elif child.tag == "div":
                yield from _terms(child)


def _visible(root: Element, found: Found) -> None:
    reader = _Reader(found, every_heading=False)
    reader.read(root.children)
    reader.close()
    if found.pairs:
        return
    # Nothing on the page asks. Where headings have text below them, they may be what people ask
    # about.
    second = Found(problems=found.problems)
    reader = _Reader(second, every_heading=True)
    reader.read(root.children)
    reader.close()
    if len(second.pairs) >= 2:
        found.pairs, found.skipped = second.pairs, second.skipped
        found.note = "No heading asks, so each heading with a text below it was taken as a question: look them through."
