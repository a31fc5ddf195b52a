"""What the commands print, and the exit codes that they give back."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ..core.outside import escaped, shown

OK, WRONG, MISTAKE, STOPPED = 0, 1, 2, 130


def show(args: argparse.Namespace, result: Any, *lines: Any, width: int = 160) -> None:
    """Print `result` as JSON where --json asks for it, else the lines.

    A line is a text, a (label, value), something that rich shows, `width` columns wide where no
    terminal sets them, or None, which is left out.
    """
    if args.json:
        show_json(result.to_dict() if hasattr(result, "to_dict") else result)
        return
    for line in lines:
        if isinstance(line, tuple):
            print(f"{line[0]:<10} {line[1]}")
        elif isinstance(line, str):
            print(line)
        elif line is not None:
            console(width).print(line)


def show_json(result: Any) -> None:
    """Print `result` as JSON for a program: what may not be shown as it is stands there escaped."""
    from ..core.jsonio import to_json  # late: a command is watched over before it imports much

    print(escaped(to_json(result)))


def console(width: int = 160, **more: Any) -> Any:
    """A rich console; `width` columns where no terminal sets them, so that a table sent to a file
    is not folded; `more`: as rich's Console takes it, such as `file`.
    """
    from rich.console import Console

    class Shown(Console):
        """A console to which only texts that may be shown come through."""

        def render(self, *arguments: Any, **more: Any) -> Iterator[Any]:
            for piece in super().render(*arguments, **more):
                yield piece if piece.control else piece._replace(text=shown(piece.text))

    own = None if sys.stdout.isatty() else width
    return Shown(highlight=False, width=own, **more)


def table(
    headings: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    right: Sequence[str] = (),
    **more: Any,
) -> Any:
    """A rich table. Cells are taken as they are, brackets too; `right`: the headings of columns of
    numbers; `more`: as rich's Table takes it, such as `title`.
    """
    from rich.table import Table
    from rich.text import Text

    made = Table(**more)
    for heading in headings:
        made.add_column(heading, justify="right" if heading in right else "left", overflow="fold")
    for row in rows:
        made.add_row(*(Text(shown(cell)) if isinstance(cell, str) else cell for cell in row))
    return made


def first_ten(lines: Sequence[Any], more: str) -> list[Any]:
    """The first ten lines, and `more`, which says in {} how many others there are, if any."""
    rest = len(lines) - 10
    return [*lines[:10], *([more.replace("{}", f"{rest:,}")] if rest > 0 else [])]


def megabytes(size: int) -> str:
    """A size in bytes as people read it, e.g. "10.3 MB" (10^6 bytes)."""
    return f"{size / 1e9:.2f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"


def again(reused: bool) -> str:
    """What is said behind the name of a result that was there before."""
    return " (found made before; nothing was done again)" if reused else ""
