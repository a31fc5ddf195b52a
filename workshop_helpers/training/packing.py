"""A batch of rows as one sequence: no padding, and what all of them begin with stands there once.

Chat rows begin with the same template and system prompt; of SmolLM2's rows that is 24 tokens of 60.
Each row sees the shared beginning and itself, at the positions it would have alone, so its hidden
states are the same to rounding, and the shared tokens get the sum of all rows' gradients.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

IGNORED = -100  # the label of a token without loss
# Attention by positions and a mask alone; others may mix neighbours in ways a mask does not govern.
FAMILIES = ("gemma3_text", "llama", "qwen2", "qwen3")


@dataclass(frozen=True)
class Packed:
    """What the model takes, and the next token (IGNORED: without loss) at each place of it."""

    inputs: dict[str, Any]
    targets: Any


def pack(model: Any, inputs: dict[str, Any]) -> Packed | None:
    """The batch as one sequence, where `model` can have it and it takes less computing; else None.

    `inputs`: input_ids, attention_mask and labels, each rows · length.
    """
    import torch

    if not _packs(model, inputs):
        return None
    seen = inputs["attention_mask"].bool()
    rows = [ids[some] for ids, some in zip(inputs["input_ids"], seen, strict=True)]
    labels = [of[some] for of, some in zip(inputs["labels"], seen, strict=True)]
    shared = _shared(rows, labels)
    # The last token of a row predicts nothing.
    parts = [torch.arange(shared), *(torch.arange(shared, len(row) - 1) for row in rows)]
    positions = torch.cat(parts)
    if not _pays(model, len(rows), seen.shape[1], len(positions)):
        return None
    window = getattr(model.config, "sliding_window", None)
    if window is not None and positions.max() >= window:
        return None
    of_row = torch.repeat_interleave(torch.tensor([len(part) for part in parts]))
    places = torch.arange(len(positions))
    sees = (of_row == 0) | (of_row == of_row[:, None])
    sees &= places <= places[:, None]
    if model.config._attn_implementation == "eager":  # adds the mask
        least = torch.finfo(model.dtype).min
        sees = torch.zeros(sees.shape, dtype=model.dtype).masked_fill(~sees, least)
    nothing = labels[0].new_full((shared,), IGNORED)
    return Packed(
        {
            "input_ids": torch.cat([rows[0][:shared], *(row[shared:-1] for row in rows)])[None],
            "attention_mask": sees[None, None],
            "position_ids": positions[None],
        },
        torch.cat([nothing, *(of[shared + 1 :] for of in labels)]),
    )


def _packs(model: Any, inputs: dict[str, Any]) -> bool:
    """Whether the model's rows are independent of their neighbours under a mask; on a GPU, each new
    length would cost more than it saves.
    """
    config = model.config
    return (
        set(inputs) == {"input_ids", "attention_mask", "labels"}
        and inputs["input_ids"].device.type == "cpu"
        and len(inputs["input_ids"]) > 1
        and config.model_type in FAMILIES
        and config._attn_implementation in ("eager", "sdpa")
        # Dropout would be drawn once for what is shared, and not for each row.
        and not (model.training and _dropout(model))
    )


def _dropout(model: Any) -> bool:
    adapters = getattr(model, "peft_config", {}).values()
    return model.config.attention_dropout > 0 or any(one.lora_dropout > 0 for one in adapters)


def _shared(rows: list[Any], labels: list[Any]) -> int:
    """How many first tokens all rows have in common, none of which predicts an answer's."""
    import torch

    answers = [(of != IGNORED).nonzero() for of in labels]
    least = min([len(row) for row in rows] + [int(at[0]) for at in answers if len(at)]) - 1
    heads = torch.stack([row[:least] for row in rows])
    return int((heads == heads[0]).all(dim=0).long().cumprod(dim=0).sum())


def _pays(model: Any, rows: int, length: int, packed: int) -> bool:
    """A layer's products are 12 · hidden² multiplications a token, its attention 2 · hidden for
    each token it looks at, seen or masked.
    """
    products = 6 * model.config.hidden_size
    return packed * (products + packed) < rows * length * (products + length)
