"""The widgets of chapters 03, 04 and 06, each by mouse and by keyboard, in both languages: what is
asked for is on the screen afterwards. Those of 05 and 07 are in `test_course.py`, of 09 and 10 in
`test_planning.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import nbformat
import pytest
from lab import OpenNotebook, Output, screenshots

from workshop_helpers.core.wordings import say

NEEDED = """
from workshop_helpers import (
    LoraRecipe, Shop, TrainingView, agenda_clock, convert, explore_tokens, inspect_gguf, lora_view,
    quantize, train,
)

shop = Shop("{language}")
f16 = convert("mame", "mame-F16.gguf")
q4 = quantize(f16.path, "Q4_K_M")
recipe = LoraRecipe.for_model("mame")
tuned = train("mame", shop.train[:10], "tuned-{language}", recipe.replace(epochs=1))
"""
WIDGETS = (
    'explore_tokens("mame", shop.train[:20], "{language}")',
    'inspect_gguf(q4, "{language}")',
    'lora_view(tuned, "{language}")',
    'agenda_clock("{language}", 1)',
)
# Long enough for anyone to stop it.
TRAINING = """
recipe = LoraRecipe.for_model("mame").replace(epochs=60, batch_size=2)
watched = train(
    "mame", shop.train[:20], "watched-{language}", recipe, progress=TrainingView("{language}")
)
"""


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
    third = shown.options(row)[2]
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


def test_what_a_lower_rank_keeps(studio, language):
    shown = studio.output("lora_view(")
    layer = shown.labelled(say("lora.layer", language))
    rank = shown.labelled(say("lora.rank", language))
    shown.photograph(f"lora-{language}")
    shown.slide(rank, 1.0)
    assert "100.0 %" in kept(shown), "the whole rank keeps the whole change"
    shown.press(rank, "Home")
    assert "1 ◀" in shown.text and "100.0 %" not in kept(shown)
    before = shown.html
    shown.press(layer, "Enter", "ArrowDown", "Enter")
    assert layer.evaluate("list => list.selectedIndex") == 1
    assert shown.html != before
    shown.choose(layer, shown.options(layer)[-1])
    assert "1 ◀" in shown.text, "the rank stays"
    studio.check()


def kept(shown: Output) -> str:
    """The row of the table that is pointed at."""
    return next(line for line in shown.text.splitlines() if "◀" in line)


def test_a_training_that_is_watched_is_stopped_by_the_keyboard(studio, language):
    shown = studio.add(TRAINING.format(language=language))
    stop = shown.button(say("widgets.training-stop", language))
    stop.wait_for(timeout=60_000)
    running = say("widgets.training-running", language, step=1, steps=600)
    assert running.split("600")[0].split("1")[0] in shown.text
    shown.area.screenshot(path=screenshots() / f"training-running-{language}.png")
    shown.press(stop, "Space")
    end = say("widgets.training-stopped", language, step="#", steps=600).split("#")[1]
    # The kernel calls itself idle as soon as it has heard the key, in the midst of the training.
    shown.area.get_by_text(end).first.wait_for(timeout=60_000)
    studio.idle()
    assert not stop.is_visible(), "there is nothing left to stop"
    shown.photograph(f"training-stopped-{language}")
    studio.check()


def test_the_clock_runs_is_moved_on_and_knows_when_it_is_late(studio, language):
    shown = studio.output("agenda_clock(")

    def word(name: str, **values: Any) -> str:
        return say(f"widgets.clock-{name}", language, **values)

    assert word("stands") in shown.text
    shown.click(shown.button(word("start")))
    assert word("runs") in shown.text
    studio.page.wait_for_timeout(2500)
    assert word("elapsed", time="0:00", of="1:00") not in shown.text, "time goes by"
    shown.press(shown.button(word("next")), "Space")
    assert "▶ 2." in shown.text
    shown.click(shown.button(word("back")))
    assert "▶ 1." in shown.text
    # within one minute the first section takes seconds
    late = word("late", time="#").replace("#", "").strip()
    studio.page.wait_for_function(
        "late => document.body.innerText.includes(late)", arg=late, timeout=20_000
    )
    shown.photograph(f"clock-late-{language}")
    shown.press(shown.button(word("pause")), "Space")
    assert word("stands") in shown.text
    shown.click(shown.button(word("reset")))
    assert word("elapsed", time="0:00", of="1:00") in shown.text
    studio.check()


def squeezed(shown: Output) -> str:
    return " ".join(shown.text.split())
