"""This package's own training in a process of its own, as `benchmarks.trl_default` is TRL's.

Reads one JSON object a line: model, rows (a JSON Lines file), limit (how many of them), out, recipe
(a `LoraRecipe`'s values). Answers each with a line: seconds (from the model on disk to the adapter
on disk, imports left out), steps, peak_bytes.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from benchmarks.common import peak_memory_bytes


def run(task: dict[str, Any]) -> dict[str, Any]:
    """One training."""
    from workshop_helpers.training.recipe import LoraRecipe
    from workshop_helpers.training.train import train

    report = train(
        task["model"],
        task["rows"],
        task["out"],
        LoraRecipe(**task["recipe"]),
        rows=task["limit"],
        overwrite=True,
        progress=False,
    )
    return {
        "seconds": report.seconds,
        "steps": len(report.losses),
        "peak_bytes": peak_memory_bytes(),
    }


def main() -> None:
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
