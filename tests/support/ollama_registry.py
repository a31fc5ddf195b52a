"""A registry that a real Ollama server pulls from: the manifest and blobs of a model folder of
Ollama, over HTTP.

Only the registry is a stand-in. What it serves was written by an Ollama server, and what pulls is
one. As Ollama's own registry does, it sends whoever wants a blob on to another host (here: another
name of this machine), which serves the ranges that are asked for.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

PIECE = 2**16


class Registry:
    """Serves `models`, a server's model folder; `name("tiny")` is what a server on this machine
    calls its model `tiny`.

    Settings may be changed while it runs. `pause`: seconds between the pieces (64 KiB) of a blob.
    `halfway`: called once, when half of a blob of a megabyte or more was sent. `damaged`: the
    blobs' last byte is a wrong one. `ranges`: where the requested pieces of such blobs began.
    """

    def __init__(self, models: Path) -> None:
        self.models = models
        self.pause = 0.0
        self.halfway: Callable[[], None] | None = None
        self.damaged = False
        self.ranges: list[int] = []
        self._server = ThreadingHTTPServer(
            ("127.0.0.1", 0), type("Handler", (_Handler,), {"registry": self})
        )
        self._server.daemon_threads = True
        self.port = self._server.server_port

    def name(self, model: str) -> str:
        return f"127.0.0.1:{self.port}/library/{model}"

    def manifest(self, model: str, tag: str) -> Path:
        """Where the server that made the model keeps its manifest (it has no registry of its own,
        so: Ollama's).
        """
        return self.models / "manifests" / "registry.ollama.ai" / "library" / model / tag

    def size(self, model: str, tag: str = "latest") -> int:
        """Bytes of all parts of a model."""
        found = json.loads(self.manifest(model, tag).read_text(encoding="utf-8"))
        return sum(int(one["size"]) for one in [*found["layers"], found["config"]])

    def __enter__(self) -> Registry:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    registry: Registry
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        found = re.fullmatch(
            r"/v2/library/([\w.-]+)/(manifests|blobs)/([\w.:-]+)|/data/(sha256:[0-9a-f]{64})",
            self.path,
        )
        if found is None:
            return self._nothing()
        model, what, which, data = found.groups()
        if what == "manifests":
            path = self.registry.manifest(model, which)
        else:
            path = self.registry.models / "blobs" / (which or data).replace(":", "-")
        if not path.is_file():
            return self._nothing()
        if what == "blobs" and body:
            self.send_response(307)
            self.send_header("Location", f"http://localhost:{self.registry.port}/data/{which}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return None
        content = path.read_bytes()
        if self.registry.damaged and what != "manifests":
            content = content[:-1] + bytes([content[-1] ^ 1])
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range") or "")
        first, last = map(int, asked.groups()) if asked else (0, len(content) - 1)
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
        self.send_header("Content-Length", str(last + 1 - first))
        self.end_headers()
        if body:
            with contextlib.suppress(ConnectionError):
                self._send(content, first, last + 1)
        return None

    def _send(self, content: bytes, first: int, end: int) -> None:
        large = len(content) >= 10**6
        if large:
            self.registry.ranges.append(first)
        for at in range(first, end, PIECE):
            if large and at >= len(content) // 2 and self.registry.halfway is not None:
                halfway, self.registry.halfway = self.registry.halfway, None
                halfway()
            self.wfile.write(content[at : min(at + PIECE, end)])
            if large:
                time.sleep(self.registry.pause)

    def _nothing(self) -> None:
        text = json.dumps({"errors": [{"code": "MANIFEST_UNKNOWN", "message": "not here"}]})
        self.send_response(404)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text.encode())

    def log_message(self, *_: Any) -> None:
        pass
