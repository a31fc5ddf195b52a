"""A score says what an answer states, leaves out, contradicts and invents, in both languages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.dataset.questions import read_questions
from workshop_helpers.metrics.facts import Fact, ShopFacts
from workshop_helpers.metrics.language import detect_language, is_polite
from workshop_helpers.metrics.scoring import Question, Score, mark, score_answer, summarise


def fact(id: str, en: str, ja: str) -> Fact:
    texts, values = {"en": en, "ja": ja}, {"en": ((en,),), "ja": ((ja,),)}
    return Fact(id=id, topic=id, statement=texts, values=values, name={"en": id, "ja": id})


SHOP = ShopFacts(
    facts=(
        fact("shipping_fee", "$6.99", "500円"), fact("free_shipping", "$50", "5,000円"),
        fact("express_fee", "$14.99", "800円"), fact("return_window", "14 days", "14日"),
        fact("refund_time", "5-7 business days", "5〜7営業日"),
        fact("opening_hours", "9:00 to 18:00", "9:00〜18:00"),
        fact("closed_day", "Sunday", "日曜日"),
    ),
    shop_name={"en": "Shop", "ja": "店"},
)  # fmt: skip
SHIPPING = Question("How much is shipping?", facts=("$6.99",))
REFUND = Question("返金までどのくらいかかりますか？", facts=("5〜7営業日",))


def test_stated_fact_is_found_and_nothing_is_wrong() -> None:
    score = score_answer("Standard shipping costs $6.99.", SHIPPING, SHOP)
    assert score.found == ("$6.99",)
    assert (score.missing, score.contradicted, score.unsupported) == ((), (), ())
    assert score.recall == 1


@pytest.mark.parametrize(
    "answer", ["返金は５～７営業日です。", "5-7 営業日で返金します。", "5営業日から7営業日ほど"]
)
def test_fact_is_found_however_it_is_written(answer: str) -> None:
    assert score_answer(answer, REFUND).recall == 1


def test_any_of_the_listed_surfaces_counts_and_the_first_names_the_fact() -> None:
    question = Question("How long can I return it?", facts=(("14 days", "two weeks"), "$6.99"))
    score = score_answer("Within two weeks.", question)
    assert score.found == ("14 days",)
    assert score.missing == ("$6.99",)
    assert score.recall == 0.5
    assert score_answer("Within 2 weeks.", question).found == ("14 days",)
    assert score_answer("Within 3 weeks.", question).found == ()


def test_question_without_facts_has_no_recall() -> None:
    assert score_answer("Hello!", Question("Hi!")).recall is None


@pytest.mark.parametrize(
    ("answer", "contradicted", "unsupported"),
    [
        pytest.param("Shipping is $9.99.", ("$9.99",), ("$9.99",), id="another amount"),
        pytest.param("Shipping is $14.99.", ("$14.99",), (), id="the amount of another fact"),
        pytest.param("It depends. One of our team will help.", (), (), id="vague"),
        pytest.param("You get it in 3 days.", (), ("3 days",), id="a figure of another kind"),
    ],
)
def test_only_another_amount_in_place_of_the_fact_is_a_contradiction(
    answer: str, contradicted: tuple[str, ...], unsupported: tuple[str, ...]
) -> None:
    score = score_answer(answer, SHIPPING, SHOP)
    assert score.missing == ("$6.99",)
    assert (score.contradicted, score.unsupported) == (contradicted, unsupported)


def test_one_end_of_the_range_is_no_contradiction_but_another_unit_is() -> None:
    assert score_answer("最大7営業日です。", REFUND).contradicted == ()
    assert score_answer("7日です。", REFUND).contradicted == ("7日",)
    assert score_answer("5〜8営業日です。", REFUND).contradicted == ("5〜8営業日",)


def test_second_fact_of_the_same_kind_does_not_contradict_the_first() -> None:
    question = Question("Shipping?", facts=("$6.99", "$50"))
    score = score_answer("It is $9.99, and free over $50.", question)
    assert (score.found, score.missing, score.contradicted) == (("$50",), ("$6.99",), ("$9.99",))


def test_the_customers_own_figures_are_neither_contradiction_nor_invention() -> None:
    question = Question("I paid $30 and waited 3 days. What is the fee?", facts=("$5",))
    score = score_answer("Your $30 order of 3 days ago: please see the policy.", question, SHOP)
    assert (score.contradicted, score.unsupported) == ((), ())


def test_other_weekday_contradicts_but_the_days_that_are_open_do_not() -> None:
    question = Question("When are you closed?", facts=("Sunday",))
    assert score_answer("We are closed on Mondays.", question, SHOP).contradicted == ("Mondays",)
    assert score_answer("Open Monday to Saturday.", question, SHOP).contradicted == ()


def test_figures_of_the_shop_are_known_and_without_the_shop_they_are_not() -> None:
    answer = "Shipping is $6.99, free over $50."
    assert score_answer(answer, SHIPPING, SHOP).unsupported == ()
    assert score_answer(answer, SHIPPING).unsupported == ("$50",)


def test_figures_of_the_system_prompt_are_known() -> None:
    question = Question("Gift wrap?", system="- Gift wrapping: $3.50", facts=("$3.50",))
    assert score_answer("It is $3.50.", question, SHOP).unsupported == ()
    assert score_answer("It is $3.75.", question, SHOP).unsupported == ("$3.75",)


@pytest.mark.parametrize(
    ("answer", "invented"),
    [
        ("It takes two days.", ("two days",)), ("一週間ほどかかります。", ("一週間",)),
        ("三営業日で届きます。", ("三営業日",)), ("Call 0120-123-456.", ("0120-123-456",)),
        ("We open at 10:00.", ("10:00",)), ("10％引きです。", ("10％",)),
        ("Returns in 14 business days, $6.98.", ("14 business days", "$6.98")),
        ("One more thing: just a moment, step 1 is easy.", ()),
        ("一度ご確認ください。ひとつずつ、十分にご注意を。", ()),
        ("1. Open the page\n2. Choose Returns", ()), ("We open at 9:00 and close at 18:00.", ()),
        ("14 days; it was 14.", ()), ("We are closed on Sundays.", ()), ("二週間以内", ()),
    ],
)  # fmt: skip
def test_invented_figures(answer: str, invented: tuple[str, ...]) -> None:
    assert score_answer(answer, Question("?"), SHOP).unsupported == invented


def test_each_wrong_figure_is_named_once() -> None:
    assert score_answer("$1, $1 and $1.00", Question("?"), SHOP).unsupported == ("$1", "$1.00")


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("How much is shipping?", "en"), ("送料はいくらですか", "ja"),
        ("LoRAとはLow-Rank Adaptationの略です。", "ja"),
        ("OllamaのModelfileでFROMを指定します", "ja"),
        ("The word 豆 means bean in Japanese.", "en"), ("500円", "ja"), ("ｶﾀｶﾅ", "ja"),
        ("$6.99", "?"), ("", "?"), ("14 / 30 %", "?"),
        ("`SELECT name FROM users` を実行します", "ja"),
        ("https://example.com/very/long/path", "?"), ("我们的标准运费是五百日元请您查看", "?"),
        ("商品到着後十四日以内", "?"), ("返品：14日以内", "ja"), ("営業時間外", "ja"), ("窄", "?"),
        ("北京有多大？", "?"), ("例如user@example.com就可以。", "?"), ("门票80元。", "?"),
        ("Bonjour, j'espère que vous allez bien.", "other"), ("Ich habe keine Ahnung.", "other"),
        ("¿Qué hora es?", "other"), ("Kann ich das umtauschen?", "other"), ("Спасибо!", "other"),
        ("안녕하세요", "other"), ("Where is Düsseldorf?", "en"), ("verbose mode?", "en"),
        ("Add salt, stir, serve.", "en"), ("Access denied.", "en"), ("a\ud800b cd", "en"),
        ("IndexError: list index out of range と出ます", "ja"), ("How do you read 食べる?", "en"),
    ],
)  # fmt: skip
def test_detect_language(text: str, language: str) -> None:
    assert detect_language(text) == language


def test_right_language_is_the_one_asked_for_or_the_questions() -> None:
    assert score_answer("It costs $6.99.", SHIPPING).right_language
    assert not score_answer("送料は500円です。", SHIPPING).right_language
    assert score_answer("$6.99", SHIPPING).right_language
    assert not score_answer("", SHIPPING).right_language
    assert not score_answer("我们的标准运费是五百日元请您查看", REFUND).right_language
    in_japanese = Question("How much is shipping?", language="ja")
    assert score_answer("送料は500円です。", in_japanese).right_language
    assert not score_answer("It costs $6.99.", in_japanese).right_language


POLITE = (
    "送料は500円です。", "14日以内に返品できます", "ご確認ください。", "承知いたしました！",
    "はい、可能でございます。", "以下の通りです：\n- 通常：500円\n- 速達：800円",
    "送料は500円。5,000円以上で無料になります。", "少々お待ちくださいませ♪", "そうですね。",
    "「14日以内」です。", "返品できますか？", "お手伝いしましょうか？", "送料は500円ですよ😊",
)  # fmt: skip
PLAIN = (
    "送料は500円だ。", "14日以内に返品できる。", "無理。知らない。", "そうだよ。",
    "はい、できるよ！",
)  # fmt: skip
LISTS = "500円", "・交換：17日以内", "代引き手数料：200円", ""


@pytest.mark.parametrize(
    ("text", "polite"),
    [
        (t, polite)
        for texts, polite in ((POLITE, True), (PLAIN, False), (LISTS, None))
        for t in texts
    ],
)
def test_polite_and_plain_japanese_are_told_apart_and_lists_are_neither(
    text: str, polite: bool | None
) -> None:
    assert is_polite(text) is polite


def test_politeness_is_asked_of_japanese_only() -> None:
    assert score_answer("It costs $6.99.", SHIPPING).polite is None
    assert score_answer("5〜7営業日です。", REFUND).polite is True
    assert score_answer("5〜7営業日だ。", REFUND).polite is False


@pytest.mark.parametrize(
    "answer",
    [
        "Shipping is $6.99, not $9.99.", "送料は￥９９９、返金は５～７営業日。", "", "no figures",
        "$9.99$6.99",
    ],
)  # fmt: skip
def test_pieces_join_to_the_answer(answer: str) -> None:
    assert "".join(piece.text for piece in mark(answer, SHIPPING, SHOP)) == answer


def test_marks_tell_found_from_wrong_and_leave_known_figures_alone() -> None:
    pieces = mark("It is $6.99, free over $50, or $9.99 abroad.", SHIPPING, SHOP)
    assert [(p.text, p.mark) for p in pieces if p.mark] == [("$6.99", "found"), ("$9.99", "wrong")]


def test_marks_stand_on_the_original_characters() -> None:
    pieces = mark("ﾍﾝｷﾝは ５～７営業日 です（￥１，０００）", REFUND)
    marked = [(p.text, p.mark) for p in pieces if p.mark]
    assert marked == [("５～７営業日", "found"), ("￥１，０００", "wrong")]


def make(found: int, missing: int, **changes: object) -> Score:
    given = {"contradicted": (), "unsupported": (), "right_language": True, "polite": None}
    values = {"language": "en", "characters": 10, **given, **changes}
    return Score(found=("x",) * found, missing=("x",) * missing, **values)  # type: ignore[arg-type]


def test_summary_averages_over_the_questions_that_expect_facts() -> None:
    summary = summarise([make(2, 0), make(1, 1), make(0, 1), make(0, 0, characters=50)])
    assert (summary.recall, summary.full) == pytest.approx((0.5, 1 / 3))
    assert (summary.questions, summary.length, summary.polite) == (4, 20, None)


def test_summary_counts_answers_not_figures() -> None:
    wrong = make(
        0, 1, contradicted=("a", "b"), unsupported=("a",), right_language=False, polite=True
    )
    summary = summarise([wrong, make(1, 0, polite=False), make(1, 0), make(1, 0)])
    assert (summary.contradicted, summary.unsupported, summary.language) == (0.25, 0.25, 0.75)
    assert summary.polite == 0.5


def test_summary_without_facts_has_no_recall_and_without_answers_none() -> None:
    assert summarise([make(0, 0)]).recall is None
    assert summarise([make(0, 0)]).full is None
    with pytest.raises(ValueError, match="no scores"):
        summarise([])


def test_scores_and_summaries_go_through_json() -> None:
    score = score_answer("Shipping is $9.99.", SHIPPING, SHOP)
    assert json.loads(json.dumps(score.to_dict()))["contradicted"] == ["$9.99"]
    assert json.loads(json.dumps(summarise([score]).to_dict()))["recall"] == 0


def write(path: Path, *rows: object) -> Path:
    lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_questions_are_read_with_their_facts(tmp_path: Path) -> None:
    facts = ["500円", ["14日", "2週間"]]
    asked = {"question": "送料は？", "facts": facts, "language": "ja", "note": "x"}
    path = write(tmp_path / "q.jsonl", asked, {"question": "Hi", "system": "Be brief.", "id": "hi"})
    first, second = read_questions(path)
    assert first.facts == ("500円", ("14日", "2週間"))
    assert first.expected() == (("500円",), ("14日", "2週間"))
    assert first.messages() == [{"role": "user", "content": "送料は？"}]
    assert second.messages()[0] == {"role": "system", "content": "Be brief."}
    assert (second.facts, second.language, second.id) == ((), None, "hi")


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("{broken", "not valid JSON"),
        ({"qestion": "x"}, 'rename it to "question"'),
        ({"question": " "}, '"question" is empty'),
        ({"question": "x", "fact": ["y"]}, 'did you mean "facts"'),
        ({"question": "x", "facts": "y"}, '"facts" must be a list'),
        ({"question": "x", "facts": [""]}, "filled texts only"),
        ({"question": "x", "facts": [5]}, "filled texts only"),
        ({"question": "x", "system": 5}, '"system" is a number; it must be a string'),
        ({"question": "ok"}, "the same question as line 1"),
        ({"question": "x<|im_end|>"}, "control token"),
    ],
)
def test_faults_of_a_questions_file_are_named(tmp_path: Path, row: object, says: str) -> None:
    path = write(tmp_path / "q.jsonl", {"question": "ok"}, row)
    with pytest.raises(WorkshopError) as caught:
        read_questions(path)
    assert f"{path}:2:" in str(caught.value)
    assert says in str(caught.value)


def test_empty_questions_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WorkshopError, match="empty"):
        read_questions(write(tmp_path / "q.jsonl", ""))
