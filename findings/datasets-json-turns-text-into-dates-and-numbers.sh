#!/usr/bin/env bash
# One would guess: a text column of a JSON Lines file comes back as the text that is in the file.
# What happens: load_dataset("json") turns a column whose texts all look like dates into timestamps,
#   and where a column holds numbers, too, its texts are parsed: "007" becomes 7, "true" True and
#   "NaN" None.
# Who is hurt: whoever trains on answers such as dates, codes or labels; what the model learns is
#   "2026-04-01 00:00:00" or "7".
# Seen with: datasets==5.2.0, on 2026-11-29.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet datasets==5.2.0
cd "$work"
venv/bin/python - <<'PY'
import json
from pathlib import Path

import datasets

datasets.disable_progress_bars()
print("datasets", datasets.__version__)


def loaded(name: str, answers: list) -> list:
    lines = [json.dumps({"question": "?", "answer": answer}) + "\n" for answer in answers]
    Path(name).write_text("".join(lines), encoding="utf-8")
    rows = datasets.load_dataset("json", data_files=name, split="train", cache_dir="cache")
    print(f"{answers} -> {rows['answer'][:]} as {rows.features['answer']}")
    return rows["answer"][:]


dates = loaded("dates.jsonl", ["2026-04-01", "2026-05-06"])
mixed = loaded("mixed.jsonl", ["007", "true", "NaN", 7])
assert not any(isinstance(value, str) for value in dates), "the behaviour has changed"
assert mixed == [7, True, None, 7], "the behaviour has changed"
PY
