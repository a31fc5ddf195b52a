"""Memory: how much a block of work takes, and how the allocator keeps it."""

from __future__ import annotations

import platform
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from .errors import WorkshopError

if TYPE_CHECKING:
    from .device import Device


class PeakMemory:
    """Peak `bytes` of memory in the block: torch's count on CUDA, else resident size, sampled."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.bytes = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> PeakMemory:
        if self.device.name == "cuda":
            import torch

            torch.cuda.reset_peak_memory_stats()
        else:
            self._thread.start()
        return self

    def _sample(self) -> None:
        import psutil

        process = psutil.Process()
        while True:
            self.bytes = max(self.bytes, self._now(process))
            if self._stop.wait(0.1):
                return

    def _now(self, process: Any) -> int:
        if self.device.name != "mps":
            return int(process.memory_info().rss)
        import torch

        return int(torch.mps.driver_allocated_memory())

    def __exit__(self, *exception: object) -> None:
        if self.device.name == "cuda":
            import torch

            self.bytes = int(torch.cuda.max_memory_allocated())
        else:
            self._stop.set()
            self._thread.join()


@contextmanager
def explain_full_memory(message: str) -> Iterator[None]:
    """Turn full memory, of the process or of a device of torch, into a WorkshopError: `message`."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        said = ("out of memory", "can't allocate memory")
        if isinstance(error, MemoryError) or any(words in str(error) for words in said):
            raise WorkshopError(message) from error
        raise


@cache
def keep_freed_memory() -> None:
    """Keep freed memory in the process (glibc only; elsewhere nothing happens).

    glibc gives big blocks back to the kernel after every training step and takes them again in the
    next; the page faults then cost more than the arithmetic. The options are those of mallopt(3).
    """
    if not sys.platform.startswith("linux") or platform.libc_ver()[0] != "glibc":
        return
    import ctypes

    mallopt = ctypes.CDLL(None).mallopt
    trim_threshold, top_pad, mmap_max = -1, -2, -4
    mallopt(mmap_max, 0)
    mallopt(trim_threshold, 2**31 - 1)
    mallopt(top_pad, 256 << 20)
