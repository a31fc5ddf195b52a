"""Settings that llama.cpp does not follow are refused and truly differ; others are taken."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from families import FAMILIES, save_family

from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.gguf.check import DIVERGENCE, check_gguf
from workshop_helpers.gguf.convert import RUNNER, convert, find_converter
from workshop_helpers.gguf.limits import silent_differences
from workshop_helpers.models.catalogue import CATALOGUE

YARN = {
    "rope_type": "yarn", "rope_theta": 1e4, "factor": 16.0, "original_max_position_embeddings": 64,
}  # fmt: skip
LLAMA3 = {
    "rope_type": "llama3", "rope_theta": 1e4, "factor": 32.0, "low_freq_factor": 1.0,
    "high_freq_factor": 4.0, "original_max_position_embeddings": 256,
}  # fmt: skip
LINEAR = {"rope_type": "linear", "rope_theta": 1e4, "factor": 8.0}
QWEN2 = {"architectures": ["Qwen2ForCausalLM"]}
PLAIN = {"rope_type": "default", "rope_theta": 1e4}

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def variant(family: str, folder: Path, changes: dict[str, Any]) -> Path:
    """A random model of the family with a changed config, and the weights that belong to it."""
    usual = next(f for f in FAMILIES if f.name == family)

    def model(tokenizer: Any, tied: bool) -> Any:
        made = usual.model(tokenizer, tied)
        config = made.config.to_dict() | changes
        if "layer_types" not in changes:
            config.pop("layer_types", None)
        return type(made)(type(made.config).from_dict(config))

    return save_family(replace(usual, model=model), folder)


DIFFERING = [
    ("llama3", {"hidden_act": "gelu"}, "the activation gelu"),
    ("llama3", {"rope_parameters": {**YARN, "attention_factor": 1.5}}, "attention_factor 1.5"),
    ("llama3", {"rope_parameters": {**YARN, "beta_slow": 2.0}}, "beta_slow 2.0 of YaRN"),
    ("qwen2.5", {"rope_parameters": {**YARN, "truncate": False}}, "truncate False of YaRN"),
    ("qwen2.5", {"rope_parameters": LLAMA3}, "rotary positions of type llama3"),
    (
        "qwen3",
        {"use_sliding_window": True, "sliding_window": 16, "max_window_layers": 1},
        "a sliding window of 16 tokens",
    ),
    (
        "gemma3",
        {"layer_types": ["sliding_attention", "full_attention"] * 3},
        "full attention in layers 2, 4, 6 of 6",
    ),
    ("gemma3", {"layer_types": ["full_attention"] * 6}, "in layers 1, 2, 3, 4, 5, 6 of 6"),
    ("gemma3", {"query_pre_attn_scalar": 32}, "query_pre_attn_scalar 32"),
    (
        "gemma3",
        {"rope_parameters": {"full_attention": PLAIN, "sliding_attention": LINEAR}},
        "rotary positions of type linear",
    ),
    ("gemma3", {"use_bidirectional_attention": True}, "attention in both directions"),
]
FOLLOWED = [
    ("llama3", {"attention_bias": True, "mlp_bias": True, "rope_parameters": LINEAR}),
    ("llama3", {"rope_parameters": {**LINEAR, "rope_type": "dynamic"}}),
    ("qwen2.5", {"rope_parameters": {**YARN, "beta_fast": 32.0, "beta_slow": 1.0}}),
    (
        "gemma3",
        {
            "rope_parameters": {"full_attention": LINEAR, "sliding_attention": PLAIN},
            "final_logit_softcapping": 30.0,
            "hidden_activation": "gelu",
            "num_hidden_layers": 7,
        },
    ),
]
# Most of a conversion is its start: one process converts all models, each in a fork of its own.
CONVERT_ALL = """
import os, runpy, sys
runner, tool, *models = sys.argv[1:]
sys.path[:0] = [f"{tool}/gguf-py", tool]
import convert_hf_to_gguf
for model in models:
    if (child := os.fork()) == 0:
        script = f"{tool}/convert_hf_to_gguf.py"
        sys.argv = [runner, script, model, "--outfile", f"{model}.gguf", "--outtype", "f16"]
        runpy.run_path(runner, run_name="__main__")
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0, model
"""


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A random model of every variant, with its GGUF as FOLDER.gguf, made without a refusal."""
    root = tmp_path_factory.mktemp("variants")
    folders = {
        str(changes): variant(family, root / str(number), changes)
        for number, (family, changes, *_) in enumerate(DIFFERING + FOLLOWED)
    }
    reading, writing = os.pipe()  # the runner ends when its stdin does
    words = [sys.executable, "-c", CONVERT_ALL, str(RUNNER), str(find_converter())]
    done = subprocess.run(
        [*words, *map(str, folders.values())], stdin=reading, capture_output=True, text=True
    )
    os.close(writing)
    assert done.returncode == 0, done.stderr
    return folders


