"""Whatever stands in a long text, it takes time by its length: checked, cleaned, imported."""

from __future__ import annotations

import base64
import json
import random
from pathlib import Path

import pytest
from patterns import growth

from workshop_helpers.dataset.checks import check_rows
from workshop_helpers.dataset.checks.clean import clean
from workshop_helpers.dataset.importers import rows_from_faq

RANDOM = base64.b64encode(random.Random(1).randbytes(3000)).decode()
# What a text is made of, over and over: `start` stands before it.
TEXTS = {
    "base64": ("", RANDOM),
    "code": ("", "function(a,b){return(a[b]?a.c(b):{d:1,e:'x'})};"),
    "digits": ("", "0"),
    "numbers": ("", "12-34 "),
    "amounts": ("", "1,200円 "),
    "spaces": ("word", " "),
    "line ends": ("Best regards,", "\n"),
    "greetings": ("", "Regards,\n"),
    "brackets": ("", "["),
    "tags": ("", "<div a="),
    "comments": ("", "<!--"),
    "ticks": ("", "`a\n"),
    "at": ("", "a@"),
    "addresses": ("", "t.tanaka@mail.example.co.jp, "),
    "words": ("", "Aa "),
    "links": ("", "http://a 03-1234-5678 "),
    "full-width": ("", "１"),
}  # fmt: skip


def write_row(path: Path, name: str, size: int) -> Path:
    start, unit = TEXTS[name]
    text = f"{start}{unit * (size // len(unit))} x"
    path.write_text(json.dumps({"question": "What is it?", "answer": text}), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", TEXTS)
def test_a_row_four_times_as_long_takes_no_more_than_that(tmp_path: Path, name: str):
    def check(size: int) -> None:
        path = write_row(tmp_path / f"{size}.jsonl", name, size)
        assert check_rows([path], quick=True, progress=False)

    assert growth(check, 40_000) < 8


@pytest.mark.parametrize("name", ["spaces", "line ends", "addresses", "base64", "links"])
def test_cleaning_takes_time_by_the_length_of_a_row(tmp_path: Path, name: str):
    def repair(size: int) -> None:
        path = write_row(tmp_path / f"{size}.jsonl", name, size)
        assert clean(path, tmp_path / f"{size}-clean.jsonl", mask_personal=True).rows == 1

    assert growth(repair, 20_000) < 8


@pytest.mark.parametrize(
    ("start", "unit", "end"),
    [
        ("<h2>What is it?</h2>", "<p>It is</p>", ""),
        ("<h2>What is it?</h2>", "it <b>is</b> ", ""),
        ("<h2>What is it?</h2><ol>", "<li>It</li>", "</ol>"),
        ("<h2>What is it?</h2><table>", "<tr><td>a<td>b", "</table>"),
        ("<dl>", "<dt>What is it?</dt>", "<dd>It</dd></dl>"),
        ("<dl><dt>What is it?</dt>", "<dd>It</dd>", "</dl>"),
    ],
)
def test_a_page_of_many_parts_takes_time_by_their_number(
    tmp_path: Path, start: str, unit: str, end: str
):
    def read(count: int) -> None:
        path = tmp_path / f"{count}.html"
        path.write_text(start + unit * count + end, encoding="utf-8")
        assert rows_from_faq(path)

    assert growth(read, 500) < 8


def test_tables_in_tables_do_not_double_the_time(tmp_path: Path):
    def read(deep: int) -> None:
        path = tmp_path / f"{deep}.html"
        cell = "<table><tr><td>a<ul><li>b<blockquote>"
        path.write_text(f"<h2>What is it?</h2>{cell * deep}", encoding="utf-8")
        assert rows_from_faq(path)

    assert growth(read, 8) < 8


@pytest.mark.parametrize("start", ["9" * 5000, "-1", "²", "x", "３"])
def test_a_list_that_begins_at_an_absurd_number_is_read(tmp_path: Path, start: str):
    path = tmp_path / "page.html"
    path.write_text(
        f"<h2>What is it?</h2><ol start='{start}'><li>One<li>Two</ol>", encoding="utf-8"
    )
    (row,) = rows_from_faq(path)
    first = "3" if start == "３" else "1"
    assert row.answer.startswith(f"{first}. One")
