"""Ctrl-C ends a command within two seconds, whatever it is at.

The first one raises KeyboardInterrupt: what is half written is removed, and `leave` ends the
process without waiting for its threads. Where that does not come about, since native code does not
return, holds the interpreter or waits for a thread that never ends, a process beside it sees to it
(`_watcher`): Python hands it each signal from inside the signal's handler, whatever is running.
"""

from __future__ import annotations

import _thread
import atexit
import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from .output import STOPPED

MESSAGE = "Stopped. What was finished is kept; the same command goes on from there."
_WATCHER = Path(__file__).with_name("_watcher.py")
_watcher: subprocess.Popen[bytes] | None = None
_asked = False


@contextlib.contextmanager
def ctrl_c_ends() -> Iterator[None]:
    """In this block (once, in the main thread) the first Ctrl-C raises KeyboardInterrupt, and the
    process is ended where that does not end it. After it one ends the process at once. A shell's
    background jobs, which ignore Ctrl-C, go on to ignore it.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    with contextlib.suppress(OSError):  # without a watcher, everything else works
        _start_watcher()
    signal.signal(signal.SIGINT, _interrupt)
    sys.unraisablehook = _swallowed
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        sys.unraisablehook = sys.__unraisablehook__


def _start_watcher() -> None:
    global _watcher
    _watcher = subprocess.Popen(
        [sys.executable, str(_WATCHER), str(os.getpid()), MESSAGE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
        # Ctrl-C goes to all processes in a terminal's foreground, but must not reach this one.
        start_new_session=True,
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
    )
    assert _watcher.stdin is not None
    if os.name != "nt":  # where it is neither needed nor, before Python 3.12, possible
        os.set_blocking(_watcher.stdin.fileno(), False)
    signal.set_wakeup_fd(_watcher.stdin.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=_obey, args=(_watcher,), daemon=True).start()
    atexit.register(_end_watching)  # after the threads have ended


def settled() -> None:
    """Ctrl-C has ended what it was meant to end, and the command goes on."""
    global _asked
    _asked = False
    if _watcher is not None and _watcher.stdin is not None:
        with contextlib.suppress(OSError):
            _watcher.stdin.write(b"\0")


def leave() -> None:
    """End the process as one that Ctrl-C has stopped, with those that it has started; threads at
    work cannot hold it. Comes back where nothing watches (a `main` called from Python).
    """
    if _watcher is not None:
        _leave()


def _leave() -> NoReturn:
    import psutil

    with contextlib.suppress(psutil.Error):
        children = psutil.Process().children(recursive=True)
        for child in children:
            with contextlib.suppress(psutil.Error):
                child.kill()
        psutil.wait_procs(children, timeout=0.2)
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(STOPPED)


def _end_watching() -> None:
    signal.set_wakeup_fd(-1)
    if _watcher is not None and _watcher.stdin is not None:
        _watcher.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            _watcher.wait(timeout=0.5)


def _interrupt(number: int, frame: object) -> None:
    """Once: another one must not break off the tidying up. The watcher counts them."""
    global _asked
    if not _asked:
        _asked = True
        raise KeyboardInterrupt


def _swallowed(unraisable: sys.UnraisableHookArgs) -> None:
    """Ctrl-C in a `__del__` or another callback whose errors Python prints and forgets: it is
    sent again as soon as that has returned.
    """
    if unraisable.exc_type is KeyboardInterrupt:
        settled()
        threading.Timer(0.01, _interrupt_main).start()
    else:
        sys.__unraisablehook__(unraisable)


def _interrupt_main() -> None:
    if os.name == "nt":
        _thread.interrupt_main()
    else:  # breaks off a system call, too
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


def _obey(watcher: subprocess.Popen[bytes]) -> None:
    assert watcher.stdout is not None
    if watcher.stdout.read(1):
        _leave()
