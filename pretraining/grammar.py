"""The phrase banks and their little template language.

A template is plain text with `[a|b|c]` (one alternative is drawn; alternatives nest and may be
empty) and `{slot}` (filled with a drawn value). The banks lie in `grammar/*.yaml`.
"""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import yaml

BANKS = Path(__file__).parent / "grammar"
LANGUAGES = ("en", "ja")
INTENT_BANKS = ("shipping", "returns", "service", "orders")


@cache
def _parse(template: str) -> tuple[Any, ...]:
    """A template as a sequence of texts and choices; a choice is a list of such sequences."""

    def sequence(at: int, inside: bool) -> tuple[tuple[Any, ...], int]:
        parts: list[Any] = []
        text = ""
        while at < len(template):
            mark = template[at]
            if mark == "[":
                if text:
                    parts.append(text)
                    text = ""
                options, at = [], at + 1
                while True:
                    option, at = sequence(at, inside=True)
                    options.append(option)
                    if at >= len(template):
                        raise ValueError(f"'[' is never closed in template: {template!r}")
                    at += 1
                    if template[at - 1] == "]":
                        break
                parts.append(options)
                continue
            if inside and mark in "|]":
                break
            if mark in "|]":
                raise ValueError(f"stray {mark!r} at {at} in template: {template!r}")
            text += mark
            at += 1
        if text:
            parts.append(text)
        return tuple(parts), at

    return sequence(0, inside=False)[0]


def draw(template: str, rng: random.Random, values: dict[str, str] | None = None) -> str:
    """One surface form of `template`, its slots filled from `values`.

    Raises ValueError for unbalanced brackets and KeyError for a slot without a value.
    """

    def text_of(parts: tuple[Any, ...]) -> str:
        return "".join(
            part if isinstance(part, str) else text_of(rng.choice(part)) for part in parts
        )

    return fill(tidy(text_of(_parse(template))), values or {})


def tidy(text: str) -> str:
    """Close the gaps that empty alternatives leave."""
    text = re.sub(r" {2,}", " ", text).strip()
    return re.sub(r" +([,.?!])", r"\1", text)


def fill(text: str, values: dict[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda slot: values[slot.group(1)], text)


def forms(template: str) -> int:
    """How many surface forms a template has, slots aside."""

    def count(parts: tuple[Any, ...]) -> int:
        total = 1
        for part in parts:
            if not isinstance(part, str):
                total *= sum(count(option) for option in part)
        return total

    return count(_parse(template))


def expand(template: str) -> Iterator[str]:
    """Every surface form of a template, slots left as they are."""

    def texts(parts: tuple[Any, ...]) -> Iterator[str]:
        choices = [
            [part] if isinstance(part, str) else [t for o in part for t in texts(o)]
            for part in parts
        ]
        return ("".join(chosen) for chosen in itertools.product(*choices))

    return (tidy(text) for text in texts(_parse(template)))


@dataclass(frozen=True)
class Intent:
    """One thing a shop promises, and every way to ask for it and to say it.

    `slots` maps slot names to value kinds (see `values.py`). The other fields map a language to
    templates: `name` noun phrases, `statement` lines of a facts list, `questions` and
    `held_out` (never in the corpus), `answers` with the fact and `vague` answers without it.
    """

    id: str
    topic: str
    slots: dict[str, str]
    name: dict[str, list[str]]
    statement: dict[str, list[str]]
    questions: dict[str, list[str]]
    held_out: dict[str, list[str]]
    answers: dict[str, list[str]]
    vague: dict[str, list[str]]


@dataclass(frozen=True)
class Grammar:
    intents: tuple[Intent, ...]
    general: dict[str, Any]
    dressing: dict[str, Any]

    def intent(self, intent_id: str) -> Intent:
        return next(intent for intent in self.intents if intent.id == intent_id)


def read_bank(name: str) -> Any:
    """The content of `grammar/NAME.yaml`."""
    return yaml.load(
        (BANKS / f"{name}.yaml").read_text(encoding="utf-8"),
        Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader),
    )


@lru_cache(maxsize=1)
def load() -> Grammar:
    """All banks of `grammar/`."""
    intents = tuple(Intent(**entry) for bank in INTENT_BANKS for entry in read_bank(bank))
    return Grammar(intents, read_bank("general"), read_bank("dressing"))