def test_what_llama_cpp_would_compute_otherwise_is_refused(tmp_path: Path) -> None:
    family, changes, _ = DIFFERING[0]
    out = tmp_path / "out" / "m.gguf"
    with pytest.raises(WorkshopError, match="its answers would differ.*the activation gelu"):
        convert(variant(family, tmp_path / "model", changes), out)
    assert not out.parent.exists()  # before any work


@needs_fork
@pytest.mark.parametrize(("family", "changes", "named"), DIFFERING, ids=str)
def test_what_is_refused_is_computed_otherwise(
    family: str, changes: dict[str, Any], named: str, converted: dict[str, Path]
) -> None:
    folder = converted[str(changes)]
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert named in "; ".join(silent_differences(config))
    checked = check_gguf(f"{folder}.gguf", folder)
    assert checked.divergence is not None and checked.divergence > DIVERGENCE["F16"]
    assert any("llama.cpp computes otherwise" in problem for problem in checked.problems)


@needs_fork
@pytest.mark.parametrize(("family", "changes"), FOLLOWED, ids=str)
def test_what_llama_cpp_follows_is_taken_and_computed_alike(
    family: str, changes: dict[str, Any], converted: dict[str, Path]
) -> None:
    folder = converted[str(changes)]
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert silent_differences(config) == []
    checked = check_gguf(f"{folder}.gguf", folder)
    assert checked.problems == []
    assert checked.divergence is not None and checked.divergence < DIVERGENCE["F16"] / 50


@pytest.mark.parametrize(
    ("architecture", "changes", "named"),
    [
        ("Qwen3ForCausalLM", {"attention_bias": True}, "biases in attention"),
        ("Gemma3ForCausalLM", {"attention_bias": True}, "biases in attention"),
        ("Gemma3ForCausalLM", {"attn_logit_softcapping": 50.0}, "attn_logit_softcapping"),
    ],
)
def test_what_could_not_be_made_has_a_name(
    architecture: str, changes: dict[str, Any], named: str
) -> None:
    (found,) = silent_differences({"architectures": [architecture], **changes})
    assert named in found


def test_a_head_of_its_own_is_kept_whatever_the_config_says_of_tying(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    folder = variant("qwen2.5", tmp_path / "model", {"tie_word_embeddings": True})
    weights = load_file(folder / "model.safetensors")
    embedding = weights["model.embed_tokens.weight"]
    weights["lm_head.weight"] = embedding + 0.06 * torch.randn(
        embedding.shape, generator=torch.manual_seed(1)
    )
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    checked = convert(folder, tmp_path / "m.gguf").check
    assert checked.problems == []
    assert checked.divergence is not None


@pytest.mark.parametrize(
    "config",
    [
        QWEN2 | {"use_sliding_window": False, "sliding_window": 32768},
        QWEN2 | {
            "use_sliding_window": True, "sliding_window": 32768, "max_position_embeddings": 32768,
        },
        QWEN2 | {
            "use_sliding_window": True, "sliding_window": 4096, "max_window_layers": 28,
            "num_hidden_layers": 28, "max_position_embeddings": 32768,
        },
        # as published configs say it, without the words of transformers 5
        {
            "architectures": ["LlamaForCausalLM"], "hidden_act": "silu",
            "rope_scaling": {**LLAMA3, "original_max_position_embeddings": 8192},
        },
        {
            "architectures": ["Gemma3ForCausalLM"], "num_hidden_layers": 26,
            "sliding_window_pattern": 6, "hidden_activation": "gelu_pytorch_tanh", "head_dim": 256,
            "query_pre_attn_scalar": 256,
        },
        {
            "architectures": ["Gemma3ForConditionalGeneration"],
            "text_config": {
                "num_hidden_layers": 62, "hidden_size": 5376, "num_attention_heads": 32,
                "head_dim": 128, "query_pre_attn_scalar": 168,
                "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
            },
        },
        {"architectures": ["MistralForCausalLM"], "hidden_act": "gelu"},
        {},
    ],
)  # fmt: skip
def test_published_settings_are_no_difference(config: dict[str, Any]) -> None:
    assert silent_differences(config) == []


def test_an_older_gemma_names_its_pattern_by_a_number() -> None:
    config = {
        "architectures": ["Gemma3ForCausalLM"],
        "num_hidden_layers": 6,
        "sliding_window_pattern": 3,
    }
    (found,) = silent_differences(config)
    assert "in layers 3, 6 of 6" in found


def test_the_rules_cover_the_catalogue() -> None:
    for architecture in {entry.architecture for entry in CATALOGUE.values()}:
        config = {"architectures": [architecture], "hidden_act": "relu"}
        assert silent_differences(config), architecture


def test_the_bundled_model_has_nothing_that_llama_cpp_passes_over(mame: Path) -> None:
    assert silent_differences(json.loads((mame / "config.json").read_text(encoding="utf-8"))) == []
