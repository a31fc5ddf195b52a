"""What there is to say of a talk at a moment: a snapshot for those who draw it, and events."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..core.agenda import Section
from ..core.wordings import Wording
from .scenes import Scene
from .store import Problem

# A scene is overdue after so many times its rehearsed seconds, and at least so many seconds.
PATIENCE, LEAST = 3.0, 10.0
SOON = 60.0  # seconds before the end of a section at which the clock begins to warn
OPEN = ("preparing", "running")
DONE = ("live", "failed", "rehearsed")


@dataclass(frozen=True)
class Event:
    """What happened, and when in the talk (seconds). `name`: started, scene, preparing, running,
    live, failed, overdue, rehearsed, soon, late, paused, restarted, notice, or ended.
    """

    name: str
    scene: str | None
    seconds: float
    values: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class View:
    """A snapshot of the talk, for those who draw it. Times are seconds."""

    place: int  # of the section, from 0
    sections: tuple[Section, ...]
    clock_running: bool
    left: float  # until the section should end; below 0 when it is late
    elapsed: float
    total: float
    pace: str  # ok, soon, late
    scene: Scene | None  # None in a section that shows nothing live
    state: str = "waiting"  # preparing, running, live, failed, rehearsed
    seconds: float | None = None  # that the scene has taken, so far
    rehearsed_seconds: float | None = None
    limit: float = LEAST
    overdue: bool = False
    outputs: tuple[dict[str, Any], ...] = ()
    label: Wording | None = None  # there is one exactly if the outputs are rehearsed; to be drawn
    why: Wording | None = None  # why it failed
    stale: Problem | None = None
    next: Scene | None = None
    background: Wording | None = None  # what is prepared meanwhile
    notices: tuple[Wording, ...] = ()
