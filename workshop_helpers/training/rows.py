"""Rows as the trainer takes them, and those that do not fit."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..core.cards import fingerprint
from ..core.errors import WorkshopError
from ..dataset.formats import Conversation, read_conversations
from ..models.chat import chat_prompt
from .recipe import LoraRecipe

Rows = str | Path | Sequence[Conversation]


def training_rows(data: Rows, rows: int | None) -> list[Conversation]:
    if rows is not None and rows < 1:
        raise WorkshopError(f"rows is {rows}; train on at least one row.")
    found = (
        read_conversations(data, limit=rows) if isinstance(data, str | Path) else list(data)[:rows]
    )
    if not found:
        raise WorkshopError("There are no rows to train on.")
    return found


def general_rows(general: Rows | None, recipe: LoraRecipe, rows: int) -> list[Conversation]:
    if general is None:
        if recipe.general_rows:
            raise WorkshopError(
                f"The recipe mixes in general rows (general_rows={recipe.general_rows:g}), but none were given. "
                "Pass them as general=, or set general_rows to 0."
            )
        return []
    if not recipe.general_rows:
        raise WorkshopError(
            "General rows were given, but the recipe mixes in none. Set general_rows, for example to 0.5: "
            "one general row to two training rows."
        )
    pool = training_rows(general, None)
    wanted = max(1, round(recipe.general_rows * rows))
    if wanted > len(pool):
        raise WorkshopError(
            f"general_rows={recipe.general_rows:g} of {rows} rows are {wanted}, but only {len(pool)} general rows "
            f"were given. Give more, or set general_rows to at most {len(pool) / rows:.2f}."
        )
    return random.Random(recipe.seed).sample(pool, wanted)


def rows_hash(conversations: list[Conversation]) -> str:
    return fingerprint([conversation.to_messages() for conversation in conversations])


@dataclass
class _Fit:
    """Which rows fit into `max_length`, and how long they are."""

    kept: list[Conversation] = field(default_factory=list)
    truncated: list[int] = field(default_factory=list)
    dropped: list[int] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)


def fit_rows(tokenizer: Any, conversations: list[Conversation], max_length: int) -> _Fit:
    """TRL cuts long rows at the end and drops, silently, those whose answer is gone: this finds
    them first.
    """
    fit = _Fit()
    if not conversations:
        return fit

    def lengths(texts: list[str]) -> list[int]:
        return [
            len(ids)
            for ids in tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]
        ]

    prompts = lengths([chat_prompt(tokenizer, c.prompt_messages()) for c in conversations])
    wholes = lengths([chat_prompt(tokenizer, c.to_messages(), answer=True) for c in conversations])
    for place, (conversation, prompt, whole) in enumerate(
        zip(conversations, prompts, wholes, strict=True), 1
    ):
        row = conversation.line or place
        if prompt >= max_length:
            fit.dropped.append(row)
            continue
        if whole > max_length:
            fit.truncated.append(row)
        fit.kept.append(conversation)
        fit.lengths.append(min(whole, max_length))
    return fit


def examples(conversations: Sequence[Conversation]) -> list[dict[str, Any]]:
    """The rows as TRL's trainer takes them: prompt and completion, so that the loss counts the
    completion only.
    """
    return [
        {
            "prompt": c.prompt_messages(),
            "completion": [{"role": "assistant", "content": c.answer}],
            "chat_template_kwargs": {"enable_thinking": False},
        }
        for c in conversations
    ]
