"""The formats of a row, each with its reader and its writer: row ↔ messages.

A new format is one more entry in `FORMATS`. Every field of a row is read, or a mark that is obeyed
(marks.py), or another field, which is kept. A reader raises RowFault for missing or empty fields
and for what it would have to leave out; a writer raises it for what its format cannot store.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from .columns import Columns, find_columns, likely_columns, role_of
from .conversation import Conversation, Message, Messages
from .faults import (
    Fields,
    RowFault,
    field_text,
    likeness,
    missing,
    nothing,
    optional_text,
    quoted,
    word,
)
from .marks import Marks, marks_of, refuse, refuse_more
from .turns import EMPTY, GEMINI, MESSAGES, SHAREGPT, require_pair

_NO_EXTRA: dict[str, Any] = {}


@dataclass(frozen=True)
class Around:
    """What stands around a row's question and answer: a system prompt, earlier turns, and texts
    that belong to the question, each with its field's name.
    """

    system: str | None = None
    history: Messages = ()
    inputs: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Format:
    """One format of a row.

    signs: the one or two fields that identify it; read: row, columns and what is around → messages;
    write: messages → row.
    """

    signs: tuple[str, ...]
    read: Callable[[Fields, Columns, Around], Messages]
    write: Callable[[Messages], dict[str, Any]]


def _read_pair(row: Fields, columns: Columns, around: Around) -> Messages:
    """A question and an answer, each a text, with what is around them."""
    question, answer = row.get(columns.question), row.get(columns.answer)
    if (
        around is _NOTHING
        and question.__class__ is str
        and answer.__class__ is str
        and question.strip()
        and answer.strip()
    ):  # fast path for the usual row
        return (Message("user", question), Message("assistant", answer))
    known, texts = columns.known, [text for _, text in around.inputs]
    blank = nothing(question) or (isinstance(question, str) and not question.strip())
    if blank and not texts and role_of(columns.question) == "input":
        raise missing(row, "instruction", known)
    if not (texts and blank):  # the input may be the whole question
        texts.insert(0, field_text(row, columns.question, known=known, rule="empty-question"))
    if isinstance(answer, list) and len(answer) > 1:
        raise RowFault("missing-field.answers", field=columns.answer, count=len(answer))
    answer = field_text(row, columns.answer, known=known, rule="empty-answer")
    start = () if around.system is None else (Message("system", around.system),)
    turns = (Message("user", "\n\n".join(texts)), Message("assistant", answer))
    return (*start, *around.history, *turns)


def read_pairs(
    rows: list[dict[str, str]], format: str | None, usual: str | None, columns: Columns | None
) -> tuple[str, list[str], list[str], tuple[str, ...]] | None:
    """The format, the questions, the answers and the names of the other fields of rows whose fields
    are texts; None unless all have the same fields, and nothing more to be looked at.
    """
    names = tuple(rows[0])
    layout = _layout(names, format, usual, columns)
    if layout is None or layout.marks or layout.doubles or set(map(tuple, rows)) != {names}:
        return None
    pair = layout.columns.question, layout.columns.answer
    if FORMATS[layout.format].read not in (_read_pair, _read_sides) or not {*pair} <= {*names}:
        return None
    questions, answers = ([row[name] for row in rows] for name in pair)
    around = any(row[name] for name, _ in layout.around for row in rows)
    if around or not all(map(str.strip, questions)) or not all(map(str.strip, answers)):
        return None
    return layout.format, questions, answers, layout.extra


def _read_sides(row: Fields, columns: Columns, around: Around) -> Messages:
    """Prompt and completion, each a text or a list of turns."""
    if not isinstance(row.get("prompt"), list) and not isinstance(row.get("completion"), list):
        return _read_pair(row, columns, around)
    sides: list[Message] = []
    for name, role in (("prompt", "user"), ("completion", "assistant")):
        if isinstance(row.get(name), list):
            sides += MESSAGES.read_list(row[name], name, fix="missing-field.one-turn")
        else:
            text = field_text(row, name, known=columns.known, rule=EMPTY[role])
            sides.append(Message(role, text))
    return _framed(tuple(sides), around)


def _framed(turns: Messages, around: Around) -> Messages:
    """Turns behind what is around them; RowFault for what has no place there."""
    if around is _NOTHING:
        return turns
    first = turns[:1] if turns[0].role == "system" else ()
    turns = turns[len(first) :]
    if around.system is not None:
        if first and first[0].content != around.system:
            raise RowFault("wrong-order.two-systems")
        first = first or (Message("system", around.system),)
    for name, text in around.inputs:
        if not any(text.strip() in turn.content for turn in turns):
            raise RowFault("missing-field.beside-turns", field=name)
    return (*first, *around.history, *turns)


def _history(value: object, name: str) -> Messages:
    """Earlier turns: a list of [question, answer] pairs, or of turns, or either as JSON."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise RowFault("missing-field.history", field=name) from None
    turns: list[Message] = []
    for pair in value if isinstance(value, list) else [value]:
        if isinstance(pair, dict) and (columns := find_columns(tuple(pair))) is not None:
            pair = [pair.get(columns.question), pair.get(columns.answer)]
        if isinstance(pair, dict):
            form = SHAREGPT if "from" in pair else MESSAGES
            turns += form.read_list([pair], name)
            continue
        texts = pair if isinstance(pair, list) else []
        if len(texts) != 2 or not all(isinstance(text, str) and text.strip() for text in texts):
            raise RowFault("missing-field.history", field=name)
        turns += [Message("user", texts[0]), Message("assistant", texts[1])]
    return tuple(turns)


