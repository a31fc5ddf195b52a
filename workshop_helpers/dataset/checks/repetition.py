"""Near duplicates, answers with the same opening, and answers that repeat themselves."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import Any

from ...metrics.variety import opening as begins
from .findings import Finding
from .row import CheckedRow, Places, Rows, SetCheck
from .subjects import are_parallel

ALIKE = 0.8  # minimum Jaccard index of near duplicates
MOST_OPENINGS = 100_000  # counted openings; a later one cannot be common
FEWEST_ROWS = 20  # minimum for meaningful shares
PIECE = 20  # characters of an answer to search for elsewhere in it
COMMON = 0.3  # minimum share of answers with the same opening for a finding


def may_repeat(rows: Rows) -> list[int]:
    """The places of rows that `check_repeated` must look at."""
    # An answer that says a sentence three times repeats it in its last two thirds, and there its
    # middle or its end: two searches rule out most rows.
    return [
        place
        for place, (answer, question) in enumerate(zip(rows.answers, rows.questions, strict=True))
        if answer == question
        or (
            (size := len(answer)) >= 60
            and (
                answer.find(answer[(half := size // 2) : half + PIECE], half + 1) >= 0
                or answer.find(answer[-PIECE - 1 : -1], size // 3) != size - PIECE - 1
            )
        )
    ]


def check_repeated(row: CheckedRow) -> Iterable[Finding]:
    """`echo` and `repeated-text`: an answer that repeats its question or itself."""
    answer = row.answer
    if answer == row.question and len(answer) > 8:
        return [row.finding("echo", "echo", excerpt=answer)]
    if len(answer) < 60:
        return ()
    sentences = answer.split("。") if "。" in answer else answer.split(". ")
    said = [sentence.strip(" \n.!?") for sentence in sentences]
    for size in (1, 2, 3):
        for start, sentence in enumerate(said):
            # Three times over, one after the other; a refrain comes back between other lines.
            twice = said[start : start + 2 * size]
            if len(sentence) >= 10 and twice == said[start + size : start + 3 * size]:
                values = {"excerpt": sentence, "n": said.count(sentence)}
                return [row.finding("repeated-text", "repeated-sentence", **values)]
    return ()


class Openings(SetCheck):
    """`low-diversity`: answers with the same opening. Memory: at most 100,000 openings."""

    def __init__(self, places: Places) -> None:
        super().__init__(places)
        self._counted: dict[str, int] = {}
        self._first = array("I")  # the row of each
        self.rows = 0

    def take(self, rows: Rows) -> Iterable[Finding]:
        openings = [begins(answer) for answer in rows.answers]
        self.rows += len(rows)
        counted = self._counted
        for number, opening in zip(rows.numbers, openings, strict=True):
            if opening in counted:
                counted[opening] += 1
            elif len(counted) < MOST_OPENINGS:
                counted[opening] = 1
                self._first.append(number)
        return ()

    def summary(self) -> dict[str, Any]:
        """The number of different openings per row (1: all differ), and the most common one."""
        if not self.rows:
            return {"openings": {}}
        opening = max(self._counted, key=self._counted.__getitem__)
        different = round(len(self._counted) / self.rows, 4)
        share = round(self._counted[opening] / self.rows, 4)
        return {"openings": {"different": different, "commonest": opening, "share": share}}

    def finish(self) -> list[Finding]:
        if self.rows < FEWEST_ROWS:
            return []
        found = []
        for (opening, n), first in zip(self._counted.items(), self._first, strict=True):
            if n >= COMMON * self.rows:
                values = {"n": n, "rows": self.rows, "share": n / self.rows, "excerpt": opening}
                found.append(self.finding("low-diversity", "begin-alike", first, **values))
        return found


class NearDuplicates(SetCheck):
    """`near-duplicate`: rows whose question and answer share most character n-grams.

    Rows that differ only in case, spaces or punctuation are included; equal rows are left to
    `consistency.Answers`. Memory: see `Similar`.
    """

    def __init__(self, places: Places) -> None:
        from .similarity import Similar

        super().__init__(places)
        self._similar = Similar(ALIKE)
        self._numbers: list[int] = []
        self._rows: list[tuple[str, str]] = []
        self._seen: set[int] = set()

    def add(self, row: CheckedRow) -> Iterable[Finding]:
        text = "\n".join([message.content for message in row.messages])
        key = hash(text)
        if key in self._seen:
            return ()
        self._seen.add(key)
        self._numbers.append(row.number)
        self._rows.append((row.question, row.answer))
        found = self._similar.nearest(text, keep=True)
        if found is None:
            return ()
        other = self.places[self._numbers[found[0]]]
        code = "same-letters" if found[1] == 1 else "nearly-same"
        values: dict[str, Any] = {"share": found[1], "excerpt": row.question}
        if are_parallel(self._rows[found[0]], self._rows[-1]):
            values["severity"] = "note"  # opening hours of two branches are alike, and right
        return [row.finding("near-duplicate", code, other, **values)]
