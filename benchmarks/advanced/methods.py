"""Full fine-tuning, LoRA and its variants on the same rows, each with a learning rate of its own.

    python -m benchmarks.advanced.methods [--quick]

Every method trains mame on the shop's first English rows with several rates and answers the
validation questions; its own rate is the smallest that teaches nearly as much as the best. What is
reported are other questions (data/shop/questions), which nothing is chosen by, and the general
probe: with that rate, and with LoRA's. Memory, seconds and bytes are those of SmolLM2, in a process
for each method (it must be there: `workshop models get smollm2`). One thread; seconds are CPU
seconds, the least of a method's runs. A second run goes on where the first was interrupted.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.common import Settings, child, found_or_made, parser, save, settings
from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.core.jsonio import read_json, write_json

CHAPTER = "advanced/11_lora_and_full_finetuning"
LANGUAGE, ROWS, EPOCHS, SEEDS = "en", 100, 5, (0,)
NEAR = 0.05  # of recall: a rate that teaches so little less than the best counts as good
# Row of the table → changes of the recipe, and the learning rates tried, times LoRA's.
PLANS: dict[str, tuple[dict[str, Any], tuple[float, ...]]] = {
    "full": ({"method": "full"}, (0.03, 0.1, 0.3, 0.9)),
    "lora_all": ({"target_modules": None}, (0.3, 1, 3)),
    "mlp": ({"method": "mlp"}, (0.3, 1, 3)),
    "rslora": ({"method": "rslora"}, (0.3, 1)),
    "pissa": ({"method": "pissa"}, (0.3, 1, 3)),
    "dora": ({"method": "dora"}, (1, 3)),
    "lora_qv": ({"target_modules": ("q_proj", "v_proj")}, (1,)),
}
LARGE, LARGE_METHODS = "smollm2", ("full", "lora")


class Bench:
    """Trains and asks, each once: what is known stands in a file beside the adapters."""

    def __init__(self, asked: Settings) -> None:
        from workshop_helpers import LoraRecipe, Shop

        self.asked, self.shop = asked, Shop(LANGUAGE)
        self.recipe = LoraRecipe.for_model("mame").replace(epochs=1 if asked.quick else EPOCHS)
        self.notes = asked.folder("methods", "quick.json" if asked.quick else "notes.json")
        try:
            self.known: dict[str, dict[str, Any]] = read_json(self.notes, dict)
        except WorkshopError:
            self.known = {}

    def note(self, key: str, make: Any) -> dict[str, Any]:
        """What is known under `key`, else made and noted."""
        if key not in self.known:
            self.known[key] = make()
            write_json(self.notes, self.known)
            self.asked.say(f"{key}: {self.known[key]}")
        return self.known[key]

    def tuned(self, name: str, factor: float, seed: int) -> tuple[Path, dict[str, Any]]:
        """The result of a training, and what is noted of it."""
        from workshop_helpers import train

        changes = PLANS[name][0]
        rate = self.recipe.learning_rate * factor
        recipe = self.recipe.replace(**changes, learning_rate=rate, seed=seed)
        out = self.asked.folder("methods", f"{name}-{factor:g}-{seed}")

        def make() -> dict[str, Any]:
            begun = time.process_time()
            made = found_or_made(train, "mame", self.shop.train[:ROWS], out, recipe, progress=False)
            return {
                "seconds": round(time.process_time() - begun, 2),
                "trainable": made.trainable,
                "loss": round(made.final_loss, 4),
            }

        about = self.note(f"train {name} {factor:g} {seed}", make)
        return out, about

    def recall(self, name: str, factor: float) -> float:
        """Of the validation questions, by which rates are chosen."""
        from workshop_helpers import compare

        out, _ = self.tuned(name, factor, 0)

        def make() -> dict[str, Any]:
            asked = self.shop.validation[:12] if self.asked.quick else self.shop.validation
            row = compare({name: out}, asked, progress=False).rows[0]
            return {"recall": row.summary.recall}

        return float(self.note(f"validation {name} {factor:g}", make)["recall"])

    def exam(self, name: str, factor: float, seed: int) -> dict[str, Any]:
        """The reported questions and the probe."""
        out = "mame" if name == "base" else self.tuned(name, factor, seed)[0]

        def make() -> dict[str, Any]:
            from workshop_helpers import compare, probe

            asked = self.shop.questions[:12] if self.asked.quick else self.shop.questions
            row = compare({name: out}, asked, progress=False).rows[0]
            shares = probe({name: out}, LANGUAGE, per_kind=2 if self.asked.quick else 20)
            return {"recall": row.summary.recall, **shares.shares[name]}

        return self.note(f"exam {name} {factor:g} {seed}", make)

    def tried(self, name: str) -> dict[float, float]:
        """Factor of the rate → recall of the validation questions."""
        return {factor: self.recall(name, factor) for factor in PLANS[name][1]}


def forgotten(record: dict[str, Any], base: dict[str, Any]) -> float:
    """The mean drop on the probe's kinds against the base."""
    kinds = [name for name in base if name != "recall"]
    return statistics.fmean(base[kind] - record[kind] for kind in kinds)


