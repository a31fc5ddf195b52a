"""Every widget of the course but those of chapters 05 and 07 (`test_course.py`), each by mouse and
by keyboard: what is asked for is on the screen afterwards, in both languages.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import nbformat
import pytest
from lab import OpenNotebook, Output

from workshop_helpers.core.wordings import say

NEEDED = """
from workshop_helpers import Shop, convert, explore_tokens, inspect_gguf, quantize

shop = Shop("{language}")
f16 = convert("mame", "mame-F16.gguf")
q4 = quantize(f16.path, "Q4_K_M")
"""
WIDGETS = (
    'explore_tokens("mame", shop.train[:20], "{language}")',
    'inspect_gguf(q4, "{language}")',
)


@pytest.fixture(scope="module")
def studio(browser: Any, lab: Any, language: str) -> Iterator[OpenNotebook]:
    """A notebook that shows the widgets, each in a cell of its own."""
    cells = [code.format(language=language) for code in (NEEDED, *WIDGETS)]
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(code) for code in cells],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )
    nbformat.write(notebook, lab.folder / f"widgets-{language}.ipynb")
    opened = OpenNotebook(browser, lab, f"widgets-{language}.ipynb")
    opened.run_all()
    yield opened
    opened.check()
    opened.close()


def test_tokens(studio, language):
    shown = studio.output("explore_tokens(")
    row = shown.labelled(say("widgets.tokens-row", language))
    length = shown.labelled("max_length")
    cut = say("widgets.tokens-cut", language)
    assert f"{cut} 0" in squeezed(shown)
    shown.photograph(f"tokens-{language}")

    shown.slide(length, 0.0)
    assert f"{cut} 0" not in squeezed(shown) and cut in shown.text
    shown.press(length, "End")
    assert f"{cut} 0" in squeezed(shown)

    before = shown.text
    third = row.locator("option").nth(2).inner_text()
    shown.choose(row, third)
    assert third.partition(": ")[2].rstrip("…")[:10] in shown.text.replace("␣", " ")
    assert shown.text != before
    shown.press(row, "Enter", "ArrowDown", "Enter")
    assert row.evaluate("list => list.selectedIndex") == 3
    studio.check()


def test_what_is_in_a_gguf(studio, language):
    shown = studio.output("inspect_gguf(")
    named = {
        name: say(f"widgets.inspector-{name}", language)
        for name in ("overview", "metadata", "tensors", "tokenizer", "template", "search")
    }
    assert "Q4_K" in shown.text and "Q6_K" in shown.text
    shown.photograph(f"inspector-{language}")

    shown.click(shown.button(named["metadata"]))
    assert "general.architecture" in shown.text
    search = shown.labelled(named["search"])
    search.press_sequentially("context")
    studio.idle()
    assert "context_length" in shown.text and "general.architecture" not in shown.text

    shown.press(shown.button(named["tensors"]), "Space")
    shown.press(search, "Control+A", *"blk.0.ffn")
    assert "blk.0.ffn_down.weight" in shown.text and "blk.1" not in shown.text
    shown.press(shown.button(named["tokenizer"]), "Space")
    assert "<|im_end|>" in shown.text
    shown.press(shown.button(named["template"]), "Space")
    assert "add_generation_prompt" in shown.text
    shown.click(shown.button(named["overview"]))
    assert "Q6_K" in shown.text
    studio.check()


def squeezed(shown: Output) -> str:
    return " ".join(shown.text.split())
