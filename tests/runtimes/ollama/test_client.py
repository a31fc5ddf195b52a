"""The client of Ollama where no Ollama is needed: addresses, versions, and what servers answer that
a real one answers only on another machine, or in another year.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.runtimes.ollama.client import Ollama, address, version_numbers

HELLO = [{"role": "user", "content": "hi"}]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, "http://127.0.0.1:11434"),
        ("", "http://127.0.0.1:11434"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:80", "http://127.0.0.1:80"),
        (":5000", "http://127.0.0.1:5000"),
        ("box", "http://box:11434"),
        ("http://box", "http://box:80"),
        ("https://box/ollama/", "https://box:443/ollama"),
        ("[::1]:5000", "http://[::1]:5000"),
        (' "box:1" ', "http://box:1"),
    ],
)
def test_addresses_are_read_as_ollama_reads_them(
    given: str | None, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OLLAMA_HOST", raising=False)
    assert address(given) == expected
    monkeypatch.setenv("OLLAMA_HOST", given or "")
    assert address() == expected


def test_a_nonsense_address_is_refused() -> None:
    with pytest.raises(WorkshopError, match="not a server's address"):
        address("box:port")


def test_versions_compare_as_numbers() -> None:
    assert version_numbers("0.10.0") > version_numbers("0.9.3-rc1") == (0, 9, 3)
    assert version_numbers("") == (0, 0, 0)


def test_ollama_gets_no_more_threads_than_we_have_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workshop_helpers.runtimes.ollama.client.cores", lambda: 2)
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    with Ollama("127.0.0.1") as here, Ollama("elsewhere") as far:
        assert (here.own_threads(), far.own_threads()) == (2, None)
        monkeypatch.setattr("os.cpu_count", lambda: 2)
        assert here.own_threads() is None
        monkeypatch.setenv("OMP_NUM_THREADS", "1")
        assert (here.own_threads(), far.own_threads()) == (1, None)


def test_a_server_that_is_down(mame_gguf: Path) -> None:
    with Ollama("127.0.0.1:1") as down:
        for attempt in (
            down.version,
            down.models,
            lambda: down.show("m"),
            lambda: down.remove("m"),
            lambda: down.create("m", mame_gguf),
            lambda: down.pull("m"),  # streaming
            lambda: list(down.chat("m", HELLO)),  # streaming
        ):
            with pytest.raises(WorkshopError, match="No Ollama answers at .*ollama serve"):
                attempt()


class Says(BaseHTTPRequestHandler):
    """A server that gives these answers."""

    version = "0.9.3"
    reply = '{"error": "model requires more system memory (9.1 GiB) than is available (2.0 GiB)"}'
    status = 500

    def _send(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def do_GET(self) -> None:
        self._send(200, json.dumps({"version": self.version}) if self.version else "<html>")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._send(self.status, self.reply)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def says() -> Iterator[Callable[..., Ollama]]:
    servers = []

    def start(**kinds: object) -> Ollama:
        server = ThreadingHTTPServer(("127.0.0.1", 0), type("Says", (Says,), kinds))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return Ollama(f"127.0.0.1:{server.server_port}")

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


PIECE = '{"message": {"role": "assistant", "content": "a"}}\n'
MANIFEST = "pull model manifest: "
LIBRARY = "cannot reach Ollama's library: .*"
NO_FILE = f"{MANIFEST}file does not exist"


def test_not_enough_memory(says: Callable[..., Ollama]) -> None:
    with pytest.raises(WorkshopError, match=r"not enough memory for big: .*9\.1 GiB.*smaller"):
        list(says().chat("big", HELLO))
    said = f'{PIECE}{{"error": "CUDA error: out of memory"}}\n'
    stream = says(status=200, reply=said).chat("big", HELLO)
    with pytest.raises(WorkshopError, match="not enough memory"):
        list(stream)
    assert stream.text == "a" and stream.timings is None


def test_a_stream_that_just_ends_is_an_error(says: Callable[..., Ollama]) -> None:
    with pytest.raises(WorkshopError, match="broke the answer of m off"):
        list(says(status=200, reply=PIECE).chat("m", HELLO))
    part = {"status": "pulling 012", "digest": "sha256:012", "total": 10, "completed": 3}
    with pytest.raises(WorkshopError, match="stopped fetching m before it was done"):
        says(status=200, reply=json.dumps(part) + "\n").pull("m")


@pytest.mark.parametrize(
    ("name", "said", "explained"),
    [
        ("lama3.2", NO_FILE, r"no model lama3\.2 in Ollama's library\. .*search\?q=lama3\.2\.$"),
        ("llama3.2:9b", NO_FILE, r"/library/llama3\.2/tags\.$"),
        ("me/mine:9b", NO_FILE, r"q=mine.*ollama\.com/me/mine/tags\.$"),
        ("qwen2.5-0.5b", NO_FILE, r"there it is qwen2\.5:0\.5b\."),
        ("m", f"{MANIFEST}dial tcp: lookup r: no such host", LIBRARY + "no such host.*network"),
        ("m", "max retries exceeded: unexpected EOF", LIBRARY + "EOF"),
        ("m", "write /blobs/x: no space left on device", r"disk .* is full: .*ollama rm"),
        ("hf.co/me/it", f"{MANIFEST}401: {{}}", r"at hf\.co does not give hf\.co/me/it .*licence"),
        ("m", f"{MANIFEST}412: requires a newer version of Ollama", "too old for m: .*Update it"),
        ("m", "tls: failed to verify certificate: x509", "certificate of Ollama's library"),
        ("m", "something else", r"Ollama refused while fetching it \(m\): something else"),
    ],
)  # fmt: skip
def test_a_pull_that_ends_with_an_error_and_status_200(
    says: Callable[..., Ollama], name: str, said: str, explained: str
) -> None:
    lines = [{"status": "pulling manifest"}, {"error": said}]
    reply = "".join(f"{json.dumps(line)}\n" for line in lines)
    with pytest.raises(WorkshopError, match=explained):
        says(status=200, reply=reply).pull(name)


def test_a_full_disk_is_told_at_an_upload_too(says: Callable[..., Ollama], mame_gguf: Path) -> None:
    reply = '{"error": "write /blobs/sha256-1: no space left on device"}'
    with pytest.raises(
        WorkshopError, match=r"disk .* is full: write /blobs/sha256-1: no space left on device\."
    ):
        says(reply=reply, do_HEAD=lambda self: self._send(404, "")).create("m", mame_gguf)


def test_a_server_that_is_too_old_or_no_ollama(
    says: Callable[..., Ollama], mame_gguf: Path
) -> None:
    with pytest.raises(WorkshopError, match=r"version 0\.4\.7; .* 0\.5\.5 or newer"):
        says(version="0.4.7").create("m", mame_gguf)
    with pytest.raises(WorkshopError, match="is not Ollama"):
        says(version="").version()
    reply = '{"error": "llama runner process has terminated: unknown model architecture: \'new\'"}'
    with pytest.raises(WorkshopError, match="too old for m"):
        list(says(reply=reply).chat("m", HELLO))
    assert says(version="0.0.0").need() == "0.0.0"  # built from source