def _pair_writer(
    shape: str, question: str, answer: str, **between: str
) -> Callable[[Messages], dict[str, Any]]:
    """A writer of one question and one answer under these names; RowFault for more turns."""

    def write(messages: Messages) -> dict[str, Any]:
        require_pair(messages, shape)
        row = {question: messages[-2].content, **between, answer: messages[-1].content}
        return row if len(messages) == 2 else {**row, "system": messages[0].content}

    return write


def _write_sides(messages: Messages) -> dict[str, Any]:
    roles = [message.role for message in messages]
    if roles == ["user", "assistant"] and not any(message.extra for message in messages):
        return {"prompt": messages[0].content, "completion": messages[1].content}
    turns = MESSAGES.write_list(messages)
    return {"prompt": turns[:-1], "completion": turns[-1:]}


def _write_gemini(messages: Messages) -> dict[str, Any]:
    if messages[0].role != "system":
        return GEMINI.write(messages)
    system = {"parts": [{"text": messages[0].content}]}
    return {"systemInstruction": system, **GEMINI.write(messages[1:])}


FORMATS: dict[str, Format] = {
    "messages": Format(
        ("messages",), lambda row, _, around: _framed(MESSAGES.read(row), around), MESSAGES.write
    ),
    "prompt/completion": Format(("prompt", "completion"), _read_sides, _write_sides),
    "alpaca": Format(
        ("instruction", "output"),
        _read_pair,
        _pair_writer("alpaca", "instruction", "output", input=""),
    ),
    "sharegpt": Format(
        ("conversations",),
        lambda row, _, around: _framed(SHAREGPT.read(row), around),
        SHAREGPT.write,
    ),
    "gemini": Format(
        ("contents",), lambda row, _, around: _framed(GEMINI.read(row), around), _write_gemini
    ),
    "question/answer": Format(
        ("question", "answer"), _read_pair, _pair_writer("columns", "question", "answer")
    ),
}
_SIGNS = [(name, form.signs[0], form.signs[-1]) for name, form in FORMATS.items()]
_NOTHING = Around()


@dataclass(frozen=True)
class _Layout:
    """What each field of a row is: `columns` the question and the answer (or the turns), `around`
    what stands around them, `doubles` fields that may be meant instead, `marks`, and `extra`.
    """

    format: str
    columns: Columns
    around: tuple[tuple[str, str], ...]
    doubles: tuple[tuple[str, str], ...]
    marks: Marks
    extra: tuple[str, ...]


