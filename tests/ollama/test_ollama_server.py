"""The server that the other tests here talk to is a real one."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import psutil
import pytest


def post(host: str, path: str, body: bytes | dict[str, Any], method: str = "POST") -> Any:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    with urllib.request.urlopen(
        urllib.request.Request(host + path, data=data, method=method), timeout=120
    ) as reply:
        found = reply.read()
    return json.loads(found) if found else None


def test_the_server_answers_with_a_model_given_to_it(ollama_host: str, mame_gguf: Path) -> None:
    name = "workshop-test-server"
    data = mame_gguf.read_bytes()
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    post(ollama_host, f"/api/blobs/{digest}", data)
    made = post(
        ollama_host,
        "/api/create",
        {"model": name, "files": {"mame.gguf": digest}, "stream": False},
    )
    assert made["status"] == "success"
    try:
        asked = {
            "model": name,
            "stream": False,
            "options": {"temperature": 0, "num_predict": 20, "num_thread": 1},
            "messages": [{"role": "user", "content": "What colour is the sky?"}],
        }
        found = post(ollama_host, "/api/chat", asked)
        assert found["eval_count"] > 3
        assert found["message"]["content"].strip()
    finally:
        post(ollama_host, "/api/delete", {"model": name}, "DELETE")


# Starts a server, lets it load a model, says who is running, and waits to be killed.
CHILD = """
import json, sys
from pathlib import Path
import psutil
from ollama_server import OllamaServer
from workshop_helpers.runtimes.ollama.client import Ollama
from workshop_helpers.runtimes.ollama.runtime import OllamaRuntime

own = OllamaServer(Path(sys.argv[1]), Path(sys.argv[2])).start()
with Ollama(own.host) as server:
    server.create("m", Path(sys.argv[3]))
with OllamaRuntime("m", host=own.host, threads=1) as runtime:
    runtime.answer([[{"role": "user", "content": "Hi"}]], max_new_tokens=1)
served = psutil.Process(own._process.pid)
print(json.dumps([p.pid for p in (served, *served.children(recursive=True))]), flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no process groups")
def test_a_test_run_that_is_killed_leaves_no_server_behind(
    ollama_binary: Path, mame_gguf: Path, tmp_path: Path
) -> None:
    arguments = [str(tmp_path / "home"), str(ollama_binary), str(mame_gguf)]
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as child:
        assert child.stdin and child.stdout
        running = [psutil.Process(pid) for pid in json.loads(child.stdout.readline())]
        assert len(running) > 1, "the server and the runner of its model"
        child.kill()
    gone, alive = psutil.wait_procs(running, timeout=10)
    assert not alive
