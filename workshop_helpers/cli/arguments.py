"""The grammar of the commands: parsers, verbs, groups of verbs, and the options that many have."""

from __future__ import annotations

import argparse
import locale
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..core.errors import WorkshopError
from ..core.outside import below
from .output import MISTAKE

Run = Callable[[argparse.Namespace], int]
DEFAULT_TYPES = ["Q8_0", "Q4_K_M", "Q2_K"]
MODEL_HELP = (
    "a catalogue name (see `workshop models`), a model folder, an adapter folder, a .gguf file, "
    "or ollama:NAME"
)
READ_HELP = "training rows: .jsonl, .json, .csv, .tsv, .xlsx, .parquet, .arrow or .txt, also .gz"
DEBUG_HELP = "show the traceback of an error"


class Parser(argparse.ArgumentParser):
    """A parser whose help has colours on a terminal."""

    def format_help(self) -> str:
        if sys.stdout.isatty():
            # Late: rich takes longer to import than all the rest of `workshop --help`.
            from rich_argparse import RawDescriptionRichHelpFormatter, RichHelpFormatter

            RichHelpFormatter.help_markup = RichHelpFormatter.text_markup = False  # [ is [
            raw = self.formatter_class is argparse.RawDescriptionHelpFormatter
            self.formatter_class = RawDescriptionRichHelpFormatter if raw else RichHelpFormatter
        return super().format_help()

    def print_help(self, file: Any = None) -> None:
        super().print_help(below(file or sys.stdout))  # the colours are ours


def run_prints_help(parser: argparse.ArgumentParser) -> None:
    """Without a verb, the parser's help is shown, and that is a mistake."""

    def run(args: argparse.Namespace) -> int:
        parser.print_help()
        return MISTAKE

    parser.set_defaults(run=run)


def add_group(verbs: Any, name: str, summary: str, more: str = "") -> Any:
    """Add a verb with subcommands, such as `data`, and return their group."""
    group = _add(verbs, name, f"{summary}{more}", summary)
    run_prints_help(group)
    return group.add_subparsers(title="commands", metavar="COMMAND")


def add_verb(
    verbs: Any,
    name: str,
    run: Run,
    summary: str,
    more: str = "",
    *,
    json: bool = True,
    device: bool = False,
    overwrite: bool = False,
) -> argparse.ArgumentParser:
    """Add a verb to the subparsers `verbs`; `run` carries it out and gives the exit code.

    `summary`: its line in the list of verbs. `more`: what follows that in its own help. `json`,
    `device`, `overwrite`: whether it has these options.
    """
    added = _add(verbs, name, f"{summary}. {more}".strip(), summary)
    added.set_defaults(run=run)
    if json:
        flag(added, "--json", "print the result as JSON, for programs")
    if device:
        added.add_argument(
            "--device",
            choices=("auto", "cpu", "mps", "cuda"),
            help="where to compute (default: the best there is)",
        )
    if overwrite:
        flag(
            added,
            "--overwrite",
            "do the work again where its result is there already, and replace another one",
        )
    return added


def _add(verbs: Any, name: str, description: str, summary: str) -> argparse.ArgumentParser:
    description = description[0].upper() + description[1:]
    added: argparse.ArgumentParser = verbs.add_parser(name, help=summary, description=description)
    # Suppressed: the default must not undo a --debug before the verb.
    flag(added, "--debug", DEBUG_HELP, default=argparse.SUPPRESS)
    return added


# `to` is a parser, or a group of options of one.
def flag(to: Any, name: str, help: str, **more: Any) -> None:
    """Add an option that takes no value."""
    to.add_argument(name, action="store_true", help=help, **more)


def option(to: Any, name: str, metavar: str, help: str, type: Any = str, **more: Any) -> None:
    """Add an option that takes a value; a `name` without dashes is a positional argument."""
    to.add_argument(name, metavar=metavar, help=help, type=type, **more)


def several(to: Any, name: str, metavar: str, help: str, type: Any = str, **more: Any) -> None:
    """Add an option, or a positional argument, that takes one value or more."""
    option(to, name, metavar, help, type, nargs="+", **more)


def add_reading(to: Any) -> None:
    """The options that say how a file of rows is read."""
    group = to.add_argument_group("how the file is read (found out by itself otherwise)")
    option(group, "--format", "NAME", "alpaca, messages, sharegpt, gemini, …")
    option(group, "--question-column", "NAME", "column that holds the question")
    option(group, "--answer-column", "NAME", "column that holds the answer")
    option(group, "--encoding", "NAME", "utf-8, cp932, euc_jp, …")
    good = "of preference rows, read the good answers and leave out the rejected ones"
    group.add_argument("--take", choices=("chosen",), help=good)


def read_options(args: argparse.Namespace) -> dict[str, Any]:
    """The options of `add_reading`, for `open_rows`."""
    columns = {"question": args.question_column, "answer": args.answer_column}
    columns = {name: value for name, value in columns.items() if value}
    how = given(args, "format", "encoding", "take")
    return {**how, "columns": columns or None}


def add_longest_answer(to: Any) -> None:
    """--max-new-tokens. Below 1 is refused: Ollama would take it for "without end"."""
    option(
        to,
        "--max-new-tokens",
        "N",
        "longest answer (default: %(default)s)",
        at_least_one,
        default=160,
    )


def add_system_text(to: Any) -> Any:
    """--system and --system-file, of which one may be given; returns their group."""
    group = to.add_mutually_exclusive_group()
    option(group, "--system", "TEXT", "system prompt: instructions or facts for the model")
    option(group, "--system-file", "FILE", "the same from a text file", Path)
    return group


def system_text(args: argparse.Namespace) -> str | None:
    """The text that --system or --system-file gives."""
    given: str | None = args.system
    return given if args.system_file is None else read_text(args.system_file)


def given(args: argparse.Namespace, *names: str) -> dict[str, Any]:
    """The options of these names, for a function whose parameters have the same names."""
    return {name: getattr(args, name) for name in names}


def terminal_language() -> str:
    """The language that the terminal speaks, if the course has it; else English."""
    names = [os.environ.get(name, "") for name in ("LC_ALL", "LC_MESSAGES", "LANG")]
    spoken = next((name for name in names if name), "") or (locale.getlocale()[0] or "")
    return "ja" if spoken.lower().startswith("ja") else "en"


def at_least_one(text: str) -> int:
    """The type of a number of rows, tokens or the like, for argparse."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number of at least 1")
    return number


def above_zero(text: str) -> float:
    """The type of a rate, a price or the like, for argparse."""
    number = float(text)
    if not number > 0:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return number


# argparse names the type in its message.
at_least_one.__name__, above_zero.__name__ = "whole number", "number"


def output_path(text: str) -> Path:
    """The type of what a verb writes, a file or a folder; what it reads is a plain `Path`. A test
    goes over all arguments of this type.
    """
    return Path(text)


def add_overwrite(to: Any) -> None:
    """--overwrite of a verb that does its work again each time."""
    flag(to, "--overwrite", "also where something else is there already")


def read_text(path: Path) -> str:
    """The text of a file that an option names, stripped; WorkshopError if it cannot be read."""
    try:
        return path.read_text(encoding="utf-8-sig").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise WorkshopError(f"Cannot read {path} as UTF-8 text: {error}.") from error
