"""The live view of a training: how far it is, how the loss falls, and a button that stops it."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

from ...core.wordings import say
from ...training.report import TrainingProgress, TrainingReport
from ..colours import BLUE, ORANGE
from ..html import Html
from .base import View

if TYPE_CHECKING:
    import ipywidgets

REDRAW = 0.25  # seconds between two pictures: a training must not wait for its own view
POINTS = 240  # drawn at most


@dataclass
class Course:
    """How far a training is: its losses and learning rates, a value for each step from the first
    that was seen, and what has come of it (an entry of the wordings).
    """

    state: str = "waiting"
    first: int = 1
    step: int = 0
    steps: int = 0
    seconds: float = 0.0
    rows_per_second: float = 0.0
    losses: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)

    @property
    def seconds_left(self) -> float:
        """At the pace so far; 0 where nothing was timed."""
        timed = len(self.losses) - 1
        return (self.steps - self.step) * self.seconds / timed if timed > 0 else 0.0

    @classmethod
    def of(cls, report: TrainingReport) -> Course:
        """The course of a training that is over."""
        step, steps = report.stopped or (len(report.losses), len(report.losses))
        here = step - (report.resumed_from or 0)  # `seconds` are of this run only
        rows = (report.rows + report.general_rows) * report.recipe.epochs * here / steps
        return cls(
            "stopped" if report.stopped else "finished",
            step=step,
            steps=steps,
            seconds=report.seconds,
            rows_per_second=rows / report.seconds if report.seconds else 0.0,
            losses=[loss for _, _, loss in report.losses],
            rates=report.learning_rates,
        )


class TrainingView(View):
    """A training as it goes: `train(…, progress=TrainingView(LANGUAGE))`.

    Shows itself below the cell when the training begins, and keeps the final curve in the notebook.
    Its button, or an interrupt (the notebook's ■), ends the training after the step at work: the
    adapter so far is saved, and the same call goes on from there. One view is for one training.
    """

    def __init__(self, language: str = "en") -> None:
        self.language = language
        self.course = Course()
        self._asked = False
        self._began = self._drawn = 0.0
        self._handle: Any = None

    # What `train` calls (training.report.TrainingWatch).

    def __call__(self, progress: TrainingProgress) -> bool:
        """A step is done. True when the training shall stop."""
        now, course = time.monotonic(), self.course
        course.step, course.steps = progress.step, progress.steps
        course.losses.append(progress.loss)
        course.rates.append(progress.learning_rate)
        if course.state == "waiting":
            course.state, course.first = "running", progress.step
            self._began, self._rows_before = now, progress.rows
            self._show()
        course.seconds = now - self._began
        if course.seconds:
            course.rows_per_second = (progress.rows - self._rows_before) / course.seconds
        if now - self._drawn >= REDRAW:
            self._drawn = now
            self._redraw()
        return self._asked

    def stop(self) -> None:
        """Ask the training to stop after the step at work, and to save."""
        if self.course.state == "running":
            self._asked = True
            self._redraw()

    def done(self, report: TrainingReport) -> None:
        """Show how it ended."""
        self.course = Course.of(report)
        self._show()
        self._redraw()
        if self._handle is not None:
            self._handle.update(self)  # what stays in the notebook is the end, not the beginning

    # What is shown.

    def fallback(self) -> Html:
        return Html(self._html(), self._sentence())

    def build(self) -> ipywidgets.Widget:
        import ipywidgets

        self._picture = ipywidgets.HTML(self._html())
        self._button = ipywidgets.Button(
            description=self._say("stop"), icon="stop", button_style="warning"
        )
        self._button.layout.width = "auto"
        self._button.on_click(lambda _: self.stop())
        hint = ipywidgets.HTML(f"<small>{escape(self._say('stop-hint'))}</small>")
        self._controls = ipywidgets.HBox([self._button, hint])
        self._controls.layout.flex_flow = "row wrap"
        whole = ipywidgets.VBox([self._picture, self._controls])
        self._set_controls()
        _hear_while_busy(self._button)
        return whole

    def _show(self) -> None:
        """Appear below the cell, where there is a notebook."""
        try:
            from IPython import get_ipython
            from IPython.display import display
        except ImportError:
            return
        if self._handle is None and hasattr(get_ipython(), "kernel"):
            self._handle = display(self, display_id=True)

    def _redraw(self) -> None:
        if "widget" in self.__dict__:
            self._picture.value = self._html()
            self._set_controls()

    def _set_controls(self) -> None:
        running = self.course.state == "running"
        self._button.disabled = self._asked or not running
        self._controls.layout.display = "none" if self.course.losses and not running else ""

    def _say(self, name: str, **values: Any) -> str:
        return say(f"widgets.training-{name}", self.language, **values)

    def _sentence(self) -> str:
        course = self.course
        if self._asked and course.state == "running":
            return self._say("stopping")
        ends = (course.losses[0], course.losses[-1]) if course.losses else (0.0, 0.0)
        return self._say(
            course.state,
            step=course.step, steps=course.steps, first=f"{ends[0]:.2f}", last=f"{ends[1]:.2f}",
        )  # fmt: skip

    def _html(self) -> str:
        course = self.course
        share = 100 * course.step / course.steps if course.steps else 0
        bar = (
            '<div style="border:1px solid;border-radius:4px;height:10px;margin:.4em 0">'
            f'<div style="background:{BLUE};height:100%;width:{share:.1f}%"></div></div>'
        )
        figures = "".join(
            f'<div style="min-width:6em"><div style="opacity:.75">{escape(name)}</div>'
            f'<div style="font-size:1.35em;font-variant-numeric:tabular-nums">{value}</div></div>'
            for name, value in self._figures()
        )
        curve = loss_svg(course, self.language) if course.losses else ""
        return (
            '<div style="max-width:44rem;font-size:15px;line-height:1.4">'
            f"<div><b>{escape(self._sentence())}</b></div>{bar}"
            f'<div style="display:flex;flex-wrap:wrap;gap:.5em 1.6em;margin:.5em 0">{figures}</div>'
            f"{curve}</div>"
        )

    def _figures(self) -> list[tuple[str, str]]:
        course = self.course
        if not course.losses:
            return []
        running = course.state == "running"
        time_name, seconds = ("left", course.seconds_left) if running else ("took", course.seconds)
        return [
            (self._say("step"), f"{course.step} / {course.steps}"),
            (self._say("loss"), f"{course.losses[-1]:.3f}"),
            *([(self._say("rate"), f"{course.rates[-1]:.1e}")] if course.rates and running else []),
            (self._say("speed"), f"{course.rows_per_second:.1f}"),
            (self._say(time_name), self._say("seconds", seconds=f"{seconds:.0f}")),
        ]


def _hear_while_busy(widget: Any) -> None:
    """Let a click reach its callback while a cell runs.

    JupyterLab sends it to a subshell, a thread of its own, but ipykernel 7.4 hands what comes for a
    widget to the shell that last spoke for it: the busy cell's. There is no public switch; where
    this one is missing, the click waits for the cell, and the notebook's ■ is left.
    """
    comm: Any = getattr(widget, "comm", None)
    if hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = lambda data, default: default


def loss_svg(course: Course, language: str) -> str:
    """The losses, and below them the learning rates, against the step: an <svg> of a few kB."""
    left, width, high, low, gap = 58, 430, 170, 44, 30
    height = high + 34 + (gap + low if course.rates else 0)

    def x(place: int) -> float:
        return left + width * (course.first + place) / max(course.steps, 1)

    top = _ceiling(max((v for v in course.losses if math.isfinite(v)), default=1.0))
    parts = []
    for tick in (0, top / 2, top):
        y = 10 + high * (1 - tick / top)
        parts.append(
            f'<path d="M{left} {y:.1f}h{width}" stroke="currentColor" stroke-opacity=".2"/>'
            f'<text x="{left - 6}" y="{y + 5:.1f}" text-anchor="end">{tick:.3g}</text>'
        )
    parts.append(_line(course.losses, x, 10, high, top, BLUE, ""))
    parts.append(_name(left + 8, 26, say("widgets.training-loss", language), BLUE))
    if course.rates:
        peak, begin = max(course.rates) or 1.0, 10 + high + gap
        parts.append(
            f'<path d="M{left} {begin + low}h{width}" stroke="currentColor" stroke-opacity=".2"/>'
            f'<text x="{left - 6}" y="{begin + 8}" text-anchor="end">{peak:.0e}</text>'
        )
        parts.append(_line(course.rates, x, begin, low, peak, ORANGE, "6 3"))
        name = say("widgets.training-rate", language)
        parts.append(_name(left + 8, begin - 6, name, ORANGE))
    steps = say("widgets.training-step", language)
    parts.append(
        f'<text x="{left}" y="{height - 4}">0</text>'
        f'<text x="{left + width}" y="{height - 4}" text-anchor="end">{course.steps}</text>'
        f'<text x="{left + width / 2}" y="{height - 4}" text-anchor="middle">{escape(steps)}</text>'
    )
    return (
        f'<svg viewBox="0 0 {left + width + 12} {height}" role="img" aria-label="{escape(steps)}" '
        'style="width:100%;max-width:40rem;font-size:16px" fill="currentColor">'
        f"{''.join(parts)}</svg>"
    )


def _line(
    values: Sequence[float], x: Any, begin: float, high: float, top: float, colour: str, dash: str
) -> str:
    """A line through the values, of which every n-th is drawn, and the last."""
    stride = math.ceil(len(values) / POINTS)
    places = [*range(0, len(values) - 1, stride), len(values) - 1]
    points = [
        (x(place), begin + high * (1 - min(values[place] / top, 1.0)))
        for place in places
        if math.isfinite(values[place])
    ]
    if not points:
        return ""
    path = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return (
        f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2.5"{dashes}/>'
        f'<circle cx="{points[-1][0]:.1f}" cy="{points[-1][1]:.1f}" r="4" fill="{colour}"/>'
    )


def _name(x: float, y: float, name: str, colour: str) -> str:
    return (
        f'<path d="M{x} {y - 5}h18" stroke="{colour}" stroke-width="3"/>'
        f'<text x="{x + 24}" y="{y}">{escape(name)}</text>'
    )


def _ceiling(value: float) -> float:
    """The next round number that is not below the value."""
    power = 10 ** math.floor(math.log10(value)) if value > 0 else 1.0
    return next(step * power for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if step * power >= value)
