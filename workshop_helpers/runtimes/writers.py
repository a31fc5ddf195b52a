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
    *,
    key_env: str | None = None,
    **settings: Any,
) -> ServerWriter | LocalWriter:
    """A writer of rows, not yet opened (`with` does that).

    `server`: any OpenAI-compatible one; `model`: its name there, None for the only one. Without a
    server (`server` is None, `model` is "mame" at the default address, or `offline_model` names a
    catalogue model, a folder or a GGUF file) the model runs in this process. `key_env` and
    `settings`: see `ServerWriter`.
    """
    if offline_model is None and server is None:
        offline_model = model or "mame"
    if offline_model is None and model == "mame" and server == DEFAULT_SERVER:
        offline_model = "mame"
    if offline_model is not None:
        return LocalWriter(offline_model)
    return ServerWriter(server or DEFAULT_SERVER, model, key_env=key_env, **settings)


class ServerWriter(Closing):
    """A model on an OpenAI-compatible server, asked `parallel` requests at a time; for the other
    settings see `ChatServer`.
    """

    batch = 1
    can_ask = True

    def __init__(
        self,
        address: str,
        model: str | Path | None = None,
        *,
        parallel: int = 4,
        key_env: str | None = None,
        timeout: float = 120.0,
        retries: int = 4,
    ) -> None:
        self.name = str(model or "")
        self.inputs: Mapping[str, Any] = {"model": self.name, "server": address}
        self.parallel = parallel
        self._settings: dict[str, Any] = {
            "key_env": key_env,
            "timeout": timeout,
            "retries": retries,
        }
        self._server: ChatServer | None = None

    def __enter__(self) -> ServerWriter:
        self._server = ChatServer(self.inputs["server"], self.name or None, **self._settings)
        self.name = self._server.start()
        return self

    def write(
        self, requests: Sequence[Messages], *, temperature: float | None, max_tokens: int, seed: int
    ) -> list[Answer]:
        """An answer to each request, one after the other."""
        assert self._server is not None
        return [
            self._server.complete(
                request, temperature=temperature, seed=(seed + n) % 2**31, max_tokens=max_tokens
            )
            for n, request in enumerate(requests)
        ]

    def close(self) -> None:
        if self._server is not None:
            self._server.close()


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
