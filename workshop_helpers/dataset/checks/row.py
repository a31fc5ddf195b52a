"""What the checks are given: a row with what several of them ask of it, and where rows stand."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...metrics.language import bytes_per_character, quick_language
from .findings import Finding, Place, finding, where

if TYPE_CHECKING:
    from ..formats import Conversation, Message


@dataclass(slots=True, init=False)
class CheckedRow:
    """A conversation that ends with a question and an answer; its number in the set counts from 0.

    asked, said: their languages, as `quick_language` tells them; density: bytes of UTF-8 for a
    character of the answer.
    """

    number: int
    conversation: Conversation
    messages: tuple[Message, ...]
    question: str
    answer: str
    density: float
    said: str
    asked: str

    def __init__(self, number: int, conversation: Conversation) -> None:
        self.number = number
        self.conversation = conversation
        self.messages = messages = conversation.messages
        self.question = question = messages[-2].content
        self.answer = answer = messages[-1].content
        self.density = density = bytes_per_character(answer)
        self.said = quick_language(answer, density)
        self.asked = quick_language(question, bytes_per_character(question))

    def finding(
        self, rule: str, code: str, other: Place | None = None, /, **values: Any
    ) -> Finding:
        """A finding in this row; with `other`, a second row, whose place the wording names."""
        if other is not None:
            values["place"] = where(other, self.conversation)
        return finding(rule, self.conversation, code, other=other, **values)


class Places:
    """Numbers rows from 0 as they come, and remembers file and line of each (12 bytes a row)."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._file = array("L" if array("L").itemsize == 4 else "I")
        self._line = array("Q")

    @property
    def files(self) -> list[str]:
        """The files, in the order in which they came."""
        return list(self._numbers)

    def __getitem__(self, number: int) -> Place:
        return Place(self.files[self._file[number]], self._line[number])

    def open(self, file: str) -> int:
        """Note a file, also one that turns out to hold no rows; its number."""
        return self._numbers.setdefault(file, len(self._numbers))

    def add(self, conversation: Conversation) -> int:
        """Note a row; its number."""
        self._file.append(self.open(conversation.file or ""))
        self._line.append(conversation.line or 0)
        return len(self._line) - 1


class SetCheck:
    """A check of the set as a whole: it takes row after row, and finds faults then or at the end.

    SAMPLE: (first, every), which rows of a large set it gets: the first ones, then one in `every`.
    """

    SAMPLE = (0, 1)

    def __init__(self, places: Places) -> None:
        self.places = places

    def finding(
        self, rule: str, code: str, number: int, other: int | None = None, /, **values: Any
    ) -> Finding:
        """A finding in the row of that number, and about a second one, if any."""
        second = None if other is None else self.places[other]
        return finding(rule, self.places[number], code, other=second, **values)

    def add(self, row: CheckedRow) -> Iterable[Finding]:
        """Take a row; what is wrong with it, beside those before it."""
        raise NotImplementedError

    def finish(self) -> Iterable[Finding]:
        """What only the whole set shows."""
        return ()

    def summary(self) -> dict[str, Any]:
        """What was measured, by its name in the report's summary."""
        return {}
