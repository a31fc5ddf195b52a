"""`workshop stage`: the talk rehearsed on this machine, and given live by the clock."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import WorkshopError
from ..core.wordings import LANGUAGES, say
from .arguments import (
    MODEL_HELP,
    above_zero,
    add_group,
    add_verb,
    at_least_one,
    flag,
    option,
    terminal_language,
)  # fmt: skip
from .output import OK, WRONG, show, table
from .stage_upkeep import add_upkeep_verbs

if TYPE_CHECKING:
    from ..stage.live import Live
    from ..stage.rehearse import Rehearsed
    from ..stage.unattended import Given, GivenScene

_RUNS = Path("runs", "stage")  # as stage/store.py has it


def add_stage_verbs(verbs: Any) -> None:
    """Add `stage` and its verbs to the subparsers `verbs`."""
    group = add_group(
        verbs,
        "stage",
        "the talk: rehearse it, and give it live by the clock",
        ". Two commands lead to it: `workshop stage rehearse`, the evening before, runs every cell "
        "that the talk shows and keeps the results; `workshop stage live` runs them one by one "
        "before the audience, with a clock, and shows the rehearsed result, labelled, where one "
        "fails or takes too long.",
    )
    rehearse = add_verb(
        group,
        "rehearse",
        _rehearse,
        "run all that the talk shows on this machine, and keep the results",
        "Runs the notebooks of the talk one after the other, unattended, measures each cell, and "
        "keeps the results in RUNS/MODEL-LANGUAGE. A rehearsal that was stopped goes on with the "
        "notebook it was at; a notebook that is done is not run again.",
    )
    _common(rehearse)
    option(rehearse, "--rows", "N", "training rows (default: the notebooks' own)", at_least_one)
    flag(rehearse, "--anew", "run all notebooks again")

    live = add_verb(
        group,
        "live",
        _live,
        "give the talk: the scenes one by one, the clock, and the rehearsed result at one key",
        "A program for a terminal beside the slides, of 80x24 or more. Enter runs the present "
        "scene, and goes to the next one; r shows the rehearsed result, plainly labelled, at any "
        "moment; ? lists all keys. RUNS/MODEL-LANGUAGE/now.html shows the present result in a "
        "browser.",
    )
    _common(live)
    option(live, "--minutes", "N", "shorten or stretch the talk to so many minutes", above_zero)
    option(live, "--section", "NAME", "start there, such as demo (the clock, too)")
    flag(live, "--auto", "show the rehearsed result by itself when a scene fails or is overdue")
    flag(
        live,
        "--unattended",
        "step through all scenes without a presenter, and say whether each section fits its "
        "minutes (exit code 1 if one does not, or a scene was not live)",
    )
    add_upkeep_verbs(group)


def _common(verb: argparse.ArgumentParser) -> None:
    option(verb, "--model", "MODEL", f"{MODEL_HELP} (default: %(default)s)", default="mame")
    verb.add_argument(
        "--language", choices=LANGUAGES, help="of notebooks and talk (default: the terminal's)"
    )
    option(verb, "--runs", "DIR", "where it all lies (default: %(default)s)", Path, default=_RUNS)


def _rehearse(args: argparse.Namespace) -> int:
    from ..stage.rehearse import rehearse

    language = args.language or terminal_language()

    def hear(notebook: Rehearsed) -> None:
        print(said(notebook), file=sys.stderr if args.json else sys.stdout, flush=True)

    def said(notebook: Rehearsed) -> str:
        if notebook.error is not None:
            why = notebook.error.said(language)
            code, more = "rehearse-failed", {"number": notebook.failed, "why": why}
        else:
            code, more = f"rehearse-{'kept' if notebook.kept else 'done'}", {}
        values = {"notebook": notebook.notebook, "scenes": notebook.scenes}
        return say(f"stage.{code}", language, **values, seconds=notebook.seconds, **more)

    report = rehearse(
        args.model, language, rows=args.rows, runs=args.runs, anew=args.anew, hear=hear
    )
    end = "rehearse-all" if report.complete else "rehearse-part"
    where = os.path.relpath(report.folder)
    show(args, report, say(f"stage.{end}", language, seconds=report.seconds, folder=where))
    return OK if report.complete else WRONG


def _live(args: argparse.Namespace) -> int:
    from ..stage.live import Live
    from ..stage.store import absolute_model

    if not args.unattended and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise WorkshopError(
            "`workshop stage live` draws on a terminal, and this is none. Run it in one, or add "
            "--unattended to step through all scenes without a presenter."
        )
    with Live.open(
        absolute_model(args.model),
        args.language or terminal_language(),
        runs=args.runs,
        minutes=args.minutes,
        auto=args.auto,
        section=args.section,
    ) as live:
        if args.unattended:
            return _unattended(args, live)
        from ..stage.terminal import run

        run(live)
    return OK


def _unattended(args: argparse.Namespace, live: Live) -> int:
    from ..stage.unattended import give

    def hear(scene: GivenScene) -> None:
        line = f"{scene.cell:32} {scene.name:18} {scene.state:10} {scene.seconds:7.1f} s"
        print(line, file=sys.stderr if args.json else sys.stdout, flush=True)

    given = give(live, hear)
    show(args, given, _table(given, live.language), *given.notices)
    return OK if given.fits and given.live else WRONG


def _table(given: Given, language: str) -> Any:
    headings = [
        say(f"stage.column-{name}", language) for name in ("section", "took", "has", "fits")
    ]
    rows = [
        [
            say(f"agenda.{section.name}", language),
            f"{section.seconds:.1f} s",
            f"{60 * section.minutes:.0f} s",
            say(f"stage.{'yes' if section.fits else 'no'}", language),
        ]
        for section in given.sections
    ]
    return table(headings, rows, right=tuple(headings[1:3]))
