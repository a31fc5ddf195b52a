"""Whether HTML is well formed, and what it would fetch."""

from __future__ import annotations

from html.parser import HTMLParser


class Balance(HTMLParser):
    """Counts what is open, and collects what a page would fetch."""

    VOID = frozenset({"meta", "br", "hr", "img", "link", "input"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.tags: list[str] = []
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attributes:
            inside = value is None or value.startswith(("#", "data:"))
            if name in ("src", "href", "xlink:href", "action") and not inside:
                self.fetched.append(value or "")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attributes)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


def parsed(document: str) -> Balance:
    page = Balance()
    page.feed(document)
    return page
