"""The scenes of the talk: cells of the notebooks shown live, in the order of the agenda."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.agenda import SECTIONS, Section
from ..core.errors import WorkshopError

TAG = "stage:"


@dataclass(frozen=True)
class Scene:
    """A cell of the talk: where it stands, and what runs in it."""

    name: str
    section: str
    notebook: str  # such as "05_before_after"
    number: int  # the cell's execution count when the notebook runs from top to bottom
    cell: str  # the cell's id
    source: str


def scenes(
    language: str, notebooks: Path, sections: Sequence[Section] = SECTIONS
) -> tuple[Scene, ...]:
    """All scenes, from the executed notebooks of a language ("en" or "ja") in the folder
    `notebooks`.

    Raises WorkshopError where a notebook is not there, or a scene is in none or in two cells.
    """
    found = []
    for section in sections:
        tagged = {
            name: cell
            for notebook in section.notebooks
            for name, cell in _tagged(notebook, section.name, language, notebooks).items()
        }
        for name in section.scenes:
            if name not in tagged:
                raise WorkshopError(
                    f"The scene {name} of the talk has no cell: none in "
                    f"{', '.join(section.notebooks)} is tagged {TAG}{name}. "
                    f"Tag it in notebooks/src and run `make notebooks`."
                )
            found.append(tagged[name])
    return tuple(found)


def code_cells(notebook: Path) -> list[Any]:
    """The code cells of a notebook file; the n-th has the execution count n."""
    import nbformat

    if not notebook.is_file():
        raise WorkshopError(f"{notebook} is not there. `make notebooks` builds it.")
    return [c for c in nbformat.read(notebook, as_version=4).cells if c.cell_type == "code"]


def notebook_file(name: str, language: str, notebooks: Path) -> Path:
    """Where the notebook of a language lies."""
    return (notebooks if language == "ja" else notebooks / language) / f"{name}.ipynb"


def _tagged(name: str, section: str, language: str, notebooks: Path) -> dict[str, Scene]:
    path = notebook_file(name, language, notebooks)
    found: dict[str, Scene] = {}
    for number, cell in enumerate(code_cells(path), 1):
        for tag in cell.metadata.get("tags", []):
            if not tag.startswith(TAG):
                continue
            scene = tag.removeprefix(TAG)
            if scene in found:
                raise WorkshopError(f"{path}: two cells are tagged {tag}; a scene is one cell.")
            found[scene] = Scene(scene, section, name, number, cell.id, cell.source)
    return found
