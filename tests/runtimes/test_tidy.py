"""What is tidied in a typed question, and what is left as it is."""

from __future__ import annotations

import pytest

from workshop_helpers.runtimes.tidy import tidied


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("HOW MUCH IS SHIPPING??", "How much is shipping?"),
        ("I NEED IT NOW, CAN I PAY BY CARD", "I need it now, can I pay by card"),
        ("送料は１０００円以上で無料？？", "送料は1000円以上で無料？"),
        ("ｷﾞﾌﾄ包装はいくら！！", "ギフト包装はいくら！"),
        ("ＶＩＰ会員の割引は？", "VIP会員の割引は？"),
        ("  when do you close?!  ", "when do you close?"),
    ],
)
def test_width_capitals_and_doubled_marks_are_tidied(typed, read):
    assert tidied(typed) == read
    assert tidied(read) == read


@pytest.mark.parametrize(
    "text",
    [
        "How much is shipping?",
        "NASA?",
        "REFUNDS",
        "Do you take VISA or JCB?",
        "そうりょうはいくらですか？",
        "送料（海外）は？",
        "CD・DVD BOXの返品は？",
        "Is it 1.50 or 2.50?",
        "",
    ],
)
def test_everything_else_stays_as_it_was_typed(text):
    assert tidied(text) == text
