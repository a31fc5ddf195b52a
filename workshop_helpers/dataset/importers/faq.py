"""Rows of an FAQ page, in HTML or Markdown.

Markdown is turned into HTML first, so that there is one way of reading both.
"""

from __future__ import annotations

import re
from pathlib import Path

from ...core.errors import WorkshopError
from ..formats import Conversation, Message, RowFault, check_text
from ..formats.encodings import detect
from .imported import Imported
from .outline import read_outline
from .page import LINE, numbered, parse
from .pairs import Found, Pair
from .structured import read_structured


def rows_from_faq(path: str | Path) -> Imported:
    """Rows of an FAQ page, in Markdown (`.md`) or HTML (`.html`).

    In HTML the page's own FAQPage data (JSON-LD or microdata) is taken where there is any. Else, in
    both: `details` with `summary`, definition lists, questions as headings, as bold paragraphs, and
    after "Q:" (or 質問：). The answer is what follows, as plain text that keeps lists, line breaks
    and code. The heading above a question is its `topic` in `extra`. Raises WorkshopError when the
    file cannot be read or no pair is found, and says what was looked for.
    """
    path = Path(path)
    text = _read_text(path)
    suffix = path.suffix.lower()
    if suffix in (".html", ".htm", ".xhtml"):
        found = _pairs_of_html(text)
    elif suffix in (".md", ".markdown", ".mkd", ".txt", ""):
        found = _pairs_of_markdown(text)
    else:
        raise WorkshopError(
            f"{path} is neither Markdown (.md) nor HTML (.html). Save the page in one of the two."
        )
    made = Imported()
    made.skipped, made.note = found.skipped, found.note
    for problem, line in found.problems:
        made.faults.append(RowFault("invalid-json.json-ld", error=problem).at(str(path), line))
    for pair in found.pairs:
        try:
            made.append(_conversation(pair, path))
        except RowFault as fault:
            made.faults.append(fault.at(str(path), pair.line, pair.question))
    if not made and not made.faults:
        raise WorkshopError(
            f"{path} holds no question with an answer that could be found. Looked for: FAQPage "
            "data (JSON-LD or microdata), details/summary, dl/dt/dd, headings that ask, bold "
            "questions, and lines that begin with Q: or 質問：."
            + (f" {made.summary()}" if made.skipped else "")
        )
    return made.finished(path)


def _pairs_of_html(html: str) -> Found:
    """The pairs of the page's FAQPage data where it has any, else of what stands on it."""
    soup, found = parse(numbered(html)), Found()
    read_structured(soup, found)
    if not found.pairs:
        read_outline(soup, found)
    return found


def _pairs_of_markdown(text: str) -> Found:
    """The pairs of a Markdown page; HTML inside it counts, too."""
    from markdown_it import MarkdownIt

    front_matter = re.match(r"---[ \t]*\n.*?\n---[ \t]*(?:\n|$)", text, re.S)
    start = front_matter.end() if front_matter else 0
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    tokens = parser.parse(text[start:])
    for token in tokens:
        if token.map is None:
            continue
        line = token.map[0] + 1 + text.count("\n", 0, start)
        if token.type == "html_block":
            token.content = numbered(token.content, line)
        elif token.nesting == 1 or token.type == "fence":
            token.attrSet(LINE, str(line))
    found = Found()
    read_outline(parse(parser.renderer.render(tokens, parser.options, {})), found)
    return found


def _conversation(pair: Pair, path: Path) -> Conversation:
    """The pair as a row. Raises RowFault if it contains a control token."""
    check_text(pair.question)
    check_text(pair.answer)
    extra = {"topic": pair.topic} if pair.topic else {}
    messages = (Message("user", pair.question), Message("assistant", pair.answer))
    return Conversation(messages, str(path), pair.line, extra)


def _read_text(path: Path) -> str:
    if path.is_dir():
        raise WorkshopError(f"{path} is a folder; a file belongs here.")
    try:
        raw = path.read_bytes()
    except FileNotFoundError as error:
        raise WorkshopError(f"There is no file {path}.") from error
    except OSError as error:
        raise WorkshopError(f"{path} cannot be read: {error.strerror or error}.") from error
    if not raw.strip():
        raise WorkshopError(f"{path} is empty.")
    encoding = detect(raw)
    if encoding.name is None:
        raise WorkshopError(f"{path}: {encoding.reason}. Save it as UTF-8.")
    try:
        text = raw.decode(encoding.name)
    except UnicodeDecodeError as error:
        raise WorkshopError(f"{path} is no text in {encoding.name}. Save it as UTF-8.") from error
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
