"""What the commands of `workshop` have in common: how a verb is added, exit codes, and how things
are printed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..core.errors import WorkshopError

OK, WRONG, MISTAKE, STOPPED = 0, 1, 2, 130
Run = Callable[[argparse.Namespace], int]


def add_verb(
    verbs: Any,
    common: argparse.ArgumentParser,
    name: str,
    run: Run,
    summary: str,
    more: str = "",
    *,
    description: str | None = None,
    json: str | None = "print the result as JSON, for programs",
) -> argparse.ArgumentParser:
    """Add a verb to the subparsers `verbs`; `run` carries it out and gives the exit code.

    `common`: the options that all verbs have. `summary`: its line in the list of verbs. `more`:
    what follows that in its own help; `description` stands there instead of both. `json`: the help
    of --json, None leaves the option out.
    """
    added: argparse.ArgumentParser = verbs.add_parser(
        name,
        help=summary,
        description=description or f"{summary[0].upper()}{summary[1:]}. {more}".strip(),
        parents=[common],
    )
    added.set_defaults(run=run)
    if json is not None:
        added.add_argument("--json", action="store_true", help=json)
    return added


def at_least_one(text: str) -> int:
    """The type of a number of rows, tokens or the like, for argparse."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number of at least 1")
    return number


at_least_one.__name__ = "whole number"  # argparse names the type in its message


def add_longest_answer(added: argparse.ArgumentParser) -> None:
    """--max-new-tokens. Below 1 is refused: Ollama would take it for "without end"."""
    added.add_argument(
        "--max-new-tokens",
        type=at_least_one,
        default=160,
        metavar="N",
        help="longest answer (default: %(default)s)",
    )


def console(width: int = 160) -> Any:
    """A rich console; `width` columns where no terminal sets them, so that a table sent to a file
    is not folded.
    """
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else width)


def megabytes(size: int) -> str:
    """A size in bytes as people read it, e.g. "10.3 MB" (10^6 bytes)."""
    return f"{size / 1e9:.2f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"


def read_text(path: Path) -> str:
    """The text of a file that an option names, without white space around it; WorkshopError if it
    cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8-sig").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise WorkshopError(f"Cannot read {path} as UTF-8 text: {error}.") from error
