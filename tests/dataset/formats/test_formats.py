"""Every container and every shape holds a conversation, or says in words why it cannot."""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import json
import os
import re
import sys
import tempfile
import unicodedata
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_disks import small_disk
from training_rows import talk

from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.dataset.formats import (
    Conversation,
    Fault,
    Message,
    convert,
    open_rows,
    read_conversations,
    write_conversations,
)
from workshop_helpers.dataset.formats.json_rows import list_rows

QUESTION, ANSWER = "送料はいくらですか？", "500円です。\n離島は別です。"
PAIR = (Message("user", QUESTION), Message("assistant", ANSWER))
SYSTEM = (Message("system", "短く答える。"), *PAIR)
CHAT = (*SYSTEM, Message("user", "Why?"), Message("assistant", "Because of the ferry."))

ALL = ("messages", "prompt/completion", "alpaca", "sharegpt", "gemini", "question/answer")
# What a list's brackets and gzip add does not depend on the shape.
TARGETS = [
    *itertools.product(("jsonl", "parquet"), ALL),
    *itertools.product(("json", "jsonl.gz"), ("messages", "alpaca")),
    *itertools.product(("csv", "tsv", "xlsx"), ("question/answer", "alpaca")),
    *[("csv", "prompt/completion"), ("csv.gz", "alpaca"), ("txt", None), ("txt.gz", None)],
]


def made(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def jsonl(path: Path, *rows: object, encoding: str = "utf-8") -> Path:
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    return made(path, "".join(lines).encode(encoding))


def save_sheet(path: Path, *table: list[object], second: bool = False) -> Path:
    """The table as a workbook's only sheet, or as the one behind an empty first one."""
    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.create_sheet("FAQ") if second else book.active
    for cells in table:
        sheet.append(cells)
    book.save(path)
    return path


def read(path: Path, **options: object) -> list[Conversation | Fault]:
    with open_rows(path, **options) as rows:  # type: ignore[arg-type]
        return list(rows)


def conversations(path: Path, **options: object) -> list[Conversation]:
    return [row for row in read(path, **options) if isinstance(row, Conversation)]


def turns(path: Path, **options: object) -> list[tuple[Message, ...]]:
    assert not rules(path, **options)
    return [row.messages for row in conversations(path, **options)]


def rules(path: Path, **options: object) -> list[tuple[str, int]]:
    return [(row.rule, row.line) for row in read(path, **options) if isinstance(row, Fault)]


# Whatever may stand in a text but half characters; the rarer it is, the likelier it breaks a
# container.
AWKWARD = [
    *["\r", "\r\n", "\n", "\t", "\x00", "\x0b", "\x1b", "\x7f", "\x85", "\u2028", "\ufeff"],
    *[
        "\ufffe",
        "\uffff",
        "😀",
        "が",
        '"',
        '""',
        ",",
        ";",
        "\\",
        "\\n",
        "=1+1",
        "'",
        "'=",
        "-",
        "@",
        "＋",
    ],
    *["_x0041_", "_x000D_", "Q: ", "\nA: ", "質問：", "\n---\n", "{", "]", " ", "　"],
    *["#N/A", "null", "1.0", "NaN"],
]
TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=40),
    st.lists(
        st.one_of(st.sampled_from(AWKWARD), st.text("あ漢ab 1。\n", max_size=6)),
        min_size=1,
        max_size=8,
    ).map("".join),
).filter(lambda text: bool(text.strip()))
TURNS = st.builds(
    lambda system, pairs: (
        *[Message("system", text) for text in system],
        *[m for q, a in pairs for m in (Message("user", q), Message("assistant", a))],
    ),
    st.lists(TEXTS, max_size=1),
    st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=3),
)
SETS = st.lists(TURNS, min_size=1, max_size=4)
OFTEN = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def kept_or_refused(rows: list[tuple[Message, ...]], path: Path, shape: str | None) -> bool:
    """Write and read back; True if they are the same, False if the writer refused in words."""
    path.unlink(missing_ok=True)
    try:
        write_conversations([Conversation(row) for row in rows], path, format=shape)
    except WorkshopError as error:
        refusal = str(error)
    else:
        assert turns(path) == rows
        return True
    assert len(refusal.split()) > 6
    assert not path.exists()
    return False


