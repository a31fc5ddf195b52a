"""A GGUF adapter on a GGUF base answers like the merged model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from families import FAMILIES, LESSONS, QUESTIONS, SharedTuned, tuned_once
from small_disks import small_disk

from workshop_helpers.cli.main import main
from workshop_helpers.core.device import choose_device
from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.gguf.adapter import convert_adapter
from workshop_helpers.gguf.engine import LlamaEngine
from workshop_helpers.gguf.header import read_gguf
from workshop_helpers.gguf.logits import ServerLogits
from workshop_helpers.gguf.quantize import quantize
from workshop_helpers.models.chat import chat_prompt
from workshop_helpers.models.load import load_model, load_tokenizer
from workshop_helpers.models.lora import lora_layers, lora_matrices
from workshop_helpers.training.merge import merge

# One that turns query and key rows about on conversion, and one that does not.
KINDS = [f for f in FAMILIES if f.name in ("llama3", "qwen2.5")]


@pytest.fixture(scope="module", params=KINDS, ids=str)
def tuned(request: pytest.FixtureRequest, shared: Path) -> SharedTuned:
    return tuned_once(request.param, shared)


# What does not depend on the family.
one_family = pytest.mark.parametrize("tuned", KINDS[:1], indirect=True, ids=str)


def log_probabilities(gguf: Path, tuned: SharedTuned, *adapters: Path) -> Any:
    tokenizer = load_tokenizer(tuned.base)
    text = chat_prompt(tokenizer, QUESTIONS[0]) + LESSONS[0][1]
    with ServerLogits(gguf, context=512, exact=True, adapters=adapters) as logits:
        return logits.log_probabilities(tokenizer(text, add_special_tokens=False)["input_ids"])


def test_base_and_adapter_compute_what_the_merged_model_computes(tuned: SharedTuned) -> None:
    import numpy as np

    base, adapter = tuned.base_gguf.path, tuned.adapter_gguf
    assert adapter.tensors == 2 * 7  # layers, and the seven matrices of each
    merged, plain = log_probabilities(tuned.f16.path, tuned), log_probabilities(base, tuned)
    added = log_probabilities(base, tuned, adapter.path)
    assert np.abs(added - merged).max() < 0.05  # both are rounded to 16 bits, each in its way
    assert np.abs(added - plain).max() > 1


@one_family
def test_a_full_disk_is_explained_and_keeps_no_half(tuned: SharedTuned, tmp_path: Path) -> None:
    size = tuned.adapter_gguf.size_bytes // 2048
    with small_disk(tmp_path, f"{size}k") as disk:
        with pytest.raises(WorkshopError, match=f"Not enough disk space for {disk}"):
            convert_adapter(tuned.adapter, disk / "a.gguf")
        assert not list(disk.glob("*.gguf"))


def foreign_adapter(tuned: SharedTuned, folder: Path, **settings: Any) -> Path:
    """An adapter of random matrices on the family's base, as PEFT writes one of these settings."""
    import torch
    from peft import LoraConfig, get_peft_model

    model = load_model(tuned.base, choose_device("cpu"), dtype="fp32")
    targets = ["q_proj", "k_proj", "o_proj", "down_proj"]
    settings = {"target_modules": targets, "lora_alpha": 16, "r": 8, **settings}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        adapted = get_peft_model(model, LoraConfig(**settings))
        for name, parameter in adapted.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.05)
    adapted.save_pretrained(folder)
    config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    config["base_model_name_or_path"] = str(tuned.base)
    (folder / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


@one_family
def test_strengths_of_other_makers_act_in_llama_cpp_as_in_peft(
    tuned: SharedTuned, tmp_path: Path
) -> None:
    """llama.cpp scales by alpha / rank alone."""
    import numpy as np
    import torch

    adapter = foreign_adapter(
        tuned,
        tmp_path / "adapter",
        use_rslora=True,
        rank_pattern={"k_proj": 4, "layers.1.self_attn.q_proj": 16},
        alpha_pattern={"o_proj": 2, "^.*0.mlp.down_proj": 40},
    )
    made = convert_adapter(adapter, tmp_path / "a.gguf", type="f32").path
    model, tokenizer = load_model(adapter, choose_device("cpu")), load_tokenizer(tuned.base)
    for layer in lora_layers(adapter):
        module = model.get_submodule(f"base_model.model.{layer}")
        assert lora_matrices(adapter, layer).scale == pytest.approx(module.scaling["default"])
    ids = tokenizer(LESSONS[0][1], add_special_tokens=False, return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        theirs = torch.log_softmax(model(ids).logits[0, :-1].float(), -1).numpy()
        with model.disable_adapter():
            plain = torch.log_softmax(model(ids).logits[0, :-1].float(), -1).numpy()
    with ServerLogits(tuned.base_gguf.path, context=256, exact=True, adapters=[made]) as logits:
        ours = logits.log_probabilities(ids[0].tolist())
    effect = np.abs(theirs - plain).max()
    assert effect > 0.3 and np.abs(theirs - ours).max() < effect / 20


@one_family
def test_what_llama_cpp_cannot_add_is_refused_by_name(tuned: SharedTuned, tmp_path: Path) -> None:
    kinds: dict[str, dict[str, Any]] = {
        "use_dora": {"use_dora": True},
        r"modules_to_save .*embed_tokens": {"modules_to_save": ["embed_tokens"]},
        "lora_bias": {"lora_bias": True},
        "init_lora_weights pissa": {"init_lora_weights": "pissa"},
        "lm_head": {"target_modules": ["lm_head"]},
        "embed_tokens": {"target_modules": ["embed_tokens", "q_proj"]},
    }
    for number, (named, settings) in enumerate(kinds.items()):
        adapter = foreign_adapter(tuned, tmp_path / str(number), **settings)
        with pytest.raises(WorkshopError, match=f"more than llama.cpp can add.*{named}.*Merge"):
            convert_adapter(adapter, tmp_path / "a.gguf")
    assert not (tmp_path / "a.gguf").exists()
    with pytest.raises(WorkshopError, match="cannot be merged.*lora_bias"):
        merge(tmp_path / "2", tmp_path / "merged")


def test_the_adapter_knows_the_lesson_on_a_quantized_base(
    tuned: SharedTuned, tmp_path: Path
) -> None:
    base = quantize(tuned.base_gguf.path, "Q8_0", tmp_path / "base.gguf").path
    with LlamaEngine(base, adapters=[tuned.adapter_gguf.path]) as engine:
        prompts = [engine.render(question) for question in QUESTIONS]
        answers = [engine.complete(prompt, max_new_tokens=40) for prompt in prompts]
    assert [(a.text, a.stopped) for a in answers] == [(text, True) for _, text in LESSONS]


def copied(tuned: SharedTuned, out: Path) -> Path:
    for end in ("", ".card.json"):
        shutil.copyfile(f"{tuned.adapter_gguf.path}{end}", f"{out}{end}")
    return out


@one_family
def test_a_second_conversion_does_no_work(tuned: SharedTuned, tmp_path: Path) -> None:
    first = copied(tuned, tmp_path / "a.gguf")
    before = first.stat().st_mtime_ns
    again = convert_adapter(tuned.adapter, tmp_path / "a.gguf")
    assert again.reused and first.stat().st_mtime_ns == before
    with pytest.raises(WorkshopError, match="type f16, now f32"):
        convert_adapter(tuned.adapter, tmp_path / "a.gguf", type="F32")
    other = convert_adapter(tuned.adapter, tmp_path / "a.gguf", type="F32", overwrite=True)
    assert not other.reused and other.size_bytes > 1.8 * again.size_bytes
    assert read_gguf(other.path).metadata["adapter.type"] == "lora"
    leftovers = {p.name for p in tmp_path.iterdir()}
    assert leftovers == {"a.gguf", "a.gguf.card.json", ".a.gguf.lock"}


@one_family
def test_what_is_no_adapter_is_refused(tuned: SharedTuned, tmp_path: Path) -> None:
    with pytest.raises(WorkshopError, match=r"is no adapter folder.*workshop gguf"):
        convert_adapter(tuned.base, tmp_path / "a.gguf")
    with pytest.raises(WorkshopError, match=r"q4_k_m is no type.*f32, f16"):
        convert_adapter(tuned.adapter, tmp_path / "a.gguf", type="q4_k_m")
    with pytest.raises(WorkshopError, match=r"end in \.gguf"):
        convert_adapter(tuned.adapter, tmp_path / "a.bin")
    assert list(tmp_path.iterdir()) == []


@one_family
def test_the_command_line_makes_the_adapter_alone(
    tuned: SharedTuned, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = copied(tuned, tmp_path / "豆 adapter.gguf")
    words = ["gguf", str(tuned.adapter), "--as-adapter", "--out", str(out)]
    assert main([*words, "--type", "q4_k_m"]) == 2
    assert "is no type for an adapter" in capsys.readouterr().err
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["tensors"] == 2 * 7
    assert read_gguf(out).metadata["general.type"] == "adapter"
    assert main(words) == 0 and "found made before" in capsys.readouterr().out
