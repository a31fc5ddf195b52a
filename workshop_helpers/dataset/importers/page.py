"""An HTML page as a tree (BeautifulSoup on lxml), and parts of it as plain text (markdownify).

Plain text keeps what an answer needs: paragraphs, lists, tables, code, and the address of a link.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag

DEEPEST = 150  # nested tags; deeper ones are read as text
HEADINGS = ["h1", "h2", "h3", "h4", "h5", "h6"]
_PLAIN_BLOCKS = {
    "address", "article", "aside", "body", "caption", "center", "dd", "details", "div", "dl", "dt",
    "fieldset", "figcaption", "figure", "footer", "form", "header", "hr", "html", "legend", "main",
    "nav", "p", "section", "summary", *HEADINGS,
}  # fmt: skip
_OTHER_BLOCKS = [
    "blockquote", "li", "ol", "pre", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul",
]  # fmt: skip
_BLOCKS = {*_PLAIN_BLOCKS, *_OTHER_BLOCKS}
_UNSEEN = {
    "script", "style", "template", "noscript", "svg", "nav", "head", "iframe", "object", "select",
    "textarea",
}  # fmt: skip
LINE = "data-line"  # the attribute that holds the line of a tag
NUMBER = "data-number"  # and that of an item of a list its number
_START_TAG = re.compile(r"<[a-z][a-z0-9]*(?=[\s/>]|$)", re.I)


def numbered(html: str, first: int = 1) -> str:
    """HTML whose tags know their line (lxml's do not); its first line is `first`."""
    lines = enumerate(html.split("\n"), first)
    return "\n".join(_START_TAG.sub(rf"\g<0> {LINE}={n} ", line) for n, line in lines)


def line_of(tag: Tag) -> int:
    """The line of the tag or of its nearest known parent; 1 if unknown."""
    lines = (str(one.get(LINE, "")) for one in (tag, *tag.parents))
    return int(next((line for line in lines if line.isdecimal() and len(line) < 10), 1))


def parse(html: str) -> BeautifulSoup:
    """The page as a tree in which a tag holds either blocks or a run of text and phrases."""
    from bs4 import BeautifulSoup
    from bs4.element import PreformattedString

    html = re.sub(r"</br\s*>", "<br>", html.replace("\0", "\ufffd"), flags=re.I)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is XML, or looks like the name of a file
        soup = BeautifulSoup(html, "lxml")
    for text in soup.find_all(string=lambda text: isinstance(text, PreformattedString)):
        text.extract()  # comments and processing instructions
    _flatten(soup)
    for tag in soup.find_all(True):
        while tag.name in ("dt", "dd") and tag.parent.name in ("dt", "dd"):
            tag.parent.insert_after(tag.extract())  # libxml2 does not know that one ends the other
        if tag.name == "ol":
            start = str(tag.get("start", "1"))
            begin = int(start) if start.isdecimal() and len(start) < 10 else 1
            for number, item in enumerate(tag.find_all("li", recursive=False), begin):
                item[NUMBER] = str(number)
    # Blocks, and what has one inside.
    blocks = {id(tag) for block in soup.find_all(_BLOCKS) for tag in (block, *block.parents)}
    for tag in soup.find_all(True):
        if id(tag) in blocks and tag.name != "pre" and not tag.find_parent("pre"):
            _gather(soup, tag, blocks)
    return soup


def _flatten(tag: Tag, depth: int = 0) -> None:
    for child in tag.find_all(True, recursive=False):
        if depth < DEEPEST:
            _flatten(child, depth + 1)
        else:
            child.string = child.get_text(" ")


def _gather(soup: BeautifulSoup, tag: Tag, blocks: set[int]) -> None:
    """Wrap each run of text and phrases between the blocks of a tag in a paragraph."""
    groups = [(key, list(run)) for key, run in groupby(tag.contents, lambda c: id(c) in blocks)]
    if not any(is_block for is_block, _ in groups):
        return
    firsts = [next((node for node in run if not isinstance(node, str)), None) for _, run in groups]
    lines = [str(line_of(first or tag)) for first in firsts]
    # From the front and anew: taking a tag out, or in, between many others looks through them all.
    for node in list(tag.contents):
        node.extract()
    for (is_block, run), first, line in zip(groups, firsts, lines, strict=True):
        if is_block:
            tag.extend(run)
        elif first is not None or any(text.strip() for text in run):
            paragraph = soup.new_tag("p", attrs={LINE: line})
            paragraph.extend(run)
            tag.append(paragraph)


def is_hidden(tag: Tag) -> bool:
    """Whether the tag is hidden, or only links to the heading beside it."""
    classes = tag.get_attribute_list("class")
    return (
        tag.name in _UNSEEN
        or tag.get("aria-hidden") == "true"
        # The "#" or "¶" beside a heading.
        or any(name in ("headerlink", "anchor", "header-anchor") for name in classes)
    )


def holds_block(tag: Tag) -> bool:
    """Whether the tag contains a block; if not, it is a line of text."""
    # Not tag.find(_BLOCKS): that rebuilds its rules in each call and takes twice as long.
    return any(not isinstance(node, str) and node.name in _BLOCKS for node in tag.descendants)


def tags_in(tag: Tag) -> list[Tag]:
    """The tags directly inside a tag, without the hidden ones."""
    return [child for child in tag.find_all(True, recursive=False) if not is_hidden(child)]


def plain_text(*tags: Tag) -> str:
    """What the tags hold: paragraphs apart, one line an item of a list, code as it is, links with
    their address.
    """
    texts = [_converter().inside(tag).strip("\n") for tag in tags]
    return "\n\n".join(text for text in texts if text.strip()).strip()


def phrase(nodes: Iterable[Any], *, source_lines: bool = False) -> str:
    """Texts and phrases as lines: white space is one space, `br` a line end; with `source_lines` so
    are the line ends of the texts.
    """
    space = re.compile(r"[ \t\r\f]+" if source_lines else r"[ \t\r\n\f]+")
    return _tidy(
        "".join(
            space.sub(" ", node) if isinstance(node, str) else _converter().process_tag(node)
            for node in nodes
        )
    )


def _tidy(text: str) -> str:
    lines = text.replace("\xa0", " ").split("\n")
    return "\n".join(re.sub(r" {2,}", " ", line).strip() for line in lines).strip("\n")


def _is_line(tag: Tag) -> bool:
    return tag.name in HEADINGS or not (holds_block(tag) or tag.name == "pre")


@cache
def _converter() -> Any:
    import markdownify

    base: Any = markdownify.MarkdownConverter

    class PlainText(base):
        """Markdown with less of it: no bold, no headings, no escapes, tables without a frame."""

        class Options:
            bullets = "-"
            convert: ClassVar = ["a", "br", "code", "img", "kbd", "samp", *_OTHER_BLOCKS]
            escape_asterisks = escape_underscores = False
            wrap, wrap_width = True, None  # so that a line end in the source is a space

        def inside(self, tag: Tag) -> str:
            """The text of a tag, hidden or not, without what is hidden in it."""
            text = str(super().process_tag(tag))
            return _tidy(text) if _is_line(tag) else text

        def process_tag(self, node: Tag, parent_tags: Any = None) -> str:
            return "" if is_hidden(node) else super().process_tag(node, parent_tags)

        def get_conv_fn(self, tag_name: str) -> Any:
            return self.block if tag_name in _PLAIN_BLOCKS else super().get_conv_fn(tag_name)

        def block(self, el: Tag, text: str, parent_tags: set[str]) -> str:
            if "_noformat" in parent_tags:
                return text
            if "_inline" in parent_tags:
                return f" {text.strip()} "
            text = _tidy(text) if _is_line(el) else text.strip()
            gap = "\n" if "li" in parent_tags else "\n\n"
            return f"{gap}{text}{gap}" if text else ""

        def convert_a(self, el: Tag, text: str, parent_tags: set[str]) -> str:
            address = str(el.get("href", "")).strip()
            if "_noformat" in parent_tags or not re.match(r"https?://|mailto:|tel:", address):
                return text
            address = re.sub(r"^(?:mailto|tel):", "", address)
            plain = re.sub(r"^https?://|/$", "", address)
            return text if not text.strip() or plain in text else f"{text.rstrip()} ({address})"

        def convert_br(self, el: Tag, text: str, parent_tags: set[str]) -> str:
            return " " if "_inline" in parent_tags else "\n"

        def convert_img(self, el: Tag, text: str, parent_tags: set[str]) -> str:
            return str(el.get("alt", ""))

        def convert_li(self, el: Tag, text: str, parent_tags: set[str]) -> str:
            text = (_tidy(text) if _is_line(el) else text).strip()
            mark = f"{el[NUMBER]}. " if el.get(NUMBER) else "- "
            lines = [line and " " * len(mark) + line for line in text.split("\n")]
            whole = "\n".join(lines)[len(mark) :]
            return f"{mark}{whole}\n" if text else ""

        def convert_pre(self, el: Tag, text: str, parent_tags: set[str]) -> str:
            names = [n for t in (el, *el.find_all(True)) for n in t.get_attribute_list("class")]
            marks = (n.removeprefix("language-") for n in names if n and n.startswith("language-"))
            fence = "```"
            while fence in text:
                fence += "`"
            code = text.strip("\n")
            return self.block(el, f"{fence}{next(marks, '')}\n{code}\n{fence}", parent_tags)

        def convert_td(self, el: Tag, text: str, parent_tags: set[str]) -> str:
            return _tidy(text.replace("\t", " ").replace("\n", " ")) + "\t"

        convert_th = convert_td

        def convert_tr(self, el: Tag, text: str, parent_tags: set[str]) -> str:
            return " | ".join(text.split("\t")[:-1]) + "\n" if text.strip() else ""

        def convert_table(self, el: Tag, text: str, parent_tags: set[str]) -> str:
            return self.block(el, text, parent_tags)

    return PlainText()
