"""GGUF → model folder: the way back from llama.cpp's file to what transformers trains.

The weights are dequantized by llama.cpp's own `gguf` package and renamed; what llama.cpp's
converter did to them (rotary halves interleaved, 1 added to Gemma's norms) is undone. Only the
architectures of the packaged models are known: a wrong guess would load and talk nonsense.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.errors import WorkshopError, from_extra
from ..gguf_format import Tensor, read_header
from .vocabulary import save_tokenizer

if TYPE_CHECKING:
    import numpy as np

# llama.cpp's names of a layer's tensors (gguf-py's constants.py) → transformers' (Llama, Gemma 3).
_LAYER = {
    "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj", "attn_norm": "input_layernorm",
}  # fmt: skip
_LLAMA = {**_LAYER, "ffn_norm": "post_attention_layernorm"}
_GEMMA = {
    **_LAYER, "attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm",
    "post_attention_norm": "post_attention_layernorm", "ffn_norm": "pre_feedforward_layernorm",
    "post_ffw_norm": "post_feedforward_layernorm",
}  # fmt: skip
_WHOLE = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
# Settings that change what is computed and that no packaged model has: refused, not ignored.
_UNREAD = ("rope.scaling.type", "final_logit_softcapping", "attn_logit_softcapping", "expert_count")


@dataclass(frozen=True)
class _Architecture:
    """`config` makes transformers' configuration of the header's values, `names` are a layer's
    tensors, `undo` takes back what the converter did to a tensor (llama.cpp's name, values, values
    of the header).
    """

    config: Callable[[Mapping[str, Any], bool], Any]
    names: Mapping[str, str]
    undo: Callable[[str, np.ndarray, Mapping[str, Any]], np.ndarray]


def open_gguf(gguf: Path, folder: Path, *, template: str | None = None) -> None:
    """Write the model in `gguf` to the existing `folder`: fp32 weights, configuration, tokenizer.

    `template`: the chat template, where the file has none. Raises WorkshopError for a damaged file,
    and for an architecture, a setting or a tensor that is not known here.
    """
    with from_extra("gguf", "gguf, which reads llama.cpp's files,"):
        import gguf as _
    with from_extra("train", "transformers"):
        import transformers as _  # noqa: F401
    metadata, tensors = read_header(gguf)
    name = metadata.get("general.architecture")
    architecture = _ARCHITECTURES.get(str(name))
    values = {
        key.removeprefix(f"{name}."): value
        for key, value in metadata.items()
        if key.startswith(f"{name}.")
    }
    unread = [key for key in _UNREAD if key in values]
    if architecture is None or unread:
        what = f"the setting {unread[0]}" if unread else f"the architecture {name}"
        known = " and ".join(_ARCHITECTURES)
        raise WorkshopError(f"{gguf} has {what}, and only plain {known} files can be opened.")
    tied = all(tensor.name != "output.weight" for tensor in tensors)
    config = architecture.config(values | _tokens(metadata), tied)
    weights = {
        _name(tensor, architecture, gguf): architecture.undo(tensor.name, read, values)
        for tensor, read in _dequantized(gguf, tensors)
    }
    _save(folder, config, weights)
    save_tokenizer(metadata, folder, length=config.max_position_embeddings, template=template)


def _save(folder: Path, config: Any, weights: dict[str, np.ndarray]) -> None:
    from safetensors.numpy import save_file
    from transformers import GenerationConfig

    config.save_pretrained(folder)
    ends = {name: getattr(config, name) for name in _SPECIAL.values()}
    GenerationConfig(**ends).save_pretrained(folder)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def _name(tensor: Tensor, architecture: _Architecture, gguf: Path) -> str:
    """transformers' name of a tensor: blk.3.attn_q.weight → model.layers.3.self_attn.q_proj.…"""
    part, _, kind = tensor.name.rpartition(".")
    block, _, rest = part.partition(".")
    number, _, inner = rest.partition(".")
    if kind == "weight" and part in _WHOLE:
        return f"{_WHOLE[part]}.weight"
    if kind == "weight" and block == "blk" and inner in architecture.names:
        return f"model.layers.{number}.{architecture.names[inner]}.weight"
    raise WorkshopError(f"{gguf} holds the tensor {tensor.name}, which is not known here.")


