"""A map of what decides: held-out facts by rows, epochs and learning rate, each with its spread.

    python -m benchmarks.learning_map [--model mame] [--quick]

Starts from the model's recipe for 100 rows and changes one thing at a time; beside these the talk's
recipe, ten rows three times. A point is trained three times: on the shop's first rows, on rows
drawn from all 500 by chance, and on the first rows in another order. Each training is noted as soon
as it is done: a killed run goes on with the next. No seconds are noted, so other work may run
beside it.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.common import (
    MANY,
    Settings,
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
TITLE = {"en": "What decides: rows, epochs, learning rate", "ja": "決め手は行数・エポック・学習率"}


@dataclass(frozen=True)
class Point:
    """One training: how many rows of the shop, how many times, at which rate; `drawn`: rows chosen
    by chance with `seed` instead of the first ones. `seed` also orders them in training.
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


def settings_of(recipe: LoraRecipe) -> list[dict[str, Any]]:
    """What is varied, the telling ones first and the long trainings last."""
    usual = {
        "rows": MANY,
        "epochs": recipe.epochs,
        "learning_rate": recipe.learning_rate,
        "batch_size": recipe.batch_size,
    }
    talk = {"rows": FEW, "epochs": FEW_EPOCHS, "batch_size": FEW_BATCH}
    short, long = [n for n in ROWS if n < MANY], [n for n in ROWS if n > MANY]
    epochs = sorted({*EPOCHS, recipe.epochs / 2, recipe.epochs * 2} - {recipe.epochs})
    changes: list[dict[str, Any]] = [
        talk,
        {},
        *({"rows": rows} for rows in short),
        *({"epochs": times} for times in epochs),
        *({"learning_rate": round(recipe.learning_rate * times, 8)} for times in RATES),
        *({"rows": rows} for rows in long),
    ]
    return [usual | change for change in changes]


def points(recipe: LoraRecipe, languages: tuple[str, ...], *, quick: bool = False) -> list[Point]:
    """All trainings in the order in which they are done, so that a part of them is of use too."""
    varied = settings_of(recipe)
    if quick:
        return [Point(language, **varied[0], seed=0, drawn=False) for language in languages]
    short = [v for v in varied if v["rows"] <= MANY]
    long = [v for v in varied if v["rows"] > MANY]
    rounds = [(short, 0, False), (short, 1, True), (long, 0, False), (long, 1, True)]
    rounds += [(short, 2, False), (long, 2, False)]
    return [
        Point(language, **values, seed=seed, drawn=drawn)
        for part, seed, drawn in rounds
        for values in part
        for language in languages
    ]


class Notes:
    """One line a finished training, kept until all are done; a line that was cut off is left out.

    Notes of another model, machine or set of versions are not gone on with.
    """

    def __init__(self, path: Path, source: dict[str, Any]) -> None:
        self.path = path
        self.records: list[dict[str, Any]] = []
        source = {key: source[key] for key in ("model", "machine", "versions", "quick")}
        path.parent.mkdir(parents=True, exist_ok=True)
        kept = list(self._lines())
        if kept[:1] == [source]:
            self.records = kept[1:]
        self._write("w", source, *self.records)

    def _lines(self) -> Iterator[dict[str, Any]]:
        if self.path.exists():
            for line in self.path.read_text(encoding="utf-8").splitlines():
                try:
                    yield json.loads(line)
                except ValueError:
                    return

    def _write(self, mode: str, *lines: dict[str, Any]) -> None:
        with self.path.open(mode, encoding="utf-8") as file:
            file.write("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))

    def add(self, record: dict[str, Any]) -> None:
        self.records.append(record)
        self._write("a", record)

    def has(self, point: Point) -> bool:
        wanted = asdict(point)
        return any(wanted.items() <= record.items() for record in self.records)


def train_and_ask(bench: Bench, point: Point, start: LoraRecipe) -> dict[str, Any]:
    """The record of one training; `diverged` stands in it where the loss was no number any more."""
    from workshop_helpers.core.artifacts import data_path
    from workshop_helpers.core.errors import WorkshopError
    from workshop_helpers.dataset.formats import read_conversations
    from workshop_helpers.training.train import train

    asked = bench.asked
    rows = read_conversations(data_path("shop", f"train.{point.language}.jsonl"))
    out = asked.folder("learning_map", point.language)
    record = {"model": Path(asked.model).name, **asdict(point)}
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
        return record | {"diverged": True}
    found = bench.examine("map", point.language, report.adapter)
    shutil.rmtree(out, ignore_errors=True)
    scores = {name: round(found[name], 4) for name in SCORES}
    return record | scores | {"final_loss": round(report.final_loss, 4)}


def figures(source: dict[str, Any], bench: Bench, start: LoraRecipe, notes: Notes) -> Any:
    """What results/learning_map.json holds. A model's records stand beside those of others, and
    `models` says of each where and when it was measured.
    """
    about = {key: source[key] for key in ("made", "machine", "versions")}
    about |= {"files": source["model"]["files"], "recipe": start.to_dict()}
    questions = {language: len(found) for language, found in bench.questions.items()}
    about["questions"] = questions
    name = Path(bench.asked.model).name
    return source | {"title": TITLE, "models": {name: about}, "runs": notes.records}


def report(runs: list[dict[str, Any]]) -> None:
    """The records on the terminal."""
    table(
        "Held-out facts, by what was changed",
        ("training", "epochs", "rate", "batch", "seed", "recall", "contradicts", "invents", "loss"),
        [
            [
                f"{run['model']} {run['language']}, {run['rows']} rows"
                + (", drawn" if run["drawn"] else ""),
                f"{run['epochs']:g}",
                f"{run['learning_rate']:g}",
                str(run["batch_size"]),
                str(run["seed"]),
                *(percent(run.get(name)) for name in SCORES),
                "diverged" if run.get("diverged") else f"{run['final_loss']:.3f}",
            ]
            for run in runs
        ],
    )


def measure(asked: Settings) -> dict[str, Any]:
    """All trainings that are not yet noted. The file of results is written after each."""
    from workshop_helpers.core.jsonio import write_json
    from workshop_helpers.training.recipe import LoraRecipe

    source = provenance(asked)
    bench = Bench(asked, Plan.quick() if asked.quick else Plan())
    start = LoraRecipe.for_model(asked.model)
    notes = Notes(asked.folder("learning_map.jsonl"), source)
    found = figures(source, bench, start, notes)
    todo = points(start, asked.languages, quick=asked.quick)
    for place, point in enumerate(todo, 1):
        if not notes.has(point):
            asked.say(f"{place}/{len(todo)} {point}")
            notes.add(train_and_ask(bench, point, start))
            write_json(asked.result, found)
    write_json(asked.result, found)
    notes.path.unlink()
    return dict(found)


def main(arguments: list[str]) -> int:
    asked = settings("learning_map", parser(__doc__ or "").parse_args(arguments))
    found = measure(asked)
    report(found["runs"])
    print(f"→ {asked.result}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
