"""The formats of a row, each with its reader and its writer: row ↔ messages.

A new format is one more entry in `FORMATS`. A reader raises RowFault for missing or empty fields; a
writer raises it for what its format cannot store, so that nothing is lost silently.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from .columns import Columns, find_columns
from .conversation import Conversation, Message, Messages
from .faults import Fields, RowFault, field_text, kind, likeness, quoted, word
from .turns import EMPTY, GEMINI, MESSAGES, SHAREGPT, require_pair

_NO_EXTRA: dict[str, Any] = {}


@dataclass(frozen=True)
class Format:
    """One format of a row.

    signs: the one or two fields that identify it; more: its other fields; read: row → messages;
    write: messages → row.
    """

    signs: tuple[str, ...]
    more: tuple[str, ...]
    read: Callable[[Fields], Messages]
    write: Callable[[Messages], dict[str, Any]]

    @property
    def known(self) -> tuple[str, ...]:
        """All its fields."""
        return self.signs + self.more


def _read_alpaca(row: Fields) -> Messages:
    question, answer = row.get("instruction"), row.get("output")
    if (
        question.__class__ is str
        and answer.__class__ is str
        and not (row.get("input") or row.get("system") or row.get("history"))
        and question.strip()
        and answer.strip()
    ):  # fast path for the usual row
        return (Message("user", question), Message("assistant", answer))
    known = FORMATS["alpaca"].known
    question = field_text(row, "instruction", known=known, rule="empty-question")
    extra = row.get("input")
    if extra is not None and not isinstance(extra, str):
        raise RowFault("missing-field.no-text", field="input", kind=kind(extra))
    if extra and extra.strip():
        question = f"{question}\n\n{extra}"
    answer = field_text(row, "output", known=known, rule="empty-answer")
    start = (*_system(row), *(_history(row["history"]) if row.get("history") else ()))
    return (*start, Message("user", question), Message("assistant", answer))


def _history(value: object) -> Messages:
    """Earlier turns of an Alpaca row: a list of [question, answer] pairs, as some tools write."""
    turns: list[Message] = []
    for pair in value if isinstance(value, list) else [value]:
        texts = pair if isinstance(pair, list) else []
        if len(texts) != 2 or not all(isinstance(text, str) and text.strip() for text in texts):
            raise RowFault("missing-field.history")
        turns += [Message("user", texts[0]), Message("assistant", texts[1])]
    return tuple(turns)


def _system(row: Fields) -> Messages:
    if row.get("system") in (None, ""):
        return ()
    return (Message("system", field_text(row, "system", known=("system",), rule="empty-system")),)


def _pair_writer(
    shape: str, question: str, answer: str, **between: str
) -> Callable[[Messages], dict[str, Any]]:
    """A writer of one question and one answer under these names; RowFault for more turns."""

    def write(messages: Messages) -> dict[str, Any]:
        require_pair(messages, shape)
        row = {question: messages[-2].content, **between, answer: messages[-1].content}
        return row if len(messages) == 2 else {**row, "system": messages[0].content}

    return write


def _read_sides(row: Fields) -> Messages:
    """Prompt and completion, each a text or a list of turns."""
    known = FORMATS["prompt/completion"].known
    sides: list[Message] = list(_system(row))
    for name, role in (("prompt", "user"), ("completion", "assistant")):
        if isinstance(row.get(name), list):
            sides += MESSAGES.read_list(row[name], name, fix="missing-field.one-turn")
        else:
            sides.append(Message(role, field_text(row, name, known=known, rule=EMPTY[role])))
    return tuple(sides)


def _write_sides(messages: Messages) -> dict[str, Any]:
    if [message.role for message in messages] == ["user", "assistant"]:
        return {"prompt": messages[0].content, "completion": messages[1].content}
    turns = MESSAGES.write_list(messages)
    return {"prompt": turns[:-1], "completion": turns[-1:]}


def _read_sharegpt(row: Fields) -> Messages:
    return (*_system(row), *SHAREGPT.read(row))


def _read_gemini(row: Fields) -> Messages:
    system = row.get("systemInstruction", row.get("system_instruction"))
    if system is None:
        return GEMINI.read(row)
    turn = system if isinstance(system, dict) else {"parts": system}
    where = word("field", name="systemInstruction")
    return (GEMINI.message(turn, "system", where), *GEMINI.read(row))


def _write_gemini(messages: Messages) -> dict[str, Any]:
    if messages[0].role != "system":
        return GEMINI.write(messages)
    system = {"parts": [{"text": messages[0].content}]}
    return {"systemInstruction": system, **GEMINI.write(messages[1:])}


_QUESTION_AND_ANSWER = Columns("question", "answer", "system")

FORMATS: dict[str, Format] = {
    "messages": Format(("messages",), (), MESSAGES.read, MESSAGES.write),
    "prompt/completion": Format(("prompt", "completion"), ("system",), _read_sides, _write_sides),
    "alpaca": Format(
        ("instruction", "output"),
        ("input", "system", "history"),
        _read_alpaca,
        _pair_writer("alpaca", "instruction", "output", input=""),
    ),
    "sharegpt": Format(("conversations",), ("system",), _read_sharegpt, SHAREGPT.write),
    "gemini": Format(
        ("contents",), ("systemInstruction", "system_instruction"), _read_gemini, _write_gemini
    ),
    "question/answer": Format(
        ("question", "answer"),
        ("system",),
        _QUESTION_AND_ANSWER.read,
        _pair_writer("columns", "question", "answer"),
    ),
}
_SIGNS = [(name, form.signs[0], form.signs[-1]) for name, form in FORMATS.items()]
_KNOWN = {name: form.known for name, form in FORMATS.items()}


def detect_format(row: Fields) -> str | None:
    """The name of the format whose signs are all in the row, or None."""
    for name, first, last in _SIGNS:
        if first in row and last in row:
            return name
    if all(isinstance(name, str) for name in row) and find_columns(tuple(row)[:100]):
        return "question/answer"
    return None


@lru_cache(maxsize=1024)
def _nearest(keys: tuple[str, ...]) -> str:
    """The most likely intended format of a row with these fields."""

    def score(name: str) -> float:
        best = [max((likeness(s, key) for key in keys), default=0.0) for s in FORMATS[name].signs]
        return sum(best) / len(best)

    # The course's own files are Alpaca: it wins ties, and is the default if nothing is similar.
    best = max(FORMATS, key=lambda name: (score(name), name == "alpaca"))
    return best if score(best) >= 0.4 else "alpaca"


def read_row(
    row: Fields,
    *,
    format: str | None = None,
    usual: str | None = None,
    columns: Columns | None = None,
) -> tuple[str, Messages, dict[str, Any]]:
    """The format's name, the checked messages and the other fields of one row.

    format: the format to read it as; usual: the format of the rows before, as a fallback; columns:
    its question and answer fields, which take precedence. Raises RowFault.
    """
    name = "question/answer" if columns is not None else format or detect_format(row) or usual
    if name is None:
        name = _nearest(tuple(key[:100] for key in list(row)[:20] if isinstance(key, str)))
    if name == "question/answer":
        columns = columns or find_columns(tuple(row)) or _QUESTION_AND_ANSWER
        messages, known = columns.read(row), columns.known
    else:
        messages, known = FORMATS[name].read(row), _KNOWN[name]
    check_order(messages)
    for field in row:
        if field not in known:
            return name, messages, {k: v for k, v in row.items() if k not in known}
    return name, messages, _NO_EXTRA


def write_row(conversation: Conversation, format: str) -> dict[str, Any]:
    """The row of a conversation with its other fields; RowFault for what does not fit."""
    check_order(conversation.messages)
    for message in conversation.messages:
        if not message.content.strip():
            rule = EMPTY[message.role]
            raise RowFault("empty-turn", rule=rule, role=message.role)
    row = FORMATS[format].write(conversation.messages)
    if not conversation.extra:
        return row
    taken = [name for name in conversation.extra if name in _KNOWN[format] or name in row]
    row = {**row, **conversation.extra}
    if taken or detect_format(row) != format:
        names = quoted(taken or conversation.extra)
        raise RowFault("does-not-fit.extra", names=names, format=format)
    return row


def check_order(messages: Messages) -> None:
    """Raise RowFault unless the turns end with an answer to a user, with system only first."""
    if len(messages) == 2 and messages[0].role == "user" and messages[1].role == "assistant":
        return  # fast path for most rows
    if messages[-1].role != "assistant":
        raise RowFault("wrong-order.no-answer")
    if not any(m.role == "user" for m in messages[:-1]):
        raise RowFault("wrong-order.no-user")
    if any(m.role == "system" for m in messages[1:]):
        raise RowFault("wrong-order.system")
