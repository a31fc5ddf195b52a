"""Trainings that are only tried: how much memory each takes at its peak, and which of them run in
the memory there is. In a process of its own, so that what does not fit ends nobody's work.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ..core.device import choose_device
from ..core.errors import WorkshopError
from ..core.memory import forget_peak, give_freed_memory_back, peak_resident_bytes, resident_bytes
from ..dataset.formats import Conversation, Message
from .recipe import LoraRecipe

ROOM_NEEDS = "linux"  # elsewhere the system holds no process to a limit of its data


@dataclass(frozen=True)
class Trial:
    """How one training went: the `bytes` it took at its peak, without what the libraries take; its
    seconds; whether activations were recomputed; and the error that ended it, "" for none.
    """

    bytes: int
    seconds: float
    recomputed: bool
    error: str = ""

    @property
    def fits(self) -> bool:
        """Whether it came to its end."""
        return not self.error


def try_training(
    model: str | Path,
    rows: Sequence[Conversation],
    recipes: Mapping[str, LoraRecipe],
    *,
    room_bytes: int | None = None,
    recompute: Sequence[str] = (),
) -> dict[str, Trial]:
    """Train `model` on `rows` by each of the recipes, and keep nothing of it.

    `room_bytes`: what a training may take besides the libraries (on Linux alone; None: all there
    is). `recompute`: the names of those that are to believe that memory is short, so that they keep
    no activations (gradient checkpointing). On the processor, in one thread.
    """
    asked = {
        "model": str(model),
        "rows": [[asdict(m) for m in row.messages] for row in rows],
        "recipes": {name: recipe.to_dict() for name, recipe in recipes.items()},
        "room": room_bytes if sys.platform == ROOM_NEEDS else None,
        "recompute": list(recompute),
    }
    package = str(Path(__file__).resolve().parents[2])
    paths = os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "workshop_helpers.training.trials"],
        input=json.dumps(asked),
        env=environment,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise WorkshopError(f"The trials could not be run: {done.stderr.strip()[-400:]}")
    found = json.loads(done.stdout.splitlines()[-1])
    return {name: Trial(**values) for name, values in found.items()}


def _run(asked: dict[str, Any]) -> dict[str, Any]:
    """Each recipe in a fork of this process, which has imported the libraries by then."""
    from .trainer import course_trainer

    recipes = {name: LoraRecipe(**values) for name, values in asked["recipes"].items()}
    rows = [Conversation(tuple(Message(**m) for m in row)) for row in asked["rows"]]
    course_trainer(LoraRecipe())
    found = {}
    for name, recipe in recipes.items():
        scarce = name in asked["recompute"]
        found[name] = _forked(lambda r=recipe, s=scarce: _one(asked, rows, r, s))
    return found


def _forked(work: Any) -> dict[str, Any]:
    """What `work` gives, in a child of this process; an error where the child ended otherwise."""
    if not hasattr(os, "fork"):
        return work()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        with suppress(BaseException), os.fdopen(writing, "w") as pipe:
            json.dump(work(), pipe)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    ended = {"bytes": 0, "seconds": 0.0, "recomputed": False, "error": "The process was ended."}
    return json.loads(said) if said else ended


def _one(
    asked: dict[str, Any], rows: list[Conversation], recipe: LoraRecipe, scarce: bool
) -> dict[str, Any]:
    from .train import train

    device = choose_device("cpu")
    if scarce:
        device = replace(device, memory_bytes=1)
    give_freed_memory_back()
    forget_peak()
    before, begun, error, recomputed = resident_bytes(), time.perf_counter(), "", scarce
    if asked["room"] is not None:
        _hold_to(asked["room"])
    with tempfile.TemporaryDirectory() as folder:
        try:
            out = Path(folder, "adapter")
            report = train(asked["model"], rows, out, recipe, device=device, progress=False)
            recomputed = report.checkpointing.startswith("on")
        except WorkshopError as told:
            error = str(told)
    taken = peak_resident_bytes() - before
    seconds = round(time.perf_counter() - begun, 3)
    return asdict(Trial(taken, seconds, recomputed, error))


def _hold_to(room: int) -> None:
    """Let this process take `room` bytes more than it has now, and no more."""
    import resource

    lines = Path("/proc/self/status").read_text().splitlines()
    data = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmData"))
    resource.setrlimit(resource.RLIMIT_DATA, (data + room, data + room))


if __name__ == "__main__":
    print(json.dumps(_run(json.load(sys.stdin))))
