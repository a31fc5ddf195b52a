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


def real(value: float) -> bytes:
    return struct.pack("<f", value)


def array(kind: int, count: int, raw: bytes) -> bytes:
    return struct.pack("<IQ", kind, count) + raw


HEADERS = {
    "a number for a text": ("general.architecture", U32, number(3)),
    "a list for a text": ("general.architecture", ARRAY, array(U32, 1, number(3))),
    "a text for a number": ("general.alignment", STRING, string("x")),
    "a list for a number": ("general.alignment", ARRAY, array(U32, 1, number(3))),
    "a number below nought": ("general.alignment", INT32, struct.pack("<i", -32)),
    "infinity": ("general.alignment", F32, real(float("inf"))),
    "no number": ("general.alignment", F32, real(float("nan"))),
    "a text for a length": ("llama.context_length", STRING, string("x")),
    "a text for a token": ("tokenizer.ggml.eos_token_id", STRING, string("x")),
    "a number for a template": ("tokenizer.chat_template", U32, number(3)),
    "no layers": ("llama.block_count", U32, number(0)),
    "more layers than llama.cpp takes": ("llama.block_count", U32, number(4097)),
    "no context": ("llama.context_length", U32, number(0)),
    "a context beyond 32 bits": ("llama.context_length", U32, number(2**32 - 1)),
    "a list of contexts": ("llama.context_length", ARRAY, array(U32, 1, number(512))),
    "an empty list of heads": ("llama.attention.head_count", ARRAY, array(U32, 0, b"")),
    "a text for heads": ("llama.attention.head_count_kv", STRING, string("x")),
    "a width of nought": ("llama.embedding_length", U32, number(0)),
    "an epsilon below nought": ("llama.attention.layer_norm_rms_epsilon", F32, real(-1.0)),
    "an epsilon that is no number": ("llama.attention.layer_norm_epsilon", F32, real(float("nan"))),
    "numbers for tokens": ("tokenizer.ggml.tokens", ARRAY, array(U32, 1, number(3))),
    "a kind for no token": ("tokenizer.ggml.token_type", ARRAY, array(INT32, 1, number(1))),
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


@pytest.mark.parametrize(
    ("dimensions", "why"), [([], "0 dimensions"), ([8, 0], "cannot store"), ([1] * 5, "5 dim")]
)
def test_a_tensor_of_senseless_shape_is_refused(tmp_path: Path, dimensions: list[int], why: str):
    path = tmp_path / "model.gguf"
    shape = number(len(dimensions)) + struct.pack(f"<{len(dimensions)}Q", *dimensions)
    begin = b"GGUF" + struct.pack("<IQQ", 3, 1, 0)
    path.write_bytes(begin + string("a") + shape + struct.pack("<IQ", 0, 0) + bytes(256))
    with pytest.raises(WorkshopError, match=why):
        read_header(path)