@pytest.mark.parametrize(("suffix", "shape"), TARGETS, ids=lambda value: str(value))
def test_any_text_comes_back_or_is_refused(tmp_path, suffix, shape):
    @OFTEN
    @given(SETS)
    def run(rows: list[tuple[Message, ...]]) -> None:
        kept = kept_or_refused(rows, tmp_path / f"f.{suffix}", shape)
        whole = suffix in ("jsonl", "json", "jsonl.gz", "parquet")
        if whole and shape in ("messages", "sharegpt", "gemini", "prompt/completion"):
            assert kept

    run()


@pytest.mark.parametrize(("first", "second"), itertools.permutations(ALL, 2))
def test_every_path_through_two_shapes_and_back_keeps_a_question_and_its_answer(
    tmp_path, first, second
):
    start = tmp_path / "start.jsonl"
    rows = [Conversation(PAIR), Conversation(SYSTEM)]
    write_conversations(rows, start, format=first)
    there = convert(start, tmp_path / "there.json", to=second)
    back = convert(there.out, tmp_path / "back.jsonl", to=first)
    assert back.out.read_bytes() == start.read_bytes()
    assert (there.source.format, back.source.format) == (first, second)


@pytest.mark.parametrize(
    ("first", "second"),
    itertools.permutations(["jsonl", "json", "csv", "tsv", "xlsx", "parquet", "txt", "json.gz"], 2),
)
def test_every_path_through_two_containers_and_back_keeps_a_question_and_its_answer(
    tmp_path, first, second
):
    start, there, back = (tmp_path / name for name in (f"a.{first}", f"b.{second}", f"c.{first}"))
    write_conversations([Conversation(PAIR), Conversation(SYSTEM)], start)
    convert(start, there)
    convert(there, back)
    assert turns(start) == turns(there) == turns(back) == [PAIR, SYSTEM]


@OFTEN
@given(SETS, st.lists(st.sampled_from(TARGETS), min_size=2, max_size=3))
def test_random_paths_keep_random_conversations_or_refuse(tmp_path_factory, rows, path):
    folder = tmp_path_factory.mktemp("path")
    at = folder / "start.jsonl"
    write_conversations([Conversation(row) for row in rows], at)
    for number, (suffix, shape) in enumerate(path):
        following = folder / f"{number}.{suffix}"
        try:
            convert(at, following, to=shape)
        except WorkshopError:
            assert not following.exists()
            return
        at = following
        assert turns(at) == rows


@pytest.mark.parametrize("shape", ["alpaca", "question/answer"])
@pytest.mark.parametrize("suffix", ["jsonl", "csv", "xlsx", "parquet"])
def test_several_turns_are_refused_with_row_and_reason(tmp_path, suffix, shape):
    source = tmp_path / "in.jsonl"
    write_conversations([Conversation(PAIR), Conversation(CHAT)], source)
    out = tmp_path / f"out.{suffix}"
    with pytest.raises(WorkshopError, match=f"{re.escape(str(source))}:2:.*would be lost"):
        convert(source, out, to=shape)
    assert not out.exists()
    with pytest.raises(WorkshopError, match="would be lost"):
        convert(source, tmp_path / "out.txt")


def test_a_cell_longer_than_excel_holds_is_refused_not_cut(tmp_path):
    with pytest.raises(WorkshopError, match="32,767"):
        write_conversations([talk("q", "あ" * 32_768)], tmp_path / "a.xlsx")


@pytest.mark.parametrize("row", [talk("q", "あ" * 32_767), talk("=SUM(A1)", "#N/A")])
def test_a_long_text_and_one_that_looks_like_a_formula_stay_in_excel(tmp_path, row):
    write_conversations([row], tmp_path / "a.xlsx")
    assert turns(tmp_path / "a.xlsx") == [row.messages]


def test_half_a_character_is_refused_by_every_writer(tmp_path):
    for suffix in ("jsonl", "json", "csv", "xlsx", "parquet", "txt"):
        with pytest.raises(WorkshopError, match="half of a character"):
            write_conversations([talk("q", "\ud83d")], tmp_path / f"a.{suffix}")
        assert not (tmp_path / f"a.{suffix}").exists()


