"""The course's training in several processes, started by accelerate or torchrun:

    accelerate launch --multi_gpu --num_processes 2 -m workshop_helpers.training.launch \\
        --model mame --data rows.jsonl --out runs/shared

The engine is accelerate and torch.distributed; without a GPU the processes talk by gloo. What has
to be said for several processes to give the losses of one:

- `batch_size` is that of all processes together; each takes its share.
- Rows are drawn in groups of that whole batch. The library's sampler groups by a process's own
  batch, and so puts the rows in another order when the processes are more.
- The loss is divided by the answer tokens of all processes, not by each one's own.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.errors import WorkshopError
from ..core.jsonio import read_json, write_json
from ..models.load import load_model, load_tokenizer, pick_device, quiet_libraries
from ..models.resolve import resolve
from .recipe import LoraRecipe
from .rows import Rows, examples, fit_rows, training_rows
from .trainer import course_trainer, lora_config, trainer_arguments

LOSSES, CHECKPOINTS = "losses.json", "checkpoints"
_TAIL = 1500  # characters of what a failed launch said


@dataclass(frozen=True)
class Launched:
    """A training in `processes`: the loss of each step (`losses`, from `first` on, counted from 1),
    and the `seconds` of its steps. `killed`: the last step that was kept, where it was killed.
    """

    processes: int
    losses: list[float]
    first: int
    seconds: float
    killed: int | None = None


def train_shared(
    model: str, data: Rows, out: str | Path, recipe: LoraRecipe, *, rows: int | None = None,
    save_every: int = 0,
) -> Launched:  # fmt: skip
    """Train in this process, as one of those that the environment tells of (none: alone).

    Goes on from the last checkpoint in `out`, whatever number of processes wrote it. The first
    process writes the adapter and `losses.json`. `save_every`: steps between checkpoints (0: none).
    Raises WorkshopError where the batch cannot be shared out.
    """
    world, rank = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0))
    if recipe.batch_size % world:
        raise WorkshopError(
            f"A batch of {recipe.batch_size} rows cannot be shared by {world} processes. Choose a "
            "multiple of their number."
        )
    out = Path(out)
    with quiet_libraries():
        trainer = _trainer(model, data, out, recipe, rows, world, save_every)
        last = _last_checkpoint(out / CHECKPOINTS)
        trainer.train(resume_from_checkpoint=str(last) if last else None)
    logged = [entry for entry in trainer.state.log_history if "loss" in entry]
    seconds = trainer.state.log_history[-1]["train_runtime"]
    first = 1 + (int(last.name.rpartition("-")[2]) if last else 0)
    losses = [float(entry["loss"]) for entry in logged if entry["step"] >= first]
    trainer.save_model(str(out / "adapter"))
    done = Launched(world, losses, first, seconds)
    if rank == 0:
        write_json(out / LOSSES, done)
    return done


def _trainer(
    model: str, data: Rows, out: Path, recipe: LoraRecipe, rows: int | None, world: int,
    save_every: int,
) -> Any:  # fmt: skip
    import torch
    from datasets import Dataset
    from transformers import PrinterCallback, Trainer, set_seed
    from trl import SFTTrainer

    class _InTurn(torch.utils.data.Sampler[int]):
        """The order of the epoch that the trainer's state tells of. Where a run goes on within an
        epoch, accelerate 1.15 tells the epoch to no sampler of several processes.
        """

        def __init__(self, sampler: Any, trainer: Any) -> None:
            self.sampler, self.trainer = sampler, trainer

        def __len__(self) -> int:
            return len(self.sampler)

        def __iter__(self) -> Iterator[int]:
            self.sampler.set_epoch(int((self.trainer.state.epoch or 0) + 1e-6))
            return iter(self.sampler)

    class SharedTrainer(course_trainer(recipe)):  # type: ignore[misc]
        def _get_train_sampler(self, train_dataset: Any = None) -> Any:
            sampler = super()._get_train_sampler(train_dataset)
            sampler.batch_size = rows_a_group(recipe, world)
            return _InTurn(sampler, self)

        def compute_loss(self, *given: Any, **named: Any) -> Any:
            # TRL's, through the wrapper that adds the processes' gradients up.
            return SFTTrainer.compute_loss(self, *given, **named)

        def _save_checkpoint(self, model: Any, trial: Any) -> None:
            Trainer._save_checkpoint(self, model, trial)

    gpu = torch.cuda.is_available()
    # To the GPU of each process it is taken by the trainer.
    ref, device = resolve(model), pick_device("cpu", resolve(model))
    tokenizer = load_tokenizer(ref)
    fit = fit_rows(tokenizer, training_rows(data, rows), recipe.max_length)
    with quiet_libraries():
        arguments = trainer_arguments(out / CHECKPOINTS, recipe, device, fit.max_length, False)
        arguments.per_device_train_batch_size = recipe.batch_size // world
        arguments.use_cpu = not gpu
        arguments.ddp_find_unused_parameters = False
        if save_every:
            arguments.save_strategy, arguments.save_steps = "steps", save_every
        set_seed(recipe.seed)
        made = SharedTrainer(
            model=load_model(ref, device), args=arguments, processing_class=tokenizer,
            train_dataset=Dataset.from_list(examples(fit.kept)), peft_config=lora_config(recipe),
        )  # fmt: skip
    made.remove_callback(PrinterCallback)
    made.model.create_or_update_model_card = lambda *_: None
    return made


def rows_a_group(recipe: LoraRecipe, world: int) -> int:
    """How many rows of like length are drawn together: those of one step in all processes."""
    return recipe.batch_size * recipe.gradient_accumulation


def _last_checkpoint(folder: Path) -> Path | None:
    """The last whole one: its state is written last."""
    found = [path.parent for path in folder.glob("checkpoint-*/trainer_state.json")]
    return max(found, key=lambda path: int(path.name.rpartition("-")[2]), default=None)


def launch(
    processes: int, model: str, data: Path, out: Path, *, rows: int, epochs: float,
    batch_size: int, save_every: int = 0, kill_at: int | None = None,
    module: str = "workshop_helpers.training.launch",
) -> Launched:  # fmt: skip
    """Start `train_shared` in so many processes with `accelerate launch`, and wait for its end.
    `module`: what each process runs.

    `kill_at`: as soon as a checkpoint of this step or a later one is whole, one process is killed
    as a machine's failure would (SIGKILL), and the others end with it.
    Raises WorkshopError with the end of what was said where the launch fails.
    """
    options = {
        "--model": model, "--data": data, "--out": out, "--rows": rows, "--epochs": epochs,
        "--batch-size": batch_size, "--save-every": save_every,
    }  # fmt: skip
    words = [str(word) for pair in options.items() for word in pair]
    found = str(Path(__file__).resolve().parents[2])
    paths = os.pathsep.join(filter(None, (found, os.environ.get("PYTHONPATH"))))
    environment = {
        **os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }  # fmt: skip
    command = [*accelerate_command(processes), "-m", module, *words]
    out.mkdir(parents=True, exist_ok=True)
    with open(out / "launch.log", "w+", encoding="utf-8") as log:
        child = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        killed = _kill_when_saved(child, out / CHECKPOINTS, kill_at) if kill_at else None
        code = child.wait()
        log.seek(0)
        said = log.read()[-_TAIL:]
    if killed is not None and code:
        return Launched(processes, [], 1, 0.0, killed)
    if code:
        raise WorkshopError(f"The launch of {processes} processes failed. It said: {said}")
    return Launched(**read_json(out / LOSSES, dict))


def accelerate_command(processes: int) -> list[str]:
    """`accelerate launch` for so many processes of this machine, with a GPU each or without.

    The option is called --multi_gpu, also where there is none: with --cpu, accelerate 1.15 starts
    one process, whatever number is asked for.
    """
    command = [sys.executable, "-m", "accelerate.commands.launch", "--num_machines", "1"]
    command += ["--num_processes", str(processes), "--mixed_precision", "no"]
    command += ["--dynamo_backend", "no", "--main_process_port", "0"]
    return [*command, *(["--multi_gpu"] if processes > 1 else ["--cpu"])]


def _kill_when_saved(child: Any, folder: Path, step: int) -> int:
    import psutil

    while child.poll() is None:
        last = _last_checkpoint(folder)
        reached = int(last.name.rpartition("-")[2]) if last else 0
        # The libraries start helpers of their own, whose end nobody would notice.
        children = psutil.Process(child.pid).children()
        workers = [one for one in children if "--save-every" in one.cmdline()]
        if reached >= step and workers:
            os.kill(workers[-1].pid, signal.SIGKILL)
            return reached
        time.sleep(0.05)
    raise WorkshopError("The training ended before it could be killed: take more rows or epochs.")


def main(argv: Sequence[str] | None = None) -> None:
    """What each process runs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="mame")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rows", type=int)
    parser.add_argument("--epochs", type=float)
    parser.add_argument("--batch-size", type=int, help="of all processes together")
    parser.add_argument("--save-every", type=int, default=0, help="steps between checkpoints")
    args = parser.parse_args(argv)
    recipe = LoraRecipe.for_model(args.model)
    changes = {"epochs": args.epochs, "batch_size": args.batch_size}
    recipe = recipe.replace(**{name: value for name, value in changes.items() if value})
    train_shared(
        args.model, args.data, args.out, recipe, rows=args.rows, save_every=args.save_every
    )


if __name__ == "__main__":
    main()
