"""A Conversation: the form of every training row, whatever file it was read from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ROLES = ("system", "user", "assistant")


# Both classes write to `__dict__` directly: the object.__setattr__ of a frozen dataclass takes half
# of the time of reading a row.


@dataclass(frozen=True, init=False)
class Message:
    """One turn: `role` is "system", "user" or "assistant"; `content` is its text."""

    role: str
    content: str

    def __init__(self, role: str, content: str) -> None:
        own = self.__dict__
        own["role"] = role
        own["content"] = content


Messages = tuple[Message, ...]


@dataclass(frozen=True, init=False)
class Conversation:
    """Turns that end with the assistant's answer, and their place (`file`, `line` from 1).

    extra: the row's other fields (id, topic, tags …) by name; equality ignores them.
    """

    messages: Messages
    file: str | None = None
    line: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def __init__(
        self,
        messages: Messages,
        file: str | None = None,
        line: int | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        own = self.__dict__
        own["messages"] = messages
        own["file"] = file
        own["line"] = line
        own["extra"] = {} if extra is None else extra

    @property
    def question(self) -> str:
        """The last user turn before the final answer."""
        return next(m.content for m in reversed(self.messages[:-1]) if m.role == "user")

    @property
    def answer(self) -> str:
        """The final assistant turn, which the model learns."""
        return self.messages[-1].content

    @property
    def system(self) -> str | None:
        """The system prompt, or None."""
        first = self.messages[0]
        return first.content if first.role == "system" else None

    def prompt_messages(self) -> list[dict[str, str]]:
        """All turns except the final answer, in the form of chat templates."""
        return self.to_messages()[:-1]

    def to_messages(self) -> list[dict[str, str]]:
        """All turns, in the form of chat templates."""
        return [{"role": m.role, "content": m.content} for m in self.messages]
