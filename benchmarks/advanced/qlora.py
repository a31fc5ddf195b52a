"""SmolLM2 in 16, 8 and 4 bits: bytes that its weights take, memory and time of training steps.

    python -m benchmarks.advanced.qlora [--quick]

Each kind in a process of its own, one thread; seconds are CPU seconds, the median of the last three
steps. Nothing is said of quality: the packaged SmolLM2 lies on the grid of another 4-bit type. A
second run goes on where the first was interrupted.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from typing import Any

from benchmarks.common import child, of_usual_rank, parser, peak_memory_bytes, save, settings
from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.core.jsonio import read_json, write_json

CHAPTER = "advanced/12_qlora"
MODEL, STEPS = "smollm2", 5


def measure(kind: str) -> dict[str, Any]:
    """Steps of LoRA on the base held as `kind`."""
    import psutil
    import torch
    from peft import get_peft_model

    from workshop_helpers import LoraRecipe, Shop, load_tokenizer
    from workshop_helpers.models.four_bit import held_bytes, load_quantized
    from workshop_helpers.models.resolve import resolve
    from workshop_helpers.training.loss import answer_loss, training_batch
    from workshop_helpers.training.train import training_device
    from workshop_helpers.training.trainer import course_trainer, lora_config

    torch.set_num_threads(1)
    recipe = of_usual_rank(LoraRecipe.for_model(MODEL))
    course_trainer(recipe)
    libraries = psutil.Process().memory_info().rss
    device = training_device("cpu", resolve(MODEL))
    base = load_quantized(MODEL, device, kind)
    held = held_bytes(base)
    model = get_peft_model(base, lora_config(recipe)).train()
    learning = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(learning, recipe.learning_rate)
    batch = training_batch(load_tokenizer(MODEL), Shop("en").train[: recipe.batch_size])
    taken = []
    for _ in range(STEPS):
        begun = time.process_time()
        with torch.autocast("cpu", torch.bfloat16, enabled=device.dtype == "bf16"):
            loss, count = answer_loss(model, batch)
        (loss / count).backward()
        optimizer.step()
        optimizer.zero_grad()
        taken.append(time.process_time() - begun)
    return {
        "held_bytes": held,
        "beyond_libraries_bytes": peak_memory_bytes() - libraries,
        "step_cpu_seconds": round(statistics.median(taken[2:]), 3),
    }


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["--kind"]:
        print(json.dumps(measure(arguments[1])))
        return 0
    from workshop_helpers.models.four_bit import KINDS

    asked = settings(CHAPTER, parser(__doc__ or "", model=False).parse_args(arguments))
    notes = asked.folder("qlora", "notes.json")
    try:
        known: dict[str, Any] = read_json(notes, dict)
    except WorkshopError:
        known = {}
    for kind in KINDS[-1:] if asked.quick else KINDS:
        if kind not in known:
            known[kind] = child("benchmarks.advanced.qlora", "--kind", kind)
            write_json(notes, known)
            asked.say(f"{kind}: {known[kind]}")
    table = [{"kind": kind, **found} for kind, found in known.items()]
    save(asked, {"setting": {"model": MODEL, "steps": STEPS}, "tables": {"held": table}})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
