"""A time limit for calls and commands, however they spend it."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

Found = TypeVar("Found")


def within(seconds: float, call: Callable[[], Found]) -> Found:
    """What `call` returns or raises; TimeoutError after so many seconds, however it spends them.

    It runs in a thread of its own, which is left alone when the time is up.
    """
    found: list[Found] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            found.append(call())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if failed:
        raise failed[0]
    if not found:
        raise TimeoutError(f"nothing came within {seconds:g} s")
    return found[0]


def run_within(
    seconds: float, command: Sequence[str], *, errors: bool = False, most: int = 2**16
) -> tuple[int, str]:
    """The exit code of a command and what it prints to stdout, or with `errors` to stderr: the
    first `most` bytes, after which it is ended. OSError where it cannot be started, TimeoutError
    after so many seconds.
    """
    none, pipe = subprocess.DEVNULL, subprocess.PIPE
    out, err = (none, pipe) if errors else (pipe, none)
    # Without a buffer, which could not be closed while it is read: a child of the command's own
    # may hold the pipe open for good.
    process = subprocess.Popen(command, stdin=none, stdout=out, stderr=err, bufsize=0)
    stream = process.stderr if errors else process.stdout
    assert stream is not None

    def read() -> tuple[int, bytes]:
        said = b""
        while len(said) < most and (part := stream.read(most - len(said))):
            said += part
        if len(said) >= most:
            process.kill()
        return process.wait(), said

    try:
        code, said = within(seconds, read)
    finally:
        process.kill()
        process.wait()
        stream.close()
    return code, said.decode("utf-8", "replace").strip()
