"""Code that may break off or never end, in a process of its own: its end becomes a sentence here.

llama.cpp ends the process that it runs in (`abort`) where a file asks for what nobody thought of;
in a notebook that would be the kernel. A chat template is a program, too, and may never end. So
they run in a child, which takes 0.15 s to start; so does long work that goes on beside other work.
The child ends with this process, however that ends, and is killed when it is closed. Over two pipes
go calls, as a line of JSON each, and their results.
"""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import weakref
from contextlib import suppress
from pathlib import Path
from threading import Lock, Timer
from typing import IO, Any

from .errors import Closing, WorkshopError

_SCRIPT = Path(__file__).with_name("_child.py")
# Ctrl-C is for this process alone: it closes its children.
_OWN_GROUP = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)


class Child(Closing):
    """An object in a child process: what `maker` ("room.module:name" in this package) makes of the
    `arguments`, which JSON can hold. `about`: the file or text that it works on, in errors; `who`:
    whose code it is. Calls may come from several threads, and wait for each other.

    Raises the errors of making it, and WorkshopError where the child dies or takes longer than
    `seconds`.
    """

    def __init__(
        self,
        maker: str,
        about: object,
        /,
        *,
        who: str = "llama.cpp",
        seconds: float | None = None,
        **arguments: Any,
    ) -> None:
        self.about, self.who = about, who
        self._lock = Lock()
        self._late: float | None = None
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  (closed with the child)
        self._process = subprocess.Popen(
            [sys.executable, "-X", "utf8", str(_SCRIPT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**os.environ, "GGML_NO_BACKTRACE": "1"},  # a debugger would take ten seconds
            start_new_session=True,
            creationflags=_OWN_GROUP,
        )
        self._end = weakref.finalize(self, _end, self._process, self._log)
        try:
            self.call(maker, seconds=seconds, **arguments)
        except BaseException:  # Ctrl-C, too
            self.close()
            raise

    def call(self, name: str, /, *, seconds: float | None = None, **arguments: Any) -> Any:
        """What the object's method of that name gives back: JSON, or an array of float32.

        An error raised there is raised here as a WorkshopError.
        """
        with self._lock:
            if self.closed:
                raise WorkshopError(f"{self.about} has been closed; open it again to ask it.")
            timer = Timer(seconds, self._give_up, [seconds]) if seconds else None
            if timer is not None:
                timer.daemon = True
                timer.start()
            try:
                found, raw = self._exchange(name, arguments)
            except (OSError, EOFError) as error:
                raise self.died() from error
            finally:
                if timer is not None:
                    timer.cancel()
        if "error" in found:
            raise WorkshopError(found["error"]) from RuntimeError(self.said()[-2000:])
        if "shape" not in found:
            return found["result"]
        import numpy as np

        return np.frombuffer(raw, np.float32).reshape(found["shape"])

    def _exchange(self, name: str, arguments: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        process = self._process
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps([name, arguments]).encode() + b"\n")
        process.stdin.flush()
        told = process.stdout.readline()
        if not told.endswith(b"\n"):
            raise EOFError
        found = json.loads(told)
        size = 4 * math.prod(found.get("shape", [0]))
        raw = process.stdout.read(size)
        if len(raw) < size:
            raise EOFError
        return found, raw

    def _give_up(self, seconds: float) -> None:
        self._late = seconds
        self._process.kill()

    def said(self) -> str:
        """What the child has written to its standard error so far."""
        self._log.seek(0)
        return self._log.read().decode("utf-8", errors="replace")

    def died(self, *, seconds: float | None = None) -> WorkshopError:
        """The error that says how the child ended, and what it said last; where it took longer than
        `seconds`, it is ended now.
        """
        if seconds is not None:
            self._give_up(seconds)
        try:
            code = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return WorkshopError(f"{self.who} no longer answers about {self.about}. Open it again.")
        if self._late is not None:
            return WorkshopError(
                f"{self.who} did not come to an end with {self.about} and was given up after "
                f"{self._late:.0f} s: its chat template may be a program without end. Correct or "
                "replace the template."
            )
        name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        lines = [line.strip() for line in self.said().splitlines() if line.strip()]
        said = f" Its last words: {lines[-1][:300]}" if lines else ""
        # what the system does to the largest process when memory runs out
        killed = code == -getattr(signal, "SIGKILL", 9)
        why = "Perhaps memory ran out" if killed else "It asks for what cannot be done"
        return WorkshopError(
            f"{self.who} broke off ({name}) at {self.about}. {why}: try a smaller file, or make or "
            f"download this one again.{said}"
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether the child is dead: then it can only be closed."""
        return self._process.poll() is not None

    @property
    def closed(self) -> bool:
        return not self._end.alive

    def close(self) -> None:
        self._end()


def _end(process: subprocess.Popen[bytes], log: IO[bytes]) -> None:
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout, log):
        if stream is not None:
            with suppress(OSError):  # what was not written yet has no reader any more
                stream.close()
