"""What a rehearsal keeps: the result of every cell, with seconds, date and machine.

runs/stage/mame-ja/            all of the stage for one model and language; card.json
  rehearsal/NOTEBOOK/          card.json, once the notebook was rehearsed to its last scene
    CELL-ID.json               a Result: whole or absent
  work/NOTEBOOK/               where the notebook's kernel works, and what it makes; card.json
  ollama.jsonl                 what the kernels made on an Ollama server
  live.jsonl, now.html, now.js the log and the page of the last live run
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ..core.artifacts import CARD, runs_folder
from ..core.cards import fingerprint, read_card, write_card
from ..core.device import machine, versions
from ..core.errors import WorkshopError
from ..core.jsonio import read_json, write_json
from ..core.wordings import Wording
from ..display.outputs import outputs_view
from ..models.catalogue import find_entry
from .cells import TRAIN_LIVE, Cell, Chapter, Plan
from .scenes import Scene

STAGE = Path("runs", "stage")
SHARED = "shared"
STAGE_KIND, REHEARSAL_KIND, WORK_KIND = "stage", "stage-rehearsal", "stage-work"
WIDGET = "application/vnd.jupyter.widget-view+json"


@dataclass(frozen=True)
class Result:
    """What a cell gave when it was rehearsed: outputs as nbformat has them, without widgets."""

    notebook: str
    cell: str
    number: int
    scene: str | None
    source_hash: str
    outputs: tuple[dict[str, Any], ...]
    seconds: float
    made: str  # UTC, such as 2026-11-29T14:02:11Z
    machine: str  # such as "AMD EPYC, 2 cores"
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The outputs as plain text."""
        return outputs_view(self.outputs).text

    @property
    def label(self) -> Wording:
        """What always stands beside this result: rehearsed, when, where, and that it is not live.
        The time is this machine's.
        """
        when = datetime.strptime(self.made, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
        local = f"{when.astimezone():%Y-%m-%d %H:%M}"
        return Wording("stage.rehearsed", {"when": local, "machine": self.machine})


@dataclass(frozen=True)
class Problem:
    """What is wrong with the rehearsal of a scene. `code` is "missing", "changed" (the cell is
    another one now) or "changed-above" (one above it is); also the name of its wording.
    """

    scene: Scene
    code: str

    @property
    def said(self) -> Wording:
        values = {"scene": self.scene.name, "notebook": self.scene.notebook}
        return Wording(f"stage.problem-{self.code}", {**values, "number": self.scene.number})


class Rehearsal:
    """The results of a rehearsal, all in memory: what happens on the disk later does not matter."""

    def __init__(self, folder: Path, results: Iterable[Result], parameters: dict[str, Any]) -> None:
        self.folder = folder
        self.parameters = parameters  # MODEL, LANGUAGE, and ROWS where it was chosen
        self._results = {(result.notebook, result.cell): result for result in results}
        # A cell that was changed has another id. Its old result is found by the scene's name.
        self._scenes: dict[str, Result] = {}
        for result in sorted(self._results.values(), key=lambda result: result.made):
            if result.scene:
                self._scenes[result.scene] = result

    @classmethod
    def load(cls, model: str, language: str, runs: Path = STAGE) -> Rehearsal:
        """The rehearsal of this model and language below `runs`. WorkshopError where there is none,
        or a file of it cannot be read.
        """
        folder = stage_folder(model, language, runs)
        files = sorted(folder.glob("rehearsal/*/*.json"))
        results = [_read(file) for file in files if file.name != CARD]
        card = read_card(folder)
        if not results or card is None:
            raise WorkshopError(
                f"There is no rehearsal of the talk with {model} in {language!r} ({folder} holds "
                f"none). Rehearse first: `workshop stage rehearse --model {model} --language "
                f"{language}`."
            )
        return cls(folder, results, card["parameters"])

    def result(self, scene: Scene | str) -> Result | None:
        """The result to show for a scene, also where its cell has changed since."""
        return self._scenes.get(scene if isinstance(scene, str) else scene.name)

    def seconds(self, notebook: str, cell: Cell) -> float | None:
        """How long a cell took; None where it was not rehearsed."""
        found = self._results.get((notebook, cell.id))
        if found is None and cell.scene:
            found = self._scenes.get(cell.scene)
        return None if found is None else found.seconds

    def problems(self, plan: Plan) -> list[Problem]:
        """What is missing or stale, in the order of the talk; [] if the rehearsal is complete."""
        return [
            Problem(scene, code) for scene in plan.scenes if (code := self._problem(scene, plan))
        ]

    def problem(self, scene: Scene, plan: Plan) -> Problem | None:
        """What is wrong with the rehearsal of one scene."""
        code = self._problem(scene, plan)
        return Problem(scene, code) if code else None

    def _problem(self, scene: Scene, plan: Plan) -> str | None:
        result, cell = self.result(scene), plan.cell(scene)
        if result is None:
            return "missing"
        if result.source_hash != cell.hash:
            return "changed"
        cells = plan.chapters[scene.notebook].cells
        for above in cells[: cells.index(cell)]:
            found = self._results.get((scene.notebook, above.id))
            if found is None or found.source_hash != above.hash:
                return "changed-above"
        return None

    @property
    def machines(self) -> list[str]:
        """The machines that the scenes were rehearsed on."""
        return sorted({result.machine for result in self._scenes.values()})

    @property
    def made(self) -> str | None:
        """When the oldest scene was rehearsed (UTC)."""
        return min((result.made for result in self._scenes.values()), default=None)

    @property
    def other_versions(self) -> dict[str, tuple[str, str]]:
        """Packages whose version is another one now: name → (rehearsed with, now)."""
        now = versions()
        found = {}
        for result in self._scenes.values():
            for name, version in result.versions.items():
                if now.get(name) != version:
                    found[name] = (version, now.get(name, "-"))
        return found


def stage_folder(model: str, language: str, runs: Path = STAGE) -> Path:
    """Where all of the stage lies for a model and language, such as runs/stage/mame-ja."""
    return runs / runs_folder(model, language).name


def absolute_model(model: str) -> str:
    """`model` as it is understood in another folder: a path becomes absolute."""
    is_path = find_entry(model) is None and Path(model).expanduser().exists()
    return str(Path(model).expanduser().resolve()) if is_path else model


def start_stage(folder: Path, parameters: Mapping[str, Any]) -> None:
    """Make the folder of the stage with its card, or note new parameters in it.

    Raises WorkshopError where the folder holds something else.
    """
    card = read_card(folder)
    if card is None and folder.exists() and any(folder.iterdir()):
        raise WorkshopError(
            f"{folder} holds other files than a rehearsal ({CARD} is missing). Move them away."
        )
    if card is None or card.get("parameters") != dict(parameters):
        write_card_in(folder, {"kind": STAGE_KIND, "parameters": dict(parameters)})


def result_file(folder: Path, notebook: str, cell: str) -> Path:
    """Where the result of a cell is kept; `folder` is the stage's."""
    return folder / "rehearsal" / notebook / f"{cell}.json"


def keep(folder: Path, result: Result) -> None:
    """Write a result, whole or not at all."""
    write_json(result_file(folder, result.notebook, result.cell), result)


def inputs(chapter: Chapter, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """What a notebook's rehearsal depends on."""
    cells = [[cell.id, cell.scene, cell.hash] for cell in chapter.cells]
    return {"parameters": dict(parameters), "cells": fingerprint(cells)}


def finish(folder: Path, chapter: Chapter, parameters: Mapping[str, Any], seconds: float) -> None:
    """Say that a notebook was rehearsed to its end, and drop results of cells it has no more."""
    place = folder / "rehearsal" / chapter.notebook
    ids = {cell.id for cell in chapter.cells}
    for file in place.glob("*.json"):
        if file.name != CARD and file.stem not in ids:
            file.unlink()
    card = {"kind": REHEARSAL_KIND, "inputs": inputs(chapter, parameters), "seconds": seconds}
    write_card_in(place, {**card, "machine": machine(), "versions": versions()})


def finished(folder: Path, chapter: Chapter, parameters: Mapping[str, Any]) -> bool:
    """Was this notebook rehearsed to its end, with these cells and parameters?"""
    card = read_card(folder / "rehearsal" / chapter.notebook)
    if card is None or card.get("kind") != REHEARSAL_KIND:
        return False
    ids = [cell.id for cell in chapter.cells]
    whole = all(result_file(folder, chapter.notebook, id).is_file() for id in ids)
    return whole and card.get("inputs") == inputs(chapter, parameters)


def begin(folder: Path, notebook: str) -> None:
    """A notebook is rehearsed anew: from now on it is not finished. Results stay until newer ones
    take their place.
    """
    (folder / "rehearsal" / notebook / CARD).unlink(missing_ok=True)


def work_folder(folder: Path, notebook: str, *, empty: bool = False) -> Path:
    """Where a notebook's kernel works, made with its card where it is not there; `empty`: what it
    holds is removed first, if its card says that it is ours.

    Notebooks share a folder, as those of an attendee do, so that the same training is done once;
    but not those whose training is to be seen.
    """
    place = folder / "work" / (notebook if notebook in TRAIN_LIVE else SHARED)
    card = read_card(place)
    if place.exists() and any(place.iterdir()) and (card or {}).get("kind") != WORK_KIND:
        raise WorkshopError(
            f"{place} holds files that the stage did not make ({CARD} is missing). Move them away."
        )
    if empty and card is not None:
        shutil.rmtree(place)
        card = None
    if card is None:
        write_card_in(place, {"kind": WORK_KIND})
    return place


def write_card_in(folder: Path, card: dict[str, Any]) -> None:
    """A card in a folder, which is made where it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    write_card(folder, card)


def kernel_environment(folder: Path, *, offline: bool) -> dict[str, str]:
    """What kernels of the stage find in their environment; `offline`: they ask no model hub."""
    found = {
        "TOKENIZERS_PARALLELISM": "false",
        "WORKSHOP_OLLAMA_RECORD": str((folder / "ollama.jsonl").resolve()),
    }
    return {**found, "HF_HUB_OFFLINE": "1"} if offline else found


def machine_line() -> str:
    """This machine in a few words: processor, cores, GPU."""
    found = machine()
    shown = [found["cpu"], f"{found['cores']} cores"]
    if found["accelerator"] not in ("none", "Apple GPU"):
        shown.append(found["accelerator"])
    return ", ".join(shown)


def now() -> str:
    """The time as results have it: UTC."""
    return f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%SZ}"


def without_widgets(outputs: Iterable[Mapping[str, Any]]) -> tuple[dict[str, Any], ...]:
    """Outputs to keep: of a widget the HTML and text beside it stay."""
    kept = []
    for output in outputs:
        copy = {key: value for key, value in output.items() if key != "execution_count"}
        if "data" in copy:
            copy["data"] = {kind: part for kind, part in copy["data"].items() if kind != WIDGET}
        kept.append(copy)
    return tuple(kept)


def joined(outputs: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Outputs with pieces of one stream that follow each other as one."""
    found: list[dict[str, Any]] = []
    for output in map(dict, outputs):
        before = found[-1] if found else {}
        if output["output_type"] == "stream" and before.get("name") == output["name"]:
            before["text"] += output["text"]
        else:
            found.append(output)
    return found


def _read(file: Path) -> Result:
    found = read_json(file, dict)
    try:
        return Result(**{**found, "outputs": tuple(found["outputs"])})
    except (KeyError, TypeError) as error:
        raise WorkshopError(
            f"{file} is not a result of a rehearsal. Rehearse again: "
            "`workshop stage rehearse --anew`."
        ) from error
