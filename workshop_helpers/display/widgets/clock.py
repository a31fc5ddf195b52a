"""The agenda clock: eight sections, the time that is left, and a warning when it is late."""

from __future__ import annotations

import threading
import time
from html import escape
from typing import TYPE_CHECKING, Any

from ...core.agenda import PLANNED, Clock, agenda
from ...core.wordings import say
from ..colours import BLUE, VERMILLION
from ..html import SCROLL, Html
from .base import View

if TYPE_CHECKING:
    import ipywidgets

_CELL = 'style="text-align:left;padding:.35em .7em"'


class AgendaClock(View):
    """The sections of the talk, shortened alike to `minutes` where these are given.

    A thread keeps the time, so that it also goes on while a cell runs; the buttons wait for it.
    """

    def __init__(self, language: str, minutes: float | None = None) -> None:
        self.language = language
        self.clock = Clock(agenda(minutes))
        self.minutes = sum(section.minutes for section in self.clock.sections)
        self._stop = threading.Event()
        self._lock = threading.Lock()

    def say(self, code: str, **values: Any) -> str:
        return say(f"widgets.clock-{code}", self.language, **values)

    @property
    def note(self) -> str:
        """What the agenda adds up to, and what is done about it."""
        whole = sum(section.minutes for section in agenda())
        told = self.say("note", whole=f"{whole:g}", planned=PLANNED, more=f"{whole - PLANNED:g}")
        if abs(self.minutes - whole) < 0.01:
            return told
        return f"{told} {self.say('fitted', minutes=f'{self.minutes:g}')}"

    def table(self, now: float | None = None) -> str:
        """The sections with the times at which they should begin and end; the present one marked
        where `now` is given.
        """
        rows = []
        for place, section in enumerate(self.clock.sections):
            here = now is not None and place == self.clock.at
            start = self.clock.due(place) - 60 * section.minutes
            cells = [
                ("▶ " if here else "")
                + f"{place + 1}. {say(f'agenda.{section.name}', self.language)}",
                minutes_seconds(60 * section.minutes),
                f"{minutes_seconds(start)}–{minutes_seconds(self.clock.due(place))}",
                ", ".join(section.notebooks),
            ]
            style = f"font-weight:600;border-left:5px solid {BLUE}" if here else ""
            told = "".join(f"<td {_CELL}>{escape(cell)}</td>" for cell in cells)
            rows.append(f'<tr style="{style}">{told}</tr>')
        names = ("section", "minutes", "times", "notebook")
        head = "".join(f"<th {_CELL}>{escape(self.say(name))}</th>" for name in names)
        return (
            f'<div style="{SCROLL};white-space:nowrap">'
            '<table style="border-collapse:collapse">'
            f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
        )

    def face(self, now: float) -> str:
        """The large figures, and in words whether all goes to plan."""
        clock, section = self.clock, self.clock.sections[self.clock.at]
        left = clock.left(now)
        late = left < 0
        colour, sign = (VERMILLION, "⚠ ") if late else (BLUE, "")
        time_left = minutes_seconds(abs(left))
        told = self.say("late" if late else "left", time=time_left)
        state = self.say("runs" if clock.running else "stands")
        name = f"{clock.at + 1}. {say(f'agenda.{section.name}', self.language)}"
        elapsed = minutes_seconds(clock.elapsed(now))
        total = self.say("elapsed", time=elapsed, of=minutes_seconds(60 * self.minutes))
        return (
            f'<div style="border-left:8px solid {colour};padding:.3em 1em;line-height:1.5">'
            f'<div style="font-size:1.5em;font-weight:600">{escape(name)}</div>'
            f'<div style="font-size:2.2em;font-variant-numeric:tabular-nums">{sign}{escape(told)}'
            f'</div><div style="font-size:1.2em">{escape(total)} · {escape(state)}</div></div>'
        )

    def fallback(self) -> Html:
        note = self.note
        lines = [
            f"{minutes_seconds(self.clock.due(place)):>6}  {say(f'agenda.{s.name}', self.language)}"
            for place, s in enumerate(self.clock.sections)
        ]
        return Html(f"<div>{self.table()}<p>{escape(note)}</p></div>", "\n".join([*lines, note]))

    def build(self) -> ipywidgets.Widget:
        import ipywidgets

        face, table = ipywidgets.HTML(), ipywidgets.HTML()
        note = ipywidgets.HTML(f"<p>{escape(self.note)}</p>")

        def draw() -> None:
            with self._lock:
                now = time.monotonic()
                face.value, table.value = self.face(now), self.table(now)

        def button(name: str, act: Any) -> Any:
            made = ipywidgets.Button(
                description=self.say(name), layout=ipywidgets.Layout(width="auto")
            )

            def pressed(_: Any) -> None:
                act()
                draw()

            made.on_click(pressed)
            return made

        def start() -> None:
            if not self.clock.running:
                self.clock.start(time.monotonic())
                self._stop = threading.Event()  # a thread of its own, whatever the last one does
                threading.Thread(target=_tick, args=(self._stop, draw), daemon=True).start()

        def pause() -> None:
            self._stop.set()
            self.clock.pause(time.monotonic())

        def reset() -> None:
            self._stop.set()
            self.clock.reset()

        buttons = [
            button("start", start),
            button("pause", pause),
            button("next", lambda: self.clock.move(1)),
            button("back", lambda: self.clock.move(-1)),
            button("reset", reset),
        ]
        draw()
        row = ipywidgets.HBox(buttons, layout=ipywidgets.Layout(flex_flow="row wrap"))
        return ipywidgets.VBox([face, row, table, note])


def _tick(stop: threading.Event, draw: Any) -> None:
    while not stop.wait(1.0):
        draw()


def minutes_seconds(seconds: float) -> str:
    """Seconds as "4:30"."""
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02d}"


def agenda_clock(language: str, minutes: float | None = None) -> AgendaClock:
    """The clock of the talk; with `minutes` its sections are shortened alike to these in all."""
    return AgendaClock(language, minutes)
