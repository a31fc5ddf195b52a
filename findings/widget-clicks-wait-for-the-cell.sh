#!/usr/bin/env bash
# One would guess: since ipykernel 7 a click on a widget is handled while a cell runs. JupyterLab
#   sends it to a subshell, which is a thread of its own, and that is what subshells are for.
# What happens: ipykernel 7.4.0 hands every message for a widget to the shell that last sent something
#   through it. A widget made in a cell has last spoken in that cell, so the click waits for the main
#   shell, although the message names the subshell. In 7.3.0 it is handled at once.
# Who is hurt: whoever has a stop button beside a long loop. Nothing is raised, it does nothing.
# Seen with: ipykernel==7.4.0 and 7.3.0, jupyter_client==8.10.0, on 2026-11-29.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/click.py" <<'PY'
import sys
import time

from jupyter_client import KernelManager

CELL = """
import comm, time
heard = []
channel = comm.create_comm(target_name="button")
channel.on_msg(lambda message: heard.append(time.time()))
began = time.time()
while time.time() - began < 6 and not heard:
    time.sleep(0.05)
print("heard while the cell ran:", bool(heard))
"""

manager = KernelManager(kernel_name="python3")
manager.start_kernel()
client = manager.client()
client.start_channels()
client.wait_for_ready(60)
request = client.session.msg("create_subshell_request", {})
client.control_channel.send(request)
subshell = client.get_control_msg(timeout=30)["content"]["subshell_id"]
client.execute(CELL)
said = ""
deadline = time.time() + 60
while time.time() < deadline and "heard" not in said:
    message = client.get_iopub_msg(timeout=30)
    if message["msg_type"] == "comm_open":
        content = {"comm_id": message["content"]["comm_id"], "data": {}}
        click = client.session.msg("comm_msg", content)
        click["header"]["subshell_id"] = subshell
        time.sleep(1)
        client.shell_channel.send(click)
    if message["msg_type"] == "stream":
        said += message["content"]["text"]
manager.shutdown_kernel(now=True)
print(said.strip())
expected = "heard while the cell ran: " + sys.argv[1]
assert said.strip() == expected, "the behaviour has changed"
PY
for pair in 7.3.0:True 7.4.0:False; do
  version=${pair%%:*}
  "${PYTHON:-python3}" -m venv "$work/$version"
  "$work/$version/bin/python" -m pip install --quiet ipykernel=="$version" jupyter_client==8.10.0
  echo "ipykernel $version"
  (cd "$work" && env -u PYTHONPATH PATH="$work/$version/bin:$PATH" JUPYTER_PATH= \
    JUPYTER_DATA_DIR="$work/data" "$version/bin/python" click.py "${pair##*:}" 2>/dev/null)
done
