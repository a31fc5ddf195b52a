"""Whatever the files of a model hold, they are read or refused in words: no traceback, no hang."""

from __future__ import annotations

import contextlib
import copy
import json
import random
import shutil
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from workshop_helpers.core.cards import outdated
from workshop_helpers.core.device import choose_device
from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.gguf.contents import tokenizer_facts, type_shares
from workshop_helpers.gguf.convert import _refuse_unsupported, find_converter
from workshop_helpers.gguf.header import read_gguf
from workshop_helpers.models.chat import chat_prompt, stop_token_ids
from workshop_helpers.models.files import count_weights, stored_dtype
from workshop_helpers.models.identity import identity
from workshop_helpers.models.load import load_model, load_tokenizer
from workshop_helpers.models.lora import beside_lora, lora_matrices
from workshop_helpers.models.resolve import resolve
from workshop_helpers.runtimes import open_runtime
from workshop_helpers.training.estimate import Shape

pytestmark = pytest.mark.timeout(120)
QUESTION = [{"role": "user", "content": "送料は？"}]
ODD: tuple[Any, ...] = (
    None, True, 0, 1, -1, 3, 2**31, 2**63, 10**30, 1.5, -0.1, 1e308, float("nan"), float("inf"), "",
    "x", "a" * 3000, "\ud83d", "\x00", "../../etc", [], [1], ["x"], [[]], [None], {}, {"x": 1},
    {"type": "x"}, {"content": "x"},
)  # fmt: skip


def places(content: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield at
    inside = content.items() if isinstance(content, dict) else ()
    inside = enumerate(content[:20]) if isinstance(content, list) else inside
    for key, value in inside:
        yield from places(value, (*at, key))


def with_an_odd_value(content: Any, chance: random.Random) -> Any:
    found = copy.deepcopy(content)
    *way, last = chance.choice(sorted(places(found), key=len)[1:])
    inside = found
    for key in way:
        inside = inside[key]
    inside[last] = chance.choice(ODD)
    return found


def damaged(raw: bytes, chance: random.Random) -> bytes:
    for _ in range(chance.randint(1, 5)):
        at = chance.randrange(len(raw))
        piece = chance.choice(
            [b"", b"[" * 99, b'"', b"\xff", b"\0", b"9" * 5000, bytes([at % 256])]
        )
        raw = raw[:at] + piece + raw[at + chance.choice([0, 1, 30]) :] or b"{"
    return raw


def variants(path: Path, chance: random.Random, count: int) -> Iterator[None]:
    """`count` times the file with something odd in it; at the end as it was."""
    whole = path.read_bytes()
    for turn in range(count):
        if turn % 3 == 0 or path.suffix in (".jinja", ".gguf"):
            new = damaged(whole[:20_000], chance) + whole[20_000:]
        elif path.suffix == ".safetensors":
            end = 8 + struct.unpack("<Q", whole[:8])[0]
            header = json.dumps(with_an_odd_value(json.loads(whole[8:end]), chance)).encode()
            new = struct.pack("<Q", len(header)) + header + whole[end:]
        else:
            new = json.dumps(with_an_odd_value(json.loads(whole), chance)).encode()
        path.write_bytes(new)
        yield
    path.write_bytes(whole)


def try_all(model: Path, *readers: Callable[[Path], object]) -> None:
    """Each reader gives a result or raises WorkshopError; anything else fails the test."""
    for read in readers:
        with contextlib.suppress(WorkshopError):
            read(model)


def answer(model: Path) -> None:
    with open_runtime(model) as runtime:
        runtime.answer([QUESTION], max_new_tokens=2)


def prompt(model: Path) -> None:
    tokenizer = load_tokenizer(model)
    chat_prompt(tokenizer, QUESTION)
    stop_token_ids(tokenizer)


def stored(model: Path) -> None:
    identity(resolve(model))
    outdated(model)
    stored_dtype(model)
    count_weights(model)


def supported(model: Path) -> None:
    _refuse_unsupported(model, find_converter())


@pytest.fixture
def model(tiny_model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_model, tmp_path / "model"))


FILES = (
    "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json",
    "chat_template.jinja", "model.safetensors", "model.safetensors.index.json", "card.json",
)  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_odd_files_of_a_model_end_in_words(model: Path, name: str) -> None:
    path, tensors = model / name, model / "model.safetensors"
    if name == "card.json":
        told = {
            "kind": "model",
            "origin": "mame",
            "inputs": {},
            "from": {"path": "..", "inputs": 1},
        }
        path.write_text(json.dumps(told), encoding="utf-8")
    if "index" in name:
        tensors.rename(model / "a.safetensors")
        path.write_text(json.dumps({"weight_map": {"x": "a.safetensors"}}), encoding="utf-8")
    for turn, _ in enumerate(variants(path, random.Random(name), 12)):
        try_all(model, stored, supported, Shape.of)
        if turn % 4 == 1:
            try_all(model, prompt, answer)


def test_odd_files_of_an_adapter_end_in_words(model: Path, tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model

    adapter = tmp_path / "adapter"
    patterns: dict[str, Any] = {"alpha_pattern": {"v_proj": 4}, "rank_pattern": {"q_proj": 8}}
    how = LoraConfig(target_modules=["q_proj", "v_proj"], r=4, **patterns)
    get_peft_model(load_model(model, choose_device("cpu")), how).save_pretrained(adapter)
    about = adapter / "adapter_config.json"
    told = json.loads(about.read_text(encoding="utf-8"))
    about.write_text(json.dumps(told | {"base_model_name_or_path": "model"}), encoding="utf-8")
    for path in (about, adapter / "adapter_model.safetensors"):
        for turn, _ in enumerate(variants(path, random.Random(7), 30)):
            try_all(adapter, lambda path: identity(resolve(path)), beside_lora, lora_matrices)
            if turn % 8 == 1:
                try_all(adapter, answer)


def test_odd_gguf_headers_end_in_words(tmp_path: Path) -> None:
    import gguf

    path = tmp_path / "m.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(2)
    writer.add_context_length(64)
    writer.add_token_list(["a", "b", "<s>"])
    writer.add_token_types([1, 1, 3])
    writer.add_eos_token_id(2)
    writer.add_chat_template("{{ messages }}")
    import numpy as np

    writer.add_tensor("token_embd.weight", np.ones((3, 8), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()

    def read(path: Path) -> None:
        file = read_gguf(path)
        type_shares(file)
        tokenizer_facts(file)
        assert file.context_length >= 0 and file.bits_per_weight >= 0

    for _ in variants(path, random.Random(11), 400):
        try_all(path, read)


@pytest.mark.parametrize(
    ("name", "odd", "read"),
    [
        ("config.json", {"architectures": 3}, supported),
        ("config.json", {"rope_parameters": 3}, supported),
        ("config.json", {"num_attention_heads": None}, Shape.of),
        ("config.json", {"num_hidden_layers": 10**9}, answer),  # would be built one by one
        ("tokenizer_config.json", {"model_max_length": {}}, prompt),
    ],
)
def test_a_value_of_another_kind_is_refused_with_its_file(
    model: Path, name: str, odd: dict[str, Any], read: Callable[[Path], object]
) -> None:
    path = model / name
    told = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(told | odd), encoding="utf-8")
    with pytest.raises(WorkshopError, match=str(model)):
        read(model)
