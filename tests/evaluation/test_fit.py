"""Whether a base model knows what rows are about, and which base is named instead."""

from __future__ import annotations

import pytest

from workshop_helpers.core.artifacts import data_path
from workshop_helpers.dataset.formats import read_conversations
from workshop_helpers.evaluation.fit import better_base, rows_fit, weigh_base
from workshop_helpers.training.measure import training_seconds
from workshop_helpers.training.recipe import LoraRecipe

OTHER_SHOP = """question,answer
How long does delivery take?,Delivery takes 3 to 5 business days.
What does shipping cost?,"Shipping is $4.50, and free for orders over $60."
Can I return a jacket that does not fit?,You can return it within 20 days of delivery.
How do I get a refund?,Your refund is paid within 7 days after we receive the item.
Can I pay by credit card?,We take credit cards and bank transfer.
Do you gift wrap?,Gift wrapping costs $3 per item.
"""


def own(name: str):
    return read_conversations(data_path("own", name))


@pytest.mark.parametrize("name", ["library.en", "school.en", "clinic.en", "library.ja"])
def test_rows_that_are_no_shops_lie_outside_what_mame_was_made_for(name):
    fit = rows_fit("mame", own(f"{name}.csv"))
    assert not fit.inside and fit.language == name[-2:]
    assert "mame" in fit.sentence().said("ja") and "shops" in str(fit.sentence())


def test_a_shops_rows_lie_inside_also_those_of_another_shop(tmp_path):
    (tmp_path / "other.csv").write_text(OTHER_SHOP, encoding="utf-8")
    for file in (tmp_path / "other.csv", data_path("shop", "train.ja.jsonl")):
        assert weigh_base("mame", read_conversations(file)[:60])[1:] == (None, []), file


def test_a_language_that_a_model_does_not_speak_is_said_without_opening_it():
    fit = rows_fit("smollm2", own("library.ja.csv"))
    assert not fit.speaks and fit.loss is None
    assert "smollm2" in str(fit.sentence()) and "Japanese" in str(fit.sentence())


def test_the_better_base_speaks_the_language_and_comes_with_memory_and_time(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))  # whose terms were accepted counts, too
    for name, speaks in (("school.en", "smollm2"), ("library.ja", "qwen2.5-0.5b")):
        rows = own(f"{name}.csv")
        base = better_base(rows, than=rows_fit("mame", rows), device="cpu")
        assert base is not None and base.name == speaks
        said = str(base.sentence())
        assert f"{base.choice.needs_gb:.1f} GB" in said and ("minute" in said or "second" in said)


def test_the_time_that_is_said_is_about_the_time_that_is_taken(tmp_path, tiny_model):
    from workshop_helpers.training.train import train

    rows, recipe = own("school.en.csv"), LoraRecipe(epochs=2)
    said = training_seconds(str(tiny_model), rows, recipe, "cpu")
    took = train(tiny_model, rows, tmp_path / "a", recipe, device="cpu", progress=False).seconds
    assert said / 8 < took < 8 * said + 2
