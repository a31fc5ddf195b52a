"""The notebooks: their sources follow the rules, the files match them, and each one runs alone from
scratch.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import sys
import unicodedata
from functools import cache
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

TALK, ADVANCED = build.sources(), build.advanced()
CHAPTERS = [*TALK, *ADVANCED]
SOURCES = [*CHAPTERS, *build.extras()]


def in_both(sources: list[Path]) -> list:
    return [
        pytest.param(source, language, id=f"{language}-{source.stem}")
        for language in build.LANGUAGES
        for source in sources
    ]


JAPANESE = re.compile(r"[\u3041-\u30fa\u4e00-\u9fff]")
each_source = pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
each_notebook = pytest.mark.parametrize(("source", "language"), in_both(SOURCES))
# What a chapter has besides: exercises; those of the talk a quiz and notes for the presenter, too.
each_chapter = pytest.mark.parametrize("source", CHAPTERS, ids=lambda path: path.stem)
each_chapters_notebook = pytest.mark.parametrize(("source", "language"), in_both(CHAPTERS))
each_talk_notebook = pytest.mark.parametrize(("source", "language"), in_both(TALK))


def cells(source: Path, kind: str) -> list:
    return [cell for cell in jupytext.read(source).cells if cell.cell_type == kind]


# ---- the rules of a source -------------------------------------------------------------------


def test_the_notebooks_of_the_course_are_there():
    assert [source.stem[:2] for source in TALK] == [f"{number:02}" for number in range(11)]
    beyond = [source.stem[:2] for source in ADVANCED]
    assert set(beyond) <= {f"{number}" for number in range(11, 21)}


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


# ---- the frame: what every notebook of the course has ----------------------------------------

TAGS = {
    *("parameters", "needed", "exercise", "solution", "check", "quiz", "presenter", "closing"),
    *("nbval-ignore-output", "timed"),
}
HEAD = {
    "ja": ("目標", "時間", "使うもの", "できるもの"),
    "en": ("Goal", "Minutes", "Comes in", "Goes out"),
}
PARTS = {
    "ja": ("演習", "確認クイズ", "うまくいかないと分かっていること", "まとめ"),
    "en": ("Exercises", "Self-check", "Known to fail", "In short"),
}
BEYOND = {"ja": ("経験則", "演習", "まとめ"), "en": ("Rule of thumb", "Exercises", "In short")}


def tagged(source: Path, tag: str, language: str | None = None) -> list:
    found = [c for c in jupytext.read(source).cells if tag in c.metadata.get("tags", [])]
    return [c for c in found if language is None or c.metadata.get("lang", language) == language]


@each_chapters_notebook
def test_a_notebook_begins_with_goal_minutes_and_what_comes_in_and_goes_out(source, language):
    title = build.in_language(source, language)[0].source
    assert re.match(rf"# {source.stem[:2]} \S", title)
    rows = re.findall(r"(?m)^\| *([^|]+?) *\|", title)
    assert [row for row in rows if row in HEAD[language]] == list(HEAD[language])
    minutes = next(line for line in title.splitlines() if HEAD[language][1] in line)
    assert re.search(r"\d", minutes)


@each_chapters_notebook
def test_a_notebook_has_all_its_parts_in_order(source, language):
    prose = [c.source for c in build.in_language(source, language) if c.cell_type == "markdown"]
    headings = re.findall(r"(?m)^## +(.+?) *$", "\n\n".join(prose))
    parts = (BEYOND if source in ADVANCED else PARTS)[language]
    assert [one for one in headings if one in parts] == list(parts)


@each_source
def test_only_known_tags_are_used(source):
    used = {tag for cell in jupytext.read(source).cells for tag in cell.metadata.get("tags", [])}
    # tests/stage looks at the scenes
    assert {tag for tag in used if not tag.startswith("stage:")} <= TAGS


@each_chapter
def test_there_is_nothing_to_edit_but_model_rows_and_language(source):
    names = re.findall(r"(?m)^(\w+) = ", cells(source, "code")[0].source)
    assert [name for name in names if name != "ROWS"] == ["MODEL", "LANGUAGE"]


@each_chapter
def test_exercises_come_with_a_solution_and_a_check(source):
    kinds = []
    for cell in jupytext.read(source).cells:
        if cell.cell_type == "code":
            tags = cell.metadata.get("tags", [])
            kinds += [tag for tag in ("exercise", "solution", "check") if tag in tags]
    assert kinds == ["exercise", "solution", "check"] * (len(kinds) // 3)
    assert (2 if source in ADVANCED else 3) <= len(kinds) // 3 <= 5
    for cell in tagged(source, "exercise"):
        if cell.cell_type == "code":
            assert re.search(r"(?m)^answer = \.\.\.", cell.source), "nothing is given away"
    for cell in tagged(source, "check"):
        assert "exercises.check(" in cell.source


@each_chapter
def test_what_a_check_says_is_written_in_both_languages(source):
    from workshop_helpers.core.wordings import entries

    table = entries(f"exercises-{source.stem[:2]}")
    names = [
        found
        for cell in tagged(source, "check")
        for found in re.findall(r'exercises\.check\(\s*"([\w-]+)"', cell.source)
    ]
    assert names and len(names) == len(set(names))
    for name in names:
        assert {name, f"{name}-wrong"} <= set(table), f"no texts for {name}"
    for name, texts in table.items():
        assert set(texts) == {"en", "ja"}, name
        assert JAPANESE.search(texts["ja"]) and not JAPANESE.search(texts["en"]), name
        assert any(name.startswith(one) for one in names), f"{name} is said by no check"


@each_talk_notebook
def test_a_quiz_hides_its_answers(source, language):
    quiz = tagged(source, "quiz", language)
    assert 3 <= len(quiz) <= 5 or sum(c.source.count("<details>") for c in quiz) in (3, 4, 5)
    for cell in quiz:
        assert cell.source.count("<details>") == cell.source.count("</details>") > 0


@each_talk_notebook
def test_the_presenter_has_folded_notes(source, language):
    notes = [
        c for c in build.build(source, language).cells if "presenter" in c.metadata.get("tags", [])
    ]
    assert notes
    words = {"ja": ("言う", "指す", "飛ばす"), "en": ("Say", "Point at", "skip")}[language]
    whole = "\n".join(note.source for note in notes)
    assert all(word in whole for word in words)
    assert all(note.source.startswith("<details>") for note in notes)


@each_source
def test_the_closing_cell_asserts_what_was_said(source):
    (closing,) = tagged(source, "closing")
    assert closing.cell_type == "code"
    found = [node for node in ast.walk(ast.parse(closing.source)) if isinstance(node, ast.Assert)]
    assert found and not any(isinstance(node.test, ast.Constant) for node in found)


# ---- figures in the prose --------------------------------------------------------------------

SMALL = 12  # counts that anyone can check by looking
NUMBER = re.compile(r"(?<![\w.])\d[\d,]*(?:\.\d+)?")


def figures(text: str) -> set[str]:
    """The numbers of a text as people write them, without those in code, formulas and links."""
    text = unicodedata.normalize("NFKC", text)
    for what in (r"```.*?```", r"`[^`]*`", r"\$[^$\n]+\$", r"\]\([^)]*\)", r"<[^>]+>"):
        text = re.sub(what, " ", text, flags=re.S)
    return {found.replace(",", "").rstrip(".") for found in NUMBER.findall(text)}


@cache
def recorded_figures() -> set[str]:
    """Every number in results/, as it stands there and rounded, and as a percentage."""
    found: set[str] = set()

    def collect(value: object) -> None:
        if isinstance(value, dict):
            for one in value.values():
                collect(one)
        elif isinstance(value, list):
            for one in value:
                collect(one)
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            for number in (value, 100 * value):
                found.update(f"{number:.{digits}f}" for digits in (0, 1, 2))
                found.add(f"{number:g}")

    for path in (ROOT / "results").rglob("*.json"):
        collect(json.loads(path.read_text(encoding="utf-8")))
    return found


@each_notebook
def test_no_figure_in_prose_without_its_source(source, language):
    notebook = nbformat.read(build.target(source, language), as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    shown = "\n".join(
        [cell.source for cell in code]
        + [str(output.get("text", "")) for cell in code for output in cell.outputs]
        + [
            str(v)
            for c in code
            for o in c.outputs
            for k, v in o.get("data", {}).items()
            if "png" not in k
        ]
    )
    there = set(NUMBER.findall(shown.replace(",", ""))) | recorded_figures()
    # What others measured is said to be theirs.
    theirs = ("講演", "引用") if language == "ja" else ("talk", "quoted")
    for cell in notebook.cells[1:]:
        if cell.cell_type != "markdown":
            continue
        for paragraph in re.split(r"\n\s*\n", cell.source):
            if any(word in paragraph for word in theirs):
                continue
            for number in figures(re.sub(r"(?m)^(#+|\d+\.) ", "", paragraph)) - there:
                small = number.isdigit() and int(number) <= SMALL and f"{number} %" not in paragraph
                chapter = re.search(rf"\b{number}(章|[_ ])|chapter {number}", paragraph)
                assert small or chapter, f"{number} has no source: {paragraph[:120]}"


@each_notebook
def test_bold_text_is_bold(source, language):
    """CommonMark leaves the asterisks standing where a bold part ends with a mark of punctuation
    and a letter follows, as happens in Japanese.
    """
    from markdown_it import MarkdownIt

    reader = MarkdownIt("commonmark").enable("table")
    for cell in build.in_language(source, language):
        if cell.cell_type == "markdown":
            parts = [part for token in reader.parse(cell.source) for part in token.children or []]
            assert not [p.content for p in parts if p.type == "text" and "**" in p.content]


# ---- links -----------------------------------------------------------------------------------


@each_notebook
def test_links_lead_somewhere(source, language):
    for kind in build.KINDS if build.has_exercises(source) else (build.NOTEBOOK,):
        path = build.target(source, language, kind=kind)
        text = "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells)
        for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
            assert link.startswith("https://") or (path.parent / link).exists(), link
        # A chapter that is named is there.
        for name in re.findall(r"`(\d\d_\w+)`", text):
            assert name in {chapter.stem for chapter in CHAPTERS}, name


# ---- the solutions ---------------------------------------------------------------------------


def verdicts(path: Path) -> list[str]:
    """The signs with which the checks of a notebook on disk answered."""
    notebook = nbformat.read(path, as_version=4)
    checks = [c for c in notebook.cells if "check" in c.metadata.get("tags", [])]
    return [cell.outputs[-1].data["text/plain"][0] for cell in checks]


@each_chapters_notebook
def test_the_solutions_match_their_source_and_were_executed(source, language):
    assert build.problems(source, language, kind="solutions") == []


@each_chapters_notebook
def test_exercises_fail_before_they_are_solved_and_pass_with_their_solution(source, language):
    before = verdicts(build.target(source, language))
    after = verdicts(build.target(source, language, kind="solutions"))
    assert len(before) == len(after) >= 2
    assert set(before) <= {"○", "✗"}
    assert set(after) == {"✓"}


# ---- building --------------------------------------------------------------------------------


@each_notebook
def test_a_build_is_in_one_language_and_always_the_same(source, language):
    notebook = build.build(source, language)
    nbformat.validate(notebook)
    assert nbformat.writes(notebook) == nbformat.writes(build.build(source, language))
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)
    setup, parameters, *code = [c.source for c in notebook.cells if c.cell_type == "code"]
    assert "install_here" in setup and f'LANGUAGE = "{language}"' in parameters
    other = build.build(source, "en" if language == "ja" else "ja")
    assert code == [cell.source for cell in other.cells if cell.cell_type == "code"][2:]
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
    path.write_text(path.read_text("utf-8").replace("MODEL", "PLACE", 1), encoding="utf-8")
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
