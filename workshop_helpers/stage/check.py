"""The evening before: whether all that `workshop stage live` stands on is there, and the fixes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

from ..core.errors import WorkshopError, first_line
from ..core.wordings import Wording
from ..evaluation.doctor import Check, MachineCheck
from .cells import Plan, make_plan
from .screen import LEAST_SIZE
from .store import STAGE, Rehearsal, absolute_model, machine_line, stage_folder

# A rehearsal older than this is worth another one: systems update themselves.
FRESH_DAYS = 7
# Seconds in which a kernel should answer, and after which it is given up.
KERNEL_SECONDS, KERNEL_LIMIT = 15.0, 60.0
# Bytes of disk: what mame's notebooks write, and what leaves air beside it.
DISK_NEEDED, DISK_WANTED = 300e6, 1e9
MEMORY_NEEDED, MEMORY_WANTED = 1.5e9, 3e9
BATTERY = 50  # per cent


@dataclass(frozen=True)
class Stage:
    """What is checked: the talk with `model` in `language`, below `runs`; `notebooks` and `slides`
    are folders, None for those of the clone.
    """

    model: str = "mame"
    language: str = "en"
    runs: Path = STAGE
    notebooks: Path | None = None
    slides: Path | None = None

    @cached_property
    def plan(self) -> Plan:
        """The cells of the talk, as the notebooks have them now."""
        return make_plan(self.language, self.notebooks)

    @cached_property
    def rehearsal(self) -> Rehearsal:
        """What was rehearsed. WorkshopError where nothing was."""
        return Rehearsal.load(absolute_model(self.model), self.language, self.runs)

    @property
    def rehearse(self) -> str:
        """The command that rehearses it."""
        runs = "" if self.runs == STAGE else f" --runs {self.runs}"
        return f"workshop stage rehearse --model {self.model} --language {self.language}{runs}"


def check_stage(stage: Stage, only: Sequence[str] | None = None) -> MachineCheck:
    """A line for each thing that a live talk stands on, or for those named in `only` (see PARTS).
    Asks nobody but this machine and its own Ollama; a kernel is started and ended, and nothing is
    changed.
    """
    checks: list[Check] = []
    for name, part in PARTS.items():
        if only is not None and name not in only:
            continue
        try:
            checks += part(stage)
        except WorkshopError as error:
            checks.append(_line(name, "fail", _said(error)))
        except Exception as error:  # one line that breaks must not hide the others
            checks.append(_line(name, "warn", _said(first_line(error))))
    return MachineCheck(tuple(checks), stage.language)


def _word(code: str, /, **values: Any) -> Wording:
    return Wording(f"stage-check.{code}", values)


def _said(what: object) -> Wording:
    return _word("said", what=str(what))


def _line(name: str, status: str, told: Wording, advice: Wording | None = None) -> Check:
    return Check(_word(f"name-{name}"), status, told, None if status == "ok" else advice)


def _graded(
    name: str, told: Wording, has: float, limits: tuple[float, float], fix: Wording
) -> Check:
    needed, wanted = limits
    status = "ok" if has >= wanted else "warn" if has >= needed else "fail"
    return _line(name, status, told, fix)


def _notebooks(stage: Stage) -> Iterator[Check]:
    told = _word("notebooks", scenes=len(stage.plan.scenes), notebooks=len(stage.plan.chapters))
    yield _line("notebooks", "ok", told)


def _rehearsal(stage: Stage) -> Iterator[Check]:
    again = _word("rehearse", command=stage.rehearse)
    try:
        rehearsal = stage.rehearsal
    except WorkshopError:
        where = stage_folder(absolute_model(stage.model), stage.language, stage.runs)
        yield _line("rehearsal", "fail", _word("no-rehearsal", where=where), again)
        return
    problems = rehearsal.problems(stage.plan)
    missing = [one.scene.name for one in problems if one.code == "missing"]
    changed = [one.scene.name for one in problems if one.code != "missing"]
    there = len(stage.plan.scenes) - len(missing)
    told = _word("rehearsed", there=there, scenes=len(stage.plan.scenes))
    if missing:
        told = _word("incomplete", there=there, scenes=len(stage.plan.scenes), missing=missing)
    elif changed:
        told = _word("changed", scenes=changed)
    status = "fail" if missing else "warn" if changed else "ok"
    yield _line("rehearsal", status, told, again)
    yield from _rehearsed_here(rehearsal, again)


def _rehearsed_here(rehearsal: Rehearsal, again: Wording) -> Iterator[Check]:
    """On this machine, with these versions, and lately?"""
    others = [machine for machine in rehearsal.machines if machine != machine_line()]
    told = _word("other-machine", machines=others) if others else _said(machine_line())
    yield _line("machine", "warn" if others else "ok", told, again)
    other = [f"{n} {then} → {now}" for n, (then, now) in rehearsal.other_versions.items()]
    told = _word("other-versions", versions=other) if other else _word("same-versions")
    yield _line("versions", "warn" if other else "ok", told, again)
    if rehearsal.made:
        made = datetime.strptime(rehearsal.made, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
        days = (datetime.now(timezone.utc) - made).days
        told = _word("age", days=days, when=f"{made.astimezone():%Y-%m-%d %H:%M}")
        yield _line("age", "ok" if days <= FRESH_DAYS else "warn", told, again)


def _kernel(stage: Stage) -> Iterator[Check]:
    """Really start one and let it compute."""
    fix = _word("kernel-fix")
    try:
        from jupyter_client.manager import run_kernel
    except ImportError as error:
        yield _line("kernel", "fail", _said(first_line(error)), _word("install-notebooks"))
        return
    answers: list[str] = []

    def hear(message: Any) -> None:
        answers.append(str(message["content"].get("data", {}).get("text/plain", "")))

    begun = time.perf_counter()
    try:
        # Libraries of the kernel warn on its stderr.
        quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        client: Any
        with run_kernel(kernel_name="python3", startup_timeout=KERNEL_LIMIT, **quiet) as client:
            client.execute_interactive("1 + 1", output_hook=hear, timeout=KERNEL_LIMIT)
            seconds = time.perf_counter() - begun
    except Exception as error:  # a kernel that does not start has many ways to say so
        yield _line("kernel", "fail", _word("no-kernel", why=first_line(error)), fix)
        return
    if "2" not in answers:
        yield _line("kernel", "fail", _word("wrong-kernel"), fix)
        return
    status = "ok" if seconds <= KERNEL_SECONDS else "warn"
    yield _line("kernel", status, _word("kernel", seconds=seconds), _word("kernel-slow"))


def _widgets(stage: Stage) -> Iterator[Check]:
    try:
        yield _line("widgets", "ok", _said(f"ipywidgets {metadata.version('ipywidgets')}"))
    except metadata.PackageNotFoundError:
        yield _line("widgets", "fail", _word("no-widgets"), _word("install-notebooks"))


def _model(stage: Stage) -> Iterator[Check]:
    from ..models.load import model_folder
    from ..models.resolve import resolve

    try:
        where = model_folder(resolve(absolute_model(stage.model)), download=False)
    except WorkshopError as error:
        yield _line("model", "fail", _said(error), _word("model-fix"))
        return
    yield _line("model", "ok", _word("model", model=stage.model, where=where))


def _ollama(stage: Stage) -> Iterator[Check]:
    """Only told: the talk runs with and without it."""
    from ..runtimes.ollama.client import Ollama

    try:
        with Ollama(timeout=3) as server:
            told = _word("ollama", version=server.need(), host=server.host)
    except WorkshopError as error:
        told = _word("no-ollama", why=str(error).partition(". ")[0].rstrip("."))
    yield _line("ollama", "ok", told)


def _disk(stage: Stage) -> Iterator[Check]:
    folder = next(p for p in (stage.runs.resolve(), *stage.runs.resolve().parents) if p.is_dir())
    free = shutil.disk_usage(folder).free
    told = _word("disk", free=free / 1e9, where=folder)
    fix = _word("disk-fix", wanted=DISK_WANTED / 1e9)
    yield _graded("disk", told, free, (DISK_NEEDED, DISK_WANTED), fix)
    if not os.access(folder, os.W_OK):
        yield _line("disk", "fail", _word("not-writable", where=folder), _word("writable-fix"))


def _memory(stage: Stage) -> Iterator[Check]:
    import psutil

    from ..core.device import memory_bytes

    total = memory_bytes() or psutil.virtual_memory().total
    free = min(psutil.virtual_memory().available, total)
    told = _word("memory", free=free / 1e9, total=total / 1e9)
    fix = _word("memory-fix", wanted=MEMORY_WANTED / 1e9)
    yield _graded("memory", told, free, (MEMORY_NEEDED, MEMORY_WANTED), fix)


def _terminal(stage: Stage) -> Iterator[Check]:
    fix = _word("terminal-fix", columns=LEAST_SIZE[0], lines=LEAST_SIZE[1])
    if not sys.stdout.isatty():
        yield _line("terminal", "warn", _word("no-terminal"), fix)
        return
    size = os.get_terminal_size(sys.stdout.fileno())
    large = size.columns >= LEAST_SIZE[0] and size.lines >= LEAST_SIZE[1]
    told = _word("terminal", columns=size.columns, lines=size.lines)
    yield _line("terminal", "ok" if large else "warn", told, fix)


def _slides(stage: Stage) -> Iterator[Check]:
    """Built, and of the sources and figures that are there now."""
    root = Path(__file__).resolve().parents[2]
    folder = stage.slides or root / "slides"
    deck = folder / "built" / f"talk.{stage.language}.html"
    if not deck.is_file():
        yield _line("slides", "warn", _word("no-slides", where=deck), _word("slides-fix"))
        return
    told = _word("slides", where=deck)
    if (folder / "build.py").is_file() and stage.slides is None:
        command = [sys.executable, "-m", "slides.build", "--check", "--language", stage.language]
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120)
        if done.returncode:
            why = (done.stderr.strip().splitlines() or ["?"])[-1]
            yield _line("slides", "warn", _word("old-slides", why=why), _word("slides-fix"))
            return
    yield _line("slides", "ok", told)


def _fonts(stage: Stage) -> Iterator[Check]:
    """Browsers draw the deck with the system's fonts; only Linux may have none for Japanese."""
    finder = shutil.which("fc-list")
    if stage.language != "ja" or not sys.platform.startswith("linux") or finder is None:
        return
    done = subprocess.run(
        [finder, ":lang=ja", "family"], capture_output=True, text=True, timeout=60
    )
    families = sorted({line.partition(",")[0] for line in done.stdout.splitlines() if line.strip()})
    told = _said("、".join(families[:3])) if families else _word("no-fonts")
    yield _line("fonts", "ok" if families else "warn", told, _word("fonts-fix"))


