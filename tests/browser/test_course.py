"""Chapters 05 (in Japanese) and 07 (in English) run from top to bottom in JupyterLab, and their
widgets do what is asked of them, by mouse and by keyboard. Both languages have the same cells;
`tests/display` has the words of both.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from fresh_runs import note_seconds
from lab import OpenNotebook, Output

from workshop_helpers.core.wordings import say

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def opened(browser: Any, lab: Any, language: str, name: str) -> Iterator[OpenNotebook]:
    """A chapter, run from top to bottom. Chapters of a language share their folder and find there
    what another has made.
    """
    path = NOTEBOOKS / ("" if language == "ja" else language) / f"{name}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    (lab.folder / language).mkdir(exist_ok=True)
    nbformat.write(notebook, lab.folder / language / path.name)
    chapter = OpenNotebook(browser, lab, f"{language}/{path.name}")
    start = time.perf_counter()
    chapter.run_all(600)
    note_seconds(f"{language}/{name} (in a browser)", time.perf_counter() - start)
    yield chapter
    chapter.check()
    chapter.close()


@pytest.fixture(scope="module")
def before_after(browser: Any, lab: Any, language: str) -> Iterator[OpenNotebook]:
    yield from opened(browser, lab, language, "05_before_after")


@pytest.fixture(scope="module")
def quantization(browser: Any, lab: Any, language: str) -> Iterator[OpenNotebook]:
    yield from opened(browser, lab, language, "07_quantization")


@pytest.mark.parametrize("language", ["ja"], scope="module")
def test_chapter_05_runs_and_its_explorer_walks_through_the_questions(before_after, language):
    before_after.check()
    shown = before_after.output("explore(")

    def word(name: str, **values: Any) -> str:
        return say(f"widgets.explorer-{name}", language, **values)

    shown.photograph(f"explorer-{language}")
    shown.click(shown.button(word("all")))
    questions = shown.area.locator("select").first
    count = len(shown.options(questions))
    assert word("count", shown=count, n=count) in shown.text
    third = shown.options(questions)[2]
    shown.choose(questions, third)
    assert shown.text.count(third) == 2, "in the list, and above the answers"
    shown.press(questions, "Enter", "ArrowDown", "Enter")
    assert questions.evaluate("list => list.selectedIndex") == 3

    # the candidates side by side: one alone is not enough
    boxes = shown.area.get_by_role("checkbox")
    for place in range(1, boxes.count()):
        shown.press(boxes.nth(place), "Space")
    assert word("choose", least=2, most=4) in shown.text
    shown.click(boxes.nth(1))
    assert word("choose", least=2, most=4) not in shown.text

    # what changed: nothing between a candidate and itself
    before, after = (shown.area.locator("select").nth(place) for place in (1, 2))
    shown.choose(after, shown.options(before)[0])
    shown.press(before, "Enter", "Home", "Enter")
    assert word("same") in shown.text
    shown.press(after, "Enter", "ArrowDown", "Enter")
    assert word("same") not in shown.text

    # a question of one's own, by click and by the Enter key
    shown.click(shown.button(word("ask")))
    assert word("empty") in shown.text
    own = shown.labelled(word("own"))
    mine = {"ja": "送料はいくらですか？", "en": "How much is shipping?"}[language]
    shown.type(own, mine)
    shown.click(shown.button(word("ask")))
    before_after.idle()
    assert word("asked") in shown.text
    assert f"✎ {mine}" in shown.options(questions)[0]
    shown.press(own, "Control+A", *"12345")
    # Not at once: ipywidgets sends Enter past letters that still wait for the kernel.
    shown.press(own, "Enter")
    assert "✎ 12345" in shown.options(questions)[0]
    shown.photograph(f"explorer-own-question-{language}")
    before_after.check()


@pytest.mark.parametrize("language", ["en"], scope="module")
def test_chapter_07_runs_and_its_microscope_shows_another_block(quantization, language):
    quantization.check()
    shown = quantization.output("microscope(")

    def word(name: str) -> str:
        return say(f"widgets.microscope-{name}", language)

    shown.photograph(f"microscope-{language}")
    shown.click(shown.button("Q8_0"))
    assert "32" in shown.text and "34" in shown.text, "32 weights in 34 bytes"
    shown.press(shown.button("Q2_K"), "Space")
    assert "2.625" in shown.text
    tensor = shown.labelled(word("tensor"))
    other = "blk.1.attn_q.weight"
    shown.choose(tensor, other)
    assert squeezed(shown).count(other) >= 2
    before = shown.html
    shown.press(shown.labelled(word("block")), "ArrowRight")
    assert shown.html != before
    before = shown.html
    shown.slide(shown.labelled(word("group-slider")), 1.0)
    assert shown.html != before
    quantization.check()


@pytest.mark.parametrize("language", ["en"], scope="module")
def test_the_picker_of_chapter_07_says_what_fits(quantization, language):
    shown = quantization.output("pick_quantization(")

    def word(name: str, **values: Any) -> str:
        return say(f"widgets.picker-{name}", language, **values)

    shown.photograph(f"picker-{language}")
    memory = shown.labelled(word("memory"))
    shown.slide(memory, 0.0)
    assert word("too-large") in shown.text
    shown.press(memory, "End")
    assert word("too-large") not in shown.text
    assert "F16" in shown.text
    shown.click(shown.button("Q2_K"))
    assert "▶ Q2_K" in squeezed(shown)
    shown.press(shown.button("Q8_0"), "Space")
    assert "▶ Q8_0" in squeezed(shown)
    model = shown.labelled(word("model"))
    shown.press(model, "Enter", "ArrowDown", "Enter")
    assert word("estimate")[:20] in shown.text
    shown.choose(model, word("own"))
    assert word("weights-only") in shown.text
    question = shown.labelled(word("question"))
    last = shown.options(question)[-1]
    shown.choose(question, last)
    assert shown.text.count(last) == 2
    quantization.check()


def squeezed(shown: Output) -> str:
    return " ".join(shown.text.split())
