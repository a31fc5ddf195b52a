"""Plain text with labels: "Q: …" and "A: …", "質問：…" and "回答：…"."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from .conversation import Messages
from .faults import RowFault
from .json_rows import Item
from .stream import ROW_LIMIT, too_large
from .turns import require_pair

# A label starts a line and ends with a colon or similar; it may have a number ("Q12.", "質問３：").
_MARK = re.compile(
    r"""\s*(?:[#*【\[(（]+\s*)?
    (?:(?P<question>Q|Ｑ|question|質問|問い|問|ユーザー|user)
      |(?P<answer>A|Ａ|answer|回答|答え|答|アシスタント|assistant)
      |(?P<system>system|システム))
    [ ]?(?:[0-9０-９]{1,5})?[】\])）]*(?:[*]{0,2}[:：.．、][*]{0,2}|(?<=[】\])）]))[ \t　]?""",
    re.VERBOSE | re.IGNORECASE,
)
_RULE = re.compile(r"[ \t]*(?:[-=*_―─]{3,})[ \t]*")


def looks_plain(head: str) -> bool:
    """Whether a text contains both a question label and an answer label."""
    kinds = [match.lastgroup for line in head.split("\n") if (match := _MARK.match(line))]
    return "question" in kinds and "answer" in kinds


def plain_rows(lines: Iterable[str]) -> Iterator[Item]:
    """Rows with question, answer and, if it comes before the question, system.

    A system text applies only to the next question. Lines of dashes between pairs are skipped.
    """
    parts: dict[str, list[str]] = {}
    begun, size, number = 1, 0, 0
    try:
        for number, line in enumerate(lines, start=1):
            line = line.removesuffix("\n").removesuffix("\r")
            size = len(line) + (size if parts else 0)
            if size > ROW_LIMIT:
                raise too_large()
            now = next(reversed(parts), None)
            match = _MARK.match(line)
            if match is None:
                rule = _RULE.fullmatch(line)
                if now == "answer" and rule:
                    yield from _finished(begun, parts)
                elif now is not None:
                    parts[now].append(line)
                elif line.strip() and not rule:
                    yield number, RowFault("wrong-order.stray"), line[:400]
                continue
            mark = match.lastgroup or ""
            if (now, mark) not in (("system", "question"), ("question", "answer")):
                yield from _finished(begun, parts)
                begun = number
                if mark == "answer":
                    yield number, RowFault("wrong-order.answer-alone"), line[:400]
                    continue
            parts[mark] = [line[match.end() :]]
    except RowFault as fault:
        yield number + 1, fault, ""
    else:
        yield from _finished(begun, parts)


def _finished(begun: int, parts: dict[str, list[str]]) -> Iterator[Item]:
    """The row of these parts, if there are any; clears them."""
    if parts:
        excerpt = "\n".join(line for lines in parts.values() for line in lines[:3])[:400]
        yield begun, _pair(parts), excerpt
        parts.clear()


def _pair(parts: dict[str, list[str]]) -> dict[str, str] | RowFault:
    row = {name: "\n".join(lines).strip() for name, lines in parts.items()}
    if "question" not in row:
        return RowFault("wrong-order.system-alone")
    if "answer" not in row:
        return RowFault("empty-answer.none")
    return row


def write_plain(messages: Messages) -> str:
    """A conversation as plain text; RowFault if reading it back would change it."""
    require_pair(messages, "plain")
    marks = {"system": "System", "user": "Q", "assistant": "A"}
    pieces = []
    for message in messages:
        lines = message.content.split("\n")
        why = None
        if message.content != message.content.strip():
            why = "ends"
        elif any(character in message.content for character in "\r\x00\x1b"):
            why = "controls"
        elif any(_MARK.match(line) for line in lines[1:]):
            why = "marks"
        elif message.role == "assistant" and any(_RULE.fullmatch(line) for line in lines[1:]):
            why = "rule"
        if why is not None:
            raise RowFault(f"does-not-fit.plain-{why}", role=message.role)
        pieces.append(f"{marks[message.role]}: {message.content}")
    return "\n".join(pieces) + "\n\n"
