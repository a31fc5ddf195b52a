"""Proof that Ollama does not train: what a prompted and a tuned model share with their base.

Ollama keeps each part of a model under the SHA-256 of its content, so equal digests are equal
files: a prompted model has the weights of its base, a tuned one has others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...core.showing import Shown
from ...core.wordings import entries, say
from .client import Layer, Ollama


@dataclass(frozen=True)
class Proof(Shown):
    """The parts of each model, the base's first; shown in `language` ("en" or "ja")."""

    models: dict[str, list[Layer]]
    language: str = "en"

    @property
    def base(self) -> str:
        """The model that the others are held against."""
        return next(iter(self.models))

    def weights(self, name: str) -> str | None:
        """The digest of a model's weights."""
        return next((one.digest for one in self.models[name] if one.kind == "model"), None)

    def adapted(self, name: str) -> bool:
        """Whether a trained adapter is put on the weights when the model is loaded."""
        return any(one.kind == "adapter" for one in self.models[name])

    def shared(self, name: str) -> bool:
        """Whether nothing of the model was trained beyond the base."""
        return self._verdict(name) == "shares"

    def sentences(self, language: str = "en") -> list[str]:
        """What the digests say of each model but the base."""
        _, *names = self.models
        return [say(f"ollama.{self._verdict(n)}", language, name=n, base=self.base) for n in names]

    def _verdict(self, name: str) -> str:
        if self.weights(name) is None or self.weights(self.base) is None:
            return "unknown"
        if self.weights(name) != self.weights(self.base):
            return "differs"
        return "adapts" if self.adapted(name) else "shares"

    def cells(self, language: str = "en") -> list[list[str]]:
        """One row a part: its name, then each model's short digest and size, or "same"."""
        kinds = dict.fromkeys(one.kind for parts in self.models.values() for one in parts)
        return [
            [
                say(f"ollama.{kind}", language) if kind in entries("ollama") else kind,
                *(self._cell(name, kind, language) for name in self.models),
            ]
            for kind in kinds
        ]

    def _cell(self, name: str, kind: str, language: str) -> str:
        found, base = ([p for p in self.models[n] if p.kind == kind] for n in (name, self.base))
        if not found:
            return say("ollama.none", language)
        digests = " ".join(map(_short, found))
        same = name != self.base and found == base and all(one.digest for one in found)
        return say("ollama.same", language, digests=digests) if same else digests

    def to_dict(self) -> dict[str, Any]:
        """Parts and verdicts, as JSON takes them."""
        return {
            name: {
                "shares_the_weights_of_the_base": self.shared(name),
                "layers": [vars(one) for one in parts],
            }
            for name, parts in self.models.items()
        }


def proof(base: str, prompted: str, tuned: str | None = None, *, host: str | None = None) -> Proof:
    """What models of an Ollama server are made of: a base, one prompted, one tuned.

    Raises WorkshopError when no server answers or a model is not there.
    """
    with Ollama(host) as server:
        return Proof({name: server.layers(name) for name in (base, prompted, tuned) if name})


def _short(one: Layer) -> str:
    digest = one.digest.removeprefix("sha256:")[:12] if one.digest else "?"
    if one.size_bytes is None:
        return digest
    size = one.size_bytes
    return f"{digest} ({size / 1e6:,.1f} MB)" if size >= 1e5 else f"{digest} ({size:,} B)"
