"""Several processes give the losses of one; a killed run is taken up by another number of them."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from workshop_helpers.core.artifacts import data_path
from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.training.launch import launch, train_shared
from workshop_helpers.training.recipe import LoraRecipe

ROWS = data_path("shop", "train.ja.jsonl")
SIZE = {"rows": 24, "epochs": 2, "batch_size": 8}
CONFIGS = sorted(data_path("launch").glob("*.yaml"))


@pytest.mark.slow
def test_two_processes_give_the_losses_of_one_and_one_takes_up_what_two_began(tmp_path: Path):
    recipe = LoraRecipe.for_model("mame").replace(epochs=2, batch_size=8)
    one = train_shared("mame", ROWS, tmp_path / "one", recipe, rows=24)
    two = launch(2, "mame", ROWS, tmp_path / "two", **SIZE)
    assert (one.processes, two.processes) == (1, 2) and len(one.losses) == 6
    assert two.losses == pytest.approx(one.losses, abs=1e-3)
    assert one.losses[-1] < one.losses[0]
    killed = launch(2, "mame", ROWS, tmp_path / "cut", **SIZE, save_every=1, kill_at=2)
    assert killed.killed is not None and not (tmp_path / "cut" / "losses.json").exists()
    rest = train_shared("mame", ROWS, tmp_path / "cut", recipe, rows=24)
    assert rest.first > 2 and rest.losses == pytest.approx(one.losses[rest.first - 1 :], abs=1e-3)
    assert (tmp_path / "cut" / "adapter" / "adapter_model.safetensors").is_file()


def test_a_batch_that_cannot_be_shared_is_refused(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(WorkshopError, match="8 rows cannot be shared by 3 processes"):
        train_shared("mame", ROWS, tmp_path / "out", LoraRecipe(batch_size=8))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_configuration_is_one_that_accelerate_reads(path: Path) -> None:
    from accelerate.commands.config.config_args import load_config_from_file
    from accelerate.commands.launch import _validate_launch_command, launch_command_parser

    config = load_config_from_file(str(path))
    assert config.num_processes == 4 * config.num_machines
    words = ["--config_file", str(path), "-m", "workshop_helpers.training.launch"]
    args, _, _ = _validate_launch_command(launch_command_parser().parse_args(words))
    assert args.num_processes == config.num_processes and args.multi_gpu != args.use_fsdp
    assert "Not measured" in path.read_text("utf-8")


def test_the_slurm_example_is_one_that_bash_and_torchrun_read() -> None:
    from torch.distributed.run import get_args_parser

    from workshop_helpers.models.catalogue import find_entry

    path = data_path("launch", "slurm-torchrun.sh")
    subprocess.run(["bash", "-n", str(path)], check=True)
    text = path.read_text("utf-8")
    command = re.search(r"srun torchrun (.*)", text.replace("\\\n", " "))
    assert command is not None
    args = get_args_parser().parse_args(shlex.split(command[1].replace("$SLURM_NNODES", "2")))
    assert (args.nnodes, args.nproc_per_node, args.module) == ("2", "4", True)
    assert args.training_script == "workshop_helpers.training.launch"
    assert find_entry(args.training_script_args[1]) is not None
    assert CONFIGS and "Not measured" in text
