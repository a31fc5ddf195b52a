"""What goes wrong with an Ollama server, in sentences."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

INSTALL = "https://ollama.com/download"

# (part of a refusal in lower case, its meaning); the first match counts.
_REFUSED = (
    (
        r"no space left|not enough space|disk (is )?full|quota exceeded",
        "The disk of the Ollama at {host} is full: {said}. Make room on it (`workshop ollama rm` "
        "removes models), then repeat the command.",
    ),
    (r"invalid model name", "Ollama does not take {name!r} as a model's name: {said}."),
    (
        r"newer version of ollama|unknown model architecture",
        "The Ollama at {host} is too old for {name}: {said}. Update it ({install}) and try again.",
    ),
    (
        r"more (system )?memory|out of memory|allocate|cudamalloc|not enough memory",
        "Ollama has not enough memory for {name}: {said}. Take a smaller quantization (Q4_K_M), a "
        "smaller num_ctx, or close what else uses memory.",
    ),
    (
        # of its manifest, and nothing else: a runner's end is told with more words
        r"^(unexpected )?eof$",
        "The Ollama at {host} holds {name} only in part ({said}): it was killed, or its disk was "
        "full, while the model was made or fetched. It neither lists nor removes what is there; "
        "make or pull {name} again.",
    ),
    (
        r"runner|(?<!\S)eof(?!\S)",
        "Ollama's runner of {name} stopped while {doing}: {said}. Most often memory is short; else "
        "the model does not suit this release. Its log says more; ask again to load it again.",
    ),
)
# The same for what only a fetch meets.
_NOT_FETCHED = (
    (
        r"http response to https client|not look like a tls handshake",
        "{Registry} speaks plain HTTP: {said}. If you trust it and the network between, add "
        "--insecure (insecure=True).",
    ),
    (
        r"certificate|x509",
        "The certificate of {registry} is not one that the Ollama at {host} trusts: {said}. Have "
        "it trusted on that machine; --insecure (insecure=True) does without.",
    ),
    (
        r"file does not exist|manifest unknown|not found",
        "There is no model {name} in {registry}. {where}",
    ),
    (
        r"digest mismatch",
        "What was fetched of {name} was damaged, and was thrown away: {said}. Repeat the command.",
    ),
    (
        r"\b(401|403)\b|unauthorized|access denied|forbidden",
        "{Registry} does not give {name} to the Ollama at {host}: {said}. It may be private, or "
        "its licence must be accepted first.",
    ),
    (
        r"no such host|dial tcp|lookup |unreachable|refused|timeout|server misbehaving|"
        r"name resolution|reset by peer|max retries exceeded|deadline exceeded|\beof\b",
        "The Ollama at {host} cannot reach {registry}: {said}. Look at the network (and proxy: "
        "HTTPS_PROXY counts where the server is started) of the machine it runs on, then repeat "
        "the command. A GGUF that you have needs no network: `workshop ollama create`.",
    ),
)


def refusal(host: str, said: str, status: int, doing: str, name: str | None) -> str:
    """What the server's refusal means. `doing` completes "… while …"; `name`: the model."""
    said = one_line(said)
    if sentence := _fitting(_REFUSED, said):
        return sentence.format(host=host, said=said, doing=doing, name=name, install=INSTALL)
    code = f" (status {status})" if status > 0 else ""
    return f"Ollama refused while {doing}: {said}{code}."


def is_missing(said: str, status: int) -> bool:
    """Whether a refusal says that the server does not have a model."""
    low = said.lower()
    return "not found" in low and (status == 404 or "model" in low)


def missing(host: str, name: str, names: Sequence[str]) -> str:
    """That a model is not there, with the nearest of the `names` that are."""
    names = [one.removesuffix(":latest") for one in names]
    wanted = name.removesuffix(":latest")
    near = difflib.get_close_matches(wanted, names, n=3, cutoff=0.5)
    near += [n for n in names if n not in near and n.split(":")[0] == wanted.split(":")[0]]
    if near:
        hint = f"Did you mean {' or '.join(near[:3])}?"
    elif names:
        hint = f"It has: {', '.join(names[:8])}{', …' if len(names) > 8 else ''}."
    else:
        hint = "It has no models yet."
    return (
        f"The Ollama at {host} has no model {name}. {hint} `workshop ollama create` makes one of a "
        f"GGUF, `workshop ollama pull {name}` fetches one from Ollama's library."
    )


def not_fetched(host: str, said: str, name: str) -> str | None:
    """Why a model could not be fetched; None for what has nothing to do with fetching."""
    said, parts = one_line(said), name.split("/")
    sentence = _fitting(_NOT_FETCHED, said)
    registry = f"the registry at {parts[0]}" if len(parts) == 3 else "Ollama's library"
    return sentence and sentence.format(
        host=host,
        said=said,
        name=name,
        registry=registry,
        Registry=registry[0].upper() + registry[1:],
        where=_where_to_look(name),
    )


def _fitting(sentences: Sequence[tuple[str, str]], said: str) -> str | None:
    return next((told for pattern, told in sentences if re.search(pattern, said.lower())), None)


def _where_to_look(name: str) -> str:
    """How to find a name that the registry has."""
    from .prompted import LIBRARY

    if name in LIBRARY:
        return f"{name} is its name in this course; there it is {LIBRARY[name]}."
    if name.count("/") == 2:
        return "Look its name and tag up there."
    model, _, tag = name.partition(":")
    place = f"library/{model}" if "/" not in model else model
    tags = f", the tags of a model at https://ollama.com/{place}/tags" if tag else ""
    return f"Look for it at https://ollama.com/search?q={model.rpartition('/')[2]}{tags}."


def broken(host: str, error: Exception, doing: str, timeout: float) -> str:
    """Why no answer came: the server is silent, not there, or gone."""
    import httpx

    if isinstance(error, httpx.TimeoutException):
        return (
            f"The Ollama at {host} was silent for {timeout:g} s while {doing}. It may be busy, or "
            "loading a large model: try again, give it more time, or restart it."
        )
    if isinstance(error, httpx.ConnectError | ConnectionError):
        return (
            f"No Ollama answers at {host}. Start it (open the Ollama app, or run `ollama serve`); "
            f"if it is not installed, get it at {INSTALL}; if it runs elsewhere, set OLLAMA_HOST."
        )
    return (
        f"The connection to the Ollama at {host} broke while {doing}: the server has stopped or "
        f"was stopped ({str(error) or type(error).__name__}). Start it again and repeat the "
        "command; nothing half-made was kept."
    )


def one_line(text: str) -> str:
    """A refusal on one line."""
    return " ".join(str(text).split())[:400].rstrip(".") or "no reason given"
