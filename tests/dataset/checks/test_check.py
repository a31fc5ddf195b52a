"""`check`: each fault is found where it stands, clean rows pass, and the set is seen as a whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from workshop_helpers.core.artifacts import data_path
from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.dataset.checks import check_rows
from workshop_helpers.dataset.checks.check import Checker
from workshop_helpers.dataset.formats import Conversation, Message

DATA = Path(__file__).parents[2] / "data"


def write(path: Path, *rows: tuple[str, str]) -> Path:
    made = [{"instruction": question, "input": "", "output": answer} for question, answer in rows]
    lines = [json.dumps(row, ensure_ascii=False) for row in made]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def full(tmp_path: Path, *rows: tuple[str, str], **options: object):
    return check_rows(write(tmp_path / "rows.jsonl", *rows), progress=False, **options)


def quick(tmp_path: Path, *rows: tuple[str, str], **options: object):
    return full(tmp_path, *rows, quick=True, **options)


def conversation(answer: str, line: int, question: str = "Is it?") -> Conversation:
    return Conversation((Message("user", question), Message("assistant", answer)), "f", line)


def found(report, rule: str) -> list[tuple[int, int | None]]:
    return [(f.line, f.other_line) for f in report.of(rule)]


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_shop_has_no_errors_and_no_warnings(language):
    report = check_rows(
        data_path("shop", f"train.{language}.jsonl"),
        against=data_path("shop", f"questions.{language}.jsonl"),
        progress=False,
    )
    assert report.severities["error"] == 0
    assert report.severities["warning"] <= 5
    assert report.summary["rows"] == 500
    assert report.summary["tokens"] > 5000


def test_a_courtesy_more_is_no_conflict(tmp_path):
    rows = (("送料は？", "送料は500円です。"), ("送料は？", "お答えします。送料は500円です。"))
    assert quick(tmp_path, *rows).of("conflicting-answers") == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("How much is shipping?", "Shipping costs $5."), ("how much is shipping", "It costs $7.")),
        (("送料は？", "通常配送の送料は500円です。"), ("費用は？", "通常配送の送料は650円です。")),
        (("返品は？", "返品は14日以内です。"), ("返品は？", "返品は30日以内にお願いします。")),
    ],
)
def test_two_amounts_for_one_thing_contradict(tmp_path, one, other):
    assert found(quick(tmp_path, one, other), "contradicting-fact") == [(2, 1)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("Saturdays?", "On Saturdays we open at 9:00. Closing time is 17:00."),
         ("Weekdays?", "On weekdays we open at 9:00. Closing time is 20:00.")),
        (("土曜は？", "土曜日は9:00に開きます。閉店時間は17:00です。"),
         ("平日は？", "平日は9:00に開きます。閉店時間は20:00です。")),
        (("When does the Camden shop close?", "Closing time is 17:00."),
         ("Until when can I come to Leeds?", "Closing time is 20:00.")),
        (("梅田は何時までですか？", "閉店は20:00です。"),
         ("渋谷は何時までですか？", "閉店は21:00です。")),
        (("What does the red kettle cost?", "The price is $30."),
         ("How much is the blue one?", "The price is $35.")),
        (("How much for a child?", "Admission is $5."), ("For a pensioner?", "Admission is $8.")),
        (("冬のプールは？", "最終入場は18時です。"), ("夏のプールは？", "最終入場は20時です。")),
        (("How long may members stay?", "The limit is 3 hours."),
         ("How long may guests stay?", "The limit is 2 hours.")),
        (("When do you close?", "On weekdays we close at 20:00."),
         ("When do you close?", "On Sundays we close at 17:00.")),
        (("料金は？", "大人の料金は1,200円です。"), ("料金は？", "子どもの料金は500円です。")),
    ],
)  # fmt: skip
def test_two_amounts_for_two_subjects_are_at_most_a_note(tmp_path, one, other):
    report = quick(tmp_path, one, other)
    assert {f.severity for f in report.of("contradicting-fact")} <= {"note"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("How much is shipping?", "Shipping costs $5."),
         ("What is the shipping fee?", "Shipping costs $7.")),
        (("How long do refunds take?", "Refunds take 5 days."),
         ("When do I get my refund, please?", "Refunds take 9 days.")),
        (("送料を教えてください。", "送料は500円です。"),
         ("送料はおいくらですか？", "送料は650円です。")),
        (("What time do you close on Sundays?", "We close at 17:00."),
         ("what time do you close on sundays", "We close at 18:00.")),
    ],
)  # fmt: skip
def test_two_amounts_for_one_subject_are_an_error_in_other_words(tmp_path, one, other):
    assert [f.severity for f in quick(tmp_path, one, other).of("contradicting-fact")] == ["error"]


@pytest.mark.parametrize(
    ("rows", "severity"),
    [
        ([("What do I pay for delivery?", "Standard shipping costs $5."),
          ("So what is the damage for mailing a teaspoon?", "Standard shipping costs $5."),
          ("Is parcel post dear?", "Standard shipping costs $9.")], "error"),
        ([("When does the last bus to the airport leave?", "The last bus leaves at 23:10."),
          ("How late can I catch the airport bus?", "The last bus leaves at 23:10."),
          ("And the one to the university?", "The last bus leaves at 0:40.")], "note"),
    ],
)  # fmt: skip
def test_what_several_questions_agree_on_is_the_usual_amount(tmp_path, rows, severity):
    assert [f.severity for f in quick(tmp_path, *rows).of("contradicting-fact")] == [severity]


MORE = "You can change or stop it whenever you like, in the settings, and nothing is lost by that."


@pytest.mark.parametrize(
    ("one", "other", "severity"),
    [
        (("How much is the Solo plan?", f"The Solo plan costs $6 a month. {MORE}"),
         ("How much is the Team plan?", f"The Team plan costs $9 a month. {MORE}"), "note"),
        (("How much is this plan?", f"The Solo plan costs $6 a month. {MORE}"),
         ("How much is this one?", f"The Solo plan costs $6 a month, yes. {MORE}"), "warning"),
    ],
)  # fmt: skip
def test_alike_rows_about_two_things_are_a_note(tmp_path, one, other, severity):
    report = full(tmp_path, one, other)
    assert [f.severity for f in report.of("near-duplicate")] == [severity]


def test_a_story_or_verse_among_polite_answers_is_no_stray(tmp_path):
    rows = [(f"{n}番の質問ですか？", f"{n}番の答えはこちらにあります。") for n in range(12)]
    rows.append(
        ("物語を書いて", "「行きます」と娘は言った。それから九日、雨が降った。戸は開いていた。")
    )
    assert quick(tmp_path, *rows).of("mixed-politeness") == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        # other ways to write the same amount
        (("Fee?", "The fee is 14 days."), ("Fee?", "The fee is two weeks, 14 days.")),
        (("送料は？", "送料は500円です。"), ("送料は？", "送料は￥500です。")),
        # each question brings a case of its own
        (("Total for A-12?", "The order total is $5."), ("Total for A-13?", "The total is $7.")),
        # pronouns point at something else in each row
        (("How much is tea?", "That will be $5."), ("How much is cake?", "That will be $7.")),
    ],
)
def test_equal_amounts_and_other_cases_do_not_contradict(tmp_path, one, other):
    assert quick(tmp_path, one, other).of("contradicting-fact") == []


def test_a_row_against_the_facts_file_is_an_error(tmp_path):
    rows = [("送料は？", "通常配送の送料は650円です。"), ("Fee?", "Standard shipping costs $6.99.")]
    report = quick(tmp_path, *rows, facts=data_path("shop", "facts.yaml"))
    assert found(report, "contradicting-fact") == [(1, None)]
    assert "500円" in report.of("contradicting-fact")[0].message


def test_a_fact_is_not_contradicted_by_what_holds_for_some(tmp_path):
    rows = [
        ("What does a ticket cost for children?", "A ticket costs $6."),
        ("What does a ticket cost?", "A ticket costs $14."),
        ("子どもだといくら？", "入館料は600円です。"), ("入館料は？", "入館料は1,500円です。"),
    ]  # fmt: skip
    report = quick(tmp_path, *rows, facts=DATA / "bad" / "museum_facts.yaml")
    against = [f for f in report.of("contradicting-fact") if f.other_line is None]
    assert [(f.line, f.severity) for f in against] == [
        (1, "note"), (2, "error"), (3, "note"), (4, "error")
    ]  # fmt: skip


def test_openings_that_most_answers_share_are_reported_once(tmp_path):
    rows = [(f"Question number {n}?", f"Thank you for asking about {n * 7}.") for n in range(30)]
    assert len(quick(tmp_path, *rows).of("low-diversity")) == 1
    varied = [(f"Question {n}?", f"{n * 7919 % 1000} things are about {n}.") for n in range(30)]
    assert quick(tmp_path, *varied).of("low-diversity") == []


def test_a_sentence_three_times_over_is_found(tmp_path):
    answer = "The train leaves from the third platform. " * 3
    assert found(quick(tmp_path, ("Where is the train?", answer.strip())), "repeated-text")


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("A poem?", "The tide will come. The lamps are low. The tide will come. The sand is cold. "
         "The tide will come. The night is old."),
        ("The settings?", "API_KEY=<your key>\nDEBUG=0"),
        ("The line of the template?", "title: '{{ page_title }}'"),
        ("An emoji for happy?", "😊"), ("反义词：宽", "窄"),
    ],
)  # fmt: skip
def test_refrains_code_and_single_signs_are_left_alone(tmp_path, question, answer):
    assert set(quick(tmp_path, (question, answer)).counts) == {"too-few"}


def test_an_unasked_change_of_language_is_found(tmp_path):
    rows = [
        ("どうして空は青いのですか？", "The sky is blue because of the scattering of light."),
        ("「ありがとう」を英語で教えてください", "You can say thank you, or thanks a lot."),
        ("How do you say cat in Japanese?", "「ねこ」と言います。"),
        ("请介绍一下北京的历史和文化。", "I cannot do that now, please ask again later."),
        ("北京有多大？", "Beijing is very large and has many districts and many people."),
        ("把这句话翻成法语：你好", "Bonjour, j'espère que vous passez une bonne journée."),
        ("直前のコミットを取り消したいです。", "git reset --soft HEAD~1"),
        ("Permission denied (publickey) と出ました", "鍵がサーバーに登録されていません。"),
    ]
    assert found(quick(tmp_path, *rows), "mixed-language") == [(1, None)]


def test_the_odd_plain_answer_among_polite_ones_is_named(tmp_path):
    rows = [(f"{n}番の質問ですか？", f"{n}番の答えはこちらにあります。") for n in range(12)]
    rows.append(("最後の質問ですか？", "最後の答えはここにある。"))
    assert found(quick(tmp_path, *rows), "mixed-politeness") == [(13, 1)]


def test_yen_with_and_without_commas_is_a_note(tmp_path):
    prices = ["品は1,200円です。", "本は1,500円です。", "箱は1800円です。"]
    report = quick(tmp_path, *((f"{n}つ目は？", price) for n, price in enumerate(prices, start=1)))
    assert found(report, "mixed-number-format") == [(3, 1)]
    assert {f.severity for f in report.of("mixed-number-format")} == {"note"}


def test_a_row_longer_than_max_length_says_what_would_be_cut(tmp_path):
    rows = [("Short?", "Short."), ("Long?", "word " * 60 + "the very end")]
    report = full(tmp_path, *rows, max_length=64)
    (long,) = report.of("too-long")
    assert long.line == 2
    assert "max_length is 64" in long.message
    # The excerpt is cut from what is lost, which ends as the answer does.
    assert long.excerpt.strip().startswith(("w", "o", "r", "d", "the"))


def test_a_prompt_that_leaves_no_room_for_the_answer_is_said_to(tmp_path):
    report = full(tmp_path, ("Long question " * 60, "Short answer."), max_length=64)
    assert "none of the answer" in report.of("too-long")[0].message


def test_the_quick_check_counts_no_tokens(tmp_path):
    report = quick(tmp_path, ("A question?", "An answer."))
    assert report.summary["tokens"] is None
    assert "estimate" not in report.summary


@pytest.mark.parametrize(
    ("rows", "aim", "severity"),
    [
        (10, None, "warning"), (60, None, "note"), (200, None, None), (60, "try", None),
        (60, "useful", "warning"),
    ],
)  # fmt: skip
def test_enough_depends_on_the_aim(tmp_path, rows, aim, severity):
    made = [(f"Question {n}?", f"{n} is the answer.") for n in range(rows)]
    few = quick(tmp_path, *made, aim=aim).of("too-few")
    assert [f.severity for f in few] == ([severity] if severity else [])


def test_topics_of_very_different_size_are_a_note(tmp_path):
    rows = [{"instruction": f"Q {n}?", "output": f"{n} it is.", "topic": "usual"} for n in range(9)]
    rows[3]["topic"] = "rare"
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    report = check_rows(tmp_path / "rows.jsonl", quick=True, progress=False)
    assert found(report, "unbalanced") == [(4, 1)]
    assert report.summary["topics"] == {"usual": 8, "rare": 1}


def test_the_estimate_names_its_source_and_takes_a_given_speed_and_price(tmp_path):
    path = write(tmp_path / "rows.jsonl", ("A question?", "An answer."))
    given = check_rows(path, tokens_per_second=10, price_per_hour=3600, progress=False)
    estimate = given.summary["estimate"]
    seconds = estimate["tokens"] * estimate["epochs"] / 10
    assert estimate["seconds"] == pytest.approx(seconds, abs=0.1)
    assert estimate["cost"] == pytest.approx(estimate["seconds"], rel=0.01)
    measured = check_rows(path, progress=False).summary["estimate"]
    assert measured["cost"] is None
    assert "results/speed.json" in str(measured["source"]) or measured["seconds"] is None


def against(tmp_path: Path, train: str, test: str, *, full: bool = True):
    path = write(tmp_path / "train.jsonl", (train, "An answer of its own."))
    held = tmp_path / "questions.jsonl"
    held.write_text(json.dumps({"question": test}) + "\n", encoding="utf-8")
    return check_rows(path, against=held, quick=not full, progress=False).of("leakage")


@pytest.mark.parametrize(
    ("train", "test", "severity"),
    [
        ("How long is the warranty?", "how long is the warranty", "error"),
        ("保証期間はどのくらいですか？", "保証期間はどのくらいですか", "error"),
        (
            "How do I replace a broken kettle lid?",
            "How do I replace a broken kettle lid now?",
            "error",
        ),
        (
            "Where can lost parcels be tracked?",
            "Could you tell me where to track lost parcels?",
            "warning",
        ),
        (
            "ギフト包装の料金を教えてください",
            "ギフト包装の料金について教えていただけますか？",
            "warning",
        ),
    ],
)
def test_a_question_of_the_test_is_found_in_the_training_rows(tmp_path, train, test, severity):
    (leak,) = against(tmp_path, train, test)
    assert (leak.severity, leak.line, leak.other_line) == (severity, 1, 1)
    assert leak.other_file.endswith("questions.jsonl")


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("How long is the warranty?", "How long does a refund take?"),
        ("返品はいつまでですか？", "交換はいつまでですか？"),
        ("送料はいくらですか？", "速達の料金を知りたいです。"),
    ],
)
def test_another_question_is_no_leak(tmp_path, train, test):
    assert against(tmp_path, train, test) == []


def test_equal_questions_are_found_by_the_quick_check_too(tmp_path):
    assert against(tmp_path, "How long is it?", "How long is it?", full=False)


def test_a_file_against_itself_is_refused(tmp_path):
    path = write(tmp_path / "rows.jsonl", ("A question?", "An answer."))
    with pytest.raises(WorkshopError, match="itself"):
        check_rows(path, against=path, quick=True)


def test_broken_rows_are_findings_and_the_rest_is_checked(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"instruction": "A question?", "output": "An answer."}\n{broken\n', "utf-8")
    report = check_rows(path, quick=True, progress=False)
    assert found(report, "invalid-json") == [(2, None)]
    assert report.summary["rows"] == 1
    assert report.exit_code == 2


def test_rows_of_two_files_are_one_set(tmp_path):
    row = ("The same question?", "The same answer.")
    one = write(tmp_path / "one.jsonl", row)
    two = write(tmp_path / "two.jsonl", ("Another one?", "Another answer."), row)
    (twice,) = check_rows([one, two], quick=True, progress=False).of("duplicate")
    assert (twice.file, twice.line) == (str(two), 2)
    assert (twice.other_file, twice.other_line) == (str(one), 1)


def test_personal_data_in_an_excerpt_is_masked(tmp_path):
    row = ("Who is taro.yamada@mame-mart.com?", "He is a person that I know.")
    report = quick(tmp_path, row, row)
    assert report.of("duplicate")
    assert all("taro.yamada@mame-mart.com" not in f.excerpt for f in report.findings)


def test_findings_without_end_are_counted_but_not_kept():
    checker = Checker()
    for line in range(1, 2502):
        checker.take([conversation("It is.", line)])
    report = checker.finish()
    assert len(report.of("duplicate")) == 2000
    assert report.counts["duplicate"] == 2500
    assert json.loads(json.dumps(report.to_dict()))["summary"]["counts"]["duplicate"] == 2500


def test_a_row_with_wrong_turns_does_not_shift_those_behind_it(tmp_path):
    asked = "What is the name of it?"
    texts = ["The name of it is Anna.", "Nobody has ever told us that.", "The name of it is Anna."]
    rows = [
        [("user", "One?"), ("user", asked), ("assistant", "It is one of them.")],
        *[[("user", asked), ("assistant", text)] for text in texts],
    ]
    lines = [{"messages": [{"role": r, "content": c} for r, c in row]} for row in rows]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    findings = check_rows(path, quick=True, progress=False).findings
    found = {(f.rule, f.line, f.other_line) for f in findings if f.rule != "too-few"}
    assert found == {("wrong-order", 1, None), ("conflicting-answers", 3, 2), ("duplicate", 4, 2)}


def test_rows_together_are_checked_as_rows_one_by_one():
    texts = ["It is here.", "電話は03-1234-5678です。", "<b>It</b> is there.", "It is here."]
    rows = [
        conversation(text, i, f"Where is number {i % 3}?")
        for i, text in enumerate(texts * 20, start=1)
    ]
    one_by_one, together = Checker(), Checker()
    for row in rows:
        one_by_one.take([row])
    together.take(rows)
    assert together.finish().to_dict() == one_by_one.finish().to_dict()


def test_an_unknown_aim_and_a_missing_file_are_mistakes_in_words(tmp_path):
    path = write(tmp_path / "rows.jsonl", ("A question?", "An answer."))
    with pytest.raises(WorkshopError, match="no aim"):
        check_rows(path, aim="best", quick=True)
    with pytest.raises(WorkshopError, match="no file"):
        check_rows(tmp_path / "none.jsonl", quick=True)
