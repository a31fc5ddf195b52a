"""`workshop data …`: the grammar, the exit codes, and what is printed."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from pathlib import Path

import pytest
from commands import run as in_process
from commands import write_rows

from workshop_helpers.cli.data import add_data_verbs
from workshop_helpers.core.artifacts import data_path
from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.core.wordings import say
from workshop_helpers.dataset.checks import check_rows
from workshop_helpers.display.findings import findings_html, findings_table, write_findings

CLEAN_ROWS = "".join(
    json.dumps({"instruction": f"What is number {n}?", "output": f"{n * 7} is what it stands for."})
    + "\n"
    for n in range(210)
)


@pytest.fixture
def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="workshop")
    add_data_verbs(made.add_subparsers())
    return made


@pytest.fixture
def run(parser):
    def call(*words: object) -> int:
        args = parser.parse_args(["data", *map(str, words)])
        return args.run(args)

    return call


@pytest.fixture
def dirty(tmp_path) -> Path:
    path = tmp_path / "dirty.jsonl"
    rows = [
        ("送料はいくらですか？", "通常配送の送料は500円です。"),
        ("送料はいくらですか？", "通常配送の送料は650円です。"),
        ("空は<b>なぜ</b>青い？", "光の散乱のためです。<script>alert(1)</script>"),
        ("担当者は？", "連絡先は taro.yamada@mame-mart.com です。"),
    ]
    path.write_text(
        "".join(
            json.dumps({"instruction": q, "output": a}, ensure_ascii=False) + "\n" for q, a in rows
        )
        + "{broken\n",
        encoding="utf-8",
    )
    return path


def test_the_exit_code_of_check_tells_how_bad_it_is(run, tmp_path, dirty, capsys):
    clean = tmp_path / "clean.jsonl"
    clean.write_text(CLEAN_ROWS, encoding="utf-8")
    few = tmp_path / "few.jsonl"
    few.write_text("".join(CLEAN_ROWS.splitlines(True)[:3]), encoding="utf-8")
    assert run("check", clean, "--quick") == 0
    assert run("check", few, "--quick") == 1
    assert run("check", dirty, "--quick") == 2
    assert "taro.yamada" not in capsys.readouterr().out


def test_json_is_one_object_on_standard_output(run, dirty, capsys):
    assert run("check", dirty, "--quick", "--json") == 2
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"findings", "summary"}
    assert found["summary"]["rows"] == 4
    assert found["summary"]["counts"]["contradicting-fact"] == 1
    clash = next(f for f in found["findings"] if f["rule"] == "contradicting-fact")
    assert (clash["line"], clash["other_line"]) == (2, 1)


def test_against_and_facts_are_handed_on(run, tmp_path, capsys):
    rows = data_path("shop", "train.ja.jsonl")
    held = tmp_path / "held.jsonl"
    question = json.loads(rows.read_text(encoding="utf-8").splitlines()[0])["instruction"]
    held.write_text(json.dumps({"question": question}) + "\n", encoding="utf-8")
    facts = data_path("shop", "facts.yaml")
    command = ["check", rows, "--quick", "--json", "--against", held, "--facts", facts]
    assert run(*command) == 2
    found = json.loads(capsys.readouterr().out)["findings"]
    assert {f["rule"] for f in found if f["severity"] == "error"} == {"leakage"}


@pytest.mark.parametrize("option", ["--max-length", "--tokens-per-second", "--price-per-hour"])
def test_options_below_zero_are_mistakes_in_words(run, dirty, option, capsys):
    with pytest.raises(SystemExit) as stop:
        run("check", dirty, "--quick", f"{option}=-1")
    assert stop.value.code == 2
    assert re.search(
        f"argument {option}: -1 is not (above 0|a whole number)", capsys.readouterr().err
    )


def test_the_report_never_overwrites_the_rows(run, dirty):
    with pytest.raises(WorkshopError, match="another name"):
        run("check", dirty, "--quick", "--html", dirty)
    assert dirty.read_text(encoding="utf-8").startswith("{")


def test_clean_split_and_convert_say_what_they_did(run, tmp_path, dirty, capsys):
    assert run("clean", dirty, tmp_path / "clean.jsonl", "--skip-faults", "--mask") == 0
    assert "4 of 4 rows" in capsys.readouterr().out
    parts = ["--out", tmp_path / "parts", "--ratios", "1:1", "--json"]
    assert run("split", tmp_path / "clean.jsonl", *parts) == 0
    assert sum(json.loads(capsys.readouterr().out)["rows"].values()) == 4
    assert run("convert", tmp_path / "clean.jsonl", tmp_path / "rows.csv") == 0
    assert "4 rows" in capsys.readouterr().out


def test_rows_are_made_from_a_table_and_from_code(run, tmp_path, capsys):
    table = tmp_path / "faq.csv"
    table.write_text("質問,回答\n送料は？,500円です。\n", encoding="utf-8")
    assert run("from-csv", table, tmp_path / "rows.jsonl") == 0
    assert "500円です。" in (tmp_path / "rows.jsonl").read_text(encoding="utf-8")
    code = tmp_path / "code.py"
    code.write_text('def double(n):\n    """Give back twice the number n."""\n    return 2 * n\n')
    assert run("from-python", code, tmp_path / "code.jsonl") == 0
    assert "return 2 * n" in (tmp_path / "code.jsonl").read_text(encoding="utf-8")
    assert "data check" in capsys.readouterr().out


def test_every_verb_has_help(parser, capsys):
    verbs = "check clean split convert preview from-csv from-faq from-python synthesize"
    for verb in verbs.split():
        with pytest.raises(SystemExit) as stop:
            parser.parse_args(["data", verb, "--help"])
        assert stop.value.code == 0
        assert "usage: workshop data" in capsys.readouterr().out


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_html_report_is_whole_and_loads_nothing(dirty, tmp_path, language):
    report = check_rows(dirty, quick=True, progress=False)
    text = write_findings(report, tmp_path / "report.html", language).read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>") and text.rstrip().endswith("</html>")
    assert "<script" not in text and "http" not in text.replace("http-equiv", "")
    assert "&lt;script&gt;" in text
    assert "taro.yamada@mame-mart.com" not in text
    for rule in report.counts:
        assert f'id="{rule}"' in text
    assert "<mark>650円</mark>" in text
    assert say("findings.verdict-error", language) in text


def test_a_clean_set_is_told_so_in_both_languages(tmp_path):
    path = tmp_path / "clean.jsonl"
    path.write_text(CLEAN_ROWS, encoding="utf-8")
    report = check_rows(path, quick=True, progress=False)
    assert report.findings == []
    for language in ("en", "ja"):
        assert say("findings.verdict-clean", language) in findings_html(report, language)


def test_the_terminal_shows_no_raw_control_characters(tmp_path):
    from rich.console import Console

    path = tmp_path / "rows.jsonl"
    path.write_text(
        json.dumps({"instruction": "Colour?", "output": "It is \x1b[31mred\x1b[0m."}),
        encoding="utf-8",
    )
    console = Console(width=100)
    with console.capture() as shown:
        console.print(findings_table(check_rows(path, quick=True, progress=False)))
    assert "\x1b[31mred" not in shown.get()
    assert "control-character" in shown.get()


@pytest.mark.skipif(os.name == "nt" or sys.platform == "darwin", reason="names are Unicode here")
@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".xlsx", ".parquet"])
def test_file_names_that_are_not_utf8_work(tmp_path, capfd, suffix):
    folder = tmp_path / os.fsdecode(b"d\xff")
    rows = write_rows(folder / os.fsdecode(b"r\xe9.jsonl"))
    made = folder / os.fsdecode(b"made\xff") / f"rows{suffix}"
    for command in (
        ["data", "convert", rows, made],
        ["data", "convert", made, folder / "again.jsonl"],
        ["data", "clean", made, folder / f"clean{suffix}", "--json"],
        ["data", "split", rows, "--out", folder / os.fsdecode(b"parts\xff")],
    ):
        code, _, err = in_process(capfd, *command)
        assert code == 0, err
    report = folder / os.fsdecode(b"report\xff.html")
    code, _, err = in_process(capfd, "data", "check", rows, "--quick", "--html", report)
    assert code == 1 and report.is_file(), err  # too few rows
    code, _, err = in_process(capfd, "train", "--model", "mame", "--data", rows, "--out", folder)
    assert code == 2 and "is not UTF-8" in err
