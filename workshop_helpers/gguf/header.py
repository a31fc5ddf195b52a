"""What a GGUF says about itself: what the values of its header mean for the course."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.errors import WorkshopError
from ..models.gguf_format import Tensor, read_header

# Type → the number llama.cpp's quantizer knows it by (`llama_ftype` in llama.h, `general.file_type`
# in a GGUF).
TYPES = {
    "F32": 0, "F16": 1, "BF16": 32, "Q8_0": 7, "Q6_K": 18, "Q5_K_M": 17, "Q5_K_S": 16,
    "Q4_K_M": 15, "Q4_K_S": 14, "Q4_1": 3, "Q4_0": 2, "Q3_K_M": 12, "Q3_K_S": 11, "Q2_K": 10,
}  # fmt: skip
FLOAT_TYPES = {"F32": 4, "F16": 2, "BF16": 2}  # bytes a weight; what the converter writes here

# Written by our converter, read by our runtimes: "NFC" where the tokenizer composes letters and
# marks, else "none".
NORMALIZER = "workshop.tokenizer.normalizer"


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
    if path.is_dir():
        raise WorkshopError(
            f"{path} is a folder, not a GGUF file. `workshop gguf {path} --out FILE.gguf` converts "
            "the model in it."
        )
    try:
        metadata, tensors = read_header(path)
        return GgufFile(path, path.stat().st_size, metadata, tensors)
    except FileNotFoundError as err:
        raise WorkshopError(
            f"There is no file {path}. `workshop gguf MODEL --out FILE.gguf` makes one."
        ) from err
