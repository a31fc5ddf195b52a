"""The choice of device and number format, and the reason that goes with it."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest
import torch

from workshop_helpers.core import device as devices
from workshop_helpers.core.device import choose_device, machine, versions
from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.core.memory import keep_freed_memory

BILLION = 10**9


@pytest.fixture(autouse=True)
def no_preference(monkeypatch):
    monkeypatch.delenv("WORKSHOP_DEVICE", raising=False)


def pretend_cuda(monkeypatch, capability, gigabytes=15):
    """What torch reports on a machine with such a card; the card itself is not needed for the
    choice.
    """

    class Properties:
        total_memory = gigabytes * BILLION

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index=0: "Some GPU")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda index=0: capability)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index=0: Properties)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda *a, **k: True)


def pretend_cpu(monkeypatch, unit, gigabytes=16):
    monkeypatch.setattr(devices, "fast_bf16_units", lambda: unit)
    monkeypatch.setattr(devices, "memory_bytes", lambda: gigabytes * BILLION)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


def test_bf16_is_taken_from_ampere_on_and_not_where_it_is_emulated(monkeypatch):
    pretend_cuda(monkeypatch, (7, 5))
    device = choose_device()
    assert (device.name, device.dtype) == ("cuda", "fp16")
    assert "7.5" in device.dtype_reason
    pretend_cuda(monkeypatch, (8, 0))
    assert choose_device().dtype == "bf16"


def test_mps_computes_in_fp32_with_eager_attention(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.mps, "recommended_max_memory", lambda: 12 * BILLION)
    device = choose_device()
    assert (device.name, device.dtype, device.attention) == ("mps", "fp32", "eager")


@pytest.mark.parametrize("unit", [None, "avx512_bf16"])
def test_small_models_stay_in_fp32_on_a_cpu(monkeypatch, unit):
    pretend_cpu(monkeypatch, unit)
    assert choose_device(parameters=5_000_000).dtype == "fp32"
    assert choose_device().dtype == "fp32"


@pytest.mark.parametrize(
    ("flags", "speedup", "found"),
    [
        ("fpu avx512_bf16 amx_bf16", 5.0, "amx_bf16"),
        ("fpu avx512_bf16", 1.6, "avx512_bf16"),
        ("fpu avx512_bf16", 0.55, None),  # a Xeon whose AMX a virtual machine hides
        ("fpu avx2", 5.0, None),
    ],
)
def test_bf16_units_count_only_where_they_are_measured_to_be_fast(
    monkeypatch, flags, speedup, found
):
    assert devices._bf16_speedup() > 0
    monkeypatch.setattr(devices, "_cpuinfo", lambda *names: flags)
    monkeypatch.setattr(devices, "_bf16_speedup", lambda: speedup)
    devices.fast_bf16_units.cache_clear()
    assert devices.fast_bf16_units() == found
    devices.fast_bf16_units.cache_clear()


def test_large_models_use_bf16_on_a_cpu_only_where_it_is_native(monkeypatch):
    pretend_cpu(monkeypatch, "amx_bf16")
    native = choose_device(parameters=BILLION)
    assert native.dtype == "bf16"
    assert "amx_bf16" in native.dtype_reason
    pretend_cpu(monkeypatch, None)
    assert choose_device(parameters=BILLION).dtype == "fp32"


def test_a_model_too_large_for_fp32_says_what_bf16_will_cost(monkeypatch):
    pretend_cpu(monkeypatch, None, gigabytes=4)
    device = choose_device(parameters=BILLION)
    assert device.dtype == "bf16"
    assert "slow" in device.dtype_reason


def test_a_model_too_large_for_the_gpu_goes_to_the_cpu_and_says_why(monkeypatch):
    pretend_cpu(monkeypatch, None, gigabytes=64)
    pretend_cuda(monkeypatch, (8, 0), gigabytes=2)
    device = choose_device(parameters=3 * BILLION)
    assert device.name == "cpu"
    assert "2.0 GB" in device.device_reason
    assert choose_device("cuda", parameters=3 * BILLION).name == "cuda"


def test_a_device_that_is_not_there_is_refused(monkeypatch):
    pretend_cpu(monkeypatch, None)
    with pytest.raises(WorkshopError, match="only: cpu"):
        choose_device("cuda")
    with pytest.raises(WorkshopError, match="Known: cpu, mps, cuda"):
        choose_device("tpu")


def test_the_environment_decides_only_where_nothing_was_asked(monkeypatch):
    pretend_cuda(monkeypatch, (8, 0))
    monkeypatch.setenv("WORKSHOP_DEVICE", "cpu")
    assert choose_device().name == "cpu"
    assert "WORKSHOP_DEVICE" in choose_device().device_reason
    assert choose_device("cuda").name == "cuda"
    assert choose_device("auto").name == "cuda"


def test_this_machine_is_described_with_reasons():
    device = choose_device()
    assert device.device_reason and device.dtype_reason
    assert torch.ones(2, dtype=device.torch_dtype(), device=device.name).sum().item() == 2
    described = machine()
    assert set(described) == {"cpu", "cores", "memory_gb", "os", "python", "accelerator"}
    assert described["cores"] >= 1
    assert described["memory_gb"] > 0
    assert versions()["torch"] == torch.__version__


def test_versions_are_read_without_importing_anything_heavy():
    code = (
        "import sys; from workshop_helpers.core.device import versions, machine;"
        "versions(); machine();"
        "assert not {'torch', 'transformers', 'peft'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_keeping_freed_memory_twice_changes_no_result():
    keep_freed_memory()
    keep_freed_memory()
    assert torch.ones(1000, 1000).sum().item() == 1_000_000


@pytest.mark.skipif(sys.platform != "linux", reason="a Mac is not asked so")
@pytest.mark.parametrize(
    ("script", "found"),
    [
        ("printf 'A card\\nB'", "A card"), ("printf '\\377\\033[2J'", "\ufffd\x1b[2J"),
        ("yes | head -c 1000000", "none"), ("cat /dev/zero", "none"), ("exit 3", "none"),
        ("exec >&- 2>&-; exit 0", "none"), ("sleep 30 & echo A", "none"),
    ],
)  # fmt: skip
def test_a_program_is_given_seconds_and_so_many_bytes(tmp_path, monkeypatch, script, found):
    (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    usual = devices.run_within
    monkeypatch.setattr(devices, "run_within", lambda seconds, command: usual(0.5, command))
    monkeypatch.setattr(sys, "modules", {**sys.modules, "torch": None})
    started = time.monotonic()
    assert devices._accelerator.__wrapped__() == found
    assert time.monotonic() - started < 5
