#!/usr/bin/env bash
# One would guess: ROUGE of two Japanese sentences says how alike they are; identical ones get 1.
# What happens: the default tokenizer keeps ASCII letters and digits only. Sentences that share one
#   number and say the opposite get 1.0; identical sentences without a digit get 0.
# Who is hurt: whoever reports ROUGE of a model that answers in Japanese, or in any other script.
# Seen with: rouge-score==0.1.2, on 2026-11-29.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet rouge-score==0.1.2
cd "$work"
venv/bin/python - <<'PY'
from importlib.metadata import version

from rouge_score.rouge_scorer import RougeScorer

print("rouge-score", version("rouge-score"))
scorer = RougeScorer(["rougeL"])
pairs = {
    "the opposite, same number": ("返品は14日以内にできます。", "14日を過ぎても返品できません。"),
    "identical, no number": ("返品はできません。", "返品はできません。"),
}
scores = {name: scorer.score(*pair)["rougeL"].fmeasure for name, pair in pairs.items()}
for name, score in scores.items():
    print(f"{name}: ROUGE-L {score} of {pairs[name]}")
assert list(scores.values()) == [1.0, 0.0], "the behaviour has changed"
PY
