"""The protocol of every runtime: conversations in, answers out."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Protocol, TypeVar, runtime_checkable

from ..core.errors import WorkshopError
from ..core.progress import Bar
from ..models.chat import Answer, Messages, Sampling


class Reply:
    """An answer while it is written: iterate over its pieces. `answer` is the whole of it (reading
    on to its end). `first_seconds` passed before the first piece, `seconds` before the last.
    """

    def __init__(self, pieces: Generator[str, None, Answer]) -> None:
        self._pieces = pieces
        self._answer: Answer | None = None
        self._started: float | None = None
        self.first_seconds = self.seconds = 0.0

    def __iter__(self) -> Iterator[str]:
        self._started = self._started or time.perf_counter()
        while True:
            try:
                piece = next(self._pieces)
            except StopIteration as end:
                self._answer = self._answer or end.value
                return
            self.seconds = time.perf_counter() - self._started
            self.first_seconds = self.first_seconds or self.seconds
            yield piece

    def close(self) -> None:
        """Break the answer off; the model stops writing."""
        self._pieces.close()

    @property
    def answer(self) -> Answer:
        """The whole answer. Raises WorkshopError where it was broken off."""
        for _ in self:
            pass
        if self._answer is None:
            raise WorkshopError("The answer was broken off, so it is not whole. Ask again.")
        return self._answer


@runtime_checkable
class Runtime(Protocol):
    """Answers conversations until the model's own end of turn: greedily, at each step the likeliest
    token, unless a sampling is given.
    """

    name: str
    model: str

    def answer(
        self,
        conversations: Sequence[Messages],
        *,
        max_new_tokens: int = 160,
        sampling: Sampling | None = None,
        progress: bool = False,
    ) -> list[Answer]:
        """One answer for each list of messages (`role`, `content`; the last one a user's), in their
        order. The n-th of them is sampled with `sampling.seed` + n where each is drawn for itself.
        """
        ...

    def reply(self, messages: Messages, *, max_new_tokens: int | None = 160) -> Reply:
        """The answer to one conversation while it is written; nothing is computed before the first
        piece is wanted. None: until the model ends it, or its window is full.
        """
        ...

    def close(self) -> None:
        """Free the model. Closing twice is harmless."""
        ...

    def __enter__(self) -> Runtime: ...

    def __exit__(self, *exception: Any) -> None: ...


T = TypeVar("T")


def answer_each(
    answer: Callable[[Messages, Sampling | None], T],
    conversations: Sequence[Messages],
    *,
    sampling: Sampling | None,
    at_a_time: int,
    progress: bool,
) -> list[T]:
    """`answer` of each conversation, in their order, `at_a_time` in threads; with a bar on a
    terminal. Each gets its own seed: `sampling`'s plus its position.
    """
    samplings = [
        sampling and replace(sampling, seed=(sampling.seed + n) % 2**31)
        for n in range(len(conversations))
    ]
    pool = ThreadPoolExecutor(max_workers=at_a_time)
    try:
        answers = []
        with Bar("answering", len(conversations), "answers", shown=progress) as bar:
            for found in pool.map(answer, conversations, samplings):
                answers.append(found)
                bar.advance()
        return answers
    finally:
        # After an interrupt or an error the answers at work end when the runtime is closed.
        pool.shutdown(wait=False, cancel_futures=True)
