"""A notebook's kernel: cells run in it one after the other, and it can be stopped at any moment."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.errors import Closing, WorkshopError, first_line, from_extra
from ..display.outputs import plain
from .store import joined, without_widgets

_START_SECONDS = 60


@dataclass(frozen=True)
class Outcome:
    """What a cell gave: its outputs, its seconds, and the error that it ended with, if any."""

    outputs: tuple[dict[str, Any], ...]
    seconds: float
    error: str | None = None


class KernelDied(Exception):
    """The kernel's process is no more."""


class Kernel(Closing):
    """A Jupyter kernel for this Python, working in `folder` with `environment` besides ours.

    `run` is for one thread; all else may be called from any. The kernel's process begins with the
    first cell, or with `start`.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        with from_extra("notebooks", "nbclient"):
            import nbclient
            import nbformat
        self.folder = folder
        self._environment = dict(environment or {})
        self._notebook = nbformat.v4.new_notebook()
        self._client = nbclient.NotebookClient(
            self._notebook,
            kernel_name="python3",
            timeout=None,
            startup_timeout=_START_SECONDS,
            record_timing=False,
            coalesce_streams=True,
            # The history is a file in the home folder, which no talk needs.
            extra_arguments=["--IPKernelApp.log_level=ERROR", "--HistoryManager.enabled=False"],
        )
        self._client.log.setLevel("CRITICAL")  # what it says is said by us
        # The kernel's sockets belong to one event loop, which needs a thread that never waits.
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._cell: Any = None
        self._closed = False

    @property
    def pid(self) -> int | None:
        """The process, None where there is none."""
        manager = self._client.km
        process = getattr(getattr(manager, "provisioner", None), "process", None)
        return None if process is None else int(process.pid)

    def start(self) -> None:
        """Start the process and wait until it answers; WorkshopError if it does not."""
        if self._client.kc is not None:
            return
        try:
            self._do(self._start())
        except KernelDied:
            raise
        except Exception as error:
            raise WorkshopError(
                f"The kernel in {self.folder} does not start: {first_line(error)}. "
                "`workshop doctor` says whether the notebooks run here."
            ) from error

    async def _start(self) -> None:
        self._client.create_kernel_manager()
        # Libraries write to these from below Python, which would spoil the terminal.
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        environment = {**os.environ, **self._environment}
        await self._client.async_start_new_kernel(
            cwd=str(self.folder), env=environment, stdin=subprocess.DEVNULL, **silent
        )
        await self._client.async_start_new_kernel_client()

    def run(self, source: str) -> Outcome:
        """Run a cell and wait for its end. Raises KernelDied if the kernel dies meanwhile, and as
        `start` does.
        """
        import nbformat
        from nbclient.exceptions import CellExecutionError, DeadKernelError

        self.start()
        self._cell = cell = nbformat.v4.new_code_cell(source)
        self._notebook.cells.append(cell)
        place = len(self._notebook.cells) - 1
        begin, error = time.perf_counter(), None
        try:
            self._do(self._client.async_execute_cell(cell, place))
        except CellExecutionError as failure:
            error = _told(failure.ename, failure.evalue)
        except DeadKernelError as dead:
            raise KernelDied from dead
        finally:
            self._cell = None
        return Outcome(without_widgets(cell.outputs), time.perf_counter() - begin, error)

    @property
    def partial(self) -> tuple[dict[str, Any], ...]:
        """What the running cell has put out so far."""
        cell = self._cell
        return () if cell is None else without_widgets(joined(list(cell.outputs)))

    def interrupt(self) -> None:
        """Ask the running cell to stop, as the stop button does. It may not obey."""
        manager = self._client.km
        if manager is not None and not self._closed:
            asyncio.run_coroutine_threadsafe(_quietly(manager.interrupt_kernel()), self._loop)

    def kill(self) -> None:
        """End the process and those that it has started, at once; `run` then raises KernelDied."""
        import psutil

        pid = self.pid
        if pid is None:
            return
        found = []
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid)
            found = [*process.children(recursive=True), process]
        for process in found:
            with contextlib.suppress(psutil.Error):
                process.kill()
        # Children of a kernel that is dead already: it leads a session of its own.
        if hasattr(os, "killpg"):
            with contextlib.suppress(OSError):
                os.killpg(pid, signal.SIGKILL)

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self.kill()
        if self._client.km is not None:
            with contextlib.suppress(Exception):
                cleaning = self._client._async_cleanup_kernel()
                asyncio.run_coroutine_threadsafe(cleaning, self._loop).result(timeout=5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=5)

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Carry out on the loop, and wait."""
        if self._closed:
            work.close()
            raise KernelDied
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        while True:
            try:
                return future.result(timeout=0.5)
            except concurrent.futures.TimeoutError:
                if future.done():  # its own
                    raise
                if self._closed and not self._thread.is_alive():
                    work.close()
                    raise KernelDied from None


async def _quietly(work: Coroutine[Any, Any, Any]) -> None:
    with contextlib.suppress(Exception):
        await work


def _told(name: str, value: str) -> str:
    """An error in a line, where a library tells a story."""
    return plain(f"{name}: {value}").text.splitlines()[0].rstrip(": ")[:300]
