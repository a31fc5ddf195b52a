#!/usr/bin/env bash
# One would guess: BM25 ranks the documents that hold the word you ask for before those that do not.
# What happens: BM25Okapi's weight of a word that half of the documents hold is log(1) = 0. All
#   scores are 0, and get_top_n still returns a document: here one without the word.
# Who is hurt: whoever looks up rows or facts in a small collection (few-shot examples, a shop's
#   policies) and puts what comes first into a prompt.
# Seen with: rank-bm25==0.2.2, on 2026-11-29.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet rank-bm25==0.2.2
cd "$work"
venv/bin/python - <<'PY'
from importlib.metadata import version

from rank_bm25 import BM25Okapi

print("rank-bm25", version("rank-bm25"))
documents = [
    "standard shipping costs 500 yen",
    "express shipping costs 800 yen",
    "returns within 14 days",
    "we open at nine",
]
index = BM25Okapi([text.split() for text in documents])
scores = index.get_scores(["shipping"])
best = index.get_top_n(["shipping"], documents, n=1)
print("documents:", documents)
print("scores for 'shipping':", scores.tolist())
print("get_top_n(..., n=1):", best)
assert not scores.any() and "shipping" not in best[0], "the behaviour has changed"
PY
