"""A row is learned as it was meant, or refused by name; no field of it is lost unsaid."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.dataset.checks import check_rows, clean, split
from workshop_helpers.dataset.formats import (
    Conversation,
    Fault,
    convert,
    open_rows,
    read_conversations,
)
from workshop_helpers.display.preview import preview

Row = dict[str, Any]
GOOD, BAD = "Yes, until Friday.", "Go away."
ASKED = "Do you keep parcels?"
USER = {"role": "user", "content": ASKED}
SAID = {"role": "assistant", "content": GOOD}
RUDE = {"role": "assistant", "content": BAD}


def written(path: Path, *rows: Row) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path


def kept(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def read(path: Path, row: Row, **how: Any) -> Conversation | Fault | None:
    with open_rows(written(path / "rows.jsonl", row), **how) as rows:
        return next(iter(rows), None)


def turns(path: Path, row: Row, **how: Any) -> list[tuple[str, str]]:
    found = read(path, row, **how)
    assert isinstance(found, Conversation), str(found)
    return [(message.role, message.content) for message in found.messages]


def fault(path: Path, row: Row, **how: Any) -> Fault:
    found = read(path, row, **how)
    assert isinstance(found, Fault), str(found)
    return found


PAIRS: list[Row] = [
    {"prompt": ASKED, "chosen": GOOD, "rejected": BAD},
    {"question": ASKED, "chosen": GOOD, "rejected": BAD, "system": "Be kind."},
    {"instruction": ASKED, "input": "", "chosen": GOOD, "rejected": BAD},
    {"instruction": ASKED, "input": "", "output": BAD, "chosen": GOOD, "rejected": BAD},
    {"instruction": ASKED, "output": GOOD, "rejected": BAD},
    {"prompt": ASKED, "chosen_response": GOOD, "rejected_response": BAD, "margin": 2.5},
    {"prompt": ASKED, "preferred": GOOD, "dispreferred": BAD},
    {"prompt": ASKED, "chosen": [USER, SAID], "rejected": [USER, RUDE], "score_chosen": 9},
    {"chosen": [USER, SAID], "rejected": [USER, RUDE]},
    {"prompt": [USER], "chosen": [SAID], "rejected": [RUDE]},
    {"messages": [USER], "chosen": SAID, "rejected": RUDE},
    {"messages": [USER, SAID], "rejected_response": BAD},
    {"messages": [USER, SAID], "rejected_messages": [USER, RUDE]},
    {"chosen_messages": [USER, SAID], "rejected_messages": [USER, RUDE]},
    {"query": ASKED, "response": GOOD, "rejected_response": BAD},
    {"chosen": {"messages": [USER, SAID]}, "rejected": {"messages": [USER, RUDE]}},
    {"input": {"messages": [USER]}, "preferred_output": [SAID], "non_preferred_output": [RUDE]},
    {"conversations": [{"from": "human", "value": ASKED}],
     "chosen": {"from": "gpt", "value": GOOD}, "rejected": {"from": "gpt", "value": BAD}},
]  # fmt: skip


@pytest.mark.parametrize("row", PAIRS, ids=lambda row: " ".join(row))
def test_a_pair_of_answers_is_named_and_its_good_one_can_be_taken(tmp_path: Path, row: Row) -> None:
    named = fault(tmp_path, row)
    assert named.rule == "preference" and "--take chosen" in str(named.fix)
    taken = read(tmp_path, row, take="chosen")
    assert isinstance(taken, Conversation), str(taken)
    assert (taken.question, taken.answer) == (ASKED, GOOD)
    assert taken.row is not None and BAD not in json.dumps(taken.row)


@pytest.mark.parametrize(
    "mark",
    [
        {"label": False}, {"label": 0}, {"label": "False"}, {"label": "rejected"},
        {"kto_tag": False}, {"label": -1.0}, {"is_desirable": False}, {"desirable": "no"},
        {"rejected": True}, {"is_chosen": 0}, {"thumbs_up": False}, {"reward": -0.5},
        {"thumbs_down": True}, {"feedback": "thumbs_down"}, {"isPreferred": False},
        {"is_correct": False},
    ],
    ids=str,
)  # fmt: skip
def test_a_rejected_answer_is_never_learned_unsaid(tmp_path: Path, mark: Row) -> None:
    bad = {"prompt": ASKED, "completion": BAD, **mark}
    assert fault(tmp_path, bad).rule == "preference"
    assert fault(tmp_path, {"messages": [USER, RUDE | mark]}).rule == "preference"
    assert read(tmp_path, bad, take="chosen") is None
    (name,) = mark
    for good in (True, 1, "good one", 0.5, None):
        if name not in ("rejected", "thumbs_down"):
            assert turns(tmp_path, {**bad, name: good})[-1][1] == BAD


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": ASKED, "response_a": GOOD, "response_b": BAD, "winner": "a"},
        {"question": ASKED, "answer": GOOD, "output_1": GOOD, "output_2": BAD},
        {"conversation_a": [USER, SAID], "conversation_b": [USER, RUDE], "winner": "model_a"},
    ],
    ids=lambda row: " ".join(row),
)
def test_several_answers_of_which_none_is_marked_are_refused(tmp_path: Path, row: Row) -> None:
    for take in (None, "chosen"):
        assert "several answers" in str(fault(tmp_path, row, take=take))
    assert "2 answers" in str(fault(tmp_path, {"instruction": ASKED, "output": [GOOD, BAD]}))


def test_an_answer_may_be_yes_or_no(tmp_path: Path) -> None:
    for good, bad in (("No", "Yes"), ("false", "true"), ("Bad", "Good")):
        row = {"prompt": "Open?", "chosen": good, "rejected": bad}
        assert fault(tmp_path, row).rule == "preference"
        assert turns(tmp_path, row, take="chosen")[-1] == ("assistant", good)
        other = {"question": "Open?", "response": bad, "chosen": good, "rejected": bad}
        assert turns(tmp_path, other, take="chosen")[-1] == ("assistant", good)
    table = tmp_path / "rows.csv"
    table.write_text("question,answer,rejected\nOpen?,Yes.,FALSE\nCats?,Go.,TRUE\n", "utf-8")
    assert [row.answer for row in read_conversations(table, take="chosen")] == ["Yes."]
    with open_rows(table) as rows:
        assert [isinstance(row, Fault) for row in rows] == [False, True]


def test_the_good_answers_are_taken_by_every_verb_and_skipped_ones_are_counted(
    tmp_path: Path,
) -> None:
    rows = [{"prompt": f"{ASKED} {n}", "completion": GOOD, "label": n != 1} for n in range(4)]
    file = written(
        tmp_path / "kto.jsonl", *rows, {"prompt": "And?", "chosen": "Ok.", "rejected": BAD}
    )
    with pytest.raises(WorkshopError, match="rejected answer"):
        read_conversations(file)
    with pytest.raises(WorkshopError, match="rejected answer"):
        split(file, tmp_path / "no")
    assert len(read_conversations(file, take="chosen")) == 4
    report = check_rows(file, quick=True, progress=False, take="chosen")
    assert report.summary["rows"] == 4 and not report.of("preference")
    assert check_rows(file, quick=True, progress=False).counts["preference"] == 2
    assert len(preview(file, rows=9, take="chosen")) == 4
    assert len(preview(file, rows=9).faults) == 2
    cleaned = clean(file, tmp_path / "clean.jsonl", take="chosen")
    assert (cleaned.kept, cleaned.rejected) == (4, 1)
    assert kept(cleaned.out)[-1] == {"prompt": "And?", "completion": "Ok."}
    assert kept(cleaned.out)[:3] == [row for row in rows if row["label"]]
    turned = convert(file, tmp_path / "turns.jsonl", to="messages", take="chosen")
    assert (turned.rows, turned.rejected) == (4, 1) and BAD not in turned.out.read_text("utf-8")
    skipped = convert(file, tmp_path / "skipped.jsonl", skip_faults=True)
    assert (skipped.rows, skipped.skipped) == (3, 2)
    sides = split(file, tmp_path / "sides", ratios=(1, 1), take="chosen")
    assert sum(sides.rows.values()) == 4
    with pytest.raises(WorkshopError, match='can only be "chosen"'):
        open_rows(file, take="rejected")


@pytest.mark.parametrize("mark", ["weight", "loss_weight", "train", "trainable", "loss", "learn"])
@pytest.mark.parametrize("no", [0, False, 0.0, "false"])
def test_an_answer_that_is_not_to_be_learned_is_refused(tmp_path: Path, mark: str, no: Any) -> None:
    assert fault(tmp_path, {"messages": [USER, {**SAID, mark: no}]}).rule == "not-learned"
    assert fault(tmp_path, {"question": ASKED, "answer": GOOD, mark: no}).rule == "not-learned"
    shown = {"conversations": [{"from": "human", "value": ASKED, mark: 0},
                               {"from": "gpt", "value": BAD, mark: no},
                               {"from": "human", "value": ASKED},
                               {"from": "gpt", "value": GOOD, mark: 1}]}  # fmt: skip
    assert turns(tmp_path, shown)[-1] == ("assistant", GOOD)


def test_a_part_of_an_answer_cannot_be_learned_and_an_earlier_turn_has_no_loss(
    tmp_path: Path,
) -> None:
    for mark in ({"weight": 0.5}, {"loss_weight": "2"}, {"loss_scale": 0.3}):
        part = fault(tmp_path, {"messages": [USER, SAID | mark]})
        assert part.rule == "not-learned" and "wholly or not at all" in str(part)
    spans = [{"begin_offset": 0, "end_offset": 3, "train": False}]
    assert fault(tmp_path, {"messages": [USER, SAID | {"train_detail": spans}]})
    for meant in (
        {"weight": "2.5 kg"},
        {"train": "Tokaido line"},
        {"loss": 0.34},
        {"mask": "User"},
    ):
        assert turns(tmp_path, {"question": ASKED, "answer": GOOD, **meant})
    row = {"messages": [USER, RUDE | {"weight": 0}, USER | {"content": "Really?"}, SAID]}
    (shown,) = preview(written(tmp_path / "weights.jsonl", row))
    learned = "".join(token.text for token in shown.tokens if token.loss)
    assert GOOD in learned and BAD in shown.text and BAD not in learned


EXTRA = {"id": 7, "tags": ["a", 98765432109876543210], "made": None}
MARKED = {"messages": [
    {**USER, "name": "Ann"},
    {**RUDE, "weight": 0},
    {"role": "user", "content": "And now?"},
    {**SAID, "weight": 1, "reasoning_content": "It is Tuesday.", "seen": 98765432109876543210},
], **EXTRA}  # fmt: skip


def test_keys_that_are_not_known_survive_every_verb(tmp_path: Path) -> None:
    other = {"messages": [{"role": "user", "content": "Where?"}, {**SAID, "thinking": "Here."}]}
    file = written(tmp_path / "rows.jsonl", MARKED, other)
    assert kept(clean(file, tmp_path / "clean.jsonl").out) == [MARKED, other]
    split(file, tmp_path / "sides", ratios=(1, 1))
    sides = [row for side in ("train", "test") for row in kept(tmp_path / f"sides/{side}.jsonl")]
    assert MARKED in sides and other in sides
    (first, second) = kept(convert(file, tmp_path / "out.jsonl").out)
    assert first == MARKED and second == other
    there = convert(file, tmp_path / "share.json", to="sharegpt").out
    assert kept(convert(there, tmp_path / "back.jsonl", to="messages").out) == [MARKED, other]
    packed = clean(file, tmp_path / "rows.parquet").out
    (again, _) = kept(clean(packed, tmp_path / "unpacked.jsonl").out)
    assert [m | {"seen": 0} for m in again["messages"]] == [
        m | {"seen": 0} for m in MARKED["messages"]
    ]
    for name, to in (("a.jsonl", "alpaca"), ("a.csv", None), ("a.txt", None)):
        with pytest.raises(WorkshopError, match='"weight"|"thinking"|other field'):
            convert(file, tmp_path / name, to=to, skip_faults=True)


def test_what_was_thought_is_kept_and_said_to_be_no_part_of_the_answer(tmp_path: Path) -> None:
    thought = SAID | {"reasoning_content": "It is Tuesday."}
    aside = {"question": "Why?", "Complex_CoT": "Rain, so …", "answer": "Because of the rain."}
    file = written(tmp_path / "rows.jsonl", {"messages": [USER, thought]}, aside)
    found = check_rows(file, quick=True, progress=False).of("unread-field")
    assert [(f.line, f.severity) for f in found] == [(1, "warning"), (2, "warning")]
    assert ["reasoning_content" in f.message for f in found] == [True, False]
    first, second = preview(file)
    assert "reasoning_content" in str(first.remarks()) and "Complex_CoT" in str(second.remarks())
    assert "Tuesday" not in first.text
    parts = [{"text": "Let me see.", "thought": True}, {"text": GOOD}]
    gemini = {"contents": [{"role": "user", "parts": [{"text": ASKED}]},
                           {"role": "model", "parts": parts}]}  # fmt: skip
    assert turns(tmp_path, gemini)[-1] == ("assistant", GOOD)
    out = convert(written(tmp_path / "g.jsonl", gemini), tmp_path / "g2.jsonl", to="gemini").out
    assert kept(out) == [gemini]


PAIR = [("user", ASKED), ("assistant", GOOD)]
READ: list[tuple[Row, list[tuple[str, str]]]] = [
    ({"system": "S", "messages": [USER, SAID]}, [("system", "S"), *PAIR]),
    ({"system": "S", "messages": [{"role": "system", "content": "S"}, USER, SAID]},
     [("system", "S"), *PAIR]),
    ({"system_prompt": "S", "conversations": [{"from": "human", "value": ASKED},
                                              {"from": "gpt", "value": GOOD}]},
     [("system", "S"), *PAIR]),
    ({"system_prompt": "S", "prompt": [USER], "completion": [SAID]}, [("system", "S"), *PAIR]),
    ({"system_prompt": "S", "prompt": ASKED, "completion": GOOD}, [("system", "S"), *PAIR]),
    ({"system_prompt": "S", "question": ASKED, "response": GOOD}, [("system", "S"), *PAIR]),
    ({"systemPrompt": "S", "instruction": ASKED, "output": GOOD}, [("system", "S"), *PAIR]),
    ({"system": "S", "query": "Q2", "response": "A2", "history": [[ASKED, GOOD]]},
     [("system", "S"), *PAIR, ("user", "Q2"), ("assistant", "A2")]),
    ({"query": "Q2", "response": "A2", "history": [USER, SAID]},
     [*PAIR, ("user", "Q2"), ("assistant", "A2")]),
    ({"query": "Q2", "response": "A2", "history": json.dumps([[ASKED, GOOD]])},
     [*PAIR, ("user", "Q2"), ("assistant", "A2")]),
    ({"prompt": "Q2", "completion": "A2", "chat_history": [{"question": ASKED, "answer": GOOD}]},
     [*PAIR, ("user", "Q2"), ("assistant", "A2")]),
    ({"instruction": "When?", "context": "In 1887.", "response": "1887.", "category": "qa"},
     [("user", "When?\n\nIn 1887."), ("assistant", "1887.")]),
    ({"instruction": "When?", "context": "In 1887.", "output": "1887."},
     [("user", "When?\n\nIn 1887."), ("assistant", "1887.")]),
    ({"prompt": "When?", "context": "In 1887.", "completion": "1887."},
     [("user", "When?\n\nIn 1887."), ("assistant", "1887.")]),
    ({"instruction": "", "input": ASKED, "output": GOOD}, PAIR),
    ({"instruction": None, "input": ASKED, "output": GOOD}, PAIR),
    ({"input": ASKED, "output": GOOD}, PAIR),
    ({"input": ASKED, "output": GOOD, "tags": []}, PAIR),
    ({"instruction": ASKED, "input": float("nan"), "output": GOOD, "system": float("nan")}, PAIR),
    ({"question": ASKED, "context": None, "answer": GOOD, "history": []}, PAIR),
    ({"messages": [{"role": "system", "content": ""}, USER, SAID]}, PAIR),
    ({"messages": [USER, SAID], "system": "", "tools": []}, PAIR),
    ({"messages": [{"role": "user", "content": [{"type": "text", "value": ASKED}]}, SAID]}, PAIR),
    ({"messages": [USER, SAID | {"content": [{"type": "output_text", "text": GOOD}]}]}, PAIR),
    ({"prompt": ASKED, "prompt_id": "p1", "messages": [USER, SAID]}, PAIR),
    ({"prompt": f"### Instruction:\n{ASKED}", "instruction": ASKED, "output": GOOD}, PAIR),
    ({"question": ASKED, "answer": GOOD, "image": "kettle.jpg", "score": 4.5}, PAIR),
]  # fmt: skip


@pytest.mark.parametrize(("row", "meant"), READ, ids=lambda value: " ".join(map(str, value))[:60])
def test_every_field_of_a_prompt_is_in_the_prompt(
    tmp_path: Path, row: Row, meant: list[tuple[str, str]]
) -> None:
    assert turns(tmp_path, row) == meant
    file = written(tmp_path / "rows.jsonl", row)
    (again,) = read_conversations(convert(file, tmp_path / "out.jsonl", to="messages").out)
    assert [(message.role, message.content) for message in again.messages] == meant


def test_named_columns_lose_nothing_either(tmp_path: Path) -> None:
    named = {"question": "instruction", "answer": "response"}
    dolly = {"instruction": "When?", "context": "In 1887.", "response": "1887.", "system": "S"}
    whole = [("system", "S"), ("user", "When?\n\nIn 1887."), ("assistant", "1887.")]
    assert turns(tmp_path, dolly, columns=named) == whole
    alpaca = {"instruction": "Translate.", "input": "ferry", "output": "bac"}
    columns = {"question": "instruction", "answer": "output"}
    assert turns(tmp_path, alpaca, columns=columns)[0] == ("user", "Translate.\n\nferry")
    assert fault(tmp_path, {**alpaca, "rejected": BAD}, columns=columns).rule == "preference"
    chosen = {"question": "prompt", "answer": "chosen"}
    assert turns(tmp_path, PAIRS[0], columns=chosen) == PAIR


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"question": ASKED, "answer": GOOD, "context": ["It is white."]}, '"context" is a list'),
        ({"question": ASKED, "answer": GOOD, "context": 3}, '"context" is a number'),
        ({"question": ASKED, "answer": GOOD, "context": 0}, '"context" is a number'),
        ({"question": ASKED, "answer": GOOD, "system": ["a"]}, '"system" is a list'),
        ({"question": ASKED, "answer": GOOD, "history": "earlier"}, '"history" must be'),
        ({"question": ASKED, "answer": GOOD, "response": BAD}, '"answer" and "response"'),
        ({"question": ASKED, "prompt": "Be brief.", "answer": GOOD}, '"question" and "prompt"'),
        ({"質問": ASKED, "回答1": GOOD, "回答2": BAD}, '"回答1" and "回答2"'),
        ({"messages": [USER, SAID], "context": "We close at 9."}, "beside the turns"),
        ({"messages": [{"role": "system", "content": "A"}, USER, SAID], "system": "B"}, "two diff"),
        ({"messages": [USER, SAID], "images": ["a.jpg"]}, 'files in "images"'),
        ({"instruction": f"<image>{ASKED}", "output": GOOD, "image": "a.jpg"}, 'files in "image"'),
        ({"messages": [USER, SAID], "tools": [{"name": "stock"}]}, "only turns of text are read"),
        ({"conversations": [{"from": "function_call", "value": "{}"}]}, "only turns of text are"),
        ({"messages": [USER, {"role": "tool", "content": "3"}, SAID]}, "only turns of text are"),
        *[({"instruction": ASKED, "input": no, "output": GOOD}, 'word for "no text"')
          for no in ("<noinput>", "Noinput", "N/A", "nan", "None", "<no input>", "null", "なし")],
        ({"text": "### Question:\nWhere?"}, "rendered already"),
        ({"message_id": "1", "parent_id": None, "text": "Hi.", "role": "prompter"}, "a tree"),
        ({"input_ids": [1, 2], "labels": [1, 2]}, "tokens of one model"),
        ({"title": "T", "body": "B"}, "no question and no answer"),
        ({"messages": [SAID, USER, SAID]}, "no question before it"),
        ({"messages": [USER, USER, SAID]}, "both the user's"),
        ({"messages": [USER, SAID, SAID]}, "both the assistant's"),
    ],
)  # fmt: skip
def test_what_cannot_be_learned_as_it_is_meant_is_refused_by_every_verb(
    tmp_path: Path, row: Row, says: str
) -> None:
    told = str(fault(tmp_path, row))
    assert says in told and "rename" not in told
    file = tmp_path / "rows.jsonl"
    assert check_rows(file, quick=True, progress=False).severities["error"] == 1
    for refused in (
        lambda: convert(file, tmp_path / "out.jsonl"),
        lambda: clean(file, tmp_path / "out.jsonl"),
        lambda: split(file, tmp_path / "sides"),
        lambda: read_conversations(file),
        lambda: preview(file),
    ):
        with pytest.raises(WorkshopError, match=says.replace("(", r"\(")):
            refused()


def test_cleaning_leaves_every_field_where_it_was(tmp_path: Path) -> None:
    rows: list[Row] = [
        {"id": 1, "instruction": "Translate. ", "input": "the ferry", "output": "le bac"},
        {"instruction": "", "input": ASKED, "output": GOOD, "history": [["Q ", "A"]]},
        {"output": "1887.", "context": "In 1887.", "instruction": "When?"},
        {"system": "S ", "messages": [USER, SAID], "note": "late "},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "Why? "}]}, SAID]},
    ]
    for number, row in enumerate(rows):
        file = written(tmp_path / f"{number}.jsonl", row)
        report = clean(file, tmp_path / f"{number}.out.jsonl")
        (found,) = kept(report.out)
        mended = json.loads(json.dumps(row).replace(' "', '"').replace('":"', '": "'))
        if "note" in row:
            mended["note"] = "late "  # it is none of the texts
        assert found == {**json.loads(json.dumps(mended))} and list(found) == list(row)
    table = tmp_path / "a.csv"
    table.write_text('分類,質問,回答,補足\n送料,"いくら？ ",500円,離島\n', "utf-8")
    lines = clean(table, tmp_path / "b.csv").out.read_text("utf-8-sig").splitlines()
    assert lines == ["分類,質問,回答,補足", "送料,いくら？,500円,離島"]


def test_turns_may_be_about_files_and_other_fields_are_named(tmp_path: Path) -> None:
    seen = {"messages": [USER | {"images": ["a.jpg"]}, SAID]}  # as Ollama's API takes it
    assert 'files in "images"' in str(fault(tmp_path, seen))
    tools = {"question": ASKED, "answer": GOOD, "tools": "a screwdriver", "completions": ["one"]}
    assert turns(tmp_path, tools) == PAIR
    report = check_rows(tmp_path / "rows.jsonl", quick=True, progress=False)
    assert report.summary["other_fields"] == {"tools": 1, "completions": 1}
