"""What is wrong with a row: said once, as words for its author, with the rule it breaks."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...core.errors import WorkshopError

MOST_FAULTS = 10
_EXCERPT = 80
# Control tokens of the templates the course meets. In a row's text they would end the turn early.
SPECIAL_TOKEN = re.compile(
    r"<\|[A-Za-z0-9_]{2,40}\|>|<(?:start|end)_of_turn>|</s>|<(?:bos|eos)>|\[/?INST\]|<</?SYS>>"
)
# What people call a field elsewhere. Spelling tells nothing here, so difflib cannot find these.
_SYNONYMS = {
    "question": ("instruction", "prompt", "query", "input", "user", "質問", "問い合わせ", "指示"),
    "answer": ("output", "completion", "response", "reply", "result", "assistant", "回答", "答え", "応答"),
    "messages": ("conversations", "conversation", "turns", "dialog", "dialogue", "chat", "会話"),
    "role": ("from", "speaker", "author"),
    "content": ("text", "value", "message", "parts"),
}  # fmt: skip
_SYNONYMS["instruction"] = _SYNONYMS["prompt"] = ("question", *_SYNONYMS["question"])
_SYNONYMS["output"] = _SYNONYMS["completion"] = ("answer", *_SYNONYMS["answer"])
_SYNONYMS["conversations"] = ("messages", *_SYNONYMS["messages"])
_SYNONYMS["from"] = ("role", *_SYNONYMS["role"])
_SYNONYMS["value"] = ("content", *_SYNONYMS["content"])

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Fault:
    """A row that could not be read.

    rule: the stable name of what it breaks ("invalid-json", "missing-field", "wrong-role",
    "wrong-order", "empty-question", "empty-answer", "encoding", "invalid-csv", "unreadable",
    "row-too-large"); line: from 1; message: what is wrong; fix: what to do; excerpt: the offending
    piece of the file.
    """

    rule: str
    file: str
    line: int
    message: str
    fix: str
    excerpt: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message} {self.fix}".rstrip()


class RowFault(ValueError):
    """What is wrong with one row, in words for its author; its rule's name and what to do about it.

    `str()` is the whole sentence; `message` and `fix` are its halves.
    """

    def __init__(self, message: str, fix: str = "", *, rule: str = "missing-field") -> None:
        super().__init__(f"{message} {fix}" if fix else message)
        self.message = message
        self.fix = fix
        self.rule = rule

    def at(self, file: str, line: int, excerpt: str = "") -> Fault:
        """This fault at its place in a file."""
        return Fault(self.rule, file, line, self.message, self.fix, shorten(excerpt))


def shorten(text: str, limit: int = _EXCERPT) -> str:
    """A text on one line, cut with "…" where it is longer than the limit."""
    line = " ".join(text[: 4 * limit].split())
    return line if len(line) <= limit and len(text) <= 4 * limit else line[: limit - 1] + "…"


def raise_faults(path: Path, faults: Collection[str]) -> None:
    """Raise one WorkshopError that lists the faults of a file, ten at most; nothing if there are
    none.
    """
    if not faults:
        return
    shown = list(faults)[:MOST_FAULTS]
    if len(faults) > MOST_FAULTS:
        shown.append(f"… and {len(faults) - MOST_FAULTS} more faults in {path}.")
    raise WorkshopError("\n".join(shown))


def kind(value: object) -> str:
    """What JSON calls a value: object, list, text, number, true/false, null."""
    names = {dict: "object", list: "list", str: "text", bool: "true/false", type(None): "null"}
    return names.get(type(value), "number")


def field_text(row: Row, name: str, *, known: tuple[str, ...], rule: str = "empty-field") -> str:
    """The text of a field that must be there and filled; RowFault says what is wrong with it.

    known: the names that are no misspelling of another; rule: what an empty text breaks.
    """
    if name not in row:
        raise missing(row, name, known)
    value = row[name]
    if not isinstance(value, str):
        raise RowFault(
            f'"{name}" is a {kind(value)};',
            "it must be a text in quotation marks.",
            rule=rule if value is None else "missing-field",
        )
    if not value.strip():
        raise RowFault(f'"{name}" is empty.', "Fill it in or delete the row.", rule=rule)
    return value


def likeness(name: str, key: str) -> float:
    """How much a field's name may be meant by another, 0 to 1: equal, used elsewhere for the same,
    or spelt alike.
    """
    if name == key:
        return 1.0
    if key.strip().lower() in _SYNONYMS.get(name, ()):
        return 0.6
    return 0.6 * difflib.SequenceMatcher(None, name, key[:100]).ratio()


def missing(row: Row, name: str, known: tuple[str, ...]) -> RowFault:
    """The fault of a missing field, with the misspelt or otherwise named one when there is one."""
    others = [key for key in row if isinstance(key, str) and key not in known]
    near = difflib.get_close_matches(name, others, n=1, cutoff=0.6)
    near = near or [key for key in others if key.strip().lower() in _SYNONYMS.get(name, ())][:1]
    if near:
        return RowFault(f'no field "{name}"; "{near[0]}" looks like it:', f'rename it to "{name}".')
    have = ", ".join(f'"{shorten(str(key), 40)}"' for key in list(row)[:20]) or "none"
    return RowFault(f'no field "{name}" (the row has: {have}).', f'Add "{name}" to the row.')


def missing_field(row: Row, name: str, known: tuple[str, ...]) -> str:
    """The sentence for a missing field, with the misspelt name when there is one."""
    return str(missing(row, name, known))


def check_text(text: str) -> None:
    """Raise RowFault for a text that would break a prompt: control tokens, half characters."""
    # The pattern needs one of these two; looking for them first is many times as fast.
    token = SPECIAL_TOKEN.search(text) if "<" in text or "[" in text else None
    if token:
        raise RowFault(
            f'the control token "{token[0]}" stands in a text.',
            "The chat template adds such tokens itself: write the plain text only.",
            rule="special-token",
        )
    check_characters(text)


def check_characters(text: str) -> None:
    """Raise RowFault for a text that no file in UTF-8 can hold: half of a surrogate pair."""
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise RowFault(
            "a text holds half of a character (a lone \\ud8xx).",
            "Write the character itself.",
            rule="encoding",
        ) from error
