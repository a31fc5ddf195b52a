"""The progress bar of long work: one look everywhere, on a terminal's stderr only."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from .errors import Closing
from .outside import shown as shown_text

if TYPE_CHECKING:
    from rich.progress import Progress


class Bar(Closing):
    """A bar that disappears at the end. Nothing is shown if stderr is not a terminal, or
    `shown` is False.

    `total`: the number of `unit`s to do, None if unknown; unit "bytes" is shown as MB and
    MB/s. `completed`: what an earlier run had done.
    """

    def __init__(
        self,
        description: str,
        total: float | None,
        unit: str = "",
        *,
        shown: bool = True,
        completed: float = 0,
    ) -> None:
        self._progress: Progress | None = None
        if not shown or not sys.stderr.isatty():
            return
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        description = shown_text(description)
        count: list[Any] = [MofNCompleteColumn(), TextColumn(unit)]
        if unit == "bytes":
            count = [DownloadColumn(), TransferSpeedColumn()]
        left = TimeRemainingColumn(elapsed_when_finished=True)
        columns = (TextColumn("{task.description}", markup=False), BarColumn(), *count, left)
        self._progress = Progress(
            *columns,
            TextColumn("{task.fields[note]}", markup=False),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._progress.add_task(
            description, total=total, completed=int(completed), note=""
        )
        self._progress.start()

    def advance(self, count: float = 1, note: str | None = None) -> None:
        """Add finished units; `note` is shown after the bar."""
        if self._progress is not None:
            fields: dict[str, Any] = {} if note is None else {"note": shown_text(note)}
            self._progress.update(self._task, advance=count, **fields)

    def reach(self, completed: float, total: float | None = None, note: str | None = None) -> None:
        """So many units are done in all, of `total` if that has changed."""
        if self._progress is not None:
            fields: dict[str, Any] = {} if note is None else {"note": shown_text(note)}
            self._progress.update(self._task, completed=completed, total=total, **fields)

    def close(self) -> None:
        """Take the bar away."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
