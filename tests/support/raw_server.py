"""A server of which every byte is given: answers that break off, drip, never end, are nonsense."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

# What is sent for a request; each part goes out by itself. It may take its time.
Answer = Callable[[bytes], Iterable[bytes]]


@contextlib.contextmanager
def raw_server(answer: Answer) -> Iterator[str]:
    """A server on this machine, "127.0.0.1:PORT", that sends what `answer` gives for a request
    and closes the connection.
    """
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=_serve, args=(listening, answer), daemon=True).start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)


def _serve(listening: socket.socket, answer: Answer) -> None:
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listening.accept()
            threading.Thread(target=_answer, args=(connection, answer), daemon=True).start()


def _answer(connection: socket.socket, answer: Answer) -> None:
    with connection, contextlib.suppress(OSError):
        connection.settimeout(5)
        request = b""
        while b"\r\n\r\n" not in request:
            request += connection.recv(65536)
        head, _, body = request.partition(b"\r\n\r\n")
        length = next((int(line.split(b":")[1]) for line in head.lower().split(b"\r\n")
                       if line.startswith(b"content-length:")), 0)  # fmt: skip
        while len(body) < length:
            body += connection.recv(65536)
        for part in answer(head + b"\r\n\r\n" + body):
            connection.sendall(part)


def http(
    body: bytes | Any, status: str = "200 OK", *headers: str, length: int | None = -1
) -> bytes:
    """An HTTP answer. `length`: what it says of its length, None for nothing, -1 for the truth."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status}", "Connection: close", *headers]
    if length is not None:
        lines.append(f"Content-Length: {len(content) if length < 0 else length}")
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + content
