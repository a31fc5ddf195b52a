"""The server that the other tests here talk to ends with them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

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
    _, alive = psutil.wait_procs(running, timeout=10)
    assert not alive
