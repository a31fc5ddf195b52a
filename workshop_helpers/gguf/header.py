"""What a GGUF says about itself: its header, read in pure Python.

A damaged file is refused here, with the reason, before native code sees it. The format:
ggml/docs/gguf.md.
"""

from __future__ import annotations

import math
import struct
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from ..core.errors import WorkshopError

# Type → the number llama.cpp's quantizer knows it by (`llama_ftype` in llama.h, `general.file_type`
# in a GGUF).
TYPES = {
    "F32": 0, "F16": 1, "BF16": 32, "Q8_0": 7, "Q6_K": 18, "Q5_K_M": 17, "Q5_K_S": 16,
    "Q4_K_M": 15, "Q4_K_S": 14, "Q4_0": 2, "Q3_K_M": 12, "Q3_K_S": 11, "Q2_K": 10,
}  # fmt: skip
FLOAT_TYPES = {"F32": 4, "F16": 2, "BF16": 2}  # bytes a weight; what the converter writes here

# Written by our converter, read by our runtimes: "NFC" where the tokenizer composes letters and
# marks, else "none".
NORMALIZER = "workshop.tokenizer.normalizer"

# Numbers of GGUF's scalar types → struct format; 8 is a string, 9 an array.
_SCALARS = {**dict(enumerate("BbHhIif?")), 10: "Q", 11: "q", 12: "d"}


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


@dataclass(frozen=True)
class GgufFile:
    """What a GGUF says about itself: its key-value metadata and the tensors it holds."""

    path: Path
    size_bytes: int
    metadata: dict[str, Any]
    tensors: tuple[Tensor, ...]

    @property
    def type(self) -> str:
        """The name of its quantization, such as "Q4_K_M"; "?" for one this course does not make."""
        number = self.metadata.get("general.file_type")
        return next((name for name, n in TYPES.items() if n == number), "?")

    @property
    def bits_per_weight(self) -> float:
        """Bits stored for tensors over the number of weights, all fallbacks and norms included."""
        weights = sum(t.weights for t in self.tensors)
        return 8 * sum(t.size_bytes for t in self.tensors) / weights if weights else 0.0

    @property
    def context_length(self) -> int:
        """The longest context the model was made for, in tokens (0 where the file does not say)."""
        return int(self.of_architecture("context_length") or 0)

    @property
    def composes(self) -> bool:
        """Whether the tokenizer composes letters and marks: see the function `composes`."""
        return composes(self.metadata)

    def of_architecture(self, name: str) -> Any:
        """A value that the metadata names after the architecture, such as qwen2.block_count."""
        return self.metadata.get(f"{self.metadata.get('general.architecture')}.{name}")

    def token_id(self, name: str) -> int | None:
        """The id of a special token: "eos", "eot", "eom", "bos"; None where the file has none."""
        return self.metadata.get(f"tokenizer.ggml.{name}_token_id")


def composes(metadata: Mapping[str, Any]) -> bool:
    """Whether the model's tokenizer brings text into Unicode's composed form (NFC) first.

    Qwen's does; llama.cpp and Ollama do not, and would read か + ゛ as other tokens than the model
    has learned. `metadata`: of a GGUF, or what Ollama shows of one. A file that another converter
    made does not say: Qwen's way of splitting then stands for Qwen's tokenizer.
    """
    told = metadata.get(NORMALIZER)
    return told == "NFC" if told is not None else metadata.get("tokenizer.ggml.pre") == "qwen2"


def composed(messages: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    """The messages with their texts in Unicode's composed form (NFC)."""
    return [{**m, "content": unicodedata.normalize("NFC", m["content"])} for m in messages]


def read_gguf(path: str | Path) -> GgufFile:
    """The header of a GGUF, with the proof that every tensor it promises lies inside the file.

    Raises WorkshopError for a file that is missing, no GGUF, truncated, or damaged in its header.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            return _read(path, _Reader(file, size), size)
    except FileNotFoundError as err:
        raise WorkshopError(
            f"There is no file {path}. `workshop gguf MODEL --out FILE.gguf` makes one."
        ) from err
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


def _read(path: Path, reader: _Reader, size: int) -> GgufFile:
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
    found = [reader.tensor() for _ in range(tensor_count)]
    alignment = int(metadata.get("general.alignment", 32)) or 32
    start = -(-reader.file.tell() // alignment) * alignment
    end = start + max((tensor.offset + tensor.size_bytes for tensor in found), default=0)
    if end > size:
        raise _Damaged(
            f"its tensors need {end:,} bytes and it has {size:,} (a broken download or copy?)"
        )
    tensors = tuple(replace(tensor, offset=start + tensor.offset) for tensor in found)
    return GgufFile(path, size, metadata, tensors)
