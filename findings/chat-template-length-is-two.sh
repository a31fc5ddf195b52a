#!/usr/bin/env bash
# One would guess: len(tokenizer.apply_chat_template(messages)) is the number of tokens, as in every
#   release before transformers 5 and in most tutorials.
# What happens: it is 2, whatever the messages are: the call returns input_ids and attention_mask in
#   a dictionary. Nothing is raised, so a filter "shorter than 512 tokens" keeps every row.
# Who is hurt: whoever counts, filters or cuts training rows by this length.
# Seen with: transformers==5.23.0, on 2026-11-29. (return_dict=False gives the list.)
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet transformers==5.23.0 jinja2==3.1.6
cd "$work"
venv/bin/python - <<'PY'
import os

os.environ["TRANSFORMERS_VERBOSITY"] = "error"  # it would say that it has no PyTorch here
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers

print("transformers", transformers.__version__)
words = Tokenizer(models.WordLevel({"<unk>": 0, "hello": 1}, unk_token="<unk>"))
words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=words, unk_token="<unk>")
tokenizer.chat_template = "{% for message in messages %}{{ message['content'] }} {% endfor %}"
lengths = {}
for count in (3, 1000):
    messages = [{"role": "user", "content": "hello " * count}]
    lengths[count] = len(tokenizer.apply_chat_template(messages))
    as_list = len(tokenizer.apply_chat_template(messages, return_dict=False))
    print(f"{count} tokens: len() is {lengths[count]}; with return_dict=False {as_list}")
    assert as_list == count, "the behaviour has changed"
assert set(lengths.values()) == {2}, "the behaviour has changed"
PY
