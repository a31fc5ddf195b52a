"""The input of checks: a row with properties that several checks use, and places of rows."""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from typing import Any

from ...metrics.language import bytes_per_character, quick_language, quick_languages
from ..formats import Conversation, Pairs
from .findings import Finding, Place, finding, where


def begin(function: Callable[..., Any], *arguments: Any) -> Future[Any]:
    """Call it in a thread that ends with it; one that stayed is missing in a forked process."""
    thread = ThreadPoolExecutor(1)
    result = thread.submit(function, *arguments)
    thread.shutdown(wait=False)
    return result


class CheckedRow:
    """A conversation that ends with a question and an answer; `number` counts from 0 in the set.

    plain: `prefilter.scanned` saw nothing in its texts.
    """

    def __init__(self, number: int, conversation: Conversation, plain: bool = False) -> None:
        self.number = number
        self.plain = plain
        self.conversation = conversation
        self.messages = messages = conversation.messages
        self.question = messages[-2].content
        self.answer = messages[-1].content

    @cached_property
    def density(self) -> float:
        """The bytes of UTF-8 per character of the answer."""
        return bytes_per_character(self.answer)

    @cached_property
    def said(self) -> str:
        """The language of the answer (see `quick_language`)."""
        return quick_language(self.answer, self.density)

    @cached_property
    def asked(self) -> str:
        """The language of the question."""
        return quick_language(self.question, bytes_per_character(self.question))

    def finding(
        self, rule: str, code: str, other: Place | None = None, /, **values: Any
    ) -> Finding:
        """A finding in this row; other: a second row, whose place the message names."""
        if other is not None:
            values["place"] = where(other, self.conversation)
        return finding(rule, self.conversation, code, other=other, **values)


class Rows(Sequence[CheckedRow]):
    """Rows that are checked together: the properties of `CheckedRow` as columns, in which most rows
    are passed over much more quickly than one by one.

    seen: of each, what `prefilter.scanned` says of it.
    """

    def __init__(
        self, first: int, conversations: Sequence[Conversation], seen: Iterable[tuple[bool, int]]
    ) -> None:
        self.numbers = range(first, first + len(conversations))
        self.conversations = conversations
        # Of most sets no row has more than a question and an answer: `special` are the places of
        # those that have.
        if isinstance(conversations, Pairs):
            self.questions, self.answers = conversations.questions, conversations.answers
            self.files = [conversations.file] * len(conversations)
            self.special: Sequence[int] = range(len(conversations)) if conversations.extra else ()
        else:
            self.files = [one.file or "" for one in conversations]
            turns = [one.messages for one in conversations]
            self.questions = [messages[-2].content for messages in turns]
            self.answers = [messages[-1].content for messages in turns]
            self.special = [
                place
                for place, (one, messages) in enumerate(zip(conversations, turns, strict=True))
                if one.extra or len(messages) != 2 or messages[1].extra
            ]
        answers = self.answers
        self.plain, sizes = zip(*seen, strict=True)
        self.densities = [
            size / len(answer) if size else bytes_per_character(answer)
            for answer, size in zip(answers, sizes, strict=True)
        ]
        self.said = quick_languages(answers, self.densities)
        densities = [1.0 if q.isascii() else bytes_per_character(q) for q in self.questions]
        self.asked = quick_languages(self.questions, densities)

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, place: Any) -> Any:
        return CheckedRow(self.numbers[place], self.conversations[place], self.plain[place])


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
        if isinstance(conversations, Pairs):
            self._file.extend(itertools.repeat(self.open(conversations.file), len(conversations)))
            self._line.extend(range(conversations.line, conversations.line + len(conversations)))
            return first
        files = dict.fromkeys([row.file for row in conversations])
        numbers = {file: self.open(file or "") for file in files}
        self._file.extend([numbers[row.file] for row in conversations])
        self._line.extend([row.line or 0 for row in conversations])
        return first


class SetCheck:
    """A check of the whole set: it receives the rows in order, and reports then or at the end.

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

    def take(self, rows: Rows) -> Iterable[Finding]:
        """Add rows; returns their findings, compared with the rows before."""
        return [found for row in rows for found in self.add(row)]

    def add(self, row: CheckedRow) -> Iterable[Finding]:
        """The same for one row."""
        raise NotImplementedError

    def finish(self) -> Iterable[Finding]:
        """Findings about the whole set."""
        return ()

    def summary(self) -> dict[str, Any]:
        """Measured values, by their names in the report's summary."""
        return {}
