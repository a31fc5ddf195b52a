"""The notebooks: their sources follow the rules, the files match them, and each one runs alone from
scratch.
"""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
from pathlib import Path

import pytest

pytest.importorskip("jupytext")
import jupytext
import nbformat

ROOT = Path(__file__).resolve().parents[2]
spec = importlib.util.spec_from_file_location("notebooks_build", ROOT / "notebooks" / "build.py")
assert spec is not None and spec.loader is not None
build = sys.modules["notebooks_build"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(build)

SOURCES = build.sources()
NOTEBOOKS = [(source, language) for language in build.LANGUAGES for source in SOURCES]
JAPANESE = re.compile(r"[\u3041-\u30fa\u4e00-\u9fff]")
each_source = pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
each_notebook = pytest.mark.parametrize(
    ("source", "language"), NOTEBOOKS, ids=[f"{language}-{s.stem}" for s, language in NOTEBOOKS]
)


def cells(source: Path, kind: str) -> list:
    return [cell for cell in jupytext.read(source).cells if cell.cell_type == kind]


# ---- the rules of a source -------------------------------------------------------------------


def test_the_four_notebooks_of_the_main_path_are_there():
    names = {source.stem for source in SOURCES}
    assert {"04_lora_training", "05_before_after", "06_merge_and_gguf", "07_quantization"} <= names


@each_source
def test_code_cells_are_short_and_python(source):
    for cell in cells(source, "code"):
        lines = cell.source.strip().splitlines()
        assert len(lines) <= 15, f"{len(lines)} lines: {lines[0]}"
        ast.parse(cell.source)
        assert "lang" not in cell.metadata, "code cells belong to both languages"


@each_source
def test_code_cells_hold_nothing_that_a_check_trips_over(source):
    for cell in cells(source, "code"):
        # what a notebook needs comes from the front door, not from a room
        bad = r";\s*$|clear_output|\binteract\(|\bOutput\(|^\s*[!%]|workshop_helpers\.\w"
        found = re.search(bad, cell.source, re.M)
        assert not found, f"{found[0]!r} in: {cell.source}"


@each_source
def test_there_is_one_parameters_cell_and_it_comes_first(source):
    tagged = ["parameters" in cell.metadata.get("tags", []) for cell in cells(source, "code")]
    assert tagged.count(True) == 1
    assert tagged[0]
    assert 'LANGUAGE = "ja"' in cells(source, "code")[0].source


@each_source
def test_each_japanese_cell_is_followed_by_its_english_twin(source):
    languages = [cell.metadata.get("lang") for cell in jupytext.read(source).cells]
    prose = [language for language in languages if language is not None]
    assert len(prose) == len(cells(source, "markdown")), "a prose cell without lang"
    assert prose == ["ja", "en"] * (len(prose) // 2)
    for place, language in enumerate(languages):
        if language == "ja":
            assert languages[place + 1] == "en", "the twin must stand right below"


@each_source
def test_twins_say_the_same(source):
    prose = cells(source, "markdown")
    for ja, en in zip(prose[::2], prose[1::2], strict=True):
        assert JAPANESE.search(ja.source)
        assert not re.search(r"[\u3041-\u30fa]", en.source), "Japanese left in the English text"
        for headings_and_lists in (r"(?m)^#+", r"(?m)^(?:- |\d\. )"):
            count = [len(re.findall(headings_and_lists, cell.source)) for cell in (ja, en)]
            assert count[0] == count[1], ja.source[:60]
        names = [set(re.findall(r"`[^`]+`", cell.source)) for cell in (ja, en)]
        assert names[0] == names[1], ja.source[:60]


# ---- building --------------------------------------------------------------------------------


@each_notebook
def test_a_build_is_in_one_language_and_always_the_same(source, language):
    notebook = build.build(source, language)
    nbformat.validate(notebook)
    assert nbformat.writes(notebook) == nbformat.writes(build.build(source, language))
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    assert f'LANGUAGE = "{language}"' in code[0]
    other = build.build(source, "en" if language == "ja" else "ja")
    assert code[1:] == [cell.source for cell in other.cells if cell.cell_type == "code"][1:]
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            assert bool(re.search(r"[\u3041-\u30fa]", cell.source)) == (language == "ja")


def recorded(*texts: str, tags: tuple[str, ...] = ()):
    outputs = [nbformat.v4.new_output("stream", name="stdout", text=text) for text in texts]
    cells = [
        nbformat.v4.new_code_cell("f()", id=f"c{i}", outputs=[o], metadata={"tags": list(tags)})
        for i, o in enumerate(outputs)
    ]
    return nbformat.v4.new_notebook(cells=cells)


def test_a_run_that_only_took_another_time_leaves_the_recorded_outputs():
    old, new = recorded("done in 1.5 s", tags=("timed",)), recorded("done in 12 s", tags=("timed",))
    assert build.settle(new, old) is old


def test_a_run_with_another_word_or_another_fixed_figure_replaces_all_outputs():
    old = recorded("done in 1.5 s", tags=("timed",))
    new = recorded("failed in 1.5 s", tags=("timed",))
    assert build.settle(new, old) is new
    old, new = recorded("recall 90 %"), recorded("recall 80 %")
    assert build.settle(new, old) is new


def test_check_finds_a_missing_an_unrun_and_a_changed_notebook(tmp_path):
    source = SOURCES[0]
    assert "is not there" in build.problems(source, "en", tmp_path)[0]
    build.make(source, "en", tmp_path, run=False, parameters={})
    assert "not executed" in build.problems(source, "en", tmp_path)[0]
    path = build.target(source, "en", tmp_path)
    path.write_text(path.read_text("utf-8").replace("RUNS", "PLACE", 1), encoding="utf-8")
    assert "does not match" in build.problems(source, "en", tmp_path)[0]


def test_a_parameter_that_the_notebook_does_not_have_is_refused():
    with pytest.raises(KeyError):
        build.set_parameters('MODEL = "mame"', {"LANGUAGE": "en"})


# ---- the files, and running them -------------------------------------------------------------


@each_notebook
def test_the_committed_notebook_matches_its_source_and_was_executed(source, language):
    assert build.problems(source, language) == []


@each_notebook
def test_the_committed_notebook_holds_nothing_of_the_machine_it_ran_on(source, language):
    notebook = nbformat.read(build.target(source, language), as_version=4)
    assert "widgets" not in notebook.metadata
    assert "version" not in notebook.metadata.get("language_info", {})
    outputs = [output for c in notebook.cells if c.cell_type == "code" for output in c.outputs]
    text = re.sub(r'"image/png": "[^"]*"', "", str(outputs))
    assert not re.search(r"/home/|/work/|/Users/|site-packages|[A-Z]:\\\\|stderr|Warning", text)
