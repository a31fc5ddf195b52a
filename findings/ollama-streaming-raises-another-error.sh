#!/usr/bin/env bash
# One would guess: a server that is down raises the same error whether an answer is streamed or not;
#   `except ConnectionError`, which the message for one suggests, is enough.
# What happens: chat(...) raises the builtin ConnectionError with advice, chat(..., stream=True)
#   raises httpx.ConnectError, which is no ConnectionError and not even an OSError.
# Who is hurt: whoever streams answers of Ollama: the program ends in a traceback where the code has
#   an except clause for exactly this.
# Seen with: ollama==0.6.3, on 2026-11-29.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet ollama==0.6.3
cd "$work"
venv/bin/python - <<'PY'
import socket
from importlib.metadata import version

import ollama

print("ollama", version("ollama"))
with socket.socket() as free:  # a port at which nothing listens
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
client = ollama.Client(host=f"127.0.0.1:{port}")
raised = {}
for stream in (False, True):
    try:
        for _ in client.chat("m", [{"role": "user", "content": "Hello"}], stream=stream):
            pass
    except Exception as error:
        raised[stream] = type(error)
        print(f"stream={stream}: {type(error).__module__}.{type(error).__name__}: {error}")
assert issubclass(raised[False], ConnectionError), "the behaviour has changed"
assert not issubclass(raised[True], OSError), "the behaviour has changed"
PY
