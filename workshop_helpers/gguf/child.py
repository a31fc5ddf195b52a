"""Native code in a process of its own, whose end becomes a sentence here.

llama.cpp ends the process that it runs in (`abort`) where a file asks for what nobody thought of;
in a notebook that would be the kernel. So it runs in a child, which takes 0.15 s to start. The
child ends with this process, however that ends, and is killed when it is closed: it has nothing to
save. Over two pipes go calls, as a line of JSON each, and their results.
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
from typing import IO, Any

from ..core.errors import Closing, WorkshopError

_SCRIPT = Path(__file__).with_name("_child.py")
# Ctrl-C is for this process alone: it closes its children.
_OWN_GROUP = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)


class Child(Closing):
    """An object in a child process: what `maker` ("module:name" in this folder) makes of the
    `arguments`, which JSON can hold. `path` is the file that it works on.

    Raises the errors of making it, and WorkshopError where the child dies.
    """

    def __init__(self, maker: str, path: Path, /, **arguments: Any) -> None:
        self.path = path
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
            self.call(maker, **arguments)
        except BaseException:  # Ctrl-C, too
            self.close()
            raise

    def call(self, name: str, /, **arguments: Any) -> Any:
        """What the object's method of that name gives back: JSON, or an array of float32.

        A WorkshopError raised there is raised here.
        """
        if self.closed:
            raise WorkshopError(f"{self.path} has been closed; open it again to ask it.")
        process = self._process
        assert process.stdin is not None and process.stdout is not None
        try:
            process.stdin.write(json.dumps([name, arguments]).encode() + b"\n")
            process.stdin.flush()
            told = process.stdout.readline()
        except OSError as error:
            raise self.died() from error
        if not told.endswith(b"\n"):
            raise self.died()
        found = json.loads(told)
        if "error" in found:
            raise WorkshopError(found["error"]) from RuntimeError(self.said()[-2000:])
        if "shape" not in found:
            return found["result"]
        import numpy as np

        raw = process.stdout.read(4 * math.prod(found["shape"]))
        if len(raw) < 4 * math.prod(found["shape"]):
            raise self.died()
        return np.frombuffer(raw, np.float32).reshape(found["shape"])

    def said(self) -> str:
        """What the child has written to its standard error so far."""
        self._log.seek(0)
        return self._log.read().decode("utf-8", errors="replace")

    def died(self) -> WorkshopError:
        """The error that says how the child ended, and what it said last."""
        try:
            code = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return WorkshopError(f"llama.cpp no longer answers about {self.path}. Open it again.")
        name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        lines = [line.strip() for line in self.said().splitlines() if line.strip()]
        said = f" Its last words: {lines[-1][:300]}" if lines else ""
        # what the system does to the largest process when memory runs out
        killed = code == -getattr(signal, "SIGKILL", 9)
        why = "Perhaps memory ran out" if killed else "The file asks for what llama.cpp cannot do"
        return WorkshopError(
            f"llama.cpp broke off ({name}) at {self.path}. {why}: try a smaller file, or make or "
            f"download this one again.{said}"
        )

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