def own(tried: dict[float, float]) -> float:
    """The smallest rate that teaches nearly as much as the best one: larger ones forget more."""
    return next(factor for factor, recall in tried.items() if recall >= max(tried.values()) - NEAR)


def tables(bench: Bench) -> dict[str, list[dict[str, Any]]]:
    base = bench.exam("base", 1, 0)
    owned, rates, untuned = [], [], []
    for name in PLANS:
        tried = bench.tried(name)
        factor = own(tried)
        exams = [bench.exam(name, factor, seed) for seed in SEEDS]
        about = [bench.tuned(name, factor, seed)[1] for seed in SEEDS]
        owned.append(
            {
                "method": name,
                "rate": round(bench.recipe.learning_rate * factor, 8),
                "trainable": about[0]["trainable"],
                **{f"recall_{i}_share": exam["recall"] for i, exam in enumerate(exams)},
                "forgotten_share": round(statistics.fmean(forgotten(e, base) for e in exams), 4),
                "cpu_seconds": min(bench.tuned(name, f, 0)[1]["seconds"] for f in tried),
            }
        )
        rates += [
            {
                "method": name,
                "rate": round(bench.recipe.learning_rate * factor, 8),
                "validation_recall_share": recall,
            }
            for factor, recall in tried.items()
            if len(tried) > 1
        ]
        same = bench.exam(name, 1, 0)
        untuned.append(
            {
                "method": name,
                "same_rate_share": same["recall"],
                "own_rate_share": exams[0]["recall"],
                "same_forgotten_share": round(forgotten(same, base), 4),
                "own_forgotten_share": round(forgotten(exams[0], base), 4),
            }
        )
    return {"own_rate": owned, "rates": rates, "same_rate": untuned}


def held(asked: Settings, bench: Bench) -> list[dict[str, Any]]:
    """Memory, seconds and bytes of SmolLM2 by method."""
    steps = 3 if asked.quick else 6
    rows = []
    for method in LARGE_METHODS[: 1 if asked.quick else None]:
        arguments = (LARGE, method, str(steps))
        found = bench.note(
            f"steps {method}", lambda given=arguments: child("benchmarks.advanced.steps", *given)
        )
        rows.append(
            {
                "method": method,
                "trainable": found["trainable"],
                "peak_bytes": found["peak_bytes"],
                "beyond_libraries_bytes": found["peak_bytes"] - found["libraries_bytes"],
                "kept_bytes": found["kept_bytes"],
                "step_cpu_seconds": found["step_seconds"],
            }
        )
    return rows


def main(arguments: list[str]) -> int:
    import torch

    torch.set_num_threads(1)
    asked = settings(CHAPTER, parser(__doc__ or "", model=False).parse_args(arguments))
    bench = Bench(asked)
    found = {**tables(bench), "memory": held(asked, bench)}
    setting = {"rows": ROWS, "epochs": bench.recipe.epochs, "language": LANGUAGE, "seeds": SEEDS}
    save(asked, {"setting": setting, "tables": found})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
