"""Answers by Transformers: base models, adapters and merged models, many conversations at a time.

The loop is written out here instead of calling `generate`: decoding is short, conversations that
have ended leave the batch at once, what all prompts begin with is read once, and nothing of a
model's own sampling defaults (temperature, penalties) gets in.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import Closing, WorkshopError, foreign
from ..core.memory import keep_freed_memory
from ..core.progress import Bar
from ..models.chat import Answer, Messages, Sampling, chat_prompt, stop_text, stop_token_ids
from ..models.load import load_model, load_tokenizer, pick_device, quiet_libraries
from ..models.resolve import ModelRef, resolve
from .base import Reply

if TYPE_CHECKING:
    from ..core.device import Device

# A small model is held up by the overhead of a step, not by memory. A large one's cache may take a
# sixteenth of the memory. More rows than the most gain little: on one core in fp32, 128 multiply
# 2.8 times as fast as 16, and 64 multiply 2.2 times as fast.
_SMALL, _ROWS, _MOST, _SHARE = 100_000_000, 64, 128, 16
# Shorter beginnings are not worth a pass of their own.
_WORTH = 16


class TransformersRuntime(Closing):
    """See `Runtime`. In fp32 an adapter is merged in memory: logits change by rounding only."""

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
        with foreign(ref.path or ref.name):
            self._load(ref, batch_size)

    def _load(self, ref: ModelRef, batch_size: int | None) -> None:
        self._tokenizer = load_tokenizer(ref)
        self._network: Any = load_model(ref, self.device)
        self.batch_size = batch_size
        if ref.kind == "adapter" and self.device.dtype == "fp32":
            # Unmerged, it loses a third of its speed; in 16 bits, merging costs precision.
            with quiet_libraries():
                self._network = self._network.merge_and_unload()
        about = self._network.config.get_text_config()
        self._window = int(getattr(about, "max_position_embeddings", 1 << 30))
        self._stops = frozenset(stop_token_ids(self._tokenizer, self._network))
        self._stop_text = stop_text(self._tokenizer)

    def answer(
        self,
        conversations: Sequence[Messages],
        *,
        max_new_tokens: int = 160,
        sampling: Sampling | None = None,
        progress: bool = False,
    ) -> list[Answer]:
        """See `Runtime.answer`.

        Raises WorkshopError for messages that the template refuses, and for a prompt that fills the
        model's window.
        """
        if self._network is None:
            raise WorkshopError(f"The runtime of {self.model} is closed. Open it again.")
        prompts = [self._encode(messages) for messages in conversations]
        # Conversations of one length share a batch, so little is padded; the longest first, so that
        # memory that is too small shows at once.
        order = sorted(range(len(prompts)), key=lambda i: -len(prompts[i]))
        size = self.batch_size or self._rows(max(map(len, prompts), default=0) + max_new_tokens)
        choose = _chooser(sampling)
        answers: dict[int, Answer] = {}
        with Bar("answering", len(prompts), "answers", shown=progress) as bar:
            for start in range(0, len(order), size):
                batch = order[start : start + size]
                found = self._generate([prompts[i] for i in batch], max_new_tokens, choose)
                answers.update(zip(batch, found, strict=True))
                bar.advance(len(batch))
        return [answers[i] for i in range(len(prompts))]

    def _rows(self, tokens: int) -> int:
        """How many conversations of so many tokens are answered at a time."""
        from .cache import token_bytes

        if self._network.num_parameters() < _SMALL:
            return _ROWS
        config = self._network.config.get_text_config()
        each = token_bytes(config, self._network.dtype.itemsize) * tokens
        return max(1, min(_MOST, (self.device.memory_bytes or 2**33) // _SHARE // max(1, each)))

    def _encode(self, messages: Messages) -> list[int]:
        text = chat_prompt(self._tokenizer, messages)
        ids: list[int] = self._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        if len(ids) >= self._window:
            raise WorkshopError(
                f"A prompt of {len(ids)} tokens does not fit into the {self._window} tokens of "
                f"{self.model}. Shorten the system prompt or the question."
            )
        return ids

    def _generate(
        self, prompts: list[list[int]], max_new_tokens: int, choose: Callable[[Any], Any]
    ) -> list[Answer]:
        """Decode one batch."""
        started = time.perf_counter()
        rows = [_Row(prompt) for prompt in prompts]
        for _ in self._steps(rows, max_new_tokens, choose):
            pass
        share = (time.perf_counter() - started) / len(prompts)
        return [self._answer(row, share) for row in rows]

    def _answer(self, row: _Row, seconds: float) -> Answer:
        return Answer(
            text=self._text(row.written).strip(),
            tokens=len(row.written),
            prompt_tokens=len(row.prompt),
            seconds=seconds,
            stopped=row.stopped,
            token_ids=tuple(row.written),
        )

    def _steps(
        self, rows: list[_Row], max_new_tokens: int | None, choose: Callable[[Any], Any]
    ) -> Generator[None, None, None]:
        """Decode the rows together, a token each at every step. Shapes: ids, mask, places
        (rows, length); logits (rows, vocabulary).
        """
        import torch

        from .cache import roomy_cache

        cache = roomy_cache(self._network.config)
        shared = self._read_shared([row.prompt for row in rows], cache)
        ids, mask = self._padded([row.prompt[shared:] for row in rows])
        mask = torch.cat([mask.new_ones(len(rows), shared), mask], 1)
        places = (mask.cumsum(1) - 1).clamp(min=0)[:, shared:]
        alive = rows
        for _ in range(self._window if max_new_tokens is None else max_new_tokens):
            with torch.inference_mode():  # not over a yield: whoever reads on would be in it, too
                output = self._network(
                    input_ids=ids,
                    attention_mask=mask,
                    position_ids=places,
                    past_key_values=cache,
                    use_cache=True,
                    logits_to_keep=1,
                )
                tokens = choose(output.logits[:, -1])
                told = zip(alive, tokens.tolist(), strict=True)
                going = [n for n, (row, token) in enumerate(told) if self._goes_on(row, token)]
                if going and len(going) < len(alive):
                    kept = torch.tensor(going, device=ids.device)
                    cache.batch_select_indices(kept)
                    tokens, mask, places = tokens[kept], mask[kept], places[kept]
                    alive = [alive[n] for n in going]
                ids = tokens[:, None]
                mask = torch.cat([mask, mask.new_ones(len(alive), 1)], 1)
                places = places[:, -1:] + 1
            yield
            if not going:
                return

    def _read_shared(self, prompts: list[list[int]], cache: Any) -> int:
        """Read what all prompts begin with, once, into every row of the cache; says how many tokens
        that was.
        """
        import torch

        from .cache import roomy_layer

        first, last = min(prompts), max(prompts)  # in order, all others begin as these two do
        pairs = enumerate(zip(first[:-1], last[:-1], strict=False))
        parted = (at for at, (one, other) in pairs if one != other)
        shared = next(parted, min(len(first), len(last)) - 1)
        # Padding comes behind what is shared, where it would take up room of a sliding window.
        if (
            len(prompts) == 1
            or shared < _WORTH
            or not all(isinstance(layer, roomy_layer()) for layer in cache.layers)
        ):
            return 0
        ids = torch.tensor([prompts[0][:shared]], device=self._network.device)
        with torch.inference_mode():
            self._network(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
            cache.batch_repeat_interleave(len(prompts))
        return shared

    def reply(self, messages: Messages, *, max_new_tokens: int | None = 160) -> Reply:
        """See `Runtime.reply`."""
        return Reply(self._pieces(messages, max_new_tokens))

    def _pieces(self, messages: Messages, longest: int | None) -> Generator[str, None, Answer]:
        if self._network is None:
            raise WorkshopError(f"The runtime of {self.model} is closed. Open it again.")
        started = time.perf_counter()
        row, told = _Row(self._encode(messages)), 0
        for _ in self._steps([row], longest, _chooser(None)):
            text = self._text(row.written)
            # What may still change stays back: half a character, the beginning of a stop text.
            sure = len(text.rstrip("\ufffd"))
            if self._stop_text and not row.stopped:
                sure = min(sure, max(0, len(text) - len(self._stop_text) + 1))
            if sure > told:
                yield text[told:sure]
                told = sure
        if rest := self._text(row.written)[told:]:
            yield rest
        return self._answer(row, time.perf_counter() - started)

    def _padded(self, prompts: list[list[int]]) -> tuple[Any, Any]:
        """Token ids, padded on the left, and a mask that is 1 for tokens."""
        import torch

        pad, where = self._tokenizer.pad_token_id, self._network.device
        fill = [max(map(len, prompts)) - len(prompt) for prompt in prompts]
        pairs = list(zip(fill, prompts, strict=True))
        return (
            torch.tensor([[pad] * n + prompt for n, prompt in pairs], device=where),
            torch.tensor([[0] * n + [1] * len(prompt) for n, prompt in pairs], device=where),
        )

    def _goes_on(self, row: _Row, token: int) -> bool:
        """Take the next token of a row; False when its answer has ended or fills the window."""
        if token in self._stops:
            row.stopped = True
            return False
        row.written.append(token)
        if self._stop_text:
            row.stopped = self._stop_text in self._tokenizer.decode(row.written[-32:])
        return not row.stopped and len(row.prompt) + len(row.written) < self._window

    def _text(self, tokens: list[int]) -> str:
        text = str(self._tokenizer.decode(tokens, skip_special_tokens=True))
        return text.partition(self._stop_text)[0] if self._stop_text else text

    def close(self) -> None:
        if self._network is None:
            return
        self._network = None
        gc.collect()
        if self.device.name == "cuda":
            import torch

            torch.cuda.empty_cache()


@dataclass
class _Row:
    """A conversation in a batch: its prompt's token ids, and the answer's so far."""

    prompt: list[int]
    written: list[int] = field(default_factory=list)
    stopped: bool = False


def _chooser(sampling: Sampling | None) -> Callable[[Any], Any]:
    """What picks the next tokens (rows) from logits (rows, vocabulary).

    argmax(logits / T + g) with g from Gumbel(0, 1) is a draw from softmax(logits / T) (the
    Gumbel-max trick; Gumbel 1954, Maddison et al. 2014, arXiv:1411.0030). The dice are the CPU's,
    so a seed draws the same on every device.
    """
    import torch

    if sampling is None:
        return lambda logits: logits.argmax(-1)
    dice = torch.Generator().manual_seed(sampling.seed)

    def draw(logits: Any) -> Any:
        even = torch.rand(logits.shape, generator=dice).clamp_(1e-20, 1 - 1e-7)
        noise = -torch.log(-torch.log(even)).to(logits.device)
        return (logits.float() + sampling.temperature * noise).argmax(-1)

    return draw
