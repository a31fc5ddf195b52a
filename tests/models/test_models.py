"""The catalogue and MODEL strings: what is found, what is refused, and what the user is told."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file
from tiny_models import make_tokenizer

from workshop_helpers.core.device import choose_device
from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.models.catalogue import CATALOGUE
from workshop_helpers.models.chat import chat_prompt, stop_token_ids
from workshop_helpers.models.files import stored_dtype
from workshop_helpers.models.identity import identity
from workshop_helpers.models.load import load_model, load_tokenizer, model_folder
from workshop_helpers.models.resolve import resolve
from workshop_helpers.training.recipe import LoraRecipe

ISSUE_MODELS = {
    "mame", "tinyllama-1.1b", "gemma3-1b", "llama3.2-1b", "llama3.2-3b",
    "qwen2.5-0.5b", "qwen2.5-1.5b", "qwen2.5-3b", "qwen3-0.6b", "smollm2", "gemma3-270m",
}  # fmt: skip


def refused(match: str) -> Any:
    return pytest.raises(WorkshopError, match=match)


@pytest.fixture
def copy(tiny_model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_model, tmp_path / "model"))


def test_catalogue_pins_every_hub_model_to_a_commit():
    assert set(CATALOGUE) == ISSUE_MODELS
    for name, entry in CATALOGUE.items():
        assert entry.name == name
        assert entry.licence and entry.template and entry.languages
        assert entry.parameters > 0 < entry.lora_memory_gb
        if entry.hub_id:
            assert re.fullmatch(r"[0-9a-f]{40}", entry.revision or "")
            assert entry.page == f"https://huggingface.co/{entry.hub_id}"
        assert json.dumps(entry.to_dict())
        assert LoraRecipe(**entry.recipe)
    gated = {name for name, entry in CATALOGUE.items() if entry.gated}
    assert gated == {"gemma3-1b", "gemma3-270m", "llama3.2-1b", "llama3.2-3b"}


@pytest.mark.parametrize("wanted", ["qwen2.5-0.5b", "QWEN2.5-0.5B", "Qwen/Qwen2.5-0.5B-Instruct"])
def test_hub_model_is_known_by_name_and_hub_id_without_a_network(wanted):
    ref = resolve(wanted)
    assert (ref.kind, ref.name, ref.path) == ("catalogue", "qwen2.5-0.5b", None)


NEAR = {"mamee": "mame", "qwen2.5-05b": "qwen2.5-0.5b", "gemma": "gemma3-1b", "tinylama": "tiny"}


@pytest.mark.parametrize(("wrong", "near"), NEAR.items())
def test_unknown_name_gets_the_nearest_ones(wrong, near):
    with refused("Did you mean.*" + re.escape(near)):
        resolve(wrong)


@pytest.mark.parametrize("name", ["qwen3-0.6b", "llama3.2-1b"])
def test_hub_model_without_network_says_how_to_get_it(name, tmp_path, monkeypatch):
    from huggingface_hub import constants

    entry = CATALOGUE[name]
    # A port nobody listens on: the hub is wanted and not reached, as on a laptop without a network.
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(WorkshopError) as caught:
        model_folder(resolve(name))
    message = str(caught.value)
    assert f"hf download {entry.hub_id} --revision {entry.revision}" in message
    assert "mame" in message
    assert ("accept the licence" in message) == entry.gated


def test_hub_model_is_not_asked_for_when_the_hub_is_switched_off():
    with refused(r"switched off.*hf download"):
        load_model("qwen2.5-3b", choose_device("cpu"))


def test_hub_model_in_the_cache_is_used_without_a_network(tiny_model, tmp_path, monkeypatch):
    from huggingface_hub import constants

    entry = CATALOGUE["qwen2.5-0.5b"]
    snapshot = tmp_path / "models--Qwen--Qwen2.5-0.5B-Instruct" / "snapshots" / str(entry.revision)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    shutil.copytree(tiny_model, snapshot)
    assert model_folder(resolve("qwen2.5-0.5b")).samefile(snapshot)
    assert load_model("qwen2.5-0.5b", choose_device("cpu")).num_parameters() > 0
    # The rest of a download that was broken off is no model.
    (snapshot / "model.safetensors").unlink()
    with refused("hf download"):
        model_folder(resolve("qwen2.5-0.5b"))


def test_pickled_weights_are_refused(copy):
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    for what in (copy, copy / "pytorch_model.bin"):
        with refused("is a pickle"):
            resolve(what)


def test_pickled_adapter_is_refused_and_a_trainers_leftovers_are_not(tmp_path, copy):
    (tmp_path / "adapter_config.json").write_text('{"base_model_name_or_path": "mame"}')
    (tmp_path / "adapter_model.bin").write_bytes(b"\x80\x02")
    with refused("is a pickle"):
        resolve(tmp_path)
    (copy / "training_args.bin").write_bytes(b"\x80\x02")
    assert resolve(copy).kind == "folder"


@pytest.mark.parametrize("keep", [0, 5, 200, -1])
def test_truncated_safetensors_is_named(copy, keep):
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:keep])
    with refused(r"model\.safetensors.*cut short"):
        resolve(copy)


def test_missing_shard_is_named(copy):
    (copy / "model.safetensors").unlink()
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors"}}
    (copy / "model.safetensors.index.json").write_text(json.dumps(index))
    with refused("model-00001-of-00002"):
        resolve(copy)


def test_paths_that_are_no_models_are_refused(tmp_path, copy):
    with refused("no such folder or file"):
        resolve(str(tmp_path / "nothing"))
    with refused(r"config\.json"):
        resolve(tmp_path)
    (copy / "model.safetensors").unlink()
    with refused("no weights"):
        resolve(copy)
    (copy / "config.json").write_text("{")
    with refused(r"config\.json.*JSON"):
        resolve(copy)


def test_gguf_must_exist_and_begin_as_one(tmp_path):
    file = tmp_path / "a model.gguf"
    with refused("no file"):
        resolve(file)
    file.write_bytes(b"")
    with refused("no GGUF"):
        resolve(file)
    file.write_bytes(b"GGUF\x03")
    assert resolve(str(file)).kind == "gguf"
    with refused(r"llama\.cpp"):
        load_model(str(file), choose_device("cpu"))


def test_model_that_wants_its_own_code_is_refused(copy):
    config = json.loads((copy / "config.json").read_text())
    code = {"AutoModelForCausalLM": "wonder.Wonder", "AutoConfig": "wonder.C"}
    config |= {"model_type": "wonder", "auto_map": code}
    (copy / "config.json").write_text(json.dumps(config))
    (copy / "wonder.py").write_text("raise SystemExit('ran')")
    with refused("cannot be loaded"):
        load_model(copy, choose_device("cpu"))


def test_path_with_spaces_and_japanese_loads_silently(tiny_model, tmp_path, capfd):
    folder = Path(shutil.copytree(tiny_model, tmp_path / "私の モデル 1"))
    model, tokenizer = load_model(folder, choose_device("cpu")), load_tokenizer(folder)
    assert not model.training
    assert tokenizer.padding_side == "left"
    assert tokenizer.pad_token
    assert capfd.readouterr() == ("", "")


def test_tokenizer_without_chat_template_is_refused(copy):
    for file in copy.glob("chat_template*"):
        file.unlink()
    config = json.loads((copy / "tokenizer_config.json").read_text())
    config.pop("chat_template", None)
    (copy / "tokenizer_config.json").write_text(json.dumps(config))
    with refused("no chat template"):
        load_tokenizer(copy)


def test_template_that_refuses_roles_is_an_error_in_words():
    tokenizer = make_tokenizer()
    tokenizer.chat_template = "{{ raise_exception('System role not supported') }}"
    with refused("System role not supported"):
        chat_prompt(tokenizer, [{"role": "system", "content": "x"}])


def test_stop_tokens_come_from_the_template_too_unless_it_names_a_stray_one():
    tokenizer = make_tokenizer()
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    # as in Qwen's base models: the turn ends with another token
    tokenizer.eos_token = "<|endoftext|>"
    assert stop_token_ids(tokenizer) == [tokenizer.convert_tokens_to_ids("<|endoftext|>"), end]
    stray = make_tokenizer()
    # not in the vocabulary
    stray.chat_template = stray.chat_template.replace("<|im_end|>", "</s>")
    assert stop_token_ids(stray) == [end]


def test_stop_tokens_of_generation_defaults_count(tiny_model):
    from transformers import GenerationConfig

    tokenizer = load_tokenizer(tiny_model)
    model = load_model(tiny_model, choose_device("cpu"))
    model.generation_config = GenerationConfig(eos_token_id=[tokenizer.eos_token_id, 7])
    assert stop_token_ids(tokenizer, model)[-1] == 7


def test_identity_follows_content_not_place(tiny_model, copy):
    assert identity(copy) == identity(tiny_model)
    (copy / "chat_template.jinja").write_text("{{ messages }}")
    assert identity(copy) != identity(tiny_model)
    assert CATALOGUE["qwen3-0.6b"].revision in identity("qwen3-0.6b")  # type: ignore[operator]


def test_stored_dtype_is_read_from_the_header(copy):
    assert stored_dtype(copy) == "fp32"
    load_model(copy, choose_device("cpu"), dtype="bf16").save_pretrained(copy)
    assert stored_dtype(copy) == "bf16"


def test_a_model_on_ollama_is_named_and_not_looked_for():
    ref = resolve("ollama:me/shop-bot:q4_K_M")
    assert (ref.kind, ref.name) == ("ollama", "me/shop-bot:q4_K_M")
    assert ref.path is ref.origin is None
    for name in ("", "日本", "a b", "x" * 81, "-x", "m:", "m\n"):
        with refused("no name for a model on Ollama"):
            resolve(f"ollama:{name}")
    for use in (model_folder, load_tokenizer, identity):
        with refused("does not give its weights away"):
            use(ref)


BASES = {
    "itself": "adapter", "a circle": "other", "a long name": "x" * 5000, "a zero": "x\0y",
    "half a character": "\ud800", "a number": 5, "nobody's home": "~nobody-of-that-name/x",
}  # fmt: skip


@pytest.mark.parametrize("base", BASES.values(), ids=BASES)
def test_an_adapter_with_a_senseless_base_is_refused(tmp_path: Path, base: object):
    for name, named in (("adapter", base), ("other", "adapter")):
        folder = tmp_path / name
        folder.mkdir()
        about = {"base_model_name_or_path": named}
        (folder / "adapter_config.json").write_text(json.dumps(about), encoding="utf-8")
        save_file({"a": np.zeros(2, np.float32)}, folder / "adapter_model.safetensors")
    with pytest.raises(WorkshopError, match=r"base|trained on"):
        resolve(tmp_path / "adapter")


@pytest.mark.parametrize(
    "named",
    [
        [1], "a", 5, {"a": 5}, {"a": [1]}, {"a": "../else/model.safetensors"}, {"a": "/etc/hosts"},
        {"a": "x" * 5000}, {"a": ""}, {"a": "."}, {"a": ".."}, {"a": "x\0"}, {"a": "b", "c": 3},
    ],
)  # fmt: skip
def test_an_index_that_names_no_files_beside_it_is_refused(tmp_path: Path, named: object):
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": named}), encoding="utf-8")
    with pytest.raises(WorkshopError, match="weight_map|names"):
        resolve(tmp_path)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "9" * 6000, "[]"])
def test_a_configuration_nested_too_deep_is_refused(tmp_path: Path, text: str):
    (tmp_path / "config.json").write_text(text, encoding="utf-8")
    with pytest.raises(WorkshopError, match=r"config\.json"):
        resolve(tmp_path)


@pytest.mark.parametrize("model", ["x" * 5000, "x" * 5000 + ".gguf", "x\0", "~nobody-at-all/a"])
def test_a_model_s_name_that_no_file_can_have_is_unknown(model: str):
    with pytest.raises(WorkshopError):
        resolve(model)
