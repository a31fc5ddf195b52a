"""The small models of every family, tuned once in a test run: the benchmark `families` makes the
same ones.
"""

from __future__ import annotations

import pickle
from pathlib import Path

from filelock import FileLock

from benchmarks.family_models import (
    FAMILIES,
    GEMMA,
    HARD_TEXTS,
    LESSON_RECIPE,
    LESSONS,
    LLAMA3,
    QUESTIONS,
    QWEN2_5,
    QWEN3,
    ZEPHYR,
    Family,
    Tuned,
    save_family,
    silence,
    tune,
)

__all__ = [
    "FAMILIES",
    "GEMMA",
    "HARD_TEXTS",
    "LESSONS",
    "LESSON_RECIPE",
    "LLAMA3",
    "QUESTIONS",
    "QWEN2_5",
    "QWEN3",
    "ZEPHYR",
    "Family",
    "Tuned",
    "save_family",
    "silence",
    "tuned_once",
]


def tuned_once(family: Family, shared: Path) -> Tuned:
    """The family's tuned model, made by the first test of the run that wants it. `shared`: the
    fixture of that name. Read the files only; what is quantized of them may lie beside them.
    """
    folder = shared / "families" / family.name
    folder.mkdir(parents=True, exist_ok=True)
    made = folder / "made.pickle"
    with FileLock(folder / "lock"):
        if not made.exists():
            found = tune(family, folder)
            fields = {name: value for name, value in vars(found).items() if name != "family"}
            made.write_bytes(pickle.dumps(fields))  # a family holds functions, which no pickle does
    return Tuned(family=family, **pickle.loads(made.read_bytes()))
