"""A GGUF whose header holds senseless values is refused before anything uses them."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.models.gguf_format import read_header

U32, INT32, F32, STRING, ARRAY = 4, 5, 6, 8, 9


def string(text: str) -> bytes:
    return struct.pack("<Q", len(text)) + text.encode()


def number(value: int) -> bytes:
    return struct.pack("<I", value)


def array(kind: int, count: int, raw: bytes) -> bytes:
    return struct.pack("<IQ", kind, count) + raw


HEADERS = {
    "a number for a text": ("general.architecture", U32, number(3)),
    "a list for a text": ("general.architecture", ARRAY, array(U32, 1, number(3))),
    "a text for a number": ("general.alignment", STRING, string("x")),
    "a list for a number": ("general.alignment", ARRAY, array(U32, 1, number(3))),
    "a number below nought": ("general.alignment", INT32, struct.pack("<i", -32)),
    "infinity": ("general.alignment", F32, struct.pack("<f", float("inf"))),
    "no number": ("general.alignment", F32, struct.pack("<f", float("nan"))),
    "a text for a length": ("llama.context_length", STRING, string("x")),
    "a text for a token": ("tokenizer.ggml.eos_token_id", STRING, string("x")),
    "a number for a template": ("tokenizer.chat_template", U32, number(3)),
    "arrays in arrays": ("x", ARRAY, array(ARRAY, 1, b"") * 3000),
    "an array without end": ("x", ARRAY, array(U32, 2**60, b"")),
    "a type that is none": ("x", 99, number(3)),
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_senseless_value_is_refused(tmp_path: Path, name: str):
    key, kind, raw = HEADERS[name]
    path = tmp_path / "model.gguf"
    begin = b"GGUF" + struct.pack("<IQQ", 3, 0, 1)
    path.write_bytes(begin + string(key) + number(kind) + raw + bytes(64))
    with pytest.raises(WorkshopError, match="not a whole GGUF"):
        read_header(path)
