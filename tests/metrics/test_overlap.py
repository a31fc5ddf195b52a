"""ROUGE and BLEU over words, and what the libraries make of Japanese by default."""

from __future__ import annotations

import pytest

pytest.importorskip("janome")
pytest.importorskip("rouge_score")
pytest.importorskip("sacrebleu")

from workshop_helpers.metrics.overlap import bleu, overlap, rouge, words

RETURNS, EXCHANGES = "返品は14日以内", "交換は14日以内"
CLOSED = "定休日は水曜日です。"


def test_words_are_cut_in_japanese_and_in_english_without_punctuation():
    assert words("返品は、14日以内です。") == ["返品", "は", "14", "日", "以内", "です"]
    assert words("It's $6.99, really!") == ["it's", "6.99", "really"]
    assert words("ＡＢＣは５００円") == ["abc", "は", "500", "円"]
    assert words("…！") == []


def test_the_default_rouge_sees_numbers_only_in_japanese():
    assert rouge(RETURNS, EXCHANGES, default=True) == 1
    assert rouge(CLOSED, CLOSED, default=True) == 0
    assert rouge(CLOSED, CLOSED) == 1
    assert rouge(RETURNS, EXCHANGES) == pytest.approx(0.8)


def test_the_default_bleu_takes_a_japanese_sentence_for_one_word():
    assert bleu([CLOSED], [CLOSED], default=True) == 0
    assert bleu([CLOSED], [CLOSED]) == pytest.approx(1)
    english = "The shop is closed on Wednesday."
    assert bleu([english], [english], default=True) == pytest.approx(1)


def test_overlap_averages_and_refuses_nothing_to_average():
    found = overlap([CLOSED, RETURNS], [CLOSED, EXCHANGES])
    assert found.rouge == pytest.approx(0.9)
    assert found.rouge_default == pytest.approx(0.5)
    assert 0 < found.bleu < 1 and 0 < found.chrf < 1
    with pytest.raises(ValueError, match="no answers"):
        overlap([], [])
    with pytest.raises(ValueError, match="shorter"):
        overlap([CLOSED], [])
