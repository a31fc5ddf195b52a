"""Unsloth's LoRA training as its documentation has it, on a CPU, by an environment that has it.

Reads and answers lines as `benchmarks.trl_default` does; adapters only. Rank, alpha and layers are
the task's; gradient checkpointing is off, as the model is small; the rest is its default. Imports
nothing of workshop_helpers' training.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from typing import Any

LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def run(task: dict[str, Any]) -> dict[str, Any]:
    """One training."""
    from unsloth import FastLanguageModel  # type: ignore[import-not-found]  # isort: skip
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    from benchmarks.common import peak_memory_bytes

    begun = time.perf_counter()
    model, tokenizer = FastLanguageModel.from_pretrained(
        task["model"], max_seq_length=512, load_in_4bit=False
    )
    model = FastLanguageModel.get_peft_model(
        model,
        r=task["lora"]["rank"],
        lora_alpha=task["lora"]["alpha"],
        target_modules=task["lora"]["target_modules"] or LINEAR,
        use_gradient_checkpointing=False,
    )
    trainer = SFTTrainer(
        model=model,
        processing_class=tokenizer,
        args=SFTConfig(
            output_dir=task["out"],
            learning_rate=task["learning_rate"],
            num_train_epochs=task["epochs"],
            per_device_train_batch_size=task["batch_size"],
            use_cpu=True,
            save_strategy="no",
            bf16=False,
        ),
        train_dataset=Dataset.from_list(task["rows"]),
    )
    trainer.train()
    trainer.save_model(task["out"])
    return {
        "seconds": time.perf_counter() - begun,
        "steps": trainer.state.global_step,
        "peak_bytes": peak_memory_bytes(),
    }


def main() -> None:
    with contextlib.redirect_stdout(sys.stderr):
        import unsloth  # noqa: F401  (it wants to be the first)
    for line in sys.stdin:
        with contextlib.redirect_stdout(sys.stderr):
            found = run(json.loads(line))
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
