#!/usr/bin/env bash
# One would guess: PEFT's add_weighted_adapter with one adapter and weight 1.0 makes an adapter that
#   changes the model as that one does; its documentation calls "cat" and "svd" precise.
# What happens: the new adapter gets lora_alpha = rank, which is a scale of 1, but keeps use_rslora
#   of the first one, and so is scaled by rank / sqrt(rank). Its change is sqrt(rank) times too
#   strong: twice at rank 4, four times where "cat" joins two adapters of rank 8. No warning.
# Who is hurt: whoever mixes adapters trained with use_rslora=True: the mixture overshoots or talks
#   nonsense, and the blame falls on the weights or on the idea of mixing.
# Seen with: peft==0.21.2, transformers==5.23.0, torch==2.13.0, on 2026-11-30. (A way out: for the
#   new adapter, use_rslora = False in its peft_config and 1.0 as its scaling in every layer.)
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet peft==0.21.2 transformers==5.23.0 torch==2.13.0
cd "$work"
venv/bin/python -W error::UserWarning - <<'PY'
from importlib.metadata import version

import torch
from peft import LoraConfig, get_peft_model

print("peft", version("peft"))


def strength(rslora, rank, adapters, how):
    """How much stronger the mixture's change is than that of its parts, each with weight 1."""
    torch.manual_seed(0)
    base = torch.nn.Sequential(torch.nn.Linear(32, 32))
    options = LoraConfig(r=rank, lora_alpha=rank, use_rslora=rslora, target_modules=["0"],
                         init_lora_weights=False)
    model = get_peft_model(base, options, adapter_name=adapters[0])
    for name in adapters[1:]:
        model.add_adapter(name, options)
    model.add_weighted_adapter(adapters, [1.0] * len(adapters), "mixed", combination_type=how)
    layer = model.base_model.model[0]
    wanted = sum(layer.get_delta_weight(name) for name in adapters)
    return round((layer.get_delta_weight("mixed").norm() / wanted.norm()).item(), 3)


seen = {}
for rslora in (False, True):
    for how in ("cat", "svd", "linear"):
        seen[rslora, how] = strength(rslora, 4, ["one"], how)
        print(f"use_rslora={rslora}, {how} of one adapter of rank 4: {seen[rslora, how]} times")
    seen[rslora, "two"] = strength(rslora, 8, ["one", "two"], "cat")
    print(f"use_rslora={rslora}, cat of two adapters of rank 8: {seen[rslora, 'two']} times")
assert list(seen.values()) == [1, 1, 1, 1, 2, 2, 2, 4], "the behaviour has changed"
PY
