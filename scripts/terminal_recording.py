"""A terminal program recorded as an animated picture: it runs in a terminal of its own, keys are
typed, and what stands on its screen is drawn.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from fontTools.ttLib import TTFont
from PIL import Image, ImageDraw, ImageFont

READ_EVERY = 0.1  # seconds; a GIF counts in hundredths, and people see no more
WIDE, HIGH = 9, 20  # pixels of a character
MARGIN = 12
GROUND, INK = "#14181c", "#e6e9ec"
# What a terminal's own sixteen colours look like, by pyte's names (its "brown" is yellow, and one
# name is spelt as pyte spells it).
COLOURS = {
    "black": "#3b444d", "red": "#ff7b54", "green": "#3fcf8e", "brown": "#e8b23a",
    "blue": "#5aa9e6", "magenta": "#d99ac0", "cyan": "#63cdda", "white": "#d7dce1",
    "brightblack": "#8b97a3", "brightred": "#ff9a7a", "brightgreen": "#6fe3ae",
    "brightbrown": "#ffd166", "brightblue": "#8cc6f5", "brightmagenta": "#eab8d5",
    "bfightmagenta": "#eab8d5", "brightcyan": "#97e4ee", "brightwhite": "#ffffff",
}  # fmt: skip

Cell = Any  # pyte's Char: data, fg, bg, bold, italics, underscore, reverse, …
Lines = tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Frame:
    """A screen, and for how many seconds it is shown."""

    lines: Lines
    seconds: float


@dataclass
class Recording:
    """A program that runs in a terminal of `columns` × `rows` characters, and what was seen of it.

    Used with `with`; the program is ended at the end.
    """

    command: Sequence[str]
    columns: int = 100
    rows: int = 30
    environment: dict[str, str] = field(default_factory=dict)
    frames: list[Frame] = field(default_factory=list)

    def __enter__(self) -> Recording:
        import pexpect
        import pyte

        # pyte knows no faint text; blinking, which nobody wants, stands for it here
        pyte.graphics.TEXT[2] = "+blink"
        self.screen = pyte.Screen(self.columns, self.rows)
        self._stream = pyte.ByteStream(self.screen)
        whole = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
        self.program = pexpect.spawn(
            self.command[0],
            list(self.command[1:]),
            dimensions=(self.rows, self.columns),
            env={**os.environ, **whole, **self.environment},
        )
        return self

    def __exit__(self, *_: object) -> None:
        self.program.close(force=True)

    @property
    def text(self) -> str:
        """What stands on the screen."""
        return "\n".join(line.rstrip() for line in self.screen.display)

    def press(self, keys: str) -> None:
        """Type; what it brings about is seen by what is called next."""
        self.program.send(keys)

    def watch(self, seconds: float) -> None:
        """Record this long."""
        end = time.monotonic() + seconds
        self._record(lambda: time.monotonic() >= end)

    def until(self, pattern: str, most: float = 60, shown: float | None = None) -> None:
        """Record until the screen has what the regular expression `pattern` finds (`^` and `$`: of
        a line). A long wait is shown in `shown` seconds: as a time lapse, which the program's own
        clock tells.

        Raises TimeoutError with the screen after `most` seconds.
        """
        begin, first = time.monotonic(), len(self.frames)
        wanted = re.compile(pattern, re.MULTILINE)
        self._record(lambda: wanted.search(self.text) or time.monotonic() - begin > most)
        if not wanted.search(self.text):
            raise TimeoutError(f"{pattern!r} was not seen:\n{self.text}")
        took = sum(frame.seconds for frame in self.frames[first:])
        if shown is not None and took > shown:
            self.frames[first:] = lapse(self.frames[first:], shown / took)

    def _record(self, enough: Callable[[], object]) -> None:
        """Frames until it is enough, or the program has ended."""
        import pexpect

        while not enough():
            begin = time.monotonic()
            try:
                while (left := begin + READ_EVERY - time.monotonic()) > 0:
                    self._stream.feed(self.program.read_nonblocking(65536, timeout=left))
            except pexpect.TIMEOUT:
                pass
            except pexpect.EOF:
                self._see(time.monotonic() - begin)
                return
            self._see(time.monotonic() - begin)

    def _see(self, seconds: float) -> None:
        seen = tuple(
            tuple(self.screen.buffer[row][column] for column in range(self.columns))
            for row in range(self.rows)
        )
        if self.frames and self.frames[-1].lines == seen:
            seconds += self.frames.pop().seconds
        self.frames.append(Frame(seen, seconds))


def lapse(frames: Sequence[Frame], factor: float) -> list[Frame]:
    """The frames in `factor` of their time; those that would be too short to see are left out."""
    kept: list[Frame] = []
    owed = 0.0
    for frame in frames:
        owed += frame.seconds * factor
        if owed >= READ_EVERY or frame is frames[-1]:
            kept.append(Frame(frame.lines, owed))
            owed = 0.0
    return kept


# How a screen is drawn


@dataclass(frozen=True)
class Face:
    """A font for the characters it has, such that one of `cells` cells is as wide as these."""

    font: Any
    has: frozenset[int]


@cache
def faces(bold: bool) -> tuple[Face, ...]:
    """A monospaced font for Western text, and one for Japanese. Raises LookupError."""
    weight = "bold" if bold else "regular"
    return (
        _face(f"DejaVu Sans Mono:{weight}", WIDE / 0.602),
        _face(f"Noto Sans Mono CJK JP:{weight}", WIDE * 2 * 0.92),
    )


def _face(wanted: str, size: float) -> Face:
    found = subprocess.run(
        ["fc-match", "-f", "%{family}\n%{file}\n%{index}", wanted],
        capture_output=True, text=True, check=True,
    ).stdout.split("\n")  # fmt: skip
    family, file, index = found
    if wanted.split(":")[0] not in family:
        raise LookupError(
            f"The font {wanted.split(':')[0]} is not installed. "
            f"Debian/Ubuntu: apt install fonts-dejavu-core fonts-noto-cjk fontconfig."
        )
    font = ImageFont.truetype(file, round(size, 2), index=int(index))
    with TTFont(file, fontNumber=int(index), lazy=True) as opened:
        return Face(font, frozenset(opened.getBestCmap()))


@cache
def glyph(text: str, bold: bool, cells: int) -> Image.Image:
    """A character as a mask of its cells. Lines and blocks are stretched to fill them, so that
    frames have no gaps.
    """
    face = next((face for face in faces(bold) if ord(text[0]) in face.has), faces(bold)[0])
    size = (WIDE * cells, HIGH)
    ascent, descent = face.font.getmetrics()
    if "\u2500" <= text[0] <= "\u259f":
        natural = Image.new("L", (WIDE, ascent + descent))
        ImageDraw.Draw(natural).text((0, 0), text, fill=255, font=face.font)
        return natural.resize(size, Image.Resampling.BILINEAR)
    mask = Image.new("L", size)
    left = max(0.0, (size[0] - face.font.getlength(text)) / 2) if cells == 2 else 0
    # both fonts stand on one line
    ImageDraw.Draw(mask).text((left, HIGH * 0.76), text, fill=255, font=face.font, anchor="ls")
    return mask


def colour(name: str, otherwise: str) -> str:
    """A colour as pyte names it: one of the sixteen, or six hexadecimal digits."""
    if name == "default":
        return otherwise
    return COLOURS.get(name) or f"#{name}"


def draw(lines: Lines) -> Image.Image:
    """A screen as a picture."""
    size = (len(lines[0]) * WIDE + 2 * MARGIN, len(lines) * HIGH + 2 * MARGIN)
    made = Image.new("RGB", size, GROUND)
    pen = ImageDraw.Draw(made)
    for row, line in enumerate(lines):
        for column, cell in enumerate(line):
            if cell.data == "":
                continue  # the right half of a wide character
            cells = 2 if column + 1 < len(line) and line[column + 1].data == "" else 1
            left, top = MARGIN + column * WIDE, MARGIN + row * HIGH
            ink, ground = colour(cell.fg, INK), colour(cell.bg, GROUND)
            if cell.reverse:
                ink, ground = ground, ink
            if cell.blink:  # faint
                ink = _between(ink, ground)
            box = (left, top, left + cells * WIDE - 1, top + HIGH - 1)
            if ground != GROUND:
                pen.rectangle(box, fill=ground)
            if not cell.data.isspace():
                made.paste(ink, box[:2], glyph(cell.data, cell.bold, cells))
            if cell.underscore:
                pen.line((box[0], box[3] - 1, box[2], box[3] - 1), fill=ink)
    return made


def _between(ink: str, ground: str) -> str:
    pairs = zip(*(bytes.fromhex(one[1:]) for one in (ink, ground)), strict=True)
    return "#" + bytes(round(0.62 * a + 0.38 * b) for a, b in pairs).hex()


def save_gif(frames: Sequence[Frame], file: Path) -> None:
    """An endless GIF with one palette for all frames, so that only what changes is kept."""
    pictures = [draw(frame.lines) for frame in frames]
    palette = _palette(pictures)
    flat = [one.quantize(palette=palette, dither=Image.Dither.NONE) for one in pictures]
    flat[0].save(
        file,
        save_all=True,
        append_images=flat[1:],
        duration=[max(20, round(frame.seconds * 100) * 10) for frame in frames],
        loop=0,
        optimize=False,
        disposal=1,
    )


def _palette(pictures: Sequence[Image.Image]) -> Image.Image:
    """The colours of some of the pictures, the last among them."""
    some = [*pictures[:: max(1, len(pictures) // 12)], pictures[-1]]
    wide, high = some[0].size
    whole = Image.new("RGB", (wide, high * len(some)))
    for place, one in enumerate(some):
        whole.paste(one, (0, place * high))
    return whole.quantize(96, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)


def stills(frames: Sequence[Frame], seconds: Sequence[float]) -> Iterator[Image.Image]:
    """What is seen at these times, to look at."""
    for wanted in seconds:
        past = 0.0
        for frame in frames:
            past += frame.seconds
            if past >= wanted:
                break
        yield draw(frame.lines)
