"""A small tree of HTML that forgives what browsers forgive, and its plain text.

Plain text keeps what an answer needs: paragraphs, lists, tables, code, and the address of a link.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = {
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr",
}  # fmt: skip
DEEPEST = 150  # elements within elements; what is deeper is hung up there
HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6"}
BLOCKS = {
    "address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details", "div", "dl", "dt",
    "fieldset", "figcaption", "figure", "footer", "form", "header", "hr", "html", "legend", "li", "main", "nav", "ol",
    "p", "pre", "section", "summary", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul", *HEADINGS,
}  # fmt: skip
# What an opening tag closes by itself (the HTML standard's optional end tags).
_CLOSES = {
    "li": {"li"}, "dt": {"dt", "dd"}, "dd": {"dt", "dd"}, "tr": {"tr", "td", "th"}, "td": {"td", "th"},
    "th": {"td", "th"}, "option": {"option"},
}  # fmt: skip
_WALLS = {"ul": {"li"}, "ol": {"li"}, "dl": {"dt", "dd"}, "table": {"tr", "td", "th"}}
_UNSEEN = {
    "script", "style", "template", "noscript", "svg", "nav", "head", "iframe", "object", "select", "textarea",
}  # fmt: skip


@dataclass
class Element:
    """One element; `children` are elements and texts; `line` is where its tag stands."""

    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list[Element | str] = field(default_factory=list)
    line: int = 1

    def elements(self) -> Iterator[Element]:
        """The element and all below it, in the page's order."""
        stack: list[Element] = [self]
        while stack:
            element = stack.pop()
            yield element
            stack += [c for c in reversed(element.children) if isinstance(c, Element)]


class _Tree(HTMLParser):
    """Builds Elements; forgives what browsers forgive. Comments `line:N` set the line of what
    follows.
    """

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("html")
        self.open = [self.root]
        self.base = 0

    def _line(self) -> int:
        return max(1, self.getpos()[0] + self.base)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag in ("html", "body") and len(self.open) == 1:
            return
        self._close_before(tag)
        values = {name: value or "" for name, value in attributes}
        line = int(values["data-line"]) if values.get("data-line", "").isdecimal() else self._line()
        element = Element(tag, values, [], line)
        self.open[-1].children.append(element)
        if tag not in _VOID and len(self.open) < DEEPEST:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        # "<div/>" opens a div in HTML; only void elements end by themselves.
        self.handle_starttag(tag, attributes)

    def _close_before(self, tag: str) -> None:
        if tag in BLOCKS and any(e.tag == "p" for e in self.open[-3:]):
            self._close("p", {"table", "button"})
        wanted = _CLOSES.get(tag)
        if wanted:
            walls = {wall for wall, inside in _WALLS.items() if inside & wanted}
            for other in wanted:
                self._close(other, walls)

    def _close(self, tag: str, walls: set[str]) -> None:
        for depth in range(len(self.open) - 1, 0, -1):
            if self.open[depth].tag == tag:
                del self.open[depth:]
                return
            if self.open[depth].tag in walls:
                return

    def handle_endtag(self, tag: str) -> None:
        if tag == "br":
            self.open[-1].children.append(Element("br"))
        elif tag not in _VOID:
            # An end tag of a phrase must not tear down the blocks around it.
            self._close(tag, set() if tag in BLOCKS else BLOCKS)

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)

    def handle_comment(self, data: str) -> None:
        match = re.fullmatch(r"line:([0-9]{1,9})", data)
        if match:
            self.base = int(match[1]) - self.getpos()[0] - 1


def parse(html: str) -> Element:
    """The page as a tree under one root."""
    parser = _Tree()
    parser.feed(html)
    parser.close()
    return parser.root


# ---- plain text ----------------------------------------------------------------------------------


def is_hidden(element: Element) -> bool:
    """Whether nobody sees the element on the page, or it only links to the heading beside it."""
    classes = element.attributes.get("class", "").split()
    return (
        element.tag in _UNSEEN
        or element.attributes.get("aria-hidden") == "true"
        # The "#" or "¶" beside a heading.
        or any(c in ("headerlink", "anchor", "header-anchor") for c in classes)
    )


