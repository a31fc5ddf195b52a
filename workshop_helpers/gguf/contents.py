"""What fills a GGUF: the share of each tensor type, its values shortened for reading, and what its
tokenizer says about itself.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from .header import GgufFile, Tensor

# Special tokens of a tokenizer, as the keys of the metadata name them.
SPECIAL = ("bos", "eos", "eot", "eom", "unknown", "padding")


@dataclass(frozen=True)
class TypeShare:
    """The tensors of one type: how many, their weights, their bytes, and the share of the file's
    bytes, from 0 to 1.
    """

    type: str
    tensors: int
    weights: int
    size_bytes: int
    share: float


def type_shares(file: GgufFile) -> list[TypeShare]:
    """The types of a file's tensors, the one with the most bytes first."""
    by_type: dict[str, list[Tensor]] = defaultdict(list)
    for tensor in file.tensors:
        by_type[tensor.type].append(tensor)
    found = []
    for kind, tensors in by_type.items():
        size = sum(tensor.size_bytes for tensor in tensors)
        weights = sum(tensor.weights for tensor in tensors)
        found.append(TypeShare(kind, len(tensors), weights, size, size / file.size_bytes))
    return sorted(found, key=lambda one: -one.size_bytes)


def header_bytes(file: GgufFile) -> int:
    """Bytes that are no tensor: the metadata, the names of the tensors, and padding."""
    return file.size_bytes - sum(tensor.size_bytes for tensor in file.tensors)


def shortened(value: Any, items: int = 5, characters: int = 120) -> str:
    """A value of the metadata on one line: of a long array the first items and the number of all,
    of a long text the beginning and the number of its characters.
    """
    if isinstance(value, list):
        first = ", ".join(shortened(item, items, 24) for item in value[:items])
        return f"[{first}]" if len(value) <= items else f"[{first}, … {len(value):,}]"
    if isinstance(value, str):
        line = repr(value)[1:-1] if not value.isprintable() else value
        if len(line) <= characters:
            return line
        return f"{line[:characters].rstrip()} … {len(value):,}"
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value)


def tokenizer_facts(file: GgufFile) -> dict[str, str]:
    """What the metadata says about the tokenizer: its kind, its way of splitting, the number of
    tokens and merges, and each special token with its id. Without what the file does not say.
    """
    key = "tokenizer.ggml."
    tokens, merges = file.metadata.get(f"{key}tokens") or [], file.metadata.get(f"{key}merges")
    facts = {"model": file.metadata.get(f"{key}model"), "pre": file.metadata.get(f"{key}pre")}
    facts["tokens"] = f"{len(tokens):,}" if tokens else None
    facts["merges"] = f"{len(merges):,}" if merges else None
    for name in SPECIAL:
        id = file.token_id(name)
        if id is not None:
            text = tokens[id] if 0 <= id < len(tokens) else "?"
            facts[name] = f"{text} ({id})"
    return {name: value for name, value in facts.items() if value is not None}
