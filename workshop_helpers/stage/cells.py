"""The notebooks of the talk: which cells run, which silently, and with which parameters."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.agenda import SECTIONS, Section
from ..core.cards import fingerprint
from ..core.errors import WorkshopError
from .scenes import TAG, Scene, code_cells, notebook_file, scenes

# For those who read the notebook, not for the stage.
LEFT_OUT = frozenset(("check", "closing", "exercise", "solution"))
# Notebooks whose scenes train in front of the room: `live` begins them with an empty folder, since
# a training whose result is there already is over at once.
TRAIN_LIVE = ("04_lora_training", "05_before_after")


@dataclass(frozen=True)
class Cell:
    """A code cell that runs on the stage; `scene` is its name as a scene, None for one that runs
    silently, as preparation.
    """

    number: int  # as people see it in the notebook, such as 7 for [7]
    id: str
    source: str
    tags: tuple[str, ...] = ()
    scene: str | None = None

    @property
    def hash(self) -> str:
        """Tells this source from another one."""
        return fingerprint(self.source)


@dataclass(frozen=True)
class Chapter:
    """A notebook of the talk, with the cells that run on the stage, in their order."""

    notebook: str  # such as "05_before_after"
    cells: tuple[Cell, ...]

    def place(self, scene: str) -> int:
        """The place of a scene among the cells."""
        return next(place for place, cell in enumerate(self.cells) if cell.scene == scene)


@dataclass(frozen=True)
class Plan:
    """All that runs on the stage in one language: sections, scenes, and the notebooks."""

    sections: tuple[Section, ...]
    scenes: tuple[Scene, ...]
    chapters: dict[str, Chapter]  # by the notebook's name, in the order of the talk

    def cell(self, scene: Scene) -> Cell:
        """The cell of a scene."""
        chapter = self.chapters[scene.notebook]
        return chapter.cells[chapter.place(scene.name)]


def make_plan(
    language: str, notebooks: Path | None = None, sections: Sequence[Section] = SECTIONS
) -> Plan:
    """The plan of the talk in a language ("en" or "ja"), from the notebooks as they lie on disk
    (None: those of the clone).

    Raises WorkshopError where a notebook or a scene is missing.
    """
    folder = notebooks or notebooks_folder()
    listed = scenes(language, folder, sections)
    chapters: dict[str, Chapter] = {}
    for scene in listed:
        if scene.notebook in chapters:
            continue
        last = max(other.number for other in listed if other.notebook == scene.notebook)
        cells = code_cells(notebook_file(scene.notebook, language, folder))[:last]
        made = (_cell(number, cell) for number, cell in enumerate(cells, 1))
        kept = tuple(cell for cell in made if not LEFT_OUT & {*cell.tags})
        chapters[scene.notebook] = Chapter(scene.notebook, kept)
    return Plan(tuple(sections), listed, chapters)


def _cell(number: int, cell: Any) -> Cell:
    tags = tuple(cell.metadata.get("tags", ()))
    scene = next((tag.removeprefix(TAG) for tag in tags if tag.startswith(TAG)), None)
    return Cell(number, cell.id, cell.source, tags, scene)


def notebooks_folder() -> Path:
    """The notebooks of the clone; WorkshopError where the package was installed without one."""
    folder = Path(__file__).resolve().parents[2] / "notebooks"
    if not (folder / "src").is_dir():
        raise WorkshopError(
            f"The talk runs the notebooks, and there are none at {folder}. "
            "Run it from a clone of the course."
        )
    return folder


def set_parameters(text: str, values: Mapping[str, Any]) -> str:
    """The parameters cell with `NAME = …` set to other values: a text where it sets a text, a
    number where it sets one. KeyError for a name that it does not set.
    """
    for name, value in values.items():
        found = re.search(rf'(?m)^{name} = ("[^"]*"|\d+)', text)
        if found is None:
            raise KeyError(f"the parameters cell sets no {name}")
        new = json.dumps(value, ensure_ascii=False) if found[1].startswith('"') else str(int(value))
        text = text[: found.start(1)] + new + text[found.end(1) :]
    return text


def with_parameters(cell: Cell, values: Mapping[str, Any]) -> str:
    """What is run: the cell's source, in the parameters cell with those of the `values` that it
    sets.
    """
    if "parameters" not in cell.tags:
        return cell.source
    known = {k: v for k, v in values.items() if re.search(rf"(?m)^{k} = ", cell.source)}
    return set_parameters(cell.source, known)
