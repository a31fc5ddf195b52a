"""Figures are read in both languages however they are written; only equal ones are equal."""

from __future__ import annotations

import time

import pytest

from workshop_helpers.metrics.folding import fold, normalise
from workshop_helpers.metrics.quantities import Quantity, quantities
from workshop_helpers.metrics.surfaces import locate, states


def read(text: str) -> list[tuple[str, tuple[float, ...], str]]:
    return [(f.kind, f.value, f.unit) for f in quantities(text)]


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("１，２００円", "1200円"), ("￥1,200", "1200円"), ("¥ 1,200", "1200円"),
        ("1,200 円", "1200円"), ("12,345,678", "12345678"), ("1,2,3", "1,2,3"),
        ("3 – 5 Business  Days", "3-5 business days"), ("3～5 営業日", "3~5営業日"),
        ("3〜5営業日", "3~5営業日"), ("ﾎﾟｲﾝﾄ 2 倍", "ポイント2倍"), ("10 %", "10%"), ("$ 5", "$5"),
        ("  a\n b ", "a b"), ("送料 無料", "送料無料"),
    ],
)  # fmt: skip
def test_normalise_brings_ways_of_writing_together(text: str, plain: str) -> None:
    assert normalise(text) == plain
    assert normalise(plain) == plain


def test_fold_knows_the_way_back() -> None:
    text = "送料は￥１,２００、ﾎﾟｲﾝﾄ２倍…ok"
    folded = fold(text)
    place = folded.text.index("ポイント")
    start, end = folded.origin(place, place + 4)
    assert text[start:end] == "ﾎﾟｲﾝﾄ"
    assert len(folded.text) == len(folded.spans)


MONEY = [
    ("$6.99", 6.99, "USD"), ("$ 6.99", 6.99, "USD"), ("US$6.99", 6.99, "USD"),
    ("6.99 dollars", 6.99, "USD"), ("USD 6.99", 6.99, "USD"), ("$1,234.50", 1234.5, "USD"),
    ("99 cents", 0.99, "USD"), ("five dollars", 5, "USD"), ("€20", 20, "EUR"),
    ("500円", 500, "JPY"), ("￥500", 500, "JPY"), ("¥500", 500, "JPY"), ("￥５００", 500, "JPY"),
    ("５００円", 500, "JPY"), ("500 yen", 500, "JPY"), ("JPY 500", 500, "JPY"),
    ("5,000円", 5000, "JPY"), ("５，０００円", 5000, "JPY"), ("5千円", 5000, "JPY"),
    ("1万円", 10000, "JPY"), ("1.5万円", 15000, "JPY"), ("1万5千円", 15000, "JPY"),
    ("五百円", 500, "JPY"), ("0円", 0, "JPY"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "amount", "unit"), MONEY)
def test_money(text: str, amount: float, unit: str) -> None:
    for frame in ("{}", "It is {}.", "送料は{}です。", "({})", "**{}**", "a\n{}\nb"):
        assert read(frame.format(text)) == [("money", (amount,), unit)], frame


