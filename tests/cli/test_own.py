"""`workshop try`: rows of one's own all the way, on a small random model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from commands import run

THINGS = {
    "What does a library card cost?": "$9",
    "When do you open?": "8:30",
    "How long may I keep a novel?": "14 days",
    "Is there parking?": "for 90 minutes",
    "Who may use the study room?": "6 people",
    "Do you lend films?": "3 DVDs",
    "How high is the fine for late books?": "$0.20 a day",
    "Can I print something?": "$0.15 a page",
    "On which day are you closed?": "Monday",
    "When does story time begin?": "11:00",
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own")
    rows = "".join(f'{asked},"Here it is: {fact}."\n' for asked, fact in THINGS.items())
    (folder / "rows.csv").write_text(f"question,answer\n{rows}", encoding="utf-8")
    return folder


def walk(capfd, place: Path, tiny_model: Path, *more: object) -> Any:
    return run(
        capfd, "try", place / "rows.csv", "--model", tiny_model, "--out", place / "made", "--to",
        "Q8_0", "--device", "cpu", *more,
    )  # fmt: skip


def test_it_goes_all_the_way_shows_each_command_and_finds_what_it_made(capfd, place, tiny_model):
    code, out, err = walk(capfd, place, tiny_model)
    assert code == 0, err
    made = place / "made"
    shown = [line.split()[1] for line in out.splitlines() if line.startswith("    workshop")]
    assert shown == ["data"] * 3 + ["train", "verify", "merge", "gguf", "quantize"]
    assert f"workshop chat {made}/model-Q8_0.gguf" in out
    report = json.loads((made / "report.json").read_text(encoding="utf-8"))
    assert report["check"]["rows"] == 10 and report["language"] == "en"
    assert [c["label"] for c in report["comparison"]["candidates"]] == ["base", "tuned on 8 rows"]
    assert "2 questions, 2 with facts" in out and "parts/questions.jsonl" in out
    page = (made / "report.html").read_text(encoding="utf-8")
    assert "tuned on 8 rows" in page and "id='quantization'" in page
    assert "does not say" in page  # why an answer is not right

    files = [made / "adapter", made / "model", made / "model-Q8_0.gguf"]
    before = [file.stat().st_mtime_ns for file in files]
    code, out, err = walk(capfd, place, tiny_model, "--json")
    assert code == 0, err
    assert [file.stat().st_mtime_ns for file in files] == before
    assert json.loads(out)["training"]["tuned on 8 rows"]["reused"]


def test_results_of_other_rows_are_replaced_only_when_it_was_agreed(capfd, place, tiny_model):
    rows = place / "rows.csv"
    before = rows.read_text(encoding="utf-8")
    walk_made = (place / "made" / "clean.csv").read_bytes()
    rows.write_text(f"{before}What is item Z?,It is $9.\n", encoding="utf-8")
    code, _, err = walk(capfd, place, tiny_model)
    assert code == 2 and "--yes" in err and "Traceback" not in err
    assert (place / "made" / "clean.csv").read_bytes() == walk_made


def test_rows_with_errors_that_cleaning_does_not_mend_are_refused(capfd, place, tiny_model):
    bad = place / "bad.csv"
    bad.write_text("question,answer\nHow much?,\nHow long?,Two days.\n", encoding="utf-8")
    code, _, err = run(capfd, "try", bad, "--model", tiny_model, "--out", place / "bad-out")
    assert code == 2 and "bad.csv" in err
    assert not (place / "bad-out" / "adapter").exists()


def test_nothing_is_fetched_without_a_yes(capfd, place, monkeypatch):
    """Of own rows in English the packaged model is the better one; here it is not."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(place / "empty"))
    library = Path(__file__).resolve().parents[2] / "data" / "own" / "library.en.csv"
    asked = library.with_name("library.en.questions.jsonl")
    code, out, err = run(capfd, "try", library, "--questions", asked, "--out", place / "library")
    assert code == 2 and "smollm2" in err and "--yes" in err
    assert "lie outside" in out
    assert not (place / "empty").exists()
