"""The talk without a presenter: every scene in turn, and whether they fit the agenda."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from .live import Live
from .scenes import Scene
from .view import DONE

_STEP = 0.1  # seconds


@dataclass(frozen=True)
class GivenScene:
    """A scene that was given: "live", or "rehearsed" where that had to help; `seconds`: from the
    key to the result; `rehearsed`: how long its cell took in the rehearsal.
    """

    name: str
    cell: str  # such as "05_before_after [7]"
    state: str
    seconds: float
    rehearsed: float | None


@dataclass(frozen=True)
class GivenSection:
    """A section that was given: what it took (seconds), and its minutes in the agenda."""

    name: str
    minutes: float
    seconds: float
    scenes: tuple[GivenScene, ...]

    @property
    def fits(self) -> bool:
        """Did what is shown take less than the minutes? The rest is for talking."""
        return self.seconds <= 60 * self.minutes


@dataclass(frozen=True)
class Given:
    """A talk that was given unattended."""

    sections: tuple[GivenSection, ...]
    notices: tuple[str, ...]

    @property
    def fits(self) -> bool:
        """Do all sections fit?"""
        return all(section.fits for section in self.sections)

    @property
    def live(self) -> bool:
        """Were all scenes given live?"""
        return all(scene.state == "live" for section in self.sections for scene in section.scenes)

    def to_dict(self) -> dict[str, Any]:
        """All of it, for JSON."""
        sections = [{**asdict(section), "fits": section.fits} for section in self.sections]
        return {"sections": sections, "fits": self.fits, "live": self.live, "notices": self.notices}


def give(live: Live, hear: Callable[[GivenScene], None] | None = None) -> Given:
    """Step through all scenes; one that fails or takes too long is answered by the rehearsal.
    `hear` is told of each.
    """
    live.auto = True
    scenes: dict[str, list[GivenScene]] = {}
    while True:
        scene = live.view().scene
        if scene is not None:
            given = _scene(live, scene)
            scenes.setdefault(scene.section, []).append(given)
            if hear is not None:
                hear(given)
        if live.last:
            break
        live.move(1)
    return Given(
        tuple(
            GivenSection(
                section.name,
                section.minutes,
                round(sum(scene.seconds for scene in scenes.get(section.name, ())), 2),
                tuple(scenes.get(section.name, ())),
            )
            for section in live.clock.sections
        ),
        tuple(notice.said(live.language) for notice in live.view().notices),
    )


def _scene(live: Live, scene: Scene) -> GivenScene:
    begin = time.monotonic()
    live.run()
    while True:
        live.tick()
        view = live.view()
        helpless = view.state == "failed" and live.rehearsal.result(scene) is None
        if helpless or (view.state in DONE and view.state != "failed"):
            break
        time.sleep(_STEP)
    return GivenScene(
        scene.name,
        f"{scene.notebook} [{scene.number}]",
        view.state,
        round(time.monotonic() - begin, 2),
        view.rehearsed_seconds,
    )
