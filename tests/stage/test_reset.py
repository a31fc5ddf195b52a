"""`workshop stage reset`: what is the stage's own goes, and everything else stays."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest
from commands import run

from workshop_helpers.core.artifacts import claim
from workshop_helpers.core.cards import read_card, write_card
from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.runtimes.ollama.client import Ollama
from workshop_helpers.runtimes.ollama.prompted import prompted
from workshop_helpers.runtimes.places import OnOllama
from workshop_helpers.stage import store
from workshop_helpers.stage.own import DEMO, OLLAMA_RECORD, OwnFolder
from workshop_helpers.stage.reset import Reset, plan_reset

NOTEBOOK = "04_lora_training"


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """The runs of a presenter: a rehearsed and given talk, a demo, and what notebooks made."""
    runs = tmp_path / "runs"
    stage = runs / "stage" / "mame-ja"
    store.start_stage(stage, {"MODEL": "mame", "LANGUAGE": "ja"})
    result = store.Result(NOTEBOOK, "a1", 1, "train-10", "f00", (), 1.0, store.now(), "a laptop")
    store.keep(stage, result)
    store.write_card_in(stage / "rehearsal" / NOTEBOOK, {"kind": store.REHEARSAL_KIND})
    work = store.work_folder(stage, NOTEBOOK)
    (work / "runs" / "mame-ja" / "tuned-10").mkdir(parents=True)
    (work / "runs" / "mame-ja" / "tuned-10" / "adapter_model.safetensors").write_bytes(b"1" * 99)
    (stage / "live.jsonl").write_text("{}\n")
    (stage / "now.html").write_text("<p>now</p>")
    demo = OwnFolder.open(runs / "demo1", DEMO, "demo1")
    adapter = demo.path / "mame-ja" / "tuned-10"
    demo.begin(adapter)
    adapter.mkdir(parents=True)
    (adapter / "adapter_model.safetensors").write_bytes(b"1" * 99)
    write_card(adapter, {"kind": "adapter"})
    demo.made(adapter)
    theirs = runs / "mame-ja" / "tuned-100"
    theirs.mkdir(parents=True)
    write_card(theirs, {"kind": "adapter"})
    return runs


def planned(runs: Path, *, everything: bool = False) -> Reset:
    return plan_reset(runs / "stage", [runs], everything=everything)


def files(folder: Path) -> set[str]:
    """All files but the empty ones that mark a folder as in use."""
    paths = folder.rglob("*")
    return {p.relative_to(folder).as_posix() for p in paths if p.is_file() and p.suffix != ".lock"}


def said(lines: object) -> str:
    return "\n".join(str(line) for line in lines)  # type: ignore[attr-defined]


def test_work_log_and_demos_go_and_the_rehearsal_stays(runs: Path) -> None:
    reset = planned(runs)
    told = said(reset.lines())
    assert "live.jsonl" in told and f"work/{NOTEBOOK}" in told and "demo1" in told
    assert "rehearsal" not in told and "mame-ja/tuned-100" not in told
    assert reset.carry_out() == []
    assert files(runs) == {
        "mame-ja/tuned-100/card.json",
        "stage/mame-ja/card.json",
        f"stage/mame-ja/rehearsal/{NOTEBOOK}/a1.json",
        f"stage/mame-ja/rehearsal/{NOTEBOOK}/card.json",
    }
    assert not (runs / "demo1").exists() and not (runs / ".demo1.lock").exists()
    assert store.Rehearsal.load("mame", "ja", runs / "stage").result("train-10")
    assert planned(runs).empty


def test_all_takes_the_rehearsal_too_and_nothing_of_attendees(runs: Path) -> None:
    assert planned(runs, everything=True).carry_out() == []
    assert files(runs) == {"mame-ja/tuned-100/card.json"}
    assert not (runs / "stage" / "mame-ja").exists()


def test_files_of_people_in_our_folders_stay_and_are_named(runs: Path) -> None:
    stage, adapter = runs / "stage" / "mame-ja", runs / "demo1" / "mame-ja" / "tuned-10"
    (stage / "speech.txt").write_text("Good evening!")
    (stage / "rehearsal" / NOTEBOOK / "notes.json").write_text('{"my": "notes"}')
    (adapter / "notes.txt").write_text("Loss was 0.7")
    (adapter / "adapter_model.safetensors").write_bytes(b"trained on my own rows, later")
    (runs / "stage" / "photos").mkdir()
    (runs / "stage" / "photos" / "hall.jpg").write_bytes(b"hall")
    (runs / "demo2").mkdir()
    (runs / "demo2" / "mine.gguf").write_bytes(b"no card, not ours")
    left = said(planned(runs, everything=True).carry_out())
    for path in ("speech.txt", "notes.json", "notes.txt", "adapter_model.safetensors", "photos"):
        assert path in left
    assert {
        "stage/mame-ja/speech.txt", f"stage/mame-ja/rehearsal/{NOTEBOOK}/notes.json",
        "stage/photos/hall.jpg", "demo1/mame-ja/tuned-10/notes.txt", "demo2/mine.gguf",
        "demo1/mame-ja/tuned-10/adapter_model.safetensors",
    } < files(runs)  # fmt: skip
    assert not (adapter / "card.json").exists()
    # The folder is still known for ours, and clears itself once they have taken their things.
    for name in ("notes.txt", "adapter_model.safetensors"):
        (adapter / name).unlink()
    planned(runs).carry_out()
    assert not (runs / "demo1").exists()


def test_what_a_killed_demo_left_half_done_goes_too(runs: Path) -> None:
    demo = OwnFolder.open(runs / "demo3", DEMO, "demo3")
    out = demo.path / "mame-ja" / "tuned-100"
    demo.begin(out)
    (out.parent / ".tuned-100.training" / "checkpoint-5").mkdir(parents=True)
    (out.parent / ".tuned-100.tmp-1-2-3").mkdir()
    (out.parent / ".tuned-100.lock").touch()
    (out.parent / ".mine").write_text("a hidden file of mine")
    assert ".mine" in said(planned(runs).carry_out())
    assert [p.name for p in out.parent.iterdir()] == [".mine"]


def test_a_reset_that_ended_in_the_middle_goes_on(runs: Path) -> None:
    work = runs / "stage" / "mame-ja" / "work" / NOTEBOOK
    shutil.rmtree(work / "runs")
    (runs / "demo1" / "mame-ja" / "tuned-10" / "adapter_model.safetensors").unlink()
    with claim(runs / "demo1"), pytest.raises(WorkshopError, match="Another run is at work"):
        planned(runs).carry_out()
    assert not work.exists() and read_card(runs / "demo1")
    assert planned(runs).carry_out() == []
    assert not (runs / "demo1").exists()


def test_a_folder_where_a_run_is_at_work_is_not_touched(runs: Path) -> None:
    before = files(runs)
    with claim(runs / "stage" / "mame-ja"), pytest.raises(WorkshopError, match="at work"):
        planned(runs).carry_out()
    assert files(runs) == before


def test_models_in_ollama_go_by_the_record_and_only_as_they_were_made(
    runs: Path, ollama_host: str, mame_gguf: Path
) -> None:
    plain = prompted(mame_gguf)
    one = OnOllama("of the test", "en", host=ollama_host, parameters={"num_thread": 1})
    one.record = runs / "demo1" / OLLAMA_RECORD
    for name in ("reset-ours", "reset-changed"):
        one.keep(one.create(name, plain))
    other = OnOllama("of the test", "en", host=ollama_host, parameters={"num_thread": 1})
    with OnOllama("of the test", "en", host=ollama_host) as gone:
        gone.record = one.record
        gone.create("reset-gone-already", plain)
    for name in ("reset-changed", "reset-of-an-attendee"):
        other.create(name, plain.setting(temperature=0.5))
    with other, one, Ollama(ollama_host) as server:
        reset = planned(runs)
        told = said(reset.lines())
        assert "reset-ours:workshop" in told and "attendee" not in told
        assert "reset-gone-already" not in told
        left = said(reset.carry_out())
        there = {model.name for model in server.models()}
    assert "reset-changed:workshop" in left and "workshop ollama rm" in left
    assert "reset-ours:workshop" not in there
    assert {"reset-changed:workshop", "reset-of-an-attendee:workshop"} <= there
    assert not (runs / "demo1").exists()


def test_a_server_that_cannot_be_asked_keeps_its_record(runs: Path) -> None:
    record = runs / "demo1" / OLLAMA_RECORD
    note = {"host": "http://127.0.0.1:9", "name": "demo3-ja:workshop", "digest": "ab"}
    record.write_text(json.dumps(note) + "\n" + '{"host": "http://127.', encoding="utf-8")
    left = said(planned(runs).carry_out())
    assert "127.0.0.1:9" in left and "demo3-ja:workshop" in left
    assert record.is_file() and read_card(runs / "demo1")
    assert files(runs / "demo1") == {"card.json", OLLAMA_RECORD}


def test_the_command_asks_and_takes_no_for_no(
    runs: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(runs.parent)
    before = files(runs)
    code, _, err = run(capfd, "stage", "reset")
    assert code == 2 and "Add --yes" in err and files(runs) == before
    if os.name != "nt":
        import pexpect

        command = ["-m", "workshop_helpers.cli", "stage", "reset", "--language", "ja"]
        child = pexpect.spawn(sys.executable, command, encoding="utf-8", timeout=60)
        child.expect("次のものを削除します.*demo1.*削除しますか")
        child.sendline("n")
        child.expect("何も削除しませんでした")
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == 0 and files(runs) == before
    code, out, _ = run(capfd, "stage", "reset", "--language", "en", "--yes")
    assert code == 0 and "demo1" in out and "All fresh" in out
    assert (runs / "mame-ja" / "tuned-100").is_dir() and not (runs / "demo1").exists()
    code, out, _ = run(capfd, "stage", "reset", "--language", "en")
    assert code == 0 and "nothing to clear up" in out
    code, out, _ = run(capfd, "stage", "reset", "--all", "--yes", "--json")
    assert code == 0 and any("a1.json" in line for line in json.loads(out)["removed"])
