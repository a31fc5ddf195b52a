"""Is `workshop curve` right? What it expects of more rows, from 100, beside what these then gave.

    python -m benchmarks.curve [--model mame] [--quick] [--train]

The shop's first 100 rows go through the whole curve. Beside what it expects of more stands what the
recorded trainings of the same model gave: on 250 rows with as many epochs (learning_map), on 200
and on 500 with fewer (learning). `--train` trains on 200 and 500 rows once more, with as many
epochs. A finished training is noted in the work folder: a killed run goes on with the next. Seconds
are noted as they were, with whatever else ran.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.common import (
    MANY,
    ROOT,
    Settings,
    model_facts,
    parser,
    percent,
    save,
    settings,
    table,
)

MORE = (200, 500)
TITLE = {"en": "What more rows would give, foretold", "ja": "行を増やした結果の予測"}


def curve_of(asked: Settings, language: str, rows: int, **how: Any) -> tuple[Any, dict[str, float]]:
    """The curve of the shop's first rows, and its seconds as they were said and taken (where it
    was all measured in this run).
    """
    from workshop_helpers.evaluation.curve import plan_curve
    from workshop_helpers.evaluation.shop import Shop

    shop = Shop(language)
    questions = shop.questions[: 12 if asked.quick else None]
    out = asked.folder("curve", f"{language}-{rows}{'-quick' if asked.quick else ''}")
    plan = plan_curve(asked.model, shop.train[:rows], questions, out, **how)
    whole = not plan.curve.trainings
    said, begun = plan.seconds(), time.perf_counter()
    curve = plan.run(progress=False)
    taken = time.perf_counter() - begun
    return curve, {"said": round(said, 1), "taken": round(taken, 1)} if whole else {}


def recorded(asked: Settings, language: str) -> Iterator[dict[str, Any]]:
    """Recall on more rows, as other benchmarks measured it on the same model and questions: the
    rows, their epochs, and which benchmark.
    """
    from workshop_helpers.core.jsonio import read_json

    files = model_facts(asked.model)["files"]
    one = read_json(ROOT / "results" / "learning.json", dict)
    if one["model"]["files"] == files:
        for run in one["runs"]:
            if run["language"] == language and run.get("rows", 0) > MANY:
                values = {name: run[name] for name in ("rows", "epochs", "recall")}
                yield {**values, "from": "learning"}
    other = read_json(ROOT / "results" / "learning_map.json", dict)
    about = other["models"].get(Path(asked.model).name, {})
    if about.get("files") == files:
        for run in other["runs"]:
            usual = all(run[name] == about["recipe"][name] for name in ("epochs", "learning_rate"))
            many = run["language"] == language and run["rows"] > MANY and not run["drawn"]
            if many and usual and run["model"] == Path(asked.model).name:
                values = {name: run[name] for name in ("rows", "epochs", "recall")}
                yield {**values, "from": "learning_map"}


def foretold(asked: Settings, language: str, *, train: bool) -> dict[str, Any]:
    """The curve of few rows, what it expects of more, and what these gave."""
    few = 20 if asked.quick else MANY
    curve, seconds = curve_of(asked, language, few)
    asked.say(f"{language} {few} rows: {[round(p.recall.middle, 3) for p in curve.points]}")
    measured = list(recorded(asked, language))
    for rows in MORE if train else ():
        more, _ = curve_of(asked, language, rows, parts=((1.0, 1.0),), seeds=(0,))
        recall = more.full.recall.middle
        measured.append({"rows": rows, "epochs": more.epochs, "recall": recall, "from": "curve"})
    ahead = []
    for one in sorted(measured, key=lambda one: one["rows"]):
        expected = curve.at(one["rows"])
        off = round(one["recall"] - expected.middle, 4)
        within = expected.low <= one["recall"] <= expected.high
        ahead.append({**one, "expected": asdict(expected), "off": off, "within": within})
    return {"curve": curve.to_dict(), "seconds": seconds, "ahead": ahead}


def report(figures: dict[str, Any]) -> None:
    """Expected and measured, on the terminal."""
    rows = [
        [
            f"{language}, {one['rows']} rows, {one['epochs']:g} epochs",
            percent(one["expected"]["middle"]),
            f"{percent(one['expected']['low'])}–{percent(one['expected']['high'])}",
            percent(one["recall"]),
            f"{100 * one['off']:+.1f}",
        ]
        for language, found in figures["languages"].items()
        for one in found["ahead"]
    ]
    head = ("rows", "expected", "95 % interval", "measured", "off, points")
    table(f"What more rows would give, from {figures['from_rows']}", head, rows)


def main(arguments: list[str]) -> int:
    made = parser(__doc__ or "")
    made.add_argument("--train", action="store_true", help="train on more rows, too")
    args = made.parse_args(arguments)
    asked = settings("curve", args)
    languages = {one: foretold(asked, one, train=args.train) for one in asked.languages}
    figures = {"title": TITLE, "from_rows": 20 if asked.quick else MANY, "languages": languages}
    report(figures)
    save(asked, figures)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
