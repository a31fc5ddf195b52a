"""How often `workshop data check` finds fault with rows that have none.

The rows are in `tests/data/clean`: texts of many kinds, and in `sets/` five kinds of training set
as people have them. Most are written by hand; `grammar.yaml` makes more of each set, seeded.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from benchmarks.common import ROOT
from workshop_helpers.dataset.checks import CheckReport, check_rows
from workshop_helpers.dataset.formats import Conversation, Message, write_conversations

CLEAN = ROOT / "tests" / "data" / "clean"
SETS = ("support", "code", "chinese", "stories", "hours.en", "hours.ja")
ROWS = 300  # of each set
TARGETS = {"errors": 0, "warnings_per_hundred_rows_at_most": 1}
_SLOT = re.compile(r"\{(\w+)\}")


def from_grammar(name: str, seed: int = 0) -> Iterator[Conversation]:
    """Rows without end from a set's frames; no question and no answer twice."""
    grammar = yaml.safe_load((CLEAN / "sets" / "grammar.yaml").read_text(encoding="utf-8"))[name]
    draw, known = random.Random(seed), set[str]()
    while True:
        filled: dict[str, str] = {}

        def fill(match: re.Match[str], filled: dict[str, str] = filled) -> str:
            return filled.setdefault(match[1], draw.choice(grammar["slots"][match[1]].split(" / ")))

        question, answer = (
            _SLOT.sub(fill, text).strip() for text in draw.choice(grammar["frames"])
        )
        if not known & {question, answer}:
            known |= {question, answer}
            turns = (question, "user"), (answer, "assistant")
            yield Conversation(
                tuple(Message(role, text[0].upper() + text[1:]) for text, role in turns)
            )


def check_set(name: str, *, quick: bool = False) -> CheckReport:
    """The check of one set: its rows by hand, and from its grammar as many as are missing."""
    files = sorted((CLEAN / "sets").glob(f"{name}*.txt"))
    written = sum(
        len(re.findall("^(?:Q|質問)[:：]", file.read_text("utf-8"), re.M)) for file in files
    )
    made = from_grammar(name)
    with TemporaryDirectory() as folder:
        more = Path(folder, f"{name}.more.jsonl")
        write_conversations([next(made) for _ in range(ROWS - written)], more)
        return check_rows([*files, more], quick=quick, progress=False)


def false_alarms(*, quick: bool = False) -> dict[str, Any]:
    """Rows, errors, warnings and notes for each set and for the other clean texts, and the rules
    that gave the errors and warnings.
    """
    reports = {name: check_set(name, quick=quick) for name in SETS}
    for language in ("en", "ja"):
        files = sorted(CLEAN.glob(f"*.{language}.*"))
        reports[f"texts.{language}"] = check_rows(files, quick=quick, progress=False)
    return {"targets": TARGETS, "sets": {name: _counted(one) for name, one in reports.items()}}


def _counted(report: CheckReport) -> dict[str, Any]:
    rules = sorted({found.rule for found in report.findings if found.severity != "note"})
    severities = {f"{severity}s": n for severity, n in report.severities.items()}
    return {"rows": report.summary["rows"], **severities, "rules": rules}
