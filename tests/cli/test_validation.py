"""`workshop train --validation --early-stopping`: what is told, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import run, write_rows


@pytest.fixture
def command(tmp_path: Path, tiny_model: Path) -> list[object]:
    data = write_rows(tmp_path / "rows.jsonl")
    return ["train", "--model", tiny_model, "--data", data, "--out", tmp_path / "a",
            "--epochs", 6, "--lr", 0.05, "--device", "cpu"]  # fmt: skip


def test_the_best_epoch_and_the_end_are_told(
    capfd: pytest.CaptureFixture[str], command: list[object], tmp_path: Path
) -> None:
    row = {"instruction": "Until when are you open?", "input": "", "output": "Until 8 pm."}
    other = tmp_path / "other.jsonl"
    other.write_text(json.dumps(row), encoding="utf-8")
    checked = [*command, "--validation", other, "--early-stopping"]
    code, out, err = run(capfd, *checked)
    assert code == 0, err
    assert "lowest loss" in out and "whose adapter this is" in out
    code, out, _ = run(capfd, *checked, "--json")
    told = json.loads(out)
    assert told["reused"] and told["validation"]["patience"] == 2
    losses = [loss for _, _, loss in told["validation"]["losses"]]
    assert told["validation"]["best_step"] == 2 * (losses.index(min(losses)) + 1)


def test_no_rows_to_judge_by_and_rows_that_are_trained_on_are_refused(
    capfd: pytest.CaptureFixture[str], command: list[object], tmp_path: Path
) -> None:
    for more, said in (
        (["--early-stopping", 2], "needs rows to judge by"),
        (["--validation", tmp_path / "rows.jsonl"], "8 of the 8 validation rows"),
        (["--validation", tmp_path / "absent.jsonl"], "absent.jsonl"),
        (["--validation", tmp_path / "rows.jsonl", "--early-stopping", 0], "--early-stopping"),
    ):
        code, out, err = run(capfd, *command, *more)
        assert (code, out) == (2, "") and said in err
    assert not (tmp_path / "a").exists()
