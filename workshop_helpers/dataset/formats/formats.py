"""The shapes of a row, each with its reader and its writer: row ↔ messages.

A further shape is one more entry in `FORMATS`. A reader raises RowFault for what is missing or
empty; a writer raises it for what its shape cannot hold, so that nothing is left out in silence.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ...core.wordings import Wording
from .conversation import ROLES, Conversation, Message
from .faults import Row, RowFault, field_text, fields, kind, likeness, missing, word

Messages = tuple[Message, ...]
_NO_EXTRA: dict[str, Any] = {}
_EMPTY = {"user": "empty-question", "assistant": "empty-answer", "system": "empty-system"}
_ALIASES = {
    "human": "user",
    "ai": "assistant",
    "bot": "assistant",
    "chatgpt": "assistant",
    "gpt": "assistant",
    "model": "assistant",
    "developer": "system",
}
_GEMINI = {"user": "user", "model": "assistant"}
_SHAREGPT = {role: role for role in ROLES} | {"human": "user", "gpt": "assistant"}


@dataclass(frozen=True)
class Format:
    """One shape of row.

    signs: the one or two fields that give it away; known: all fields it knows; read: row →
    messages; write: messages → row.
    """

    signs: tuple[str, ...]
    known: tuple[str, ...]
    read: Callable[[Row], Messages]
    write: Callable[[Messages], dict[str, Any]]


# -- one question, one answer ------------------------------------------------------------------


def _read_alpaca(row: Row) -> Messages:
    question, answer = row.get("instruction"), row.get("output")
    if (
        question.__class__ is str
        and answer.__class__ is str
        and not (row.get("input") or row.get("system") or row.get("history"))
        and question.strip()
        and answer.strip()
    ):  # the usual row; what follows takes its time to find the words for any other
        return (Message("user", question), Message("assistant", answer))
    known = FORMATS["alpaca"].known
    question = field_text(row, "instruction", known=known, rule="empty-question")
    extra = row.get("input")
    if extra is not None and not isinstance(extra, str):
        raise RowFault("missing-field.no-text", field="input", kind=kind(extra))
    if extra and extra.strip():
        question = f"{question}\n\n{extra}"
    answer = field_text(row, "output", known=known, rule="empty-answer")
    start = (*_optional_system(row), *(_history(row["history"]) if row.get("history") else ()))
    return (*start, Message("user", question), Message("assistant", answer))


def _history(value: object) -> Messages:
    """Earlier turns beside an Alpaca row: a list of [question, answer], as some tools write it."""
    turns: list[Message] = []
    for pair in value if isinstance(value, list) else [value]:
        if not (
            isinstance(pair, list)
            and len(pair) == 2
            and all(isinstance(text, str) and text.strip() for text in pair)
        ):
            raise RowFault("missing-field.history")
        turns += [Message("user", pair[0]), Message("assistant", pair[1])]
    return tuple(turns)


def _write_alpaca(messages: Messages) -> dict[str, Any]:
    system, question, answer = _one_turn(messages, "alpaca")
    row = {"instruction": question, "input": "", "output": answer}
    return row if system is None else {**row, "system": system}


def _write_columns(messages: Messages) -> dict[str, Any]:
    system, question, answer = _one_turn(messages, "columns")
    row = {"question": question, "answer": answer}
    return row if system is None else {**row, "system": system}


def _one_turn(messages: Messages, shape: str) -> tuple[str | None, str, str]:
    """System prompt, question and answer; RowFault where there is more than that."""
    system = messages[0].content if messages[0].role == "system" else None
    turns = messages[1:] if system is not None else messages
    if [turn.role for turn in turns] != ["user", "assistant"]:
        raise RowFault("does-not-fit.turns", turns=len(turns), shape=word(f"shape.{shape}"))
    return system, turns[0].content, turns[1].content


def _optional_system(row: Row) -> Messages:
    if row.get("system") in (None, ""):
        return ()
    return (Message("system", field_text(row, "system", known=("system",), rule="empty-system")),)


# -- prompt and completion ---------------------------------------------------------------------


def _read_prompt_completion(row: Row) -> Messages:
    known = FORMATS["prompt/completion"].known
    sides: list[Message] = list(_optional_system(row))
    for name, role in (("prompt", "user"), ("completion", "assistant")):
        if isinstance(row.get(name), list):
            sides += _turns(row[name], name)
        else:
            sides.append(Message(role, field_text(row, name, known=known, rule=_EMPTY[role])))
    return tuple(sides)


def _write_prompt_completion(messages: Messages) -> dict[str, Any]:
    if [message.role for message in messages] == ["user", "assistant"]:
        return {"prompt": messages[0].content, "completion": messages[1].content}
    turns = _write_turns(messages)
    return {"prompt": turns[:-1], "completion": turns[-1:]}


# -- lists of turns ----------------------------------------------------------------------------


def _read_messages(row: Row) -> Messages:
    return _turns(_list(row, "messages", "role", "content"), "messages")


def _list(row: Row, name: str, *of: str) -> list[Any]:
    if name not in row:
        raise missing(row, name, FORMATS[detect_format(row) or "messages"].known)
    value = row[name]
    if not isinstance(value, list) or not value:
        both = word("two-fields", name=of[0], other=of[1])
        raise RowFault("missing-field.turns", field=name, fields=both)
    return value


def _write_turns(messages: Messages) -> list[dict[str, str]]:
    return [{"role": message.role, "content": message.content} for message in messages]


def _turns(value: object, name: str) -> Messages:
    if not isinstance(value, list) or not value:
        both = word("two-fields", name="role", other="content")
        one = word("missing-field.one-turn")
        raise RowFault("missing-field.turns", fix=one, field=name, fields=both)
    turns = []
    for number, turn in enumerate(value, start=1):
        # What a clean file holds goes the short way; every doubt goes the long one, which finds the
        # words.
        if turn.__class__ is dict and "tool_calls" not in turn and "function_call" not in turn:
            role, content = turn.get("role"), turn.get("content")
            if (
                role in ROLES
                and content.__class__ is str
                and not (not content or content.isspace())
            ):
                turns.append(Message(role, content))
                continue
        turns.append(_turn(turn, word("turn", number=number, name=name)))
    return tuple(turns)


def _turn(turn: object, where: Wording) -> Message:
    if not isinstance(turn, dict):
        raise _no_object(turn, where, "role", "content")
    known = ("role", "content")
    with _at(where):
        role = field_text(turn, "role", known=known, rule="wrong-role")
    if role not in ROLES:
        raise _wrong_role(role, where, _ALIASES, ROLES)
    if turn.get("tool_calls") or turn.get("function_call"):
        raise RowFault("wrong-role.tool", turn=where)
    if isinstance(turn.get("content"), list):
        turn = {**turn, "content": _parts(turn["content"], where)}
    with _at(where):
        return Message(role, field_text(turn, "content", known=known, rule=_EMPTY[role]))


def _no_object(turn: object, where: Wording, name: str, other: str) -> RowFault:
    return RowFault("missing-field.no-object", turn=where, kind=kind(turn), name=name, other=other)


def _parts(value: list[Any], where: Wording) -> str:
    """The text of a list of parts ({"text": …}); RowFault for a picture, a sound, a call."""
    texts = []
    for part in value:
        if not (isinstance(part, dict) and isinstance(part.get("text"), str)):
            raise RowFault("missing-field.no-text-part", turn=where)
        texts.append(part["text"])
    return "".join(texts)


class _at:
    """Puts the place of a turn before the words of a fault in it."""

    def __init__(self, where: Wording) -> None:
        self.where = where

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, RowFault):
            values = {"turn": self.where, "fault": error.message}
            raise RowFault("in-turn", rule=error.rule, fix=error.fix, **values) from error


def _wrong_role(
    role: str, where: Wording, aliases: Mapping[str, str], allowed: Iterable[str]
) -> RowFault:
    roles = list(allowed)
    near = difflib.get_close_matches(role.lower(), roles, n=1, cutoff=0.5)
    if alias := aliases.get(role.lower()):
        near = [alias]
    wanted = word("field", name=near[0]) if near else None
    if wanted is None:
        count = "three" if len(roles) == 3 else "two"
        wanted = word(f"roles.{count}", **dict(zip(("one", "two", "three"), roles, strict=False)))
    return RowFault("wrong-role", turn=where, role=role[:40], wanted=wanted)


def _read_sharegpt(row: Row) -> Messages:
    value = _list(row, "conversations", "from", "value")
    turns = []
    for number, turn in enumerate(value, start=1):
        where = word("turn", number=number, name="conversations")
        if not isinstance(turn, dict):
            raise _no_object(turn, where, "from", "value")
        if "role" in turn and "content" in turn and "from" not in turn:
            turns.append(_turn(turn, where))
            continue
        known = ("from", "value")
        with _at(where):
            speaker = field_text(turn, "from", known=known, rule="wrong-role")
        role = _SHAREGPT.get(speaker)
        if role is None:
            theirs = {"user": "human", "assistant": "gpt", "system": "system"}
            aliases = {name: theirs[to] for name, to in _ALIASES.items()}
            raise _wrong_role(speaker, where, aliases, ("human", "gpt", "system"))
        with _at(where):
            turns.append(Message(role, field_text(turn, "value", known=known, rule=_EMPTY[role])))
    return (*_optional_system(row), *turns)


def _write_sharegpt(messages: Messages) -> dict[str, Any]:
    names = {"user": "human", "assistant": "gpt", "system": "system"}
    return {"conversations": [{"from": names[m.role], "value": m.content} for m in messages]}


def _read_gemini(row: Row) -> Messages:
    value = _list(row, "contents", "role", "parts")
    turns: list[Message] = []
    instruction = row.get("systemInstruction", row.get("system_instruction"))
    if instruction is not None:
        where = word("field", name="systemInstruction")
        turns.append(Message("system", _gemini_text(instruction, where, "system")))
    for number, turn in enumerate(value, start=1):
        where = word("turn", number=number, name="contents")
        if not isinstance(turn, dict):
            raise _no_object(turn, where, "role", "parts")
        with _at(where):
            role = field_text(turn, "role", known=("role", "parts"), rule="wrong-role")
        if role not in _GEMINI:
            aliases = {name: "model" for name, to in _ALIASES.items() if to == "assistant"}
            raise _wrong_role(
                role, where, {**aliases, "assistant": "model", "human": "user"}, _GEMINI
            )
        turns.append(Message(_GEMINI[role], _gemini_text(turn, where, _GEMINI[role])))
    return tuple(turns)


def _gemini_text(turn: object, where: Wording, role: str) -> str:
    parts = turn.get("parts") if isinstance(turn, dict) else turn
    if isinstance(parts, dict):
        parts = [parts]
    text = _parts(parts, where) if isinstance(parts, list) else parts
    if not isinstance(text, str):
        raise RowFault("missing-field.parts", turn=where)
    if not text.strip():
        raise RowFault("empty-turn", rule=_EMPTY[role], turn=where)
    return text


def _write_gemini(messages: Messages) -> dict[str, Any]:
    names = {"user": "user", "assistant": "model"}
    row: dict[str, Any] = {}
    if messages[0].role == "system":
        row["systemInstruction"] = {"parts": [{"text": messages[0].content}]}
        messages = messages[1:]
    row["contents"] = [{"role": names[m.role], "parts": [{"text": m.content}]} for m in messages]
    return row


# -- question and answer columns ---------------------------------------------------------------

# By their names in small letters and without spaces, underscores, digits and brackets around them.
_QUESTION = (
    "question", "questions", "q", "ask", "query", "質問", "質問文", "質問内容", "問", "問い", "問合せ", "問い合わせ",
    "問合わせ", "設問", "疑問", "ご質問", "お問い合わせ", "お問合せ", "お問い合わせ内容", "問い合わせ内容",
)  # fmt: skip
_ANSWER = (
    "answer", "answers", "a", "response", "reply", "回答", "回答文", "回答内容", "答え", "答", "解答", "返答", "返信",
    "応答", "ご回答", "お答え", "返信内容", "対応", "対応内容",
)  # fmt: skip
_SYSTEM = ("system", "systemprompt", "システム", "システムプロンプト", "役割")
_INPUT = ("input", "context", "入力", "補足", "文脈", "追加情報")
# In a table these are as good; in JSON they belong to a shape of their own, and half of one is a
# slip.
_TABLE_QUESTION = (
    "instruction", "prompt", "user", "usermessage", "userinput", "human", "customer", "指示", "命令", "プロンプト",
    "ユーザー", "ユーザ", "お客様", "顧客", "入力文",
)  # fmt: skip
_TABLE_ANSWER = (
    "output", "completion", "assistant", "bot", "gpt", "model", "agent", "expectedanswer", "出力", "出力文",
    "アシスタント", "オペレーター", "担当者", "模範解答", "期待する回答",
)  # fmt: skip


@dataclass(frozen=True)
class Columns:
    """Which field of a row is the question, the answer and, where there are any, system prompt and
    input.
    """

    question: str
    answer: str
    system: str | None = None
    input: str | None = None

    @property
    def known(self) -> tuple[str, ...]:
        """The names of the fields that are read."""
        return tuple(
            n for n in (self.question, self.answer, self.system, self.input) if n is not None
        )

    def read(self, row: Row) -> Messages:
        """Messages of a row; RowFault for a missing or an empty field."""
        question = field_text(row, self.question, known=self.known, rule="empty-question")
        answer = field_text(row, self.answer, known=self.known, rule="empty-answer")
        context = row.get(self.input) if self.input else None
        if isinstance(context, str) and context.strip():
            question = f"{question}\n\n{context}"
        system = row.get(self.system) if self.system else None
        start = (Message("system", system),) if isinstance(system, str) and system.strip() else ()
        return (*start, Message("user", question), Message("assistant", answer))


def _plain_name(name: str) -> str:
    name = unicodedata.normalize("NFKC", name).casefold()
    return re.sub(r"[\s_\-・:;()\[\]【】「」<>*#.]+|(?<=\D)\d+$", "", name)


@lru_cache(maxsize=256)
def find_columns(names: tuple[str, ...], *, table: bool = False) -> Columns | None:
    """The question and answer columns among these names, in English or Japanese; None if not both
    are there.

    table: also take the names that JSON shapes use ("instruction", "output", "プロンプト" …).
    """
    plain: dict[str, str] = {}
    for name in names:
        plain.setdefault(_plain_name(name), name)

    def first(*groups: tuple[str, ...]) -> str | None:
        return next((plain[n] for group in groups for n in group if n in plain), None)

    question = first(_QUESTION, *([_TABLE_QUESTION] if table else []))
    answer = first(_ANSWER, *([_TABLE_ANSWER] if table else []))
    if question is None or answer is None:
        return None
    return Columns(question, answer, first(_SYSTEM), first(_INPUT))


def _read_columns(row: Row) -> Messages:
    columns = find_columns(tuple(row))
    if columns is None:
        columns = Columns("question", "answer", "system")
    return columns.read(row)


FORMATS: dict[str, Format] = {
    "messages": Format(
        ("messages",), ("messages",), _read_messages, lambda m: {"messages": _write_turns(m)}
    ),
    "prompt/completion": Format(
        ("prompt", "completion"),
        ("prompt", "completion", "system"),
        _read_prompt_completion,
        _write_prompt_completion,
    ),
    "alpaca": Format(
        ("instruction", "output"),
        ("instruction", "input", "output", "system", "history"),
        _read_alpaca,
        _write_alpaca,
    ),
    "sharegpt": Format(
        ("conversations",), ("conversations", "system"), _read_sharegpt, _write_sharegpt
    ),
    "gemini": Format(
        ("contents",),
        ("contents", "systemInstruction", "system_instruction"),
        _read_gemini,
        _write_gemini,
    ),
    "question/answer": Format(
        ("question", "answer"), ("question", "answer", "system"), _read_columns, _write_columns
    ),
}
_SIGNS = [(name, form.signs[0], form.signs[-1]) for name, form in FORMATS.items()]


def detect_format(row: Row) -> str | None:
    """The name of the format whose fields the row has all of, or None."""
    for name, first, last in _SIGNS:
        if first in row and last in row:
            return name
    if all(isinstance(name, str) for name in row) and find_columns(tuple(row)[:100]):
        return "question/answer"
    return None


def nearest_format(row: Row) -> str:
    """The format that a row without a known shape was probably meant to have."""
    return _nearest(tuple(key[:100] for key in list(row)[:20] if isinstance(key, str)))


@lru_cache(maxsize=1024)
def _nearest(keys: tuple[str, ...]) -> str:
    def score(name: str) -> float:
        best = [max((likeness(s, key) for key in keys), default=0.0) for s in FORMATS[name].signs]
        return sum(best) / len(best)

    # Alpaca is what the course's own files use: it wins among equals, and where nothing is alike.
    best = max(FORMATS, key=lambda name: (score(name), name == "alpaca"))
    return best if score(best) >= 0.4 else "alpaca"


def read_row(
    row: Row, *, format: str | None = None, usual: str | None = None, columns: Columns | None = None
) -> tuple[str, Messages, dict[str, Any]]:
    """The format's name, the checked messages and the other fields of one row.

    format: read it as this, whatever it looks like; usual: what the rows before it were, for one
    that looks like nothing; columns: its question and answer fields, which settles the matter.
    Raises RowFault.
    """
    if columns is not None:
        messages, known, name = columns.read(row), columns.known, "question/answer"
    else:
        name = format or detect_format(row) or usual or nearest_format(row)
        shape = FORMATS[name]
        messages, known = shape.read(row), shape.known
        if name == "question/answer":
            found = find_columns(tuple(row))
            known = found.known if found else known
    check_order(messages)
    for field in row:
        if field not in known:
            return name, messages, {k: v for k, v in row.items() if k not in known}
    return name, messages, _NO_EXTRA


def write_row(conversation: Conversation, format: str) -> dict[str, Any]:
    """The row of a conversation in a format, its other fields beside; RowFault for what does not
    fit.
    """
    check_order(conversation.messages)
    for message in conversation.messages:
        if not message.content.strip():
            rule = _EMPTY[message.role]
            raise RowFault("empty-turn.written", rule=rule, role=message.role)
    row = FORMATS[format].write(conversation.messages)
    if not conversation.extra:
        return row
    taken = [name for name in conversation.extra if name in FORMATS[format].known or name in row]
    row = {**row, **conversation.extra}
    if taken or detect_format(row) != format:
        names = fields(taken or conversation.extra)
        raise RowFault("does-not-fit.extra", names=names, format=format)
    return row


def check_order(messages: Messages) -> None:
    """Raise RowFault unless the turns end with an answer to a user, a system turn standing first
    only.
    """
    if len(messages) == 2 and messages[0].role == "user" and messages[1].role == "assistant":
        return  # most rows are this, and the general questions below take longer than their reading
    if messages[-1].role != "assistant":
        raise RowFault("wrong-order.no-answer")
    if not any(m.role == "user" for m in messages[:-1]):
        raise RowFault("wrong-order.no-user")
    if any(m.role == "system" for m in messages[1:]):
        raise RowFault("wrong-order.system")
