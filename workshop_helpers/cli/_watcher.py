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

    def end(seconds: float = 0.0) -> None:
        with contextlib.suppress(OSError):
            os.write(2, f"\nworkshop: {message}\n".encode())
            os.write(1, b"!")
        time.sleep(seconds)
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
    os._exit(0)  # the command has ended by itself; it waits for this


def kill(pid: int) -> None:
    """End a process and all that it has started."""
    import psutil

    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        for one in (*process.children(recursive=True), process):
            # This one is a child, too, and is needed to the end.
            if one.pid != os.getpid():
                with contextlib.suppress(psutil.Error):
                    one.kill()


if __name__ == "__main__":
    main()
