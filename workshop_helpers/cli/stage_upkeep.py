"""`workshop stage check`, the evening before, and `workshop stage reset`, after the talk."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import WorkshopError
from ..core.wordings import LANGUAGES, say
from .arguments import MODEL_HELP, add_verb, flag, option, several, terminal_language
from .output import OK, WRONG, console, show, table

if TYPE_CHECKING:
    from ..stage.check import Stage

_RUNS = Path("runs", "stage")  # as stage/store.py has it


def add_upkeep_verbs(group: Any) -> None:
    """Add `check` and `reset` to the group `stage`."""
    check = add_verb(
        group, "check", _check, "the evening before: is all that the talk needs there?",
        "A line for each thing that `workshop stage live` stands on, with what to do about it. "
        "Exit code 1 when something is missing that the talk cannot do without.",
    )  # fmt: skip
    option(check, "--model", "MODEL", f"{MODEL_HELP} (default: %(default)s)", default="mame")
    _common(check)
    reset = add_verb(
        group, "reset", _reset, "make everything fresh for the next talk",
        "Removes what the stage and the demos made, and what they put into Ollama, as far as a "
        "card or a record proves it to be theirs. Rehearsals stay, and so does everything else.",
    )  # fmt: skip
    _common(reset)
    demos = "folders of demos, or with such in them (default: runs)"
    several(reset, "--demos", "DIR", demos, Path, default=[Path("runs")])
    flag(reset, "--all", "remove the rehearsals, too")
    flag(reset, "--yes", "do not ask")


def _common(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--language", choices=LANGUAGES, help="of talk and texts (default: the terminal's)"
    )
    where = "where the rehearsals lie (default: %(default)s)"
    option(verb, "--runs", "DIR", where, Path, default=_RUNS)


def _check(args: argparse.Namespace) -> int:
    from ..stage.check import Stage, check_stage

    stage = Stage(args.model, args.language or terminal_language(), args.runs)
    checked = check_stage(stage)
    if args.json:
        show(args, [check.to_dict() for check in checked.checks])
    else:
        _tell(checked, stage)
    return OK if checked.runs else WRONG


def _tell(checked: Any, stage: Stage) -> None:
    """A line a thing, its fix below it."""
    from rich import box
    from rich.text import Text

    language, screen = stage.language, console(100)
    styles = {"ok": "green", "warn": "yellow", "fail": "bold red"}
    rows = []
    for check in checked.checks:
        found = Text(check.told.said(language))
        if check.advice:
            found.append(f"\n→ {check.advice.said(language)}", styles[check.status])
        mark = Text(say(f"doctor.{check.status}", language), styles[check.status])
        rows.append([mark, check.title.said(language), found])
    title = say("stage-check.title", language)
    made = table(("", "", ""), rows, title=title, title_justify="left", box=box.SIMPLE,
                 show_header=False)  # fmt: skip
    made.columns[0].no_wrap = made.columns[1].no_wrap = True
    screen.print(made)
    code = "ready" if checked.runs else "not-ready"
    live = f"workshop stage live --model {shlex.quote(stage.model)} --language {language}"
    screen.print(Text(say(f"stage-check.{code}", language, command=live)))


def _reset(args: argparse.Namespace) -> int:
    from ..stage.reset import plan_reset

    language = args.language or terminal_language()
    reset = plan_reset(args.runs, args.demos, everything=args.all)
    lines = [line.said(language) for line in reset.lines()]
    if reset.empty:
        show(args, {"removed": [], "left": []}, say("reset.nothing", language))
        return OK
    if not args.yes:
        _ask(lines, language, args.all, asked=sys.stdin.isatty() and not args.json)
        if input(say("reset.ask", language)).strip().lower() not in ("y", "yes", "はい"):
            print(say("reset.kept", language))
            return OK
    left = [line.said(language) for line in reset.carry_out()]
    told = [] if not args.yes else _listed("removed", lines, language)
    show(args, {"removed": lines, "left": left}, *told, *left, say("reset.done", language))
    return OK


def _listed(code: str, lines: list[str], language: str) -> list[str]:
    return [say(f"reset.{code}", language), *(f"  {line}" for line in lines)]


def _ask(lines: list[str], language: str, everything: bool, *, asked: bool) -> None:
    """Say what will be removed. WorkshopError where nobody can answer."""
    if not asked:
        raise WorkshopError(
            f"{len(lines)} things would be removed, and nobody can be asked here. Add --yes."
        )
    for line in _listed("will", lines, language):
        print(line)
    if not everything:
        print(say("reset.rehearsal-stays", language))
