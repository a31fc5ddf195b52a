"""The loss of answers: what training lowers, and the same on rows that were not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import WorkshopError
from ..dataset.formats import Conversation
from ..models.chat import chat_prompt
from ..models.load import load_model, load_tokenizer, pick_device
from ..models.resolve import resolve
from .packing import IGNORED, pack

if TYPE_CHECKING:
    from ..core.device import Device


_MARK = "QUESTION"
_LONGEST = 1000  # characters


def answer_loss(model: Any, inputs: dict[str, Any]) -> tuple[Any, Any]:
    """The summed loss of a batch's answer tokens, and their number, as tensors: from the logits of
    their places alone. `inputs` has the `labels` besides what the model takes.
    """
    import torch

    packed = pack(model, inputs)
    if packed is None:
        targets = inputs["labels"][:, 1:]  # each position predicts the next token
        given = {name: value for name, value in inputs.items() if name != "labels"}
    else:
        targets, given = packed.targets[None], packed.inputs
    places = answer_places(targets)
    logits = model(**given, use_cache=False, logits_to_keep=places).logits
    wanted = targets[:, places]
    loss = torch.nn.functional.cross_entropy(
        logits.float().flatten(0, 1), wanted.flatten(), ignore_index=IGNORED, reduction="sum"
    )
    return loss, (wanted != IGNORED).sum()


def answer_places(targets: Any) -> Any:
    """The places at which some row's target is an answer's token."""
    return (targets != IGNORED).any(dim=0).nonzero().squeeze(1)


def held_out_loss(
    model: str | Path,
    rows: Sequence[Conversation],
    *,
    device: Device | str | None = None,
    batch_size: int = 16,
) -> float:
    """The mean loss of the answer tokens of `rows` (nats a token), as training counts it, of a
    model or an adapter. Raises WorkshopError where there are no rows.
    """
    if not rows:
        raise WorkshopError("There are no rows to measure the loss on.")
    ref = resolve(model)
    device = pick_device(device, ref)
    tokenizer, loaded = load_tokenizer(ref), load_model(ref, device)
    total, tokens = summed_loss(tokenizer, loaded, rows, batch_size)
    return total / tokens


def summed_loss(
    tokenizer: Any, model: Any, rows: Sequence[Conversation], batch_size: int = 16
) -> tuple[float, int]:
    """The loss of all answer tokens of `rows` (nats), and how many they are, of an open model."""
    import torch

    total, tokens = 0.0, 0
    for at in range(0, len(rows), batch_size):
        inputs = training_batch(tokenizer, rows[at : at + batch_size])
        with torch.inference_mode():
            loss, count = answer_loss(model, {k: v.to(model.device) for k, v in inputs.items()})
        total, tokens = total + float(loss), tokens + int(count)
    return total, tokens


def question_losses(tokenizer: Any, model: Any, questions: Sequence[str]) -> list[float]:
    """The loss of each question under an open model (nats a byte; of a long one, its beginning's),
    as the first of a conversation: low where the model was raised on such questions.
    """
    import torch

    start, _, _ = chat_prompt(tokenizer, [{"role": "user", "content": _MARK}]).partition(_MARK)
    before = _ids(tokenizer, start)
    losses = []
    for question in questions:
        text = question.strip()[:_LONGEST]
        ids = torch.tensor([before + _ids(tokenizer, text)], device=model.device)
        with torch.inference_mode():
            logits = model(input_ids=ids, use_cache=False).logits[0, len(before) - 1 : -1]
        wanted = ids[0, len(before) :]
        loss = torch.nn.functional.cross_entropy(logits.float(), wanted, reduction="sum")
        losses.append(float(loss) / max(1, len(text.encode("utf-8", "replace"))))
    return losses


def training_batch(tokenizer: Any, rows: Sequence[Conversation]) -> dict[str, Any]:
    """The rows padded at the right, where padding is seen by no token."""
    import torch

    prompts = [_ids(tokenizer, chat_prompt(tokenizer, row.prompt_messages())) for row in rows]
    wholes = [
        _ids(tokenizer, chat_prompt(tokenizer, row.to_messages(), answer=True)) for row in rows
    ]
    length = max(map(len, wholes))
    batch = {
        "input_ids": torch.full((len(rows), length), tokenizer.pad_token_id),
        "attention_mask": torch.zeros((len(rows), length), dtype=torch.long),
        "labels": torch.full((len(rows), length), IGNORED),
    }
    for at, (prompt, whole) in enumerate(zip(prompts, wholes, strict=True)):
        batch["input_ids"][at, : len(whole)] = torch.tensor(whole)
        batch["attention_mask"][at, : len(whole)] = 1
        batch["labels"][at, len(prompt) : len(whole)] = torch.tensor(whole[len(prompt) :])
    return batch


def _ids(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])