def plain_text(*nodes: Element | str) -> str:
    """Nodes as plain text: paragraphs apart, one line an item of a list, code as it is, links with
    their address.
    """
    blocks: list[str] = []
    _blocks(list(nodes), blocks, "")
    text = "\n\n".join(block for block in blocks if block.strip())
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def _blocks(nodes: list[Element | str], out: list[str], indent: str, depth: int = 0) -> None:
    """Appends the blocks of the nodes to `out`; runs of text and phrases are one block."""
    run: list[Element | str] = []

    def flush() -> None:
        text = phrase(run)
        if text:
            out.append("\n".join(indent + line for line in text.split("\n")))
        run.clear()

    for node in nodes:
        if isinstance(node, str) or not holds_block(node):
            run.append(node)
            continue
        flush()
        if is_hidden(node) or depth > DEEPEST:
            continue
        if node.tag in ("ul", "ol"):
            out.append(_list(node, indent, depth))
        elif node.tag == "pre":
            out.append(_code(node, indent))
        elif node.tag == "table":
            out.append("\n".join(indent + line for line in _table(node)))
        elif node.tag == "blockquote":
            inner: list[str] = []
            _blocks(node.children, inner, indent + "> ", depth + 1)
            out += inner
        else:
            _blocks(node.children, out, indent, depth + 1)
    flush()


def holds_block(node: Element) -> bool:
    """Whether the element is a block or has one in it; what does not belongs into a line of text."""
    return any(element.tag in BLOCKS for element in node.elements())


def phrase(nodes: list[Element | str]) -> str:
    """Text without blocks: white space is one space, `br` a line end."""
    parts: list[str] = []
    stack: list[Element | str] = list(reversed(nodes))
    while stack:
        node = stack.pop()
        if isinstance(node, str):
            parts.append(re.sub(r"[ \t\r\n\f]+", " ", node))
        elif node.tag == "br":
            parts.append("\n")
        elif is_hidden(node):
            continue
        elif node.tag in ("code", "kbd", "samp") and node.children:
            parts.append(f"`{raw_text(node).strip()}`")
        elif node.tag == "img":
            parts.append(node.attributes.get("alt", ""))
        elif node.tag == "a":
            parts.append(_link(node))
        else:
            stack += reversed(node.children)
    text = "".join(parts).replace("\xa0", " ")
    return "\n".join(re.sub(r" {2,}", " ", line).strip() for line in text.split("\n")).strip("\n")


def _link(node: Element) -> str:
    text = phrase(list(node.children))
    address = node.attributes.get("href", "").strip()
    if not re.match(r"(?:https?://|mailto:|tel:)", address):
        return text
    address = re.sub(r"^(?:mailto|tel):", "", address)
    plain = re.sub(r"^https?://|/$", "", address)
    return text if not text or plain in text else f"{text} ({address})"


def raw_text(node: Element) -> str:
    """The text as it stands in the source, white space included."""
    return "".join(
        child if isinstance(child, str) else "\n" if child.tag == "br" else raw_text(child)
        for child in node.children
    )


def _code(node: Element, indent: str) -> str:
    language = next(
        (
            c.removeprefix("language-")
            for e in node.elements()
            for c in e.attributes.get("class", "").split()
            if c.startswith("language-")
        ),
        "",
    )
    code = raw_text(node).strip("\n")
    fence = "```"
    while fence in code:
        fence += "`"
    return "\n".join(indent + line for line in (f"{fence}{language}", *code.split("\n"), fence))


def _list(node: Element, indent: str, depth: int) -> str:
    lines: list[str] = []
    start = node.attributes.get("start", "1")
    number = int(start) if start.isdecimal() else 1
    for item in node.children:
        if not isinstance(item, Element) or is_hidden(item):
            continue
        mark = f"{number}. " if node.tag == "ol" else "- "
        number += 1
        inner: list[str] = []
        _blocks(item.children, inner, indent + " " * len(mark), depth + 1)
        text = "\n".join(block for block in inner if block.strip())
        if text:
            lines.append(indent + mark + text[len(indent) + len(mark) :])
    return "\n".join(lines)


def _table(node: Element) -> list[str]:
    rows = []
    for row in (e for e in node.elements() if e.tag == "tr"):
        cells = [
            plain_text(*c.children).replace("\n", " ")
            for c in row.children
            if isinstance(c, Element) and c.tag in ("td", "th")
        ]
        if any(cells):
            rows.append(" | ".join(cells))
    return rows
