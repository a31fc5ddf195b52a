#!/usr/bin/env bash
# One would guess: WordLlama.load() works offline once wordllama is installed: the wheel brings the
#   weights and the tokenizer, and the files in the package come first, as the docstring says.
# What happens: the wheel has tokenizers/l2_supercat_tokenizer_config.json, and the package looks in
#   tokenizer/. So the first load fetches a file that lies there already, and HF_HUB_OFFLINE=1 does
#   not keep it from asking. Without a network it raises FileNotFoundError.
# Who is hurt: whoever works without a network, or on a build machine that has none: the search that
#   ran at home fails there. With a network, what a pinned version does hangs on what the hub's main
#   branch holds on that day.
# Seen with: wordllama==0.4.0.post1, on 2026-11-30. (load(cache_dir=FOLDER_OF_THE_PACKAGE,
#   disable_download=True) finds both files. Nothing is downloaded here beyond the package.)
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet wordllama==0.4.0.post1 requests==2.34.2
cd "$work"
HOME="$work/home" HF_HUB_OFFLINE=1 venv/bin/python - <<'PY'
from importlib.metadata import version
from pathlib import Path

import requests
import wordllama
from wordllama import WordLlama

print("wordllama", version("wordllama"))
package = Path(wordllama.__file__).parent
brought = [path.relative_to(package).as_posix()
           for folder in ("weights", "tokenizer", "tokenizers")
           for path in sorted((package / folder).glob("l2_supercat*"))]
print("the wheel brings:", *brought)
asked = []


def no_network(url, **options):
    asked.append(url)
    raise requests.ConnectionError("no network")


requests.get = no_network
try:
    WordLlama.load()
    error = None
except FileNotFoundError as caught:
    error = caught
print("load() with HF_HUB_OFFLINE=1 asks for:", *asked)
print("and raises:", error)
model = WordLlama.load(cache_dir=package, disable_download=True)
print("with the package as cache_dir:", model.embed("two words").shape)
assert "tokenizers/l2_supercat_tokenizer_config.json" in brought, "the behaviour has changed"
assert error and len(asked) == 1 and "tokenizer" in asked[0], "the behaviour has changed"
PY
