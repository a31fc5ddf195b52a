"""Whether an Ollama server computes what llama.cpp computes with the same file.

Ollama runs code of its own, chosen for the processor: 0.9.3 answered nonsense from quantized
weights on processors with AMX, and said nothing.
"""

from __future__ import annotations

from pathlib import Path

from ...gguf.engine import LlamaEngine
from ...models.chat import conversation
from .runtime import OllamaRuntime

_ASKED, _TOKENS = "Hello! 送料は？", 16
# Two tokens nearer to each other than this, in nats, are a tie that rounding decides.
_LEVEL = 0.5


def difference(name: str, gguf: Path, *, system: str | None, host: str | None) -> str | None:
    """One question, greedily, to Ollama's model `name` and to llama.cpp with the `gguf` that it was
    made of; a sentence where the answers part by more than rounding, else None. Also None where
    memory has no room for a second copy. Raises WorkshopError where one of the two does not answer.
    """
    import psutil

    if gguf.stat().st_size > psutil.virtual_memory().available / 2:
        return None
    question = conversation(_ASKED)
    with OllamaRuntime(name, host=host, context=512) as runtime:
        (theirs,) = runtime.answer([question], max_new_tokens=_TOKENS)
    with LlamaEngine(gguf, context=512) as engine:
        prompt = engine.render(conversation(_ASKED, system))
        ours = engine.complete(prompt, max_new_tokens=_TOKENS)
        end = engine.file.token_id("eot") or engine.file.token_id("eos")
        told, mine = (
            [*engine.tokenize(one.text), *([end] if one.stopped and end is not None else [])]
            for one in (theirs, ours)
        )
        pairs = enumerate(zip(told, mine, strict=False))
        at = next((n for n, (a, b) in pairs if a != b), None)
        if at is None:
            return None
        likely = dict(engine.next_token(engine.tokenize(prompt) + mine[:at]))
    gap = likely[mine[at]] - likely.get(told[at], float("-inf"))
    if gap < _LEVEL:
        return None
    return (
        f"Asked {_ASKED!r}, the server answers {theirs.text[:60]!r}, and llama.cpp answers "
        f"{ours.text.strip()[:60]!r} from the same file ({gap:.1f} nats apart): the server "
        "computes otherwise. Update Ollama, or run the file with `workshop ask FILE.gguf`."
    )
