"""Answers from llama.cpp: a GGUF opened, asked through its own chat template."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..core.errors import Closing
from ..gguf.engine import LlamaEngine
from ..gguf.header import read_gguf
from ..models.chat import Answer, Messages, Sampling
from .base import Reply, answer_each

# A batch reads the weights once for all its questions. Measured on one shared core: twice as fast
# for a model of 200 MB, no faster for one of 12 MB, whose weights stay in the processor's cache.
SLOTS, BATCH_FROM = 8, 64 * 2**20


class LlamaCppRuntime(Closing):
    """A `.gguf` file as a runtime.

    `slots` questions are answered at a time, as one batch inside llama.cpp (by default 8, and 1 for
    a small model); `context` tokens (question and answer) are kept for each; `threads` defaults to
    half the cores, at most 4; `adapters`: GGUF adapters that are put on. Raises WorkshopError for a
    file that is damaged or that llama.cpp does not load.
    """

    name = "llama.cpp"

    def __init__(
        self,
        gguf: str | Path,
        *,
        slots: int | None = None,
        context: int | None = None,
        threads: int | None = None,
        adapters: Sequence[str | Path] = (),
    ) -> None:
        slots = slots or (SLOTS if read_gguf(gguf).size_bytes >= BATCH_FROM else 1)
        how: dict[str, Any] = {"context": context, "threads": threads, "adapters": adapters}
        self.engine = LlamaEngine(gguf, slots=slots, **how)
        self.model = Path(gguf).name

    @property
    def load_seconds(self) -> float:
        """Seconds from the open file to the first question."""
        return self.engine.load_seconds

    def answer(
        self,
        conversations: Sequence[Messages],
        *,
        max_new_tokens: int = 160,
        sampling: Sampling | None = None,
        progress: bool = False,
    ) -> list[Answer]:
        """See `Runtime.answer`.

        Raises WorkshopError for a question longer than the context, and for a model without chat
        template.
        """

        def one(messages: Messages, sampling: Sampling | None) -> Answer:
            prompt = self.engine.render(messages)
            return self.engine.complete(prompt, max_new_tokens=max_new_tokens, sampling=sampling)

        started = time.perf_counter()
        how: dict[str, Any] = {"sampling": sampling, "progress": progress}
        found = answer_each(one, conversations, at_a_time=self.engine.slots, **how)
        # Side by side each takes longer than alone: the time that passed is shared out among them.
        share = (time.perf_counter() - started) / max(1e-9, sum(one.seconds for one in found))
        return [
            replace(
                one,
                text=one.text.strip(),
                seconds=one.seconds * share,
                prompt_seconds=one.prompt_seconds * share,
            )
            for one in found
        ]

    @property
    def url(self) -> str:
        """Where programs on this machine reach the open model, as on any OpenAI-compatible server,
        until it is closed.
        """
        host, port = self.engine.address
        return f"http://{host}:{port}/v1"

    def reply(self, messages: Messages, *, max_new_tokens: int | None = 160) -> Reply:
        """See `Runtime.reply`. What a conversation has in common with the one before is not read
        again.
        """
        return Reply(self._pieces(messages, max_new_tokens))

    def _pieces(self, messages: Messages, longest: int | None) -> Generator[str, None, Answer]:
        prompt = self.engine.render(messages)
        answer = yield from self.engine.write(prompt, max_new_tokens=longest, cache_prompt=True)
        return replace(answer, text=answer.text.strip())

    def close(self) -> None:
        self.engine.close()
