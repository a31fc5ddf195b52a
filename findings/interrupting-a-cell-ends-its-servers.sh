#!/usr/bin/env bash
# One would guess: to interrupt a notebook's kernel (■) ends the cell that runs, by KeyboardInterrupt
#   in the kernel. A server that an earlier cell has started with subprocess.Popen is a process of its
#   own and goes on, as it goes on when a cell ends or fails.
# What happens: jupyter_client signals the kernel's whole process group, and children stay in it. The
#   server gets SIGINT too and is gone; the notebook says only that the cell was interrupted. Started
#   with start_new_session=True it lives.
# Who is hurt: whoever starts `ollama serve`, vLLM or a label tool from a notebook and stops a slow
#   cell: the next cell finds nobody, and nothing says why.
# Seen with: jupyter_client==8.10.0, ipykernel==7.4.0, on 2026-11-29.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet ipykernel==7.4.0 jupyter_client==8.10.0
cat >"$work/stop.py" <<'PY'
import time

from jupyter_client import KernelManager

START = """
import subprocess, sys
command = [sys.executable, "-m", "http.server", "0", "--bind", "127.0.0.1"]
quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
server = subprocess.Popen(command, **quiet)
apart = subprocess.Popen(command, start_new_session=True, **quiet)
"""
SLOW = "import time; print('begun', flush=True); time.sleep(60)"
LOOK = "print([one.poll() is None for one in (server, apart)])"
END = "server.kill(); apart.kill()"


def said(client, code, stop=None):
    number, text = client.execute(code), ""
    while True:
        message = client.get_iopub_msg(timeout=60)
        if message["parent_header"].get("msg_id") != number:
            continue
        if message["msg_type"] == "stream":
            text += message["content"]["text"]
            if stop is not None:
                time.sleep(1)
                stop()
        if message["msg_type"] == "error":
            text += message["content"]["ename"]
        if message["content"].get("execution_state") == "idle":
            return text.strip()


manager = KernelManager(kernel_name="python3")
manager.start_kernel()
client = manager.client()
client.start_channels()
client.wait_for_ready(60)
said(client, START)
time.sleep(2)
before = said(client, LOOK)
stopped = said(client, SLOW, manager.interrupt_kernel)
time.sleep(2)
after = said(client, LOOK)
said(client, END)
manager.shutdown_kernel(now=True)
print("alive (server, server in a session of its own):", before)
print("the slow cell:", stopped.replace("\n", ", "))
print("alive after the interrupt:", after)
assert before == "[True, True]" and stopped.endswith("KeyboardInterrupt")
assert after == "[False, True]", "the behaviour has changed"
PY
cd "$work"
env -u PYTHONPATH PATH="$work/venv/bin:$PATH" JUPYTER_PATH= JUPYTER_DATA_DIR="$work/data" \
  venv/bin/python stop.py 2>/dev/null
