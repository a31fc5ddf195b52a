"""The talk, live: where it stands, what the cells give, and what is shown where one fails.

An engine without any user interface: `stage/terminal.py` draws it, and a widget does. Nothing here
waits for a kernel, and what a rehearsal gave lies in memory, so that it can be shown at once.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.agenda import SECTIONS, Clock, Section, agenda
from ..core.artifacts import claim
from ..core.errors import Closing, WorkshopError
from ..core.wordings import Wording
from .cells import TRAIN_LIVE, Plan, make_plan
from .papers import Papers
from .runner import Report, Runner
from .scenes import Scene
from .store import STAGE, Problem, Rehearsal, kernel_environment, work_folder
from .view import DONE, LEAST, OPEN, PATIENCE, SOON, Event, View


@dataclass
class _Moment:
    """Where a scene stands."""

    scene: Scene
    state: str = "waiting"
    asked: float = 0.0
    seconds: float | None = None
    limit: float = LEAST
    overdue: bool = False
    outputs: tuple[dict[str, Any], ...] = ()
    why: Wording | None = None


class Live(Closing):
    """The talk from its first scene to its last, by the clock; `open` makes one from the disk.

    All methods return at once. `tick` wants to be called a few times a second, by one thread;
    `listen` is called from any.
    """

    def __init__(
        self,
        plan: Plan,
        rehearsal: Rehearsal,
        *,
        minutes: float | None = None,
        auto: bool = False,
        section: str | None = None,
        now: Callable[[], float] = time.monotonic,
        listen: Callable[[Event], None] | None = None,
    ) -> None:
        self.plan, self.rehearsal, self.auto = plan, rehearsal, auto
        self.language: str = rehearsal.parameters["LANGUAGE"]
        self._now, self._listen = now, listen
        self._lock = threading.RLock()
        self.clock = Clock(agenda(minutes, plan.sections))
        self._stops = _stops(plan)
        self._moments = {scene.name: _Moment(scene) for scene in plan.scenes}
        self._runners: dict[str, Runner] = {}
        self._emptied: set[str] = set()
        self._pace, self._closed = "ok", False
        self._held = contextlib.ExitStack()
        self._notices = [problem.said for problem in rehearsal.problems(plan)]
        self._at = self._first(section)
        self._hold()
        self._papers = Papers(rehearsal.folder, self.language, self._notice)
        self.clock.at = self._stops[self._at][0]
        if self.clock.at:  # as if all before had taken its minutes
            self.clock.before = self.clock.due(self.clock.at - 1)
        self._prepare(self._at)

    @classmethod
    def open(
        cls,
        model: str,
        language: str,
        *,
        runs: Path = STAGE,
        notebooks: Path | None = None,
        sections: Sequence[Section] = SECTIONS,
        **more: Any,
    ) -> Live:
        """The talk with this model and language, rehearsed below `runs`; `more` as `Live` takes it.

        Raises WorkshopError without a rehearsal, or for an unknown section.
        """
        plan = make_plan(language, notebooks, sections)
        return cls(plan, Rehearsal.load(model, language, runs), **more)

    # What the presenter does

    def proceed(self) -> None:
        """Go on: start the clock, run the scene, or where it is done, go to the next one."""
        with self._lock:
            self._start()
            moment = self._moment
            if moment is None or moment.state in DONE:
                self.move(1)
            elif moment.state == "waiting":
                self.run()

    def run(self) -> None:
        """Run the scene, also once more."""
        with self._lock:
            moment = self._moment
            if moment is None or moment.state in OPEN:
                return
            self._start()
            runner = self._runner(moment.scene.notebook)
            place = runner.chapter.place(moment.scene.name)
            todo = runner.to_do(place)
            known = [self.rehearsal.seconds(moment.scene.notebook, cell) or 0.0 for cell in todo]
            fresh = _Moment(moment.scene, "preparing", self._now())
            fresh.limit = max(LEAST, PATIENCE * sum(known))
            self._moments[moment.scene.name] = fresh
            self._tell("preparing", fresh)
            runner.ask(place)
            self._let_go(moment.scene.notebook)

    def show_rehearsed(self) -> None:
        """Show what the rehearsal gave instead, now. What runs for the scene is stopped."""
        with self._lock:
            moment = self._moment
            if moment is None:
                return
            result = self.rehearsal.result(moment.scene)
            if result is None:
                self._notice(Problem(moment.scene, "missing").said)
                return
            was_open = moment.state in OPEN
            moment.seconds = self._taken(moment)
            moment.state, moment.outputs = "rehearsed", result.outputs
            self._tell("rehearsed", moment, label=result.label, why=moment.why)
            if was_open:
                runner = self._runner(moment.scene.notebook)
                runner.drop(stuck=moment.overdue or self._stuck(runner))
            self._prepare(self._at + 1)

    def move(self, by: int) -> None:
        """To the next scene (1) or the one before (-1)."""
        with self._lock:
            self._go(self._at + by)

    def skip(self) -> None:
        """To the first scene of the next section."""
        with self._lock:
            here = self.clock.at
            later = [i for i, (section, _) in enumerate(self._stops) if section > here]
            if later:
                self._go(later[0])

    def pause(self) -> None:
        """Stop the clock, or let it go on."""
        with self._lock:
            if self.clock.running:
                self.clock.pause(self._now())
                self._tell("paused", None)
            else:
                self._start()

    def close(self) -> None:
        """The talk is over: the kernels end. The log says where the clock stood."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._tell("ended", None)
            runners, self._runners = list(self._runners.values()), {}
        for runner in runners:
            runner.close()
        self._papers.close()
        self._held.close()

    # What goes on meanwhile

    def tick(self) -> None:
        """See what is late: the section, and the scene that runs."""
        with self._lock:
            now = self._now()
            pace = self._pace_at(now)
            if pace != self._pace and self.clock.running:
                self._pace = pace
                if pace != "ok":
                    name = self.clock.sections[self.clock.at].name
                    self._tell(pace, None, section=name, left=round(self.clock.left(now), 1))
            moment = self._moment
            if moment is not None and moment.state in OPEN and not moment.overdue:
                moment.overdue = now - moment.asked > moment.limit
                if moment.overdue:
                    self._tell("overdue", moment, limit=moment.limit)
            if moment is not None and self.auto and self._stranded(moment):
                self.show_rehearsed()
            self._papers.show(self.view())

    def view(self) -> View:
        """How it stands now."""
        with self._lock:
            now, moment = self._now(), self._moment
            clock = self.clock
            about: dict[str, Any] = {}
            if moment is not None:
                scene = moment.scene
                result = self.rehearsal.result(scene)
                about = {
                    "scene": scene,
                    "state": moment.state,
                    "seconds": self._taken(moment),
                    "rehearsed_seconds": result and result.seconds,
                    "limit": moment.limit,
                    "overdue": moment.overdue,
                    "outputs": self._outputs(moment),
                    "label": result.label if result and moment.state == "rehearsed" else None,
                    "why": moment.why,
                    "stale": self.rehearsal.problem(scene, self.plan),
                }
            return View(
                place=clock.at,
                sections=clock.sections,
                clock_running=clock.running,
                left=clock.left(now),
                elapsed=clock.elapsed(now),
                total=clock.due(len(clock.sections) - 1),
                pace=self._pace_at(now),
                **{"scene": None, **about},
                next=next((s for _, s in self._stops[self._at + 1 :] if s is not None), None),
                background=self._background(),
                notices=tuple(self._notices),
            )

    def moment_state(self, scene: str) -> tuple[str, float | None]:
        """State of a scene and its seconds."""
        with self._lock:
            moment = self._moments[scene]
            return moment.state, self._taken(moment)

    @property
    def last(self) -> bool:
        """Is this the last stop of the talk?"""
        return self._at == len(self._stops) - 1

    def kernel_pid(self, notebook: str) -> int | None:
        """The process of a notebook's kernel, None where there is none."""
        runner = self._runners.get(notebook)
        return None if runner is None else runner.pid

    # Inside

    @property
    def _moment(self) -> _Moment | None:
        scene = self._stops[self._at][1]
        return None if scene is None else self._moments[scene.name]

    def _hold(self) -> None:
        """Keep others from the folder meanwhile; WorkshopError where another run is at work."""
        import filelock

        try:
            self._held.enter_context(claim(self.rehearsal.folder))
        except WorkshopError as error:
            if isinstance(error.__cause__, filelock.Timeout):
                raise
            # A disk that takes no lock is no reason to give no talk.
            self._notices.append(Wording("stage.error", {"error": str(error)}))

    def _first(self, section: str | None) -> int:
        if section is None:
            return 0
        names = [section.name for section in self.plan.sections]
        if section not in names:
            raise WorkshopError(
                f"The talk has no section {section!r}. Its sections: {', '.join(names)}."
            )
        return next(i for i, (place, _) in enumerate(self._stops) if names[place] == section)

    def _start(self) -> None:
        if not self.clock.running:
            self.clock.start(self._now())
            self._tell("started", None)

    def _go(self, to: int) -> None:
        to = min(max(to, 0), len(self._stops) - 1)
        if to == self._at:
            return
        left = self._moment
        if left is not None and left.state in OPEN:
            # It may finish, but silently: the scenes below may need it.
            self._runner(left.scene.notebook).forget()
            left.state = "waiting"
        self._at = to
        self.clock.at = self._stops[to][0]
        self._pace = self._pace_at(self._now())
        self._tell("scene", self._moment)
        self._prepare(to)

    def _prepare(self, stop: int) -> None:
        """Have all above the scene of this stop run silently."""
        scenes = [scene for _, scene in self._stops[stop:] if scene is not None]
        if scenes and not self._closed:
            runner = self._runner(scenes[0].notebook)
            runner.prepare(runner.chapter.place(scenes[0].name))

    def _runner(self, notebook: str) -> Runner:
        if notebook not in self._runners:

            def hear(report: Report) -> None:
                self._hear(notebook, report)

            self._runners[notebook] = Runner(
                self.plan.chapters[notebook],
                lambda: self._folder(notebook),
                self.rehearsal.parameters,
                kernel_environment(self.rehearsal.folder, offline=True),
                hear,
            )
        return self._runners[notebook]

    def _folder(self, notebook: str) -> Path:
        """Where a notebook works; one whose scenes train begins with nothing, once in a talk."""
        empty = notebook in TRAIN_LIVE and notebook not in self._emptied
        self._emptied.add(notebook)
        return work_folder(self.rehearsal.folder, notebook, empty=empty)

    def _let_go(self, notebook: str) -> None:
        """End the kernels of notebooks that are over; memory is for those in use."""
        order = list(self.plan.chapters)
        keep = order[order.index(notebook) :][:2]
        for name in [name for name in self._runners if name not in keep]:
            threading.Thread(target=self._runners.pop(name).close, daemon=True).start()

    def _hear(self, notebook: str, report: Report) -> None:
        """From the thread of a runner."""
        with self._lock:
            if self._closed:
                return
            if report.kind == "restarted":
                self._tell("restarted", None, notebook=notebook, why=report.why)
                return
            moment = self._moments.get(report.cell.scene or "") if report.cell else None
            if moment is None or moment.state not in OPEN or not report.asked:
                return
            if report.kind == "running":
                moment.state = "running"
                self._tell("running", moment)
                return
            moment.seconds, moment.why = self._taken(moment), report.why
            if report.outcome is not None:
                moment.seconds, moment.outputs = report.outcome.seconds, report.outcome.outputs
            moment.state = "live" if report.kind == "done" else "failed"
            self._tell(moment.state, moment, why=report.why)
            if moment is self._moment:
                if moment.state == "failed" and self.auto:
                    self.show_rehearsed()
                self._prepare(self._at + 1)

    def _stranded(self, moment: _Moment) -> bool:
        helped = self.rehearsal.result(moment.scene) is not None
        return helped and (moment.state == "failed" or (moment.state in OPEN and moment.overdue))

    def _stuck(self, runner: Runner) -> bool:
        """Has what runs there taken too long already?"""
        cell = runner.at
        if cell is None:
            return False
        rehearsed = self.rehearsal.seconds(runner.chapter.notebook, cell) or 0.0
        return runner.seconds > max(LEAST, PATIENCE * rehearsed)

    def _taken(self, moment: _Moment) -> float | None:
        if moment.state in OPEN:
            return self._now() - moment.asked
        return moment.seconds

    def _outputs(self, moment: _Moment) -> tuple[dict[str, Any], ...]:
        if moment.state == "running" and moment.scene.notebook in self._runners:
            return self._runners[moment.scene.notebook].partial
        return moment.outputs

    def _pace_at(self, now: float) -> str:
        left = self.clock.left(now)
        # In a talk of minutes for a test, a minute would be no warning.
        soon = min(SOON, 60 * self.clock.sections[self.clock.at].minutes / 5)
        return "late" if left < 0 else "soon" if left < soon else "ok"

    def _background(self) -> Wording | None:
        """What the kernel of the scene, or of the next one, is at."""
        scenes = [scene for _, scene in self._stops[self._at : self._at + 2] if scene is not None]
        for notebook in dict.fromkeys(scene.notebook for scene in reversed(scenes)):
            runner = self._runners.get(notebook)
            if runner is None:
                continue
            cell = runner.at
            shown = self._moments[cell.scene].state if cell and cell.scene else ""
            if cell is not None and shown != "running":
                last = max(scene.number for scene in self.plan.scenes if scene.notebook == notebook)
                values = {"notebook": notebook, "number": cell.number, "last": last}
                return Wording("stage.preparing", values)
            if runner.trouble is not None:
                return Wording("stage.in-notebook", {"notebook": notebook, "why": runner.trouble})
        return None

    def _notice(self, said: Wording) -> None:
        with self._lock:
            if said not in self._notices:
                self._notices.append(said)
                self._tell("notice", None, text=said)

    def _tell(self, name: str, moment: _Moment | None, **values: Any) -> None:
        scene = moment.scene.name if moment else None
        if moment is not None and moment.seconds is not None:
            values["seconds"] = round(moment.seconds, 2)
        said = {
            k: v.said(self.language) if isinstance(v, Wording) else v for k, v in values.items()
        }
        event = Event(name, scene, round(self.clock.elapsed(self._now()), 1), said)
        self._papers.log(event)
        if self._listen is not None:
            self._listen(event)


def _stops(plan: Plan) -> list[tuple[int, Scene | None]]:
    """What is gone through: the scenes with the places of their sections; a section without one is
    a stop, too.
    """
    stops: list[tuple[int, Scene | None]] = []
    for place, section in enumerate(plan.sections):
        here = [scene for scene in plan.scenes if scene.section == section.name]
        stops += [(place, scene) for scene in here] or [(place, None)]
    return stops
