"""The terminal of a live talk, driven by keys; what stands on its screen is read."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from made_up_talk import Talk

from workshop_helpers.core.wordings import entries
from workshop_helpers.stage.screen import columns, cut, pad, wrapped

if os.name == "nt":
    pytest.skip("pseudo-terminals", allow_module_level=True)

from terminal_recording import Recording

ROOT = Path(__file__).resolve().parents[2]
RUN = "from workshop_helpers.stage.terminal import run; run(live)"


def recording(talk: Talk, language: str, columns: int, rows: int, **more: object) -> Recording:
    code = talk.program(RUN, language, **more)
    return Recording([sys.executable, "-c", code], columns, rows)


def see(shown: Recording, text: str, **more: object) -> None:
    """Wait until a text stands on the screen."""
    shown.until(re.escape(text), **more)


def colours(shown: Recording, text: str) -> set[str]:
    """The grounds on which a text stands."""
    (row,) = [i for i, line in enumerate(shown.screen.display) if text in line][:1]
    return {cell.bg for cell in shown.screen.buffer[row].values()}


@pytest.mark.parametrize(
    ("language", "width", "height"), [("en", 80, 24), ("ja", 80, 24), ("ja", 120, 40)]
)
def test_a_talk_is_given_by_keys(talk, language, width, height):
    japanese = language == "ja"
    live, label = ("ライブ", "ライブではありません") if japanese else ("live 0", "not live")
    with recording(talk, language, width, height) as shown:
        see(shown, "01 [2]  greeting")
        for text in ("1/3", "0:00", "2:00", "print(MODEL, LANGUAGE, ROWS"):
            assert text in shown.text
        assert "リハーサル" in shown.text if japanese else "rehearsed: 0.0 s" in shown.text
        shown.press("\r")
        see(shown, f"mame {language} 7 挨拶 greeting")
        see(shown, live)
        assert label not in shown.text
        shown.press("\r")
        see(shown, "01 [4]  risky")
        talk.fault.write_text("import time; time.sleep(600)")
        shown.press("\r")
        see(shown, "実行中" if japanese else "RUNNING")
        begin = time.monotonic()
        shown.press("r")
        see(shown, label, most=5)
        assert time.monotonic() - begin < 5
        assert "risky, live" in shown.text and colours(shown, label) >= {"e69f00"}
        shown.press("?")
        see(shown, "now.html")
        shown.press("?")
        see(shown, "risky, live")
        shown.press("s")
        see(shown, "2/3")
        assert "02 [3]  second" in shown.text
        shown.press("q")
        see(shown, "y")
        shown.press("n")
        see(shown, "Enter")
        shown.press("qy")
        shown.program.wait()
        assert shown.program.exitstatus == 0


def test_a_late_section_is_told_in_words_and_colour(talk):
    with recording(talk, "en", 80, 24, minutes=0.06) as shown:
        see(shown, "greeting")
        shown.press("p")
        see(shown, "LATE by")
        assert "d55e00" in colours(shown, "LATE by")
        shown.press("ss")
        see(shown, "3/3")
        assert "Nothing is shown live" in shown.text


def test_a_failure_is_told_with_its_reason_and_the_key(talk):
    talk.fault.write_text("1 / 0")
    with recording(talk, "en", 80, 24) as shown:
        see(shown, "greeting")
        shown.press("\r")
        see(shown, "live 0")
        shown.press("\r\r")
        see(shown, "FAILED")
        assert "ZeroDivisionError" in shown.text
        assert "r shows the rehearsed result" in shown.text
        shown.press("r")
        see(shown, "not live", most=5)


def test_without_a_terminal_the_way_without_is_named(tmp_path):
    workshop = [sys.executable, "-m", "workshop_helpers.cli", "stage", "live"]
    done = subprocess.run(
        workshop, stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 2 and "--unattended" in done.stderr
    more = ["--unattended", "--language", "en", "--runs", str(tmp_path)]
    done = subprocess.run([*workshop, *more], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 2 and "workshop stage rehearse --model mame" in done.stderr


def test_what_the_keys_do_fits_the_smallest_screen():
    for name, texts in entries("stage").items():
        most = {"hint": 79, "quit": 79, "help": 79, "key": 65}.get(name.partition("-")[0])
        for text in texts.values():
            assert most is None or columns(text) <= most, text


def test_text_fits_its_columns():
    text = "豆がコーヒーになる word another"
    for width in range(8, 40):
        assert columns(cut(text, width)) <= width == columns(pad(text, width))
        parts = wrapped(text, width)
        assert all(0 < columns(part) <= width for part in parts)
        assert "".join(parts).replace(" ", "") == text.replace(" ", "")
