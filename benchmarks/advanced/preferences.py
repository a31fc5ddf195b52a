"""Chapter 19 with several seeds: DPO beside SFT on the same pairs, and two adapters made into one.

    python -m benchmarks.advanced.preferences [--languages en] [--seeds 0 1 2]

Each seed trains everything anew, as the chapter's cells do: both halves of the facts apart and
together, DPO at two rates and SFT from the merged model, the ways to combine the halves. Writes
results/advanced/19_preferences_and_adapters.json; what is measured already stays in the work
folder.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.common import Settings, parser, save, settings
from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.core.jsonio import read_json, write_json
from workshop_helpers.dataset.preferences import polite_pairs
from workshop_helpers.evaluation.comparison import compare
from workshop_helpers.evaluation.forgetting import probe
from workshop_helpers.evaluation.preference import preference_figures
from workshop_helpers.evaluation.shop import Shop
from workshop_helpers.training.combining import combine_adapters
from workshop_helpers.training.merge import merge
from workshop_helpers.training.preferences import prefer
from workshop_helpers.training.recipe import LoraRecipe
from workshop_helpers.training.train import train

ROWS, PAIRS, HALF = 30, 50, 15
WAYS = ("cat", "svd", "linear", "ties", "ties_svd", "dare_linear", "dare_ties")


def measure(asked: Settings, language: str, seed: int) -> dict[str, list[dict[str, Any]]]:
    """What the chapter's two halves show for one seed."""
    shop = Shop(language)
    recipe = LoraRecipe.for_model(asked.model).replace(seed=seed)
    work = asked.folder("preferences", f"{language}-{seed}")
    facts = [fact.id for fact in shop.facts]
    parts = [shop.about(facts[:HALF]), shop.about(facts[HALF:])]
    halves = [rows[:ROWS] for rows, _ in parts]
    together = [*halves[0], *halves[1]]
    trained = {
        name: train(asked.model, rows, work / name, recipe, progress=False)
        for name, rows in {"first": halves[0], "second": halves[1], "both": together}.items()
    }
    told = {"language": language, "seed": seed}
    start = merge(trained["both"].adapter, work / "start").model
    preferences = [{**told, **row} for row in taught(shop, start, recipe, work)]
    adapters = [trained["first"].adapter, trained["second"].adapter]
    folders = {name: one.adapter for name, one in trained.items()}
    for way in WAYS:
        folders[way] = combine_adapters(adapters, work / f"combined-{way}", way).adapter
    first, second = (compare(folders, asks[::3], progress=False) for _, asks in parts)
    combined = [
        {
            **told,
            "method": name,
            "first_share": first.row(name).summary.recall,
            "second_share": second.row(name).summary.recall,
        }
        for name in folders
    ]
    return {"preferences": preferences, "combined": combined}


def taught(shop: Shop, start: Path, recipe: LoraRecipe, work: Path) -> list[dict[str, Any]]:
    """DPO at two rates and SFT on the wanted answers, from the same model."""
    pairs = polite_pairs(shop.train, shop.language, PAIRS)
    unseen = polite_pairs(shop.train[-100:], shop.language, 20)
    gentle = recipe.replace(learning_rate=1e-3, epochs=3)
    careful = gentle.replace(learning_rate=3e-4)
    wanted = [pair.row for pair in pairs]
    models: dict[str, Any] = {
        "start": start,
        "sft": train(start, wanted, work / "copied", gentle, progress=False),
        "dpo": prefer(start, pairs, work / "preferred", gentle, beta=0.1),
        "careful": prefer(start, pairs, work / "careful", careful, beta=0.1),
    }
    candidates = {name: getattr(one, "adapter", one) for name, one in models.items()}
    answered = compare(candidates, shop.questions[::3], progress=False)
    kept = probe(candidates, shop.language, per_kind=20).shares
    return [
        {
            **row,
            "general_knowledge_share": round(kept[row["method"]]["general_knowledge"], 4),
            "train_seconds": getattr(models[row["method"]], "seconds", None),
        }
        for row in preference_figures(answered, models, unseen)
    ]


def over_seeds(rows: Sequence[dict[str, Any]], figures: Sequence[str]) -> list[dict[str, Any]]:
    """A row for each language and method: the median of each figure, and its range."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["language"], row["method"]), []).append(row)
    found = []
    for (language, method), group in groups.items():
        made: dict[str, Any] = {"language": language, "method": method, "seeds": len(group)}
        for figure in figures:
            values = [row[figure] for row in group]
            made[figure] = statistics.median(values)
            made[f"least_{figure}"], made[f"most_{figure}"] = min(values), max(values)
        found.append(made)
    return found


def main(arguments: list[str] | None = None) -> int:
    """Measure what is not measured yet, and write the tables."""
    read = parser(__doc__ or "")
    read.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    args = read.parse_args(arguments)
    asked = settings("advanced/19_preferences_and_adapters", args)
    tables: dict[str, list[dict[str, Any]]] = {"preferences": [], "combined": []}
    for language in asked.languages:
        for seed in args.seeds:
            path = asked.folder("preferences", f"part-{language}-{seed}.json")
            try:
                found = read_json(path, dict)
            except WorkshopError:
                asked.say(f"{language}, seed {seed}")
                found = measure(asked, language, seed)
                write_json(path, found)
            for name, rows in found.items():
                tables[name] += rows
    tables["preferences_by_seeds"] = over_seeds(
        tables["preferences"], ("wins_share", "recall_share", "characters")
    )
    tables["combined_by_seeds"] = over_seeds(tables["combined"], ("first_share", "second_share"))
    save(asked, {"tables": tables})
    return 0


if __name__ == "__main__":
    sys.exit(main())
