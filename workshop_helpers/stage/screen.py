"""What the terminal of a live talk shows: a `View` as lines of styled text, of a given size."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

from ..core.wordings import Wording, say
from ..display.colours import BLUE, GREEN, ORANGE, SKY, VERMILLION
from ..display.outputs import outputs_view
from ..display.widgets.clock import minutes_seconds
from .papers import PAGE
from .scenes import Scene
from .view import DONE, OPEN, View

LEAST_SIZE = (80, 24)  # columns and lines that it needs
SOURCE_LINES = 15
KEYS = ("enter", "r", "b", "a", "s", "p", "arrows", "q", "?")
STYLE = {
    "ok": f"bg:{BLUE} #ffffff bold",
    "soon": f"bg:{ORANGE} #000000 bold",
    "late": f"bg:{VERMILLION} #000000 bold",
    "rehearsed": f"bg:{ORANGE} #000000 bold",
    "failed": f"bg:{VERMILLION} #000000 bold",
    "overdue": f"bg:{ORANGE} #000000 bold",
    "waiting": "bold",
    "preparing": f"{SKY} bold",
    "running": f"{SKY} bold",
    "live": f"{GREEN} bold",
    "title": "bold",
    "code": "",
    "soft": "#888888",
    "notice": ORANGE,
    "ask": "reverse bold",
}

Fragment = tuple[str, str]  # a class of STYLE, and text
Line = list[Fragment]


class Screen:
    """Draws a talk; `help` and `quitting` are what the keys have asked for, `top` and
    `left` are the first line and column of the result that are shown.
    """

    def __init__(self, language: str, folder: Path) -> None:
        self.language, self.page = language, folder / PAGE
        self.help = self.quitting = False
        self.top = self.left = 0

    def say(self, code: str, **values: object) -> str:
        return say(f"stage.{code}", self.language, **values)

    def lines(self, view: View, width: int, height: int) -> list[Line]:
        """The whole screen: `height` lines of at most `width` columns."""
        head = [*self._clock(view, width), rule(width)]
        foot = self._foot(view, width)
        room = height - len(head) - len(foot)
        if self.help:
            body = self._keys(width)
        elif view.scene is None:
            body = [[], [("title", self.say("no-scene"))]]
        else:
            body = self._scene(view, view.scene, width, room)
        body = [*body[:room], *([[]] * (room - len(body)))]
        return [*head, *body, *foot][:height]

    def _clock(self, view: View, width: int) -> Iterator[Line]:
        section = view.sections[view.place]
        title = say(f"agenda.{section.name}", self.language)
        time = minutes_seconds(abs(view.left))
        left = self.say("late" if view.pace == "late" else "left", time=time)
        if view.pace == "soon":
            left = f"{self.say('soon')} {left}"
        if not view.clock_running:
            left = f"{self.say('stands')}  {left}"
        where = f" {view.place + 1}/{len(view.sections)}  {title}"
        style = view.pace
        yield [(style, " " * width)]
        yield [(style, between(where, f"{left} ", width))]
        yield [(style, " " * width)]
        total = self.say(
            "total", time=minutes_seconds(view.elapsed), of=minutes_seconds(view.total)
        )
        share = min(view.elapsed / view.total, 1.0)
        room = max(width - columns(total) - 3, 0)
        done = round(share * room)
        yield [("", f" {total} "), ("soft", "█" * done + "░" * (room - done))]

    def _scene(self, view: View, scene: Scene, width: int, room: int) -> list[Line]:
        state, style = self._state(view)
        title = f" {cell_name(scene)}  {scene.name}"
        gap = max(width - columns(title) - columns(state) - 1, 1)
        lines: list[Line] = [
            [("title", cut(title, width)), ("", " " * gap), (style, cut(state, width))],
        ]
        # The result is what people look at: where the window is low, the source gives way.
        most = min(SOURCE_LINES, max(room - 11, 5)) if view.outputs else SOURCE_LINES
        lines += self._source(scene.source, width, most)
        lines.append(rule(width))
        if view.label is not None:
            lines += [
                [("rehearsed", pad(f" {part}", width))]
                for part in wrapped(view.label.said(self.language), width - 2)
            ]
            if view.stale is not None:
                lines.append(self._note(view.stale.said, width))
        if view.why is not None:
            style = "soft" if view.label else "failed"
            told = self.say("why", why=view.why)
            lines += [[(style, f" {part}")] for part in wrapped(told, width - 2)[:3]]
        if view.state in OPEN and view.overdue:
            told = self.say("overdue", limit=view.limit)
            lines += [[("overdue", pad(f" {part}", width))] for part in wrapped(told, width - 2)]
        if view.state == "failed":
            lines.append([("title", f" {self.say('help-failed')}")])
        return [*lines, *self._result(view, width, room - len(lines))]

    def _state(self, view: View) -> tuple[str, str]:
        style = "overdue" if view.overdue and view.state in OPEN else view.state
        told = self.say(f"state-{view.state}")
        if view.label is not None:
            return f" {told} {view.rehearsed_seconds:.1f} s ", style
        if view.seconds is not None and view.state in (*OPEN, *DONE):
            told += f" {view.seconds:.1f} s"
        if view.rehearsed_seconds is not None:
            told += f"  {self.say('beside', seconds=view.rehearsed_seconds)}"
        return f" {told} ", style

    def _source(self, source: str, width: int, most: int) -> list[Line]:
        code = source.expandtabs(4).rstrip().splitlines()
        if len(code) > most:
            code = [line for line in code if line.strip()]
        more = len(code) - most
        if more > 0:
            code = [*code[: most - 1], f"… {self.say('more', n=more + 1)}"]
        return [[("code", cut(f"   {line}", width))] for line in code]

    def _result(self, view: View, width: int, room: int) -> list[Line]:
        lines = result_lines(outputs_view(view.outputs).text, width, self.left)
        self.top = max(min(self.top, len(lines) - room), 0)
        below = len(lines) - self.top - room
        shown = lines[self.top : self.top + room]
        drawn: list[Line] = [[("", line)] for line in shown]
        if below > 0 and drawn:
            drawn[-1] = [("soft", f" … {self.say('more-below', n=below + 1)}")]
        return drawn

    def _foot(self, view: View, width: int) -> list[Line]:
        lines = [rule(width)]
        told = view.notices[-1] if view.notices else view.background
        if told is not None:
            lines.append(self._note(told, width))
        if view.next is None:
            coming = self.say("next-none")
        else:
            coming = self.say("next", scene=f"{cell_name(view.next)}  {view.next.name}")
        lines.append([("title", cut(f" {coming}", width))])
        if self.quitting:
            lines.append([("ask", pad(f" {self.say('quit')}", width))])
        else:
            keys = say(f"stage.hint-{_hint(view)}", self.language)
            lines.append([("soft", cut(f" {keys}", width))])
        return lines

    def _note(self, told: Wording, width: int) -> Line:
        return [("notice", cut(f" {told.said(self.language)}", width))]

    def _keys(self, width: int) -> list[Line]:
        lines: list[Line] = [[], [("title", f" {self.say('keys')}")]]
        for key in KEYS:
            name = self.say(f"name-{key}")
            gap = " " * max(12 - columns(name), 1)
            lines.append([("title", f"  {name}{gap}"), ("", self.say(f"key-{key}"))])
        lines.append([])
        told = self.say("page", page=str(self.page))
        return [*lines, *([("", f" {part}")] for part in wrapped(told, width - 2))]


def result_lines(text: str, width: int, left: int = 0) -> list[str]:
    """A result on lines that fit. Prose is wrapped; a table, which would fall apart, is cut, and
    begins with the character `left`.
    """
    lines = [line.rstrip() for line in text.expandtabs(4).splitlines()]
    text = dedent("\n".join(lines)).strip("\n")
    if "──" in text or "━━" in text:
        return [cut(line[left:], width) for line in text.splitlines()]
    return [f" {part}" for line in text.splitlines() for part in wrapped(line, width - 2) or [""]]


def _hint(view: View) -> str:
    """What the keys can do now."""
    if view.scene is None:
        return "none"
    if view.state in OPEN:
        return "open"
    return "done" if view.state in DONE else "waiting"


def cell_name(scene: Scene) -> str:
    """A cell as people find it: "05 [7]"."""
    return f"{scene.notebook[:2]} [{scene.number}]"


def rule(width: int) -> Line:
    """A line across the screen."""
    return [("soft", "─" * width)]


def columns(text: str) -> int:
    """How wide a text is on a terminal, where Japanese takes two columns a character."""
    from prompt_toolkit.utils import get_cwidth

    return sum(map(get_cwidth, text))


def cut(text: str, width: int) -> str:
    """A text that fits; what is cut off is marked."""
    if columns(text) <= width:
        return text
    return next(wrapped_at(text, width - 1)) + "…"


def pad(text: str, width: int) -> str:
    """A text that fills its line."""
    text = cut(text, width)
    return text + " " * (width - columns(text))


def between(left: str, right: str, width: int) -> str:
    """Two texts at both ends of a line."""
    left = cut(left, width - columns(right) - 1)
    return left + " " * (width - columns(left) - columns(right)) + right


def wrapped(text: str, width: int) -> list[str]:
    """A text on as many lines as it takes."""
    return list(wrapped_at(text.expandtabs(4), width))


def wrapped_at(text: str, width: int) -> Iterator[str]:
    """Pieces of a text that fit; words stay whole where they can."""
    while columns(text) > width:
        end, used = 0, 0
        for character in text:
            used += columns(character)
            if used > width:
                break
            end += 1
        space = text.rfind(" ", 0, end + 1)
        end = space if space > end // 2 else max(end, 1)
        yield text[:end]
        text = text[end:].lstrip(" ")
    if text:
        yield text
