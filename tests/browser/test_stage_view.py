"""The stage as a widget in JupyterLab: a scene runs live, one fails and is answered by what was
rehearsed, plainly labelled; by mouse and keyboard, in both languages.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from lab import ROOT, OpenNotebook

LIVE = "from IPython.display import HTML\nHTML(f'<b>豆 {{6 * 7}}</b> <i>live</i>')"
BREAKS = """
from pathlib import Path
if Path({flag!r}).exists():
    raise RuntimeError("the cable is pulled")
print("all is well")
"""
SETUP = """
from pathlib import Path
from workshop_helpers.core.agenda import Section
sections = (
    Section("what", 0.05, ("01_small",), ("first", "breaks")),
    Section("summary", 1, ("01_small",)),
)
notebooks, runs = Path({notebooks!r}), Path({runs!r})
"""
REHEARSE = """
from workshop_helpers.stage.rehearse import rehearse
rehearse("mame", "{language}", runs=runs, notebooks=notebooks, sections=sections)
"""
SHOW = """
from workshop_helpers import stage_view
stage_view("{language}", notebooks=notebooks, runs=runs, sections=sections)
"""
WORDS = {
    "en": {
        "prepare": "Prepare", "start": "Start the clock", "run": "Run", "next": "Next",
        "rehearsal": "Show rehearsed", "back": "Back", "pause": "Pause", "late": "late",
        "live": "run live", "failed": "failed",
        "label": "Rehearsed on", "paused": "paused", "ready": "ready",
    },
    "ja": {
        "prepare": "準備", "start": "時計を開始", "run": "実行", "next": "次へ",
        "rehearsal": "リハーサルの結果を表示", "back": "戻る", "pause": "一時停止", "late": "遅れ",
        "live": "今ここで実行",
        "failed": "失敗", "label": "リハーサルの結果です", "paused": "停止中",
        "ready": "実行できます",
    },
}  # fmt: skip


@pytest.fixture
def small_talk(tmp_path: Path, language: str) -> str:
    """A rehearsed talk of two scenes, and the code that names it; its second scene fails from when
    the file `broken` is there.
    """
    cells = [
        nbformat.v4.new_code_cell(f'LANGUAGE = "{language}"\nMODEL = "mame"'),
        nbformat.v4.new_code_cell(LIVE.format()),
        nbformat.v4.new_code_cell(BREAKS.format(flag=str(tmp_path / "broken")).strip()),
    ]
    for cell, tag in zip(cells, ("parameters", "stage:first", "stage:breaks"), strict=True):
        cell.metadata["tags"] = [tag]
    folder = tmp_path / "notebooks" / ("" if language == "ja" else language)
    folder.mkdir(parents=True)
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / "01_small.ipynb")
    setup = SETUP.format(notebooks=str(tmp_path / "notebooks"), runs=str(tmp_path / "stage"))
    # in a process of its own: the browser has an event loop in this one
    code = setup + REHEARSE.format(language=language)
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, timeout=60)
    return setup


def until(output: Any, what: Callable[[], Any]) -> None:
    for _ in range(200):
        if what():
            return
        output.page.wait_for_timeout(100)
    raise AssertionError(f"nothing came of it: {output.text}")


def test_a_talk_is_given_from_a_notebook(
    browser: Any, lab: Any, language: str, small_talk: str, tmp_path: Path
) -> None:
    words = WORDS[language]
    name = f"stage-{language}.ipynb"
    codes = (small_talk, SHOW.format(language=language))
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(code.strip()) for code in codes],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )
    nbformat.write(notebook, lab.folder / name)
    opened = OpenNotebook(browser, lab, name)
    opened.run_all()
    shown = opened.output("stage_view")

    def button(key: str) -> Any:
        return shown.area.get_by_role("button", name=words[key], exact=True)

    def sees(*parts: str) -> None:
        until(shown, lambda: all(part in shown.text for part in parts))

    shown.press(button("prepare"), "Enter")
    sees(words["ready"], "01 [2]")
    shown.press(button("start"), "Enter")
    shown.click(button("run"))
    sees("豆 42", words["live"])
    assert words["label"] not in shown.text
    sees("⚠", words["late"])  # the section has three seconds

    (tmp_path / "broken").touch()
    shown.press(button("next"), "Enter")
    sees("01 [3]", words["ready"])
    shown.click(button("run"))
    sees(words["failed"], "the cable is pulled")
    shown.press(button("rehearsal"), "Enter")
    sees(words["label"], "all is well")
    shown.photograph(f"stage-rehearsed-{language}")

    shown.click(button("back"))
    sees("01 [2]")
    assert words["label"] not in shown.text
    shown.press(button("pause"), "Enter")
    sees(words["paused"])
    opened.check()
    opened.close()
