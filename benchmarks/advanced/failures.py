"""Chapter 16: what validation loss, facts and forgetting do as epochs go by, and what helps against
forgetting.

    python -m benchmarks.advanced.failures [--parts ja-epochs-40 …]

`epochs`: one training of mame, stopped after some epochs and taken up again; each time the loss of
validation rows (other wordings of the same facts, never trained on), recall of facts on the
held-out questions and the probe are measured. `forgetting`: one setting changed at a time.
`memory`: what one step of 32 rows takes. Single trainings with seed 0. What is measured already
stays in the work folder.
"""

from __future__ import annotations

import statistics
import sys
from pathlib import Path
from typing import Any

from benchmarks.common import Settings, parser, save, settings
from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.core.jsonio import read_json, write_json
from workshop_helpers.evaluation.comparison import compare
from workshop_helpers.evaluation.forgetting import probe
from workshop_helpers.evaluation.shop import Shop
from workshop_helpers.training.loss import held_out_loss
from workshop_helpers.training.recipe import LoraRecipe
from workshop_helpers.training.report import TrainingProgress
from workshop_helpers.training.train import train
from workshop_helpers.training.trials import try_training

PER_KIND = 20
QUESTIONS = 45
VALIDATION = 20  # the last rows of the shop
FEW = 40
STOPS = {FEW: (1, 2, 3, 5, 10, 20), 100: (1, 2, 3, 5, 10)}  # rows → epochs after which is measured


def scored(model: str | Path, shop: Shop) -> dict[str, float]:
    """Recall and forgetting of one model."""
    row = compare({"it": model}, shop.questions[:QUESTIONS], progress=False).rows[0]
    kept = probe({"it": model}, shop.language, per_kind=PER_KIND).shares["it"]
    return {
        "recall_share": round(row.summary.recall or 0.0, 4),
        **{f"{kind}_share": round(share, 4) for kind, share in kept.items()},
    }


def by_epochs(asked: Settings, language: str, rows: int) -> list[dict[str, Any]]:
    """What is measured after each of the epochs of STOPS."""
    shop = Shop(language)
    recipe = LoraRecipe.for_model(asked.model).replace(epochs=max(STOPS[rows]), general_rows=0.0)
    steps = -(-rows // recipe.batch_size)
    held_out = shop.train[-VALIDATION:]
    found = []
    for epoch in STOPS[rows]:

        def stop(progress: TrainingProgress, last: int = epoch * steps) -> bool:
            return progress.step >= last

        start = asked.folder("failures", f"epochs-{language}-{rows}")
        report = train(asked.model, shop.train[:rows], start, recipe, progress=stop)
        losses = [loss for step, _, loss in report.losses if step > (epoch - 1) * steps]
        found.append(
            {
                "language": language,
                "rows": rows,
                "epochs": epoch,
                "training_loss": round(statistics.fmean(losses), 4),
                "validation_loss": round(held_out_loss(start, held_out), 4),
                **scored(start, shop),
            }
        )
        asked.say(str(found[-1]))
    return found


def variants(base: LoraRecipe) -> dict[str, LoraRecipe]:
    """One setting changed at a time, from all layers at the model's own rate."""
    hard = base.replace(epochs=10, general_rows=0.0, target_modules=None)
    mlp = base.target_modules
    return {
        "hard": hard,
        "weight-decay": hard.replace(weight_decay=0.01),
        "few-epochs": hard.replace(epochs=1),
        "seed-rate": hard.replace(learning_rate=1e-5, epochs=1, weight_decay=0.01),
        "third-rate": hard.replace(learning_rate=hard.learning_rate / 3),
        "mlp-only": hard.replace(target_modules=mlp),
        "general-rows": hard.replace(general_rows=0.5),
        "both": hard.replace(general_rows=0.5, target_modules=mlp),
    }


def forgetting(asked: Settings, language: str) -> list[dict[str, Any]]:
    """The base, and each of the variants."""
    shop = Shop(language)
    found = [{"language": language, "setting": "base", **scored(asked.model, shop)}]
    for name, recipe in variants(LoraRecipe.for_model(asked.model)).items():
        out = asked.folder("failures", f"forgetting-{language}-{name}")
        general = shop.general if recipe.general_rows else None
        rows = shop.train[:FEW]
        report = train(asked.model, rows, out, recipe, general=general, progress=False)
        found.append({"language": language, "setting": name, **scored(report.adapter, shop)})
        asked.say(f"{name}: {found[-1]}")
    return found


def memory(asked: Settings, language: str) -> list[dict[str, Any]]:
    """The peaks of one step of 32 rows: at once, in eight portions, and recomputed."""
    whole = LoraRecipe.for_model(asked.model).replace(epochs=1, batch_size=32, general_rows=0.0)
    ways = {
        "whole": whole,
        "accumulated": whole.replace(batch_size=4, gradient_accumulation=8),
        "recomputed": whole,
    }
    rows = Shop(language).train[: whole.batch_size]
    tried = try_training(asked.model, rows, ways, recompute=["recomputed"])
    return [
        {"language": language, "setting": name, "peak_bytes": one.bytes}
        for name, one in tried.items()
    ]


def main(arguments: list[str] | None = None) -> int:
    read = parser(__doc__)
    read.add_argument("--parts", nargs="+", help="measure these alone (ja-memory, en-epochs-40, …)")
    args = read.parse_args(arguments)
    asked = settings("advanced/16_five_failures", args)
    parts: dict[str, Any] = {}
    for language in reversed(asked.languages):  # ja first: the course's first language
        todo: dict[str, Any] = {
            "memory": lambda la=language: memory(asked, la),
            "forgetting": lambda la=language: forgetting(asked, la),
            **{f"epochs-{n}": lambda n=n, la=language: by_epochs(asked, la, n) for n in STOPS},
        }
        for name, measure in todo.items():
            part = f"{language}-{name}"
            path = asked.folder("failures", f"part-{part}.json")
            try:
                parts[part] = read_json(path, list)
            except WorkshopError:
                if args.parts is not None and part not in args.parts:
                    continue
                parts[part] = measure()
                write_json(path, parts[part])
    tables = {
        table: [row for name, rows in parts.items() if table in name for row in rows]
        for table in ("epochs", "forgetting", "memory")
    }
    save(asked, {"tables": tables})
    return 0


if __name__ == "__main__":
    sys.exit(main())
