"""`workshop stage check`: what is there, what is missing, and the fix, each seen to be found."""

from __future__ import annotations

import json
import os
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from commands import run

from workshop_helpers.core.device import versions
from workshop_helpers.core.wordings import LANGUAGES, entries
from workshop_helpers.evaluation.doctor import Check
from workshop_helpers.stage import store
from workshop_helpers.stage.cells import Plan, make_plan
from workshop_helpers.stage.check import PARTS, Stage, check_stage

REHEARSED = ("rehearsal", "rehearsed on", "versions", "age")


@pytest.fixture(scope="module")
def plan() -> Plan:
    return make_plan("en")


def rehearse(plan: Plan, folder: Path, **changes: Any) -> None:
    """A rehearsal of all cells as the stage keeps it, without running them."""
    parameters = {"MODEL": "mame", "LANGUAGE": "en"}
    store.start_stage(folder, parameters)
    about = {
        "made": store.now(),
        "machine": store.machine_line(),
        "versions": versions(),
        **changes,
    }
    for name, chapter in plan.chapters.items():
        for cell in chapter.cells:
            result = store.Result(
                name, cell.id, cell.number, cell.scene, cell.hash, (), 0.1, **about
            )
            store.keep(folder, result)
        store.finish(folder, chapter, parameters, 1.0)


@pytest.fixture
def stage(tmp_path: Path, plan: Plan) -> Stage:
    runs = tmp_path / "stage"
    rehearse(plan, store.stage_folder("mame", "en", runs))
    return Stage("mame", "en", runs)


def of(stage: Stage, *parts: str) -> dict[str, Check]:
    return {check.name: check for check in check_stage(stage, parts).checks}


def test_a_complete_rehearsal_of_this_machine_is_fine(stage: Stage) -> None:
    found = of(stage, "notebooks", "rehearsal")
    assert [*found] == ["notebooks", *REHEARSED]
    assert {check.status for check in found.values()} == {"ok"}
    assert "41 of 41" in found["rehearsal"].found and "0 days ago" in found["age"].found
    assert not any(check.fix for check in found.values())


def test_without_a_rehearsal_the_talk_cannot_be_given_and_the_command_is_named(
    tmp_path: Path,
) -> None:
    checked = check_stage(Stage("mame", "ja", tmp_path), ["rehearsal"])
    (line,) = checked.checks
    assert not checked.runs and line.status == "fail"
    assert line.fix == f"workshop stage rehearse --model mame --language ja --runs {tmp_path}"


def test_a_scene_that_was_not_rehearsed_is_named(stage: Stage, plan: Plan) -> None:
    folder = store.stage_folder("mame", "en", stage.runs)
    scene = next(scene for scene in plan.scenes if scene.name == "proof")
    store.result_file(folder, scene.notebook, scene.cell).unlink()
    line = of(stage, "rehearsal")["rehearsal"]
    assert line.status == "fail" and "proof" in line.found and "rehearse" in line.fix


def test_cells_that_changed_since_are_noticed_but_do_not_stop_the_talk(
    stage: Stage, plan: Plan
) -> None:
    folder = store.stage_folder("mame", "en", stage.runs)
    scene = next(scene for scene in plan.scenes if scene.name == "proof")
    kept = store.Rehearsal.load("mame", "en", stage.runs).result("proof")
    assert kept is not None and kept.cell == scene.cell
    store.keep(folder, replace(kept, source_hash="of an older cell"))
    checked = check_stage(stage, ["rehearsal"])
    line = checked.of("rehearsal")
    assert checked.runs and line.status == "warn" and "proof" in line.found


def test_another_machine_other_versions_and_an_old_rehearsal_are_told(
    tmp_path: Path, plan: Plan
) -> None:
    folder = store.stage_folder("mame", "en", tmp_path)
    other = {**versions(), "torch": "1.0"}
    rehearse(plan, folder, made="2025-01-20T10:00:00Z", machine="A Toaster", versions=other)
    found = of(Stage("mame", "en", tmp_path), "rehearsal")
    assert [found[name].status for name in REHEARSED] == ["ok", "warn", "warn", "warn"]
    assert "A Toaster" in found["rehearsed on"].found
    assert "torch 1.0 →" in found["versions"].found
    assert "2025-01-20" in found["age"].found