def _power(stage: Stage) -> Iterator[Check]:
    import psutil

    battery = getattr(psutil, "sensors_battery", lambda: None)()
    if battery is None:
        yield _line("power", "ok", _word("no-battery"))
        return
    plugged = bool(battery.power_plugged)
    told = _word("plugged" if plugged else "on-battery", percent=battery.percent)
    status = "ok" if plugged else "warn"
    if not plugged and battery.percent < BATTERY:
        told = _word("battery-low", percent=battery.percent)
    yield _line("power", status, told, _word("power-fix"))


def _network(stage: Stage) -> Iterator[Check]:
    """Nothing is fetched on stage; a proxy must not stand between us and our own machine."""
    proxy = next((n for n in ("HTTP_PROXY", "http_proxy", "ALL_PROXY") if os.environ.get(n)), None)
    spared = f"{os.environ.get('NO_PROXY', '')},{os.environ.get('no_proxy', '')}"
    if proxy and not {"localhost", "127.0.0.1", "*"} & {*spared.replace(" ", "").split(",")}:
        yield _line("network", "warn", _word("proxy", name=proxy), _word("proxy-fix"))
    else:
        yield _line("network", "ok", _word("no-network"))


PARTS: dict[str, Callable[[Stage], Iterator[Check]]] = {
    "notebooks": _notebooks, "rehearsal": _rehearsal, "kernel": _kernel, "widgets": _widgets,
    "model": _model, "ollama": _ollama, "disk": _disk, "memory": _memory, "terminal": _terminal,
    "slides": _slides, "fonts": _fonts, "power": _power, "network": _network,
}  # fmt: skip
