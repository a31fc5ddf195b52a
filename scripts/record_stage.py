"""Record the README's animated pictures of the stage: docs/images/stage.{en,ja}.gif.

    make recording                                                both languages
    python scripts/record_stage.py --languages en --stills DIR    and pictures of it to look at

`workshop stage live` runs in a terminal of its own and is typed to: a scene runs live, the section
becomes late, and a training whose kernel is killed is answered by the rehearsed result. The agenda
is shortened so that the warning comes soon, and long waits are shown as a time lapse, which the
clock on the screen tells. A talk that was not rehearsed is rehearsed first, which takes minutes.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

from terminal_recording import Recording, save_gif, stills

from workshop_helpers.core.wordings import say

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
LANGUAGES = ("en", "ja")
MOST_BYTES, MOST_SECONDS = 1_500_000, 25.0
SIZE = (90, 28)  # columns and lines
MINUTES = 5  # of the whole agenda: the section that is shown has one
SECTION, NOTEBOOK = "practice", "04_lora_training"
# Its scenes, and for how many seconds the result of each is looked at; the last one is killed.
SCENES = {"row": 1.8, "rows-checked": 1.2, "loss-tokens": 0.6, "train-10": 0.6, "train-100": 4.0}


def workshop(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "workshop_helpers.cli", *arguments]


def kill_kernel(recording: Recording, notebook: str) -> None:
    """End the kernel of a notebook, which works in a folder of this name, as a crash would."""
    import psutil

    program = psutil.Process(recording.program.pid)
    for process in program.children(recursive=True):
        if Path(process.cwd()).name == notebook and "ipykernel_launcher" in process.cmdline():
            process.kill()
            return
    raise LookupError(f"no kernel works in a folder {notebook}")


def record(language: str, runs: Path) -> Recording:
    """The talk from the section SECTION on, given by this script."""
    command = workshop(
        *("stage", "live", "--language", language, "--runs", str(runs)),
        *("--minutes", str(MINUTES), "--section", SECTION),
    )
    colours = {"PROMPT_TOOLKIT_COLOR_DEPTH": "DEPTH_24_BIT"}
    with Recording(command, *SIZE, colours) as recording:
        give(recording, language)
    return recording


def give(recording: Recording, language: str) -> None:
    """What the presenter does, and how long it is looked at."""

    def until(scene: str, state: str, most: float = 60, shown: float | None = 1.0) -> None:
        told = re.escape(say(f"stage.state-{state}", language))
        recording.until(rf"^ \d\d \[\d+\]  {scene} .*{told}", most, shown)

    *before, last = SCENES
    for place, scene in enumerate(SCENES):
        if place:
            recording.press("\r")  # to the next one
        until(scene, "waiting", shown=0.5)
        recording.watch(0.5)
        recording.press("\r")
        if scene in before:
            until(scene, "live", most=300)
            recording.watch(SCENES[scene])
        if scene == before[-1]:
            late = re.escape(say("stage.late", language, time="").strip())
            recording.until(late, most=300, shown=2.5)
            recording.watch(1.0)
    until(last, "running")
    recording.watch(1.5)
    kill_kernel(recording, NOTEBOOK)
    until(last, "failed")
    recording.watch(2.0)
    recording.press("r")
    until(last, "rehearsed", most=5)
    recording.watch(SCENES[last])


def rehearsed(language: str, runs: Path) -> None:
    """Rehearse what was not; nothing runs where it was."""
    subprocess.run(
        workshop("stage", "rehearse", "--language", language, "--runs", str(runs)),
        check=True,
        cwd=ROOT,
    )


def check(recording: Recording, file: Path) -> None:
    """Is it what a README can show? SystemExit where it is not."""
    seconds = sum(frame.seconds for frame in recording.frames)
    size = file.stat().st_size
    print(f"{file}: {seconds:.1f} s, {len(recording.frames)} frames, {size / 1e6:.2f} MB")
    if seconds > MOST_SECONDS or size > MOST_BYTES:
        raise SystemExit(f"{file} is too long or too large for a README")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--languages", nargs="+", choices=LANGUAGES, default=list(LANGUAGES))
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "stage")
    parser.add_argument("--stills", type=Path, metavar="DIR", help="a picture a second, into DIR")
    args = parser.parse_args(arguments)
    for language in args.languages:
        rehearsed(language, args.runs)
        recording = record(language, args.runs)
        file = IMAGES / f"stage.{language}.gif"
        save_gif(recording.frames, file)
        if args.stills:
            args.stills.mkdir(parents=True, exist_ok=True)
            for second, picture in enumerate(stills(recording.frames, range(1, 26))):
                picture.save(args.stills / f"stage-{language}-{second + 1:02d}.png")
        check(recording, file)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
