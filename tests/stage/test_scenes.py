"""The scenes of the talk are cells of the notebooks, the same ones in both languages."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from workshop_helpers.core.agenda import SECTIONS
from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.stage.scenes import TAG, notebook_file, scenes

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"


@pytest.mark.parametrize("language", ["ja", "en"])
def test_every_scene_is_a_cell_and_every_tagged_cell_a_scene(language):
    found = scenes(language, NOTEBOOKS)
    assert [scene.name for scene in found] == [name for s in SECTIONS for name in s.scenes]
    assert len({scene.name for scene in found}) == len(found)
    tagged = [
        tag.removeprefix(TAG)
        for path in sorted(notebook_file("x", language, NOTEBOOKS).parent.glob("[0-9]*.ipynb"))
        for cell in nbformat.read(path, as_version=4).cells
        for tag in cell.metadata.get("tags", [])
        if tag.startswith(TAG)
    ]
    assert sorted(tagged) == sorted(scene.name for scene in found)


def test_in_a_section_the_cells_come_in_the_order_in_which_a_notebook_runs():
    for section in SECTIONS:
        places = [
            (section.notebooks.index(scene.notebook), scene.number)
            for scene in scenes("ja", NOTEBOOKS)
            if scene.section == section.name
        ]
        assert places == sorted(places)


def test_both_languages_show_the_same_code():
    one, other = scenes("ja", NOTEBOOKS), scenes("en", NOTEBOOKS)
    assert [(s.notebook, s.number, s.source) for s in one] == [
        (s.notebook, s.number, s.source) for s in other
    ]


def test_a_scene_without_a_cell_is_named(tmp_path):
    for section in SECTIONS:
        for name in section.notebooks:
            notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 + 1")])
            nbformat.write(notebook, tmp_path / f"{name}.ipynb")
    with pytest.raises(WorkshopError, match=r"five-ways .*01_what_is_finetuning.*stage:five-ways"):
        scenes("ja", tmp_path)


def test_a_notebook_that_is_not_there_is_named(tmp_path):
    with pytest.raises(WorkshopError, match=r"01_what_is_finetuning.ipynb is not there"):
        scenes("ja", tmp_path)
