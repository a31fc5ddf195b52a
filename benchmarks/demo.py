"""`workshop demo`, which is what `make demo` runs after the installation, by this package and by
earlier commits of it, in turns: seconds, the processor's beside the clock's, and what was stated.

    python -m benchmarks.demo --beside TREE … [--repeats 2] [--quick]

TREE is a checkout of an earlier commit (`git worktree add --detach TREE COMMIT`), which this
environment's Python runs, with the base model that lies there. Each run is a process of its own
that writes into an empty folder. Run it on quiet cores: the target is of the clock's seconds.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.common import (
    CLEAN_ENVIRONMENT,
    ROOT,
    parser,
    percent,
    ratio,
    save,
    seconds_range,
    settings,
    spread,
    table,
)
from benchmarks.training import commit_of

TITLE = {"en": "The demo, beside an earlier commit", "ja": "デモ全体を以前の版と並べて測る"}
TARGET = 0.5  # of the earlier seconds, at most
OURS, CLI = "ours", "workshop_helpers.cli"


def run_once(tree: Path, languages: str) -> dict[str, Any]:
    """One demo by the package in `tree`."""
    import psutil

    from workshop_helpers.core.errors import WorkshopError
    from workshop_helpers.core.jsonio import read_json

    with tempfile.TemporaryDirectory() as folder:
        out, log = Path(folder) / "demo", Path(folder) / "log"
        started, before = time.perf_counter(), psutil.Process().cpu_times()
        with log.open("wb") as told:
            code = subprocess.run(
                [sys.executable, "-m", CLI, "demo", "--out", str(out), "--language", languages],
                cwd=folder,
                env={**CLEAN_ENVIRONMENT, "PYTHONPATH": str(tree)},
                stdout=told,
                stderr=told,
            ).returncode
        seconds, after = time.perf_counter() - started, psutil.Process().cpu_times()
        if code:
            end = log.read_text(encoding="utf-8", errors="replace").strip()[-600:]
            raise WorkshopError(f"The demo of {tree} failed ({code}): {end}")
        report = read_json(out / "report.json", dict)
    used = sum(after[2:4]) - sum(before[2:4])  # the children's, user and system
    recalls = {
        language: {one["label"]: one["summary"]["recall"] for one in of["comparison"]["candidates"]}
        for language, of in report["languages"].items()
    }
    return {
        "seconds": round(seconds, 2),
        "processor_seconds": round(used, 2),
        "steps": {language: of["steps"] for language, of in report["languages"].items()},
        "recalls": recalls,
    }


def main(arguments: list[str]) -> int:
    made = parser(__doc__ or "", model=False)
    made.add_argument("--repeats", type=int, default=2, help="(default: %(default)s)")
    made.add_argument("--beside", type=Path, nargs="+", required=True, metavar="TREE")
    args = made.parse_args(arguments)
    asked = settings("demo", args)
    trees = {OURS: ROOT, **{commit_of(tree): tree.resolve() for tree in args.beside}}
    languages = "en" if asked.quick else "both"
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in trees}
    for _ in range(1 if asked.quick else args.repeats):
        for name, tree in trees.items():
            runs[name].append(run_once(tree, languages))
            told = {key: runs[name][-1][key] for key in ("seconds", "processor_seconds")}
            asked.say(f"{name}: {told}")
    kept = ("seconds", "processor_seconds")
    ways = {
        name: {key: spread(run[key] for run in of) for key in kept} for name, of in runs.items()
    }
    middles = {
        name: {key: statistics.median(run[key] for run in of) for key in kept}
        for name, of in runs.items()
    }
    ratios = {
        name: {key: ratio(middles[name][key], middles[OURS][key]) for key in kept}
        for name in trees
        if name != OURS
    }
    rows = [
        (
            name,
            seconds_range(ways[name]["seconds"]),
            seconds_range(ways[name]["processor_seconds"]),
            *(
                ", ".join(percent(recall) for recall in of.values())
                for of in runs[name][-1]["recalls"].values()
            ),
        )
        for name in trees
    ]
    spoken = tuple(runs[OURS][-1]["recalls"])
    table("Demo", ("", "seconds", "processor", *(f"stated, {la}" for la in spoken)), rows)
    about = {"title": TITLE, "target_at_most": TARGET, "languages": languages}
    save(asked, {**about, "ways": ways, "ours_to": ratios, "runs": runs})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
