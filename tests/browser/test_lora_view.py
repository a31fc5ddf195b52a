"""The LoRA view is alive: another rank and another layer give another picture."""

from __future__ import annotations

from typing import Any

import nbformat
from lab import OpenNotebook

CELL = """
from workshop_helpers import LoraRecipe, Shop, lora_view, train

recipe = LoraRecipe.for_model("mame").replace(rank=8, epochs=1)
tuned = train("mame", Shop("{language}").train[:8], "runs/looked-at", recipe)
lora_view(tuned, "{language}")
"""


def test_rank_and_layer_are_chosen_by_mouse_and_keyboard(browser: Any, lab: Any) -> None:
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(CELL.format(language="ja"))],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )
    nbformat.write(notebook, lab.folder / "lora.ipynb")
    opened = OpenNotebook(browser, lab, "lora.ipynb")
    opened.run_all()
    shown = opened.output("lora_view")
    assert "ランク8のうち1" in shown.text
    shown.slide(shown.labelled("ランク"), 1.0)
    assert "ランク8のうち8" in shown.text and "100.0％" in shown.text
    shown.press(shown.labelled("ランク"), "ArrowLeft")
    assert "ランク8のうち7" in shown.text
    assert "256 × 768" in shown.html
    shown.choose(shown.labelled("層"), "model.layers.5.mlp.up_proj")
    assert "ランク8のうち7" in shown.text and "768 × 256" in shown.html
    shown.photograph("lora-view-ja")
    opened.check()
    opened.close()
