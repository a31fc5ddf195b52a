"""The stage as a widget of a notebook: the same engine as in the terminal, with buttons."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ..core.agenda import SECTIONS, Section
from ..core.errors import WorkshopError
from ..core.wordings import say
from ..display.colours import BLUE, ORANGE, VERMILLION
from ..display.html import SCROLL, Html
from ..display.outputs import outputs_view
from ..display.widgets.base import View
from ..display.widgets.clock import minutes_seconds
from ..display.widgets.pieces import failure, framed, note, small_table
from .cells import Plan, make_plan, notebooks_folder
from .live import Live
from .screen import cell_name
from .store import STAGE, Rehearsal, absolute_model, stage_folder
from .view import OPEN
from .view import View as Seen

if TYPE_CHECKING:
    import ipywidgets

REDRAW = 0.25  # seconds
# How each pace of the talk looks: never by colour alone.
_PACE = {"ok": (BLUE, ""), "soon": (ORANGE, "◔ "), "late": (VERMILLION, "⚠ ")}


class StageView(View):
    """The talk, given from a notebook. Cells run in kernels of their own, not in the notebook's;
    "Prepare" starts these, and they end with the notebook's kernel.

    Where widgets do not run it is the table of the scenes, with the seconds of the rehearsal.
    """

    _given: ClassVar[StageView | None] = None  # two would work in the same folders

    def __init__(self, language: str, model: str, options: dict[str, Any]) -> None:
        self.language, self.model = language, model
        self._options = options
        self._live: Live | None = None
        self._begun = False  # the clock, once
        self._stop = threading.Event()
        self._lock = threading.Lock()

    def say(self, code: str, **values: Any) -> str:
        return say(f"widgets.stage-{code}", self.language, **values)

    # What is read where no widget runs.

    def fallback(self) -> Html:
        places = {key: self._options[key] for key in ("notebooks", "sections")}
        plan = make_plan(self.language, **places)
        try:
            rehearsal: Rehearsal | None = Rehearsal.load(
                self.model, self.language, self._options["runs"]
            )
            told = Html("")
        except WorkshopError as error:
            rehearsal, told = None, failure(error)
        rows = list(self._rows(plan, rehearsal))
        names = ("section", "cell", "scene", "rehearsed")
        body = [(name, [escape(cell) for cell in cells]) for name, *cells in rows]
        table = small_table([self.say(name) for name in names], body)
        text = "\n".join("  ".join(cells) for cells in rows)
        return Html(framed(told.html + table), "\n".join(filter(None, [told.text, text])))

    def _rows(self, plan: Plan, rehearsal: Rehearsal | None) -> Any:
        """Each scene: its section where that begins, its cell, its name, the rehearsed seconds."""
        last = ""
        for scene in plan.scenes:
            place = [section.name for section in plan.sections].index(scene.section) + 1
            section = f"{place}. {say(f'agenda.{scene.section}', self.language)}"
            result = rehearsal.result(scene) if rehearsal else None
            took = "–" if result is None else self.say("seconds", seconds=f"{result.seconds:.1f}")
            yield ["" if section == last else section, cell_name(scene), scene.name, took]
            last = section

    # The widget.

    def build(self) -> ipywidgets.Widget:
        import ipywidgets

        self._face, self._code, self._result = (ipywidgets.HTML() for _ in range(3))
        actions: dict[str, Callable[[], Any]] = {
            "prepare": self._proceed,
            "rehearsal": lambda: self._do(Live.show_rehearsed),
            "back": lambda: self._do(lambda live: live.move(-1)),
            "skip": lambda: self._do(Live.skip),
            "pause": lambda: self._do(Live.pause),
        }
        self._buttons = {name: self._button(name, act) for name, act in actions.items()}
        row = ipywidgets.HBox([*self._buttons.values()])
        row.layout.flex_flow = "row wrap"
        self._draw()
        return ipywidgets.VBox([self._face, row, self._code, self._result])

    def _button(self, name: str, act: Callable[[], Any]) -> Any:
        import ipywidgets

        made = ipywidgets.Button(description=self.say(name), layout=ipywidgets.Layout(width="auto"))

        def pressed(_: Any) -> None:
            act()
            self._draw()

        made.on_click(pressed)
        return made

    def _proceed(self) -> None:
        """Prepare the talk, start its clock, run the scene, or go to the next, by turns."""
        if self._live is None:
            self._open()
        elif not self._begun:
            self._begun = True
            self._live.pause()  # which starts a clock that stands
        else:
            self._live.proceed()

    def _open(self) -> None:
        if StageView._given is not None:
            StageView._given.close()
        try:
            self._live = Live.open(self.model, self.language, **self._options)
        except WorkshopError as error:
            self._result.value = framed(failure(error).html)
            return
        StageView._given = self
        atexit.register(self.close)
        threading.Thread(target=self._tick, daemon=True).start()

    def _do(self, act: Callable[[Live], Any]) -> None:
        if self._live is not None:
            act(self._live)

    def _tick(self) -> None:
        while not self._stop.wait(REDRAW):
            if self._live is not None:
                self._live.tick()
                self._draw()

    def close(self) -> None:
        """End the talk and its kernels; what is shown stays."""
        self._stop.set()
        if self._live is not None:
            self._live.close()
        if StageView._given is self:
            StageView._given = None
        for button in self._buttons.values():
            button.disabled = True

    def _draw(self) -> None:
        with self._lock:
            if self._live is None:
                self._face.value = framed(note(self.say("about")))
                for name, button in self._buttons.items():
                    button.disabled = name != "prepare"
                return
            if self._stop.is_set():
                return
            seen = self._live.view()
            self._face.value = framed(self.face(seen))
            self._code.value = framed(self.code(seen))
            self._result.value = framed(self.result(seen))
            self._set_buttons(seen)

    def _set_buttons(self, seen: Seen) -> None:
        ready = seen.scene is not None and seen.state == "waiting"
        first = "start" if not self._begun else "run" if ready else "next"
        self._buttons["prepare"].description = self.say(first)
        self._buttons["prepare"].disabled = seen.state in OPEN
        self._buttons["rehearsal"].disabled = (
            seen.scene is None or seen.rehearsed_seconds is None or seen.state == "rehearsed"
        )
        self._buttons["rehearsal"].button_style = (
            "primary" if seen.overdue or seen.state == "failed" else ""
        )
        self._buttons["pause"].description = self.say("pause" if seen.clock_running else "go-on")
        for name in ("back", "skip", "pause"):
            self._buttons[name].disabled = not self._begun

    # What is drawn, from a snapshot of the engine.

    def face(self, seen: Seen) -> str:
        """The section, and in large figures the time that is left, or by how much it is late."""
        colour, sign = _PACE[seen.pace]
        section = seen.sections[seen.place]
        name = f"{seen.place + 1}. {say(f'agenda.{section.name}', self.language)}"
        left = minutes_seconds(abs(seen.left))
        told = say(f"widgets.clock-{'late' if seen.left < 0 else 'left'}", self.language, time=left)
        elapsed = say(
            "widgets.clock-elapsed",
            self.language,
            time=minutes_seconds(seen.elapsed),
            of=minutes_seconds(seen.total),
        )
        if not seen.clock_running:
            elapsed += f" · {say('widgets.clock-stands', self.language)}"
        role = ' role="alert"' if seen.pace == "late" else ""
        return (
            f'<div{role} style="border-left:8px solid {colour};padding:.2em 1em">'
            f'<div style="font-weight:600">{escape(name)}</div>'
            f'<div style="font-size:1.8em;font-variant-numeric:tabular-nums">{sign}{escape(told)}'
            f"</div><div>{escape(elapsed)}</div></div>"
        )

    def code(self, seen: Seen) -> str:
        """The present scene's cell."""
        if seen.scene is None:
            return note(self.say("no-scene"))
        source = escape(seen.scene.source.rstrip())
        style = "margin:.3em 0;padding:.5em .8em;background:#8881;border-radius:4px;line-height:1.4"
        return (
            f'<p style="margin:.6em 0 0"><b>{escape(cell_name(seen.scene))}</b> '
            f"{escape(seen.scene.name)} · {escape(self.progress(seen))}</p>"
            f'<div style="{SCROLL}"><pre style="{style}">{source}</pre></div>'
        )

    def progress(self, seen: Seen) -> str:
        """The scene's state in words, with its seconds beside those of the rehearsal."""
        parts = [self.say(f"state-{seen.state}")]
        if seen.seconds is not None and seen.label is None:
            parts.append(self.say("seconds", seconds=f"{seen.seconds:.1f}"))
        if seen.rehearsed_seconds is not None:
            parts.append(self.say("rehearsed-took", seconds=f"{seen.rehearsed_seconds:.1f}"))
        return " · ".join(parts)

    def result(self, seen: Seen) -> str:
        """What came of the scene. What was rehearsed stands in a frame that says so."""
        warnings = [one.said(self.language) for one in (seen.why, *seen.notices) if one]
        if seen.stale is not None:
            warnings.append(seen.stale.said.said(self.language))
        told = "".join(failure(WorkshopError(text)).html for text in warnings)
        # an error stands in `why`
        kept = [output for output in seen.outputs if output["output_type"] != "error"]
        shown = outputs_view(kept).html
        if seen.label is not None:
            shown = rehearsed(shown, seen.label.said(self.language))
        notes = [] if seen.background is None else [seen.background.said(self.language)]
        if seen.next is not None:
            notes.append(self.say("then", cell=cell_name(seen.next), scene=seen.next.name))
        return told + shown + "".join(map(note, notes))


def rehearsed(html: str, label: str) -> str:
    """A result of the rehearsal, framed and labelled so that nobody takes it for a live one."""
    band = (
        f'<div role="note" style="background:{ORANGE};color:#000;font-weight:600;'
        f'padding:.25em .8em">{escape(label)}</div>'
    )
    return (
        f'<div style="border:3px solid {ORANGE}">{band}<div style="padding:.4em">{html}</div></div>'
    )


def stage_view(
    language: str,
    model: str = "mame",
    *,
    minutes: float | None = None,
    runs: Path | None = None,
    notebooks: Path | None = None,
    sections: Sequence[Section] = SECTIONS,
) -> StageView:
    """The talk with `model`, to be given from this notebook; it must have been rehearsed before
    (`workshop stage rehearse`). `minutes` shortens or stretches the agenda to these in all.

    The rehearsal is looked for below `runs` (None: runs/stage here, else that of the clone).
    """
    model = absolute_model(model)
    found = Path(runs) if runs is not None else STAGE
    if runs is None and not stage_folder(model, language, found).is_dir():
        found = notebooks_folder().parent / STAGE
    options = {"runs": found, "notebooks": notebooks, "sections": tuple(sections)}
    return StageView(language, model, {**options, "minutes": minutes})