@pytest.mark.parametrize("suffix", ["jsonl", "json", "csv", "tsv", "xlsx", "parquet"])
def test_other_fields_travel_along_and_do_not_count_for_equality(tmp_path, suffix):
    extras = [{"id": "r1", "topic": "送料"}, {"note": "late"}]
    rows = [Conversation(PAIR, extra=extras[0]), Conversation(SYSTEM, extra=extras[1])]
    write_conversations(rows, tmp_path / f"a.{suffix}")
    assert [dict(row.extra) for row in conversations(tmp_path / f"a.{suffix}")] == extras
    assert Conversation(PAIR, extra={"id": 1}) == Conversation(PAIR)


def test_other_fields_that_plain_text_or_the_shape_cannot_hold_are_refused(tmp_path):
    for extra, name, shape, says in (
        ({"topic": "x"}, "a.txt", None, '"topic"'),
        ({"messages": "x"}, "a.jsonl", None, '"messages"'),
        ({"prompt": "x", "completion": "y"}, "a.jsonl", "alpaca", "would be read as part"),
        ({"raw": b"x"}, "a.parquet", None, "cannot be written as JSON"),
    ):
        with pytest.raises(WorkshopError, match=f"row 1: .*{says}"):
            write_conversations([Conversation(PAIR, extra=extra)], tmp_path / name, format=shape)


def test_other_fields_keep_their_exact_value(tmp_path):
    extra = {"n": 123456789012345678901, "f": 0.5, "tags": ["x", 98765432109876543210]}
    (row,) = conversations(
        jsonl(tmp_path / "a.jsonl", {"instruction": "a", "output": "b", **extra})
    )
    assert dict(row.extra) == extra


def test_sharegpt_is_read(tmp_path):
    def turns(**said: str) -> list[dict[str, str]]:
        return [{"from": role, "value": text} for role, text in said.items()]

    row = {"id": "c1", "conversations": turns(system="S", human="Q", gpt="A")}
    also = {"system": "S", "conversations": turns(user="Q", assistant="A")}
    first, second = conversations(jsonl(tmp_path / "a.jsonl", row, also))
    assert first.messages == second.messages
    assert [m.role for m in first.messages] == ["system", "user", "assistant"]
    assert dict(first.extra) == {"id": "c1"}


@pytest.mark.parametrize("name", ["systemInstruction", "system_instruction"])
def test_gemini_is_read(tmp_path, name):
    asked = {"role": "user", "parts": [{"text": "Q1 "}, {"text": "Q2"}]}
    answered = {"role": "model", "parts": [{"text": "A"}]}
    system = {"role": "system", "parts": [{"text": "S"}]}
    (found,) = turns(jsonl(tmp_path / "a.jsonl", {name: system, "contents": [asked, answered]}))
    assert found == (Message("system", "S"), *talk("Q1 Q2", "A").messages)


def test_openai_parts_of_text_are_read_and_pictures_and_tool_calls_refused(tmp_path):
    def row(**last: object) -> dict[str, object]:
        asked = {"role": "user", "content": [{"type": "text", "text": "Q"}]}
        return {"messages": [asked, {"role": "assistant", **last}]}

    file = jsonl(
        tmp_path / "a.jsonl",
        row(content="A"),
        row(content=[{"type": "image_url", "image_url": {}}]),
        row(content=None, tool_calls=[{}]),
    )
    assert rules(file) == [("missing-field", 2), ("wrong-role", 3)]


def test_alpaca_history_becomes_turns(tmp_path):
    row = {"instruction": "Q2", "output": "A2", "history": [["Q1", "A1"]]}
    (found,) = turns(jsonl(tmp_path / "a.jsonl", row))
    assert [m.content for m in found] == ["Q1", "A1", "Q2", "A2"]


