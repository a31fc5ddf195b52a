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
from .faults import Fields, RowFault, field_text, kind, missing, word

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
            # Fast path for valid turns; `_turn` finds the fault of the others.
            if turn.__class__ is dict and "tool_calls" not in turn and "function_call" not in turn:
                role, text = turn.get(self.speaker), turn.get(self.text)
                role = self.roles.get(role) if role.__class__ is str else None
                if role and text.__class__ is str and text and not text.isspace():
                    turns.append(Message(role, text))
                    continue
            turns.append(self._turn(turn, word("turn", number=number, name=field)))
        return tuple(turns)

    def _turn(self, turn: object, where: Wording) -> Message:
        if not isinstance(turn, dict):
            both = {"name": self.speaker, "other": self.text}
            fix = word("missing-field.no-object.fix", **both)
            raise RowFault("missing-field.no-object", fix=fix, turn=where, kind=kind(turn))
        if self.speaker not in turn and turn.keys() >= {"role", "content"}:
            return MESSAGES._turn(turn, where)  # also found in ShareGPT files
        with _inside(where):
            speaker = field_text(turn, self.speaker, known=self._known, rule="wrong-role")
        if speaker not in self.roles:
            raise RowFault("wrong-role", turn=where, role=speaker[:40], wanted=self._near(speaker))
        if turn.get("tool_calls") or turn.get("function_call"):
            raise RowFault("wrong-role.tool", turn=where)
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
        parts = [text] if isinstance(text, dict) else text
        if isinstance(parts, list):
            texts = [part.get("text") if isinstance(part, dict) else None for part in parts]
            if not all(isinstance(text, str) for text in texts):
                raise RowFault("missing-field.no-text-part", turn=where)
            turn = {**turn, self.text: "".join(map(str, texts))}
        with _inside(where):
            return Message(role, field_text(turn, self.text, known=self._known, rule=EMPTY[role]))

    def write(self, messages: Messages) -> dict[str, Any]:
        """A row with these turns."""
        return {self.field: self.write_list(messages)}

    def write_list(self, messages: Messages) -> list[dict[str, Any]]:
        """The list of these turns."""
        return [
            {
                self.speaker: self.names[message.role],
                self.text: [{"text": message.content}] if self.parts else message.content,
            }
            for message in messages
        ]


def require_pair(messages: Messages, shape: str) -> None:
    """Raise RowFault unless this is one question and one answer, optionally after a system prompt.

    shape: the format that cannot store more, an entry shape.… of formats.yaml.
    """
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
