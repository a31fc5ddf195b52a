"""Chapter 17: peaks of memory as estimated and as measured, for methods, batches and lengths.

    python -m benchmarks.advanced.cost [--models mame smollm2]

Each setting in a fresh process: the libraries are imported and have worked (a small step of mame),
then the model is loaded and two steps are taken with rows of random tokens that are all answer.
Measured is the most that is resident from the first step on, less what was before loading. Weights
are copied out of the file they were loaded from: its pages would count as resident, too, while the
system can drop them at any time. The estimate counts tensors; work space and fragments come on top.
"""

from __future__ import annotations

import gc
import json
import sys
from typing import Any

from benchmarks.common import Settings, child, parser, save, settings
from workshop_helpers.core.device import choose_device
from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.core.jsonio import read_json, write_json
from workshop_helpers.core.memory import (
    forget_peak,
    give_freed_memory_back,
    peak_resident_bytes,
    resident_bytes,
)
from workshop_helpers.models.resolve import resolve
from workshop_helpers.training.estimate import Shape, estimate_memory
from workshop_helpers.training.recipe import LoraRecipe

RANK = 16
WITHIN = 0.15
# model, method, batch, length, recomputed
SETTINGS = [
    ("mame", "lora", 32, 128, False),
    ("mame", "mlp", 32, 128, False),
    ("mame", "full", 32, 128, False),
    ("mame", "qlora", 32, 128, False),
    ("mame", "lora", 8, 128, False),
    ("mame", "lora", 32, 128, True),
    ("smollm2", "lora", 4, 64, False),
    ("smollm2", "full", 4, 64, False),
    ("smollm2", "qlora", 4, 64, False),
    ("smollm2", "lora", 8, 64, False),
]


def estimated(model: str, method: str, batch: int, length: int, recomputed: bool) -> float:
    """The peak by the formulas, in bytes, in fp32 as the processor computes."""
    modules = ("down_proj", "gate_proj", "up_proj") if method == "mlp" else None
    found = estimate_memory(
        Shape.of(model), "lora" if method == "mlp" else method, rank=RANK, modules=modules,
        batch=batch, length=length, width=4, checkpointing=recomputed, answers=length - 1,
    )  # fmt: skip
    return found.peak


def one(model: str, method: str, batch: int, length: int, recomputed: bool) -> dict[str, Any]:
    """Measure a setting in this process, which is fresh."""
    from workshop_helpers.models.load import quiet_libraries
    from workshop_helpers.training.trainer import course_trainer

    give_freed_memory_back()
    with quiet_libraries():
        course_trainer(LoraRecipe())
    steps("mame", method, 1, 16, recomputed)
    gc.collect()
    before = resident_bytes()
    steps(model, method, batch, length, recomputed)
    return {"peak": peak_resident_bytes() - before}


def steps(model: str, method: str, batch: int, length: int, recomputed: bool) -> None:
    """Load a model and take two steps; the system's mark of the peak begins with the first."""
    import torch
    from peft import get_peft_model

    from workshop_helpers.models.load import quiet_libraries
    from workshop_helpers.training.fused import fused_lora
    from workshop_helpers.training.loss import answer_loss
    from workshop_helpers.training.methods import load_base
    from workshop_helpers.training.trainer import lora_config

    recipe = LoraRecipe(method=method, rank=RANK, alpha=2 * RANK)
    with quiet_libraries():
        base, config = load_base(resolve(model), choose_device("cpu"), method), lora_config(recipe)
        learner = base if config is None else get_peft_model(base, config)
    learner.train()
    if recomputed:
        learner.gradient_checkpointing_enable({"use_reentrant": False})
        learner.enable_input_require_grads()
    learned = [p for p in learner.parameters() if p.requires_grad]
    for p in learner.parameters():
        p.data = p.data.float().clone() if p.requires_grad else p.data.clone()
    optimizer = torch.optim.AdamW(learned, lr=1e-5, fused=True)
    torch.manual_seed(0)
    forget_peak()
    for _ in range(2):
        ids = torch.randint(10, base.config.vocab_size, (batch, length))
        inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": ids.clone()}
        with fused_lora(learner):
            loss, count = answer_loss(learner, inputs)
            (loss / count).backward()
        del loss, count
        optimizer.step()
        optimizer.zero_grad()


def measure(asked: Settings, models: list[str]) -> list[dict[str, Any]]:
    """All settings of these models, those that were measured before from the work folder."""
    rows = []
    for model, *rest in SETTINGS:
        if model not in models:
            continue
        given = json.dumps([model, *rest])
        path = asked.folder("cost", "-".join(map(str, [model, *rest])) + ".json")
        try:
            found = read_json(path, dict)
        except WorkshopError:
            found = child("benchmarks.advanced.cost", "--one", given)
            write_json(path, found)
        method, batch, length, recomputed = rest
        predicted = estimated(model, method, batch, length, recomputed)  # type: ignore[arg-type]
        ratio = predicted / found["peak"]
        rows.append(
            {
                "model": model,
                "method": method,
                "batch": batch,
                "length": length,
                "recomputed": "yes" if recomputed else "no",
                "estimated_bytes": round(predicted),
                "measured_bytes": found["peak"],
                "of_measured_ratio": round(ratio, 3),
                "within": "yes" if abs(ratio - 1) <= WITHIN else "no",
            }
        )
        asked.say(str(rows[-1]))
    return rows


def main(arguments: list[str] | None = None) -> int:
    read = parser(__doc__)
    read.add_argument("--models", nargs="+", default=["mame", "smollm2"])
    read.add_argument("--one", help="a setting as JSON, to measure in this process")
    args = read.parse_args(arguments)
    if args.one:
        print(json.dumps(one(*json.loads(args.one))))
        return 0
    asked = settings("advanced/17_cost_and_memory", args)
    save(asked, {"tables": {"peaks": measure(asked, args.models)}})
    return 0


if __name__ == "__main__":
    sys.exit(main())
