"""What tuning teaches and what it costs: held-out facts and the general probe, by rows, seeds and
recipes.

    python -m benchmarks.learning [--model mame] [--quick] [--curve 50 200 500] [--reuse]

Every model answers the shop's held-out questions. The base model does so twice, without and with
all facts in its system prompt. What was lost is measured by the bundled probe (data/probe), which
has nothing to do with the shop.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.common import (
    GOAL,
    MANY,
    Settings,
    parser,
    percent_range,
    save,
    seconds_range,
    settings,
    spread,
    table,
    train_rows,
)

if TYPE_CHECKING:
    from workshop_helpers.metrics.scoring import Question
    from workshop_helpers.training.recipe import LoraRecipe

FEW, FEW_EPOCHS, FEW_BATCH, FEW_AT_MOST = 10, 3, 2, 0.30
SEEDS = (0, 1, 2)
# As a record names them; "language" is the language of the questions there.
SCORES = ("recall", "full", "contradicted", "unsupported", "right_language", "polite", "length")
KINDS = ("general_knowledge", "facts_in_prompt", "not_in_information")
TITLE = {"en": "What tuning teaches, and what it costs", "ja": "学習の効果と代償"}


@dataclass(frozen=True)
class Plan:
    """How much is measured. `questions` and `per_kind` cut the held-out questions and the probe
    (None: all).
    """

    seeds: tuple[int, ...] = SEEDS
    curve: tuple[int, ...] = (50, 200, 500)
    questions: int | None = None
    per_kind: int | None = 60

    @classmethod
    def quick(cls) -> Plan:
        return cls(seeds=(0,), curve=(), questions=12, per_kind=4)


def remedies(recipe: LoraRecipe) -> dict[str, LoraRecipe]:
    """The documented recipe with one thing changed that may forget less, or more where its choice
    is undone.
    """
    found = {
        "general_rows": recipe.replace(general_rows=1.0),
        "half_epochs": recipe.replace(epochs=recipe.epochs / 2),
        "quarter_rank": recipe.replace(
            rank=max(1, recipe.rank // 4),
            alpha=recipe.alpha * max(1, recipe.rank // 4) / recipe.rank,
        ),
    }
    if recipe.target_modules:
        found["every_matrix"] = recipe.replace(target_modules=None)
    if recipe.general_rows:
        found["no_general"] = recipe.replace(general_rows=0.0)
    return {name: changed for name, changed in found.items() if changed != recipe}


class Bench:
    """Trains, asks and notes; one flat record a model, language and seed.

    `question_set` names the shop's questions to ask: those that results are reported on, or
    "validation" to choose by.
    """

    def __init__(self, asked: Settings, plan: Plan, question_set: str = "questions") -> None:
        from workshop_helpers.core.artifacts import data_path
        from workshop_helpers.dataset.questions import read_questions
        from workshop_helpers.metrics.facts import ShopFacts

        self.asked, self.plan = asked, plan
        self.shop = ShopFacts.load()
        self.questions: dict[str, list[Question]] = {
            language: read_questions(data_path("shop", f"{question_set}.{language}.jsonl"))[
                : plan.questions
            ]
            for language in asked.languages
        }
        self.runs: list[dict[str, Any]] = []
        self.probe_questions: dict[str, dict[str, int]] = {}

    def examine(
        self,
        label: str,
        language: str,
        model: str | Path,
        *,
        system: str | None = None,
        probed: bool = False,
        **about: Any,
    ) -> dict[str, Any]:
        """Ask one model and note its scores; `about` comes along in the record."""
        from workshop_helpers.evaluation.candidates import Candidate
        from workshop_helpers.evaluation.comparison import compare
        from workshop_helpers.evaluation.forgetting import probe

        candidate = Candidate(label, model, system=system)
        row = compare([candidate], self.questions[language], shop=self.shop, progress=False).rows[0]
        scores = row.summary.to_dict()
        scores["right_language"] = scores.pop("language")
        record = {"language": language, "label": label, **about}
        record |= {name: scores[name] for name in SCORES}
        record["answer_seconds"] = round(row.seconds, 3)
        if probed:
            found = probe({label: model}, language, per_kind=self.plan.per_kind)
            record |= found.shares[label]
            self.probe_questions[language] = found.questions
        self.runs.append(record)
        shown = {
            k: round(v, 3) for k, v in record.items() if k in ("recall", *KINDS) and v is not None
        }
        self.asked.say(f"{language} {label} {about.get('seed', '')}: {shown}")
        return record

    def tune(
        self, label: str, language: str, rows: int, recipe: LoraRecipe, *, probed: bool = False
    ) -> dict[str, Any]:
        """Train on the first rows and examine the adapter."""
        report = train_rows(
            self.asked,
            language,
            rows,
            recipe,
            f"{label}-seed{recipe.seed}",
            overwrite=not self.asked.reuse,
        )
        return self.examine(
            label,
            language,
            report.adapter,
            probed=probed,
            seed=recipe.seed,
            rows=rows,
            general_rows=report.general_rows,
            epochs=recipe.epochs,
            rank=recipe.rank,
            learning_rate=recipe.learning_rate,
            train_seconds=report.seconds,
        )


def curve_recipe(recipe: LoraRecipe, rows: int) -> LoraRecipe:
    """For more rows fewer epochs, so that a model learns for about as many steps, but sees each row
    three times.
    """
    epochs = recipe.epochs if rows <= MANY else max(3, round(recipe.epochs * MANY / rows))
    # Only so many general rows are there, and the curve is about the shop's.
    return recipe.replace(epochs=min(epochs, recipe.epochs), general_rows=0.0)


def summary(
    runs: Iterable[dict[str, Any]], names: Iterable[str]
) -> dict[str, dict[str, dict[str, Any]]]:
    """Language → label → figure → its spread over the seeds; figures that a label lacks are left
    out.
    """
    grouped: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for run in runs:
        grouped.setdefault(run["language"], {}).setdefault(run["label"], []).append(run)
    wanted = list(names)
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for language, labels in grouped.items():
        found[language] = {}
        for label, members in labels.items():
            spreads = {name: spread(member.get(name) for member in members) for name in wanted}
            found[language][label] = {k: v for k, v in spreads.items() if v is not None}
    return found


def verdicts(learned: dict[str, dict[str, dict[str, Any]]]) -> dict[str, dict[str, bool]]:
    """Whether every seed kept to the two targets."""
    return {
        language: {
            f"tuned_{FEW}": labels[f"tuned_{FEW}"]["recall"]["max"] <= FEW_AT_MOST,
            f"tuned_{MANY}": labels[f"tuned_{MANY}"]["recall"]["min"] >= GOAL,
        }
        for language, labels in learned.items()
    }


def measure(asked: Settings, plan: Plan) -> dict[str, Any]:
    """All runs and their summary, as they are written to results/learning.json."""
    from workshop_helpers.training.recipe import LoraRecipe

    begun = time.perf_counter()
    bench = Bench(asked, plan)
    recipe = LoraRecipe.for_model(asked.model)
    for language in asked.languages:
        bench.examine("base", language, asked.model, probed=True)
        prompt = bench.shop.system_prompt(language)
        bench.examine("prompted", language, asked.model, system=prompt)
        for seed in plan.seeds:
            few = recipe.replace(
                seed=seed, epochs=FEW_EPOCHS, batch_size=FEW_BATCH, general_rows=0.0
            )
            bench.tune(f"tuned_{FEW}", language, FEW, few, probed=seed == plan.seeds[0])
        for seed in plan.seeds:
            bench.tune(f"tuned_{MANY}", language, MANY, recipe.replace(seed=seed), probed=True)
        for name, changed in remedies(recipe).items():
            bench.tune(name, language, MANY, changed, probed=True)
    for rows in plan.curve:
        for language in asked.languages:
            bench.tune(f"tuned_{rows}", language, rows, curve_recipe(recipe, rows))
    learned = summary(
        (run for run in bench.runs if run["label"] not in remedies(recipe)),
        (*SCORES, "train_seconds", "answer_seconds"),
    )
    return {
        "title": TITLE,
        "recipe": recipe.to_dict(),
        "questions": {language: len(asked_) for language, asked_ in bench.questions.items()},
        "probe_questions": bench.probe_questions,
        "targets": {
            f"tuned_{FEW}": {"recall_at_most": FEW_AT_MOST},
            f"tuned_{MANY}": {"recall_at_least": GOAL},
        },
        "met": verdicts(learned),
        "learned": learned,
        "forgetting": summary(
            (run for run in bench.runs if KINDS[0] in run), ("recall", *KINDS, "train_seconds")
        ),
        "runs": bench.runs,
        "seconds": round(time.perf_counter() - begun, 1),
    }


def report(figures: dict[str, Any]) -> None:
    """The two tables of each language on the terminal."""
    for language, labels in figures["learned"].items():
        order = sorted(labels, key=lambda name: int(name.split("_")[-1]) if "_" in name else -1)
        table(
            f"{language}: {figures['questions'][language]} held-out questions, "
            "median (range) over seeds",
            ("model", "recall", "full", "contradicts", "invents", "language", "polite", "training"),
            [
                [
                    name,
                    *(
                        percent_range(labels[name].get(key))
                        for key in (
                            "recall",
                            "full",
                            "contradicted",
                            "unsupported",
                            "right_language",
                            "polite",
                        )
                    ),
                    seconds_range(labels[name].get("train_seconds")),
                ]
                for name in order
            ],
        )
        table(
            f"{language}: what tuning cost, and what a recipe can do about it",
            ("model", "recall", *(kind.replace("_", " ") for kind in KINDS), "training"),
            [
                [
                    name,
                    *(percent_range(found.get(key)) for key in ("recall", *KINDS)),
                    seconds_range(found.get("train_seconds")),
                ]
                for name, found in figures["forgetting"][language].items()
            ],
        )
        for label, good in figures["met"][language].items():
            print(f"{language} {label}: {figures['targets'][label]} {'met' if good else 'NOT met'}")
    print(f"{figures['seconds']:.0f} s in all")


def main(arguments: list[str]) -> int:
    made = parser(__doc__ or "")
    made.add_argument(
        "--curve",
        nargs="*",
        type=int,
        default=list(Plan.curve),
        help="more row counts, one seed each",
    )
    args = made.parse_args(arguments)
    asked = settings("learning", args)
    curve = tuple(rows for rows in args.curve if rows not in (FEW, MANY))
    plan = Plan.quick() if asked.quick else Plan(curve=curve)
    figures = measure(asked, plan)
    report(figures)
    save(asked, figures)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
