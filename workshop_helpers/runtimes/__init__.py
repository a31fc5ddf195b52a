"""One protocol for getting answers, whatever runs the model."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

from ..core.errors import WorkshopError
from ..models.resolve import ModelRef, resolve

if TYPE_CHECKING:
    from ..core.device import Device

Messages = Sequence[dict[str, str]]


@dataclass(frozen=True)
class Answer:
    """One answer: `text`, without the token that ends it.

    `tokens` and `prompt_tokens`: how many were generated (the end not counted) and read. `seconds`: the time this
    answer took, of answers in one batch its share of the batch's time. `stopped`: the model ended the answer itself;
    False when `max_new_tokens` did. `token_ids`: what was generated, where the runtime knows it.
    """

    text: str
    tokens: int
    prompt_tokens: int
    seconds: float
    stopped: bool
    token_ids: tuple[int, ...] | None = None


@runtime_checkable
class Runtime(Protocol):
    """Answers conversations greedily: at each step the likeliest token, until the model's own end of turn."""

    name: str
    model: str

    def answer(
        self,
        conversations: Sequence[Messages],
        *,
        max_new_tokens: int = 160,
        progress: bool = False,
    ) -> list[Answer]:
        """One answer for each list of messages (`role`, `content`; the last one a user's), in their order."""
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
    """`answer` of each conversation, in their order, so many at a time in threads; with a bar on a terminal."""
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


def open_runtime(
    model: str | Path | ModelRef,
    *,
    device: Device | str | None = None,
    batch_size: int | None = None,
) -> Runtime:
    """A runtime with the model loaded: llama.cpp for a `.gguf` file, Ollama for `ollama:NAME`, else Transformers.

    `batch_size` is how many conversations are answered at a time; None lets the runtime choose.
    Raises WorkshopError for what `resolve` and `load_model` refuse, and for an Ollama that is not there.
    """
    ref = resolve(model)
    if ref.kind == "ollama":
        from .ollama import OllamaRuntime

        return OllamaRuntime(ref.name, batch_size=batch_size or 1)
    if ref.kind == "gguf":
        from .llama_cpp import LlamaCppRuntime

        assert ref.path is not None
        slots = {} if batch_size is None else {"slots": batch_size}
        return LlamaCppRuntime(ref.path, **slots)
    from .transformers import TransformersRuntime

    return TransformersRuntime(ref, device=device, batch_size=batch_size)


def ask(
    model: str | Path | ModelRef,
    question: str,
    *,
    system: str | None = None,
    max_new_tokens: int = 160,
    device: Device | str | None = None,
) -> Answer:
    """Open the model, ask one question, close it. For many questions open a runtime once."""
    if not question.strip():
        raise WorkshopError("The question is empty.")
    messages = [{"role": "system", "content": system}] if system else []
    messages.append({"role": "user", "content": question})
    with open_runtime(model, device=device, batch_size=1) as runtime:
        return runtime.answer([messages], max_new_tokens=max_new_tokens)[0]
