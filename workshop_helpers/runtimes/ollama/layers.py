"""Proof that Ollama does not train: what a prompted model shares with its base, and what a tuned
one does not.

Ollama keeps each part of a model under the SHA-256 of its content. Equal digests are equal files: a
model made with a Modelfile's SYSTEM, PARAMETER and MESSAGE lines has the very weights of its base,
a tuned model has others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...core.showing import Shown
from .client import Layer, Ollama

_TEXTS = {
    "en": {
        "part": "part",
        "same": "same",
        "none": "none",
        "model": "weights",
        "adapter": "adapter",
        "projector": "projector",
        "template": "template",
        "system": "system text",
        "params": "parameters",
        "messages": "messages",
        "license": "licence",
        "shares": "{name}: the same weights as {base}, byte for byte. Nothing was trained; only what stands around the "
        "weights is new.",
        "differs": "{name}: other weights than {base}. This model was trained.",
        "adapts": "{name}: the weights of {base} and an adapter. The adapter was trained, outside Ollama.",
        "unknown": "{name}: the server does not name its weights.",
    },
    "ja": {
        "part": "部品",
        "same": "同じ",
        "none": "なし",
        "model": "重み",
        "adapter": "アダプター",
        "projector": "プロジェクター",
        "template": "テンプレート",
        "system": "システム文",
        "params": "パラメーター",
        "messages": "例の会話",
        "license": "ライセンス",
        "shares": "{name}：重みは{base}とバイト単位で同じです。学習は行われておらず、新しいのは重みの周りだけです。",
        "differs": "{name}：重みが{base}と違います。学習したモデルです。",
        "adapts": "{name}：{base}の重みとアダプターです。アダプターはOllamaの外で学習したものです。",
        "unknown": "{name}：重みのダイジェストをサーバーが返しません。",
    },
}


@dataclass(frozen=True)
class Proof(Shown):
    """The parts of each model, the base's first; tables and sentences in English ("en") or Japanese
    ("ja").
    """

    models: dict[str, list[Layer]]

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
        same = self.weights(name) is not None and self.weights(name) == self.weights(self.base)
        return same and not self.adapted(name)

    def sentences(self, language: str = "en") -> list[str]:
        """What the digests say of each model but the base."""
        texts, said = _TEXTS[language], []
        for name in list(self.models)[1:]:
            if self.weights(name) is None or self.weights(self.base) is None:
                key = "unknown"
            elif self.shared(name):
                key = "shares"
            else:
                key = "adapts" if self.weights(name) == self.weights(self.base) else "differs"
            said.append(texts[key].format(name=name, base=self.base))
        return said

    def cells(self, language: str = "en") -> list[list[str]]:
        """One row a part: its name, then each model's digest (shortened) and size, or that it is
        the base's.
        """
        texts = _TEXTS[language]
        kinds = list(dict.fromkeys(one.kind for parts in self.models.values() for one in parts))
        rows = []
        for kind in kinds:
            row, first = [texts.get(kind, kind)], self._of(self.base, kind)
            for name in self.models:
                found = self._of(name, kind)
                if not found:
                    row.append(texts["none"])
                    continue
                known = all(one.digest for one in found)
                same = name != self.base and known and found == first
                row.append(" ".join(map(_short, found)) + (f" = {texts['same']}" if same else ""))
            rows.append(row)
        return rows

    def _of(self, name: str, kind: str) -> list[Layer]:
        return [one for one in self.models[name] if one.kind == kind]

    def part(self, language: str = "en") -> str:
        """The heading of the column that names the parts."""
        return _TEXTS[language]["part"]

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
    """Looks at what models of an Ollama server are made of: a base, one made from it by prompting,
    one that was tuned.

    Raises WorkshopError when no server answers or a model is not there.
    """
    names = [base, prompted, *([tuned] if tuned else [])]
    with Ollama(host) as server:
        return Proof({name: server.layers(name) for name in names})


def _short(one: Layer) -> str:
    digest = one.digest.removeprefix("sha256:")[:12] if one.digest else "?"
    if one.size_bytes is None:
        return digest
    size = one.size_bytes
    return f"{digest} ({size / 1e6:,.1f} MB)" if size >= 1e5 else f"{digest} ({size:,} B)"
