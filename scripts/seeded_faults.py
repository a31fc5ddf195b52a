"""Does the test suite still notice? Ten faults, put into a copy of the code one at a time.

    python scripts/seeded_faults.py [--only NAME]

Each fault is a small change that a slip of the hand could make, in another room or at another step
of the course. The tests beside it must fail. Exit code 1 when a fault goes unnoticed, 2 when the
code a fault is meant for is no longer there.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Fault:
    """`before` stands once in `file` and becomes `after`; pytest with `tests` must then fail."""

    name: str
    file: str
    before: str
    after: str
    tests: str


FAULTS = (
    Fault(
        "core: a dead run's half file is taken for a live one's",
        "core/artifacts.py",
        "or not psutil.pid_exists(int(pid))",
        "or psutil.pid_exists(int(pid))",
        "tests/core/test_artifacts.py",
    ),
    Fault(
        "models: pickled weights are let in",
        "models/files.py",
        'PICKLES = (".bin", ',
        "PICKLES = (",
        "tests/models",
    ),
    Fault(
        "metrics: an answer contradicts no fact",
        "metrics/scoring.py",
        "contradicted=_surfaces(_contradicted(answer, question)),",
        "contradicted=(),",
        "tests/metrics/test_scoring.py",
    ),
    Fault(
        "dataset: a tool call is read as an answer",
        "dataset/formats/turns.py",
        'if turn.get("tool_calls") or turn.get("function_call"):',
        "if False:",
        "tests/dataset/formats",
    ),
    Fault(
        "dataset: a person's mail address is only a note",
        "dataset/checks/personal/contact.py",
        'if kind == "firm-email" or anybody else "warning"',
        'if user else "warning"',
        "tests/dataset/checks",
    ),
    Fault(
        "training: the loss is of the token itself, not of the next one",
        "training/trainer.py",
        'targets = inputs["labels"][:, 1:]',
        'targets = inputs["labels"][:, :-1]',
        "tests/training",
    ),
    Fault(
        "gguf: tensors that fell back to another type are not told",
        "gguf/artifact.py",
        "t.shape[0] % 256",
        "t.shape[0] % 32",
        "tests/gguf/test_gguf.py",
    ),
    Fault(
        "runtimes: padding is read as text",
        "runtimes/transformers.py",
        "[[0] * n + [1] * len(prompt)",
        "[[1] * n + [1] * len(prompt)",
        "tests/runtimes/test_transformers.py",
    ),
    Fault(
        "evaluation: a figure that is made up counts as an honest answer",
        "evaluation/forgetting.py",
        "all(f.amount in allowed for f in quantities(answer))",
        "all(True for f in quantities(answer))",
        "tests/evaluation/test_forgetting.py",
    ),
    Fault(
        "cli: a user's mistake exits with 1, as a fault of the program",
        "cli/main.py",
        "return _fail(args, str(error), MISTAKE)",
        "return _fail(args, str(error), WRONG)",
        "tests/cli/test_main.py",
    ),
)


def copy_of_the_code(folder: Path) -> None:
    """What git tracks, as it lies in the working tree's last commit."""
    packed = subprocess.run(
        ["git", "archive", "HEAD"], cwd=ROOT, check=True, capture_output=True
    ).stdout
    with tarfile.open(fileobj=BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")


def noticed(fault: Fault, folder: Path) -> bool:
    """Whether the tests fail on the fault. The file is as before afterwards."""
    path = folder / "workshop_helpers" / fault.file
    text = path.read_text(encoding="utf-8")
    if text.count(fault.before) != 1:
        times = text.count(fault.before)
        sys.exit(f"{fault.name}: {fault.before!r} stands {times} times in {path}")
    path.write_text(text.replace(fault.before, fault.after), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
    environment = {**os.environ, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, *fault.tests.split()],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    path.write_text(text, encoding="utf-8")
    if done.returncode not in (0, 1):  # 1: tests failed; all else is no verdict
        sys.exit(f"{fault.name}: pytest ended with {done.returncode}\n{done.stdout[-2000:]}")
    return done.returncode == 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=[fault.name for fault in FAULTS], help="one fault")
    only = parser.parse_args().only
    unnoticed = 0
    with tempfile.TemporaryDirectory() as name:
        copy_of_the_code(Path(name))
        for fault in FAULTS:
            if only not in (None, fault.name):
                continue
            start = time.perf_counter()
            found = noticed(fault, Path(name))
            unnoticed += not found
            verdict = "noticed" if found else "NOT NOTICED"
            print(f"{verdict:12} {time.perf_counter() - start:5.0f} s  {fault.name}", flush=True)
    return 1 if unnoticed else 0


if __name__ == "__main__":
    sys.exit(main())