DURATIONS = [
    ("14 days", (14,), "day"), ("14days", (14,), "day"), ("14-day", (14,), "day"),
    ("14 calendar days", (14,), "day"), ("14 (fourteen) days", (14,), "day"),
    ("14日", (14,), "day"), ("１４日間", (14,), "day"), ("5 business days", (5,), "business_day"),
    ("5 working days", (5,), "business_day"), ("5営業日", (5,), "business_day"),
    ("3-5 business days", (3, 5), "business_day"), ("3–5 business days", (3, 5), "business_day"),
    ("3 to 5 business days", (3, 5), "business_day"),
    ("between 3 and 5 business days", (3, 5), "business_day"),
    ("3 business days to 5 business days", (3, 5), "business_day"),
    ("three to five business days", (3, 5), "business_day"), ("3〜5営業日", (3, 5), "business_day"),
    ("３～５営業日", (3, 5), "business_day"), ("3-5営業日", (3, 5), "business_day"),
    ("3ー5営業日", (3, 5), "business_day"), ("3から5営業日", (3, 5), "business_day"),
    ("3営業日から5営業日", (3, 5), "business_day"), ("3営業日〜5営業日", (3, 5), "business_day"),
    ("2、3日", (2, 3), "day"), ("2 weeks", (2,), "week"), ("two weeks", (2,), "week"),
    ("2週間", (2,), "week"), ("一週間", (1,), "week"), ("12 months", (12,), "month"),
    ("12-month", (12,), "month"), ("12か月", (12,), "month"), ("12ヶ月", (12,), "month"),
    ("12ヵ月", (12,), "month"), ("12カ月間", (12,), "month"), ("1 year", (1,), "year"),
    ("1年", (1,), "year"), ("1年間", (1,), "year"), ("24 hours", (24,), "hour"),
    ("24hrs", (24,), "hour"), ("24時間", (24,), "hour"), ("1時間半", (1.5,), "hour"),
    ("1時間30分", (90,), "minute"), ("1 hour and 30 minutes", (90,), "minute"),
    ("30 minutes", (30,), "minute"), ("30分", (30,), "minute"), ("thirty-five days", (35,), "day"),
    ("十四日", (14,), "day"), ("二十四時間", (24,), "hour"), ("三営業日", (3,), "business_day"),
    ("半年", (0.5,), "year"), ("half an hour", (0.5,), "hour"), ("a day or two", (1, 2), "day"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "value", "unit"), DURATIONS)
def test_duration(text: str, value: tuple[float, ...], unit: str) -> None:
    for frame in ("{}", "It takes {} now.", "お届けは{}です", "（{}）"):
        assert read(frame.format(text)) == [("duration", value, unit)], frame


CLOCKS = [
    ("9:00-18:00", (540, 1080)), ("9:00 – 18:00", (540, 1080)), ("9:00〜18:00", (540, 1080)),
    ("９：００～１８：００", (540, 1080)), ("9:00 to 18:00", (540, 1080)),
    ("9:00 until 18:00", (540, 1080)), ("9 am to 6 pm", (540, 1080)), ("9am-6pm", (540, 1080)),
    ("9:00 a.m. to 6:00 p.m.", (540, 1080)), ("9 to 6 pm", (540, 1080)), ("1-5 pm", (780, 1020)),
    ("9時から18時", (540, 1080)), ("9時〜18時", (540, 1080)), ("9〜18時", (540, 1080)),
    ("9時半から18時", (570, 1080)), ("9:00から18:00", (540, 1080)),
    ("午前9時〜午後6時", (540, 1080)), ("朝9時から夜6時", (540, 1080)), ("9:30", (570,)),
    ("18時", (1080,)), ("9時30分", (570,)), ("午後三時", (900,)), ("6 pm", (1080,)),
    ("12 am", (0,)), ("noon", (720,)), ("正午", (720,)),
]  # fmt: skip


@pytest.mark.parametrize(("text", "value"), CLOCKS)
def test_clock_time(text: str, value: tuple[float, ...]) -> None:
    for frame in ("{}", "We open {}, really", "営業時間：{}。", "平日は{}まで"):
        assert read(frame.format(text)) == [("clock", value, "")], frame


@pytest.mark.parametrize(
    ("text", "figure"),
    [
        ("10%", ("percent", (10,), "")), ("10 %", ("percent", (10,), "")),
        ("１０％", ("percent", (10,), "")), ("10 percent", ("percent", (10,), "")),
        ("10パーセント", ("percent", (10,), "")), ("5〜10%", ("percent", (5, 10), "")),
        ("1割", ("percent", (10,), "割")), ("2 points", ("points", (2,), "")),
        ("2ポイント", ("points", (2,), "")), ("２ﾎﾟｲﾝﾄ", ("points", (2,), "")),
        ("1,000 points", ("points", (1000,), "")), ("Sunday", ("weekday", (6,), "")),
        ("Sundays", ("weekday", (6,), "")), ("日曜日", ("weekday", (6,), "")),
        ("日曜", ("weekday", (6,), "")), ("Monday to Friday", ("weekday", (0, 4), "")),
        ("Mon-Fri", ("weekday", (0, 4), "")), ("月曜日から金曜日", ("weekday", (0, 4), "")),
        ("12月3日", ("date", (1203,), "")), ("42", ("number", (42,), "")),
        ("0120-123-456", ("number", (120, 123, 456), "telephone")),
    ],
)  # fmt: skip
def test_other_kinds(text: str, figure: tuple[str, tuple[float, ...], str]) -> None:
    for frame in ("{}", "see {} now", "こちらは{}です"):
        assert read(frame.format(text)) == [figure], frame


