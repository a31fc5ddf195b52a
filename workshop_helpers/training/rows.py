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


def training_rows(data: Rows, rows: int | None = None) -> list[Conversation]:
    """The first `rows` conversations of a file or a list; WorkshopError where there are none."""
    if rows is not None and rows < 1:
        raise WorkshopError(f"rows is {rows}; train on at least one row.")
    if isinstance(data, str | Path):
        found = read_conversations(data, limit=rows)
    else:
        found = list(data)[:rows]
    if not found:
        raise WorkshopError("There are no rows to train on.")
    return found


def sample_general(general: Rows | None, recipe: LoraRecipe, rows: int) -> list[Conversation]:
    """As many of the `general` rows as the recipe mixes into `rows` training rows, by its seed.

    Raises WorkshopError where rows and recipe do not fit together.
    """
    share = recipe.general_rows
    if general is None and share:
        raise WorkshopError(
            f"The recipe mixes in general rows (general_rows={share:g}), but none were given. "
            "Pass them as general=, or set general_rows to 0."
        )
    if general is None:
        return []
    if not share:
        raise WorkshopError(
            "General rows were given, but the recipe mixes in none. Set general_rows, for example "
            "to 0.5: one general row to two training rows."
        )
    pool = training_rows(general)
    wanted = max(1, round(share * rows))
    if wanted > len(pool):
        raise WorkshopError(
            f"general_rows={share:g} of {rows} rows are {wanted}, but only {len(pool)} general "
            f"rows were given. Give more, or set general_rows to at most {len(pool) / rows:.2f}."
        )
    return random.Random(recipe.seed).sample(pool, wanted)


def rows_hash(conversations: list[Conversation]) -> str:
    """A fingerprint of the rows' messages."""
    return fingerprint([conversation.to_messages() for conversation in conversations])


@dataclass
class FittingRows:
    """The rows that fit into `max_length` (`kept`, of these `lengths` in tokens), and by line or
    place those that are cut (`truncated`) or hold no answer any more (`dropped`).
    """

    max_length: int
    kept: list[Conversation] = field(default_factory=list)
    truncated: list[int] = field(default_factory=list)
    dropped: list[int] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)


def fit_rows(tokenizer: Any, conversations: list[Conversation], max_length: int) -> FittingRows:
    """TRL cuts long rows and silently drops those whose answer is gone: this finds them first."""
    fit = FittingRows(max_length)
    if not conversations:
        return fit

    def lengths(texts: list[str]) -> list[int]:
        found = tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]
        return [len(ids) for ids in found]

    prompts = lengths([chat_prompt(tokenizer, c.prompt_messages()) for c in conversations])
    wholes = lengths([chat_prompt(tokenizer, c.to_messages(), answer=True) for c in conversations])
    for place, row in enumerate(conversations):
        if prompts[place] >= max_length:
            fit.dropped.append(row.line or place + 1)
            continue
        if wholes[place] > max_length:
            fit.truncated.append(row.line or place + 1)
        fit.kept.append(row)
        fit.lengths.append(min(wholes[place], max_length))
    return fit


def examples(conversations: Sequence[Conversation]) -> list[dict[str, Any]]:
    """The rows as TRL takes them: prompt and completion, since the loss counts only the latter."""
    return [
        {
            "prompt": c.prompt_messages(),
            "completion": [{"role": "assistant", "content": c.answer}],
            "chat_template_kwargs": {"enable_thinking": False},
        }
        for c in conversations
    ]
