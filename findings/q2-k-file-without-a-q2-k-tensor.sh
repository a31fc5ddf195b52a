#!/usr/bin/env bash
# One would guess: a file that llama.cpp quantized to Q2_K is 2-bit, and smaller and worse than
#   Q3_K_S of the same model.
# What happens: K-quants need rows of a multiple of 256. With the widths of Qwen2.5-0.5B (896 and
#   4,864) nearly every tensor falls back: the "Q2_K" file holds no Q2_K tensor, most of it is
#   4-bit, and it is the Q3_K_S file but for the type that its header states and tools show.
# Who is hurt: whoever compares types on a small model: two of the files are one, and neither the
#   size nor the harm is that of Q2_K.
# Seen with: cyllama==0.2.18 (llama.cpp's quantizer), gguf==0.19.0, on 2026-11-29, Python 3.11.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet cyllama==0.2.18 gguf==0.19.0
cd "$work"
venv/bin/python - <<'PY'
import os
import sys
from collections import Counter
from importlib.metadata import version

import gguf
import numpy as np
from cyllama.llama import llama_cpp

print("cyllama", version("cyllama"), "gguf", version("gguf"))


def write(path: str, hidden: int, inner: int) -> None:
    """A llama of one layer with random weights."""
    random = np.random.default_rng(0)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(128)
    writer.add_embedding_length(hidden)
    writer.add_feed_forward_length(inner)
    writer.add_block_count(1)
    writer.add_head_count(4)
    writer.add_head_count_kv(4)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    shapes = {"token_embd": (256, hidden), "output": (256, hidden), "output_norm": (hidden,)}
    shapes |= {f"blk.0.attn_{name}": (hidden, hidden) for name in ("q", "k", "v", "output")}
    shapes |= {f"blk.0.ffn_{name}": (inner, hidden) for name in ("gate", "up")}
    shapes |= {"blk.0.ffn_down": (hidden, inner)}
    shapes |= {f"blk.0.{name}_norm": (hidden,) for name in ("attn", "ffn")}
    for name, shape in shapes.items():
        kind = np.float16 if len(shape) > 1 else np.float32
        writer.add_tensor(f"{name}.weight", random.normal(0, 0.05, shape).astype(kind))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def quantized(kind: str, number: int) -> tuple[Counter, bytes]:
    parameters = llama_cpp.LlamaModelQuantizeParams()
    parameters.ftype, parameters.nthread = number, 1
    llama_cpp.model_quantize("f16.gguf", f"{kind}.gguf", parameters)
    matrices = [t for t in gguf.GGUFReader(f"{kind}.gguf").tensors if len(t.shape) > 1]
    with open(f"{kind}.gguf", "rb") as file:
        return Counter(t.tensor_type.name for t in matrices), file.read()


os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # llama.cpp's log
found = {}
for hidden, inner in ((1024, 3072), (896, 4864)):
    write("f16.gguf", hidden, inner)
    for kind, number in (("Q2_K", 10), ("Q3_K_S", 11)):
        types, content = found[hidden, kind] = quantized(kind, number)
        print(f"widths {hidden} and {inner}, {kind}: {len(content):,} bytes, {dict(types)}")
differ = sum(a != b for a, b in zip(found[896, "Q2_K"][1], found[896, "Q3_K_S"][1], strict=True))
print("bytes that differ between the two files of widths 896 and 4864:", differ)
if not (found[1024, "Q2_K"][0]["Q2_K"] and not found[896, "Q2_K"][0]["Q2_K"] and differ == 1):
    print("the behaviour has changed")
    sys.exit(1)
PY
