"""The bar is for people at a terminal, and for nobody else."""

from __future__ import annotations

import sys

import pytest

from workshop_helpers.core.progress import Bar


def test_a_file_gets_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    with Bar("training", 3, "steps") as bar:
        bar.advance()
        bar.reach(3, note="loss 0.1")
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("unit", "seen"), [("steps", "3/3"), ("bytes", "3/3 bytes")])
def test_a_terminal_gets_one_that_goes_away(
    unit: str, seen: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("FORCE_COLOR", "1")
    with Bar("training", 3, unit, completed=1) as bar:
        bar.advance(2, note="loss 0.1")
        assert bar._progress is not None
        bar._progress.refresh()
    written = capsys.readouterr().err
    assert "training" in written
    assert seen in written
    assert "loss 0.1" in written
    assert written.endswith("\x1b[2K")  # its line is cleared
