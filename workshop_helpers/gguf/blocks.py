"""One block of a quantized tensor, taken apart: the integers it stores, their scales, and the
weights that come back.

llama.cpp stores the weights of a row in blocks, each for itself:

    weight = step x integer + offset

where a group of 16 or 32 neighbours shares step and offset. In the plain types (Q8_0, Q4_0, Q5_0,
Q5_1) a block is one group of 32 and holds its step as a 16-bit float. In the K-types 256 weights
are a block, and the steps and offsets of its groups are small integers themselves, times one float
for the block. The layout of the bytes: ggml/src/ggml-common.h, and gguf-py's quants.py, whose
`dequantize` gives the same values bit by bit (tested).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..core.errors import WorkshopError
from ..models.gguf_format import Tensor
from .header import FLOAT_TYPES, GgufFile, read_gguf

if TYPE_CHECKING:
    import numpy as np

# For each type: the fields of a block in the order of its bytes, and the bytes of each. "scale" and
# "minimum" are 16-bit floats; "scales" are the packed integers of the groups; "quants" and "high"
# hold the low and the high bits of the weights' integers.
LAYOUTS: dict[str, dict[str, int]] = {
    "Q8_0": {"scale": 2, "quants": 32},
    "Q5_1": {"scale": 2, "minimum": 2, "high": 4, "quants": 16},
    "Q5_0": {"scale": 2, "high": 4, "quants": 16},
    "Q4_0": {"scale": 2, "quants": 16},
    "Q6_K": {"quants": 128, "high": 64, "scales": 16, "scale": 2},
    "Q5_K": {"scale": 2, "minimum": 2, "scales": 12, "high": 32, "quants": 128},
    "Q4_K": {"scale": 2, "minimum": 2, "scales": 12, "quants": 128},
    "Q3_K": {"high": 32, "quants": 64, "scales": 12, "scale": 2},
    "Q2_K": {"scales": 16, "quants": 64, "scale": 2, "minimum": 2},
}
_SMALL, _LARGE = 32, 256  # weights in a block of the plain types and of the K-types


def block_weights(type: str) -> int:
    """Weights in a block of `type`. Raises WorkshopError for a type that is not in `LAYOUTS`."""
    if type not in LAYOUTS:
        raise WorkshopError(
            f"Blocks of type {type} are not taken apart here. These are: {', '.join(LAYOUTS)}."
        )
    return _LARGE if type.endswith("_K") else _SMALL


@dataclass(frozen=True)
class Block:
    """Block `number` of `tensor`.

    `integers` and `values` are in the order of the weights; `steps` and `offsets` are one a group
    of `group` weights. In K-types `scale` times an integer of `scales` is a group's step, and minus
    `minimum` times an integer of `minimums` its offset; `minimum` is None and `minimums` is empty
    for a type that has no offset. In Q5_1 `minimum` is the offset itself.
    """

    tensor: str
    number: int
    type: str
    integers: tuple[int, ...]
    scale: float
    scales: tuple[int, ...]
    minimum: float | None
    minimums: tuple[int, ...]
    steps: tuple[float, ...]
    offsets: tuple[float, ...]
    values: tuple[float, ...]

    @property
    def start(self) -> int:
        """The place of its first weight among the weights of the tensor."""
        return self.number * len(self.integers)

    @property
    def group(self) -> int:
        """How many neighbours share a step."""
        return len(self.integers) // len(self.steps)

    @property
    def fields(self) -> dict[str, int]:
        """The bytes of each field, in their order in the file."""
        return LAYOUTS[self.type]

    @property
    def size_bytes(self) -> int:
        return sum(self.fields.values())

    @property
    def bits_per_weight(self) -> float:
        return 8 * self.size_bytes / len(self.integers)


@dataclass(frozen=True)
class RoundingError:
    """How far restored weights are from the original ones: the `mean` and the `largest` distance,
    and `relative`, the root of the mean square over that of the original weights.
    """

    mean: float
    largest: float
    relative: float


def find_tensor(file: GgufFile, name: str) -> Tensor:
    """The tensor of that name. Raises WorkshopError where the file has none."""
    found = next((tensor for tensor in file.tensors if tensor.name == name), None)
    if found is None:
        raise WorkshopError(
            f"{file.path.name} has no tensor {name}. It has, for example, {file.tensors[0].name}."
        )
    return found


def read_block(file: str | Path | GgufFile, tensor: str, number: int) -> Block:
    """Block `number` (from 0) of the tensor of that name, taken apart.

    Raises WorkshopError for a tensor or a block that is not there, and for a type that is not in
    `LAYOUTS`, by its name.
    """
    import numpy as np

    file = file if isinstance(file, GgufFile) else read_gguf(file)
    found = find_tensor(file, tensor)
    weights = block_weights(found.type)
    _within(found, "block", number, found.weights // weights)
    size = sum(LAYOUTS[found.type].values())
    raw = _bytes(file, found.offset + number * size, size)
    field, at = {}, 0
    for name, length in LAYOUTS[found.type].items():
        field[name], at = raw[at : at + length], at + length
    parts = _UNPACK[found.type](field)
    steps, offsets = _steps(parts)
    groups = parts.integers.reshape(len(steps), -1).astype(np.float32)
    values = steps[:, None] * groups + offsets[:, None]
    return Block(
        tensor,
        number,
        found.type,
        _ints(parts.integers),
        float(parts.scale),
        _ints(parts.scales),
        None if parts.minimum is None else float(parts.minimum),
        _ints(parts.minimums),
        tuple(map(float, steps)),
        tuple(map(float, offsets)),
        tuple(map(float, values.reshape(-1))),
    )


def read_weights(
    file: str | Path | GgufFile, tensor: str, start: int, count: int
) -> tuple[float, ...]:
    """`count` weights of a tensor in F32, F16 or BF16, from the place `start` on.

    Raises WorkshopError for a tensor or a place that is not there, and for another type.
    """
    import numpy as np

    file = file if isinstance(file, GgufFile) else read_gguf(file)
    found = find_tensor(file, tensor)
    if found.type not in FLOAT_TYPES:
        raise WorkshopError(
            f"{tensor} in {file.path.name} is {found.type}; the original weights are in the F16 "
            "file it was made from."
        )
    _within(found, "weight", start, found.weights)
    _within(found, "weight", start + count - 1, found.weights)
    width = FLOAT_TYPES[found.type]
    raw = _bytes(file, found.offset + start * width, count * width)
    if found.type == "BF16":
        return tuple(map(float, (raw.view("<u2").astype("<u4") << 16).view("<f4")))
    return tuple(map(float, raw.view(np.dtype(f"<f{width}"))))


def read_restored(
    file: str | Path | GgufFile, tensor: str, start: int, count: int
) -> tuple[float, ...]:
    """`count` weights of a quantized tensor as they come back, from the place `start` on. Raises
    what `read_block` raises.
    """
    file = file if isinstance(file, GgufFile) else read_gguf(file)
    size = block_weights(find_tensor(file, tensor).type)
    first, last = start // size, (start + count - 1) // size
    values = [
        value
        for number in range(first, last + 1)
        for value in read_block(file, tensor, number).values
    ]
    return tuple(values[start - first * size :][:count])


def rounding_error(restored: Sequence[float], original: Sequence[float]) -> RoundingError:
    """What rounding did to weights; `original`: the same ones as `read_weights` gives them."""
    distances = [abs(one - other) for one, other in zip(restored, original, strict=True)]
    power = sum(weight * weight for weight in original)
    off = sum(distance * distance for distance in distances)
    return RoundingError(
        sum(distances) / len(distances), max(distances), (off / power) ** 0.5 if power else 0.0
    )


def _within(tensor: Tensor, what: str, number: int, count: int) -> None:
    if not 0 <= number < count:
        raise WorkshopError(
            f"{tensor.name} ({tensor.type}) has {what}s 0 to {count - 1:,}, and {number:,} is none."
        )


def _bytes(file: GgufFile, start: int, count: int) -> np.ndarray:
    import numpy as np

    with file.path.open("rb") as opened:
        opened.seek(start)
        return np.frombuffer(opened.read(count), dtype=np.uint8)


def _ints(array: Sequence[int] | np.ndarray) -> tuple[int, ...]:
    return tuple(int(value) for value in array)


class _Parts(NamedTuple):
    integers: np.ndarray
    scale: np.float32
    minimum: np.float32 | None = None  # of the groups' offsets
    scales: Sequence[int] | np.ndarray = ()
    minimums: Sequence[int] | np.ndarray = ()


def _steps(parts: _Parts) -> tuple[np.ndarray, np.ndarray]:
    """Step and offset of each group, in 32-bit floats as llama.cpp computes them."""
    import numpy as np

    if not len(parts.scales):
        offset = 0.0 if parts.minimum is None else parts.minimum
        return np.array([parts.scale]), np.array([offset], dtype=np.float32)
    steps = parts.scale * np.asarray(parts.scales, dtype=np.float32)
    if parts.minimum is None:
        return steps, np.zeros_like(steps)
    return steps, -(parts.minimum * np.asarray(parts.minimums, dtype=np.float32))


# The fields of one block by name, as bytes.
_Fields = dict[str, "np.ndarray"]


def _float(field: np.ndarray) -> np.float32:
    import numpy as np

    return np.float32(field.view("<f2")[0])


def _minimum(fields: _Fields) -> np.float32 | None:
    return _float(fields["minimum"]) if "minimum" in fields else None


def _bits(field: np.ndarray, bits: int, run: int) -> np.ndarray:
    """Integers of `bits` bits in the order of the weights: `run` bytes give their lowest bits to
    the first `run` weights, the next bits to the next `run` weights, and so on.
    """
    import numpy as np

    shifts = np.arange(0, 8, bits, dtype=np.uint8).reshape(1, -1, 1)
    return ((field.reshape(-1, 1, run) >> shifts) & (2**bits - 1)).reshape(-1).astype(np.int32)


def _q8_0(fields: _Fields) -> _Parts:
    import numpy as np

    return _Parts(fields["quants"].view(np.int8), _float(fields["scale"]))


def _plain(fields: _Fields) -> _Parts:
    """Q4_0, Q5_0 and Q5_1: the second half of the weights is in the upper halves of the bytes."""
    import numpy as np

    integers, high = _bits(fields["quants"], 4, 16), fields.get("high")
    if high is not None:
        integers = integers + 16 * np.unpackbits(high, bitorder="little").astype(np.int32)
    minimum = _minimum(fields)
    if minimum is None:
        integers = integers - (8 if high is None else 16)
    return _Parts(integers, _float(fields["scale"]), minimum)


def _q2_k(fields: _Fields) -> _Parts:
    packed = fields["scales"]  # each byte: a scale, and above it a minimum
    return _Parts(
        _bits(fields["quants"], 2, 32),
        _float(fields["scale"]),
        _minimum(fields),
        packed & 15,
        packed >> 4,
    )


def _q3_k(fields: _Fields) -> _Parts:
    low = _bits(fields["scales"][:8], 4, 8)
    high = _bits(fields["scales"][8:], 2, 4)
    # a high bit that is not set takes 4 away
    integers = _bits(fields["quants"], 2, 32) + 4 * _bits(fields["high"], 1, 32) - 4
    return _Parts(integers, _float(fields["scale"]), None, low + 16 * high - 32)


def _q4_q5_k(fields: _Fields) -> _Parts:
    import numpy as np

    integers = _bits(fields["quants"], 4, 32)
    if "high" in fields:
        integers = integers + 16 * _bits(fields["high"], 1, 32)
    # Eight scales and minimums of 6 bits in 12 bytes: the first four plainly; of the last four
    # the lower 4 bits lie in the third row, the upper 2 above the first four.
    first, second, third = fields["scales"].reshape(3, 4)
    scales = np.concatenate([first & 63, (third & 15) | (first >> 6 << 4)])
    minimums = np.concatenate([second & 63, (third >> 4) | (second >> 6 << 4)])
    return _Parts(integers, _float(fields["scale"]), _minimum(fields), scales, minimums)


def _q6_k(fields: _Fields) -> _Parts:
    import numpy as np

    integers = _bits(fields["quants"], 4, 64) + 16 * _bits(fields["high"], 2, 32) - 32
    return _Parts(integers, _float(fields["scale"]), None, fields["scales"].view(np.int8))


_UNPACK: dict[str, Callable[[_Fields], _Parts]] = {
    "Q8_0": _q8_0,
    "Q5_1": _plain,
    "Q5_0": _plain,
    "Q4_0": _plain,
    "Q6_K": _q6_k,
    "Q5_K": _q4_q5_k,
    "Q4_K": _q4_q5_k,
    "Q3_K": _q3_k,
    "Q2_K": _q2_k,
}
