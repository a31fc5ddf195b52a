"""Lists of turns in a row: role and text, under the field names of one format."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ...core.wordings import Wording
from .conversation import ROLES, Message, Messages
from .faults import Fields, RowFault, field_text, kind, missing, nothing, quoted, word

# The rule for an empty text of each role.
EMPTY = {"user": "empty-question", "assistant": "empty-answer", "system": "empty-system"}
_ALIASES = {
    "human": "user",
    "ai": "assistant",
    "bot": "assistant",
    "chatgpt": "assistant",
    "gpt": "assistant",
    "model": "assistant",
    "developer": "system",
}


@dataclass(frozen=True)
class Turns:
    """A field that is a list of turns.

    field: its name; speaker, text: the fields of a turn; roles: its role names and ours, the name
    to write first; parts: the text is written as a list of parts.
    """

    field: str
    speaker: str
    text: str
    roles: Mapping[str, str]
    parts: bool = False

    @cached_property
    def names(self) -> dict[str, str]:
        """The name to write for each role."""
        names: dict[str, str] = {}
        for theirs, role in self.roles.items():
            names.setdefault(role, theirs)
        return names

    def read(self, row: Fields) -> Messages:
        """The turns of a row."""
        if self.field not in row:
            raise missing(row, self.field, ())
        return self.read_list(row[self.field], self.field)

    def read_list(
        self, value: object, field: str, fix: str = "missing-field.turns.fix"
    ) -> Messages:
        """The turns in the value of a field; RowFault if it is not a list or is empty."""
        if not isinstance(value, list) or not value:
            both = word("two-fields", name=self.speaker, other=self.text)
            raise RowFault("missing-field.turns", fix=word(fix), field=field, fields=both)
        turns = []
        for number, turn in enumerate(value, start=1):
            # Fast path for usual turns; `_turn` reads the others, or finds their fault.
            if turn.__class__ is dict and len(turn) == 2:
                role, text = turn.get(self.speaker), turn.get(self.text)
                role = self.roles.get(role) if role.__class__ is str else None
                if role and text.__class__ is str and text and not text.isspace():
                    turns.append(Message(role, text))
                    continue
            message = self._turn(turn, word("turn", number=number, name=field))
            if message is not None:
                turns.append(message)
        if not turns:
            raise RowFault("wrong-order.no-answer")
        return tuple(turns)

    def _turn(self, turn: object, where: Wording) -> Message | None:
        """The message of a turn; None for a system turn that says nothing."""
        if not isinstance(turn, dict):
            both = {"name": self.speaker, "other": self.text}
            fix = word("missing-field.no-object.fix", **both)
            raise RowFault("missing-field.no-object", fix=fix, turn=where, kind=kind(turn))
        if self.speaker not in turn and turn.keys() >= {"role", "content"}:
            return MESSAGES._turn(turn, where)  # also found in ShareGPT files
        with _inside(where):
            speaker = field_text(turn, self.speaker, known=self._known, rule="wrong-role")
        calls = turn.get("tool_calls") or turn.get("function_call")
        if calls or _plain_role(speaker) in _TOOLS.split():
            raise RowFault("wrong-role.tool", turn=where)
        if speaker not in self.roles:
            raise RowFault("wrong-role", turn=where, role=speaker[:40], wanted=self._near(speaker))
        if self.roles[speaker] == "system" and _empty(turn.get(self.text)):
            return None
        return self.message(turn, self.roles[speaker], where)

    @property
    def _known(self) -> tuple[str, str]:
        return self.speaker, self.text

    def _near(self, speaker: str) -> Wording:
        """The role name that was probably meant, or all of them."""
        speaker = speaker.lower()
        names = list(self.names.values())
        meant = self.names.get(_ALIASES.get(speaker, speaker))
        near = [meant] if meant else difflib.get_close_matches(speaker, names, n=1, cutoff=0.5)
        if near:
            return word("field", name=near[0])
        values = dict(zip(("one", "two", "three"), names, strict=False))
        return word(f"roles.{len(names)}", **values)

    def message(self, turn: dict[str, Any], role: str, where: Wording) -> Message:
        """The message of a turn; text parts are joined. RowFault for an image, audio or a call."""
        text = turn.get(self.text)
        extra = {k: v for k, v in turn.items() if k not in self._known and v is not None}
        parts = [text] if isinstance(text, dict) else text
        if isinstance(parts, list):
            thought = [part for part in parts if _is_thought(part)]
            texts = [_text_of(part) for part in parts if not _is_thought(part)]
            if not all(isinstance(text, str) for text in texts):
                raise RowFault("missing-field.no-text-part", turn=where)
            turn = {**turn, self.text: "".join(map(str, texts))}
            if thought:
                extra["reasoning_content"] = "".join(str(_text_of(part)) for part in thought)
        with _inside(where):
            text = field_text(turn, self.text, known=self._known, rule=EMPTY[role])
        return Message(role, text, extra)

    def write(self, messages: Messages) -> dict[str, Any]:
        """A row with these turns."""
        return {self.field: self.write_list(messages)}

    def write_list(self, messages: Messages) -> list[dict[str, Any]]:
        """The list of these turns, with their other fields."""
        return [self._written(message) for message in messages]

    def _written(self, message: Message) -> dict[str, Any]:
        extra = dict(message.extra or {})
        if taken := [name for name in extra if name in self._known]:
            raise RowFault("does-not-fit.extra", names=quoted(taken), format=self.field)
        content: Any = message.content
        if self.parts:
            content = [{"text": content}]
            if isinstance(thought := extra.pop("reasoning_content", None), str):
                content.insert(0, {"text": thought, "thought": True})
        return {self.speaker: self.names[message.role], self.text: content, **extra}


_TOOLS = (
    "tool tools toolcall toolcalls toolresponse toolresult function functioncall functionresponse"
    " functionresult observation ipython"
)


def _plain_role(speaker: str) -> str:
    return speaker.lower().replace("_", "").replace("-", "").replace(" ", "")


def _empty(text: object) -> bool:
    return nothing(text) or (isinstance(text, str) and not text.strip())


def _is_thought(part: object) -> bool:
    """Whether a part is what the model thought before it answered."""
    return isinstance(part, dict) and (
        part.get("thought") is True or part.get("type") in ("thinking", "reasoning")
    )


def _text_of(part: object) -> object:
    """The text of a part, under the name that its API gives it; None for a picture or a call."""
    if not isinstance(part, dict):
        return part
    if part.get("type", "text") not in ("text", "input_text", "output_text", "thinking",
                                        "reasoning", None):  # fmt: skip
        return None
    names = ("text", "value", "content", "thinking", "reasoning")
    return next((part[name] for name in names if part.get(name) is not None), None)


def require_pair(messages: Messages, shape: str) -> None:
    """Raise RowFault unless this is one question and one answer, optionally after a system prompt.

    shape: the format that cannot store more, an entry shape.… of formats.yaml.
    """
    names = {name for message in messages for name in message.extra or ()}
    if names:
        raise RowFault(
            "does-not-fit.turn-fields", names=quoted(sorted(names)), shape=word(f"shape.{shape}")
        )
    roles = [message.role for message in messages]
    if roles[-2:] != ["user", "assistant"] or roles[:-2] not in ([], ["system"]):
        count = len(roles) - roles.count("system")
        raise RowFault("does-not-fit.turns", turns=count, shape=word(f"shape.{shape}"))


@contextlib.contextmanager
def _inside(turn: Wording) -> Iterator[None]:
    """Adds the number of a turn to a fault in it."""
    try:
        yield
    except RowFault as fault:
        said = {"turn": turn, "fault": fault.message}
        raise RowFault("in-turn", rule=fault.rule, fix=fault.fix, **said) from fault


MESSAGES = Turns("messages", "role", "content", {role: role for role in ROLES})
SHAREGPT = Turns(
    "conversations",
    "from",
    "value",
    {"human": "user", "gpt": "assistant"} | {role: role for role in ROLES},
)
GEMINI = Turns("contents", "role", "parts", {"user": "user", "model": "assistant"}, parts=True)
