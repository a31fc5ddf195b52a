#!/usr/bin/env bash
# One would guess: mlx-lm computes the same logits as transformers from the folder that transformers
#   has saved, or refuses a config.json that it cannot read whole.
# What happens: transformers 5 writes rope_theta into rope_parameters. For llama, qwen2, mistral and
#   more, mlx-lm reads the top level only and takes its own default: 10,000 for llama, where Llama 3
#   has 500,000 and SmolLM2 100,000. Positions are turned by other angles, and nothing is said.
#   (qwen3 reads rope_parameters; qwen2's default, 1,000,000, happens to be that of Qwen2.5.)
# Who is hurt: whoever tunes or merges with transformers 5 and runs the folder in mlx-lm: the
#   answers are worse, and the training gets the blame. (rope_theta at the top level of config.json, as
#   transformers 4 wrote it, helps.)
# Seen with: mlx-lm==0.32.2, mlx==0.32.4, transformers==5.23.0, torch==2.13.0, on 2026-11-30.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet mlx-lm==0.32.2 "mlx[cpu]==0.32.4" \
    transformers==5.23.0 torch==2.13.0
cd "$work"
HF_HUB_OFFLINE=1 venv/bin/python - <<'PY'
import json
from importlib.metadata import version
from pathlib import Path

import mlx.core as mx
import numpy as np
import torch
import transformers
from mlx_lm.utils import load_model

transformers.utils.logging.disable_progress_bar()
print("mlx-lm", version("mlx-lm"), "transformers", version("transformers"))
ids = torch.arange(40)[None]


def apart(family, theta, top_level=False):
    """How far the logits are apart, in parts of the largest one."""
    torch.manual_seed(0)
    config = getattr(transformers, family + "Config")(
        hidden_size=64, intermediate_size=128, num_hidden_layers=2, vocab_size=64, head_dim=16,
        num_attention_heads=4, num_key_value_heads=4, initializer_range=0.5, pad_token_id=0,
        rope_parameters={"rope_type": "default", "rope_theta": theta})
    model = getattr(transformers, family + "ForCausalLM")(config).eval()
    model.save_pretrained("tiny")
    path = Path("tiny", "config.json")
    saved = json.loads(path.read_text())
    assert "rope_theta" not in saved and saved["rope_parameters"]["rope_theta"] == theta
    if top_level:
        path.write_text(json.dumps({**saved, "rope_theta": theta}))
    with torch.no_grad():
        wanted = model(ids).logits[0].numpy()
    got = np.array(load_model(Path("tiny"))[0](mx.array(ids.numpy()))[0].astype(mx.float32))
    return float(np.abs(got - wanted).max() / np.abs(wanted).max())


wrong, right = [], []
for family, default in (("Llama", 10_000.0), ("Mistral", 10_000.0), ("Qwen2", 1_000_000.0)):
    right.append(apart(family, default))
    wrong.append(apart(family, 500_000.0 if family != "Qwen2" else 10_000.0))
    right.append(apart(family, 500_000.0, top_level=True))
    print(f"{family}: the logits are apart, in parts of the largest, by {right[-2]:.1%} where theta"
          f" is {default:,.0f}; by {wrong[-1]:.0%} with another;"
          f" by {right[-1]:.1%} with another that stands at the top level, too")
right.append(apart("Qwen3", 500_000.0))
print(f"Qwen3: by {right[-1]:.1%}")
assert min(wrong) > 0.1 and max(right) < 0.01, "the behaviour has changed"
PY
