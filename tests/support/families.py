"""The small models of every family, tuned once in a test run: the benchmark `families` makes the
same ones.
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass, replace
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
from workshop_helpers.gguf.adapter import AdapterReport, convert_adapter
from workshop_helpers.gguf.artifact import GgufReport
from workshop_helpers.gguf.convert import convert
from workshop_helpers.gguf.quantize import quantize

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
    "SharedTuned",
    "Tuned",
    "quantized",
    "save_family",
    "silence",
    "tuned_once",
]


@dataclass(frozen=True)
class SharedTuned(Tuned):
    """With the base and the adapter as GGUFs, too."""

    base_gguf: GgufReport
    adapter_gguf: AdapterReport


def tuned_once(family: Family, shared: Path) -> SharedTuned:
    """The family's tuned model, made by the first test of the run that wants it. `shared`: the
    fixture of that name. Read the files only.
    """
    folder = shared / "families" / family.name
    folder.mkdir(parents=True, exist_ok=True)
    made = folder / "made.pickle"
    with FileLock(folder / "lock"):
        if not made.exists():
            # Half the benchmark's steps: the lesson is known from a third of them on.
            found = tune(family, folder, replace(LESSON_RECIPE, epochs=60))
            fields = {
                **vars(found),
                "base_gguf": convert(found.base, folder / "base.gguf"),
                "adapter_gguf": convert_adapter(found.adapter, folder / "adapter.gguf"),
            }
            del fields["family"]  # it holds functions, which no pickle does
            made.write_bytes(pickle.dumps(fields))
    return SharedTuned(family=family, **pickle.loads(made.read_bytes()))


def quantized(tuned: Tuned, kind: str) -> GgufReport:
    """The tuned model in another type, made once in a run."""
    with FileLock(tuned.f16.path.with_name("lock")):
        return quantize(tuned.f16.path, kind)
