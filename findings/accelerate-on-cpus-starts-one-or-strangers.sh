#!/usr/bin/env bash
# One would guess: without a GPU, `accelerate launch --cpu --num_processes 2` starts two processes
#   that train together; `--multi_gpu --num_processes 2` and torchrun do so, too, or refuse.
# What happens: with --cpu it is one process, and no warning. The others start two, and each takes
#   itself for the only one: a plain Accelerator() says process 0 of 1 and is_main_process in both.
#   Accelerator(cpu=True), or ACCELERATE_USE_CPU=true around the launch, makes them two of two.
# Who is hurt: whoever tries a script for several GPUs on a laptop or a build machine first. Either
#   nothing of it is tried, or two trainings without common gradients see all rows twice and write
#   the same files.
# Seen with: accelerate==1.15.0, torch==2.13.0, on 2026-11-30. (The script hides GPUs.)
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet accelerate==1.15.0 torch==2.13.0
cat >"$work/who.py" <<'PY'
import os

from accelerate import Accelerator

one = Accelerator()
print(f"RANK={os.environ.get('RANK')}: process {one.process_index} of {one.num_processes},"
      f" main: {one.is_main_process}")
PY
cd "$work"
cat >ask.py <<'PY'
import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

print("accelerate", version("accelerate"))
plain = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1",
         "HF_HOME": str(Path("home").resolve())}  # the defaults, not the user's configuration
for name in list(plain):
    if name.startswith("ACCELERATE_") or name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        del plain[name]
launch = [sys.executable, "-m", "accelerate.commands.launch", "--num_processes", "2",
          "--main_process_port", "0"]
torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
ways = {
    "accelerate launch --cpu": (["--cpu"], launch, {}),
    "accelerate launch --multi_gpu": (["--multi_gpu"], launch, {}),
    "torchrun": ([], torchrun, {}),
    "ACCELERATE_USE_CPU=true, accelerate launch --multi_gpu":
        (["--multi_gpu"], launch, {"ACCELERATE_USE_CPU": "true"}),
}
seen = {}
for way, (options, command, extra) in ways.items():
    done = subprocess.run([*command, *options, "who.py"], env={**plain, **extra},
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    processes = sorted(re.findall("RANK=.*", done.stdout))
    seen[way] = [re.search(r"process (\d of \d)", line)[1] for line in processes]
    print(f"{way}, two processes asked for:", *processes, sep="\n  ")
assert list(seen.values()) == [
    ["0 of 1"], ["0 of 1", "0 of 1"], ["0 of 1", "0 of 1"], ["0 of 2", "1 of 2"]
], "the behaviour has changed"
PY
venv/bin/python ask.py
