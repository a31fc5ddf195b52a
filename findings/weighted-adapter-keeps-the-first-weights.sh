#!/usr/bin/env bash
# One would guess: PEFT's add_weighted_adapter under a name that is taken makes the mixture anew, or
#   raises, as it does for adapters that it does not know.
# What happens: it returns at once. Other weights, other adapters, even adapters that do not exist:
#   the mixture stays what it was, and nothing is raised or warned.
# Who is hurt: whoever looks for the best weights in a loop, or runs a notebook's cell again: every
#   trial after the first measures the first. (model.delete_adapter(name) in front helps.)
# Seen with: peft==0.21.2, transformers==5.23.0, torch==2.13.0, on 2026-11-30.
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
torch.manual_seed(0)
options = LoraConfig(r=4, target_modules=["0"], init_lora_weights=False)
base = torch.nn.Sequential(torch.nn.Linear(32, 32))
model = get_peft_model(base, options, adapter_name="one")
model.add_adapter("two", options)
layer = model.base_model.model[0]


def mixed(adapters, weights, name="mixed"):
    model.add_weighted_adapter(adapters, weights, name, combination_type="cat")
    return layer.get_delta_weight(name)


first = mixed(["one", "two"], [1.0, 0.0])
trials = {
    "weights 0 and 1": mixed(["one", "two"], [0.0, 1.0]),
    "weights 100 and 100": mixed(["one", "two"], [100.0, 100.0]),
    "an adapter that does not exist": mixed(["nobody"], [1.0]),
}
same = {trial: torch.equal(first, change) for trial, change in trials.items()}
for trial, equal in same.items():
    print(f"the same name again, {trial}: the mixture is still the first:", equal)
try:
    mixed(["nobody"], [1.0], "a new name")
    refused = False
except ValueError as error:
    refused = True
    print("a new name, an adapter that does not exist:", error)
model.delete_adapter("mixed")
anew = mixed(["one", "two"], [0.0, 1.0])
made_anew = torch.allclose(anew, layer.get_delta_weight("two"), atol=1e-6)
print("after delete_adapter, weights 0 and 1: the mixture is the second adapter:", made_anew)
assert all(same.values()) and refused and made_anew, "the behaviour has changed"
PY
