"""Where a million rows stand, in a few bytes each."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from .findings import Place

if TYPE_CHECKING:
    from ..formats import Conversation


class Places:
    """Numbers rows from 0 as they come, and remembers file and line of each (12 bytes a row)."""

    def __init__(self) -> None:
        self.files: list[str] = []
        self._numbers: dict[str, int] = {}
        self._file = array("L" if array("L").itemsize == 4 else "I")
        self._line = array("Q")

    def __len__(self) -> int:
        return len(self._line)

    def __getitem__(self, number: int) -> Place:
        return Place(self.files[self._file[number]], self._line[number])

    def open(self, file: str) -> None:
        """Note a file, also one that turns out to hold no rows."""
        if file not in self._numbers:
            self._numbers[file] = len(self.files)
            self.files.append(file)

    def add(self, conversation: Conversation) -> int:
        """Note a row; its number."""
        file = conversation.file or ""
        number = self._numbers.get(file)
        if number is None:
            self.open(file)
            number = self._numbers[file]
        self._file.append(number)
        self._line.append(conversation.line or 0)
        return len(self._line) - 1
