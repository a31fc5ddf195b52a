"""Nothing is written over what is read, and nothing is deleted that the command does not own."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from workshop_helpers.core.artifacts import (
    CARD,
    AlreadyThere,
    atomic_directory,
    atomic_file,
    claim,
)
from workshop_helpers.core.cards import (
    begin_card,
    equal_card,
    file_hash,
    made_from,
    outdated,
    read_card,
    write_card,
)
from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.core.jsonio import read_json, write_json
from workshop_helpers.core.ownership import keep_apart, refuse_foreign_file, refuse_other


def make(folder: Path, text: str = "x", kind: str = "adapter", **inputs: object) -> Path:
    with atomic_directory(folder) as temporary:
        (temporary / "weights").write_text(text)
        card = {"kind": kind, "inputs": inputs, "from": made_from(inputs.get("of"), folder)}
        write_card(temporary, card)
    return folder


def contents(folder: Path) -> dict[str, str]:
    found = (path for path in folder.rglob("*") if path.is_file() or path.is_symlink())
    return {path.relative_to(folder).as_posix(): path.read_text() for path in found}


def test_an_output_is_no_input_however_it_is_spelt(tmp_path, monkeypatch):
    rows = tmp_path / "rows.jsonl"
    rows.write_text("{}")
    (tmp_path / "link.jsonl").symlink_to(rows)
    os.link(rows, tmp_path / "hard.jsonl")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    for out in ("rows.jsonl", "./sub/../rows.jsonl", "link.jsonl", "hard.jsonl", rows):
        for given in (rows, "rows.jsonl", "link.jsonl"):
            with pytest.raises(WorkshopError, match="overwrite what is to be read"):
                keep_apart(out, [None, given])
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(WorkshopError, match="overwrite"):
        keep_apart("~/rows.jsonl", [rows])
    keep_apart("sub/rows.jsonl", [rows, "sub/other.jsonl", tmp_path / "absent"])


def test_a_name_in_other_capitals_is_the_same_file_where_the_disk_says_so(tmp_path):
    rows = tmp_path / "rows.jsonl"
    rows.write_text("{}")
    other = tmp_path / "ROWS.jsonl"
    if not other.exists():
        keep_apart(other, [rows])  # two files
    else:
        with pytest.raises(WorkshopError, match="overwrite"):
            keep_apart(other, [rows])


def test_an_output_lies_in_no_input_and_holds_none(tmp_path):
    model = make(tmp_path / "model")
    for inside in (model / "adapter", model / "deep" / "er", tmp_path / "link" / "adapter"):
        (tmp_path / "link").unlink(missing_ok=True)
        (tmp_path / "link").symlink_to(model)
        with pytest.raises(WorkshopError, match="outside of it"):
            keep_apart(inside, [model])
        with pytest.raises(WorkshopError, match="outside of it"):
            keep_apart(inside, [tmp_path / "link"])
    for around in (tmp_path, tmp_path / "link", model):
        with pytest.raises(WorkshopError, match="lies in"):
            keep_apart(around, [model / "weights"])
    # A link in the folder would go with it, wherever it points to.
    shutil.copytree(model, tmp_path / "parts")
    (tmp_path / "parts" / "rows").symlink_to(model / "weights")
    with pytest.raises(WorkshopError, match="lies in"):
        keep_apart(tmp_path / "parts", [tmp_path / "parts" / "rows"])
    keep_apart(tmp_path / "model-2", [model])


def test_the_card_beside_an_output_is_no_input_either(tmp_path):
    card = tmp_path / "m.gguf.card.json"
    card.write_text("{}")
    with pytest.raises(WorkshopError, match="overwrite"):
        keep_apart(tmp_path / "m.gguf", [card])


def test_a_folder_is_replaced_only_by_the_verb_that_made_it(tmp_path):
    adapter = make(tmp_path / "a", "weeks of work", rows=10)
    for kind in ("model", "split"):
        with pytest.raises(WorkshopError, match="something else"):
            make(adapter, kind=kind)
        with pytest.raises(WorkshopError, match="something else"):
            refuse_other(adapter, kind, {}, overwrite=True)
    with pytest.raises(WorkshopError, match="something else"), atomic_directory(adapter) as new:
        (new / "no card").touch()
    assert contents(adapter)["weights"] == "weeks of work"


@pytest.mark.parametrize("foreign", ["thesis.txt", ".hidden", "sub/thesis.txt"])
def test_a_folder_with_anything_else_in_it_stays(tmp_path, foreign):
    adapter = make(tmp_path / "a", rows=10)
    (adapter / foreign).parent.mkdir(exist_ok=True)
    (adapter / foreign).write_text("years of work")
    before = contents(adapter)
    with pytest.raises(WorkshopError, match="also holds other files"):
        make(adapter, rows=10)
    with pytest.raises(WorkshopError, match="also holds other files"):
        refuse_other(adapter, "adapter", {"rows": 10}, overwrite=True)
    assert contents(adapter) == before


def test_a_folder_whose_card_lists_no_files_stays(tmp_path):
    adapter = make(tmp_path / "a", rows=10)
    write_card(adapter, {"kind": "adapter", "inputs": {"rows": 10}})
    with pytest.raises(WorkshopError, match="older version"):
        make(adapter, rows=10)


def test_other_inputs_are_named_and_need_overwrite(tmp_path):
    recipe = {"epochs": 3, "rank": 8}
    adapter = make(tmp_path / "a", model="m" * 64, rows=10, recipe=recipe)
    inputs = {"model": "m" * 64, "rows": 10, "recipe": recipe}
    refuse_other(adapter, "adapter", inputs, overwrite=False)
    refuse_other(tmp_path / "absent", "adapter", inputs, overwrite=False)
    other = {"model": "n" * 64, "rows": 100, "recipe": {**recipe, "epochs": 6}}
    with pytest.raises(WorkshopError) as caught:
        refuse_other(adapter, "adapter", other, overwrite=False)
    said = str(caught.value)
    assert "another model; rows 10, now 100; epochs 3, now 6" in said
    assert "--overwrite" in said and "overwrite=True" in said and "rank" not in said
    refuse_other(adapter, "adapter", other, overwrite=True)
    # What a new version of the course does otherwise is no choice of the user's.
    file = tmp_path / "m.gguf"
    file.write_text("four")
    write_card(file, {"kind": "gguf", "size_bytes": 4, "inputs": {"model": "m", "runner": "a"}})
    refuse_other(file, "gguf", {"model": "m", "runner": "b"}, overwrite=False)


def test_a_file_that_no_equal_run_made_needs_overwrite(tmp_path):
    file, inputs = tmp_path / "m.gguf", {"model": "m"}
    file.write_text("a download of many hours")
    with pytest.raises(WorkshopError, match="already"):
        refuse_other(file, "gguf", inputs, overwrite=False)
    write_card(file, {"kind": "gguf", "inputs": inputs, "size_bytes": 4})  # of an earlier file
    with pytest.raises(WorkshopError, match="has been changed"):
        refuse_other(file, "gguf", inputs, overwrite=False)
    with pytest.raises(WorkshopError, match="already"):
        refuse_other(file, "answers", inputs, overwrite=False)
    refuse_other(file, "gguf", inputs, overwrite=True)
    with pytest.raises(WorkshopError, match="already"):
        refuse_foreign_file(file, "answers", overwrite=False)
    refuse_foreign_file(file, "gguf", overwrite=False)


def write(file: Path, text: str, *, overwrite: bool) -> None:
    with atomic_file(file, overwrite=overwrite) as temporary:
        temporary.write_text(text)


def test_without_overwrite_a_file_is_replaced_by_its_equal_alone(tmp_path):
    file = tmp_path / "rows.jsonl"
    write(file, "same", overwrite=False)
    write(file, "same", overwrite=False)
    with pytest.raises(WorkshopError, match="already"):
        write(file, "other", overwrite=False)
    assert file.read_text() == "same"
    write(file, "other", overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]
    assert file.read_text() == "other"


def test_without_overwrite_a_folder_is_replaced_by_its_equal_alone(tmp_path):
    def split(text: str, **how: bool) -> None:
        with atomic_directory(tmp_path / "parts", **how) as temporary:
            (temporary / "train.jsonl").write_text(text)
            write_card(temporary, {"kind": "split", "of": text})

    split("same", overwrite=False)
    split("same", overwrite=False)
    with pytest.raises(WorkshopError, match="already"):
        split("other", overwrite=False)
    (tmp_path / "parts" / "train.jsonl").write_text("mended by hand")
    with pytest.raises(WorkshopError, match="already"):
        split("same", overwrite=False)
    assert (tmp_path / "parts" / "train.jsonl").read_text() == "mended by hand"
    split("other", overwrite=True)
    assert (read_card(tmp_path / "parts") or {})["files"] == [CARD, "train.jsonl"]


@pytest.mark.parametrize(
    "name",
    [".a.tmp-backup", ".a.tmp-2024-01-01", ".a.old-0123abcd-1-89abcdef", ".a.old-thesis",
     ".a.tmp-0123abcd-1-89abcdef01234567"],
)  # fmt: skip
def test_a_users_folder_named_like_ours_stays(tmp_path, name):
    theirs = tmp_path / name
    theirs.mkdir()
    (theirs / "thesis.txt").write_text("years of work")
    for path in (theirs / "thesis.txt", theirs):
        os.utime(path, (0, 0))
    make(tmp_path / "a")
    make(tmp_path / "a")
    assert (theirs / "thesis.txt").read_text() == "years of work"


def test_a_users_file_named_like_our_lock_stays(tmp_path):
    lock = tmp_path / ".a.lock"
    lock.write_text("my notes")
    with pytest.raises(WorkshopError, match="no.* lock|not a lock"), claim(tmp_path / "a"):
        pass
    assert lock.read_text() == "my notes"


def test_what_answers_as_something_replaced_since_says_so(tmp_path):
    adapter = make(tmp_path / "adapter", rows=10)
    model = make(tmp_path / "model", kind="model", of=str(adapter))
    gguf = tmp_path / "files" / "m.gguf"
    gguf.parent.mkdir()
    gguf.write_text("x")
    write_card(gguf, {"kind": "gguf", "inputs": {}, "from": made_from(model, gguf)})
    assert outdated(gguf) is None
    make(adapter, "the same again", rows=10)
    assert outdated(gguf) is None
    make(adapter, rows=100)
    assert str(adapter) in (outdated(gguf) or "") and "--overwrite" in (outdated(gguf) or "")
    assert outdated(model) is not None and outdated(adapter) is None
    shutil.rmtree(adapter)  # nothing is known then
    assert outdated(gguf) is None


@pytest.mark.skipif(os.name == "nt" or sys.platform == "darwin", reason="names are Unicode here")
def test_file_names_that_are_not_utf8_can_be_written_and_said(tmp_path):
    name = os.fsdecode(b"caf\xe9")
    file = tmp_path / f"{name}.json"
    write_json(file, {"path": file, "送料": "¥500"})
    assert read_json(file) == {"path": str(file), "送料": "¥500"}
    make(tmp_path / name, of=None)
    assert "files" in (read_card(tmp_path / name) or {})
    (tmp_path / name / name).write_text("x")
    assert len(file_hash(tmp_path / name)) == 64
    with pytest.raises(WorkshopError, match="other files"):
        make(tmp_path / name)


@pytest.mark.parametrize("there", [False, True])
def test_a_run_that_ends_before_its_card_is_written_can_be_repeated(there, tmp_path):
    out, inputs = tmp_path / "a.jsonl", {"rows": 10}
    if there:
        out.write_text("old")
        write_card(out, {"kind": "answers", "inputs": {"rows": 5}, "size_bytes": 3})
    refuse_other(out, "answers", inputs, overwrite=there)
    begin_card(out, "answers", inputs)
    assert equal_card(out, inputs) is None
    out.write_text("new")  # and here it ends
    assert equal_card(out, inputs) is equal_card(out, {"rows": 5}) is None
    refuse_other(out, "answers", inputs, overwrite=there)
    with pytest.raises(AlreadyThere):
        refuse_other(out, "answers", {"rows": 5}, overwrite=False)
