"""A map of what decides: held-out facts by rows, epochs and learning rate, each with its spread.

    python -m benchmarks.learning_map [--model mame] [--trainings 3] [--short] [--quick]

Starts from the model's recipe for 100 rows and changes one thing at a time; beside these the talk's
recipe, ten rows three times. A point is trained three times: on the shop's first rows, on rows
drawn from all 500 by chance, and on the first rows in another order. What was learned is asked for,
and what was forgotten: 60 questions of general knowledge. Each training is noted in the file of
results as soon as it is done: a killed run goes on with the next, and the models stand there beside
each other (--out results/learning_map.json). Other work may run beside it: what is noted of time is
the processor's, in seconds of one core.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.common import (
    MANY,
    Results,
    Settings,
    languages_of,
    parser,
    percent,
    provenance,
    settings,
    table,
)
from benchmarks.learning import FEW, FEW_BATCH, FEW_EPOCHS, Bench, Plan

if TYPE_CHECKING:
    from workshop_helpers.dataset.formats import Conversation
    from workshop_helpers.training.recipe import LoraRecipe

ROWS = (10, 25, 50, 250, 500)  # beside MANY
EPOCHS = (1, 3)  # and half, and twice, the recipe's
RATES = (1 / 10, 1 / 3, 3)  # times the recipe's
SCORES = ("recall", "contradicted", "unsupported")
PROBED = 60  # questions of general knowledge
TITLE = {"en": "What decides: rows, epochs, learning rate", "ja": "決め手は行数・エポック・学習率"}


@dataclass(frozen=True)
class Point:
    """One training: how many rows of the shop, how many times, at which rate; `drawn`: rows chosen
    by chance with `seed` instead of the first ones. `seed` also orders them in training. Of no rows
    it is the untuned model.
    """

    language: str
    rows: int
    epochs: float
    learning_rate: float
    batch_size: int
    seed: int
    drawn: bool

    def recipe(self, start: LoraRecipe) -> LoraRecipe:
        return start.replace(
            epochs=self.epochs,
            learning_rate=self.learning_rate,
            batch_size=self.batch_size,
            seed=self.seed,
        )

    def chosen(self, rows: list[Conversation]) -> list[Conversation]:
        """The rows it trains on."""
        import random

        return random.Random(self.seed).sample(rows, self.rows) if self.drawn else rows[: self.rows]


def settings_of(recipe: LoraRecipe, *, short: bool = False) -> list[dict[str, Any]]:
    """What is varied, the telling ones first and the long trainings last. `short`: without the
    rates and the longest ones, for a model whose trainings take minutes.
    """
    usual = {
        "rows": MANY,
        "epochs": recipe.epochs,
        "learning_rate": recipe.learning_rate,
        "batch_size": recipe.batch_size,
    }
    talk = {"rows": FEW, "epochs": FEW_EPOCHS, "batch_size": FEW_BATCH}
    fewer, more = [n for n in ROWS if n < MANY], [n for n in ROWS if n > MANY]
    epochs = sorted({*EPOCHS, recipe.epochs / 2, recipe.epochs * 2} - {recipe.epochs})
    rates: Sequence[float] = RATES
    if short:
        epochs, rates, more = list(EPOCHS), (), more[:1]
    changes: list[dict[str, Any]] = [
        talk,
        {},
        *({"rows": rows} for rows in fewer),
        *({"epochs": times} for times in epochs),
        *({"learning_rate": round(recipe.learning_rate * times, 8)} for times in rates),
        *({"rows": rows} for rows in more),
    ]
    return [usual | change for change in changes]


def points(
    recipe: LoraRecipe,
    languages: Sequence[str],
    trainings: int = 3,
    *,
    short: bool = False,
    quick: bool = False,
) -> list[Point]:
    """All trainings in the order in which they are done, so that a part of them is of use too."""
    varied = settings_of(recipe, short=short)
    if quick:
        return [Point(language, **varied[0], seed=0, drawn=False) for language in languages]
    quickly = [v for v in varied if v["rows"] <= MANY]
    long = [v for v in varied if v["rows"] > MANY]
    rounds = [(quickly, 0, False), (quickly, 1, True), (long, 0, False), (long, 1, True)]
    rounds += [(quickly, 2, False), (long, 2, False)]
    untuned = [Point(language, 0, 0, 0.0, 0, seed=0, drawn=False) for language in languages]
    return untuned + [
        Point(language, **values, seed=seed, drawn=drawn)
        for part, seed, drawn in rounds
        if seed < trainings
        for values in part
        for language in languages
    ]


def train_and_ask(bench: Bench, point: Point, start: LoraRecipe) -> dict[str, Any]:
    """What came of one training; `diverged` where the loss was no number any more."""
    from workshop_helpers.core.artifacts import data_path
    from workshop_helpers.core.errors import WorkshopError
    from workshop_helpers.dataset.formats import read_conversations
    from workshop_helpers.training.train import train

    asked = bench.asked
    if not point.rows:
        return ask(bench, point.language, asked.model)
    rows = read_conversations(data_path("shop", f"train.{point.language}.jsonl"))
    out = asked.folder("learning_map", point.language)
    before = time.process_time()
    try:
        report = train(
            asked.model,
            point.chosen(rows),
            out,
            point.recipe(start),
            overwrite=True,
            progress=False,
        )
    except WorkshopError as error:
        if "diverged" not in str(error):
            raise
        return {"diverged": True}
    used = time.process_time() - before
    scores = ask(bench, point.language, report.adapter)
    shutil.rmtree(out, ignore_errors=True)
    return scores | {
        "final_loss": round(report.final_loss, 4),
        "processor_seconds": round(used, 1),
        "peak_bytes": report.peak_memory_bytes,
    }


def ask(bench: Bench, language: str, model: str | Path) -> dict[str, Any]:
    """What a model states in the shop's held-out questions, and what it knows beside the shop."""
    found = bench.examine("map", language, model)
    scores = {name: round(found[name], 4) for name in SCORES}
    return scores | {"general": general(model, language, quick=bench.asked.quick)}


