"""Settings of a model that llama.cpp does not read: converted, it would answer differently.

For each architecture llama.cpp has one fixed way to compute. Its converter copies the numbers that
this way asks for, and passes over the rest of `config.json`. What is listed here was found by
reading `conversion/*.py` and `src/models/*.cpp` beside transformers' modelling files, for the
architectures of the catalogue; the tests compute each entry in both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

Config = Mapping[str, Any]

GEMMA_PERIOD = 6  # llama.cpp, and Ollama's own engine: every sixth layer looks at everything
# What YaRN is with llama.cpp, whose converter writes these down for the few architectures that read
# them.
_YARN = {
    "attention_factor": None, "mscale": None, "mscale_all_dim": None, "beta_fast": 32,
    "beta_slow": 1, "truncate": True,
}  # fmt: skip
# Gemma 3 27B, known by its 62 layers, is the one size whose attention llama.cpp scales by hidden
# size / heads
_GEMMA_27B_LAYERS = 62


def silent_differences(config: Config) -> list[str]:
    """What llama.cpp computes otherwise than transformers: each as "setting (what it does)".

    `config`: the content of a config.json. Empty if nothing is known, and for architectures
    outside the catalogue.
    """
    rules = _RULES.get((config.get("architectures") or [""])[0], ())
    text = {**config, **(config.get("text_config") or {})}
    return [found for rule in rules for found in rule(text)]


def _activation(allowed: tuple[str, ...]) -> Callable[[Config], Iterator[str]]:
    def rule(config: Config) -> Iterator[str]:
        name = config.get("hidden_activation") or config.get("hidden_act") or allowed[0]
        if name not in allowed:
            yield f"the activation {name} (llama.cpp always takes {allowed[0]})"

    return rule


def _rotary(*types: str) -> Callable[[Config], Iterator[str]]:
    def rule(config: Config) -> Iterator[str]:
        found: Config = config.get("rope_parameters") or config.get("rope_scaling") or {}
        yield from _rotary_of(found.get("full_attention", found), types)
        # layers with a sliding window are not scaled
        yield from _rotary_of(found.get("sliding_attention") or {}, ("default",))

    return rule


def _rotary_of(parameters: Config, types: tuple[str, ...]) -> Iterator[str]:
    kind = parameters.get("rope_type") or parameters.get("type") or "default"
    if kind not in types:
        yield f"rotary positions of type {kind} (llama.cpp leaves them as they are)"
    if kind == "yarn":
        for name, usual in _YARN.items():
            if parameters.get(name, usual) not in (None, usual):
                yield f"{name} {parameters[name]} of YaRN (llama.cpp goes by its own)"


def _window(config: Config) -> Iterator[str]:
    """Qwen's sliding window is off in the published models."""
    window, length = config.get("sliding_window"), config.get("max_position_embeddings")
    if not config.get("use_sliding_window") or not window or (length and window >= length):
        return
    layers = config.get("num_hidden_layers", 0)
    kinds = config.get("layer_types") or [
        "sliding_attention" if i >= config.get("max_window_layers", 28) else "full_attention"
        for i in range(layers)
    ]
    if "sliding_attention" in kinds:
        yield f"a sliding window of {window} tokens (llama.cpp lets every layer look at everything)"


def _gemma_layers(config: Config) -> Iterator[str]:
    count = config.get("num_hidden_layers", 26)
    period = config.get("sliding_window_pattern") or config.get("_sliding_window_pattern")
    kinds = config.get("layer_types") or _periodic(period or GEMMA_PERIOD, count)
    if list(kinds) != _periodic(GEMMA_PERIOD, count):
        at = [number for number, kind in enumerate(kinds, 1) if kind == "full_attention"]
        yield (
            f"full attention in layers {', '.join(map(str, at)) or 'none'} of {count} "
            f"(llama.cpp and Ollama give it to every {GEMMA_PERIOD}th)"
        )


def _periodic(period: int, count: int) -> list[str]:
    return ["sliding_attention" if (i + 1) % period else "full_attention" for i in range(count)]


def _gemma_attention(config: Config) -> Iterator[str]:
    heads, width = config.get("num_attention_heads", 8), config.get("head_dim", 256)
    if config.get("num_hidden_layers") == _GEMMA_27B_LAYERS:
        width = config.get("hidden_size", 0) // heads
    scale = config.get("query_pre_attn_scalar", 256)
    if scale != width:
        yield f"query_pre_attn_scalar {scale} (llama.cpp scales by {width})"
    if config.get("attn_logit_softcapping"):
        yield "attn_logit_softcapping (llama.cpp caps no attention in Gemma 3)"
    if config.get("use_bidirectional_attention"):
        yield "attention in both directions (llama.cpp looks back only)"


def _biases(config: Config) -> Iterator[str]:
    if config.get("attention_bias"):
        yield "biases in attention (llama.cpp has no place for them and loads no such file)"


_SILU = _activation(("silu", "swish"))
# "gelu" differs from its tanh form by less than llama.cpp's table of 16-bit numbers does
_GELU = _activation(("gelu_pytorch_tanh", "gelu_new", "gelu"))
# `dynamic` scaling begins beyond the context length that the file names, where no runtime goes.
_PLAIN = ("default", "linear", "yarn", "dynamic")
_GEMMA = (_GELU, _rotary("default", "linear", "yarn"), _gemma_layers, _gemma_attention, _biases)
_RULES: dict[str, tuple[Callable[[Config], Iterator[str]], ...]] = {
    "LlamaForCausalLM": (_SILU, _rotary(*_PLAIN, "llama3")),
    "Qwen2ForCausalLM": (_SILU, _rotary(*_PLAIN), _window),
    "Qwen3ForCausalLM": (_SILU, _rotary(*_PLAIN), _window, _biases),
    "Gemma3ForCausalLM": _GEMMA,
    "Gemma3ForConditionalGeneration": _GEMMA,
}
