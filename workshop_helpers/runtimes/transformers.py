"""Answers by Transformers: base models, adapters and merged models, many conversations at a time.

The loop is written out here instead of calling `generate`: greedy decoding is short, conversations
that have ended leave the batch at once, and nothing of a model's own sampling defaults
(temperature, penalties) gets in.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import Closing, WorkshopError
from ..core.memory import keep_freed_memory
from ..models.chat import chat_prompt, stop_text, stop_token_ids
from ..models.load import load_model, load_tokenizer, pick_device, quiet_libraries
from ..models.resolve import ModelRef, resolve
from .base import Answer, Messages

if TYPE_CHECKING:
    from ..core.device import Device


class TransformersRuntime(Closing):
    """See `Runtime`. In fp32 an adapter is merged in memory, which changes logits by rounding only."""

    name = "transformers"

    def __init__(
        self,
        model: str | Path | ModelRef,
        *,
        device: Device | str | None = None,
        batch_size: int | None = None,
    ) -> None:
        if batch_size is not None and batch_size < 1:
            raise WorkshopError(f"batch_size is {batch_size}; it must be at least 1.")
        ref = resolve(model)
        self.model = ref.name
        self.device = pick_device(device, ref)
        keep_freed_memory()
        self._tokenizer = load_tokenizer(ref)
        self._network: Any = load_model(ref, self.device)
        # A small model is held up by the overhead of a step, a large one by memory.
        self.batch_size = batch_size or (64 if self._network.num_parameters() < 100_000_000 else 16)
        if ref.kind == "adapter" and self.device.dtype == "fp32":
            # Two extra products in every layer cost a third of the speed; in 16 bits merging would
            # cost precision.
            with quiet_libraries():
                self._network = self._network.merge_and_unload()
        self._window = int(
            getattr(self._network.config.get_text_config(), "max_position_embeddings", 1 << 30)
        )
        self._stops = frozenset(stop_token_ids(self._tokenizer, self._network))
        self._stop_text = stop_text(self._tokenizer)

    def answer(
        self,
        conversations: Sequence[Messages],
        *,
        max_new_tokens: int = 160,
        progress: bool = False,
    ) -> list[Answer]:
        """One greedy answer for each list of messages, in their order.

        Raises WorkshopError for messages that the template refuses, and for a prompt that fills the
        model's window.
        """
        if self._network is None:
            raise WorkshopError(f"The runtime of {self.model} is closed. Open it again.")
        prompts = [self._encode(list(messages)) for messages in conversations]
        # Conversations of one length share a batch, so little is padded; the longest first, so that
        # memory that is too small shows at once.
        order = sorted(range(len(prompts)), key=lambda i: -len(prompts[i]))
        answers: dict[int, Answer] = {}
        bar = _bar(len(prompts), progress)
        try:
            for start in range(0, len(order), self.batch_size):
                batch = order[start : start + self.batch_size]
                found = self._generate([prompts[i] for i in batch], max_new_tokens)
                answers.update(zip(batch, found, strict=True))
                if bar is not None:
                    bar.update(len(batch))
        finally:
            if bar is not None:
                bar.close()
        return [answers[i] for i in range(len(prompts))]

    def _encode(self, messages: list[dict[str, str]]) -> list[int]:
        text = chat_prompt(self._tokenizer, messages)
        ids: list[int] = self._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        if len(ids) >= self._window:
            raise WorkshopError(
                f"A prompt of {len(ids)} tokens does not fit into the {self._window} tokens of {self.model}. "
                "Shorten the system prompt or the question."
            )
        return ids

    def _generate(self, prompts: list[list[int]], max_new_tokens: int) -> list[Answer]:
        """Greedy decoding of one batch. Shapes: ids and mask (rows, length), logits (rows,
        vocabulary).
        """
        import torch
        from transformers import DynamicCache

        started = time.perf_counter()
        where, longest = self._network.device, max(map(len, prompts))
        pad = self._tokenizer.pad_token_id
        ids = torch.tensor([[pad] * (longest - len(p)) + p for p in prompts], device=where)
        mask = torch.tensor(
            [[0] * (longest - len(p)) + [1] * len(p) for p in prompts], device=where
        )
        places = (mask.cumsum(1) - 1).clamp(min=0)
        cache = DynamicCache(config=self._network.config)
        written: list[list[int]] = [[] for _ in prompts]
        stopped = [False] * len(prompts)
        alive = list(range(len(prompts)))
        with torch.inference_mode():
            for _ in range(max_new_tokens):
                output = self._network(
                    input_ids=ids,
                    attention_mask=mask,
                    position_ids=places,
                    past_key_values=cache,
                    use_cache=True,
                    logits_to_keep=1,
                )
                tokens = output.logits[:, -1].argmax(-1)
                going = []
                for row, token in enumerate(tokens.tolist()):
                    if token in self._stops:
                        stopped[alive[row]] = True
                        continue
                    answer = alive[row]
                    written[answer].append(token)
                    if self._stop_text and self._stop_text in self._tokenizer.decode(
                        written[answer][-32:]
                    ):
                        stopped[answer] = True
                    elif len(prompts[answer]) + len(written[answer]) < self._window:
                        going.append(row)
                if not going:
                    break
                if len(going) < len(alive):
                    kept = torch.tensor(going, device=where)
                    cache.batch_select_indices(kept)
                    tokens, mask, places = tokens[kept], mask[kept], places[kept]
                    alive = [alive[row] for row in going]
                ids = tokens[:, None]
                mask = torch.cat([mask, mask.new_ones(len(alive), 1)], 1)
                places = places[:, -1:] + 1
        share = (time.perf_counter() - started) / len(prompts)
        return [
            Answer(
                text=self._text(tokens),
                tokens=len(tokens),
                prompt_tokens=len(prompt),
                seconds=share,
                stopped=end,
                token_ids=tuple(tokens),
            )
            for prompt, tokens, end in zip(prompts, written, stopped, strict=True)
        ]

    def _text(self, tokens: list[int]) -> str:
        text = str(self._tokenizer.decode(tokens, skip_special_tokens=True))
        return (text.partition(self._stop_text)[0] if self._stop_text else text).strip()

    def close(self) -> None:
        if self._network is None:
            return
        self._network = None
        gc.collect()
        if self.device.name == "cuda":
            import torch

            torch.cuda.empty_cache()


def _bar(total: int, progress: bool) -> Any:
    if not progress or not sys.stderr.isatty():
        return None
    from tqdm import tqdm

    return tqdm(total=total, unit="answer", desc="answering", leave=False, file=sys.stderr)
