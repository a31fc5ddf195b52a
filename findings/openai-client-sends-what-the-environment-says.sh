#!/usr/bin/env bash
# One would guess: OpenAI(base_url=..., api_key=...) for a local or another company's server sends
#   that key, and nothing else that concerns the account at OpenAI.
# What happens: OPENAI_ORG_ID and OPENAI_PROJECT_ID of the environment go along as the headers
#   OpenAI-Organization and OpenAI-Project, and OPENAI_CUSTOM_HEADERS as written there, to whatever
#   server base_url names.
# Who is hurt: whoever asks Ollama, llama.cpp, a proxy or a rented server in a shell that is set up
#   for OpenAI: identifiers, and headers meant for one gateway, reach another one's logs.
# Seen with: openai==3.57.0, on 2026-11-29.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet openai==3.57.0
cd "$work"
OPENAI_ORG_ID=org-example OPENAI_PROJECT_ID=proj-example \
    OPENAI_CUSTOM_HEADERS="X-Gateway: team-example" venv/bin/python - <<'PY'
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import urlunsplit

import openai

seen = {}


class Server(BaseHTTPRequestHandler):
    def do_GET(self):
        seen.update({name.lower(): value for name, value in self.headers.items()})
        body = json.dumps({"object": "list", "data": []}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


server = HTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
address = urlunsplit(("http", f"127.0.0.1:{server.server_port}", "/v1", "", ""))
client = openai.OpenAI(base_url=address, api_key="local")
client.models.list()
server.shutdown()
print("openai", openai.__version__)
names = ("authorization", "openai-organization", "openai-project", "x-gateway")
for name in names:
    print(f"{name}: {seen.get(name)}")
wanted = ["Bearer local", "org-example", "proj-example", "team-example"]
assert [seen.get(name) for name in names] == wanted, "the behaviour has changed"
PY
