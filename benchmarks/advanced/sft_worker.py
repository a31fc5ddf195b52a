"""One SFT with LoRA as TRL's documentation has it, or the same through Unsloth: a script for
another environment's Python, so it imports nothing of this project.

Called with a JSON file: model (a folder), rows (prompt/completion), out, unsloth (whether),
learning_rate, epochs, batch_size, rank, alpha, target_modules. Prints one JSON object.
"""

import inspect
import json
import sys
import time
from pathlib import Path


def main() -> None:
    task = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    if task["unsloth"]:  # it changes the other libraries, so it wants to be the first
        from unsloth import FastLanguageModel  # type: ignore[import-not-found]
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    begun = time.perf_counter()
    lora = {
        "r": task["rank"],
        "lora_alpha": task["alpha"],
        "target_modules": task["target_modules"],
    }
    if task["unsloth"]:
        model, tokenizer = FastLanguageModel.from_pretrained(
            task["model"], max_seq_length=512, load_in_4bit=False
        )
        model = FastLanguageModel.get_peft_model(
            model, **lora, use_gradient_checkpointing=False, random_state=0
        )
        config = None
    else:
        model = AutoModelForCausalLM.from_pretrained(task["model"], dtype="float32")
        tokenizer = AutoTokenizer.from_pretrained(task["model"])
        config = LoraConfig(**lora, task_type="CAUSAL_LM")
    trainer = SFTTrainer(
        model=model,
        processing_class=tokenizer,
        args=SFTConfig(
            output_dir=task["out"] + "-work",
            learning_rate=task["learning_rate"],
            num_train_epochs=task["epochs"],
            per_device_train_batch_size=task["batch_size"],
            lr_scheduler_type="cosine",
            gradient_checkpointing=False,
            bf16=False,
            use_cpu=True,
            seed=0,
            save_strategy="no",
            logging_steps=1,
        ),
        train_dataset=Dataset.from_list(task["rows"]),
        peft_config=config,
    )
    trainer.train()
    trainer.save_model(task["out"])
    losses = [log["loss"] for log in trainer.state.log_history if "loss" in log]
    found = {
        "steps": trainer.state.global_step,
        "train_seconds": time.perf_counter() - begun,
        "first_loss": float(losses[0]),
        "last_loss": float(losses[-1]),
        "source": inspect.getfile(SFTTrainer),
    }
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
