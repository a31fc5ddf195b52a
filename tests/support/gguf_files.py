"""GGUF files with one thing changed."""

from __future__ import annotations

import struct
from pathlib import Path


def patch_bytes(gguf: Path, out: Path, old: bytes, new: bytes) -> Path:
    """A copy of `gguf` with `new` for `old`, which are equally long and must be there."""
    data = gguf.read_bytes()
    assert old in data and len(old) == len(new)
    out.write_bytes(data.replace(old, new))
    return out


def patch_number(gguf: Path, out: Path, key: str, value: int) -> Path:
    """A copy of `gguf` with a 32-bit number of its metadata changed in place."""
    data = bytearray(gguf.read_bytes())
    at = data.index(key.encode()) + len(key) + 4
    data[at : at + 4] = struct.pack("<I", value)
    out.write_bytes(data)
    return out
