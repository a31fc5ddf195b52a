#!/usr/bin/env bash
# One would guess: Dataset.from_list gives a column for every key, empty where a row lacks it, as
#   load_dataset("json") and pandas do.
# What happens: the columns are the keys of the first row. What only later rows have is dropped
#   without a warning.
# Who is hurt: whoever has training rows with an optional "system", "input" or "tools" and a first
#   row without it: nothing of these texts is trained on.
# Seen with: datasets==5.2.0, on 2026-11-29.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet datasets==5.2.0
cd "$work"
venv/bin/python - <<'PY'
import json
import warnings
from pathlib import Path

import datasets

warnings.simplefilter("error")  # a warning would be an error here
datasets.disable_progress_bars()
print("datasets", datasets.__version__)
rows = [
    {"prompt": "Returns?", "completion": "Within 14 days."},
    {"prompt": "Shipping?", "completion": "500 yen.", "system": "Answer in one sentence."},
]
Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
listed = datasets.Dataset.from_list(rows).column_names
read = datasets.load_dataset(
    "json", data_files="rows.jsonl", split="train", cache_dir="cache"
).column_names
print("the rows' keys:", sorted({key for row in rows for key in row}))
print("from_list:", listed)
print('load_dataset("json"):', read)
assert listed == ["prompt", "completion"] and "system" in read, "the behaviour has changed"
PY
