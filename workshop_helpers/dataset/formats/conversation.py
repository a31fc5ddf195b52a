"""A Conversation: the form of every training row, whatever file it was read from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

ROLES = ("system", "user", "assistant")
# What was thought before an answer, by the names that APIs, libraries and data sets give it.
_THOUGHTS = (
    "reasoningcontent reasoning reasoningtext thinking thought thoughts chainofthought cot"
    " complexcot rationale analysis scratchpad"
)


@lru_cache(maxsize=1024)
def _is_thought(name: str) -> bool:
    return name.lower().replace("_", "").replace("-", "") in _THOUGHTS.split()


# Both classes write to `__dict__` directly: the object.__setattr__ of a frozen dataclass takes half
# of the time of reading a row.


@dataclass(frozen=True, init=False)
class Message:
    """One turn: `role` is "system", "user" or "assistant"; `content` is its text.

    extra: the turn's other fields ("weight", "reasoning_content" …); equality ignores them.
    """

    role: str
    content: str
    extra: Mapping[str, Any] | None = field(default=None, compare=False, repr=False)

    def __init__(self, role: str, content: str, extra: Mapping[str, Any] | None = None) -> None:
        own = self.__dict__
        own["role"] = role
        own["content"] = content
        if extra:
            own["extra"] = extra


Messages = tuple[Message, ...]


@dataclass(frozen=True, init=False)
class Conversation:
    """Turns that end with the assistant's answer, and their place (`file`, `line` from 1).

    extra: the row's other fields (id, topic, tags …) by name; row: all of it as it was read.
    Equality ignores both.
    """

    messages: Messages
    file: str | None = None
    line: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, compare=False)
    row: Mapping[str, Any] | None = field(default=None, compare=False, repr=False)

    def __init__(
        self,
        messages: Messages,
        file: str | None = None,
        line: int | None = None,
        extra: Mapping[str, Any] | None = None,
        row: Mapping[str, Any] | None = None,
    ) -> None:
        own = self.__dict__
        own["messages"] = messages
        own["file"] = file
        own["line"] = line
        own["extra"] = {} if extra is None else extra
        own["row"] = row

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

    @property
    def thoughts(self) -> list[str]:
        """The fields, of the row or of its turns, that hold what was thought before an answer: they
        are kept, and not learned.
        """
        found = [self.extra, *(message.extra for message in self.messages if message.extra)]
        return [
            name
            for fields in found
            for name, value in fields.items()
            if _is_thought(name) and isinstance(value, str) and value.strip()
        ]

    def prompt_messages(self) -> list[dict[str, str]]:
        """All turns except the final answer, in the form of chat templates."""
        return self.to_messages()[:-1]

    def to_messages(self) -> list[dict[str, str]]:
        """All turns, in the form of chat templates."""
        return [{"role": m.role, "content": m.content} for m in self.messages]


class Pairs(Sequence[Conversation]):
    """Conversations of a question and an answer each, from lines of a file that follow each other;
    one is made when it is looked at. line: of the first; rows: as they were read, with other fields
    named `extra`.
    """

    def __init__(
        self,
        file: str,
        line: int,
        questions: list[str],
        answers: list[str],
        rows: list[dict[str, str]],
        extra: tuple[str, ...] = (),
    ) -> None:
        self.file, self.line, self.extra = file, line, extra
        self.questions, self.answers, self._rows = questions, answers, rows

    def __len__(self) -> int:
        return len(self.answers)

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            line = self.line + place.indices(len(self))[0]
            some = self.questions[place], self.answers[place], self._rows[place]
            return Pairs(self.file, line, *some, self.extra)
        row = self._rows[place]
        turns = Message("user", self.questions[place]), Message("assistant", self.answers[place])
        extra = {name: row[name] for name in self.extra}
        return Conversation(turns, self.file, self.line + place, extra, row)

    def __iter__(self) -> Iterator[Conversation]:
        return map(self.__getitem__, range(len(self)))
