#!/usr/bin/env bash
# One would guess: a tokenizer that is loaded from a folder with a tokenizer.json splits texts as
#   that file says.
# What happens: with tokenizer_class LlamaTokenizer (as Llama 2 and TinyLlama have it) AutoTokenizer
#   builds another one from the vocabulary: the file's Prepend normalizer gives way to a Metaspace
#   pre-tokenizer. Behind a special token a word gets another id, and a leading space is lost.
# Who is hurt: whoever trains with transformers and serves with a runtime that follows the file:
#   prompts are other tokens there. Naming PreTrainedTokenizerFast as the class keeps the file.
# Seen with: transformers==5.23.0, tokenizers==0.23.3, on 2026-11-29.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet transformers==5.23.0 tokenizers==0.23.3
cd "$work"
venv/bin/python - <<'PY'
import json
import os
from pathlib import Path

os.environ["TRANSFORMERS_VERBOSITY"] = "error"  # it would say that it has no PyTorch here
import transformers
from tokenizers import Tokenizer, decoders, models, normalizers

print("transformers", transformers.__version__)
vocab = {piece: i for i, piece in enumerate(["<unk>", "<s>", "</s>", "▁", *"helo"])}
merges = [("h", "e"), ("l", "l"), ("he", "ll"), ("hell", "o"), ("▁", "hello")]
vocab |= {a + b: len(vocab) + i for i, (a, b) in enumerate(merges)}
file = Tokenizer(models.BPE(vocab=vocab, merges=merges, unk_token="<unk>", fuse_unk=True))
# As in Llama 2's own tokenizer.json.
file.normalizer = normalizers.Sequence(
    [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
)
file.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.Strip(" ", 1, 0)])
file.add_special_tokens(["<unk>", "<s>", "</s>"])
file.save("tokenizer.json")
Path("config.json").write_text('{"model_type": "llama"}')


def loaded(name: str) -> transformers.PreTrainedTokenizerBase:
    named = {"tokenizer_class": name, "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    Path("tokenizer_config.json").write_text(json.dumps(named))
    return transformers.AutoTokenizer.from_pretrained(".")


rebuilt, kept = loaded("LlamaTokenizer"), loaded("PreTrainedTokenizerFast")
for text in ("hello", "hello</s>hello", " hello"):
    print(f"{text!r}: the file {file.encode(text, add_special_tokens=False).tokens}, "
          f"LlamaTokenizer {rebuilt.tokenize(text)}, PreTrainedTokenizerFast {kept.tokenize(text)}")
    expected = file.encode(text, add_special_tokens=False).tokens
    assert kept.tokenize(text) == expected, "the behaviour has changed"
    assert (rebuilt.tokenize(text) == expected) == (text == "hello"), "the behaviour has changed"
PY