def _layout(
    names: tuple[str, ...], format: str | None, usual: str | None, columns: Columns | None
) -> _Layout | None:
    """The layout of a row with these fields, or None where they tell no format."""
    key = (names, format, usual, columns)
    layout = _LAYOUTS.get(key)
    if layout is None:
        pair = "question/answer" if columns is not None else None
        known = pair or format or detect_format(names) or usual
        if known is None:
            return None
        layout = _new_layout(names, known, columns)
        # The names of a hostile file may be as long as a row.
        if len(_LAYOUTS) < 1024 and sum(map(len, names)) <= 2000:
            _LAYOUTS[key] = layout
    return layout


_LAYOUTS: dict[tuple[Any, ...], _Layout] = {}


def _new_layout(names: tuple[str, ...], format: str, columns: Columns | None) -> _Layout:
    if columns is None and format == "question/answer":
        columns = likely_columns(names)
    signs = FORMATS[format].signs
    columns = columns or Columns(signs[0], signs[-1])
    around = tuple((name, role) for name in names if (role := columns.role(name)))
    read = {columns.question, columns.answer, *(name for name, _ in around)}
    unsure = len(signs) == 2 and not columns.given
    return _Layout(
        format,
        columns,
        around,
        columns.doubles(names) if unsure else (),
        marks_of(names),
        tuple(name for name in names if name not in read),
    )


def detect_format(row: Collection[str]) -> str | None:
    """The name of the format whose signs are all among the fields of a row, or None."""
    for name, first, last in _SIGNS:
        if first in row and last in row:
            return name
    if all(isinstance(name, str) for name in row) and find_columns(tuple(row)[:100]):
        return "question/answer"
    return None


def _nearest(row: Fields) -> str:
    """The most likely intended format of a row; RowFault where nothing in it is like one."""
    names = quoted(map(str, list(row)[:20])) or word("none")
    if {"parent_id", "message_tree_id"} & row.keys():
        raise RowFault("missing-field.tree", names=names)
    if "input_ids" in row:
        raise RowFault("missing-field.tokens")
    named = any(role_of(name) in ("question", "answer") for name in row)

    def score(name: str) -> float:
        sort: Any = list if len(FORMATS[name].signs) == 1 else str | list
        keys = [key[:100] for key in list(row)[:20] if isinstance(row[key], sort)]
        best = [max((likeness(s, key) for key in keys), default=0.0) for s in FORMATS[name].signs]
        return sum(best) / len(best)

    # The course's own files are Alpaca: it wins ties.
    best = max(FORMATS, key=lambda name: (score(name), name == "alpaca"))
    if score(best) >= 0.4 or named:
        return best if score(best) >= 0.4 else "question/answer"
    if "text" in row:
        raise RowFault("missing-field.rendered")
    raise RowFault("missing-field.shape", names=names)


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
    names = tuple(row)
    layout = _layout(names, format, usual, columns)
    if layout is None:
        refuse(row, marks_of(names))
        layout = _new_layout(names, _nearest(row), None)
    if layout.marks:
        refuse(row, layout.marks, layout.columns.known if layout.columns.given else ())
    around = _NOTHING
    for name, _ in layout.around:
        if row[name] != "" and row[name] is not None:
            around = _around(row, layout)
            break
    messages = FORMATS[layout.format].read(row, layout.columns, around)
    if layout.marks:
        refuse_more(row, layout.marks, [message.content for message in messages])
    check_order(messages)
    for message in messages:
        if message.extra:
            _check_extra(message, last=message is messages[-1])
    for name, own in layout.doubles:
        if not _same(row, name, messages):
            raise RowFault("missing-field.double", field=own, other=name)
    extra = layout.extra
    return layout.format, messages, {name: row[name] for name in extra} if extra else _NO_EXTRA


