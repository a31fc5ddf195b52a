"""A model that writes: behind a server, as a GGUF file, or in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..models.chat import Answer, Messages, Sampling
from ..models.load import pick_device
from ..models.resolve import resolve
from .openai import ChatServer, Stopped


@dataclass(frozen=True)
class Asking:
    """How a model is asked: `parallel` requests at a time; see `synthesize` for the others."""

    temperature: float | None
    max_tokens: int
    parallel: int
    timeout: float
    retries: int


@dataclass
class Writer:
    """A model that writes: `write(requests, seed)` gives a reply to each.

    `batch`: how many tries it takes at a time; with a `pool`, each of them in a thread of its own.
    """

    name: str
    batch: int
    write: Callable[[Sequence[Messages], int], list[Answer]]
    pool: ThreadPoolExecutor | None = None


@contextmanager
def open_writer(
    offline: str | Path | None,
    server: str | None,
    model: str | Path | None,
    key_env: str | None,
    asking: Asking,
) -> Iterator[Writer]:
    """The model `offline`, run in this process, or else the one of that name on the server."""
    if offline is None:
        assert server is not None
        with _served(server, str(model) if model else None, key_env, asking) as writer:
            yield writer
        return
    ref = resolve(offline)
    if ref.kind != "gguf":
        with in_process(ref, asking.temperature, asking.max_tokens) as writer:
            yield writer
        return
    from ..gguf.engine import LlamaEngine

    with LlamaEngine(ref.path or offline, slots=asking.parallel) as engine:
        host, port = engine.address
        with _served(f"http://{host}:{port}/v1", None, None, asking) as writer:
            writer.name = ref.name
            yield writer


@contextmanager
def _served(
    address: str, model: str | None, key_env: str | None, asking: Asking
) -> Iterator[Writer]:
    server = ChatServer(
        address, model, key_env=key_env, timeout=asking.timeout, retries=asking.retries
    )
    name = server.start()
    pool = ThreadPoolExecutor(max_workers=asking.parallel)

    def write(requests: Sequence[Messages], seed: int) -> list[Answer]:
        return [
            server.complete(
                request,
                temperature=asking.temperature,
                seed=(seed + n) % 2**31,
                max_tokens=asking.max_tokens,
            )
            for n, request in enumerate(requests)
        ]

    try:
        yield Writer(name, asking.parallel, write, pool)
    except Stopped:
        raise KeyboardInterrupt from None
    finally:
        server.stop.set()
        pool.shutdown(wait=False, cancel_futures=True)


@contextmanager
def in_process(ref: Any, temperature: float | None, max_tokens: int) -> Iterator[Writer]:
    """A model opened here."""
    from . import open_runtime

    with open_runtime(ref, device=pick_device(None, ref), batch_size=16) as runtime:

        def write(requests: Sequence[Messages], seed: int) -> list[Answer]:
            sampling = Sampling(temperature, seed) if temperature else None
            return runtime.answer(requests, max_new_tokens=max_tokens, sampling=sampling)

        yield Writer(ref.name, 16, write)
