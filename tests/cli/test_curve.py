"""`workshop curve` on a small random model: rows kept back, the report, and what is refused."""

from __future__ import annotations

import json

from commands import run, write_rows


def test_a_part_of_the_rows_is_kept_back_and_a_second_run_finds_all(capfd, tiny_model, tmp_path):
    rows = tmp_path / "rows.csv"
    lines = [f"How much is a {n}-litre bucket?,It is ${n}.50." for n in range(10, 60)]
    rows.write_text("\n".join(["question,answer", *lines]), encoding="utf-8")
    out = tmp_path / "made"
    command = ["curve", "--data", rows, "--model", tiny_model, "--out", out, "--quick"]
    command += ["--epochs", "1", "--device", "cpu"]
    code, told, err = run(capfd, *command)
    assert code == 0, err
    asked = len((out / "parts" / "questions.jsonl").read_text(encoding="utf-8").splitlines())
    assert f"4 short trainings on up to {50 - asked} rows, each asked {asked} questions" in err
    assert "about" in err and "before more" not in told
    assert "• A larger model, a higher rank" in told  # a random model learns nothing in an epoch
    assert "Twice the rows" in told and "report.html" in told
    page = (out / "report.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 1 and "A larger model" in page and 'class="rows-curve"' in page

    before = (out / "report.json").read_bytes()
    code, told, err = run(capfd, *command, "--json")
    assert code == 0 and "short training" not in err
    found = json.loads(told)
    assert found["advice"][0]["kind"] == "not-learned" and len(found["trainings"]) == 4
    assert (out / "report.json").read_bytes() == before


def test_what_is_refused_says_why_and_what_to_do(capfd, tiny_model, tmp_path):
    rows = write_rows(tmp_path / "rows.jsonl", 26)
    command = ["curve", "--data", rows, "--model", tiny_model, "--out", tmp_path / "made"]
    code, _, err = run(capfd, *command)
    assert code == 2 and "have facts to score an answer by" in err and "--questions FILE" in err
    code, _, err = run(capfd, *command[:-1], tmp_path, "--questions", rows)
    assert code == 2 and "lies in" in err
    code, _, err = run(capfd, *command, "--questions", tmp_path / "none.jsonl")
    assert code == 2 and "none.jsonl" in err
