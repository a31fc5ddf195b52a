"""Showing something step by step in front of people: what is done, and beside it what to say."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.wordings import say
from ..display.colours import BLUE, ORANGE

if TYPE_CHECKING:
    from rich.console import Console

# Wider than this, lines are too long to be read from the back row.
WIDEST = 110


@dataclass
class Took:
    """What a step took, in seconds."""

    seconds: float = 0.0


@dataclass
class Presenter:
    """The screen of a demo in `language`; its texts are the entries of demos.yaml.

    `notes`: whether it shows what to say. `pause`: whether it waits for Enter before each step but
    the first; only on a terminal.
    """

    screen: Console
    language: str = "en"
    notes: bool = True
    pause: bool = False
    steps: int = 0
    at: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if self.screen.width > WIDEST:
            self.screen.width = WIDEST

    def say(self, code: str, **values: Any) -> str:
        """The text of demos.CODE."""
        return say(f"demos.{code}", self.language, **values)

    def step(self, code: str, *noted: str, **values: Any) -> None:
        """Begin the next step: its number and title, then what to say."""
        from rich.rule import Rule
        from rich.text import Text

        if self.at and self.pause and sys.stdin.isatty() and self.screen.is_terminal:
            self.screen.input(Text(self.say("enter"), "dim"))
        self.at += 1
        title = Text(f"{self.at}/{self.steps}  {self.say(code, **values)}", f"bold {BLUE}")
        self.screen.print()
        self.screen.print(Rule(title, style=BLUE, align="left"))
        for note in noted:
            self.note(note, **values)

    def note(self, code: str, **values: Any) -> None:
        """What to say, in a frame of its own."""
        from rich import box
        from rich.panel import Panel
        from rich.text import Text

        if self.notes:
            text = Text(folded(self.say(code, **values), self.screen.width - 4))
            title = Text(self.say("note"), f"bold {ORANGE}")
            framed = Panel(text, box=box.ROUNDED, border_style=ORANGE, title=title)
            framed.title_align = "left"
            self.screen.print(framed)

    def show(self, *things: Any) -> None:
        """Print what is shown; brackets in a text are brackets."""
        for thing in things:
            self.screen.print(thing, markup=False, highlight=False)

    def told(self, code: str, **values: Any) -> None:
        """Print the text of demos.CODE."""
        self.show(folded(self.say(code, **values), self.screen.width))

    @contextmanager
    def timed(self, code: str, **values: Any) -> Iterator[Took]:
        """Say what is being done, and take its time; something moves on a terminal meanwhile."""
        took, begun = Took(), time.perf_counter()
        doing = self.say(code, **values)
        if self.screen.is_terminal:
            with self.screen.status(doing):
                yield took
        else:
            self.show(f"{doing} …")
            yield took
        took.seconds = time.perf_counter() - begun

    def seconds(self, seconds: float) -> str:
        """Seconds as this language writes them."""
        return self.say("seconds", seconds=seconds)

    def files(self, *paths: Path) -> None:
        """Files, or those of folders, with their sizes."""
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 2))
        table.add_column(overflow="fold")
        table.add_column(justify="right")
        for path in paths:
            inside = sorted(f for f in path.iterdir() if f.is_file()) if path.is_dir() else [path]
            for file in inside:
                name = f"{path.name}/{file.name}" if path.is_dir() else file.name
                table.add_row(Text(f"  {name}"), Text(size(file.stat().st_size), "bold"))
        self.screen.print(table)


# A word of Latin letters, or one other character, with what may not begin a line behind it and what
# may not end one before it.
_UNIT = re.compile(r"\s+|[（「『‹]*(?:[!-~]+|[^\s])[、。，．：；！？）」』›…・ー]*")


def folded(text: str, width: int) -> str:
    """The text in lines of at most `width` columns, as Japanese is broken too: between any two
    characters, but not inside a word of Latin letters, nor before a comma or a full stop.
    """
    from rich.cells import cell_len

    lines = []
    for line in text.splitlines():
        taken = ""
        for unit in _UNIT.findall(line):
            if taken and cell_len(taken + unit.rstrip()) > width:
                lines.append(taken.rstrip())
                taken = unit.lstrip()
            else:
                taken += unit
        lines.append(taken)
    return "\n".join(lines)


def size(count: int) -> str:
    """Bytes as people read them: 1.2 MB is 1,200,000."""
    for unit, one in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= one:
            return f"{count / one:,.1f} {unit}"
    return f"{count} B"
