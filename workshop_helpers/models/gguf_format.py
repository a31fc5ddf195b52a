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
# How keys end → the kind of their value; other keys are only shown.
_KINDS: dict[str, type] = {
    "general.architecture": str, "general.alignment": int, "general.file_type": int,
    "tokenizer.ggml.model": str, "tokenizer.ggml.pre": str, "tokenizer.ggml.tokens": list,
    "tokenizer.chat_template": str, "_token_id": int, ".context_length": int, ".block_count": int,
    ".embedding_length": int, ".vocab_size": int,
}  # fmt: skip


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
        shape = self.scalars("Q", dimensions)
        number, offset = self.scalar("I"), self.scalar("Q")
        try:
            kind = GGMLQuantizationType(number)
        except ValueError:
            raise _Damaged(f"tensor {name} has type {number}, which is unknown here") from None
        block, block_bytes = GGML_QUANT_SIZES[kind]
        if not shape or shape[0] % block:
            raise _Damaged(f"tensor {name} has shape {shape}, which {kind.name} cannot store")
        size = math.prod(shape) // block * block_bytes
        return Tensor(name, shape, kind.name, size, offset)


def _check_kinds(metadata: dict[str, Any]) -> None:
    """Raise _Damaged where a value that is used here is of another kind than it must be."""
    for key, value in metadata.items():
        wanted = next((kind for end, kind in _KINDS.items() if key.endswith(end)), None)
        # For Python True is an int, and no value of these kinds may be below 0.
        if wanted is not None and (
            not isinstance(value, wanted)
            or isinstance(value, bool)
            or (isinstance(value, int) and value < 0)
        ):
            raise _Damaged(f"the value of {key} in its header is of the wrong kind")


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
    _check_kinds(metadata)
    found = [reader.tensor() for _ in range(tensor_count)]
    alignment = metadata.get("general.alignment", 32) or 32
    start = -(-reader.file.tell() // alignment) * alignment
    end = start + max((tensor.offset + tensor.size_bytes for tensor in found), default=0)
    if end > size:
        raise _Damaged(
            f"its tensors need {end:,} bytes and it has {size:,} (a broken download or copy?)"
        )
    tensors = tuple(replace(tensor, offset=start + tensor.offset) for tensor in found)
    return metadata, tensors
