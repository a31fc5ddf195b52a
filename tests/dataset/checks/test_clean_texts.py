"""Clean, varied text: the check leaves it alone, as it would good data."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from benchmarks.false_alarms import ROWS, SETS, check_set
from workshop_helpers.dataset.checks import check_rows
from workshop_helpers.dataset.checks.findings import CheckReport
from workshop_helpers.dataset.formats import Conversation, open_rows

CLEAN = Path(__file__).parents[2] / "data" / "clean"
FILES = sorted(path for path in CLEAN.iterdir() if path.is_file())
LIST = re.compile(r"^(?:- |[0-9]\. )", re.MULTILINE)
ABOUT_THE_SET = {"too-few", "unbalanced", "low-diversity"}  # no verdict on a row


@cache
def report(language: str) -> CheckReport:
    return check_rows([path for path in FILES if f".{language}." in path.name], progress=False)


def rows(path: Path) -> list[Conversation]:
    with open_rows(path) as reader:
        found = list(reader)
    assert all(isinstance(row, Conversation) for row in found), found
    return [row for row in found if isinstance(row, Conversation)]


def test_the_clean_corpus_is_large_and_varied() -> None:
    read = {path: rows(path) for path in FILES}
    everything = [row for found in read.values() for row in found]
    assert sum(len(found) for path, found in read.items() if path.suffix == ".jsonl") >= 300
    assert {path.suffix for path in FILES} >= {".jsonl", ".json", ".csv", ".tsv", ".txt"}
    for language in ("en", "ja"):
        assert sum(len(read[path]) for path in FILES if f".{language}." in path.name) >= 140
    # Multi-turn, with system prompts, with code, with lists; short and long.
    assert sum(len(row.messages) > 3 for row in everything) >= 10
    assert sum(row.system is not None for row in everything) >= 8
    assert sum("```" in row.answer for row in everything) >= 12
    assert sum(bool(LIST.search(row.answer)) for row in everything) >= 15
    assert sum(any(c.isdigit() for c in row.answer) for row in everything) >= 120
    lengths = sorted(len(row.answer) for row in everything)
    assert lengths[5] <= 15 and lengths[-5] >= 150


@pytest.mark.parametrize("language", ["en", "ja"])
def test_clean_text_holds_no_error(language: str) -> None:
    errors = [str(f) for f in report(language).findings if f.severity == "error"]
    assert not errors, "\n".join(errors)


def test_each_rule_warns_of_at_most_one_clean_row_in_a_hundred() -> None:
    reports = [report(language) for language in ("en", "ja")]
    warned = [f for one in reports for f in one.findings if f.severity == "warning"]
    counts = Counter(f.rule for f in warned if f.rule not in ABOUT_THE_SET)
    most = sum(one.summary["rows"] for one in reports) / 100
    often = {rule for rule, count in counts.items() if count > most}
    assert not often, "\n".join(f"{f}\n    {f.excerpt}" for f in warned if f.rule in often)


@pytest.mark.parametrize("name", SETS)
def test_healthy_training_sets_raise_no_alarm(name: str) -> None:
    found = check_set(name)
    shown = "\n".join(f"{f}\n    {f.excerpt}" for f in found.findings if f.severity != "note")
    assert found.summary["rows"] >= 300
    assert found.severities["error"] == 0, shown
    assert found.severities["warning"] <= found.summary["rows"] / 100, shown


def test_a_third_of_each_set_is_written_by_hand() -> None:
    for name in SETS:
        files = (CLEAN / "sets").glob(f"{name}*.txt")
        assert 3 * sum(len(rows(file)) for file in files) >= ROWS, name