@pytest.mark.parametrize(
    ("row", "rule", "says"),
    [
        ({"instuction": "q", "output": "a"}, "missing-field", 'rename it to "instruction"'),
        ({"instruction": "q", "ouput": "a"}, "missing-field", 'rename it to "output"'),
        ({"mesages": [{"role": "user"}]}, "missing-field", 'rename it to "messages"'),
        ({"conversations": [{"from": "human", "value": "q"}]}, "wrong-order", "the assistant's"),
        ({"conversations": [{"from": "bot", "value": "q"}]}, "wrong-role", 'write "gpt"'),
        ({"contents": [{"role": "assistant", "parts": "a"}]}, "wrong-role", 'write "model"'),
        ({"contents": [{"role": "user", "parts": []}]}, "empty-question", "is empty"),
        ({"messages": [{"role": "developer", "content": "s"}]}, "wrong-role", 'write "system"'),
        ({"messages": [{"role": "user", "content": ""}]}, "empty-question", "empty"),
        ({"messages": [{"role": "assistant", "content": None}]}, "empty-answer", "null"),
        ({"messages": [{"role": "user", "text": "q"}]}, "missing-field", 'rename it to "content"'),
        ({"instruction": "q", "output": ""}, "empty-answer", "empty"),
        ({"instruction": " ", "output": "a"}, "empty-question", "empty"),
        ({"question": "q"}, "missing-field", '"answer"'),
        ({"質問": "q", "回答": " "}, "empty-answer", '"回答" is empty'),
        ({"instruction": "q", "output": "\ud83d"}, "encoding", "half of a character"),
    ],
)  # fmt: skip
def test_faults_carry_rule_line_message_and_fix(tmp_path, row, rule, says):
    file = made(tmp_path / "a.jsonl", "\n" + json.dumps(row) + "\n")
    (fault,) = read(file)
    assert isinstance(fault, Fault)
    assert (fault.rule, fault.file, fault.line) == (rule, str(file), 2)
    assert says in str(fault)
    assert fault.message and fault.fix and fault.excerpt


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("question", "answer"), ("Question", "Answer"), ("Q", "A"), ("Prompt", "Response"),
        ("user_input", "reply"), ("質問", "回答"), ("質問文", "回答文"), ("問い", "答え"),
        ("問", "答"), ("お問い合わせ内容", "返信内容"), ("指示", "出力"), ("【質問】", "【回答】"),
        ("ユーザー", "アシスタント"), ("ｑｕｅｓｔｉｏｎ", "ａｎｓｗｅｒ"),
        ("instruction", "response"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("suffix", ["csv", "tsv", "xlsx"])
def test_column_names_are_recognised_in_english_and_japanese(tmp_path, question, answer, suffix):
    file = tmp_path / f"a.{suffix}"
    table = [["No.", question, "カテゴリ", answer], ["1", QUESTION, "送料", ANSWER]]
    if suffix == "xlsx":
        save_sheet(file, *table)
    else:
        with open(file, "w", encoding="utf-8", newline="") as out:
            csv.writer(out, delimiter="," if suffix == "csv" else "\t").writerows(table)
    assert question in str(open_rows(file).source.reason)
    (row,) = conversations(file)
    assert (row.question, row.answer, row.line) == (QUESTION, ANSWER, 2)
    assert row.extra["カテゴリ"] == "送料"


def test_columns_can_be_named_and_a_wrong_name_is_answered_with_the_near_one(tmp_path):
    file = made(tmp_path / "a.csv", "Frage,Antwort\nq,a\n")
    assert rules(file) == [("missing-field", 1)]
    columns = {"question": "Frage", "answer": "Antwort"}
    assert turns(file, columns=columns) == [talk("q", "a").messages]
    (fault,) = read(file, columns={**columns, "answer": "Antword"})
    assert 'a similar field "Antwort"' in str(fault)
    with pytest.raises(WorkshopError, match="columns must name"):
        open_rows(file, columns={"question": "Frage"})


def test_columns_are_written_under_the_names_that_are_given(tmp_path):
    file = tmp_path / "a.csv"
    write_conversations([Conversation(PAIR)], file, columns={"question": "質問", "answer": "回答"})
    assert file.read_bytes().startswith("\ufeff質問,回答\r\n".encode())
    assert turns(file) == [PAIR]


def test_csv_faults_are_named_with_the_line_where_the_record_starts(tmp_path):
    text = 'question,answer\nq1,"two\nlines"\nq2\nq3,a,b\n"q4"x,a\nq5,\n\nq6,a\n"open,a\n'
    file = made(tmp_path / "a.csv", text)
    assert [row.line for row in conversations(file)] == [2, 9]
    faults = [("empty-answer", 4), ("invalid-csv", 5), ("invalid-csv", 6), ("empty-answer", 7)]
    assert rules(file) == [*faults, ("invalid-csv", 10)]


@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_csv_of_other_delimiters_and_line_ends_is_read(tmp_path, mark, end):
    lines = [f"質問{mark}回答", f"q1{mark}a1", f"q2{mark}a2", ""]
    file = made(tmp_path / "a.csv", end.join(lines))
    assert [found[0].content for found in turns(file)] == ["q1", "q2"]


def test_an_answer_longer_than_the_csv_modules_own_limit_is_read(tmp_path):
    file = made(tmp_path / "a.csv", f"question,answer\nq,{'x' * 200_000}\n")
    assert len(turns(file)[0][1].content) == 200_000


def test_excel_numbers_dates_and_a_title_less_first_sheet_are_read(tmp_path):
    rows = [["いくら？", 500], ["いつ？", date(2024, 5, 1)], [None, None], ["空", None]]
    file = save_sheet(tmp_path / "a.xlsx", ["質問", "回答"], *rows, second=True)
    assert [row.answer for row in conversations(file)] == ["500", "2024-05-01"]
    assert rules(file) == [("empty-answer", 5)]


@pytest.mark.parametrize(
    "text",
    [
        "Q: 送料は？\nA: 500円です。\n\nQ: 返品は？\nA: 14日以内です。\n",
        "質問：送料は？\n回答：500円です。\n質問：返品は？\n回答：14日以内です。",
        "Ｑ１．送料は？\nＡ１．500円です。\n\nＱ２．返品は？\nＡ２．14日以内です。",
        "【質問】送料は？\n【回答】500円です。\n-----\n【質問】返品は？\n【回答】14日以内です。\n-----\n",
        "**Q:** 送料は？\n**A:** 500円です。\n\n**Q:** 返品は？\n**A:** 14日以内です。\n",
        "## Q: 送料は？\nA:\n500円です。\n\n## Q: 返品は？\nA:\n14日以内です。\n",
        "問1: 送料は？\n答1: 500円です。\n問2: 返品は？\n答2: 14日以内です。\n",
    ],
)  # fmt: skip
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp932", "euc_jp"])
def test_typed_questions_and_answers_are_read(tmp_path, text, end, encoding):
    file = made(tmp_path / "faq.txt", text.replace("\n", end).encode(encoding))
    expected = [("送料は？", "500円です。"), ("返品は？", "14日以内です。")]
    assert [(f[0].content, f[1].content) for f in turns(file)] == expected


def test_a_list_in_a_typed_answer_stays_a_list(tmp_path):
    answer = "Like this:\n\n- one\n  - two\n\n    code"
    file = made(tmp_path / "faq.txt", f"System: Brief.\nQ: How?\nA: {answer}\n")
    assert turns(file) == [(Message("system", "Brief."), *talk("How?", answer).messages)]


def test_loose_ends_in_typed_text_are_named(tmp_path):
    text = "Our FAQ\n\nQ: one?\n\nQ: two?\nA: 2\nA: again\nQ: three?\nA:\n"
    file = made(tmp_path / "faq.txt", text)
    order, empty = "wrong-order", "empty-answer"
    assert rules(file) == [(order, 1), (empty, 3), (order, 7), (empty, 8)]


def test_a_broken_element_of_a_list_does_not_end_the_reading(tmp_path):
    good = '{"instruction": "a]", "output": "b\\"}{"}'
    text = f"[\n{good},\n{{'x': 1}},\n{good}\n{good},\n42,\n{good},\n]\n"
    file = made(tmp_path / "a.json", text)
    assert rules(file) == [("invalid-json", line) for line in (3, 5, 6, 8)]
    assert [row.line for row in conversations(file)] == [2, 4, 5, 7]
    assert rules(made(file, f"[{good}, {good[:-3]}")) == [("invalid-json", 1)] * 2
    assert rules(made(file, f"[{good}] {good}")) == [("invalid-json", 1)]


def test_json_lines_named_json_and_objects_over_several_lines_are_read(tmp_path):
    row = {"instruction": "q", "output": "a"}
    file = jsonl(tmp_path / "a.json", row, row)
    assert open_rows(file).source.container == "jsonl"
    assert len(turns(file)) == 2
    assert [row.line for row in read(made(file, f"{json.dumps(row, indent=2)}\n" * 2))] == [1, 5]


@pytest.mark.parametrize("piece", [1, 7, 64, 1 << 20])
def test_a_list_is_read_the_same_in_blocks_of_any_size(piece):
    rows = [{"instruction": f"質問{n}" * 40, "output": "答え\n「]」" * n} for n in range(1, 20)]
    raw = io.BytesIO(json.dumps(rows, ensure_ascii=False, indent=0).encode())
    found = list(list_rows(lambda size: raw.read(min(size, piece)), "utf-8"))
    assert [row for _, row, _ in found] == rows
    assert [line for line, _, _ in found] == [2 + 4 * n for n in range(19)]


@pytest.mark.parametrize(
    "lines",
    [
        [
            '{"question": "a"',
            '"answer": "b"}',
            '{"question": "c", "answer": "d"}, {"question": "e"}',
        ],
        ['{"question": "a", "answer": "b}', '{c"}'],
        ['{"question": "a", "answer": "b"}], [{"question": "c", "answer": "d"}', ""],
        ['{"question": "a", "answer": "b", "answer": "c"}'],
        ['{"question": "a", "answer": " "}'],
    ],
)
def test_lines_that_are_read_together_are_read_as_each_alone(tmp_path, lines):
    good = '{"question": "What?", "answer": "That."}'
    alone = [
        (type(one), n, getattr(one, "rule", ""), getattr(one, "excerpt", ""))
        for n, line in enumerate(lines, start=2)
        for one in read(made(tmp_path / "one.jsonl", f"{good}\n{line}\n"))[1:]
    ]
    found = read(made(tmp_path / "all.jsonl", "\n".join([good, *lines, good])))
    assert [
        (type(one), one.line, getattr(one, "rule", ""), getattr(one, "excerpt", ""))
        for one in found[1:-1]
    ] == alone


SHORT = """
送料は？ 東京 はい いいえ カメラ 返品 領収書をください メール：abc ①番 株式会社 北海道札幌市
注文番号123 営業時間は9時～18時 ありがとうございます 日本語 テスト データ 電話番号 ＡＢＣ 「無料」
アカウントの削除 5,000円 ご利用ガイド ログインできない 在庫切れ PDFを開く 料金表 住所変更 お支払い
配送 交換 キャンセル 会員登録 パスワード 予約 修理 保証 故障
"""


@pytest.mark.parametrize("encoding", ["cp932", "euc_jp"])
def test_shift_jis_and_euc_jp_are_told_apart_on_single_short_texts(tmp_path, encoding):
    file = tmp_path / "a.jsonl"
    for text in SHORT.split():
        if encoding == "euc_jp" and re.search("[①～]", text):
            continue  # it has none
        jsonl(file, {"instruction": text, "output": "OK"}, encoding=encoding)
        assert [row.question for row in conversations(file)] == [text]


def test_the_shops_rows_keep_their_text_in_every_encoding(tmp_path):
    from workshop_helpers.core.artifacts import data_path

    text = data_path("shop", "train.ja.jsonl").read_text("utf-8").replace("〜", "～")
    for encoding in ("utf-8", "utf-8-sig", "cp932", "euc_jp", "iso2022_jp"):
        raw = text.encode(encoding, "replace")
        file = made(tmp_path / f"{encoding}.jsonl", raw)
        assert open_rows(file).source.encoding == encoding
        answers = [json.loads(line)["output"] for line in raw.decode(encoding).split("\n") if line]
        assert [row.answer for row in conversations(file)] == answers


@pytest.mark.parametrize(
    ("text", "encoding", "says"),
    [
        ("It’s here, don’t worry.", "cp1252", "Windows-1252"),
        ("café, señor, Größe", "cp1252", "Windows-1252"),
        ("你好，请问运费是多少？我想退货，订单号是什么。", "gb18030", "unknown"),
        ("배송비는 얼마입니까? 감사합니다 안녕히 계세요", "euc_kr", "unknown"),
        ("Grüße", "utf-16", "UTF-16"),
        ("送料", "utf-16-le", "UTF-16|unknown|no text"),
        ("送料", "utf-32", "UTF-32"),
    ],
)
def test_another_encoding_is_refused_with_its_reason_and_can_be_given(
    tmp_path, text, encoding, says
):
    file = jsonl(tmp_path / "a.jsonl", {"instruction": text, "output": "ok"}, encoding=encoding)
    source = open_rows(file).source
    assert source.encoding == "unknown"
    assert re.search(says, str(source.reason))
    assert rules(file) == [("encoding", 1)]
    assert turns(file, encoding=encoding) == [talk(text, "ok").messages]
    with pytest.raises(WorkshopError, match="no encoding"):
        open_rows(file, encoding="shift-jiss")


def test_a_japanese_character_far_down_still_tells_the_encoding(tmp_path):
    plain = '{"instruction": "Where is it?", "output": "Here."}\n' * 20_000
    last = '{"instruction": "送料はいくらですか", "output": "500円です"}\n'
    file = made(tmp_path / "a.jsonl", (plain + last).encode("cp932"))
    assert open_rows(file).source.encoding == "cp932"
    *_, row = conversations(file)
    assert (row.question, row.line) == ("送料はいくらですか", 20_001)


@pytest.mark.parametrize("suffix", ["csv", "json", "txt"])
def test_bytes_that_are_no_utf8_are_a_fault_of_their_row_alone(tmp_path, suffix):
    rows = [talk(f"質問{n}はありますか", "はい、あります") for n in range(6)]
    file = tmp_path / f"a.{suffix}"
    write_conversations(rows, file, format=None if suffix == "txt" else "question/answer")
    file.write_bytes(file.read_bytes().replace("3は".encode(), b"3\xff\xfe"))
    found = read(file)
    assert [isinstance(row, Fault) for row in found] == [n == 3 for n in range(6)]
    assert found[3].rule == "encoding"  # type: ignore[union-attr]


def test_nfc_is_offered_and_counted(tmp_path):
    apart = unicodedata.normalize("NFD", "ガイドブックが欲しい")
    source, out = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    write_conversations([talk(apart, "はい"), talk("はい？", "はい")], source)
    assert convert(source, out).normalised == 0
    assert turns(out)[0][0].content == apart
    assert convert(source, out, nfc=True, overwrite=True).normalised == 1
    assert turns(out)[0][0].content == "ガイドブックが欲しい"


def test_faults_stop_a_conversion_unless_they_may_be_skipped(tmp_path):
    good = '{"instruction": "q", "output": "a"}'
    source = made(tmp_path / "a.jsonl", f"{good}\n{{bad\n{good}\n")
    out = made(tmp_path / "b.csv", "mine")
    with pytest.raises(WorkshopError, match=":2: not valid JSON"):
        convert(source, out)
    assert out.read_text("utf-8") == "mine"
    with pytest.raises(WorkshopError, match="already"):
        convert(source, out, skip_faults=True)
    assert out.read_text("utf-8") == "mine"
    report = convert(source, out, skip_faults=True, overwrite=True)
    assert (report.rows, [fault.line for fault in report.faults], report.skipped) == (2, [2], 1)


def test_a_conversion_never_overwrites_its_source_and_says_what_it_cannot_write(tmp_path):
    source = tmp_path / "a.jsonl"
    write_conversations([Conversation(PAIR)], source)
    before = source.read_bytes()
    with pytest.raises(WorkshopError, match="would overwrite"):
        convert(source, tmp_path / ".." / tmp_path.name / "a.jsonl", to="alpaca")
    for name, options, says in (
        ("b.docx", {}, "selects no format"),
        ("b.xlsx.gz", {}, "selects no format"),
        ("b.jsonl", {"to": "alpacca"}, "choose from"),
        ("b.csv", {"to": "messages"}, "cannot store"),
        ("b.txt", {"to": "alpaca"}, "Plain text"),
    ):
        with pytest.raises(WorkshopError, match=says):
            convert(source, tmp_path / name, **options)  # type: ignore[arg-type]
        assert not (tmp_path / name).exists()
    assert source.read_bytes() == before


def test_a_missing_library_is_named_by_python_itself(tmp_path, monkeypatch):
    write_conversations([Conversation(PAIR)], tmp_path / "a.xlsx")
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(ModuleNotFoundError) as caught:
        list(open_rows(tmp_path / "a.xlsx"))
    assert caught.value.name == "openpyxl"


def test_strict_reading_takes_every_container(tmp_path):
    for suffix in ("jsonl", "json", "csv", "tsv", "xlsx", "parquet", "txt", "jsonl.gz"):
        file = tmp_path / f"a.{suffix}"
        write_conversations([Conversation(PAIR)], file)
        (row,) = read_conversations(file)
        assert (row.messages, row.file) == (PAIR, str(file))


def test_a_gzip_file_without_the_suffix_is_unpacked(tmp_path):
    packed = gzip.compress(b'{"instruction": "q", "output": "a"}\n')
    file = made(tmp_path / "a.jsonl", packed)
    assert "gzip" in str(open_rows(file).source.reason)
    assert len(turns(file)) == 1


def test_nan_and_infinity_never_reach_json(tmp_path):
    source = tmp_path / "a.jsonl"
    extra = {"score": float("nan"), "deep": [float("inf"), 1.5]}
    write_conversations([Conversation(PAIR, extra=extra)], source)
    text = source.read_text("utf-8")
    assert "NaN" not in text and "Infinity" not in text
    assert json.loads(text)["score"] is None and json.loads(text)["deep"] == [None, 1.5]


@pytest.mark.parametrize(  # 170k of rows, and a sheet of 190k
    ("name", "size"),
    [
        ("b.csv", "64k"),
        ("b.csv", "100k"),
        ("b.parquet", "64k"),
        ("b.xlsx", "100k"),
        ("b.xlsx", "220k"),
    ],
)
def test_a_full_disk_of_temporary_files_is_named(tmp_path, monkeypatch, name, size):
    rows = [talk(f"{number} {'long' * 100}?", "Yes.") for number in range(400)]
    with small_disk(tmp_path, size) as small:
        monkeypatch.setattr(tempfile, "tempdir", str(small))
        with pytest.raises(WorkshopError, match=f"{small}: the disk is full"):
            write_conversations(rows, tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["small"]


@pytest.mark.parametrize("name", ["b.csv", "b.xlsx", "b.parquet"])
def test_a_full_disk_of_the_result_is_named(tmp_path, name):
    rows = [talk(f"{number} {os.urandom(200).hex()}?", "Yes.") for number in range(400)]
    with small_disk(tmp_path, "64k") as small:
        with pytest.raises(WorkshopError, match=f"write the file at {small}/{name}: the disk is"):
            write_conversations(rows, small / name)
        assert not list(small.iterdir())


FORMULAS = ["=1+1", "+1+1", "-1+1", "@A1", "\t=1", "\r=1", "\n=1", "＝1", "'=1", "''=1", "- a\n- b"]
TEXT = ["-5", "+81", "-1.5%", "'tis", "a=b", "5-3", "'"]


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz"])
def test_a_spreadsheet_computes_nothing_of_csv_and_the_rows_stay(tmp_path, suffix):
    path, other = tmp_path / f"rows{suffix}", tmp_path / "other.csv"
    rows = [
        Conversation((Message("user", text), Message("assistant", f"{text} x")), extra={"=f": text})
        for text in FORMULAS + TEXT
    ]
    write_conversations(rows, path)
    opened = gzip.open if suffix.endswith(".gz") else open
    with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
        header, *lines = csv.reader(file)
    for cell in (*header, *(cell for line in lines for cell in line)):
        assert cell[0] not in "=+-@\t\r\n＝＋－＠" or cell in TEXT
    assert [line[0] for line in lines[-len(TEXT) :]] == TEXT
    assert [(row.messages, row.extra) for row in conversations(path)] == [
        (row.messages, row.extra) for row in rows
    ]
    write_conversations(rows, other, formulas=True)
    assert "\n=1+1," in other.read_text(encoding="utf-8-sig")
    assert [row.messages for row in conversations(other)] == [row.messages for row in rows]
    other.write_text("question,answer\n'=' assigns,'-' is minus\n", encoding="utf-8")
    assert turns(other) == [(Message("user", "'=' assigns"), Message("assistant", "'-' is minus"))]
