"""Servers of the tests: free ports, and no server that outlives the test run, however it ends."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def watch(pid: int) -> subprocess.Popen[bytes]:
    """Ends the process group `pid` as soon as this process is gone, however it ended.

    The watcher reads a pipe whose other end only this process holds. A line says that all is well;
    the end of the pipe without one means that nobody is left to end the server.
    """
    script = 'read -r word || kill -s KILL -- "-$1"'
    return subprocess.Popen(
        ["/bin/sh", "-c", script, "sh", str(pid)], stdin=subprocess.PIPE, start_new_session=True
    )


def signal_group(pid: int, how: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, how)
