"""A block taken apart gives back what the gguf library's dequantize gives, for every type of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.gguf.blocks import (
    LAYOUTS,
    block_weights,
    find_tensor,
    read_block,
    read_restored,
    read_weights,
    rounding_error,
)
from workshop_helpers.gguf.header import read_gguf
from workshop_helpers.gguf.quantize import quantize

# Together they hold every K-type: Q4_K_M has Q4_K and Q6_K, Q2_K has Q2_K and Q3_K.
FILES = ("Q8_0", "Q4_0", "Q4_K_M", "Q5_K_M", "Q2_K")


@pytest.fixture(scope="module")
def files(mame_gguf: Path) -> dict[str, Path]:
    return {kind: quantize(mame_gguf, kind).path for kind in FILES}


@pytest.fixture(scope="module")
def stored(files: dict[str, Path]) -> dict[str, tuple[Path, str]]:
    """Of each type in these files: a file and the name of a tensor."""
    return {
        tensor.type: (path, tensor.name)
        for path in files.values()
        for tensor in read_gguf(path).tensors
    }


def dequantized(path: Path, tensor: str) -> np.ndarray:
    """All weights of a tensor, as the gguf library restores them."""
    from gguf import GGUFReader
    from gguf.quants import dequantize

    found = next(t for t in GGUFReader(str(path)).tensors if t.name == tensor)
    return dequantize(found.data, found.tensor_type).reshape(-1)


def written(path: Path, weights: np.ndarray, kind: str) -> Path:
    """A GGUF with the tensor "odd", written by the gguf library itself."""
    from gguf import GGMLQuantizationType, GGUFWriter
    from gguf.quants import quantize as quantized

    number = GGMLQuantizationType[kind]
    writer = GGUFWriter(path, "qwen2")
    writer.add_tensor("odd", quantized(weights, number), raw_dtype=number)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.mark.parametrize("kind", ["Q8_0", "Q4_0", "Q6_K", "Q5_K", "Q4_K", "Q3_K", "Q2_K"])
def test_blocks_come_back_as_the_gguf_library_restores_them(stored, kind):
    path, name = stored[kind]
    expected = dequantized(path, name)
    file = read_gguf(path)
    last = len(expected) // block_weights(kind) - 1
    for number in (0, 1, 7, last // 2, last):
        block = read_block(file, name, number)
        wanted = expected[block.start : block.start + len(block.values)]
        assert np.array_equal(np.float32(block.values), wanted)
        assert (block.type, len(block.integers)) == (kind, block_weights(kind))


@pytest.mark.parametrize("kind", ["Q8_0", "Q5_0", "Q5_1", "Q4_0"])
def test_the_types_that_odd_rows_fall_back_to(kind, tmp_path):
    """Not in files of mame: its rows have the length that K-types need."""
    weights = np.random.default_rng(0).normal(size=(8, 96)).astype(np.float32)
    path = written(tmp_path / "m.gguf", weights, kind)
    blocks = [read_block(path, "odd", number) for number in range(24)]
    found = np.float32([block.values for block in blocks]).reshape(-1)
    assert np.array_equal(found, dequantized(path, "odd"))
    assert np.abs(found - weights.reshape(-1)).max() < 0.5


@pytest.mark.parametrize("kind", ["Q8_0", "Q4_0", "Q6_K", "Q5_K", "Q4_K", "Q3_K", "Q2_K"])
def test_a_weight_is_its_step_times_its_integer_plus_its_offset(stored, kind):
    path, name = stored[kind]
    block = read_block(path, name, 3)
    for at, (integer, value) in enumerate(zip(block.integers, block.values, strict=True)):
        group = at // block.group
        assert value == pytest.approx(block.steps[group] * integer + block.offsets[group], abs=1e-6)
    for group, scale in enumerate(block.scales):
        assert block.steps[group] == pytest.approx(block.scale * scale)
    for group, minimum in enumerate(block.minimums):
        assert block.offsets[group] == pytest.approx(-block.minimum * minimum)


def test_the_integers_have_as_many_bits_as_the_name_says(stored):
    for kind, (path, name) in stored.items():
        if kind not in LAYOUTS:
            continue
        file = read_gguf(path)
        integers = [n for block in range(40) for n in read_block(file, name, block).integers]
        used = max(integers) - min(integers)
        bits = int(kind[1])
        assert 2**bits / 2 < used < 2**bits, kind


def test_layouts_are_as_large_as_the_librarys():
    from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

    for kind, fields in LAYOUTS.items():
        weights, size = GGML_QUANT_SIZES[GGMLQuantizationType[kind]]
        assert (block_weights(kind), sum(fields.values())) == (weights, size)


def test_fewer_bits_leave_a_larger_error(files, mame_gguf):
    name, errors = "blk.0.ffn_gate.weight", []
    for kind in ("Q8_0", "Q4_K_M", "Q2_K"):
        block = read_block(files[kind], name, 4)
        original = read_weights(mame_gguf, name, block.start, len(block.values))
        errors.append(rounding_error(block.values, original).relative)
    assert errors == sorted(errors)
    assert errors[0] < 0.02 < 0.1 < errors[2]


def test_original_weights_are_those_of_the_model(mame, mame_gguf):
    from safetensors.torch import load_file

    weight = load_file(mame / "model.safetensors")["model.layers.2.mlp.gate_proj.weight"]
    found = read_weights(mame_gguf, "blk.2.ffn_gate.weight", 512, 300)
    assert found == tuple(weight.float().reshape(-1)[512:812].half().float().tolist())


@pytest.mark.parametrize("kind", ["F32", "F16", "BF16"])
def test_weights_that_were_not_quantized_are_read_as_they_are(kind, tmp_path):
    weights = np.random.default_rng(1).normal(size=(3, 40)).astype(np.float32)
    path = written(tmp_path / "m.gguf", weights, kind)
    found = np.float32(read_weights(path, "odd", 17, 80))
    assert np.array_equal(found, dequantized(path, "odd")[17:97])
    assert np.allclose(found, weights.reshape(-1)[17:97], rtol={"BF16": 0.01}.get(kind, 0.001))


def test_an_error_is_measured_against_the_original():
    original = (0.3, -0.4)
    assert rounding_error(original, original).relative == 0
    found = rounding_error((0.3, -0.1), original)
    assert found.mean == pytest.approx(0.15)
    assert found.largest == pytest.approx(0.3)
    assert found.relative == pytest.approx(0.3 / 0.5)


@pytest.mark.parametrize(("start", "count"), [(0, 256), (300, 500), (31, 2), (1000, 1)])
def test_weights_come_back_from_any_place(files, start, count):
    name = "blk.0.ffn_gate.weight"
    for kind in ("Q8_0", "Q4_K_M"):
        wanted = dequantized(files[kind], name)[start : start + count]
        assert np.array_equal(np.float32(read_restored(files[kind], name, start, count)), wanted)


def test_what_cannot_be_taken_apart_is_refused_by_name(files, mame_gguf, tmp_path):
    norm = "blk.0.attn_norm.weight"
    with pytest.raises(WorkshopError, match=r"type F32 are not taken apart.*Q8_0"):
        read_block(files["Q8_0"], norm, 0)
    with pytest.raises(WorkshopError, match=r"is Q2_K; the original weights are in the F16 file"):
        read_weights(files["Q2_K"], "blk.0.ffn_gate.weight", 0, 8)
    with pytest.raises(WorkshopError, match=r"no tensor blk\.99"):
        read_block(files["Q8_0"], "blk.99.ffn_gate.weight", 0)
    with pytest.raises(WorkshopError, match=r"has blocks 0 to 6,143, and 6,144 is none"):
        read_block(files["Q8_0"], "blk.0.ffn_gate.weight", 6144)
    with pytest.raises(WorkshopError, match="is none"):
        read_weights(mame_gguf, norm, 250, 7)
    shutil.copy(mame_gguf, tmp_path / "cut.gguf")
    with (tmp_path / "cut.gguf").open("r+b") as file:
        file.truncate(1000)
    with pytest.raises(WorkshopError, match="not a whole GGUF"):
        read_block(tmp_path / "cut.gguf", norm, 0)


def test_a_tensor_is_found_by_its_name(mame_gguf):
    assert find_tensor(read_gguf(mame_gguf), "token_embd.weight").shape == (256, 4096)
