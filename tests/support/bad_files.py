"""The small bad files of tests/data/bad, and what is expected of each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from workshop_helpers.dataset.checks import check_rows
from workshop_helpers.dataset.checks.findings import CheckReport

BAD = Path(__file__).parents[1] / "data" / "bad"


DOCUMENT = yaml.safe_load((BAD / "expectations.yaml").read_text(encoding="utf-8"))


EXPECTED: dict[str, list[dict[str, Any]]] = DOCUMENT["files"]


OPTIONS: dict[str, dict[str, Any]] = DOCUMENT["options"]


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def report(name: str) -> CheckReport:
    options = dict(OPTIONS.get(name, {}))
    options.pop("encoding_said", None)
    wanted = {rule for one in EXPECTED[name] for rule in listed(one["rule"])}
    files = [*options.pop("together_with", []), name]
    options["against"] = [BAD / file for file in options.get("against", [])]
    if "facts" in options:
        options["facts"] = BAD / options["facts"]
    quick = not wanted & {"too-long", "near-duplicate", "leakage"}
    return check_rows([BAD / file for file in files], quick=quick, progress=False, **options)