def _check_extra(message: Message, *, last: bool) -> None:
    """RowFault for what a turn says about itself; only the last answer is learned."""
    fields = message.extra or {}
    marks = marks_of(tuple(fields))
    refuse_more(fields, marks, ["<image>"])
    if last:
        refuse(fields, marks)


def _around(row: Fields, layout: _Layout) -> Around:
    system: str | None = None
    history: Messages = ()
    inputs: list[tuple[str, str]] = []
    for name, role in layout.around:
        value = row[name]
        if value is None or value == "":
            continue
        if role == "history":
            history = () if nothing(value) else (*history, *_history(value, name))
        elif layout.format == "gemini" and isinstance(value, dict | list):
            turn = value if isinstance(value, dict) else {"parts": value}
            system = GEMINI.message(turn, "system", word("field", name=name)).content
        elif (text := optional_text(row, name)) is None:
            continue
        elif role == "input":
            inputs.append((name, text))
        elif system not in (None, text):
            raise RowFault("wrong-order.two-systems")
        else:
            system = text
    if system is None and not history and not inputs:
        return _NOTHING
    return Around(system, history, tuple(inputs))


def _same(row: Fields, name: str, messages: Messages) -> bool:
    """Whether a second field that may be the question or the answer says nothing else."""
    value, question = row[name], messages[-2].content
    if nothing(value) or not isinstance(value, str) or not value.strip():
        return nothing(value) or isinstance(value, str)
    if role_of(name) == "answer" and value == messages[-1].content:
        return True
    return value.strip() in question or (role_of(name) == "question" and question in value)


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
    taken = [name for name in conversation.extra if name in row]
    row = {**row, **conversation.extra}
    if not taken:
        layout = _layout(tuple(row), format, None, None)
        assert layout is not None
        taken = [name for name in conversation.extra if name not in layout.extra]
        taken += [name for name, _ in layout.doubles if not _same(row, name, conversation.messages)]
    if taken or detect_format(row) != format:
        names = quoted(taken or conversation.extra)
        raise RowFault("does-not-fit.extra", names=names, format=format)
    return row


def with_texts(conversation: Conversation, change: Callable[[str], str]) -> Conversation:
    """The conversation with `change` made to each of its texts, field by field of the row as it was
    read; the same object if nothing changes.
    """
    own, extra = conversation.row, conversation.extra
    row = own and {n: v if n in extra else _with_texts(v, change) for n, v in own.items()}
    changed = row != own
    if own is None or changed:
        messages = tuple(_changed(m, change) for m in conversation.messages)
        changed = changed or messages != conversation.messages
    return replace(conversation, messages=messages, row=row) if changed else conversation


def _changed(message: Message, change: Callable[[str], str]) -> Message:
    return replace(message, content=change(message.content))


def _with_texts(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_with_texts(one, change) for one in value]
    if isinstance(value, dict):
        texts = {"content", "value", "text", "parts"}
        return {
            name: _with_texts(one, change) if name in texts or role_of(name) else one
            for name, one in value.items()
        }
    return value


def check_order(messages: Messages) -> None:
    """Raise RowFault unless questions and answers take turns up to a last answer, with system only
    first.
    """
    if len(messages) == 2 and messages[0].role == "user" and messages[1].role == "assistant":
        return  # fast path for most rows
    if messages[-1].role != "assistant":
        raise RowFault("wrong-order.no-answer")
    if not any(m.role == "user" for m in messages[:-1]):
        raise RowFault("wrong-order.no-user")
    if any(m.role == "system" for m in messages[1:]):
        raise RowFault("wrong-order.system")
    turns = messages[1:] if messages[0].role == "system" else messages
    if turns[0].role != "user":
        raise RowFault("wrong-order.no-question")
    for number, (one, other) in enumerate(pairwise(turns), start=1):
        if one.role == other.role:
            raise RowFault("wrong-order.twice", role=one.role, number=number, next=number + 1)
