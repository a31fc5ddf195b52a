"""Rows that are no shop's, on the base that `workshop try` names and on the bundled one.

    python -m benchmarks.own_rows [--models mame smollm2] [--quick]

Three made-up places (data/own): a library, a school, a clinic; 60 rows and 30 held-out questions
each, in English, the library's in Japanese, too. Each model is tuned with its own recipe on all
rows of a set whose language it speaks, and asked before and after. The time that is said before a
training stands beside the one it took. Writes results/own_rows.json, set by set: a run that was
stopped goes on where it was.
"""

from __future__ import annotations

import sys
from typing import Any

from benchmarks.common import (
    Settings,
    earlier,
    found_or_made,
    parser,
    percent,
    save,
    settings,
    table,
)

SETS = ("library.en", "school.en", "clinic.en", "library.ja")
TITLE = {"en": "Rows of one's own", "ja": "自分の行で学習する"}
TARGET = 0.85  # of the facts, in English, with the model that is named


def measure(asked: Settings, name: str, model: str) -> dict[str, Any]:
    """One model on one set: what it states before and after, and what it took."""
    from workshop_helpers.core.artifacts import data_path
    from workshop_helpers.dataset.formats import read_conversations
    from workshop_helpers.dataset.questions import read_questions
    from workshop_helpers.evaluation.comparison import compare
    from workshop_helpers.evaluation.fit import rows_fit
    from workshop_helpers.training.measure import training_seconds
    from workshop_helpers.training.recipe import LoraRecipe
    from workshop_helpers.training.train import train

    rows = read_conversations(data_path("own", f"{name}.csv"))[: 4 if asked.quick else None]
    questions = read_questions(data_path("own", f"{name}.questions.jsonl"))
    recipe = LoraRecipe.for_model(model)
    said = training_seconds(model, rows, recipe)
    how = {} if asked.reuse else {"overwrite": True}
    out = asked.work / "work" / model / f"own-{name}"
    tuned = found_or_made(train, model, rows, out, recipe, progress=False, **how)
    asked_of: dict[str, Any] = {"base": model, "tuned": tuned}
    compared = compare(asked_of, questions[: 2 if asked.quick else None], progress=False)
    return {
        **{"set": name, "model": model, "language": name[-2:], "rows": len(rows)},
        "questions": len(compared.questions),
        "ratio_to_usual_loss": rows_fit(model, rows).ratio,
        "recipe": recipe.to_dict(),
        "seconds_said": round(said, 1),
        "seconds": round(tuned.seconds, 1),
        "peak_memory_bytes": tuned.peak_memory_bytes,
        **{label: compared.row(label).summary.to_dict() for label in ("base", "tuned")},
    }


def chosen(models: list[str], languages: tuple[str, ...]) -> list[tuple[str, str]]:
    """The sets with the models that speak their language, the quick ones first."""
    from workshop_helpers.models.catalogue import CATALOGUE

    return [
        (name, model)
        for model in models
        for name in SETS
        if name[-2:] in languages and name[-2:] in CATALOGUE[model].languages
    ]


def report(runs: list[dict[str, Any]]) -> None:
    """The figures on the terminal."""
    rows = [
        [
            f"{one['set']} {one['model']}",
            *(percent(one[label]["recall"]) for label in ("base", "tuned")),
            *(percent(one["tuned"][key]) for key in ("contradicted", "unsupported")),
            f"{one['seconds_said']:.0f}",
            f"{one['seconds']:.0f}",
        ]
        for one in runs
    ]
    head = ("facts", "base", "tuned", "wrong", "invented", "s said", "s taken")
    table("Own rows", head, rows)


def main(arguments: list[str]) -> int:
    """Measure what is not measured yet, and save after each."""
    made = parser(__doc__ or "", model=False)
    made.add_argument(
        "--models", nargs="+", default=["mame", "smollm2"], metavar="MODEL",
        help="catalogue names (default: %(default)s)",
    )  # fmt: skip
    args = made.parse_args(arguments)
    asked = settings("own_rows", args)
    runs = list(earlier(asked, ["runs"]).get("runs", [])) if asked.reuse else []
    for name, model in chosen(args.models, asked.languages):
        if any((one["set"], one["model"]) == (name, model) for one in runs):
            continue
        asked.say(f"{model} on {name}")
        runs.append(measure(asked, name, model))
        save(asked, {"title": TITLE, "target": TARGET, "runs": runs})
    report(runs)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
