"""The stage's widget as it is read where no widget runs, and how it draws what the engine says.
(In a browser: tests/browser/test_stage_view.py.)
"""

from __future__ import annotations

import nbformat
import pytest

from workshop_helpers import stage_view
from workshop_helpers.core.agenda import Section
from workshop_helpers.stage.cells import make_plan
from workshop_helpers.stage.store import Result, keep, stage_folder, start_stage

pytest.importorskip("ipywidgets")
SECTIONS = (Section("what", 2, ("01_small",), ("bean",)), Section("summary", 1, ("01_small",)))


@pytest.fixture
def notebooks(tmp_path):
    """One notebook with one scene, [2], in English."""
    cells = [nbformat.v4.new_code_cell(source) for source in ('LANGUAGE = "en"', "print('<b>')")]
    cells[1].metadata["tags"] = ["stage:bean"]
    (tmp_path / "notebooks" / "en").mkdir(parents=True)
    file = tmp_path / "notebooks" / "en" / "01_small.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), file)
    return tmp_path / "notebooks"


@pytest.fixture
def rehearsed(tmp_path, notebooks):
    """Where the results of its rehearsal lie; they were made in a moment and took 12.3 seconds."""
    folder = stage_folder("mame", "en", tmp_path / "stage")
    start_stage(folder, {"MODEL": "mame", "LANGUAGE": "en"})
    output = {"output_type": "stream", "name": "stdout", "text": "rehearsed <b>"}
    for cell in make_plan("en", notebooks, SECTIONS).chapters["01_small"].cells:
        made = ((output,), 12.34, "2026-11-29T14:02:11Z", "a small machine")
        keep(folder, Result("01_small", cell.id, cell.number, cell.scene, cell.hash, *made))
    return tmp_path / "stage"


def test_without_widgets_it_is_the_table_of_the_scenes_with_their_rehearsed_seconds(
    notebooks, rehearsed
):
    shown = stage_view("en", runs=rehearsed, notebooks=notebooks, sections=SECTIONS).fallback()
    assert shown.text == "1. What is fine-tuning?  01 [2]  bean  12.3 s"
    for part in ("1. What is fine-tuning?", "01 [2]", "bean", "12.3 s"):
        assert part in shown.html


def test_without_a_rehearsal_the_table_says_how_to_make_one(notebooks, tmp_path):
    shown = stage_view("en", runs=tmp_path / "no", notebooks=notebooks, sections=SECTIONS)
    assert "`workshop stage rehearse --model mame --language en`" in shown.fallback().html
    assert shown.fallback().text.splitlines()[-1].endswith("01 [2]  bean  –")
    button = shown.widget.children[1].children[0]
    button.click()
    assert "workshop stage rehearse" in shown.widget.children[-1].value


def test_a_rehearsed_result_is_never_without_its_label(notebooks, rehearsed):
    view = stage_view("en", runs=rehearsed, notebooks=notebooks, sections=SECTIONS)
    face, buttons, _, result = view.widget.children
    prepare, rehearsal, *_, pause = buttons.children
    assert rehearsal.disabled and pause.disabled
    try:
        prepare.click()
        assert "not live" not in result.value and "2:00 left" in face.value
        rehearsal.click()
        label, shown = "a small machine – not live", "rehearsed &lt;b&gt;"
        assert result.value.index(label) < result.value.index(shown)
        assert "run live" not in view.widget.children[2].value
    finally:
        view.close()
    assert all(button.disabled for button in buttons.children)


def test_a_second_talk_ends_the_first_whose_folders_it_works_in(notebooks, rehearsed):
    options = {"runs": rehearsed, "notebooks": notebooks, "sections": SECTIONS}
    first, second = stage_view("en", **options), stage_view("en", **options)
    try:
        first.widget.children[1].children[0].click()
        second.widget.children[1].children[0].click()
        assert first.widget.children[1].children[0].disabled
        assert not second.widget.children[1].children[0].disabled
    finally:
        first.close()
        second.close()
