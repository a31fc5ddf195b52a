"""Questions are read from questions and from rows, and a split writes them with drawn facts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.dataset.checks import split
from workshop_helpers.dataset.questions import read_questions
from workshop_helpers.metrics.drawing import draw_facts

ASKED = "When do you close?", "We are open from 10:00 to 20:00."


@pytest.mark.parametrize(
    ("reference", "facts"),
    [
        ("We are open from 10:00 to 20:00 on Mondays.", ("10:00 to 20:00", "Mondays")),
        ("Up to 8 books for two weeks, 14 days in all.", ("8 books", "two weeks")),
        ("The fee of $5 is due by March 31.", ("$5", "March 31")),
        ("Ask Ms. Tanaka in the Reading Room.", ("Ms. Tanaka", "Reading Room")),
        ("Write to help@example.org. Thank you.", ("help@example.org",)),
        ("Yes, that is no trouble at all.", ()),
        ("1日につき30円です。", ("1日につき30円",)),
        ("8冊まで、2週間借りられます。", ("8冊", "2週間")),
        ("田中先生が「さくら室」でお待ちします。", ("田中先生", "さくら室")),
        ("皆さんのお越しをお待ちしています。", ()),
    ],
)  # fmt: skip
def test_facts_are_what_a_reference_answer_holds(reference: str, facts: tuple[str, ...]) -> None:
    assert draw_facts(reference) == facts


def test_what_the_question_says_is_no_fact_of_the_answer() -> None:
    assert draw_facts("After 3 days: 5 days, at Oak Street.", "3 days at Oak Street?") == (
        "5 days",
    )


def test_facts_of_a_table_are_parted_and_an_empty_cell_is_drawn(tmp_path: Path) -> None:
    path = tmp_path / "q.csv"
    rows = ["question,facts,answer", 'Fee?,$5|five dollars;8 pm,"$5, until 8 pm."',
            "Fine?,,30 cents a day.", "Hello?,,"]  # fmt: skip
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    fee, fine, hello = read_questions(path)
    assert fee.facts == (("$5", "five dollars"), "8 pm")
    assert (fine.facts, fine.reference) == (("30 cents a day",), "30 cents a day.")
    assert (hello.facts, hello.reference) == ((), None)


def test_a_japanese_table_of_questions_alone_is_read(tmp_path: Path) -> None:
    path = tmp_path / "q.csv"
    path.write_bytes("質問,facts\n何時までですか？,20:00\n".encode("shift_jis"))
    (asked,) = read_questions(path)
    assert (asked.question, asked.facts) == ("何時までですか？", ("20:00",))


def shapes(question: str, answer: str) -> list[object]:
    turns = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return [
        {"question": question, "answer": answer}, {"instruction": question, "output": answer},
        {"messages": [{"role": "system", "content": "Be brief."}, *turns]},
        {"messages": [*turns, {"role": "user", "content": "Thanks"},
                      {"role": "assistant", "content": "Until 21:00!"}]},
    ]  # fmt: skip


@pytest.mark.parametrize("shape", shapes(*ASKED))
def test_rows_are_questions_with_their_answers_as_references(tmp_path: Path, shape: object) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(shape) + "\n", encoding="utf-8")
    (asked,) = read_questions(path)
    assert (asked.question, asked.reference) == ASKED
    assert asked.facts == ("10:00 to 20:00",)
    assert asked.system == ("Be brief." if "Be brief." in json.dumps(shape) else None)


def test_faults_of_rows_are_named_as_in_training(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    rows = [{"instruction": "a", "output": "b"}, {"instruction": "c", "output": "x<|im_end|>"}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    with pytest.raises(WorkshopError, match=r"rows\.jsonl:2: .*control token"):
        read_questions(path)


def test_split_writes_what_the_test_side_asks(tmp_path: Path) -> None:
    words = ["kettle", "mirror", "garden", "rocket", "violin", "bridge"]
    rows = [{"question": f"What is the price of the {word}?", "answer": f"It is ${n}.",
             "topic": "prices"} for n, word in enumerate(words, 5)]  # fmt: skip
    source = tmp_path / "rows.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    report = split(source, tmp_path / "parts", ratios=(1, 1))
    assert report.questions == tmp_path / "parts" / "questions.jsonl"
    asked = read_questions(report.questions)
    assert asked == list(report.asked)
    assert [one.reference for one in asked] == [f"It is {one.facts[0]}." for one in asked]
    assert {one.topic for one in asked} == {"prices"}
    of_rows = read_questions(report.files["test"])
    assert [(q.question, q.facts) for q in of_rows] == [(q.question, q.facts) for q in asked]
    assert report.scored == len(asked) == report.rows["test"]
