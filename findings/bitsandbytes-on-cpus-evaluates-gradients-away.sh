#!/usr/bin/env bash
# One would guess: an evaluation in the middle of a training (eval(), no_grad, one forward) leaves
#   the training as it was.
# What happens: on a processor with AVX512-BF16 a Linear4bit reorders its weights at the first such
#   forward, for good, and from then on uses a product that autograd does not know. The loss is the
#   same, but no gradient passes through the 4-bit layers any more, so the adapters below them get a
#   wrong one. PyTorch warns once, in the first backward; nothing is raised.
# Who is hurt: whoever trains QLoRA on such a CPU and validates in between, as the Trainer does with
#   eval_strategy: the training goes on with other gradients after the first evaluation.
# Seen with: bitsandbytes==0.50.2, peft==0.21.2, transformers==5.23.0, torch==2.13.0, on 2026-11-30.
#   (support_avx512bf16_for_cpu = False on each Linear4bit before the first evaluation helps.)
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet bitsandbytes==0.50.2 peft==0.21.2 \
    transformers==5.23.0 torch==2.13.0 accelerate==1.15.0
cd "$work"
CUDA_VISIBLE_DEVICES='' HF_HUB_OFFLINE=1 venv/bin/python - <<'PY'
import sys
import warnings
from importlib.metadata import version

import torch
import transformers
from bitsandbytes.functional import has_avx512bf16
from bitsandbytes.nn import Linear4bit
from peft import LoraConfig, get_peft_model
from transformers import BitsAndBytesConfig, LlamaConfig, LlamaForCausalLM

print("bitsandbytes", version("bitsandbytes"))
if not has_avx512bf16():
    print("not applicable: this processor has no AVX512-BF16")
    sys.exit()
transformers.utils.logging.disable_progress_bar()
config = LlamaConfig(hidden_size=64, intermediate_size=128, num_hidden_layers=2, vocab_size=64,
                     num_attention_heads=4, num_key_value_heads=4)
torch.manual_seed(0)
LlamaForCausalLM(config).save_pretrained("base")
ids = torch.arange(32)[None]


def trial(evaluate, way_out=False):
    """The loss, all gradients of a second step as one vector, and the warnings of that step."""
    four_bit = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4")
    base = LlamaForCausalLM.from_pretrained("base", dtype=torch.float32, device_map="cpu",
                                            quantization_config=four_bit)
    for layer in base.modules():
        if way_out and isinstance(layer, Linear4bit):
            layer.support_avx512bf16_for_cpu = False
    torch.manual_seed(0)
    options = LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False,
                         task_type="CAUSAL_LM")
    model = get_peft_model(base, options).train()
    model(input_ids=ids, labels=ids).loss.backward()
    model.zero_grad()
    if evaluate:
        with torch.no_grad():
            model.eval()(input_ids=ids)
        model.train()
    with warnings.catch_warnings(record=True) as caught:
        loss = model(input_ids=ids, labels=ids).loss
        loss.backward()
    gradients = [one.grad.flatten() for one in model.parameters() if one.grad is not None]
    return loss.item(), torch.cat(gradients), [str(one.message)[:80] for one in caught]


plain_loss, plain, _ = trial(evaluate=False)
loss, gradient, caught = trial(evaluate=True)
apart = ((gradient - plain).norm() / plain.norm()).item()
print(f"the loss of a step: {plain_loss:.4f}; behind an evaluation: {loss:.4f}")
print(f"the gradients behind an evaluation are off by {apart:.0%} of their length")
print("warnings:", *caught)
_, gradient, _ = trial(evaluate=True, way_out=True)
right = ((gradient - plain).norm() / plain.norm()).item()
print(f"without the reordering they are off by {right:.0%}")
assert abs(loss - plain_loss) < 0.01 and apart > 0.1 and right < 1e-4, "the behaviour has changed"
PY
