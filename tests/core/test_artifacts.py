"""Artifacts are whole or absent, whatever happens while they are written."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from workshop_helpers.core.artifacts import (
    atomic_directory,
    atomic_file,
    claim,
    data_path,
    runs_folder,
)
from workshop_helpers.core.cards import equal_card, file_hash, fingerprint, read_card, write_card
from workshop_helpers.core.errors import WorkshopError, explain_os_errors
from workshop_helpers.core.jsonio import read_json, write_json

AWKWARD = "出力 フォルダ (1)"


def make_artifact(folder: Path, text: str) -> None:
    with atomic_directory(folder) as temporary:
        (temporary / "weights").write_text(text)
        write_card(temporary, {"kind": "test"})


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@contextmanager
def running(code: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A second Python process that runs `code`: it has begun, and is killed at the end."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().strip() == "ready"
            yield process
        finally:
            process.kill()


def weights(folder: Path) -> str:
    return (folder / "weights").read_text()


def test_folder_appears_whole_under_a_name_with_spaces_and_japanese(tmp_path):
    final = tmp_path / AWKWARD / "model"
    with atomic_directory(final) as temporary:
        (temporary / "weights").write_text("x")
        assert not final.exists()
    assert names(final.parent) == ["model"]
    assert weights(final) == "x"


def test_failure_leaves_the_old_folder_and_ctrl_c_no_litter(tmp_path):
    make_artifact(tmp_path / "model", "old")
    with pytest.raises(ZeroDivisionError), atomic_directory(tmp_path / "model") as temporary:
        (temporary / "weights").write_text("half")
        raise ZeroDivisionError
    with pytest.raises(KeyboardInterrupt), atomic_file(tmp_path / "a.gguf") as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert names(tmp_path) == ["model"]
    assert weights(tmp_path / "model") == "old"


def test_our_old_folder_is_replaced_whole(tmp_path):
    make_artifact(tmp_path / "model", "old")
    (tmp_path / "model" / ".DS_Store").write_text("a file manager's")
    make_artifact(tmp_path / "model", "new")
    assert names(tmp_path) == ["model"]
    assert names(tmp_path / "model") == ["card.json", "weights"]
    assert weights(tmp_path / "model") == "new"


def test_a_folder_with_somebody_elses_files_is_never_replaced(tmp_path):
    thesis = tmp_path / "Documents" / "thesis.txt"
    thesis.parent.mkdir()
    thesis.write_text("years of work")
    with pytest.raises(WorkshopError, match="other files"):
        make_artifact(thesis.parent, "new")
    assert thesis.read_text() == "years of work"


def test_a_folder_behind_a_link_is_replaced_and_the_link_stays(tmp_path):
    make_artifact(tmp_path / "disk" / "model", "old")
    (tmp_path / "link").symlink_to(tmp_path / "disk" / "model")
    make_artifact(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert weights(tmp_path / "disk" / "model") == "new"


def test_names_that_cannot_be_written_are_explained(tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    with pytest.raises(WorkshopError, match="is a file"):
        make_artifact(tmp_path / "file", "new")
    with pytest.raises(WorkshopError, match="is a folder"), atomic_file(tmp_path / "folder"):
        pass
    with pytest.raises(WorkshopError, match="a file"):
        write_json(tmp_path / "file" / "deeper.json", {})
    with pytest.raises(WorkshopError, match="too long"):
        write_json(tmp_path / ("長" * 200), {})


def test_temporary_file_keeps_the_suffix_tools_look_at(tmp_path):
    with atomic_file(tmp_path / "model-Q4_K_M.gguf") as temporary:
        assert temporary.suffix == ".gguf"
        temporary.write_bytes(b"GGUF")
    assert names(tmp_path) == ["model-Q4_K_M.gguf"]


WRITE_FOREVER = """
import sys, time
from workshop_helpers.core.artifacts import atomic_directory, atomic_file
with atomic_directory(sys.argv[1]) as folder, atomic_file(sys.argv[2]) as file:
    (folder / "half").write_text("half")
    file.write_text("half")
    print("ready", flush=True)
    time.sleep(60)
"""


def test_kill_leaves_nothing_under_the_final_name_and_the_rerun_sweeps_up(tmp_path):
    folder, file = tmp_path / "model", tmp_path / "model.gguf"
    with running(WRITE_FOREVER, folder, file):
        assert not folder.exists()
        assert not file.exists()
        assert len(names(tmp_path)) == 2
    make_artifact(folder, "whole")
    write_json(file, {})
    assert names(tmp_path) == ["model", "model.gguf"]


def test_temporary_of_a_living_run_is_left_alone(tmp_path):
    with running(WRITE_FOREVER, tmp_path / "model", tmp_path / "model.gguf"):
        make_artifact(tmp_path / "model", "ours")
        assert any(name.startswith(".model.tmp-") for name in names(tmp_path))


def test_kill_between_the_two_renames_brings_the_old_folder_back(tmp_path):
    make_artifact(tmp_path / "model", "old")
    code = """
