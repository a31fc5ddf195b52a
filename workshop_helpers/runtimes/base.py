"""The protocol of every runtime: conversations in, answers out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Protocol, TypeVar, runtime_checkable

from ..core.progress import Bar
from ..models.chat import Answer, Messages, Sampling


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
        pool.shutdown(cancel_futures=True)
