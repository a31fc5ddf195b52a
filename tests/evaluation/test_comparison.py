"""A comparison asks real models the same questions and shows who stated what."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from comparisons import ANSWERS, QUESTIONS, answered

from workshop_helpers.core.artifacts import data_path
from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.evaluation.candidates import Candidate, candidate_name
from workshop_helpers.evaluation.comparison import CandidateResult, compare
from workshop_helpers.evaluation.shop import Shop, ShopQuestions, questions_of
from workshop_helpers.metrics.scoring import Question


def test_real_model_is_asked_every_question_and_the_system_prompt_reaches_it(
    tiny_model: Path,
) -> None:
    questions = [Question("How much?", facts=("$6.99",)), Question("Hi", system="Be brief.")]
    told: list[CandidateResult] = []
    system = "- Standard shipping costs $6.99. " * 3
    candidates = [Candidate("base", tiny_model), Candidate("prompted", tiny_model, system=system)]
    comparison = compare(candidates, questions, max_new_tokens=6, progress=told.append)
    assert told == comparison.rows
    base, prompted = comparison.rows
    assert [len(row.answers) for row in comparison.rows] == [2, 2]
    assert all(a.tokens <= 6 for row in comparison.rows for a in row.answers)
    assert prompted.answers[0].prompt_tokens > base.answers[0].prompt_tokens + 10
    assert base.prompt_tokens == sum(a.prompt_tokens for a in base.answers) / 2
    assert base.answers[1].prompt_tokens > base.answers[0].prompt_tokens  # its own system prompt
    assert base.seconds > 0
    assert base.summary.questions == 2


def test_same_model_answers_the_same_twice(tiny_model: Path) -> None:
    candidates = [Candidate("one", tiny_model), Candidate("two", str(tiny_model))]
    one, two = compare(candidates, QUESTIONS, device="cpu", max_new_tokens=5, progress=False).rows
    assert [a.text for a in one.answers] == [a.text for a in two.answers]


def test_a_mapping_names_its_candidates_in_the_language_of_the_questions(tiny_model: Path) -> None:
    shop = Shop("ja")
    models = {"base": tiny_model, "prompt": shop.prompted(tiny_model), "Q8_0": str(tiny_model)}
    found = compare(models, shop.questions[:1], device="cpu", max_new_tokens=2)
    assert found.language == "ja"
    assert found.shop is shop.facts
    assert [row.label for row in found.rows] == list(models)
    names = ["ベースモデル", "ベースモデル＋プロンプトに事実", "Q8_0"]
    assert [row.name for row in found.rows] == names
    assert found.row("prompt").candidate.system == shop.system_prompt


def test_examples_are_earlier_turns_of_every_conversation(tiny_model: Path) -> None:
    shop = Shop("en")
    candidate = shop.few_shot(tiny_model, 2)
    question = shop.questions[0]
    messages = candidate.messages(question)
    assert [m["role"] for m in messages] == ["user", "assistant"] * 2 + ["user"]
    assert messages[-1]["content"] == question.question
    assert messages[1]["content"] in {row.answer for row in shop.train}
    said = messages[1]["content"]
    assert said in (candidate.judged(question).system or "")  # a figure in it is not invented
    with pytest.raises(WorkshopError, match="cannot be chosen"):
        shop.few_shot(tiny_model, 10_000)


def test_each_question_gets_the_facts_that_fit_it(tiny_model: Path) -> None:
    shop = Shop("en")
    one, other = (
        Question("How much is express shipping?", facts=("$14.99",)),
        Question("How much is gift wrapping?"),
    )
    candidate = shop.retrieved(tiny_model, 2)
    first, second = (candidate.messages(question)[0]["content"] for question in (one, other))
    assert "$14.99" in first and "$14.99" not in second
    assert first.count("\n- ") == second.count("\n- ") == 2
    models = {"prompt": shop.prompted(tiny_model), "retrieval": candidate}
    whole, looked_up = compare(models, [one], max_new_tokens=2, progress=False).rows
    assert looked_up.name == "base + facts looked up"
    assert looked_up.answers[0].prompt_tokens < whole.answers[0].prompt_tokens / 3


def test_a_number_of_rows_is_a_tuned_model() -> None:
    labels = ("10", "1", "100+general", "10 rows")
    assert [candidate_name(label, "en") for label in labels] == [
        "tuned on 10 rows", "tuned on 1 row", "tuned on 100 rows + general rows", "10 rows",
    ]  # fmt: skip


def test_the_shop_holds_one_language() -> None:
    shop = Shop("en")
    assert [len(shop.train), len(shop.general), len(shop.questions)] == [500, 120, 90]
    assert len(shop.validation) == 58
    assert shop.questions[3:5].facts is shop.facts
    assert shop.questions[0] in list(shop.questions)
    with pytest.raises(WorkshopError, match="en, ja"):
        Shop("fr")


def test_questions_file_is_read_before_any_model_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text('{"qestion": "x"}', encoding="utf-8")
    with pytest.raises(WorkshopError, match="question"):
        compare([Candidate("x", "no-such-model")], path)


@pytest.mark.parametrize(
    ("models", "questions", "message"),
    [
        ([], QUESTIONS, "at least one candidate"),
        (["x"], [], "at least one question"),
        (["x", "x"], QUESTIONS, 'called "x"'),
    ],
)
def test_unusable_input_is_refused_at_once(models, questions, message) -> None:
    with pytest.raises(WorkshopError, match=message):
        compare([Candidate(model, "no-such-model") for model in models], questions)


def test_side_by_side_takes_the_questions_where_candidates_differ() -> None:
    comparison = answered()
    assert comparison.side_by_side(2).indices == (0, 1)
    assert comparison.side_by_side([-1]).indices == (2,)
    # of equal recalls, the one with a wrong answer among them says more
    questions = [Question("Returns?", facts=("14 days",)), QUESTIONS[0]]
    answers = {"base": ["No idea.", "No idea."], "10": ["No idea.", "It is $9.99."]}
    answers["100"] = ["14 days.", "It is $6.99."]
    assert answered(answers, questions).side_by_side(1).indices == (1,)


def test_questions_are_found_by_what_the_candidates_did() -> None:
    comparison = answered()
    assert comparison.places() == (0, 1, 2)
    assert comparison.places("differ") == (0, 1)
    assert comparison.places("wrong") == (0,)
    assert comparison.of("base", "tuned").places("wrong") == ()
    assert comparison.places("missed") == (0, 1)
    assert comparison.of("tuned").places("missed") == ()
    with pytest.raises(WorkshopError, match="all, differ, missed, wrong"):
        comparison.places("right")


def test_rows_are_chosen_and_put_together() -> None:
    comparison = answered()
    two = comparison.of("tuned", "base")
    assert [row.label for row in two.rows] == ["tuned", "base"]
    whole = two | comparison.of("tuned [10]")
    assert [row.label for row in whole.rows] == ["tuned", "base", "tuned [10]"]
    with pytest.raises(WorkshopError, match='called "base"'):
        two | comparison
    with pytest.raises(WorkshopError, match="different questions"):
        two | answered({"x": ["a"]}, QUESTIONS[:1])
    with pytest.raises(WorkshopError, match="there are"):
        comparison.of("nobody")


def test_learned_names_what_was_gained_and_lost() -> None:
    comparison = answered()
    learned = comparison.learned("tuned")
    assert (learned.before, learned.after) == (0, 1)
    assert learned.gained == tuple(QUESTIONS[:2])
    assert learned.lost == ()
    back = comparison.learned("base", than="tuned [10]")
    assert back.lost == (QUESTIONS[1],)
    assert (back.before, back.after) == (0.5, 0)
    with pytest.raises(WorkshopError, match="there are: base, tuned"):
        comparison.learned("tunde")


def test_answers_are_written_one_object_a_line(tmp_path: Path) -> None:
    path = answered().answers_jsonl(tmp_path / "答え 1.jsonl")
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 9
    record = json.loads(lines[3])
    assert list(record) == [
        "model", "question", "answer", "found", "missing", "contradicted", "invented", "likeness",
        "why", "seconds",
    ]  # fmt: skip
    assert record["model"] == "tuned [10]"
    assert record["missing"] == ["$6.99"]
    assert "返金は？" in lines[1]


def test_dict_goes_through_json_and_holds_every_answer() -> None:
    document = json.loads(json.dumps(answered().to_dict(), ensure_ascii=False))
    assert [c["label"] for c in document["candidates"]] == list(ANSWERS)
    assert document["candidates"][1]["answers"][0]["contradicted"] == ["$9.99"]
    assert document["candidates"][2]["summary"]["recall"] == 1
    assert len(document["questions"]) == 3


def test_facts_beside_a_file_of_questions_are_known_and_named_ones_come_first(tmp_path):
    shop = Shop("en")
    file = tmp_path / "questions.jsonl"
    file.write_bytes(shop.file("questions").read_bytes())
    assert not isinstance(questions_of(file), ShopQuestions)
    named = questions_of(file, data_path("shop", "facts.yaml"))
    assert named.facts.facts == shop.facts.facts
    (tmp_path / "facts.yaml").write_bytes(data_path("shop", "facts.yaml").read_bytes())
    beside = questions_of(file)
    assert isinstance(beside, ShopQuestions) and beside == shop.questions
    assert beside.facts.facts == shop.facts.facts


def test_every_wrong_answer_is_named_with_the_reason_the_wrong_ones_before_the_silent_ones():
    found = answered()
    assert [(one.model, one.why) for one in found.faults("en")] == [
        ("tuned [10]", "says $9.99 where $6.99 is right"),
        ("base", "does not say $6.99"), ("base", "does not say 5〜7営業日"),
    ]  # fmt: skip
    assert found.faults("ja")[0].why == "正しくは$6.99ですが、$9.99と答えています"
    assert [record["why"] for record in found.records()][-3:] == ["", "", ""]
    assert found.unscored() == 1
