"""A few steps of one method of training, in a process of its own: what they hold and take.

    python -m benchmarks.advanced.steps MODEL METHOD [STEPS]

The last line is JSON: the greatest resident memory of the process, CPU seconds a step (the median
of those after the second; one thread), what the libraries alone hold, what is trained.
"""

from __future__ import annotations

import itertools
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.common import of_usual_rank, peak_memory_bytes


def measure(model: str, method: str, steps: int) -> dict[str, Any]:
    """Train `steps` batches of the shop's English rows."""
    import psutil
    import torch

    from workshop_helpers import LoraRecipe, Shop, train
    from workshop_helpers.training.trainer import course_trainer

    torch.set_num_threads(1)
    recipe = of_usual_rank(LoraRecipe.for_model(model, method)).replace(epochs=1)
    course_trainer(recipe)  # imports what a training needs
    libraries = psutil.Process().memory_info().rss
    ends: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        report = train(
            model,
            Shop("en").train[: steps * recipe.batch_size],
            Path(folder, method),
            recipe,
            progress=lambda _: ends.append(time.process_time()),
        )
        kept = sum(f.stat().st_size for f in report.adapter.glob("*.safetensors"))
    taken = [after - before for before, after in itertools.pairwise(ends[1:])]
    return {
        "peak_bytes": peak_memory_bytes(),
        "libraries_bytes": libraries,
        "step_seconds": round(statistics.median(taken), 3),
        "kept_bytes": kept,
        "trainable": report.trainable,
    }


if __name__ == "__main__":
    given = [*sys.argv[1:], "8"]
    print(json.dumps(measure(given[0], given[1], int(given[2]))))
