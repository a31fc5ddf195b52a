"""A rehearsal keeps what every cell gave; it goes on where it stopped, and says what is stale."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from made_up_talk import GREETING, SECTIONS, WIDGET, Talk

from workshop_helpers.core.agenda import Section
from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.core.jsonio import read_json
from workshop_helpers.stage.cells import make_plan
from workshop_helpers.stage.rehearse import rehearse
from workshop_helpers.stage.store import Rehearsal, machine_line
from workshop_helpers.stage.unattended import give


def problems(talk: Talk) -> list[tuple[str, str]]:
    plan = make_plan("en", talk.notebooks, SECTIONS)
    found = Rehearsal.load("mame", "en", talk.runs).problems(plan)
    return [(problem.scene.name, problem.code) for problem in found]


def times(talk: Talk) -> dict[str, int]:
    """When each result was written."""
    files = talk.stage().glob("rehearsal/*/*.json")
    return {f"{file.parent.name}/{file.name}": file.stat().st_mtime_ns for file in files}


def test_scenes_and_what_they_need_run_with_the_models_and_languages_parameters(talk):
    for language in ("en", "ja"):
        kept = Rehearsal.load("mame", language, talk.runs)
        assert kept.result("greeting").text == f"mame {language} 7 挨拶 greeting"
        assert kept.result("risky").text == "risky, live"
        assert kept.result("second").machine == machine_line()
    assert problems(talk) == []
    assert kept.result("second").made in str(read_json(next(talk.stage("ja").glob(
        "rehearsal/02_second/c3-*.json"))))  # fmt: skip


def test_of_a_widget_its_text_and_html_are_kept(talk):
    (output,) = Rehearsal.load("mame", "en", talk.runs).result("after").outputs
    assert set(output["data"]) == {"text/plain", "text/html"}
    assert output["data"]["text/html"] == "<b>yes</b>" and WIDGET not in output["data"]


def test_the_label_says_when_and_where_and_that_it_is_not_live(talk):
    result = Rehearsal.load("mame", "en", talk.runs).result("risky")
    english, japanese = result.label.said("en"), result.label.said("ja")
    assert result.made[:4] in english and machine_line() in english and "not live" in english
    assert machine_line() in japanese and "リハーサル" in japanese


def test_what_a_notebook_makes_lies_in_a_folder_of_the_stage(talk, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert (talk.stage() / "work" / "shared" / "made.txt").is_file()
    assert list(tmp_path.iterdir()) == []


def test_a_second_rehearsal_runs_only_what_has_changed(tmp_path):
    talk = Talk(tmp_path)
    talk.write()
    assert [n.kept for n in talk.rehearse().notebooks] == [False, False]
    before = times(talk)
    assert [n.kept for n in talk.rehearse().notebooks] == [True, True]
    assert times(talk) == before

    talk.write(second='print("second, newer")')
    assert problems(talk) == [("second", "changed")]
    assert [n.kept for n in talk.rehearse().notebooks] == [True, False]
    assert problems(talk) == []
    assert Rehearsal.load("mame", "en", talk.runs).result("second").text == "second, newer"
    after = times(talk)
    assert {name for name in before if before[name] != after.get(name)} == {
        name for name in before if name.startswith("02_second")
    }

    talk.write(greeting=GREETING + "\n", second='print("second, newer")')
    found = [("greeting", "changed"), ("risky", "changed-above"), ("after", "changed-above")]
    assert problems(talk) == found
    # another number of rows is another rehearsal, of all notebooks
    assert [n.kept for n in talk.rehearse(rows=3).notebooks] == [False, False]
    assert " 3 " in Rehearsal.load("mame", "en", talk.runs).result("greeting").text


def test_a_cell_that_fails_ends_its_notebook_and_the_others_still_run(tmp_path):
    talk = Talk(tmp_path)
    talk.write()
    talk.fault.write_text("1 / 0")
    report = talk.rehearse()
    first, second = report.notebooks
    assert not report.complete and first.failed == 4 and "ZeroDivisionError" in first.error.said()
    assert second.error is None
    assert problems(talk) == [("risky", "missing"), ("after", "missing")]
    talk.fault.write_text("")
    again = talk.rehearse()
    assert again.complete and [n.kept for n in again.notebooks] == [False, True]


def test_what_lies_where_a_rehearsal_begins_is_removed(tmp_path, monkeypatch):
    """A result that is there already would make its cell quicker than it is."""
    talk = Talk(tmp_path)
    talk.write()
    made = talk.stage() / "work" / "shared" / "made.txt"
    talk.rehearse()
    talk.write(second="print(1)")
    talk.rehearse()
    assert made.read_text() == "x"
    talk.rehearse(anew=True)
    assert made.read_text() == "x"
    for module in ("store", "rehearse", "live"):
        monkeypatch.setattr(f"workshop_helpers.stage.{module}.TRAIN_LIVE", ("01_first",))
    trained = talk.stage() / "work" / "01_first" / "made.txt"
    talk.rehearse(anew=True)
    assert trained.read_text() == "x" and not made.exists()
    for _ in range(2):
        with talk.live() as live:
            give(live)
        assert trained.read_text() == "x"


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_a_killed_rehearsal_goes_on_where_it_stopped(tmp_path):
    talk = Talk(tmp_path)
    talk.write(
        second=f'open(r"{tmp_path}/reached", "w")\nexec(open(r"{tmp_path}/fault.py").read())'
    )
    talk.fault.write_text("")
    code = (
        f"import sys; sys.path[:0] = [{str(Path(__file__).parents[1] / 'support')!r}]\n"
        "from pathlib import Path\nfrom made_up_talk import Talk\n"
        f"talk = Talk(Path({str(tmp_path)!r}))\n"
        "hear = lambda n: talk.fault.write_text('import time; time.sleep(60)')\n"
        "talk.rehearse(hear=hear)\n"
    )
    program = subprocess.Popen([sys.executable, "-c", code])
    end = time.monotonic() + 60
    while not (tmp_path / "reached").exists() and time.monotonic() < end:
        time.sleep(0.1)
    program.send_signal(signal.SIGKILL)
    program.wait()
    before = {name: time for name, time in times(talk).items() if name.startswith("01_first")}
    assert before
    assert problems(talk) == [("second", "missing")]
    talk.fault.write_text("")
    assert [n.kept for n in talk.rehearse().notebooks] == [True, False]
    assert problems(talk) == []
    assert {name: time for name, time in times(talk).items() if name in before} == before


def test_a_folder_of_other_things_is_left_alone(tmp_path):
    talk = Talk(tmp_path)
    talk.write()
    (talk.stage() / "work" / "shared").mkdir(parents=True)
    precious = talk.stage() / "work" / "shared" / "thesis.txt"
    precious.write_text("mine")
    with pytest.raises(WorkshopError, match="holds other files"):
        talk.rehearse()
    assert precious.read_text() == "mine"


def test_without_a_rehearsal_the_command_is_named(tmp_path):
    with pytest.raises(WorkshopError, match="workshop stage rehearse --model mame --language ja"):
        Rehearsal.load("mame", "ja", tmp_path)


def test_a_real_notebook_is_rehearsed(tmp_path):
    """Chapter 3, which trains nothing: text, tables, and a widget."""
    names = ("row", "rows-checked", "loss-tokens")
    sections = (Section("practice", 10, ("03_training_data",), names),)
    report = rehearse("mame", "ja", runs=tmp_path, sections=sections)
    assert report.complete, [n.error for n in report.notebooks]
    kept = Rehearsal.load("mame", "ja", tmp_path)
    assert kept.problems(make_plan("ja", sections=sections)) == []
    assert kept.result("row").text.startswith("Q: ")
    for name in names[1:]:
        (output,) = kept.result(name).outputs
        assert "text/html" in output["data"] and WIDGET not in output["data"]
        assert kept.result(name).text.strip()
