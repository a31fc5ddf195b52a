"""The recorder of the README's animated pictures: what a program shows, typed to and drawn."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest.importorskip("pexpect")
pytest.importorskip("pyte")
if sys.platform == "win32":
    pytest.skip("Windows has no such terminals", allow_module_level=True)

import terminal_recording
from PIL import Image
from terminal_recording import GROUND, HIGH, MARGIN, WIDE, Frame, Recording, lapse

PROGRAM = r"""
import sys, termios, time, tty
tty.setraw(sys.stdin)
write = lambda text: print(text, end="", flush=True)
write("\x1b[2J\x1b[H\x1b[1m豆\x1b[0m\x1b[31mred\x1b[0m \x1b[7mx\x1b[0m")
key = sys.stdin.read(1)
for count in range(8):
    write(f"\x1b[3;1Hwaits {count}")
    time.sleep(0.15)
write(f"\x1b[2;1Hkey {key} done")
time.sleep(30)
"""


@pytest.fixture(scope="module")
def recorded() -> Recording:
    with Recording([sys.executable, "-c", PROGRAM], columns=20, rows=4) as recording:
        recording.until("red x", most=20)
        recording.press("k")
        recording.until("^key . done$", most=20, shown=0.4)
        recording.watch(0.3)
    return recording


def test_a_program_reads_the_keys_and_a_long_wait_is_shown_as_a_time_lapse(recorded):
    assert recorded.text.splitlines()[:3] == ["豆red x", "key k done", "waits 7"]
    waited = [frame for frame in recorded.frames if "waits" in text(frame)]
    assert 0.3 < sum(frame.seconds for frame in waited) < 1.0  # of 1.2 and 0.3 seconds
    assert "waits 7" in text(waited[-1])


def text(frame: Frame) -> str:
    return "\n".join("".join(cell.data for cell in line) for line in frame.lines)


def test_a_screen_that_does_not_come_is_told_with_what_stood_there_instead():
    with (
        Recording([sys.executable, "-c", "print('other')"], columns=20, rows=4) as recording,
        pytest.raises(TimeoutError, match=r"'this' was not seen:\nother"),
    ):
        recording.until("this", most=1)


def test_a_time_lapse_keeps_its_length_and_its_last_frame():
    frames = [Frame(((n,),), 0.1) for n in range(100)]
    short = lapse(frames, 0.1)
    assert sum(frame.seconds for frame in short) == pytest.approx(1.0)
    assert len(short) < 12 and short[-1].lines == frames[-1].lines


def area(picture: Image.Image, column: int, row: int, cells: int = 1) -> Image.Image:
    left, top = MARGIN + column * WIDE, MARGIN + row * HIGH
    return picture.crop((left, top, left + cells * WIDE, top + HIGH))


@pytest.mark.skipif(not Path("/usr/bin/fc-match").exists(), reason="fonts are found by fontconfig")
def test_the_picture_has_wide_characters_colours_and_every_frame(recorded, tmp_path):
    try:
        terminal_recording.faces(False)
    except LookupError as missing:
        pytest.skip(str(missing))
    picture = terminal_recording.draw(recorded.frames[-1].lines)
    assert picture.size == (20 * WIDE + 2 * MARGIN, 4 * HIGH + 2 * MARGIN)
    wide, red = area(picture, 0, 0, 2), area(picture, 2, 0)
    assert all(len(set(half.getdata())) > 2 for half in (area(picture, n, 0) for n in (0, 1)))
    assert max(red.getdata())[0] > 2 * max(red.getdata())[2] > 0
    assert max(wide.getdata()) == (230, 233, 236)
    assert area(picture, 6, 0).getpixel((0, 0)) == (230, 233, 236)  # reversed
    assert set(area(picture, 10, 0).getdata()) == {tuple(bytes.fromhex(GROUND[1:]))}

    file = tmp_path / "recorded.gif"
    terminal_recording.save_gif(recorded.frames, file)
    with Image.open(file) as made:
        assert made.info["loop"] == 0  # without end
        assert made.n_frames == len(recorded.frames) > 2
        durations = []
        for place in range(made.n_frames):
            made.seek(place)
            durations.append(made.info["duration"] / 1000)
    assert durations == pytest.approx([f.seconds for f in recorded.frames], abs=0.02)


def test_a_font_that_is_not_there_is_named_with_the_way_to_it():
    if not Path("/usr/bin/fc-match").exists():
        pytest.skip("fonts are found by fontconfig")
    with pytest.raises(LookupError, match="No Such Mono is not installed.*apt install"):
        terminal_recording._face("No Such Mono:bold", 10)
