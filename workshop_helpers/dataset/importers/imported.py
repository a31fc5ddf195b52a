"""What every importer gives: rows, and what was passed over."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from ...core.errors import WorkshopError
from ..formats import Conversation, Fault, Message


class Imported(list[Conversation]):
    """The rows of a source, each with its file and line.

    `skipped`: reason → how many were passed over. `faults`: what could not be read, with file and
    line. `note`: how the source was understood, in a sentence.
    """

    def __init__(self) -> None:
        super().__init__()
        self.skipped: Counter[str] = Counter()
        self.faults: list[Fault] = []
        self.note = ""

    def summary(self) -> str:
        """How many rows there are and what was passed over, in a sentence or two."""
        told = f"{len(self)} row{'' if len(self) == 1 else 's'}."
        if self.note:
            told += f" {self.note}"
        if self.skipped:
            reasons = ", ".join(f"{count} {why}" for why, count in self.skipped.most_common())
            told += f" Passed over: {reasons}."
        if self.faults:
            told += f" Could not be read: {len(self.faults)}, the first: {self.faults[0]}"
        return told

    def finished(self, path: Path) -> Imported:
        """These rows without equal ones; WorkshopError where none is left."""
        kept: dict[tuple[Message, ...], Conversation] = {}
        for row in self:
            if kept.setdefault(row.messages, row) is not row:
                self.skipped["the same as a row before"] += 1
        self[:] = kept.values()
        if not self:
            raise WorkshopError(f"No row could be made of {path}. {self.summary()}")
        return self
