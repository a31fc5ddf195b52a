"""Cleaning repairs what is safe and logs it; splitting keeps what is alike on one side."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from workshop_helpers.core.artifacts import data_path
from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.dataset.checks import check_rows, clean, split
from workshop_helpers.dataset.checks.clean import repairs
from workshop_helpers.dataset.formats import read_conversations


def write(path: Path, *rows: dict[str, str]) -> Path:
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def row(question: str, answer: str, **extra: str) -> dict[str, str]:
    return {"instruction": question, "input": "", "output": answer, **extra}


def repaired(text: str) -> str:
    for _, after in repairs(text):
        text = after
    return text


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("  An answer. \n", "An answer."), ("one\r\ntwo\rthree", "one\ntwo\nthree"),
        ("a line   \nanother\t\n", "a line\nanother"), ("一つ目　\n二つ目", "一つ目\n二つ目"),
        ("too\n\n\n\n\n\nmuch", "too\n\n\nmuch"), ("か\u3099っこう", "がっこう"),
        ("zero\u200bwidth\ufeff", "zerowidth"), ("a bell\x07 rang", "a bell rang"),
    ],
)  # fmt: skip
def test_what_is_safe_is_repaired(before, after):
    assert repaired(before) == after


@pytest.mark.parametrize(
    "text",
    [
        "1. one\n2. two\n   - inner\n\n3. three", "    indented = True\n    code = True",
        "```python\ndef f():\n\n\n\n\n    return 1   # spaces   inside  \n```",
        "| a  | b  |\n|----|----|\n| 1  | 2  |", "👨\u200d👩\u200d👧 is one family", "\u200b\u200b",
        "　段落の字下げを持つ文章です。\n　二つ目の段落です。", "Ａ社の１，２００円",
    ],
)  # fmt: skip
def test_lists_code_wide_characters_and_nothing_but_faults_stay_as_they_are(text):
    assert repaired(text) == text


def test_the_source_is_untouched_and_the_log_tells_every_change(tmp_path):
    rows = row("A question?", "An answer. "), row("Same?", "Same."), row("Same?", "Same.")
    source = write(tmp_path / "rows.jsonl", *rows)
    before = source.read_bytes()
    report = clean(source, tmp_path / "clean.jsonl")
    assert source.read_bytes() == before
    assert (report.rows, report.kept) == (3, 2)
    assert report.counts == {"whitespace": 1, "duplicate": 1}
    log = report.log.read_text(encoding="utf-8")
    assert ":1 whitespace" in log and "- An answer. \n+ An answer.\n" in log
    assert ":3 duplicate: left out, the same row as line 2" in log
    again = check_rows(tmp_path / "clean.jsonl", quick=True, progress=False)
    assert again.of("duplicate") == again.of("whitespace") == []


def test_cleaning_twice_changes_nothing_more(tmp_path):
    source = write(tmp_path / "rows.jsonl", row(" A question? ", "か\u3099 \n\n\n\n\n\nb\r\n"))
    clean(source, tmp_path / "once.jsonl")
    report = clean(tmp_path / "once.jsonl", tmp_path / "twice.jsonl")
    assert report.changes == [] and report.log is None


def test_masking_is_done_on_request_and_the_log_does_not_keep_what_it_hides(tmp_path):
    address = "taro.yamada@mame-mart.com"
    source = write(tmp_path / "rows.jsonl", row(f"My address is {address}, right?", "Yes, it is."))
    kept = clean(source, tmp_path / "kept.jsonl")
    assert kept.masked == 0 and address in (tmp_path / "kept.jsonl").read_text(encoding="utf-8")
    report = clean(source, tmp_path / "masked.jsonl", mask_personal=True)
    assert report.masked == 1
    assert address not in (tmp_path / "masked.jsonl").read_text(encoding="utf-8")
    assert address not in report.diff()


def test_unreadable_rows_stop_the_cleaning_unless_they_are_to_be_left_out(tmp_path):
    source = tmp_path / "rows.jsonl"
    source.write_text('{"instruction": "Q?", "output": "A."}\n{broken\n', encoding="utf-8")
    with pytest.raises(WorkshopError, match="skip-faults"):
        clean(source, tmp_path / "clean.jsonl")
    assert not (tmp_path / "clean.jsonl").exists()
    report = clean(source, tmp_path / "clean.jsonl", skip_faults=True)
    assert (report.kept, len(report.faults)) == (1, 1)


def test_the_source_is_never_its_own_target(tmp_path):
    source = write(tmp_path / "rows.jsonl", row("Q?", "A."))
    with pytest.raises(WorkshopError, match="would overwrite"):
        clean(source, source)


def sides(report) -> dict[str, list[str]]:
    return {name: questions(path) for name, path in report.files.items()}


def questions(path: Path) -> list[str]:
    return [conversation.question for conversation in read_conversations(path)]


def test_every_row_is_on_exactly_one_side_and_the_ratios_hold(tmp_path):
    source = data_path("shop", "train.en.jsonl")
    report = split(source, tmp_path / "parts")
    found = sides(report)
    assert sorted(itertools.chain(*found.values())) == sorted(questions(source))
    assert report.rows == {name: len(rows) for name, rows in found.items()}
    assert report.rows["train"] == pytest.approx(400, abs=15)
    assert report.rows["test"] == pytest.approx(50, abs=15)


def test_the_same_seed_gives_the_same_sides_and_another_seed_others(tmp_path):
    source = data_path("shop", "train.ja.jsonl")
    one, two, three = (
        split(source, tmp_path / name, ratios=(4, 1), seed=seed)
        for name, seed in (("one", 1), ("two", 1), ("three", 2))
    )
    assert sides(one) == sides(two) != sides(three)


def test_near_duplicates_stay_on_one_side_and_nothing_leaks(tmp_path):
    words = ["kettle", "mirror", "garden", "rocket", "violin", "bridge", "forest", "pencil", "lamp"]
    rows = []
    for n, word in enumerate(words):
        rows.append(row(f"Where in the shop can I find a {word} for my mother?", f"Shelf {n}."))
        rows.append(row(f"Where in the shop can I find a {word} for my mother!!", f"On shelf {n}."))
        rows.append(row(f"For my mother, where can I find a {word} in the shop?", f"It is {n}."))
    report = split(write(tmp_path / "rows.jsonl", *rows), tmp_path / "parts", ratios=(1, 1))
    found = sides(report)
    for word in words:
        assert len({name for name, questions in found.items() for q in questions if word in q}) == 1
    checked = check_rows(report.files["train"], against=report.files["test"], progress=False)
    assert [leak for leak in checked.of("leakage") if leak.severity == "error"] == []


def test_each_side_has_its_share_of_each_topic(tmp_path):
    rows = [row(f"{n * 7919} is what, {n}?", f"Number {n}.", topic="abc"[n % 3]) for n in range(60)]
    report = split(write(tmp_path / "rows.jsonl", *rows), tmp_path / "parts", ratios=(2, 1))
    assert report.topics == 3
    topics = [json.loads(line)["topic"] for line in report.files["test"].open(encoding="utf-8")]
    assert [topics.count(topic) for topic in "abc"] == pytest.approx([7, 7, 6], abs=1)


def test_small_sets_keep_a_row_on_each_side_or_say_why_not(tmp_path):
    texts = ["Where is the kettle?", "Do you ship mirrors abroad?", "宛先の変更は？"]
    three = [row(text, f"{n}.") for n, text in enumerate(texts)]
    report = split(write(tmp_path / "three.jsonl", *three), tmp_path / "three")
    assert report.rows == {"train": 1, "validation": 1, "test": 1}
    assert report.notes == []
    report = split(write(tmp_path / "two.jsonl", *three[:2]), tmp_path / "two")
    assert sum(report.rows.values()) == 2 and "too few" in report.notes[0]
    texts = ["Where is the red kettle?", "where is the red kettle", "Where is the red kettle!"]
    alike = [row(text, f"{n}.") for n, text in enumerate(texts)]
    report = split(write(tmp_path / "alike.jsonl", *alike), tmp_path / "alike")
    assert "near duplicates" in report.notes[0]


@pytest.mark.parametrize("ratios", [(1,), (1, 0), (1, -1, 1), (1, 1, 1, 1), (float("nan"), 1)])
def test_ratios_that_make_no_sense_are_refused(tmp_path, ratios):
    source = write(tmp_path / "rows.jsonl", row("Q?", "A."))
    with pytest.raises(WorkshopError, match="ratios"):
        split(source, tmp_path / "parts", ratios=ratios)


def test_a_folder_with_other_files_is_not_touched(tmp_path):
    source = write(tmp_path / "rows.jsonl", row("Q?", "A."), row("Why?", "So."))
    thesis = tmp_path / "mine" / "thesis.txt"
    thesis.parent.mkdir()
    thesis.write_text("years of work")
    with pytest.raises(WorkshopError, match="other files"):
        split(source, thesis.parent)
    assert thesis.read_text() == "years of work"
