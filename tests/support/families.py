"""The small models of every family: the benchmark `families` makes the same ones."""

from __future__ import annotations

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
    "tune",
]
