"""How a GGUF is laid out: its header, read in pure Python, with proof that the file holds what the
header promises. A damaged file is refused here, with the reason, before native code sees it. The
format: ggml/docs/gguf.md. What the values mean for a model is for the rooms that use them.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from ..core.errors import WorkshopError

# Numbers of GGUF's scalar types → struct format; 8 is a string, 9 an array.
_SCALARS = {**dict(enumerate("BbHhIif?")), 10: "Q", 11: "q", 12: "d"}
_LARGEST = 2**31 - 1  # llama.cpp counts in 32 bits
# How keys end → the kind of their value, and for numbers the least and the largest that llama.cpp
# (LLAMA_MAX_LAYERS, LLAMA_MAX_EXPERTS) runs with: it ends the process where it gets others.
_TOKENS = "tokenizer.ggml.tokens"
_KINDS: dict[str, type] = {
    "general.architecture": str, "general.type": str, "tokenizer.ggml.model": str,
    "tokenizer.ggml.pre": str, "tokenizer.chat_template": str, _TOKENS: list,
    "tokenizer.ggml.merges": list, "tokenizer.ggml.scores": list, "tokenizer.ggml.token_type": list,
}  # fmt: skip
_BOUNDS: dict[str, tuple[float, float]] = {
    "general.alignment": (1, 2**20), "general.file_type": (0, _LARGEST),
    "_token_id": (0, 2**32 - 1), ".context_length": (1, _LARGEST), ".block_count": (1, 512),
    ".embedding_length": (1, _LARGEST), ".vocab_size": (1, _LARGEST), ".expert_count": (0, 1024),
    ".head_count": (0, _LARGEST), ".head_count_kv": (0, _LARGEST), ".key_length": (0, _LARGEST),
    "_epsilon": (0, 1e30),
}  # fmt: skip
_BY_LAYER = (".head_count", ".head_count_kv")  # where layers differ, a list


@dataclass(frozen=True)
class Tensor:
    """One tensor of a GGUF: `shape` fastest axis first (shape[0] is the row length), `size_bytes`
    as stored, `offset` of its first byte in the file.
    """

    name: str
    shape: tuple[int, ...]
    type: str
    size_bytes: int
    offset: int

    @property
    def weights(self) -> int:
        return math.prod(self.shape)


def read_header(path: Path) -> tuple[dict[str, Any], tuple[Tensor, ...]]:
    """The key-value metadata and the tensors of a GGUF.

    Raises FileNotFoundError where there is no file, and WorkshopError for one that is no GGUF,
    truncated, or damaged in its header.
    """
    size = path.stat().st_size
    try:
        with path.open("rb") as file:
            return _read(_Reader(file, size), size)
    except _Damaged as err:
        raise WorkshopError(
            f"{path} is not a whole GGUF: {err}. Make it or download it again."
        ) from err


class _Damaged(Exception):
    pass


class _Reader:
    """Reads values off a file and never believes a length that goes past its end."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self.file, self.size = file, size

    def take(self, count: int) -> bytes:
        if count > self.size - self.file.tell():
            raise _Damaged("it ends in the middle of its header")
        return self.file.read(count)

    def scalars(self, code: str, count: int = 1) -> tuple[Any, ...]:
        form = f"<{count}{code}"
        return struct.unpack(form, self.take(struct.calcsize(form)))

    def scalar(self, code: str) -> Any:
        return self.scalars(code)[0]

    def string(self) -> str:
        return self.take(self.scalar("Q")).decode("utf-8", errors="replace")

    def value(self, kind: int) -> Any:
        if kind in _SCALARS:
            return self.scalar(_SCALARS[kind])
        if kind == 8:
            return self.string()
        if kind != 9:
            raise _Damaged(f"its header holds a value of unknown type {kind}")
        kind, count = self.scalar("I"), self.scalar("Q")
        if count > self.size:
            raise _Damaged("its header holds an array longer than the file")
        if kind in _SCALARS:
            return list(self.scalars(_SCALARS[kind], count))
        if kind == 9:
            raise _Damaged("its header holds an array of arrays, which no model has")
        return [self.value(kind) for _ in range(count)]

    def tensor(self) -> Tensor:
        """A tensor's entry; its `offset` counts from where the tensors begin."""
        from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

        name, dimensions = self.string(), self.scalar("I")
        if not 1 <= dimensions <= 4:
            raise _Damaged(f"tensor {name} has {dimensions} dimensions")
        shape = self.scalars("Q", dimensions)
        number, offset = self.scalar("I"), self.scalar("Q")
        try:
            kind = GGMLQuantizationType(number)
        except ValueError:
            raise _Damaged(f"tensor {name} has type {number}, which is unknown here") from None
        block, block_bytes = GGML_QUANT_SIZES[kind]
        if not all(shape) or shape[0] % block:
            raise _Damaged(f"tensor {name} has shape {shape}, which {kind.name} cannot store")
        size = math.prod(shape) // block * block_bytes
        return Tensor(name, shape, kind.name, size, offset)


def _check_values(metadata: dict[str, Any]) -> None:
    """Raise _Damaged for a value of another kind or size than it can have."""
    for key, value in metadata.items():
        kind = _KINDS.get(key)
        if kind is not None and not isinstance(value, kind):
            raise _Damaged(f"the value of {key} in its header is of the wrong kind")
        bounds = next((pair for end, pair in _BOUNDS.items() if key.endswith(end)), None)
        if bounds is not None:
            numbers = (
                value if isinstance(value, list) and value and key.endswith(_BY_LAYER) else [value]
            )
            wanted = float if key.endswith("_epsilon") else int
            if not all(_within(n, wanted, *bounds) for n in numbers):
                raise _Damaged(f"{key} is {str(value)[:40]} in its header, which no model has")
    tokens = metadata.get(_TOKENS, [])
    if not all(isinstance(token, str) for token in tokens):
        raise _Damaged(f"the value of {_TOKENS} in its header is of the wrong kind")
    for name in ("scores", "token_type"):
        told = metadata.get(f"tokenizer.ggml.{name}", tokens)
        if len(told) != len(tokens):
            raise _Damaged(f"it has {len(tokens)} tokens, and {name} of {len(told)}")


def _within(value: Any, kind: type, least: float, largest: float) -> bool:
    # type(), since for Python True is an int; NaN lies nowhere
    if type(value) is not kind or not isinstance(value, int | float):
        return False
    return least <= value <= largest


def _read(reader: _Reader, size: int) -> tuple[dict[str, Any], tuple[Tensor, ...]]:
    if size < 24 or reader.take(4) != b"GGUF":
        raise _Damaged("it does not begin with GGUF" if size else "it is empty")
    version = reader.scalar("I")
    if version not in (2, 3):
        raise _Damaged(f"its version is {version}, and llama.cpp reads 2 and 3")
    tensor_count, value_count = reader.scalars("Q", 2)
    metadata: dict[str, Any] = {}
    for _ in range(value_count):
        key = reader.string()
        metadata[key] = reader.value(reader.scalar("I"))
    _check_values(metadata)
    found = [reader.tensor() for _ in range(tensor_count)]
    alignment = metadata.get("general.alignment", 32)
    start = -(-reader.file.tell() // alignment) * alignment
    end = start + max((tensor.offset + tensor.size_bytes for tensor in found), default=0)
    if end > size:
        raise _Damaged(
            f"its tensors need {end:,} bytes and it has {size:,} (a broken download or copy?)"
        )
    tensors = tuple(replace(tensor, offset=start + tensor.offset) for tensor in found)
    return metadata, tensors
