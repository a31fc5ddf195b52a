"""`workshop doctor`: what will go wrong on this machine, and the fix, before the room is full."""

from __future__ import annotations

import argparse
from typing import Any

from .arguments import add_verb
from .output import OK, WRONG, show, table


def add_doctor_verb(verbs: Any) -> None:
    """Add `doctor` to the subparsers `verbs`."""
    add_verb(
        verbs, "doctor", _doctor, "what will go wrong on this machine, and the fix",
        "Exit code 1 when something the course needs is missing.",
    )  # fmt: skip


def _doctor(args: argparse.Namespace) -> int:
    from rich.text import Text

    from ..evaluation.doctor import check_machine

    checked = check_machine()
    marks = {"ok": ("ok", "green"), "warn": ("note", "yellow"), "fail": ("fix", "red")}
    rows = [[Text(*marks[check.status]), check.name, check.found] for check in checked.checks]
    fixes = [f"{check.name}: {check.fix}" for check in checked.checks if check.fix]
    found = table(("", "what", "found"), rows, title="Will the course run here?")
    show(args, [check.to_dict() for check in checked.checks], found, "\n".join(fixes))
    return OK if checked.runs else WRONG
