"""One training in one and in two processes of this machine: the losses, the seconds, a killed run
that another number of processes takes up again, and what goes wrong without care.

    python -m benchmarks.advanced.machines

Each run is a launch of its own (accelerate, gloo, one thread a process). Seconds are those of the
steps, without the start of the processes; the runs of one and of two take turns.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.common import ROOT, Settings, parser, provenance, save, settings
from workshop_helpers.core.artifacts import data_path
from workshop_helpers.core.jsonio import read_json
from workshop_helpers.training import launch as shared
from workshop_helpers.training.launch import Launched, launch

NAME = "advanced/20_more_than_one_machine"
SIZE: dict[str, Any] = {"rows": 64, "epochs": 2, "batch_size": 8}
KILL_AT, TURNS = 6, 3
# The sampler's groups are a quarter of the rows, rounded to whole batches: with 64 rows those of 4
# and of 8 are alike, with 80 they are not.
OTHER_SIZE = {**SIZE, "rows": 80, "epochs": 1}
MODULE = "benchmarks.advanced.machines"


def main(argv: Sequence[str] | None = None) -> None:
    asked = settings(NAME, parser(__doc__ or "", model=False).parse_args(argv))
    save(asked, {**provenance(asked), **SIZE, "tables": measure(asked)})


def measure(asked: Settings) -> dict[str, list[dict[str, Any]]]:
    """The tables "losses", "resumed", "traps" and "seconds"."""
    data = data_path("shop", "train.ja.jsonl")
    runs: dict[int, list[Launched]] = {1: [], 2: []}
    for turn in range(1 if asked.quick else TURNS):
        for processes in (1, 2):
            runs[processes].append(_turn(asked, data, turn, processes))
            asked.say(f"{processes} processes: {runs[processes][-1].seconds:.1f} s")
    one, two = runs[1][0], runs[2][0]
    resumed = [_resumed(asked, data, 1, 2, one)]  # the chapter itself does it the other way round
    traps = [
        {"what": "with-care", "largest_difference": _apart(one, two)},
        _trap(asked, data, "own-mean", one, SIZE),
        _trap(asked, data, "own-order", _whole(asked, data), OTHER_SIZE),
    ]
    seconds = [
        {"processes": n, "steps_seconds": statistics.median(run.seconds for run in found),
         "least_seconds": min(run.seconds for run in found),
         "most_seconds": max(run.seconds for run in found), "runs": len(found)}
        for n, found in runs.items()
    ]  # fmt: skip
    steps = [
        {"step": n + 1, "one": a, "two": b}
        for n, (a, b) in enumerate(zip(one.losses, two.losses, strict=True))
    ]
    return {
        "losses": [steps[0], steps[len(steps) // 2], steps[-1]], "resumed": resumed,
        "traps": traps, "seconds": seconds, "asked_for_two": [_processes_started(asked)],
    }  # fmt: skip


def _turn(asked: Settings, data: Path, turn: int, processes: int) -> Launched:
    done = asked.folder("machines", f"turn{turn}-{processes}", shared.LOSSES)
    if asked.reuse and done.exists():
        return Launched(**read_json(done, dict))
    return launch(processes, "mame", data, _new(asked, done.parent.name), **SIZE)


def _resumed(
    asked: Settings, data: Path, before: int, after: int, whole: Launched
) -> dict[str, Any]:
    out = _new(asked, f"killed-{before}-{after}")
    more = {**SIZE, "save_every": 2}
    killed = launch(before, "mame", data, out, **more, kill_at=KILL_AT)
    rest = launch(after, "mame", data, out, **more)
    asked.say(f"killed with {before} at step {killed.killed}, taken up with {after}")
    wanted = whole.losses[rest.first - 1 :]
    apart = max(abs(a - b) for a, b in zip(rest.losses, wanted, strict=True))
    return {"before": before, "after": after, "kept_steps": rest.first - 1,
            "steps": len(whole.losses), "largest_difference": apart}  # fmt: skip


def _whole(asked: Settings, data: Path) -> Launched:
    return launch(1, "mame", data, _new(asked, "other-size"), **OTHER_SIZE)


def _trap(
    asked: Settings, data: Path, name: str, one: Launched, size: dict[str, Any]
) -> dict[str, Any]:
    out = _new(asked, name)
    found = launch(2, "mame", data, out, **size, module=f"{MODULE}_{name}".replace("-", "_"))
    return {"what": name, "largest_difference": _apart(one, found)}


def _apart(one: Launched, other: Launched) -> float:
    return max(abs(a - b) for a, b in zip(one.losses, other.losses, strict=True))


def _processes_started(asked: Settings) -> dict[str, Any]:
    """How many processes `--cpu --num_processes 2` and `--multi_gpu --num_processes 2` start."""
    script = _new(asked, "count") / "count.py"
    script.parent.mkdir(parents=True)
    script.write_text('import os; print("WORLD", os.environ.get("WORLD_SIZE", "1"))\n', "utf-8")
    counts = {}
    for option in ("--cpu", "--multi_gpu"):
        command = [
            sys.executable, "-m", "accelerate.commands.launch", option, "--num_processes", "2",
            "--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no",
            "--main_process_port", "0", str(script),
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
        counts[option.strip("-")] = done.stdout.count("WORLD")
    return counts


def _new(asked: Settings, name: str) -> Path:
    out = asked.folder("machines", name)
    shutil.rmtree(out, ignore_errors=True)
    return out


def _own_order() -> None:
    shared.rows_a_group = lambda recipe, world: recipe.batch_size // world


def _own_mean() -> None:
    usual = shared.trainer_arguments

    def arguments(*given: Any) -> Any:
        made = usual(*given)
        made.average_tokens_across_devices = False
        return made

    shared.trainer_arguments = arguments  # type: ignore[assignment]


TRAPS = {"own-order": _own_order, "own-mean": _own_mean}

if __name__ == "__main__":
    main()
