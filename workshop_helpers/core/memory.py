"""Memory: how much a block of work takes, and how the allocator keeps it."""

from __future__ import annotations

import platform
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
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


def resident_bytes() -> int:
    """The memory that this process holds now."""
    import psutil

    return int(psutil.Process().memory_info().rss)


def peak_resident_bytes() -> int:
    """The most memory that this process has held (resident), by the system's own count."""
    if sys.platform == "win32":
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    # Not getrusage on Linux: a child process starts with its parent's mark there.
    status = Path("/proc/self/status")
    if status.exists():
        marks = [
            line.split() for line in status.read_text().splitlines() if line.startswith("VmHWM")
        ]
        if marks:
            return int(marks[0][1]) * 1024
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(used if sys.platform == "darwin" else used * 1024)


def forget_peak() -> None:
    """Let `peak_resident_bytes` begin anew from what is held now (Linux; elsewhere it goes on)."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


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
    next; the page faults then cost more than the arithmetic.
    """
    _tell_malloc(mmap_max=0, trim_threshold=2**31 - 1, top_pad=256 << 20)


def give_freed_memory_back() -> None:
    """From now on give it back at once, also where a training follows: what the process holds is
    then what is in use, and `peak_resident_bytes` is a measurement of that. Slower.
    """
    keep_freed_memory()  # which is cached: a training will not change it again
    _tell_malloc(mmap_max=65_536, trim_threshold=128 << 10, top_pad=128 << 10)


def _tell_malloc(*, mmap_max: int, trim_threshold: int, top_pad: int) -> None:
    """The options of mallopt(3), on glibc alone."""
    if not sys.platform.startswith("linux") or platform.libc_ver()[0] != "glibc":
        return
    import ctypes

    mallopt = ctypes.CDLL(None).mallopt
    for number, value in ((-4, mmap_max), (-1, trim_threshold), (-2, top_pad)):
        mallopt(number, value)
