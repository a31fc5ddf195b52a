"""Files as people have them are read where that is safe; else one sentence says what to do."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.dataset.checks import check_rows
from workshop_helpers.dataset.checks.clean import clean
from workshop_helpers.dataset.formats import Conversation, Fault, open_rows, read_conversations
from workshop_helpers.dataset.formats.json_rows import list_rows

ROWS = [
    {"instruction": "Where is the ferry?", "output": "At pier two."},
    {"instruction": "Is it late?", "output": "No, it is on time."},
    {"instruction": "Can I bring a bike?", "output": "Yes, for two euros."},
]
ANSWERS = [row["output"] for row in ROWS]
TALKS = [
    {
        "messages": [
            {"role": "user", "content": row["instruction"]},
            {"role": "assistant", "content": row["output"]},
        ]
    }
    for row in ROWS
]
PRETTY = "\n".join(json.dumps(row, indent=2) for row in TALKS)
ONE_LINE = "".join(json.dumps(row) for row in ROWS)


def read(path: Path) -> tuple[list[str], list[Fault]]:
    """The answers that are read, and the faults."""
    with open_rows(path) as rows:
        found = list(rows)
    answers = [row.answer for row in found if isinstance(row, Conversation)]
    return answers, [row for row in found if isinstance(row, Fault)]


@pytest.mark.parametrize(
    ("name", "text"),
    {
        "pretty.jsonl": PRETTY,
        "pretty-list.jsonl": json.dumps(TALKS, indent=1),
        "one-line.jsonl": ONE_LINE,
        "with-commas.jsonl": ", ".join(json.dumps(row) for row in ROWS),
        "two-on-a-line.jsonl": f"{json.dumps(ROWS[0])}\n{ONE_LINE[len(json.dumps(ROWS[0])) :]}",
        "data.json": json.dumps({"version": "1.1", "data": TALKS}),
        "train.json": json.dumps({"train": ROWS}, indent=2),
        "data.jsonl": json.dumps({"rows": ROWS, "count": 3}),
        "list.json": json.dumps(ROWS),
        "nested-names.json": json.dumps([{"output": a, "instruction": "Q?"} for a in ANSWERS]),
    }.items(),
)
@pytest.mark.parametrize("packed", [False, True])
def test_json_of_any_layout_is_read(tmp_path: Path, name: str, text: str, packed: bool):
    path = tmp_path / (f"{name}.gz" if packed else name)
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    assert read(path) == (ANSWERS, [])


def test_rows_in_an_object_go_through_clean_whole(tmp_path: Path):
    path = tmp_path / "rows.json"
    path.write_text(json.dumps({"version": "1", "data": ROWS}))
    clean(path, tmp_path / "clean.jsonl")
    assert read(tmp_path / "clean.jsonl")[0] == ANSWERS
    assert '"data"' in str(open_rows(path).source.reason)


@pytest.mark.parametrize(
    ("whole", "named"),
    [
        ({"train": ROWS, "test": ROWS[:1]}, "test"),
        ({"note": "x" * 300, "data": ROWS}, None),
        ({"data": ROWS, "context": "x" * 300}, None),
        ({"question": "Why?", "answer": "So.", "more": ROWS}, None),
    ],
)
def test_what_stands_beside_the_rows_is_never_dropped_unsaid(
    tmp_path: Path, whole: object, named: str | None
):
    """A second part of rows is not learned with the first, and a text beside rows is not lost."""
    path = tmp_path / "rows.json"
    path.write_text(json.dumps(whole))
    answers, faults = read(path)
    if named:
        assert answers == ANSWERS
        assert [f'"{named}"' in str(fault) for fault in faults] == [True]
    else:
        assert not set(answers) & set(ANSWERS)


def test_a_key_that_stands_twice_is_a_fault(tmp_path: Path):
    twice = [
        '{"instruction":"Q?","output":"A.","output":"B."}',
        '{"messages":[{"role":"user","content":"Q?"},'
        '{"role":"assistant","content":"No.","content":"Yes."}]}',
        '{"question":"Q?", "answer" : "A.", "question":"R?","n":1,"m":2}',
    ]
    fine = '{"instruction":"Is \\"a\\": 1 and \\"a\\": 2 valid?","output":"{\\"a\\": 1}","n":[{}]}'
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join([*twice, fine]))
    answers, faults = read(path)
    assert answers == ['{"a": 1}']
    assert [("twice" in str(f), f.line) for f in faults] == [(True, 1), (True, 2), (True, 3)]
    for ending in (",", ", "):
        path.with_suffix(".json").write_text(f"[{ending.join([*twice, fine])}]")
        answers, faults = read(path.with_suffix(".json"))
        assert (len(answers), len(faults)) == (1, 3)


@pytest.mark.parametrize("at", range(0, 70, 3))
def test_a_long_list_on_one_line_is_read_row_by_row_whatever_is_in_it(at: int):
    """Most rows are read many at a time; what one of them is must make no difference."""
    rows = [{"instruction": f"Q{n} 質問", "output": "a" * 9000} for n in range(70)]
    odd = ["[1]", "{bad}", '{"x": 12345678901234567890123}', '{"a": "b", "a": "c"}', '{"a": [{}]}']
    parts = [json.dumps(row, ensure_ascii=False) for row in rows]
    parts[at] = odd[at % len(odd)]
    raw = io.BytesIO(f"[{', '.join(parts)}]".encode())
    found = list(list_rows(raw.read, "utf-8"))
    assert [row for n, (_, row, _) in enumerate(found) if n != at] == rows[:at] + rows[at + 1 :]
    assert len(found) == 70
    if at % len(odd) == 2:
        assert found[at][1] == {"x": 12345678901234567890123}


def write_zip(path: Path, *names: str) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, "application/vnd.oasis.opendocument.text")


def write_tar(path: Path) -> None:
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
        archive.addfile(tarfile.TarInfo("rows.jsonl"), io.BytesIO())


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:12ab\nsize 12345\n"
STREAMS = {name: name.encode("utf-16-le") for name in ("WordDocument", "EncryptedPackage")}
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)
FOREIGN: dict[str, tuple[Callable[[Path], object], str]] = {
    "rows.jsonl": (lambda p: p.write_bytes(LFS), "git lfs pull"),
    "rows.parquet": (lambda p: p.write_bytes(LFS), "Git LFS pointer"),
    "rows.zip": (lambda p: write_zip(p, "rows.jsonl"), "archive (ZIP)"),
    "zipped.jsonl": (lambda p: write_zip(p, "rows.jsonl"), "Unpack it"),
    "cut.zip": (lambda p: p.write_bytes(b"PK\x03\x04abc"), "archive (ZIP)"),
    "rows.docx": (lambda p: write_zip(p, "word/document.xml"), ".docx"),
    "rows.pptx": (lambda p: write_zip(p, "ppt/presentation.xml"), ".pptx"),
    "rows.odt": (lambda p: write_zip(p, "mimetype", "content.xml"), ".odt"),
    "rows.xlsb": (lambda p: write_zip(p, "xl/workbook.bin"), "Save it as .xlsx"),
    "model.pt": (lambda p: write_zip(p, "model/data.pkl"), "pickle"),
    "old.doc": (lambda p: p.write_bytes(OLE + STREAMS["WordDocument"]), ".doc"),
    "locked.xlsx": (lambda p: p.write_bytes(OLE + STREAMS["EncryptedPackage"]), "password"),
    "old.xls": (lambda p: p.write_bytes(OLE), "Save it as .xlsx"),
    "rows.tar": (write_tar, "archive (tar)"),
    "rows.tar.gz": (write_tar, "archive (tar)"),
    "rows.7z": (lambda p: p.write_bytes(b"7z\xbc\xaf\x27\x1c\0\4"), "archive (7z)"),
    "rows.rar": (lambda p: p.write_bytes(b"Rar!\x1a\x07\x01\0"), "archive (RAR)"),
    "rows.rtf": (lambda p: p.write_bytes(b"{\\rtf1\\ansi hello}"), ".rtf"),
    "login.jsonl": (lambda p: p.write_bytes(b"\n<!DOCTYPE html>\n<html>"), "web page"),
    "model.gguf": (lambda p: p.write_bytes(b"GGUF\3\0\0\0"), "weights"),
}  # fmt: skip


@pytest.mark.parametrize("name", FOREIGN)
def test_a_file_of_another_kind_is_named_in_one_sentence(tmp_path: Path, name: str):
    write, says = FOREIGN[name]
    write(tmp_path / name)
    report = check_rows(tmp_path / name, quick=True, progress=False)
    (found,) = report.findings
    assert found.severity == "error"
    assert says in f"{found.message} {found.fix}"
    assert found.wording.said("ja") != found.message
    with pytest.raises(WorkshopError):
        read_conversations(tmp_path / name)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """The folder that datasets writes: a stream of Arrow, and what it is."""
    folder = tmp_path / "saved"
    folder.mkdir()
    table = pa.Table.from_pylist([*TALKS, {"messages": TALKS[0]["messages"], "id": 7}])
    with pa.ipc.new_stream(str(folder / "data-00000-of-00001.arrow"), table.schema) as writer:
        writer.write_table(table, max_chunksize=2)
    (folder / "state.json").write_text("{}")
    return folder


def test_a_saved_dataset_names_its_file_and_that_is_read(saved: Path):
    with pytest.raises(WorkshopError, match=r"save_to_disk.*data-00000-of-00001\.arrow"):
        open_rows(saved)
    answers, faults = read(saved / "data-00000-of-00001.arrow")
    assert (answers, faults) == ([*ANSWERS, ANSWERS[0]], [])
    (saved.parent / "dataset_dict.json").write_text("{}")
    with pytest.raises(WorkshopError, match="several parts.*saved"):
        open_rows(saved.parent)


@pytest.mark.parametrize("kind", ["file", "lz4", "zstd", "cut", "empty"])
def test_arrow_files_of_all_kinds_are_read_or_named(tmp_path: Path, kind: str):
    table = pa.Table.from_pylist(ROWS * 50)
    path = tmp_path / "rows.arrow"
    options = pa.ipc.IpcWriteOptions(compression=kind if kind in ("lz4", "zstd") else None)
    with pa.ipc.new_file(str(path), table.schema, options=options) as writer:
        writer.write_table(table)
    if kind in ("cut", "empty"):
        path.write_bytes(path.read_bytes()[: 900 if kind == "cut" else 0])
    answers, faults = read(path)
    if kind == "file":
        assert (answers, faults) == (ANSWERS * 50, [])
    else:
        (fault,) = faults
        assert fault.rule == "unreadable"
        assert ("compress" in str(fault)) == (kind in ("lz4", "zstd"))


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_lone_quotation_marks_in_tsv_swallow_no_row(tmp_path: Path, ending: str):
    path = tmp_path / "rows.tsv"
    lines = ["question\tanswer", 'Is it late?\t"No', 'Any bikes?\tYes"', "Any cats?\tYes"]
    path.write_bytes(ending.join(lines).encode())
    assert read(path) == (['"No', 'Yes"', "Yes"], [])
    # never closed: five of six rows were gone
    lines[2:] = [f"Question {n}?\tAnswer {n}." for n in range(5)]
    path.write_bytes(ending.join(lines).encode())
    assert read(path) == (['"No', *(f"Answer {n}." for n in range(5))], [])
    # real cells of several lines stay whole
    path.write_text('question\tanswer\n"One\nline"\t"No,\nnever"\nCats?\tYes\n')
    assert read(path) == (["No,\nnever", "Yes"], [])
    # neither: said
    path.write_text('question\tanswer\nLate?\t"No\nshort\nBikes?\tYes"\nCats?\tYes\n')
    answers, (fault,) = read(path)
    assert (answers, fault.rule, fault.line) == (["Yes"], "invalid-csv", 2)


def test_a_quotation_mark_in_csv_says_which_lines_it_takes(tmp_path: Path):
    path = tmp_path / "rows.csv"
    path.write_text('question,answer\nA?,Yes\nB?,"No\nC?,Yes\nD?,Yes\n')
    answers, (fault,) = read(path)
    assert answers == ["Yes"]
    assert "lines 3 to 5" in str(fault)


def workbook(path: Path, **sheets: list[list[str]]) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


HEADER = ["question", "answer"]
README = [["This workbook holds our rows."], ["Ask Ms. Doe about it."]]


def test_a_readme_sheet_in_front_is_passed_over_and_the_sheet_named(tmp_path: Path):
    rows = [HEADER, ["Late?", "No."]]
    path = workbook(tmp_path / "rows.xlsx", README=README, empty=[], rows=rows, notes=README)
    assert read(path) == (["No."], [])
    assert '"rows"' in str(open_rows(path).source.reason)


def test_a_second_sheet_of_rows_is_named_and_clean_loses_none(tmp_path: Path):
    first, second = [HEADER, ["Late?", "No."]], [HEADER, ["Bikes?", "Yes."]]
    path = workbook(tmp_path / "rows.xlsx", one=first, two=second)
    answers, (fault,) = read(path)
    assert answers == ["No."]
    assert '"two"' in str(fault) and '"one"' in str(fault)
    with pytest.raises(WorkshopError, match='"two"'):
        clean(path, tmp_path / "clean.jsonl")
    assert not (tmp_path / "clean.jsonl").exists()


@pytest.mark.parametrize("name", ["rows.parquet", "rows.jsonl", "rows.txt", "log.jsonl"])
def test_a_file_without_anything_usable_is_given_up_early(tmp_path: Path, name: str):
    path = tmp_path / name
    if name == "rows.parquet":
        pq.write_table(pa.table({"n": range(300_000), "title": ["x"] * 300_000}), path)
    else:
        line = {"rows.jsonl": '{"n": 1, "title": "x"}', "rows.txt": "It was a dark night."}
        path.write_text(f"{line.get(name, '12:00 INFO started')}\n" * 5000)
    report = check_rows(path, quick=True, progress=False)
    (found,) = report.findings
    assert found.severity == "error"
    assert "first 1000" in found.message
    assert report.summary["files"][0]["faults"] == 1


def test_some_rows_of_another_shape_in_front_do_not_end_the_file(tmp_path: Path):
    path = tmp_path / "rows.jsonl"
    lines = [{"title": "x"}] * 500 + ROWS + [{"title": "x"}] * 1500
    path.write_text("\n".join(map(json.dumps, lines)))
    answers, faults = read(path)
    assert (answers, len(faults)) == (ANSWERS, 2000)
