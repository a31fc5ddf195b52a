"""Answers from Ollama: a model that a server has, asked greedily."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import suppress
from typing import Any

from ...core.errors import Closing, WorkshopError
from ...gguf.header import composed
from ...models.chat import Answer, Messages, Sampling
from ..base import Reply, answer_each
from .client import SILENCE, Ollama, OllamaFacts, Stream, Timings

# The likeliest token at each step. Ollama would otherwise push repeated words down (repeat_penalty
# is 1.1 by default).
GREEDY: dict[str, Any] = {
    "temperature": 0.0,
    "top_k": 1,
    "top_p": 1.0,
    "min_p": 0.0,
    "seed": 0,
    "repeat_penalty": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
}
# Tokens of question and answer together, where neither model nor caller says otherwise.
CONTEXT = 4096


class OllamaRuntime(Closing):
    """A model of an Ollama server; its own template, system text, messages and stop texts count.

    `host`: see `Ollama`. `batch_size`: questions sent at a time; OLLAMA_NUM_PARALLEL says how many
    Ollama answers at a time. `threads`: see `Ollama.own_threads`. `context` in tokens, by default
    the model's num_ctx, else what it was made for, at most 4,096. After `answer`, `timings` holds
    what Ollama measured for each answer. `greedy=False` leaves temperature and the like to the
    model's own parameters. Raises WorkshopError when no server answers or it has no such model.
    """

    name = "ollama"

    def __init__(
        self,
        model: str,
        *,
        host: str | None = None,
        batch_size: int = 1,
        threads: int | None = None,
        context: int | None = None,
        timeout: float = SILENCE,
        greedy: bool = True,
    ) -> None:
        if batch_size < 1:
            raise WorkshopError(f"batch_size is {batch_size}; it must be at least 1.")
        self.server = Ollama(host, timeout=timeout)
        self.model, self.batch_size = model, batch_size
        self.timings: list[Timings] = []
        self._facts = self.server.show(model)
        self.context = context or _context(self._facts)
        how = GREEDY if greedy else {}
        self._options = {**how, "num_ctx": self.context, **_threads(self.server, threads)}
        self._closed = False

    def answer(
        self,
        conversations: Sequence[Messages],
        *,
        max_new_tokens: int = 160,
        sampling: Sampling | None = None,
        progress: bool = False,
    ) -> list[Answer]:
        """See `Runtime.answer`. `seconds` are Ollama's own, without loading.

        Raises WorkshopError when the server stops or refuses, and for a conversation longer than
        the context (Ollama itself would cut it and say nothing).
        """
        if self._closed:
            raise WorkshopError(f"The runtime of {self.model} is closed. Open it again.")

        def one(messages: Messages, sampling: Sampling | None) -> Stream:
            stream = self.stream(messages, max_new_tokens=max_new_tokens, sampling=sampling)
            for _ in stream:
                pass
            return stream

        how: dict[str, Any] = {"sampling": sampling, "progress": progress}
        found = answer_each(one, conversations, at_a_time=self.batch_size, **how)
        self.timings = [stream.timings for stream in found if stream.timings is not None]
        return [self.finished(*each) for each in zip(found, conversations, strict=True)]

    def stream(
        self,
        messages: Messages,
        *,
        max_new_tokens: int | None = 160,
        sampling: Sampling | None = None,
    ) -> Stream:
        """One answer while it is written; nothing is asked before the first piece is wanted.
        `max_new_tokens=None`: as many as the model's own num_predict says.
        """
        options = dict(self._options)
        if max_new_tokens is not None:
            options["num_predict"] = max_new_tokens
        if sampling is not None:
            options |= {"temperature": sampling.temperature, "seed": sampling.seed, "top_k": 0}
        return _asked(self.server, self._facts, messages, options)

    def reply(self, messages: Messages, *, max_new_tokens: int | None = 160) -> Reply:
        """See `Runtime.reply`. Raises WorkshopError as `answer` does, while it is read."""
        return Reply(self.pieces(messages, max_new_tokens=max_new_tokens))

    def pieces(
        self, messages: Messages, *, max_new_tokens: int | None = 160
    ) -> Generator[str, None, Answer]:
        """The pieces of one answer; the generator returns the whole of it."""
        stream = self.stream(messages, max_new_tokens=max_new_tokens)
        try:
            yield from stream
        finally:
            stream.close()
        return self.finished(stream, messages)

    def finished(self, stream: Stream, messages: Messages) -> Answer:
        """The answer of a stream that has ended. Raises WorkshopError for too long messages."""
        timings = stream.timings
        if timings is None:
            raise WorkshopError(f"The answer of {self.model} was broken off.")
        if timings.prompt_tokens >= self.context:
            question = messages[-1]["content"][:40]
            raise WorkshopError(
                f"The conversation that ends in {question!r} does not fit into the {self.context} "
                f"tokens of {self.model}: Ollama cut it. Shorten it (or its system prompt), or set "
                "a larger num_ctx."
            )
        return Answer(
            text=stream.text.strip(),
            # Ollama counts the token that ends the answer
            tokens=timings.tokens - stream.stopped,
            prompt_tokens=timings.prompt_tokens,
            seconds=timings.prompt_seconds + timings.seconds,
            stopped=stream.stopped,
        )

    def close(self) -> None:
        """Let the connection go. Ollama keeps the model in memory, by default for 5 minutes."""
        if not self._closed:
            self._closed = True
            self.server.close()


def _threads(server: Ollama, threads: int | None) -> dict[str, int]:
    threads = threads or server.own_threads()
    return {"num_thread": threads} if threads else {}


def _asked(
    server: Ollama, facts: OllamaFacts, messages: Messages, options: dict[str, Any]
) -> Stream:
    # thinking is off, as everywhere in the course; a model that cannot think is not asked about it
    think = False if "thinking" in facts.capabilities else None
    given = composed(messages) if facts.composes else messages
    return server.chat(facts.name, given, options=options, think=think)


def _context(facts: OllamaFacts) -> int:
    named = facts.parameters.get("num_ctx")
    if isinstance(named, str):
        with suppress(ValueError, OverflowError):
            return round(float(named))  # from a million on it is told as 1.3e+06
    return min(facts.context_length or CONTEXT, CONTEXT)
