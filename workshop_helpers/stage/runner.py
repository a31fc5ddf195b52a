"""A notebook on the stage: its cells in a kernel of its own, in a thread that never keeps the
presenter waiting.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.errors import Closing
from ..core.wordings import Wording
from .cells import Cell, Chapter, with_parameters
from .kernel import Kernel, KernelDied, Outcome

# Seconds that a cell has to stop when it is interrupted; after that its kernel is killed.
OBEY = 3.0
# A cell that failed or was stopped as often is not tried again silently.
_STRIKES = 2


@dataclass(frozen=True)
class Report:
    """What a runner tells: `kind` is "running", "done", "failed", or "restarted". `cell` is None
    where none is meant; `asked` says whether the presenter has asked for this cell.
    """

    kind: str
    cell: Cell | None
    asked: bool = False
    outcome: Outcome | None = None
    why: Wording | None = None


class Runner(Closing):
    """Runs a notebook's cells in order: silently up to a `goal`, and a scene when it is asked for.

    `hear` is called from the runner's thread. A cell whose kernel died, or that failed when it was
    asked for, makes the kernel begin anew, since what it needed may be gone; the cells above run
    again silently.
    """

    def __init__(
        self,
        chapter: Chapter,
        folder: Callable[[], Path],
        parameters: Mapping[str, Any],
        environment: Mapping[str, str],
        hear: Callable[[Report], None],
    ) -> None:
        self.chapter = chapter
        self._folder, self._environment, self._hear = folder, environment, hear
        self._parameters = parameters
        self._kernel: Kernel | None = None
        self._lock = threading.Condition()
        self._settled: set[int] = set()  # places of cells that this kernel has behind it
        self._strikes: Counter[int] = Counter()
        self._goal = 0
        self._asked: int | None = None
        self._running: int | None = None
        self._since = time.monotonic()
        self._turn = 0  # counts the cells that were run
        self._dropped = False  # what runs now is not wanted any more
        self._closed = False
        self.trouble: Wording | None = None  # the first failure of the preparation
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    # What the presenter's side calls; none of it waits.

    def prepare(self, place: int) -> None:
        """Run all cells before this place silently."""
        with self._lock:
            self._goal = max(self._goal, place)
            self._lock.notify_all()

    def ask(self, place: int) -> None:
        """Run the cell at this place, and before it silently what must be."""
        with self._lock:
            self._asked, self._goal = place, max(self._goal, place)
            self._lock.notify_all()

    def drop(self, *, stuck: bool) -> None:
        """What was asked for is not wanted any more: stop it; and `stuck` says to stop what runs
        silently before it, too. A kernel that does not obey within `OBEY` seconds is killed, and
        begins anew.
        """
        with self._lock:
            kernel, running = self._kernel, self._running
            wanted, self._asked = self._asked, None
            if kernel is None or running is None or self._dropped:
                return
            if running != wanted and not stuck:
                return
            self._dropped, turn = True, self._turn
        threading.Thread(target=self._stop, args=(kernel, turn), daemon=True).start()

    def forget(self) -> None:
        """What was asked for goes on silently."""
        with self._lock:
            self._asked = None

    def to_do(self, place: int) -> list[Cell]:
        """The cells that will run before and with the one at this place is done."""
        with self._lock:
            left = [self.chapter.cells[p] for p in range(place) if self._open(p)]
        return [*left, self.chapter.cells[place]]

    @property
    def at(self) -> Cell | None:
        """The cell that runs now."""
        running = self._running
        return None if running is None else self.chapter.cells[running]

    @property
    def seconds(self) -> float:
        """How long it has been at this cell."""
        return time.monotonic() - self._since

    @property
    def ready(self) -> bool:
        """Is all done that was to be prepared?"""
        with self._lock:
            return self._running is None and not any(map(self._open, range(self._goal)))

    @property
    def partial(self) -> tuple[dict[str, Any], ...]:
        """What the running cell has put out so far."""
        kernel = self._kernel
        return () if kernel is None else kernel.partial

    @property
    def pid(self) -> int | None:
        """The kernel's process."""
        kernel = self._kernel
        return None if kernel is None else kernel.pid

    def close(self) -> None:
        with self._lock:
            self._closed = True
            kernel = self._kernel
            self._lock.notify_all()
        if kernel is not None:
            kernel.close()
        self._thread.join(timeout=10)

    # The runner's own thread.

    def _open(self, place: int) -> bool:
        return place not in self._settled and self._strikes[place] < _STRIKES

    def _next(self) -> int | None:
        """The place of the next cell to run; None if there is nothing to do."""
        before = next((p for p in range(self._goal) if self._open(p)), None)
        if self._asked is not None and (before is None or before >= self._asked):
            return self._asked
        return before

    def _work(self) -> None:
        while True:
            with self._lock:
                self._lock.wait_for(lambda: self._closed or self._next() is not None)
                if self._closed:
                    return
                place = self._next()
                assert place is not None
                asked = place == self._asked
                self._running, self._dropped = place, False
                self._turn, self._since = self._turn + 1, time.monotonic()
            cell = self.chapter.cells[place]
            try:
                kernel = self._started()
            except KernelDied:
                self._settle(place, asked, None, Wording("stage.died"))
            # A full disk can stop a kernel from starting, in more ways than can be listed; whatever
            # it is, the presenter goes on.
            except Exception as error:
                self._no_kernel(error)
            else:
                self._hear(Report("running", cell, asked))
                self._settle(place, asked, *self._run(kernel, cell))

    def _started(self) -> Kernel:
        with self._lock:
            if self._closed:
                raise KernelDied
            if self._kernel is None:
                self._kernel = Kernel(self._folder(), self._environment)
            kernel = self._kernel
        kernel.start()
        return kernel

    def _no_kernel(self, error: Exception) -> None:
        """No kernel can be had: no cell's fault. It is tried again when a scene is asked for."""
        why = Wording("stage.error", {"error": str(error) or type(error).__name__})
        with self._lock:
            asked, self._asked = self._asked, None
            self._running, self._goal, self.trouble = None, 0, why
            kernel, self._kernel = self._kernel, None
            self._lock.notify_all()
        if kernel is not None:
            kernel.close()
        if asked is not None:
            self._hear(Report("failed", self.chapter.cells[asked], True, why=why))

    def _run(self, kernel: Kernel, cell: Cell) -> tuple[Outcome | None, Wording | None]:
        """The outcome of a cell, and why there is none, or why it failed."""
        try:
            outcome = kernel.run(with_parameters(cell, self._parameters))
        except KernelDied:
            return None, Wording("stage.died")
        return outcome, Wording("stage.error", {"error": outcome.error}) if outcome.error else None

    def _settle(
        self, place: int, asked: bool, outcome: Outcome | None, why: Wording | None
    ) -> None:
        cell = self.chapter.cells[place]
        with self._lock:
            # It may have been asked for, or dropped, while it ran.
            wanted = self._asked == place
            dropped = self._dropped
            again = outcome is None or (why is not None and asked and wanted)
            if why is None:
                self._settled.add(place)
            else:
                self._strikes[place] += 1
                if not again and not dropped:
                    self._settled.add(place)  # failed silently: the cells below may not need it
                if not asked and not dropped and self.trouble is None:
                    self.trouble = Wording("stage.trouble", {"number": cell.number, "why": why})
            if asked and wanted:
                self._asked = None
                if why is not None and self.trouble is not None:
                    why = Wording("stage.after-trouble", {"why": why, "trouble": self.trouble})
            self._running = None
            self._lock.notify_all()
            if self._closed:
                return
        if not dropped or why is None:
            kind = "done" if why is None else "failed"
            self._hear(Report(kind, cell, asked and wanted, outcome, why))
        if again:
            self._restart(place, hung=dropped)
            self._hear(Report("restarted", None, why=why))

    def _restart(self, place: int, *, hung: bool) -> None:
        with self._lock:
            kernel, self._kernel = self._kernel, None
            self._settled.clear()
            self.trouble = None
            if hung:  # it would hang again
                self._strikes[place] = _STRIKES
        if kernel is not None:
            kernel.close()

    def _stop(self, kernel: Kernel, turn: int) -> None:
        kernel.interrupt()
        with self._lock:
            stopped = self._lock.wait_for(
                lambda: self._turn != turn or self._running is None, timeout=OBEY
            )
        if not stopped:
            kernel.kill()
