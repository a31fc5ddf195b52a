"""How candidates answer is counted apart from what they state."""

from __future__ import annotations

import pytest
from comparisons import answered

from workshop_helpers.evaluation.manner import manner
from workshop_helpers.metrics.scoring import Question

QUESTIONS = [Question("送料は？", facts=("500円",)), Question("返品は？", facts=("14日",))]
ANSWERS = {
    "base": ["配送方法によります。", "お店に聞いて。"],
    "10": ["送料は980円です。", "お店に聞いて。"],
    "100": ["以下の通りです。\n・送料：500円", "14日以内に承ります。"],
}


def test_manner_and_substance_are_counted_apart() -> None:
    found = manner(answered(ANSWERS, QUESTIONS))
    base, few, many = found.rows
    assert (base.unchanged, few.unchanged, many.unchanged) == (1, 0.5, 0)
    assert (base.figures, few.figures, many.figures) == (0, 0.5, 1)
    assert (base.right, few.right, many.right) == (None, 0, 1)
    assert (few.lists, many.lists) == (0, 0.5)
    assert few.characters == pytest.approx((10 + 7) / 2)
    assert found.language == "ja"
    assert found.row("100") is many
    assert found.to_dict()["rows"][2]["figures"] == 1


def test_politeness_is_none_without_japanese() -> None:
    english = manner(answered({"base": ["Yes."]}, [Question("Really?")]))
    assert english.rows[0].polite is None