def test_a_kernel_is_really_started(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    line = of(stage, "kernel")["kernel"]
    assert line.status in ("ok", "warn") and "answered in" in line.found


def test_a_kernel_that_does_not_start_is_told(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    spec = {"argv": ["no-such-python"], "display_name": "broken", "language": "python"}
    folder = tmp_path / "jupyter" / "kernels" / "python3"
    folder.mkdir(parents=True)
    (folder / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "0")
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))
    line = of(stage, "kernel")["kernel"]
    assert line.status == "fail" and "no-such-python" in line.found and "doctor" in line.fix


def test_a_model_that_is_not_here_is_fetched_before_the_talk(stage: Stage) -> None:
    assert of(stage, "model")["model"].status == "ok"
    line = of(replace(stage, model="tinyllama-1.1b"), "model")["model"]
    assert line.status == "fail" and "not on this machine" in line.found and "network" in line.fix


def test_ollama_is_information(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", "http://127.0.0.1:9")
    line = of(stage, "ollama")["Ollama"]
    assert line.status == "ok" and "llama.cpp" in line.found


def test_slides_are_built_and_fresh(stage: Stage, tmp_path: Path) -> None:
    line = of(replace(stage, slides=tmp_path), "slides")["slides"]
    assert line.status == "warn" and line.fix == "make slides"
    line = of(stage, "slides")["slides"]
    assert line.status == "ok" or line.fix == "make slides"


def test_a_proxy_before_this_machine_is_told(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert of(stage, "network")["network"].status == "ok"
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:8080")
    assert of(stage, "network")["network"].status == "warn"
    monkeypatch.setenv("NO_PROXY", "localhost, 127.0.0.1")
    assert of(stage, "network")["network"].status == "ok"


def test_the_command_says_whether_the_talk_can_be_given(
    stage: Stage, capfd: pytest.CaptureFixture[str]
) -> None:
    there, nowhere = stage.runs, stage.runs / "nowhere"
    code, out, _ = run(capfd, "stage", "check", "--language", "en", "--runs", there, "--json")
    found = {line["name"]: line for line in json.loads(out)}
    assert code == 0 and {*REHEARSED, "kernel", "power"} < {*found}
    assert set(found["kernel"]) == {"name", "status", "found", "fix"}
    code, out, _ = run(capfd, "stage", "check", "--language", "ja", "--runs", nowhere)
    assert code == 1 and "まだ発表できません" in out
    assert "→ workshop stage rehearse --model mame --language ja --runs" in out


@pytest.mark.skipif(os.name == "nt", reason="there are no pseudo-terminals here")
@pytest.mark.parametrize(("columns", "said"), [(80, "✓ ok"), (70, "△ note")])
def test_a_terminal_that_is_too_small_is_told(columns: int, said: str) -> None:
    import pexpect

    code = (
        "from workshop_helpers.stage.check import *; from workshop_helpers.cli.stage_upkeep import "
        "_tell; _tell(check_stage(Stage(), ['terminal']), Stage())"
    )
    child = pexpect.spawn(sys.executable, ["-c", code], dimensions=(30, columns), encoding="utf-8")
    shown = re.sub(r"\x1b\[[0-9;]*m", "", child.read())
    assert f"{said}" in shown and f"{columns}x30" in shown


def test_all_lines_have_a_name_and_a_verdict_in_both_languages(stage: Stage) -> None:
    cheap = [name for name in PARTS if name not in ("kernel", "slides", "rehearsal")]
    for language in LANGUAGES:
        for check in check_stage(replace(stage, language=language), cheap).checks:
            assert check.title.said(language) and check.told.said(language)
            assert (check.status == "ok") == (check.advice is None)
    for subject in ("stage-check", "reset"):
        assert all({*texts} == {*LANGUAGES} for texts in entries(subject).values())
