"""`workshop demo1`, `demo2` and `demo3`: the talk's three demos, with what to say beside them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..core.wordings import LANGUAGES
from .arguments import (
    MODEL_HELP,
    add_verb,
    at_least_one,
    flag,
    option,
    output_path,
    terminal_language,
)
from .output import OK, console

# The questions that demo2 scores: one about each of the shop's facts.
QUESTIONS = 29


def add_demos_verbs(verbs: Any) -> None:
    """Add `demo1`, `demo2` and `demo3` to the subparsers `verbs`."""
    one = add_verb(
        verbs, "demo1", _demo1, "on stage: fine-tune on ten rows, and verify",
        "Trains before everyone's eyes, each time, and asks the same questions before and after. "
        "Needs no network.", json=False, device=True,
    )  # fmt: skip
    _add_rows(one, 10)
    fewer = "held-out questions to ask, the first ones (default: all)"
    option(one, "--questions", "N", fewer, at_least_one)
    flag(one, "--reuse", "show the last equal training, and say so, in place of a new one")
    two = add_verb(
        verbs, "demo2", _demo2, "on stage: the same by prompting alone",
        "Makes a model of a Modelfile (on Ollama where one answers, else through llama.cpp), asks "
        "it the same questions, and proves that no weight has changed. Needs no network.",
        json=False,
    )  # fmt: skip
    few = "held-out questions to score (default: %(default)s, one about each fact)"
    option(two, "--questions", "N", few, at_least_one, default=QUESTIONS)
    three = add_verb(
        verbs, "demo3", _demo3, "on stage: the way into Ollama",
        "Adapter, merged, GGUF, Q4_K_M, Modelfile, created, asked: each with its seconds and size. "
        "Needs no network; without Ollama the model runs in llama.cpp.", json=False, device=True,
    )  # fmt: skip
    _add_rows(three, 100)
    for demo, name in ((one, "demo1"), (two, "demo2"), (three, "demo3")):
        _add_common(demo, name)
    for demo in (two, three):
        flag(demo, "--anew", "make everything anew, also what is there already")


def _add_rows(demo: Any, default: int) -> None:
    rows = "rows to train on (default: %(default)s)"
    option(demo, "--rows", "N", rows, at_least_one, default=default)


def _add_common(demo: Any, name: str) -> None:
    spoken = "of the shop and of the notes (default: the terminal's)"
    demo.add_argument("--language", choices=LANGUAGES, help=spoken)
    option(demo, "--model", "MODEL", f"the base model: {MODEL_HELP} (default: %(default)s)",
           default="mame")  # fmt: skip
    where = "where to write (default: %(default)s)"
    option(demo, "--out", "DIR", where, output_path, default=Path("runs", name))
    flag(demo, "--no-notes", "without what to say")
    flag(demo, "--pause", "wait for Enter between the steps (on a terminal)")


def _demo1(args: argparse.Namespace) -> int:
    from ..stage.demos import demo1, open_demo

    with open_demo("demo1", *_told(args), device=args.device) as demo:
        demo1(demo, args.rows, questions=args.questions, reuse=args.reuse)
    return OK


def _demo2(args: argparse.Namespace) -> int:
    from ..stage.demos import demo2, open_demo

    with open_demo("demo2", *_told(args), anew=args.anew) as demo:
        demo2(demo, args.questions)
    return OK


def _demo3(args: argparse.Namespace) -> int:
    from ..stage.demos import demo3, open_demo

    with open_demo("demo3", *_told(args), device=args.device, anew=args.anew) as demo:
        demo3(demo, args.rows)
    return OK


def _told(args: argparse.Namespace) -> tuple[Any, Path, str]:
    """The screen, the folder and the model, as `open_demo` takes them."""
    from ..stage.presenting import Presenter

    language = args.language or terminal_language()
    show = Presenter(console(110), language, notes=not args.no_notes, pause=args.pause)
    return show, args.out, args.model
