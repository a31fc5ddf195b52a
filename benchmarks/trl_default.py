"""TRL's SFTTrainer as its own documentation has it, to compare with: every argument its default,
but the learning rate, the epochs, the batch size, and `use_cpu` (without which its bf16 default is
refused on a CPU).

Reads one JSON object a line: model, rows (a list of prompt/completion rows), out, lora (rank,
alpha, target_modules or null for all; null: all weights are trained), learning_rate, epochs,
batch_size. Answers each with a line: seconds (from the model on disk to the trained one on disk,
imports left out), steps, peak_bytes. Imports nothing of workshop_helpers' training.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from typing import Any

from benchmarks.common import peak_memory_bytes


def run(task: dict[str, Any]) -> dict[str, Any]:
    """One training."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from trl import SFTConfig, SFTTrainer

    begun = time.perf_counter()
    lora = task["lora"]
    trainer = SFTTrainer(
        model=task["model"],
        args=SFTConfig(
            output_dir=task["out"],
            learning_rate=task["learning_rate"],
            num_train_epochs=task["epochs"],
            per_device_train_batch_size=task["batch_size"],
            use_cpu=not torch.cuda.is_available() and not torch.backends.mps.is_available(),
        ),
        train_dataset=Dataset.from_list(task["rows"]),
        peft_config=LoraConfig(
            r=lora["rank"],
            lora_alpha=lora["alpha"],
            target_modules=lora["target_modules"] or "all-linear",
            task_type="CAUSAL_LM",
        )
        if lora
        else None,
    )
    trainer.train()
    trainer.save_model(task["out"])
    return {
        "seconds": time.perf_counter() - begun,
        "steps": trainer.state.global_step,
        "peak_bytes": peak_memory_bytes(),
    }


def main() -> None:
    for line in sys.stdin:
        # Its progress bars and log lines are not our answer.
        with contextlib.redirect_stdout(sys.stderr):
            found = run(json.loads(line))
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
