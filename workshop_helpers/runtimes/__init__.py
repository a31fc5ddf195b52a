"""One protocol for getting answers, whatever runs the model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..core.cards import warn_outdated
from ..models.chat import Answer, conversation
from ..models.resolve import ModelRef, resolve
from .base import Runtime

if TYPE_CHECKING:
    from ..core.device import Device


def open_runtime(
    model: str | Path | ModelRef,
    *,
    device: Device | str | None = None,
    batch_size: int | None = None,
) -> Runtime:
    """A runtime with the model loaded: llama.cpp for a `.gguf` file, Ollama for `ollama:NAME`, else
    Transformers.

    `batch_size` is how many conversations are answered at a time; None lets the runtime choose.
    Warns (`Outdated`) where what a file or folder was made from has been replaced since. Raises
    WorkshopError for what `resolve` and `load_model` refuse, and for an Ollama that is not there.
    """
    ref = resolve(model)
    warn_outdated(ref.path)
    if ref.kind == "ollama":
        from .ollama.runtime import OllamaRuntime

        return OllamaRuntime(ref.name, batch_size=batch_size or 1)
    if ref.kind == "gguf":
        from .llama_cpp import LlamaCppRuntime

        assert ref.path is not None
        return LlamaCppRuntime(ref.path, slots=batch_size)
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
    messages = conversation(question, system)
    with open_runtime(model, device=device, batch_size=1) as runtime:
        return runtime.answer([messages], max_new_tokens=max_new_tokens)[0]
