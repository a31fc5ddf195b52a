"""What an Ollama server tells of a model: facts, the layers it is made of, and timings."""

from __future__ import annotations

import ast
import hashlib
import json
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...gguf.header import composes


@dataclass(frozen=True)
class OllamaModel:
    """A model that the server has, as its list tells; `quantization` such as "Q4_K_M"."""

    name: str
    size_bytes: int
    digest: str
    parameters: str
    quantization: str
    family: str
    modified: str

    @classmethod
    def of(cls, listed: Any) -> OllamaModel:
        """An entry of the list that Ollama's client gives."""
        details = listed.details
        return cls(
            name=str(listed.model),
            size_bytes=int(listed.size or 0),
            digest=str(listed.digest),
            parameters=getattr(details, "parameter_size", None) or "",
            quantization=getattr(details, "quantization_level", None) or "",
            family=getattr(details, "family", None) or "",
            modified=listed.modified_at.isoformat() if listed.modified_at else "",
        )


@dataclass(frozen=True)
class OllamaFacts:
    """What `show` tells of a model. `parameters` are those that were set; `context_length` is what
    it was made for, 0 where the server does not say; `weights` is the digest of its weights;
    `composes`: see `gguf.header.composes`.
    """

    name: str
    family: str
    parameter_size: str
    quantization: str
    context_length: int
    template: str
    system: str
    parameters: dict[str, str | list[str]]
    capabilities: tuple[str, ...]
    modelfile: str
    weights: str | None
    license: str | None = None
    composes: bool = False


@dataclass(frozen=True)
class Timings:
    """What Ollama measured, in seconds: loading the model, the prompt, the answer, all of it."""

    load_seconds: float
    prompt_tokens: int
    prompt_seconds: float
    tokens: int
    seconds: float
    total_seconds: float

    @classmethod
    def of(cls, last: Any) -> Timings:
        """Those that the last part of an answer brings, in nanoseconds."""
        return cls(
            load_seconds=_count(last.load_duration) / 1e9,
            prompt_tokens=_count(last.prompt_eval_count),
            prompt_seconds=_count(last.prompt_eval_duration) / 1e9,
            tokens=_count(last.eval_count),
            seconds=_count(last.eval_duration) / 1e9,
            total_seconds=_count(last.total_duration) / 1e9,
        )

    @property
    def prompt_tokens_per_second(self) -> float:
        """0 where Ollama measured nothing, as for a prompt that it remembered."""
        return self.prompt_tokens / self.prompt_seconds if self.prompt_seconds else 0.0

    @property
    def tokens_per_second(self) -> float:
        """Of the answer; 0 where Ollama measured nothing."""
        return self.tokens / self.seconds if self.seconds else 0.0

    def __str__(self) -> str:
        return (
            f"load {self.load_seconds:.2f} s · prompt {self.prompt_tokens} tokens, "
            f"{self.prompt_tokens_per_second:,.0f}/s · answer {self.tokens} tokens, "
            f"{self.tokens_per_second:,.0f}/s"
        )


def _count(said: int | None) -> int:
    """What a server counted, as far as it can be a count."""
    return said if said and 0 <= said < 2**63 else 0


@dataclass(frozen=True)
class Layer:
    """One part of a model, kept by the server as a blob under the hash of its content. `kind`:
    "model" (the weights), "adapter", "template", "system", "params", "messages", "license". Digest
    and size are None where unknown.
    """

    kind: str
    digest: str | None
    size_bytes: int | None