def _dequantized(gguf: Path, tensors: tuple[Tensor, ...]) -> Iterator[tuple[Tensor, np.ndarray]]:
    """Each tensor with its values in fp32, rows first as torch has them."""
    import numpy as np
    from gguf.constants import GGMLQuantizationType
    from gguf.quants import dequantize

    with _mapped(gguf) as data:
        for tensor in tensors:
            stored = np.frombuffer(data, np.uint8, tensor.size_bytes, tensor.offset)
            kind = GGMLQuantizationType[tensor.type]
            if kind in (GGMLQuantizationType.F32, GGMLQuantizationType.F16):
                # these two are told apart by their dtype alone
                stored = stored.view(np.float32 if tensor.type == "F32" else np.float16)
            shape = tensor.shape[::-1]
            # a copy, since the file is closed before the values are used
            found = dequantize(stored.reshape(*shape[:-1], -1), kind).reshape(shape)
            yield tensor, np.array(found, dtype=np.float32)
            del stored, found


@contextmanager
def _mapped(path: Path) -> Iterator[mmap.mmap]:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        yield data


# --- What is the architectures' own ---------------------------------------------------------------

_SPECIAL = {"bos": "bos_token_id", "eos": "eos_token_id", "padding": "pad_token_id"}


def _tokens(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The special tokens' ids, under transformers' names, and the size of the vocabulary."""
    ids = {
        ours: metadata.get(f"tokenizer.ggml.{theirs}_token_id") for theirs, ours in _SPECIAL.items()
    }
    return {**ids, "vocab_size": len(metadata["tokenizer.ggml.tokens"])}


def _common(values: Mapping[str, Any], tied: bool) -> dict[str, Any]:
    return {
        **{name: values[name] for name in (*_SPECIAL.values(), "vocab_size")},
        "hidden_size": values["embedding_length"],
        "intermediate_size": values["feed_forward_length"],
        "num_hidden_layers": values["block_count"],
        "num_attention_heads": values["attention.head_count"],
        "num_key_value_heads": values["attention.head_count_kv"],
        "max_position_embeddings": values["context_length"],
        # stored in 32 bits: 1e-5 comes back as 9.99999974e-06
        "rms_norm_eps": float(f"{values['attention.layer_norm_rms_epsilon']:.6g}"),
        "tie_word_embeddings": tied,
        "dtype": "float32",
    }


def _llama_config(values: Mapping[str, Any], tied: bool) -> Any:
    from transformers import LlamaConfig

    return LlamaConfig(
        architectures=["LlamaForCausalLM"],
        head_dim=values["rope.dimension_count"],
        rope_parameters={"rope_type": "default", "rope_theta": values["rope.freq_base"]},
        **_common(values, tied),
    )


def _gemma_config(values: Mapping[str, Any], tied: bool) -> Any:
    from transformers import Gemma3TextConfig

    width = values["attention.key_length"]
    # What llama.cpp takes for granted and the file does not say (src/models/gemma3.cpp): every
    # sixth layer looks at everything, the others at a window and with another rotary base, and
    # queries are scaled by the width of a head.
    layers = [
        "sliding_attention" if (layer + 1) % 6 else "full_attention"
        for layer in range(values["block_count"])
    ]
    rotary = {
        "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
        "full_attention": {"rope_type": "default", "rope_theta": values["rope.freq_base"]},
    }
    return Gemma3TextConfig(
        architectures=["Gemma3ForCausalLM"],
        head_dim=width,
        query_pre_attn_scalar=width,
        sliding_window=values["attention.sliding_window"],
        layer_types=layers,
        rope_parameters=rotary,
        **_common(values, tied),
    )


def _undo_llama(name: str, read: np.ndarray, values: Mapping[str, Any]) -> np.ndarray:
    """llama.cpp turns neighbouring pairs of a head's rows, transformers its two halves."""
    heads = {
        "attn_q": values["attention.head_count"], "attn_k": values["attention.head_count_kv"],
    }.get(name.split(".")[-2])  # fmt: skip
    if heads is None:
        return read
    pairs = read.reshape(heads, -1, 2, read.shape[-1])
    return pairs.swapaxes(1, 2).reshape(read.shape)


def _undo_gemma(name: str, read: np.ndarray, values: Mapping[str, Any]) -> np.ndarray:
    """transformers adds 1 to Gemma's norms when it runs; the converter has added it already."""
    return read - 1 if name.endswith("norm.weight") else read


_ARCHITECTURES = {
    "llama": _Architecture(_llama_config, _LLAMA, _undo_llama),
    "gemma3": _Architecture(_gemma_config, _GEMMA, _undo_gemma),
}
