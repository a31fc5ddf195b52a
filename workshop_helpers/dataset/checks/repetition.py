"""Rows that say the same: exactly, nearly, or in how they begin; and answers that go round in
circles.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from .findings import Finding, finding
from .places import Places

if TYPE_CHECKING:
    from ..formats import Conversation
    from .row import Row

ALIKE = 0.8  # Jaccard index of two rows' pieces from which they are near duplicates
OPENING = (
    16  # characters in Latin letters that make an answer's opening; half as many Japanese ones
)
MOST_OPENINGS = 100_000  # that are told apart; rarer ones than these cannot be common
FEWEST_ROWS = 20  # below that, shares mean nothing
PIECE = 20  # characters of an answer that are looked for elsewhere in it
COMMON = 0.3  # share of answers with one opening from which the model falls into it


def check_repeated(row: Row) -> Iterable[Finding]:
    """`repeated-text` and `echo` of one row: an answer that repeats a sentence three times, or its
    question.
    """
    answer = row.answer
    if answer == row.question and len(answer) > 8:
        words = "The answer is the question, word for word."
        return [finding("echo", row.conversation, words, excerpt=answer)]
    if len(answer) < 60:
        return ()
    # What goes round in circles does so to the end, or past the middle: two looks tell the usual
    # row.
    size = len(answer)
    middle, tail = answer[size // 2 : size // 2 + PIECE], answer[-PIECE - 1 : -1]
    if answer.find(middle, size // 2 + 1) < 0 and answer.find(tail) == size - PIECE - 1:
        return ()
    sentences = answer.split("。") if "。" in answer else answer.split(". ")
    counted: dict[str, int] = {}
    for sentence in sentences:
        sentence = sentence.strip(" \n.!?")
        if len(sentence) >= 10:
            counted[sentence] = counted.get(sentence, 0) + 1
    for sentence, times in counted.items():
        if times >= 3:
            words = f"The answer says the same sentence {times} times."
            return [finding("repeated-text", row.conversation, words, excerpt=sentence)]
    return ()


class Openings:
    """`low-diversity`: how many answers begin alike. Memory: at most 100,000 openings."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._counted: dict[str, int] = {}
        self._first: dict[str, int] = {}
        self.rows = 0

    def add(self, row: Row) -> Iterable[Finding]:
        """Take a row."""
        opening = row.answer[:OPENING]
        if not opening.isascii():
            opening = opening[: OPENING // 2]
        self.rows += 1
        counted = self._counted
        if opening in counted:
            counted[opening] += 1
        elif len(counted) < MOST_OPENINGS:
            counted[opening] = 1
            self._first[opening] = row.number
        return ()

    def summary(self) -> dict[str, object]:
        """How many openings there are for each row (1: all differ), and the commonest."""
        if not self.rows:
            return {}
        opening = max(self._counted, key=self._counted.__getitem__)
        return {
            "different": round(len(self._counted) / self.rows, 4),
            "commonest": opening,
            "share": round(self._counted[opening] / self.rows, 4),
        }

    def finish(self) -> list[Finding]:
        """One finding for each opening that 30 % of the answers share."""
        if self.rows < FEWEST_ROWS:
            return []
        return [
            finding(
                "low-diversity",
                self._places[self._first[opening]],
                f"{times:,} of {self.rows:,} answers ({times / self.rows:.0%}) begin alike.",
                excerpt=opening,
            )
            for opening, times in self._counted.items()
            if times >= COMMON * self.rows
        ]


class NearDuplicates:
    """`near-duplicate`: rows whose question and answer share most pieces of a few characters.

    Rows that differ only in case, spaces or punctuation are near duplicates too; equal ones are
    `duplicate` and left to `consistency.Answers`. Memory: see `Similar`.
    """

    def __init__(self, places: Places) -> None:
        from .similarity import Similar

        self._places = places
        self._similar = Similar(ALIKE)
        self._numbers: list[int] = []
        self._seen: set[int] = set()

    def add(self, row: Row) -> Iterable[Finding]:
        """Take a row; what is near among those before it."""
        text = "\n".join([message.content for message in row.messages])
        key = hash(text)
        if key in self._seen:
            return ()
        self._seen.add(key)
        self._numbers.append(row.number)
        found = self._similar.add_and_nearest(text)
        if found is None:
            return ()
        other = self._places[self._numbers[found[0]]]
        alike = "only case, spaces or punctuation differ" if found[1] == 1 else f"{found[1]:.0%}"
        words = (
            f"Nearly the same as line {other.line}{_of(other.file, row.conversation)} ({alike})."
        )
        return [
            finding(
                "near-duplicate",
                row.conversation,
                words,
                excerpt=row.question,
                other=other,
            )
        ]

    def finish(self) -> list[Finding]:
        """Nothing more: a row is compared when it comes."""
        return []


def _of(file: str, conversation: Conversation) -> str:
    return "" if file == conversation.file else f" of {file}"