import os, sys
from pathlib import Path
from workshop_helpers.core import artifacts
final = Path(sys.argv[1])
final.rename(artifacts._temporary(final, "old"))
print("ready", flush=True)
"""
    with running(code, tmp_path / "model") as process:
        process.wait()
    with pytest.raises(ZeroDivisionError), atomic_directory(tmp_path / "model"):
        raise ZeroDivisionError
    assert names(tmp_path) == ["model"]
    assert weights(tmp_path / "model") == "old"


def test_too_little_space_is_said_before_work_starts(tmp_path):
    refused = pytest.raises(WorkshopError, match="Not enough disk space")
    with refused, atomic_file(tmp_path / "model.gguf", needs_bytes=1 << 60):
        pytest.fail("work started")
    assert names(tmp_path) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux's")
def test_full_disk_is_explained(tmp_path):
    with pytest.raises(WorkshopError, match="the disk is full") as caught:  # noqa: SIM117
        with explain_os_errors("write the adapter", tmp_path / "x"), open("/dev/full", "w") as full:
            full.write("x")
            full.flush()
    assert "write the adapter" in str(caught.value)
    assert isinstance(caught.value.__cause__, OSError)


def test_full_disk_behind_a_native_librarys_exception_is_explained(tmp_path):
    full = pytest.raises(WorkshopError, match="the disk is full")
    with full, explain_os_errors("save", tmp_path):
        raise RuntimeError("I/O error: No space left on device (os error 28)")


def test_other_errors_pass_untouched(tmp_path):
    with pytest.raises(OSError, match="odd") as caught, explain_os_errors("save", tmp_path):
        raise OSError(errno.EILSEQ, "odd")
    assert not isinstance(caught.value, WorkshopError)
    with pytest.raises(KeyError), explain_os_errors("save", tmp_path):
        raise KeyError("x")


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_folder_without_write_permission_is_explained(tmp_path):
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o555)
    was_root = os.geteuid() == 0
    if was_root:
        os.seteuid(65534)  # root may write anywhere: be nobody for a moment
    try:
        with pytest.raises(WorkshopError, match="permission denied"):
            write_json(locked / "deep" / "a.json", {})
    finally:
        if was_root:
            os.seteuid(0)


HOLD = """
import sys, time
from workshop_helpers.core.artifacts import claim
with claim(sys.argv[1]):
    print("ready", flush=True)
    time.sleep(60)
"""


def test_second_run_in_a_folder_is_told_and_a_killed_run_holds_nothing(tmp_path):
    folder = tmp_path / AWKWARD
    with running(HOLD, folder):
        with pytest.raises(WorkshopError, match="Another run is at work"), claim(folder):
            pass
        with claim(tmp_path / "another"):
            pass
    with claim(folder):
        pass


def test_claim_is_given_back_after_an_exception(tmp_path):
    with pytest.raises(ZeroDivisionError), claim(tmp_path / "run"):
        raise ZeroDivisionError
    with claim(tmp_path / "run"), pytest.raises(WorkshopError), claim(tmp_path / "run"):
        pass


def test_json_keeps_japanese_and_writes_no_nan(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"質問": ["送料は？"], "kl": float("nan"), "path": Path("x"), "pair": (1, 2)})
    assert "送料は？" in path.read_text(encoding="utf-8")
    assert read_json(path) == {"質問": ["送料は？"], "kl": None, "path": "x", "pair": [1, 2]}


def test_json_that_is_missing_or_broken_is_named(tmp_path):
    with pytest.raises(WorkshopError, match="no file"):
        read_json(tmp_path / "absent.json")
    (tmp_path / "cut.json").write_text('{"a": ')
    with pytest.raises(WorkshopError, match=r"cut\.json"):
        read_json(tmp_path / "cut.json")


def test_fingerprint_follows_content_not_order():
    assert fingerprint({"a": 1, "b": (1, 2)}) == fingerprint({"b": [1, 2], "a": 1})
    assert fingerprint({"a": 1}) != fingerprint({"a": 2})
    assert fingerprint({"送": Path("料")}) == fingerprint({"送": "料"})


def test_hash_of_a_folder_follows_names_and_content_but_not_the_card(tmp_path):
    make_artifact(tmp_path / "a", "x")
    time.sleep(0.01)
    make_artifact(tmp_path / "b", "x")
    write_card(tmp_path / "b", {"kind": "another"})
    assert file_hash(tmp_path / "a") == file_hash(tmp_path / "b")
    (tmp_path / "b" / "weights").rename(tmp_path / "b" / "other")
    assert file_hash(tmp_path / "a") != file_hash(tmp_path / "b")


def test_cards_lie_in_folders_and_beside_files(tmp_path):
    file = tmp_path / "m.gguf"
    file.write_text("x")
    write_card(file, {"kind": "gguf"})
    assert names(tmp_path) == ["m.gguf", "m.gguf.card.json"]
    card = read_card(file) or {}
    assert card["kind"] == "gguf" and card["made"].endswith("Z")
    assert read_card(tmp_path) is None
    (tmp_path / "m.gguf.card.json").write_text(json.dumps([1])[:-1])
    assert read_card(file) is None


def test_only_the_same_artifact_of_equal_inputs_is_found_again(tmp_path):
    file, inputs = tmp_path / "m.gguf", {"model": "m", "types": ("a", "b"), "alpha": 64}
    file.write_text("four")
    assert equal_card(file, inputs) is None
    write_card(file, {"inputs": inputs, "size_bytes": 4})
    found = equal_card(file, {"types": ["a", "b"], "alpha": 64.0, "model": "m"})
    assert found is not None and found["size_bytes"] == 4
    assert equal_card(file, {**inputs, "model": "n"}) is None
    file.write_text("other")
    assert equal_card(file, inputs) is None
    file.unlink()
    assert equal_card(file, inputs) is None


def test_missing_bundled_data_is_named():
    with pytest.raises(WorkshopError, match="data/no/such"):
        data_path("no", "such")


def test_each_model_and_language_has_a_runs_folder_of_its_own(tmp_path):
    here, there = tmp_path / "a" / "my model", tmp_path / "b" / "my model"
    folders = [runs_folder("mame", "ja"), runs_folder("mame", "en")]
    folders += [runs_folder(here, "ja"), runs_folder(there, "ja")]
    assert folders[0] == Path("runs/mame-ja")
    assert len(set(folders)) == 4
    assert all(len(folder.parts) == 2 and " " not in folder.name for folder in folders)
