"""Pairs of polite and blunt answers: the rule that makes them from rows."""

from __future__ import annotations

import pytest
from training_rows import talk

from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.dataset.preferences import courtesy, polite_pairs
from workshop_helpers.evaluation.shop import Shop
from workshop_helpers.metrics.language import is_polite


@pytest.mark.parametrize("language", ["en", "ja"])
def test_both_answers_of_a_pair_state_the_same_facts(language):
    shop = Shop(language)
    pairs = polite_pairs(shop.train, language, 200)
    for pair in pairs:
        assert pair.rejected in pair.chosen
        assert courtesy(pair.rejected) == 0 and courtesy(pair.chosen) == 2
        for fact in shop.facts:
            assert fact.stated(pair.chosen, language) == fact.stated(pair.rejected, language)
    assert len({pair.chosen.replace(pair.rejected, "") for pair in pairs}) == 6
    if language == "ja":
        assert all(is_polite(pair.chosen) for pair in pairs)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("Standard shipping costs $6.99.", 0),
        ("Thanks for asking! It costs $6.99. Please let us know if anything is unclear.", 2),
        ("Please keep the receipt.", 0),
        ("送料は500円です。", 0),
        ("ご質問ありがとうございます。送料は500円です。", 1),
        ("マイページから返品をお申し込みください。", 0),
        ("送料は500円です。ご不明な点はお気軽にお尋ねください。", 1),
        ("", 0),
    ],
)
def test_only_sentences_of_nothing_but_courtesy_count(text, count):
    assert courtesy(text) == count


def test_lists_and_mere_greetings_give_no_pair():
    rows = [talk("Hours?", "Here you are:\n- Hours: 9-18"), talk("Hello?", "Happy to help.")]
    with pytest.raises(WorkshopError, match="give 0 pairs, not 1"):
        polite_pairs(rows, "en", 1)
    assert len(polite_pairs([*rows, talk("Hours?", "From 9 to 18.")], "en", 1)) == 1
