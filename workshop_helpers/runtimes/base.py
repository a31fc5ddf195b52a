"""What every runtime gives: an answer, and the protocol to ask for one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, runtime_checkable

Messages = Sequence[dict[str, str]]


@dataclass(frozen=True)
class Answer:
    """One answer: `text`, without the token that ends it.

    `tokens` and `prompt_tokens`: how many were generated (the end not counted) and read. `seconds`:
    the time this answer took, of answers in one batch its share of the batch's time. `stopped`: the
    model ended the answer itself; False when `max_new_tokens` did. `token_ids`: what was generated,
    where the runtime knows it.
    """

    text: str
    tokens: int
    prompt_tokens: int
    seconds: float
    stopped: bool
    token_ids: tuple[int, ...] | None = None


@runtime_checkable
class Runtime(Protocol):
    """Answers conversations greedily: at each step the likeliest token, until the model's own end
    of turn.
    """

    name: str
    model: str

    def answer(
        self,
        conversations: Sequence[Messages],
        *,
        max_new_tokens: int = 160,
        progress: bool = False,
    ) -> list[Answer]:
        """One answer for each list of messages (`role`, `content`; the last one a user's), in their
        order.
        """
        ...

    def close(self) -> None:
        """Free the model. Closing twice is harmless."""
        ...

    def __enter__(self) -> Runtime: ...

    def __exit__(self, *exception: Any) -> None: ...


T = TypeVar("T")


def answer_each(
    answer: Callable[[Messages], T],
    conversations: Sequence[Messages],
    *,
    at_a_time: int,
    progress: bool,
) -> list[T]:
    """`answer` of each conversation, in their order, so many at a time in threads; with a bar on a
    terminal.
    """
    pool = ThreadPoolExecutor(max_workers=at_a_time)
    try:
        answers: Iterable[T] = pool.map(answer, conversations)
        if progress and sys.stderr.isatty():
            from tqdm import tqdm

            answers = tqdm(
                answers,
                total=len(conversations),
                unit="answer",
                desc="answering",
                leave=False,
                file=sys.stderr,
            )
        return list(answers)
    finally:
        pool.shutdown(cancel_futures=True)