def read_facts(name: str, shown: dict[str, Any]) -> OllamaFacts:
    """The facts of the model `name` from the server's reply to /api/show."""
    info, details = shown.get("model_info") or {}, shown.get("details") or {}

    def text(name: str, of: dict[str, Any] = shown) -> str:
        value = of.get(name) or ""
        if not isinstance(value, str):
            raise TypeError(f"{name} is no text")
        return value

    modelfile = text("modelfile")
    return OllamaFacts(
        name=name,
        family=text("family", details),
        parameter_size=text("parameter_size", details),
        quantization=text("quantization_level", details),
        context_length=int(info.get(f"{info.get('general.architecture')}.context_length") or 0),
        template=text("template"),
        system=text("system"),
        parameters=_parameters(text("parameters")),
        capabilities=tuple(map(str, shown.get("capabilities") or ())),
        modelfile=modelfile,
        weights=_digest("FROM", modelfile),
        license=text("license") or None,
        composes=composes(info),
    )


def _digest(instruction: str, modelfile: str) -> str | None:
    """The digest of the blob that an instruction of a shown Modelfile names."""
    pattern = rf"^{instruction} .*sha256[-:]([0-9a-f]{{64}})\s*$"
    found = re.search(pattern, modelfile, re.M)
    return f"sha256:{found[1]}" if found else None


def layers_of(facts: OllamaFacts) -> list[Layer]:
    """The layers of a model, its weights first.

    On the server's own machine its manifest names them. Elsewhere they are worked out from the
    facts: digests of texts are computed, those of parameters and messages stay unknown.
    """
    order = ("model", "adapter", "projector", "template", "system", "params", "messages")
    found = _manifest_layers(facts) or _shown_layers(facts)
    return sorted(found, key=lambda one: order.index(one.kind) if one.kind in order else len(order))


def _manifest_layers(facts: OllamaFacts) -> list[Layer]:
    """The layers by the server's manifest; none where it cannot be read from here."""
    blob = re.search(
        r"^FROM (.+?)[/\\\\]blobs[/\\\\]sha256[-:][0-9a-f]{64}\s*$", facts.modelfile, re.M
    )
    if blob is None:
        return []
    last = facts.name.rpartition("/")[2]  # a colon before the last slash is a host's port
    name, tag = (facts.name, "latest") if ":" not in last else facts.name.rsplit(":", 1)
    parts = name.split("/")
    parts = ["registry.ollama.ai", "library"][: 3 - len(parts)] + parts
    try:
        text = Path(blob.group(1), "manifests", *parts, tag).read_text(encoding="utf-8")
        found = [
            Layer(one["mediaType"].rpartition(".")[2], one["digest"], int(one["size"]))
            for one in json.loads(text)["layers"]
        ]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    # the path may lead to another server's folder here: the weights must be those that were shown
    return found if facts.weights in {one.digest for one in found if one.kind == "model"} else []


def _shown_layers(facts: OllamaFacts) -> list[Layer]:
    texts = {
        name: getattr(facts, name).encode("utf-8", "surrogatepass")
        for name in ("template", "system")
    }
    adapter = _digest("ADAPTER", facts.modelfile)
    has_messages = re.search(r"^MESSAGE ", facts.modelfile, re.M)
    return [
        Layer("model", facts.weights, None),
        *([Layer("adapter", adapter, None)] if adapter else []),
        *(
            Layer(kind, f"sha256:{hashlib.sha256(text).hexdigest()}", len(text))
            for kind, text in texts.items()
            if text
        ),
        *([Layer("params", None, None)] if facts.parameters else []),
        *([Layer("messages", None, None)] if has_messages else []),
    ]


def _parameters(text: str) -> dict[str, str | list[str]]:
    """`show` prints one parameter per line, `stop` once for each text, quoted."""
    found: dict[str, str | list[str]] = {}
    for line in text.splitlines():
        name, _, value = line.strip().partition(" ")
        value = value.strip()
        if value[:1] == value[-1:] == '"' and len(value) > 1:
            with suppress(ValueError, SyntaxError, RecursionError, MemoryError):
                value = ast.literal_eval(value)  # quoted as Go does it, which Python reads alike
        if name == "stop":
            stops = found.setdefault(name, [])
            assert isinstance(stops, list)
            stops.append(value)
        elif name:
            found[name] = value
    return found
