"""Ends a command that Ctrl-C does not end, however native code keeps it busy; for `stopping`.

    python _watcher.py PID MESSAGE

stdin brings the signals that reach the command, a byte each, and SETTLED; stdout takes an order to
end, which an interpreter that still turns obeys with the right exit code. After that it is killed,
with all processes that it has started.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time

SETTLED = 0
ASKED, KILLED = 1.0, 0.3  # seconds from the signal to the order, and from there to the end
TWICE = 0.3  # a second signal within so many seconds is the same Ctrl-C, sent by two


def main() -> None:
    sys.path.pop(0)  # this file's folder, whose modules would shadow the library's
    pid, message = int(sys.argv[1]), sys.argv[2]
    timer: threading.Timer | None = None
    asked = 0.0
    over = threading.Event()

    def end(seconds: float = 0.0) -> None:
        with contextlib.suppress(OSError):
            os.write(2, f"\nworkshop: {message}\n".encode())
            os.write(1, b"!")
        if not over.wait(seconds):
            kill(pid)

    while byte := os.read(0, 1):
        if byte[0] == SETTLED and timer is not None:
            timer.cancel()
            timer = None
        elif byte[0] == signal.SIGINT and timer is None:
            asked, timer = time.monotonic(), threading.Timer(ASKED, end, [KILLED])
            timer.daemon = True
            timer.start()
        elif byte[0] == signal.SIGINT and time.monotonic() - asked > TWICE:
            end()
    over.set()
    if timer is not None:
        timer.cancel()
        timer.join()  # to the last process, where it has begun
    os._exit(0)  # at once: the command may wait for this


def kill(pid: int) -> None:
    """End a process and all that it has started."""
    import psutil

    # This one is a child of it, too; where Python is a small program that starts another (a virtual
    # environment on Windows), the small one is, and takes this one along.
    spared = {os.getpid(), os.getppid()}
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        children = process.children(recursive=True)
        process.kill()
        for child in children:
            if child.pid not in spared:
                with contextlib.suppress(psutil.Error):
                    child.kill()


if __name__ == "__main__":
    main()