def test_several_figures_stay_apart() -> None:
    assert read(
        "通常500円、5,000円以上無料。返品14日以内、返金5〜7営業日。100円につき2ポイント"
    ) == [
        ("money", (500,), "JPY"), ("money", (5000,), "JPY"), ("duration", (14,), "day"),
        ("duration", (5, 7), "business_day"), ("money", (100,), "JPY"), ("points", (2,), ""),
    ]  # fmt: skip
    assert read("Free over $50, 2 points per $1, 10% off; 7 days, 30 days.") == [
        ("money", (50,), "USD"), ("points", (2,), ""), ("money", (1,), "USD"),
        ("percent", (10,), ""), ("duration", (7,), "day"), ("duration", (30,), "day"),
    ]  # fmt: skip
    assert read("プラン1：30日") == [("number", (1,), ""), ("duration", (30,), "day")]
    assert [v for _, v, _ in read("10,14日")] == [(10,), (14,)]
    assert read("24時間365日、年中無休")[0] == ("duration", (24,), "hour")


@pytest.mark.parametrize(
    "text",
    [
        "one more thing", "one of our team will help", "One moment, please. Just a second!",
        "this one is for you two", "one point to keep in mind", "take a minute to check your inbox",
        "have a nice day; any day; once a year; a week", "first of all, second, thirdly",
        "a few days, several weeks, many months",
        "it may take some time. Thank you for your patience.",
        "Step 1: open the page. Step 2: pay.", "1. Open the page\n2) Pay\n(3) Done",
        "- [x] A4 paper, mp3, H264", "https://example.com/14-days?x=500 and shop24@example.com",
        "version 1.2.3", "一度ご確認ください。もう一度お試しください。",
        "ひとつずつ、一つ一つ、1つの方法", "一部の商品、一般的に、統一、一緒に、一覧",
        "十分にご注意ください。十分ご確認のうえ", "一時的に停止、一時停止",
        "一日も早いお届け、一年中", "数日、数営業日、何日、何円",
        "今日、本日、当日、翌日、翌営業日、毎日、平日", "①開く\n②支払う ⑶終わり",
        "手順1、ステップ２、その1、第1に", "お一人様、二重、三角、四日市、三日月",
        "日本、日常、月額、年会費、土地、金額、水道、火事、木材", "割合、分割、時間、分かる、円滑",
        "",
    ],
)  # fmt: skip
def test_idioms_list_numbers_and_names_are_no_figures(text: str) -> None:
    assert quantities(text) == []


def test_number_words_count_as_figures_and_are_told_from_digits() -> None:
    (word,), (digit,) = quantities("within two days"), quantities("within 2 days")
    assert word.spelled and not digit.spelled
    assert word != digit and word.amount == digit.amount
    assert [f.value for f in quantities("一週間か十日")] == [(1,), (10,)]
    assert [f.value for f in quantities("in a week, for a year")] == [(1,), (1,)]


def test_language_passes_over_the_other_ones_number_words() -> None:
    text = "two weeks / 二週間 / 14 days"
    assert [f.surface for f in quantities(text, "en")] == ["two weeks", "14 days"]
    assert [f.surface for f in quantities(text, "ja")] == ["二週間", "14 days"]
    assert len(quantities(text)) == 3


@pytest.mark.parametrize(
    "text", ["送料は ￥１,２００ で、３〜５営業日。", "It’s $6.99 … or ½ price, 14 days"]
)
def test_surface_stands_where_the_figure_says(text: str) -> None:
    for figure in quantities(text):
        assert text[figure.start : figure.end] == figure.surface


def test_amount_converts_but_equality_does_not() -> None:
    def one(text: str) -> Quantity:
        (figure,) = quantities(text)
        return figure

    for a, b in [("14 days", "2 weeks"), ("12か月", "1年"), ("60分", "1時間"), ("1割", "10%")]:
        assert one(a) != one(b)
        assert one(a).amount == one(b).amount
    assert one("5 days").amount != one("5 business days").amount
    assert one("$5").amount != one("5円").amount


