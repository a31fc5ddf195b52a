"""Training rows are read in their three shapes, and every fault is named with file and line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.dataset.formats import open_rows, read_conversations

ALPACA = {"instruction": "How much is shipping?", "input": "", "output": "It costs $6.99."}
EMPTY = ("", "   ", "\n", "　")
TOKENS = ("<|im_end|>", "<|endoftext|>", "<end_of_turn>", "</s>", "[/INST]")


def write(path: Path, *rows: object) -> Path:
    lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def failure(path: Path, *rows: object) -> str:
    with pytest.raises(WorkshopError) as caught:
        read_conversations(write(path, *rows) if rows else path)
    return str(caught.value)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "行 1.jsonl"


def test_alpaca_row_becomes_question_and_answer(file):
    (row,) = read_conversations(write(file, ALPACA))
    assert (row.question, row.answer) == ("How much is shipping?", "It costs $6.99.")
    assert row.system is None
    assert (row.file, row.line) == (str(file), 1)
    assert row.prompt_messages() == [{"role": "user", "content": "How much is shipping?"}]
    assert row.to_messages()[-1] == {"role": "assistant", "content": "It costs $6.99."}


def test_alpaca_input_and_system_are_kept(file):
    more = {"input": "To Kyoto.", "system": "Be brief."}
    (row,) = read_conversations(write(file, ALPACA | more))
    assert row.question == "How much is shipping?\n\nTo Kyoto."
    assert row.system == "Be brief."
    assert [m["role"] for m in row.prompt_messages()] == ["system", "user"]


def test_messages_row_keeps_all_turns_and_asks_the_last_question(file):
    roles = ["system", "user", "assistant", "user", "assistant"]
    texts = ["S", "Q1", "A1", "Q2", "A2"]
    turns = [{"role": r, "content": c} for r, c in zip(roles, texts, strict=True)]
    (row,) = read_conversations(write(file, {"messages": turns}))
    assert (row.system, row.question, row.answer) == ("S", "Q2", "A2")
    assert len(row.prompt_messages()) == 4


def test_prompt_and_completion_as_text_and_as_messages(file):
    as_text = {"prompt": "Q", "completion": "A"}
    as_turns = {
        "prompt": [{"role": "system", "content": "S"}, {"role": "user", "content": "Q2"}],
        "completion": [{"role": "assistant", "content": "A2"}],
    }
    first, second = read_conversations(write(file, as_text, as_turns))
    assert (first.question, first.answer) == ("Q", "A")
    assert (second.system, second.question, second.answer) == ("S", "Q2", "A2")


def test_bom_blank_lines_windows_line_ends_and_line_separators_are_read(file):
    rows = json.dumps(ALPACA), json.dumps({**ALPACA, "output": "a\u2028b"}, ensure_ascii=False)
    file.write_bytes(b"\xef\xbb\xbf" + f"{rows[0]}\r\n\r\n{rows[1]}\r\n".encode())
    first, second = read_conversations(file)
    assert first.line == 1
    assert (second.line, second.answer) == (3, "a\u2028b")


def test_limit_keeps_the_first_rows_but_checks_all(file):
    rows = [{**ALPACA, "instruction": f"Q{n}"} for n in range(5)]
    assert [c.question for c in read_conversations(write(file, *rows), limit=2)] == ["Q0", "Q1"]
    with pytest.raises(WorkshopError, match=":6:"):
        read_conversations(write(file, *rows, "{broken"), limit=2)
    with pytest.raises(WorkshopError, match="at least one"):
        read_conversations(file, limit=0)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"instruction": "a", "output": "b"', "does not end on this line"),
        ('{"instruction": "a", "output": "b"},', "comma at the end"),
        ("{'instruction': 'a', 'output': 'b'}", "double quotation marks"),
        ('{“instruction”: "a", "output": "b"}', "double quotation|curly"),
        ('{"instruction": "a\tb", "output": "b"}', r"\\t"),
        ('["a", "b"]', "a list instead of an object"),
        ("42", "a number instead of an object"),
    ],
)
def test_malformed_json_is_named_with_its_line_and_a_fix(file, line, says):
    message = failure(file, ALPACA, line)
    assert f"{file}:2:" in message
    assert re.search(says, message)


def turns(*roles: str) -> dict[str, object]:
    return {"messages": [{"role": role, "content": f"{role}."} for role in roles]}


@pytest.mark.parametrize(
    ("row", "says"),
    [
        *[({**ALPACA, "output": no}, ':1: "output" is empty') for no in EMPTY],
        *[({**ALPACA, "instruction": no}, ':1: "instruction" is empty') for no in EMPTY],
        ({"title": "x"}, '(the row has: "title")'), ({}, "(the row has: none)"),
        ({**ALPACA, "output": 5}, '"output" is a number'),
        ({**ALPACA, "output": None}, '"output" is a null'),
        ({**ALPACA, "input": ["x"]}, '"input" is a list'), (turns("human", "gpt"), 'write "user"'),
        (turns("user", "asistant"), 'write "assistant"'),
        (turns("user", "assistant", "user"), "not the assistant's"),
        (turns("system", "assistant"), "no user turn"),
        (turns("user", "system", "assistant"), "must come first"),
        ({"messages": [{"role": "user"}]}, 'turn 1 of "messages": no field "content"'),
        ({"messages": []}, '"messages" must be a list'),
        *[({**ALPACA, "output": f"Yes.{token}"}, f'control token "{token}"') for token in TOKENS],
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)  # fmt: skip
def test_a_row_with_a_fault_is_refused_and_the_fault_named(file, row, says):
    assert says in failure(file, row)


def test_equal_rows_are_refused_and_both_lines_named(file):
    message = failure(file, ALPACA, {**ALPACA, "instruction": "other"}, ALPACA)
    assert f"{file}:3: the same row as line 1" in message


def test_same_question_with_another_answer_is_no_duplicate(file):
    assert len(read_conversations(write(file, ALPACA, {**ALPACA, "output": "It's $6.99."}))) == 2


def test_angle_brackets_and_pipes_of_plain_text_pass(file):
    texts = ["a < b || c > d", "<b>bold</b>", "<|", "[INSTALL]", "<s>"]
    rows = [{**ALPACA, "output": text} for text in texts]
    assert len(read_conversations(write(file, *rows))) == len(texts)


NAMES = [("cp932", "Shift_JIS"), ("euc_jp", "EUC-JP")]
JAPANESE = pytest.mark.parametrize(("encoding", "name"), NAMES)


@JAPANESE
def test_a_japanese_encoding_is_read_and_said(file, encoding, name):
    write(file, {**ALPACA, "instruction": "a"}, {**ALPACA, "instruction": "送料はいくらですか"})
    file.write_bytes(file.read_bytes().decode().encode(encoding))
    assert [row.question for row in read_conversations(file)] == ["a", "送料はいくらですか"]
    source = open_rows(file).source
    assert source.encoding == encoding
    assert name in str(source.reason)


@JAPANESE
def test_a_line_in_another_encoding_than_the_file_is_named(file, encoding, name):
    good = '{"instruction": "返品はできますか", "output": "はい、14日以内なら承ります。"}\n' * 5
    other = '{"instruction": "送料はいくらですか", "output": "500円です"}\n'
    file.write_bytes(good.encode() + other.encode(encoding))
    message = failure(file)
    assert f"{file}:6: not valid UTF-8" in message
    assert name in message


@pytest.mark.parametrize("content", [b"", b"\n \n", b"\xef\xbb\xbf\n"])
def test_empty_file_is_refused(file, content):
    file.write_bytes(content)
    message = failure(file)
    assert str(file) in message
    assert "empty" in message or "no rows" in message


def test_json_list_is_read_with_the_line_of_each_row(file):
    file.write_text(json.dumps([ALPACA, {**ALPACA, "output": "x"}], indent=1), encoding="utf-8")
    assert [row.line for row in read_conversations(file)] == [2, 7]
    file.write_text(json.dumps([ALPACA, ALPACA]), encoding="utf-8")
    assert "the same row" in failure(file)


def test_missing_file_names_the_nearest_one_and_a_folder_is_refused(tmp_path):
    write(tmp_path / "train.en.jsonl", ALPACA)
    assert "Did you mean" in failure(tmp_path / "train.jsonl")
    assert "is a folder" in failure(tmp_path)


def test_all_faults_are_listed_up_to_ten(file):
    message = failure(file, ALPACA, *(f"{{bad {n}" for n in range(12)))
    assert message.count(f"{file}:") == 10
    assert "and 2 more" in message
    both = failure(file, "{bad", {**ALPACA, "output": ""}, ALPACA, ALPACA)
    assert all(f"{file}:{line}:" in both for line in (1, 2, 4))
