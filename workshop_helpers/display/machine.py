"""Tables of what a machine has, what fits it and what it will take: chapter 00."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..core.wordings import Wording, say
from ..evaluation.doctor import MachineCheck
from ..evaluation.timing import REASONS, StepTime, StepTimes
from ..models.choices import USABLE, ModelChoice, ModelChoices
from .tables import ResultTable, as_table


@as_table.register
def _machine_check(report: MachineCheck, language: str | None = None) -> ResultTable:
    language = language or report.language
    rows = [
        (
            check.title.said(language),
            say(f"doctor.{check.status}", language),
            shortened(check.told).said(language),
            shortened(check.advice).said(language) if check.advice else "",
        )
        for check in report.checks
    ]
    head = [say(f"doctor.{name}", language) for name in ("what", "state", "found", "fix")]
    title = say("doctor.title", language)
    return ResultTable("doctor", head, rows, title, words=True, whole=(1,))


def shortened(wording: Wording) -> Wording:
    """The wording with its paths as a notebook may show them, which is passed around."""
    values = {name: _shortened(value) for name, value in wording.values.items()}
    return Wording(wording.code, values)


def _shortened(value: Any) -> Any:
    if isinstance(value, Wording):
        return shortened(value)
    if not isinstance(value, Path):
        return value
    for known, sign in ((Path.cwd(), "."), (Path.home(), "~")):
        # Deep inside, as packages of an environment are, a place says more about the machine than
        # about the course.
        if value.is_relative_to(known) and len(inside := value.relative_to(known).parts) <= 3:
            return "/".join((sign, *inside))
    return "/".join(("…", *value.parts[-2:]))


@as_table.register
def _model_choices(found: ModelChoices, language: str | None = None) -> ResultTable:
    language = language or found.language
    columns = ("model", "parameters", "languages", "licence", "memory", "here")
    rows = [_model_row(choice, language) for choice in found.choices]
    places = {
        choice.device.name: choice.device.memory_bytes / 1e9
        for choice in found.choices
        if choice.device.memory_bytes
    }
    memory = [say("models.place", language, device=name, gb=gb) for name, gb in places.items()]
    note = say("models.note", language, share=USABLE, memory=memory)
    head = [say(f"models.{name}", language) for name in columns]
    return ResultTable("models", head, rows, note, words=True, whole=(0, 1, 4))


def _model_row(choice: ModelChoice, language: str) -> list[str]:
    entry, device = choice.entry, choice.device
    licence = say("models.gated", language, licence=entry.licence) if entry.gated else entry.licence
    kind = "measured" if entry.measured else "estimated"
    size, unit = ("billions", 1e9) if entry.parameters >= 9.5e8 else ("millions", 1e6)
    fits = "too-large" if not choice.fits else "fits" if choice.here else "fits-fetched"
    return [
        entry.name,
        say(f"models.{size}", language, n=entry.parameters / unit),
        ", ".join(entry.languages),
        licence,
        say(f"models.{kind}", language, gb=choice.needs_gb),
        say(f"models.{fits}", language, device=device.name, dtype=device.dtype),
    ]


@as_table.register
def _step_times(times: StepTimes, language: str | None = None) -> ResultTable:
    language = language or times.language
    head = [say(f"timing.{name}", language) for name in ("step", "measured", "todo", "expected")]
    rows = [_step_row(step, language) for step in times.steps]
    expected = say("timing.about", language, time=duration(times.seconds, language))
    rows.append([say("timing.all", language), "", "", expected])
    title, note = say("timing.title", language, model=times.model), say("timing.note", language)
    return ResultTable("steps", head, rows, f"{title}\n{note}", words=True, whole=(2, 3))


def _step_row(step: StepTime, language: str) -> list[str]:
    name = say(f"timing.{step.step}", language, rows=step.rows)
    nothing = say("timing.nothing", language)
    if step.seconds is None:
        known = step.reason in REASONS
        reason = say(f"timing.{step.reason}", language) if known else step.reason
        return [name, reason, nothing, nothing]
    expected = say("timing.about", language, time=duration(step.seconds, language))
    return [name, _measured(step, language), _todo(step, language) or nothing, expected]


def _measured(step: StepTime, language: str) -> str:
    told = []
    if step.start:
        code = "start" if step.unit else "whole-took"
        told.append(say(f"timing.{code}", language, seconds=duration(step.start, language)))
    if step.unit:
        what = say(f"timing.{step.unit}", language, n=step.units)
        seconds = duration(step.measured, language)
        told.append(say("timing.took", language, what=what, seconds=seconds))
    said = ("、" if language == "ja" else ", ").join(told)
    return say("timing.with", language, by=step.by, what=said) if step.by else said


def _todo(step: StepTime, language: str) -> str:
    return say(f"timing.{step.unit}", language, n=step.todo) if step.unit else ""


def duration(seconds: float, language: str) -> str:
    """A time as people say it: "0.4 s", "75 s", "3 min", "1.5 h"."""
    steps = (("short", 10, 1), ("seconds", 100, 1), ("minutes", 7200, 60), ("hours", 1e12, 3600))
    name, size = next((name, size) for name, below, size in steps if seconds < below)
    return say(f"timing.{name}", language, n=seconds / size)
