"""Models that write rows: behind a server, or in this process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..core.errors import Closing
from ..models.chat import Answer, Messages, Sampling
from ..models.identity import identity
from ..models.resolve import resolve
from . import open_runtime
from .openai import DEFAULT_SERVER, ChatServer


def writer_for(
    server: str | None = DEFAULT_SERVER,
    model: str | Path | None = None,
    offline_model: str | Path | None = None,
    **settings: Any,
) -> ChatServer | LocalWriter:
    """A writer of rows, not yet opened (`with` does that).

    `server`: any OpenAI-compatible one; `model`: its name there, None for the only one. Without a
    server (`server` is None, `model` is "mame" at the default address, or `offline_model` names a
    catalogue model, a folder or a GGUF file) the model runs in this process. `settings`:
    see `ChatServer`.
    """
    if offline_model is None and server is None:
        offline_model = model or "mame"
    if offline_model is None and model == "mame" and server == DEFAULT_SERVER:
        offline_model = "mame"
    if offline_model is not None:
        return LocalWriter(offline_model)
    return ChatServer(server or DEFAULT_SERVER, str(model) if model else None, **settings)


class LocalWriter(Closing):
    """A catalogue model, a folder or a GGUF file, run in this process."""

    batch = 16
    parallel = 1

    def __init__(self, model: str | Path) -> None:
        self.name = str(model)
        self.inputs: Mapping[str, Any] = {"model": identity(model), "server": None}
        self.can_ask = model != "mame"  # it has never learned to
        self._model = model
        self._runtime: Any = None

    def __enter__(self) -> LocalWriter:
        ref = resolve(self._model)
        self.name = ref.name
        self._runtime = open_runtime(ref, batch_size=4 if ref.kind == "gguf" else self.batch)
        return self

    def write(
        self, requests: Sequence[Messages], *, temperature: float | None, max_tokens: int, seed: int
    ) -> list[Answer]:
        """An answer to each request; without a temperature the likeliest one."""
        sampling = Sampling(temperature, seed) if temperature else None
        answers: list[Answer] = self._runtime.answer(
            requests, max_new_tokens=max_tokens, sampling=sampling
        )
        return answers

    def close(self) -> None:
        if self._runtime is not None:
            self._runtime.close()
