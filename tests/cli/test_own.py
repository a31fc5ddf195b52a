"""`workshop try`: rows of one's own all the way, on a small random model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from commands import run

ROWS = "".join(f'How much is item {chr(65 + n)}?,"Item {chr(65 + n)} is $9."\n' for n in range(16))
ASKED = [
    {"question": "And the price of item B?", "facts": ["$9"]},
    {"question": "What does item C cost?", "facts": ["$9"]},
]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own")
    (folder / "rows.csv").write_text(f"question,answer\n{ROWS}", encoding="utf-8")
    lines = "".join(json.dumps(one) + "\n" for one in ASKED)
    (folder / "asked.jsonl").write_text(lines, encoding="utf-8")
    return folder


def walk(capfd, place: Path, tiny_model: Path, *more: object, out: str = "made") -> Any:
    return run(
        capfd, "try", place / "rows.csv", "--questions", place / "asked.jsonl", "--model",
        tiny_model, "--out", place / out, "--to", "Q8_0", "--device", "cpu", *more,
    )  # fmt: skip


def test_it_goes_all_the_way_shows_each_command_and_finds_what_it_made(capfd, place, tiny_model):
    code, out, err = walk(capfd, place, tiny_model)
    assert code == 0, err
    made = place / "made"
    shown = [line.split()[1] for line in out.splitlines() if line.startswith("    workshop")]
    assert shown == ["data", "data", "train", "verify", "merge", "gguf", "quantize"]
    assert f"workshop chat {made}/model-Q8_0.gguf" in out
    report = json.loads((made / "report.json").read_text(encoding="utf-8"))
    assert report["check"]["rows"] == 16 and report["language"] == "en"
    assert [c["label"] for c in report["comparison"]["candidates"]] == ["base", "tuned on 16 rows"]
    page = (made / "report.html").read_text(encoding="utf-8")
    assert "tuned on 16 rows" in page and "id='quantization'" in page

    files = [made / "adapter", made / "model", made / "model-Q8_0.gguf"]
    before = [file.stat().st_mtime_ns for file in files]
    code, out, err = walk(capfd, place, tiny_model, "--json")
    assert code == 0, err
    assert [file.stat().st_mtime_ns for file in files] == before
    assert json.loads(out)["training"]["tuned on 16 rows"]["reused"]


def test_results_of_other_rows_are_replaced_only_when_it_was_agreed(capfd, place, tiny_model):
    rows = place / "rows.csv"
    before = rows.read_text(encoding="utf-8")
    walk_made = (place / "made" / "clean.csv").read_bytes()
    rows.write_text(f"{before}How much is item Z?,Item Z is $9.\n", encoding="utf-8")
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
