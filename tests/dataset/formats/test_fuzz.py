"""Whatever bytes a file holds, it is read as rows and faults: no traceback, hang or full memory."""

from __future__ import annotations

import contextlib
import gzip
import os
import random
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from training_rows import talk

from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.dataset.formats import (
    Conversation,
    Fault,
    open_rows,
    read_conversations,
    stream,
    tables,
    write_conversations,
)

VALID = ("jsonl", "json", "csv", "tsv", "txt", "xlsx", "parquet", "jsonl.gz")
SUFFIXES = (*VALID, "ndjson", "csv.gz", "dat")
pytestmark = pytest.mark.timeout(120)
FUZZ = settings(
    max_examples=60,
    deadline=None,  # a hang is the timeout's to end
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
# Pieces that mean something to one reader or another.
PIECES = st.sampled_from(
    [
        *[bytes([byte]) for byte in b'{}[]"\\,:;\n\r\t\x00-'],
        *[b"\xef\xbb\xbf", b"\xff\xfe", b"\x1f\x8b", b"PK\x03\x04", b"PAR1", b"\x1b$B", b"---\n"],
        *[b"null", b"1e999", b"9" * 30, b"\\ud83d", b"Q: ", b"A: ", b"question,answer\n"],
        *["質問\t回答\n".encode(), "質問：".encode("cp932")],
        *["送料は".encode("euc_jp"), "送料は".encode()], b'{"instruction": "a", "output": "b"}',
        b'{"messages": [', b'{"role": "user", "content": ',
        b'{"contents": [{"role": "model", "parts": [{"text": "x"}]}]}',
        b'{"conversations": [{"from": "gpt", "value": 3}]}',
    ]
)  # fmt: skip
RANDOM = st.one_of(
    st.binary(max_size=300),
    st.lists(st.one_of(PIECES, st.binary(max_size=4)), max_size=25).map(b"".join),
)


def read_all(path: Path) -> list[Conversation | Fault]:
    """Every row of a file, in order and whole. Only a WorkshopError may end the reading."""
    try:
        with open_rows(path) as rows:
            assert rows.source.reason and rows.source.container and rows.source.format
            found = list(rows)
    except WorkshopError:
        return []
    for row in found:
        assert row.file == str(path) and row.line is not None and row.line >= 1
        if isinstance(row, Fault):
            assert row.rule and row.message and row.fix
            assert len(row.excerpt) <= 80
        else:
            assert row.messages[-1].role == "assistant"
            assert all(message.content.strip() for message in row.messages)
            str(row.to_messages()).encode()
    lines = [row.line for row in found]
    assert lines == sorted(lines)  # type: ignore[type-var]
    return found


def last_fault(path: Path) -> str:
    *_, fault = read_all(path)
    assert isinstance(fault, Fault)
    return fault.rule


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_random_bytes_end_in_words(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"f.{suffix}"

    @FUZZ
    @given(RANDOM, st.booleans())
    def run(raw: bytes, pack: bool) -> None:
        path.write_bytes(gzip.compress(raw) if pack else raw)
        read_all(path)
        with contextlib.suppress(WorkshopError):
            assert read_conversations(path)

    run()


def test_broken_escapes_of_iso_2022_jp_are_faults(tmp_path: Path) -> None:
    for suffix in ("jsonl", "json", "csv", "txt"):
        path = tmp_path / f"f.{suffix}"
        for raw in (
            b"Q: \x1b$B\nA: \x1b$B\x1b\n",
            b'question,answer\na,"\x1b$B~~\x1b("\n',
            b'[{"\x1b$B\x1bx": 1}]',
        ):
            path.write_bytes(raw)
            assert any(isinstance(row, Fault) for row in read_all(path))


def samples(folder: Path) -> Iterator[tuple[str, bytes]]:
    rows = [talk(f"質問{n}はありますか", f"はい、\n{n}円です") for n in range(40)]
    for suffix in VALID:
        write_conversations(rows, folder / f"whole.{suffix}")
        yield suffix, (folder / f"whole.{suffix}").read_bytes()


def test_mutated_files_end_in_words(tmp_path: Path) -> None:
    chance = random.Random(3)
    for suffix, whole in samples(tmp_path):
        path = tmp_path / f"f.{suffix}"
        for turn in range(60):
            raw = bytearray(whole)
            for _ in range(chance.randint(1, 8)):
                place = chance.randrange(len(raw))
                end = place + chance.choice([0, 1, chance.randint(1, 40)])
                pieces = [b'"', b"\n", b"\x00", b"\xff", b"[" * 9, b"}", b""]
                pieces += [bytes([chance.randrange(256)]), raw[: chance.randint(0, 200)]]
                raw[place:end] = chance.choice(pieces)
                raw = raw or bytearray(b"{")
            if turn % 6 == 0:
                raw = raw[: len(raw) * (turn + 1) // 61 + 1]
            path.write_bytes(raw)
            read_all(path)


def test_a_damaged_line_costs_no_other(tmp_path: Path) -> None:
    """JSON Lines and JSON lists keep every row but the one that was hit."""
    wholes = dict(samples(tmp_path))
    for suffix in ("jsonl", "json"):
        before, mark, behind = wholes[suffix].partition("質問20".encode())
        path = tmp_path / f"f.{suffix}"
        path.write_bytes(before + b"\x01" + mark + behind)
        found = read_all(path)
        assert [n for n, row in enumerate(found) if isinstance(row, Fault)] == [20], suffix
        assert len(found) == 40


@pytest.mark.parametrize("depth", [500, 5_000, 200_000])
@pytest.mark.parametrize("suffix", ["jsonl", "json"])
def test_nesting_without_end_is_a_fault(tmp_path: Path, depth: int, suffix: str) -> None:
    path = tmp_path / f"f.{suffix}"
    for deep in ("[" * depth, '{"a":' * depth, "[" * depth + "]" * depth):
        inside = f'{{"instruction": {deep}\n{{"instruction": "a", "output": "b"}}\n'
        for text in (inside, deep):
            path.write_text(text, "utf-8")
            assert any(isinstance(row, Fault) for row in read_all(path))


def test_a_number_of_thousands_of_digits_is_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "f.jsonl"
    path.write_text(f'{{"instruction": "a", "output": {"9" * 10_000}}}\n', "utf-8")
    assert last_fault(path) == "invalid-json"


ENDLESS = {
    "jsonl": b'{"instruction": "' + b"a" * 100,
    "json": b'[{"instruction": "' + b"a" * 100,
    "csv": b'question,answer\n"' + b"a\n" * 50,
    "tsv": b"question\tanswer\n" + b"a" * 100,
    "txt": b"Q: one\nA: " + b"a\n" * 50,
}


@pytest.mark.parametrize("suffix", ENDLESS)
@pytest.mark.parametrize("packed", [False, True])
def test_a_row_without_end_is_a_fault_long_before_the_memory_is_full(
    tmp_path: Path, suffix: str, packed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same with limits a hundredth of the real ones, and a file twice as long as they allow."""
    for module in ("stream", "json_rows", "tables", "plain"):
        monkeypatch.setattr(f"workshop_helpers.dataset.formats.{module}.ROW_LIMIT", 600_000)
    start = ENDLESS[suffix]
    raw, path = start + (start[-10:] * 200_000), tmp_path / f"f.{suffix}"
    path.write_bytes(gzip.compress(raw) if packed else raw)
    assert last_fault(path) == "row-too-large"


def test_a_gzip_bomb_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "_SUSPECT", 1 << 18)
    path = tmp_path / "f.jsonl"
    for filling in (b"\n", b"0", b'{"instruction": "a", "output": "b"}\n'):
        path.write_bytes(gzip.compress(filling * ((4 << 20) // len(filling)) + b"x", 9))
        assert last_fault(path) == "row-too-large"


def test_a_workbook_bomb_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "_LEAST_WORKBOOK", 1 << 20)
    path = tmp_path / "f.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"<a/>" * (2 << 20))
    assert last_fault(path) == "row-too-large"


@pytest.mark.parametrize(
    "cells",
    [
        '<row r="999999999999"><c r="A999999999999" t="inlineStr"><is><t>a</t></is></c></row>',
        '<row><c r="XFD1" t="n"><v>1</v></c></row>' * 2000,
        "<row/>" * 150_000,
    ],
    ids=["the last of many rows", "the last of many columns, often", "empty rows"],
)
def test_a_workbook_that_claims_enormous_contents_is_refused_at_once(tmp_path: Path, cells: str):
    plain, path = tmp_path / "plain.xlsx", tmp_path / "rows.xlsx"
    write_conversations([talk("What is it?", "A thing.")], plain)
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            text = old.read(name)
            if "sheet1" in name:
                text = text.replace(b"</sheetData>", cells.encode() + b"</sheetData>")
            new.writestr(name, text)
    begun = time.process_time()
    assert last_fault(path) == "row-too-large"
    assert time.process_time() - begun < 5  # a second, on a quiet machine


def test_a_parquet_file_of_one_text_for_all_rows_is_refused_at_once(tmp_path: Path):
    import pyarrow as pa
    import pyarrow.parquet

    path = tmp_path / "rows.parquet"
    rows = pa.array([0] * 20_000, pa.int32())
    text = pa.DictionaryArray.from_arrays(rows, pa.array(["a" * (1 << 20)]))
    pyarrow.parquet.write_table(pa.table({"question": text, "answer": text}), path)
    with open_rows(path) as reader:
        faults = [(number, row) for number, row in enumerate(reader) if isinstance(row, Fault)]
    ((number, fault),) = faults
    assert fault.rule == "row-too-large" and number < 400


def test_a_parquet_bomb_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow.parquet

    monkeypatch.setattr(tables, "_LEAST_UNPACKED", 1 << 20)
    path = tmp_path / "f.parquet"
    table = pyarrow.table({"question": ["q"], "answer": ["a" * (8 << 20)]})
    pyarrow.parquet.write_table(table, path, compression="zstd")
    assert last_fault(path) == "row-too-large"
    # More rows than its bytes can hold: not one is read.
    table = pyarrow.table({"question": ["q"] * 100_000, "answer": ["a"] * 100_000})
    pyarrow.parquet.write_table(table, path, compression="zstd")
    with open_rows(path) as reader:
        (fault,) = reader
    assert fault.rule == "row-too-large"


@pytest.mark.skipif(sys.platform != "linux", reason="reads its own peak memory from /proc")
def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """Twenty megabytes of rows, in every text container, take a few megabytes of memory."""
    row = talk("質問" * 50, "答え。" * 250)
    code = (
        "import sys\nfrom workshop_helpers.dataset.formats import open_rows\n"
        "import workshop_helpers.dataset.formats.encodings\n"
        "import re\ndef peak():\n"
        "    return int(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])\n"
        "before = peak()\nn = sum(1 for _ in open_rows(sys.argv[1]))\nprint(n, peak() - before)"
    )
    for suffix in ("jsonl", "json", "csv", "txt", "jsonl.gz"):
        path = tmp_path / f"f.{suffix}"
        write_conversations((row for _ in range(8_000)), path)
        rows, grown = map(int, subprocess.check_output([sys.executable, "-c", code, path]).split())
        assert rows == 8_000
        assert grown < 12_000, f"{suffix}: {grown} KB"


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), ("a.pdf", b"%PDF-1.7\n"),
        ("a.jsonl.zst", b"\x28\xb5\x2f\xfd"), ("a.pkl", b"\x80\x04\x95\x00"),
        ("a.docx", b"PK\x03\x04" + b"\x00" * 50), ("a.png", b"\x89PNG\r\n\x1a\n\x00\x00\x00"),
    ],
)  # fmt: skip
def test_a_file_of_another_kind_is_named(tmp_path: Path, name: str, start: bytes) -> None:
    (tmp_path / name).write_bytes(start + bytes(range(256)) * 4)
    found = read_all(tmp_path / name)
    assert found and all(isinstance(row, Fault) for row in found)
    assert found[0].rule in ("unreadable", "encoding")  # type: ignore[union-attr]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jsonl")
    with pytest.raises(WorkshopError, match="pipe"):
        open_rows(tmp_path / "pipe.jsonl")


def test_a_name_that_no_file_can_have_is_answered_in_words() -> None:
    for name in ("a\x00b.jsonl", "x" * 5000 + ".jsonl"):
        with pytest.raises(WorkshopError, match="cannot be read"):
            open_rows(name)
