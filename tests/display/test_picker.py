"""The quantization picker: driven by its controls, and read where no widget runs."""

from __future__ import annotations

import dataclasses
import re
from html import unescape

import pytest
from measured import quantized

from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.display.widgets.picker import Picker, pick_quantization
from workshop_helpers.metrics.scoring import Question
from workshop_helpers.models.catalogue import CATALOGUE

pytest.importorskip("ipywidgets")
ASKED = (
    Question("送料は？", facts=("500円",)),
    Question("包装は？", facts=("300円",)),
)


@pytest.fixture
def view() -> Picker:
    made = pick_quantization(quantized(language="ja", asked=ASKED), "en")
    assert made.widget
    return made


def text(html: str) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", html)))


def test_it_begins_where_f16_does_not_fit(view):
    assert (view.type.value, view.memory.label) == ("Q4_K_M", "8 MB")
    shown = text(view._html.value)
    assert "F16 11.7 MB ✗ too large" in shown
    assert "Q8_0 6.3 MB ✓" in shown
    assert "Of those that fit into 8 MB, Q8_0 is nearest to F16." in shown
    assert "▶ Q4_K_M" in shown and shown.count("▶") == 1


def test_less_memory_leaves_fewer_types(view):
    for memory, said in (
        (4e6, "into 4 MB, Q4_K_M is nearest"),
        (1e6, "None of these fits into 1 MB"),
        (16e6, "into 16 MB, F16 is nearest"),
    ):
        view.memory.value = int(memory)
        assert said in text(view._html.value)


def test_another_model_is_reckoned_by_the_bits_per_weight(view):
    weights = CATALOGUE["qwen2.5-3b"].parameters
    view.model.value = weights
    assert view.memory.label == "4 GB"  # F16 does not fit here either
    row = next(row for row in view.table.rows if row.type == "Q8_0")
    size = weights * row.bits_per_weight / 8
    assert f"{size / 1e9:.3g} GB ✓" in text(view._html.value)
    assert "estimates" in text(view._html.value)
    view.model.value = 0
    assert view.memory.label == "8 MB"


def test_each_type_shows_its_own_figures_and_answer(view):
    view.type.value = "Q2_K"
    assert "Q2_K: 2.8 MB" in text(view._html.value) and "KL 0.3549" in text(view._html.value)
    assert "✓ F16 F16: 500円 です。<b>" in text(view._answers.value)
    assert "✓ Q2_K Q2_K: 500円 です。<b>" in text(view._answers.value)
    assert "<b>" not in view._answers.value  # what a model says is no HTML
    view.type.value = "F16"
    assert "Q2_K" not in text(view._answers.value)


def test_facts_are_marked_and_judged(view):
    view.question.value = 0
    assert "✓ Q4_K_M" in text(view._answers.value)
    assert re.search(r"<mark [^>]*>500円</mark>", view._answers.value)
    view.question.value = 1
    assert "✗ Q4_K_M" in text(view._answers.value)
    assert "A right answer states: 300円" in text(view._answers.value)


@pytest.mark.parametrize("language", ["en", "ja"])
def test_without_widgets_all_types_and_their_answers_are_read(language):
    table = quantized(language=language, asked=ASKED)
    still = pick_quantization(table).fallback()
    for row in table.rows:
        assert row.type in still.text
        assert f"{row.type}: 500円 です。" in text(still.html)
    assert ("測ったモデル" in still.html or "入らない" in still.html) == (language == "ja")
    assert "class=" not in still.html and "<script" not in still.html


def test_the_first_question_is_one_that_f16_knows_and_a_smaller_type_does_not():
    table = quantized(asked=ASKED)
    said = {"F16": ("?", "300円です。"), "Q2_K": ("??", "3円です。")}
    rows = [
        dataclasses.replace(row, answers=said.get(row.type, ("???", "300円です。")))
        for row in table.rows
    ]
    table = dataclasses.replace(table, rows=rows)
    assert pick_quantization(table).first()[2] == 1


def test_a_table_without_questions_or_rows():
    bare = pick_quantization(quantized())
    assert bare.widget and bare.fallback().text
    with pytest.raises(WorkshopError, match="no rows"):
        pick_quantization(dataclasses.replace(quantized(), rows=[]))
    with pytest.raises(WorkshopError, match="Q3_K_S is not in this table"):
        bare.overview("Q3_K_S", 1000)
