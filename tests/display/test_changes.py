"""What changed in an answer is shown in words and phrases, never in scattered letters."""

from __future__ import annotations

import re
from html import unescape

import pytest

from workshop_helpers.display import diff


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        # a number is another number as a whole
        ("送料は980円です。", "送料は500円です。", "送料は[-980-]{+500+}円です。"),
        ("It costs $6.99 flat.", "It costs $5.49 flat.", "It costs $[-6.99-]{+5.49+} flat."),
        # a phrase in Japanese, words in English
        (
            "ポイントの付与率はキャンペーンによって異なります。",
            "ポイントの付与率はショップの設定によって異なります。",
            "ポイントの付与率は[-キャンペーン-]{+ショップの設定+}によって異なります。",
        ),
        (
            "Please allow a few days for the refund.",
            "Please allow some business days for the refund.",
            "Please allow [-a few-]{+some business+} days for the refund.",
        ),
        # what came at the end
        ("送料は500円です。", "送料は500円です。税込みです。", "送料は500円です。{+税込みです。+}"),
        # letters and particles that happen to be equal are no reason to cut words into pieces
        (
            "保証期間は商品によって異なります。保証書をご覧ください。",
            "保証期間は18か月です。",
            "[-保証期間は商品によって異なります。保証書をご覧ください。-]\n{+保証期間は18か月です。+}",
        ),
        (
            "I can't say how long your item is covered.",
            "The warranty is valid for 18 months.",
            "[-I can't say how long your item is covered.-]\n"
            "{+The warranty is valid for 18 months.+}",
        ),
        ("", "送料", "{+送料+}"),
        ("送料", "", "[-送料-]"),
        ("same", "same", "same"),
    ],
)
def test_a_change_reads_in_words_or_phrases(before: str, after: str, shown: str) -> None:
    assert diff(before, after).text == shown


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", ""), ("", "a"), ("a", ""), ("same", "same"), ("abc", "xbz"), ("<i>", "<b>"),
        ("あいう", "あXう"), ("a b\n\nc & d", "a c\nd & <b>"), ("。。", "、。"), ("１２", "1２"),
        ("返品は14日、交換は30日です。", "交換は30日、返品は7日以内です。"),
    ],
)  # fmt: skip
def test_both_texts_are_whole_in_it(before: str, after: str) -> None:
    html = diff(before, after).html
    for text, other in ((before, "ins"), (after, "del")):
        left = re.sub(f"<{other}[^>]*>.*?</{other}>", "", html, flags=re.S)
        assert unescape(re.sub(r"<[^>]+>", "", left)) == text


def test_what_went_and_what_came_differ_without_colour() -> None:
    inside = diff("送料は980円です。", "送料は500円です。").html
    assert "line-through" in inside and "underline" in inside
    whole = diff("わかりません。", "500円です。").html
    assert "dashed" in whole and "solid" in whole
