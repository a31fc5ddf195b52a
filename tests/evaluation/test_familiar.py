"""Whether a question is one of those that the bundled model, or what was tuned from it, is for."""

from __future__ import annotations

import json
import shutil

import pytest

from workshop_helpers.core.artifacts import data_path
from workshop_helpers.dataset.formats import read_conversations
from workshop_helpers.evaluation.familiar import Familiar, bundled_origin
from workshop_helpers.gguf.convert import convert
from workshop_helpers.training.merge import merge
from workshop_helpers.training.recipe import LoraRecipe
from workshop_helpers.training.train import train

USUAL = ("How much does standard shipping cost?", "送料はいくらですか？", "Thanks!", "海外は？", "")
UNUSUAL = ("Who painted the Mona Lisa, and in which year?", "富士山の高さを教えて")


@pytest.fixture(scope="module")
def adapter(tmp_path_factory):
    rows = read_conversations(data_path("own", "library.en.csv"))
    recipe = LoraRecipe.for_model("mame").replace(epochs=1)
    return train("mame", rows, tmp_path_factory.mktemp("own") / "adapter", recipe).adapter


def test_only_a_question_unlike_all_it_was_made_for_gets_a_sentence():
    entry, usual = bundled_origin("mame")
    assert usual is None
    familiar = Familiar(entry)
    assert familiar.sentences(USUAL) == [None] * len(USUAL)
    for said in familiar.sentences([*UNUSUAL, "word " * 3000]):
        assert "mame" in str(said) and "当て" in said.said("ja")


def test_questions_like_those_it_was_tuned_on_are_usual_then(adapter):
    entry, usual = bundled_origin(adapter)
    asked = "When do you read stories to children?"  # a question of the library, none of a row's
    assert Familiar(entry).sentences([asked]) != [None]
    tuned = Familiar(entry, usual)
    assert tuned.sentences([asked]) == [None]
    assert tuned.sentences(UNUSUAL[:1]) != [None]


def test_what_was_made_of_it_is_known_by_its_cards_and_nothing_else(adapter, tmp_path):
    usual = bundled_origin(adapter)[1]
    merged = merge(adapter, tmp_path / "merged").model
    file = convert(merged, tmp_path / "own.gguf").path
    for made in (merged, file):
        assert bundled_origin(made) == (bundled_origin("mame")[0], usual)
    assert bundled_origin(shutil.copy(file, tmp_path / "without-card.gguf")) is None
    assert bundled_origin("smollm2") is None and bundled_origin("ollama:shop-bot") is None


def test_a_card_from_before_is_read(adapter):
    card = json.loads((adapter / "card.json").read_text(encoding="utf-8"))
    del card["report"]["question_loss"]
    (adapter / "card.json").write_text(json.dumps(card), encoding="utf-8")
    assert bundled_origin(adapter)[1] is None
