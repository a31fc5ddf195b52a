"""Speculative decoding: a cheap draft guesses some tokens ahead, the model reads them all in one
pass and keeps those that it would have written itself (Leviathan et al. 2023, arXiv:2211.17192).

Greedily decoded, the answers are the model's own, whatever the draft guesses; what changes is how
many passes of the model an answer takes. By transformers' `generate`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..models.chat import chat_prompt, stop_token_ids
from ..models.load import load_model, load_tokenizer, pick_device, quiet_libraries
from ..models.resolve import resolve

AHEAD = 5  # tokens that a draft guesses at a time


@dataclass(frozen=True)
class Speculation:
    """How a model answered with a draft: texts, tokens written, passes of the model, seconds."""

    label: str
    answers: tuple[str, ...]
    tokens: int
    passes: int
    seconds: float


def speculate(
    model: str | Path,
    drafts: Mapping[str, str | Path | None],
    questions: Sequence[str],
    *,
    max_new_tokens: int = 60,
) -> list[Speculation]:
    """Let `model` answer the questions, one at a time and greedily, with each draft: a model
    with the same tokenizer, "prompt" (what followed the same tokens before; no model at all), or
    None (alone).
    """
    ref = resolve(model)
    device = pick_device(None, ref)
    tokenizer, network = load_tokenizer(ref), load_model(ref, device)
    passes = _Passes()
    network.register_forward_hook(passes)
    found = []
    for label, draft in drafts.items():
        options = _options(draft, device)
        passes.count, tokens, answers = 0, 0, []
        begun = time.perf_counter()
        for question in questions:
            text = chat_prompt(tokenizer, [{"role": "user", "content": question}])
            ids = tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
            with quiet_libraries():
                written = network.generate(
                    ids.to(network.device),
                    do_sample=False,
                    max_new_tokens=max_new_tokens,
                    eos_token_id=list(stop_token_ids(tokenizer, network)),
                    pad_token_id=tokenizer.pad_token_id,
                    **options,
                )[0, ids.shape[1] :]
            tokens += len(written)
            answers.append(tokenizer.decode(written, skip_special_tokens=True).strip())
        seconds = time.perf_counter() - begun
        found.append(Speculation(label, tuple(answers), tokens, passes.count, seconds))
    return found


def _options(draft: str | Path | None, device: Any) -> dict[str, Any]:
    if draft is None:
        return {}
    if draft == "prompt":
        return {"prompt_lookup_num_tokens": AHEAD}
    assistant = load_model(draft, device)
    assistant.generation_config.num_assistant_tokens = AHEAD
    assistant.generation_config.num_assistant_tokens_schedule = "constant"
    assistant.generation_config.assistant_confidence_threshold = 0.0
    return {"assistant_model": assistant}


class _Passes:
    """Counts the passes of a network: a forward hook."""

    count = 0

    def __call__(self, *_: Any) -> None:
        self.count += 1
