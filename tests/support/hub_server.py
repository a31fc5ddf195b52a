"""A Hub on this machine that takes a repository and one commit, large files by Git LFS."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Hub:
    """`repos`: name → what was asked of it; `files`: "OWNER/NAME/FILE" → bytes; `tokens`: those
    that were sent.
    """

    def __init__(self) -> None:
        self.repos: dict[str, dict[str, Any]] = {}
        self.files: dict[str, bytes] = {}
        self.tokens: set[str] = set()
        self.refuse = 0
        self._large: dict[str, bytes] = {}
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.address = f"http://127.0.0.1:{self.server.server_port}"

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        if self.refuse:
            return self.refuse, {"error": "You may not write here."}
        if path == "/api/repos/create":
            asked = json.loads(body)
            name = "/".join(filter(None, (asked.get("organization"), asked["name"])))
            self.repos[name] = asked
            return 200, {"url": f"{self.address}/{name}", "name": name}
        if path == "/api/validate-yaml":
            return 200, {"errors": [], "warnings": []}
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/preupload/main", path):
            files = json.loads(body)["files"]
            large = (".safetensors", ".gguf")
            return 200, {"files": [
                {"path": one["path"], "shouldIgnore": False,
                 "uploadMode": "lfs" if one["path"].endswith(large) else "regular"}
                for one in files
            ]}  # fmt: skip
        if path.endswith("/info/lfs/objects/batch"):
            return 200, {"transfer": "basic", "objects": [
                {**one, "actions": {"upload": {"href": f"{self.address}/lfs/{one['oid']}"}}}
                for one in json.loads(body)["objects"]
            ]}  # fmt: skip
        if method == "PUT" and path.startswith("/lfs/"):
            self._large[path.rpartition("/")[2]] = body
            return 200, {}
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/commit/main", path):
            for line in body.splitlines():
                self._take(found[1], json.loads(line))
            commit = {"commitUrl": f"{self.address}/{found[1]}/commit/{'1' * 40}"}
            return 200, {"success": True, "commitOid": "1" * 40, **commit}
        return 404, {"error": f"no {path}"}

    def _take(self, repo: str, line: dict[str, Any]) -> None:
        value = line["value"]
        if line["key"] == "file":
            self.files[f"{repo}/{value['path']}"] = base64.b64decode(value["content"])
        elif line["key"] == "lfsFile":
            self.files[f"{repo}/{value['path']}"] = self._large[value["oid"]]


@contextlib.contextmanager
def hub_server() -> Iterator[Hub]:
    hub = Hub()
    threading.Thread(target=hub.server.serve_forever, daemon=True).start()
    yield hub
    hub.server.shutdown()
    hub.server.server_close()


def _handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _reply(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            hub.tokens.add(self.headers.get("Authorization") or "")
            status, found = hub.answer(self.command, self.path.partition("?")[0], body)
            content = json.dumps(found).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = _reply

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    return Handler
