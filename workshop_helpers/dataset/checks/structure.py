"""Fields of a row that the model does not see: what is kept, and not learned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from .findings import Finding
from .row import CheckedRow, Places, Rows, SetCheck


class OtherFields(SetCheck):
    """`unread-field`, once for each field that holds what was thought before the answers; and which
    other fields the rows have.
    """

    def __init__(self, places: Places) -> None:
        super().__init__(places)
        self._fields: Counter[str] = Counter()
        self._thoughts: dict[str, list[int]] = {}  # its rows, and how many they are

    def take(self, rows: Rows) -> Iterable[Finding]:
        return [found for place in rows.special for found in self.add(rows[place])]

    def add(self, row: CheckedRow) -> Iterable[Finding]:
        """Count the fields of a row and of its turns."""
        conversation, messages = row.conversation, row.messages
        self._fields.update(conversation.extra.keys())
        for message in messages:
            if message.extra:
                self._fields.update(message.extra.keys())
        for name in conversation.thoughts:
            self._thoughts.setdefault(name, [row.number, 0])[1] += 1
        return ()

    def finish(self) -> Iterable[Finding]:
        """A finding for each name."""
        return [
            self.finding("unread-field", "unread-field", first, name=name, rows=count)
            for name, (first, count) in self._thoughts.items()
        ]

    def summary(self) -> dict[str, Any]:
        """How many rows have which other field, the 20 most frequent."""
        return {"other_fields": dict(self._fields.most_common(20))}
