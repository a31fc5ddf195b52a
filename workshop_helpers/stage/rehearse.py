"""The rehearsal: every notebook of the talk runs to its last scene, and the results are kept."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..core.agenda import SECTIONS, Section
from ..core.artifacts import claim
from ..core.device import versions
from ..core.progress import Bar
from ..core.wordings import Wording
from ..models.resolve import resolve
from .cells import TRAIN_LIVE, Cell, Chapter, make_plan, with_parameters
from .kernel import Kernel, KernelDied, Outcome
from .store import (
    SHARED,
    STAGE,
    Result,
    absolute_model,
    begin,
    finish,
    finished,
    keep,
    kernel_environment,
    machine_line,
    now,
    stage_folder,
    start_stage,
    work_folder,
)  # fmt: skip

# An unattended run must end: a cell that takes longer than this (seconds) is given up.
LONGEST = 3600.0


@dataclass(frozen=True)
class Rehearsed:
    """How the rehearsal of a notebook went. `kept`: it was rehearsed before, and nothing ran."""

    notebook: str
    seconds: float
    scenes: int
    kept: bool = False
    failed: int | None = None  # the number of the cell that failed
    error: Wording | None = None


@dataclass(frozen=True)
class RehearsalReport:
    """How a rehearsal went: the folder that holds it, and the notebooks in their order."""

    folder: Path
    model: str
    language: str
    notebooks: tuple[Rehearsed, ...]

    @property
    def complete(self) -> bool:
        """Did all notebooks reach their last scene?"""
        return all(notebook.error is None for notebook in self.notebooks)

    @property
    def seconds(self) -> float:
        """What ran now, in all."""
        return sum(notebook.seconds for notebook in self.notebooks if not notebook.kept)

    def to_dict(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return {**asdict(self), "complete": self.complete, "seconds": self.seconds}


def rehearse(
    model: str = "mame",
    language: str = "en",
    *,
    rows: int | None = None,
    runs: Path = STAGE,
    notebooks: Path | None = None,
    sections: Sequence[Section] = SECTIONS,
    anew: bool = False,
    hear: Callable[[Rehearsed], None] | None = None,
) -> RehearsalReport:
    """Run all scenes of the talk, and what they need, on this machine, and keep the results below
    `runs`. `hear` is told of each notebook as it ends.

    A notebook that was rehearsed to its end with the same cells, model and rows is not run again,
    unless `anew` says so; so a rehearsal that was killed goes on with the notebook it was at. A
    cell that fails ends its notebook, and the others still run. Raises WorkshopError for an unknown
    model or a missing notebook, and where another rehearsal is at work.
    """
    plan = make_plan(language, notebooks, sections)
    model = absolute_model(model)
    resolve(model)
    parameters = {"MODEL": model, "LANGUAGE": language} | ({"ROWS": rows} if rows else {})
    folder = stage_folder(model, language, runs).resolve()
    done: list[Rehearsed] = []
    cells = sum(len(chapter.cells) for chapter in plan.chapters.values())
    with claim(folder), Bar("", cells, "cells") as bar:
        start_stage(folder, parameters)
        if anew or not any(finished(folder, c, parameters) for c in plan.chapters.values()):
            work_folder(folder, SHARED, empty=True)
        for chapter in plan.chapters.values():
            scenes = sum(cell.scene is not None for cell in chapter.cells)
            if not anew and finished(folder, chapter, parameters):
                bar.advance(len(chapter.cells))
                done.append(Rehearsed(chapter.notebook, 0.0, scenes, kept=True))
            else:
                done.append(_notebook(folder, chapter, parameters, scenes, bar))
            if hear is not None:
                hear(done[-1])
    return RehearsalReport(folder, model, language, tuple(done))


def _notebook(
    folder: Path, chapter: Chapter, parameters: dict[str, Any], scenes: int, bar: Bar
) -> Rehearsed:
    """Rehearse one notebook from the top. One whose scenes train begins with an empty folder, as it
    will on the stage.
    """
    begin(folder, chapter.notebook)
    work = work_folder(folder, chapter.notebook, empty=chapter.notebook in TRAIN_LIVE)
    start, left = time.perf_counter(), len(chapter.cells)
    with Kernel(work, kernel_environment(folder, offline=False)) as kernel:
        for cell in chapter.cells:
            bar.advance(0, note=f"{chapter.notebook} [{cell.number}] {cell.scene or ''}")
            outcome, why = _run(kernel, with_parameters(cell, parameters))
            if outcome is None or why is not None:
                bar.advance(left)
                seconds = time.perf_counter() - start
                return Rehearsed(chapter.notebook, seconds, scenes, failed=cell.number, error=why)
            keep(folder, _result(chapter, cell, outcome))
            bar.advance(1)
            left -= 1
    seconds = time.perf_counter() - start
    finish(folder, chapter, parameters, seconds)
    return Rehearsed(chapter.notebook, seconds, scenes)


def _run(kernel: Kernel, source: str) -> tuple[Outcome | None, Wording | None]:
    try:
        with _within(LONGEST, kernel):
            outcome = kernel.run(source)
    except KernelDied:
        return None, Wording("stage.died")
    return outcome, Wording("stage.error", {"error": outcome.error}) if outcome.error else None


@contextmanager
def _within(seconds: float, kernel: Kernel) -> Iterator[None]:
    timer = threading.Timer(seconds, kernel.kill)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _result(chapter: Chapter, cell: Cell, outcome: Outcome) -> Result:
    return Result(
        notebook=chapter.notebook,
        cell=cell.id,
        number=cell.number,
        scene=cell.scene,
        source_hash=cell.hash,
        outputs=outcome.outputs,
        seconds=round(outcome.seconds, 3),
        made=now(),
        machine=machine_line(),
        versions=versions(),
    )
