"""How much answers differ, also where no blank parts the words."""

from __future__ import annotations

from workshop_helpers.metrics.variety import variety


def test_japanese_that_begins_alike_is_found_though_it_has_no_blanks() -> None:
    texts = [f"お問い合わせありがとうございます。{n}番です。" for n in range(10)]
    found = variety(texts)
    assert (found.distinct, found.openings, found.commonest_share) == (1.0, 0.1, 1.0)
    assert found.commonest == "お問い合わせあり"


def test_equal_answers_count_once_and_english_openings_are_longer() -> None:
    found = variety(["Thank you for asking!", "Thank you for asking! ", "Thank you for waiting."])
    assert (found.distinct, found.openings) == (2 / 3, 2 / 3)
    assert variety([]).distinct == 0
