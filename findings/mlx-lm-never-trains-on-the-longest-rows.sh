#!/usr/bin/env bash
# One would guess: mlx-lm trains on every row; where the rows do not fill the last batch, other rows
#   are left out in each epoch, by chance.
# What happens: the rows are sorted by length and cut into whole batches, before any shuffling.
#   What is left over, up to one row less than a batch, is never trained on, in no epoch, and it is
#   always the longest rows. Nothing is said. The validation loss leaves the longest out alike.
# Who is hurt: whoever tunes with few rows and a large batch: of 10 rows in batches of 4 the two
#   fullest answers are not learned; of 31 in batches of 16 it is half of the file.
# Seen with: mlx-lm==0.32.2, mlx==0.32.4, transformers==5.23.0, on 2026-11-30. (Rows that are a
#   multiple of the batch size, or batches of 1 and gradient accumulation, lose nothing.)
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet mlx-lm==0.32.2 "mlx[cpu]==0.32.4" \
    transformers==5.23.0
cd "$work"
venv/bin/python - <<'PY'
from importlib.metadata import version
from itertools import islice

from mlx_lm.tuner.trainer import iterate_batches

print("mlx-lm", version("mlx-lm"))


def trained_on(count, batch_size, epochs):
    """The rows, by their number, that come up in so many epochs; row N has N tokens, all N."""
    rows = [([number] * number, 0) for number in range(1, count + 1)]
    batches = iterate_batches(rows, batch_size, max_seq_length=64, loop=True, seed=0)
    wanted = epochs * (count // batch_size)
    return {row[0] for batch, _ in islice(batches, wanted) for row in batch.tolist()}


missing = {}
for count, batch_size in ((10, 4), (31, 16), (12, 4), (10, 1)):
    missing[count, batch_size] = set(range(1, count + 1)) - trained_on(count, batch_size, 100)
    print(f"{count} rows of 1 to {count} tokens, batches of {batch_size}, 100 epochs;",
          f"never seen: {sorted(missing[count, batch_size]) or 'none'}")
expected = {(10, 4): {9, 10}, (31, 16): set(range(17, 32)), (12, 4): set(), (10, 1): set()}
assert missing == expected, "the behaviour has changed"
PY
