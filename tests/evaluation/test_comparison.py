"""A comparison asks real models the same questions and shows who stated what."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.console import Console

from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.evaluation.comparison import Candidate, Comparison, Row, compare, percent
from workshop_helpers.metrics.scoring import Question, score_answer, summarise
from workshop_helpers.models.chat import Answer

QUESTIONS = [
    Question("How much is shipping?", facts=("$6.99",)),
    Question("返金は？", facts=("5〜7営業日",)),
    Question("Hello <b>there</b> & you?"),
]
ANSWERS = {
    "base": ["It depends.", "場合によります。", "Hello!"],
    "tuned [10]": ["It is $9.99.", "５～７営業日です。", "Hi!"],
    "tuned": ["It is $6.99 <now>.", "5-7営業日です。", "Hi!"],
}


def answer(text: str) -> Answer:
    return Answer(text, tokens=3, prompt_tokens=5, seconds=0.25, stopped=True)


def make(answers: dict[str, list[str]] = ANSWERS) -> Comparison:
    rows = []
    for label, texts in answers.items():
        scores = [score_answer(t, q) for t, q in zip(texts, QUESTIONS, strict=True)]
        candidate = Candidate(label, "mame")
        rows.append(Row(candidate, [answer(t) for t in texts], scores, summarise(scores), 1.5))
    return Comparison(QUESTIONS, rows)


def printed(comparison: Comparison, language: str = "en", width: int = 100) -> str:
    console = Console(width=width, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(comparison.table(language))
    return console.export_text()


# -- with a real model -------------------------------------------------------------------------


def test_real_model_is_asked_every_question_and_the_system_prompt_reaches_it(
    tiny_model: Path,
) -> None:
    questions = [Question("How much?", facts=("$6.99",)), Question("Hi", system="Be brief.")]
    comparison = compare(
        [
            Candidate("base", tiny_model),
            Candidate("prompted", tiny_model, system="- Standard shipping costs $6.99. " * 3),
        ],
        questions,
        device="cpu",
        max_new_tokens=6,
        progress=False,
    )
    base, prompted = comparison.rows
    assert [len(row.answers) for row in comparison.rows] == [2, 2]
    assert all(a.tokens <= 6 for row in comparison.rows for a in row.answers)
    assert prompted.answers[0].prompt_tokens > base.answers[0].prompt_tokens + 10
    assert base.answers[1].prompt_tokens > base.answers[0].prompt_tokens  # its own system prompt
    assert base.seconds > 0
    assert base.summary.questions == 2


def test_same_model_answers_the_same_twice(tiny_model: Path) -> None:
    candidates = [Candidate("one", tiny_model), Candidate("two", str(tiny_model))]
    one, two = compare(candidates, QUESTIONS, device="cpu", max_new_tokens=5, progress=False).rows
    assert [a.text for a in one.answers] == [a.text for a in two.answers]


def test_questions_file_is_read_before_any_model_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text('{"qestion": "x"}', encoding="utf-8")
    with pytest.raises(WorkshopError, match="question"):
        compare([Candidate("x", "no-such-model")], path)


def test_unusable_input_is_refused_at_once() -> None:
    with pytest.raises(WorkshopError, match="at least one candidate"):
        compare([], QUESTIONS)
    with pytest.raises(WorkshopError, match="at least one question"):
        compare([Candidate("x", "mame")], [])
    with pytest.raises(WorkshopError, match='called "x"'):
        compare([Candidate("x", "mame"), Candidate("x", "other")], QUESTIONS)


# -- showing -----------------------------------------------------------------------------------


def test_table_has_a_line_per_candidate_and_fits_a_terminal() -> None:
    text = printed(make(), width=80)
    lines = [line for line in text.splitlines() if "%" in line]
    assert len(lines) == 3
    assert "tuned [10]" in lines[1]  # square brackets are not rich's markup
    assert "…" not in text
    assert "再現率" in printed(make(), "ja", width=80)


def test_politeness_has_no_column_where_nobody_spoke_japanese() -> None:
    assert "polite" in printed(make())
    english = {"base": ["It depends.", "It depends.", "Hello!"]}
    assert "polite" not in printed(make(english))


def test_html_table_escapes_and_names_every_candidate() -> None:
    comparison = make({"<base>": ANSWERS["base"], "tuned": ANSWERS["tuned"]})
    html = comparison.to_html()
    assert "&lt;base&gt;" in html
    assert "<base>" not in html
    assert html.count("<tr>") == 3


def test_side_by_side_marks_facts_and_wrong_figures_and_escapes() -> None:
    html = make().side_by_side([0, 2])._repr_html_()
    assert '<mark class="found"' in html
    assert '<mark class="wrong"' in html
    assert "&lt;now&gt;" in html
    assert "Hello &lt;b&gt;there&lt;/b&gt; &amp; you?" in html
    assert "返金" not in html


def test_side_by_side_takes_the_questions_where_candidates_differ() -> None:
    comparison = make()
    assert comparison.side_by_side(2).indices == (0, 1)
    assert comparison.side_by_side([-1]).indices == (2,)
    text = str(comparison.side_by_side(1))
    assert "How much is shipping?" in text
    assert "tuned: It is $6.99 <now>." in text


def test_learned_names_what_was_gained_and_lost() -> None:
    comparison = make()
    learned = comparison.learned("tuned")
    assert (learned.before, learned.after) == (0, 1)
    assert learned.gained == tuple(QUESTIONS[:2])
    assert learned.lost == ()
    back = comparison.learned("base", than="tuned [10]")
    assert back.lost == (QUESTIONS[1],)
    assert "50 % → 0 %" in str(back)
    with pytest.raises(WorkshopError, match="there are: base, tuned"):
        comparison.learned("tunde")


def test_answers_are_written_one_object_a_line(tmp_path: Path) -> None:
    path = make().answers_jsonl(tmp_path / "答え 1.jsonl")
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 9
    record = json.loads(lines[3])
    assert list(record) == ["model", "question", "answer", "found", "missing", "seconds"]
    assert record["model"] == "tuned [10]"
    assert record["missing"] == ["$6.99"]
    assert "返金は？" in lines[1]


def test_dict_goes_through_json_and_holds_every_answer() -> None:
    document = json.loads(json.dumps(make().to_dict(), ensure_ascii=False))
    assert [c["label"] for c in document["candidates"]] == list(ANSWERS)
    assert document["candidates"][1]["answers"][0]["contradicted"] == ["$9.99"]
    assert document["candidates"][2]["summary"]["recall"] == 1
    assert len(document["questions"]) == 3


@pytest.mark.parametrize(
    ("share", "text"),
    [(None, "–"), (0, "0 %"), (1, "100 %"), (0.934, "93 %"), (0.997, "99.7 %"), (0.004, "0.4 %")],
)
def test_percent_calls_only_all_a_hundred_and_only_none_zero(
    share: float | None, text: str
) -> None:
    assert percent(share) == text
    assert percent(0.99999) == "> 99.9 %"
    assert percent(0.00001) == "< 0.1 %"
