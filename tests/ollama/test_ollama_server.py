"""The server that the other tests here talk to is a real one."""

from __future__ import annotations

import hashlib
import json
import urllib.request
from pathlib import Path
from typing import Any


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
