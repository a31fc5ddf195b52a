"""The input of checks: a row with properties that several checks use, and places of rows."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ...metrics.language import bytes_per_character, quick_language
from ..formats import Conversation, Message
from .findings import Finding, Place, finding, where


@dataclass(slots=True, init=False)
class CheckedRow:
    """A conversation that ends with a question and an answer; `number` counts from 0 in the set.

    asked, said: the languages of question and answer (see `quick_language`); density: UTF-8 bytes
    per character of the answer; plain: `prefilter.scanned` saw nothing in its texts.
    """

    number: int
    conversation: Conversation
    messages: tuple[Message, ...]
    question: str
    answer: str
    density: float
    said: str
    asked: str
    plain: bool

    def __init__(
        self, number: int, conversation: Conversation, plain: bool = False, size: int = 0
    ) -> None:
        self.number = number
        self.plain = plain
        self.conversation = conversation
        self.messages = messages = conversation.messages
        self.question = question = messages[-2].content
        self.answer = answer = messages[-1].content
        density = size / len(answer) if size else bytes_per_character(answer)
        self.density = density
        self.said = quick_language(answer, density)
        self.asked = quick_language(question, bytes_per_character(question))

    def finding(
        self, rule: str, code: str, other: Place | None = None, /, **values: Any
    ) -> Finding:
        """A finding in this row; other: a second row, whose place the message names."""
        if other is not None:
            values["place"] = where(other, self.conversation)
        return finding(rule, self.conversation, code, other=other, **values)


class Places:
    """Numbers rows from 0 and stores the file and line of each (12 bytes per row)."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._file = array("L" if array("L").itemsize == 4 else "I")
        self._line = array("Q")

    @property
    def files(self) -> list[str]:
        """The files, in the order of their first row."""
        return list(self._numbers)

    def __getitem__(self, number: int) -> Place:
        return Place(self.files[self._file[number]], self._line[number])

    def open(self, file: str) -> int:
        """Register a file, even one without rows; returns its number."""
        return self._numbers.setdefault(file, len(self._numbers))

    def add(self, conversations: Sequence[Conversation]) -> int:
        """Register rows; returns the number of the first."""
        first = len(self._line)
        files = dict.fromkeys([row.file for row in conversations])
        numbers = {file: self.open(file or "") for file in files}
        self._file.extend([numbers[row.file] for row in conversations])
        self._line.extend([row.line or 0 for row in conversations])
        return first


class SetCheck:
    """A check of the whole set: it receives the rows one by one, and reports then or at the end.

    SAMPLE: (first, every): of a large set it gets the `first` rows, then one in `every`.
    """

    SAMPLE = (0, 1)

    def __init__(self, places: Places) -> None:
        self.places = places

    def finding(
        self, rule: str, code: str, number: int, other: int | None = None, /, **values: Any
    ) -> Finding:
        """A finding in row `number`, and about a second one, if given."""
        second = None if other is None else self.places[other]
        return finding(rule, self.places[number], code, other=second, **values)

    def add(self, row: CheckedRow) -> Iterable[Finding]:
        """Add a row; returns its findings, compared with the rows before."""
        raise NotImplementedError

    def finish(self) -> Iterable[Finding]:
        """Findings about the whole set."""
        return ()

    def summary(self) -> dict[str, Any]:
        """Measured values, by their names in the report's summary."""
        return {}