def general(model: str | Path, language: str, *, quick: bool = False) -> float:
    """The share of questions of general knowledge that a model answers rightly."""
    from workshop_helpers.evaluation.comparison import compare
    from workshop_helpers.evaluation.forgetting import KINDS, probe_questions

    questions = probe_questions(language, per_kind=4 if quick else PROBED)[KINDS[0]]
    row = compare({"it": model}, questions, progress=False).rows[0]
    return round(row.summary.recall or 0.0, 4)


def import_trainer() -> None:
    """Import what trains, so that the first training's time does not hold it."""
    from workshop_helpers.training.recipe import LoraRecipe
    from workshop_helpers.training.trainer import course_trainer

    course_trainer(LoraRecipe())


def report(runs: list[dict[str, Any]]) -> None:
    """The records on the terminal."""
    table(
        "Held-out facts, by what was changed",
        (
            "training",
            "epochs",
            "rate",
            "batch",
            "seed",
            "recall",
            "contradicts",
            "invents",
            "general",
            "processor",
            "loss",
        ),
        [
            [
                f"{run['model']} {run['language']}, {run['rows']} rows"
                + (", drawn" if run["drawn"] else ""),
                f"{run['epochs']:g}",
                f"{run['learning_rate']:g}",
                str(run["batch_size"]),
                str(run["seed"]),
                *(percent(run.get(name)) for name in (*SCORES, "general")),
                f"{run['processor_seconds']:.0f} s" if "processor_seconds" in run else "",
                "diverged" if run.get("diverged") else f"{run.get('final_loss', 0):.3f}",
            ]
            for run in runs
        ],
    )


def measure(asked: Settings, trainings: int, *, short: bool = False) -> dict[str, Any]:
    """All that is not noted yet, with at most so many trainings of a point."""
    from workshop_helpers.training.recipe import LoraRecipe

    source = provenance(asked)
    languages = languages_of(asked.model, asked.languages)
    bench = Bench(asked, Plan.quick() if asked.quick else Plan())
    start, name = LoraRecipe.for_model(asked.model), Path(asked.model).name
    about = {key: source[key] for key in ("machine", "versions")}
    about |= {"files": source["model"]["files"], "recipe": json.loads(json.dumps(start.to_dict()))}
    about["questions"] = {language: len(bench.questions[language]) for language in languages}
    results = Results(asked.result, source, {"title": TITLE})
    results.begin(name, about)
    import_trainer()
    todo = points(start, languages, trainings, short=short, quick=asked.quick)
    for place, point in enumerate(todo, 1):
        task = {"model": name, **asdict(point)}
        if not results.has(task):
            scores = train_and_ask(bench, point, start)
            results.add(task, scores)
            asked.say(f"{place}/{len(todo)} {point} {scores}")
    return results.read()


def main(arguments: list[str]) -> int:
    made = parser(__doc__ or "")
    made.add_argument("--trainings", type=int, default=3, choices=(1, 2, 3), help="of each point")
    made.add_argument(
        "--short", action="store_true", help="without rates and the longest trainings"
    )
    args = made.parse_args(arguments)
    asked = settings("learning_map", args)
    found = measure(asked, args.trainings, short=args.short)
    report(found["runs"])
    print(f"→ {asked.result}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
