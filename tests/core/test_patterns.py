"""No regular expression of the package takes four times as long for twice the text."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import patterns
import pytest
from patterns import Found, Text

from workshop_helpers.metrics import figures, quantities, surfaces
from workshop_helpers.runtimes.ollama import refusals

SIZE = 2_000
QUICK = 0.0007  # seconds for so many characters: what grows by the square takes longer
GROWTH = 9  # for four times the text; 4 is linear, 16 is the square


def phrases() -> list[re.Pattern[str]]:
    found = [surfaces._phrase(text) for text in ("free shipping", "送料 無料")]
    return [one for one in found if one is not None]


def refused() -> list[re.Pattern[str]]:
    return [re.compile(one) for one, _ in (*refusals._REFUSED, *refusals._NOT_FETCHED)]


SPACES = r"""'[ \\t\\r\\f]+' if source_lines else '[ \\t\\r\\n\\f]+'"""
# Patterns that are made inside a function: "module: source" → what they may be.
LOCAL: dict[str, Callable[[], list[re.Pattern[Any]]]] = {
    "core.artifacts: shape": (
        lambda: [re.compile(r"(\.a\.out-([0-9a-f]{8})-(\d+)-[0-9a-f]{8})([0-9a-f]{8})\.jsonl")]
    ),
    "dataset.checks.secrets: shape": lambda: [re.compile(r"[^A-Za-z0-9_.]")],
    f"dataset.importers.page: {SPACES}": (
        lambda: [re.compile(r"[ \t\r\n\f]+")]
    ),
    "display.findings: f\"({'|'.join(map(re.escape, quoted))})\"": (
        lambda: [re.compile("(a|ab|aab)")]  # texts as they are
    ),
    "display.plots: f'(<svg[^<>]*?) {side}=\"[^\"<>]*\"'": (
        lambda: [re.compile(r'(<svg[^<>]*?) width="[^"<>]*"')]
    ),
    "metrics.figures: pattern": lambda: [one for _, one in figures._MORE],
    "metrics.quantities: bounded": lambda: [one for one, _ in quantities._PATTERNS],
    "metrics.quantities: unit.pattern": (
        lambda: [re.compile(unit.pattern) for unit in quantities._UNITS.values()]
    ),
    "metrics.surfaces: left + body + right": phrases,
    "runtimes.ollama.facts: pattern": (
        lambda: [re.compile(r"^FROM .*sha256[-:]([0-9a-f]{64})\s*$", re.M)]
    ),
    "runtimes.ollama.modelfile: release": (
        lambda: [re.compile(r"v?\d+\.\d+\.\d+([-+][0-9A-Za-z.+-]+)?")]
    ),
    "runtimes.ollama.refusals: pattern": refused,
    "training.cloud.practice: pattern": lambda: [
        re.compile(r"GET /v1beta1/projects/[^/]+/locations/[^/]+/tuningJobs/(\w+)/events"),
        re.compile(r"POST /upload/storage/v1/b/([^/]+)/o"),
        re.compile(r"GET /v1/fine_tuning/jobs/([\w-]+)/events"),
    ],
    "stage.cells: f'(?m)^{k} = '": lambda: [re.compile(r"(?m)^ROWS = ")],
    "stage.cells: f'(?m)^{name} = (\"[^\"]*\"|\\\\d+)'": (
        lambda: [re.compile(r'(?m)^ROWS = ("[^"]*"|\d+)')]
    ),
}  # fmt: skip


def slowest(found: Found) -> tuple[float, str, Text] | None:
    """Seconds, method and text of a use that takes more than linear time."""
    for text in patterns.texts(found.pattern):
        for method in found.methods:
            use = partial(patterns.use, found.pattern, method)
            small, large = partial(use, text.of(SIZE)), partial(use, text.of(4 * SIZE))
            if patterns.seconds(small, 1) < QUICK or patterns.seconds(small) < QUICK:
                continue
            short = patterns.seconds(small)
            # the second time, where the first seems slow
            if all(patterns.seconds(large, tries) > GROWTH * short for tries in (1, 2)):
                return short, method, text
    return None


@pytest.mark.timeout(120)
def test_no_pattern_takes_time_by_the_square_of_the_text():
    everything = patterns.patterns(LOCAL)
    assert len(everything) > 200
    slow = [(one.where, one.pattern.pattern, bad) for one in everything if (bad := slowest(one))]
    assert not slow


@pytest.mark.parametrize(
    ("pattern", "method"),
    [
        (r"[ \t]+$", "sub"), (r"\s*\s*x", "match"), (r"<!--.*?-->", "findall"), (r"\S+@", "search"),
        (r"[0-9]+分", "search"), (r"(?:[A-Z][a-z]+ ){3,}[.]", "finditer"),
    ],
)  # fmt: skip
def test_a_pattern_that_does_is_noticed(pattern: str, method: str):
    assert slowest(Found("", re.compile(pattern, re.M), (method,)))