@pytest.mark.parametrize(
    "text", ["1 ", "1,", "@", "a@", "9:00", "- ", "3-", "十", "twenty-", "1 to "]
)
def test_runaway_answer_is_read_in_no_time(text: str) -> None:
    start = time.process_time()
    quantities(text * 400)
    quantities("1" + " " * 4000 + text)
    assert time.process_time() - start < 2


@pytest.mark.parametrize(
    ("answer", "surface"),
    [
        ("You have 14 days.", "14 days"), ("a 14-day window", "14 days"),
        ("商品到着後１４日以内", "14日"), ("14日間以内に", "14日"), ("It is $6.99!", "$6.99"),
        ("送料は￥500です", "500円"), ("送料は500 円です", "￥500"),
        ("五千円ではなく5,000円以上", "5000円"), ("3 to 5 business days", "3-5 business days"),
        ("3から5営業日", "3〜5営業日"), ("3-5 working days", "3–5 business days"),
        ("9時から18時まで", "9:00〜18:00"), ("from 9 am to 6 pm", "9:00 to 18:00"),
        ("We open at 9:00 and close at 18:00.", "9:00 to 18:00"), ("closed on Sundays", "Sunday"),
        ("毎週日曜定休", "日曜日"), ("保証は12ヶ月", "12か月"), ("10％オフ", "10%"),
        ("100円ごとに2 ポイント", "2ポイント"), ("It's FREE of charge", "free"),
        ("送料　無料です", "送料無料"), ("two weeks", "two weeks"), ("the answer is 12", "12"),
        ("It takes 42 days", "42"), ("with tracking\nnumber", "tracking number"),
        ("two refunds", "refund"), ("please return within 14 days of delivery", "within 14 days"),
        ("Yes (14 days)", "(14 days)"), ("two weeks", "14 days"), ("12か月", "1年"),
    ],
)  # fmt: skip
def test_states(answer: str, surface: str) -> None:
    assert states(answer, surface)
    places = locate(answer, surface)
    assert all(0 <= start < end <= len(answer) for start, end in places)


@pytest.mark.parametrize(
    ("answer", "surface"),
    [
        ("You have 114 days.", "14 days"), ("114日", "14日"), ("14.5 days", "14 days"),
        ("4 days", "14 days"), ("$50", "$5"), ("$5.99", "$5"), ("$15", "$5"), ("$5", "$5.99"),
        ("1,500円", "500円"), ("5000円", "500円"), ("500ドル 500 dollars", "500円"),
        ("500", "500円"), ("5日", "5営業日"), ("5営業日", "5日"), ("3-5 days", "3-5 business days"),
        ("5 business days", "3-5 business days"), ("3-5 business days", "5 business days"),
        ("3-6 business days", "3-5 business days"), ("13-5 business days", "3-5 business days"),
        ("12月", "12か月"),
        ("9:00 to 17:00", "9:00 to 18:00"), ("We open at 9:00.", "9:00 to 18:00"),
        ("19:00-18:00", "9:00-18:00"), ("9時間から18時間", "9時から18時"), ("Saturday", "Sunday"),
        ("Monday to Saturday", "Monday"), ("本日", "日曜日"), ("100%", "10%"), ("10 points", "10%"),
        ("22ポイント", "2ポイント"), ("freedom, carefree", "free"),
        ("step 12", "2"), ("after 14 days", "within 14 days"), ("", "14 days"), ("14 days", ""),
        ("14 days", "。"),
    ],
)  # fmt: skip
def test_does_not_state(answer: str, surface: str) -> None:
    assert not states(answer, surface)


def test_every_figure_states_itself_in_any_frame() -> None:
    texts = [t for t, *_ in MONEY] + [t for t, *_ in DURATIONS] + [t for t, *_ in CLOCKS]
    for text in texts:
        for frame in ("{}", "It is {}.", "それは{}です。", "（{}）", "x\n- {}\n- y"):
            assert states(frame.format(text), text), (frame, text)
