"""How fast `workshop data check` is and how much memory it needs, beside a `json.loads` loop, an
earlier version of itself, and what `datasets` and TRL do with the same file.

    python -m benchmarks.data_check [--quick] [--rows 1000000] [--full-rows 10000] [--work DIR]

quick     a million generated rows of about 1 KB (1 GB) through `check_rows(quick=True)`
full      10,000 of them through the whole check: tokens of the model's tokenizer, near duplicates
loop      the same files through `for line in file: json.loads(line)`: what reading alone costs
before    the same files through the check of commit 9fbd84a, where git has it
theirs    the same files through `datasets.load_dataset("json")`; the small one then through TRL's
          preparation of a dataset, too
one line  100 MB of the rows as a list on one line, read, beside `orjson.loads` of it
parquet   300,000 rows without a usable column
right     what is read of values that look like numbers and dates, by us and by `datasets`

Every measurement is a process of its own, so that its peak memory is its own. The rows are
invented, half English and half Japanese, none alike; the generator is seeded. How often healthy
rows are found fault with (`false_alarms`) is saved beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.common import ROOT, child, parser, peak_memory_bytes, ratio, save, settings, table

TITLE = {"en": "Checking training data", "ja": "学習データの検査"}
TARGETS = {
    "quick_check": {"of_before_at_most": 0.6, "peak_bytes_at_most": 300_000_000},
    "full_check": {"of_before_at_most": 0.5},
    "one_line": {"times_loads_at_most": 3},
    "parquet": {"seconds_at_most": 2},
}
BEFORE = "9fbd84a"
# It would bind itself to one core.
_BEFORE = (
    "import os, sys; vars(os).pop('sched_setaffinity', None); "
    "from benchmarks.data_check import main; sys.exit(main(sys.argv[1:]))"
)
LINE_BYTES = 100_000_000
PARQUET_ROWS = 300_000
ROWS, FULL_ROWS = 1_000_000, 10_000
ROW_BYTES = 1_000
SMALL = 100  # --quick measures with this share of the rows

_EN = """
garden harbour lantern market orchard pepper quarry ribbon saddle timber valley window anchor
basket candle donkey engine feather guitar hammer island jacket kettle ladder mirror needle oyster
pencil rocket silver table umbrella violin wagon yellow zebra bridge castle desert forest glacier
meadow ocean prairie river summit tunnel
"""
_EN_VERBS = """
carries follows gathers holds keeps leaves mends opens paints reaches sells turns visits washes
"""
_JA = """
庭園 港 提灯 市場 果樹園 胡椒 採石場 帯 鞍 材木 谷 窓 錨 籠 蝋燭 機関車
羽根 楽器 金槌 島 上着 薬缶 梯子 鏡 針 牡蠣 鉛筆
宇宙船 銀貨 机 雨傘 馬車 縞馬 橋 城 砂漠 森 氷河 草原 大洋 川 頂上 隧道 図書館 郵便局 研究所 博物館
"""
_JA_VERBS = """
運びます 追いかけます 集めます 保ちます 残します 直します
開きます 描きます 届けます 売ります 洗います
"""


def rows(count: int, seed: int = 0) -> Iterator[str]:
    """So many rows as lines of JSON in Alpaca's shape, each about 1,000 bytes of UTF-8."""
    draw = random.Random(seed)
    pick, number = draw.choice, draw.randrange
    nouns, verbs, names, deeds = (text.split() for text in (_EN, _EN_VERBS, _JA, _JA_VERBS))
    for place in range(count):
        sentences: list[str] = []
        if place % 2:
            question = (
                f"Which {pick(nouns)} near the {pick(nouns)} {pick(verbs)} the {pick(nouns)} "
                f"of parcel {place}?"
            )
            size = len(question)
            while size < ROW_BYTES - 110:
                said = f"The {pick(nouns)} by the {pick(nouns)} {pick(verbs)} the {pick(nouns)}."
                if not len(sentences) % 4:
                    said = (
                        f"The {pick(nouns)} {pick(verbs)} {number(2, 99)} pieces of {pick(nouns)}."
                    )
                sentences.append(said)
                size += len(said) + 1
            answer = " ".join(sentences)
        else:
            question = (
                f"{pick(names)}のそばの{pick(names)}は荷物{place}の{pick(names)}をどうしますか？"
            )
            size = 3 * len(question)
            while size < ROW_BYTES - 120:
                said = f"{pick(names)}の{pick(names)}が{pick(names)}を{pick(deeds)}。"
                if not len(sentences) % 4:
                    said = f"{pick(names)}が{number(2, 99)}個の{pick(names)}を{pick(deeds)}。"
                sentences.append(said)
                size += 3 * len(said)
            answer = "".join(sentences)
        yield json.dumps(
            {"instruction": question, "input": "", "output": answer}, ensure_ascii=False
        )


def generated(folder: Path, count: int) -> Path:
    """A file of that many rows, made once."""
    path = folder / f"rows-{count}.jsonl"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        beside = path.with_suffix(".part")
        with open(beside, "w", encoding="utf-8", newline="\n") as out:
            out.writelines(line + "\n" for line in rows(count))
        beside.replace(path)
    return path


def one_line(folder: Path, source: Path) -> Path:
    """The first 100 MB of the rows (or all) as a JSON list on one line."""
    path = folder / f"line-{source.stem}.json"
    if not path.exists():
        text = source.read_bytes()[:LINE_BYTES].rpartition(b"\n")[0]
        path.write_bytes(b"[" + text.replace(b"\n", b", ") + b"]")
    return path


def unusable(folder: Path) -> Path:
    """A Parquet file without a column of questions or answers."""
    import pyarrow
    from pyarrow import parquet

    path = folder / "unusable.parquet"
    columns = {"n": range(PARQUET_ROWS), "title": [f"Title {n}" for n in range(PARQUET_ROWS)]}
    parquet.write_table(pyarrow.table(columns), path)
    return path


def _before(folder: Path) -> Path | None:
    """The working tree of the earlier version, or None without git or its commit."""
    tree = folder / f"tree-{BEFORE}"
    if not tree.exists():
        made = ["git", "worktree", "add", "--force", "--detach", str(tree), BEFORE]
        if subprocess.run(made, cwd=ROOT, capture_output=True).returncode:
            return None
    return tree


def _loop(path: Path) -> dict[str, Any]:
    count = 0
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            json.loads(line)
            count += 1
    return {"rows": count}


def _check(path: Path, model: str, quick: bool) -> dict[str, Any]:
    from workshop_helpers.dataset.checks import check_rows

    summary = (report := check_rows(path, model=model, quick=quick, progress=False)).summary
    told = {key: summary[key] for key in ("rows", "tokens", "examined")}
    return {**told, "findings": report.counts}


def _read(path: Path) -> dict[str, Any]:
    from workshop_helpers.dataset.formats import open_rows

    with open_rows(path) as rows:
        return {"rows": sum(1 for _ in rows)}


def _loads(path: Path) -> dict[str, Any]:
    import orjson

    return {"rows": len(orjson.loads(path.read_bytes()))}


def _datasets(path: Path) -> Any:
    import datasets

    datasets.disable_progress_bars()
    return datasets.load_dataset(
        "json", data_files=str(path), split="train", cache_dir=tempfile.mkdtemp()
    )


def _trl(path: Path, model: str) -> dict[str, Any]:
    """TRL prepares a dataset when its trainer is made: template and tokens."""
    from trl import SFTConfig, SFTTrainer

    from workshop_helpers.models.load import model_folder
    from workshop_helpers.models.resolve import resolve

    folder = str(model_folder(resolve(model)))
    rows = _datasets(path).rename_columns({"instruction": "prompt", "output": "completion"})
    args = SFTConfig(output_dir=tempfile.mkdtemp(), use_cpu=True, report_to=[])
    SFTTrainer(model=folder, args=args, train_dataset=rows.remove_columns("input"))
    return {"rows": rows.num_rows}


def measure(what: str, path: Path, model: str) -> dict[str, Any]:
    """Seconds and peak memory of one way through the file."""
    before = time.perf_counter()
    processor = time.process_time()
    ways = {
        "loop": lambda: _loop(path),
        "quick": lambda: _check(path, model, True),
        "full": lambda: _check(path, model, False),
        "read": lambda: _read(path),
        "loads": lambda: _loads(path),
        "datasets": lambda: {"rows": _datasets(path).num_rows},
        "trl": lambda: _trl(path, model),
    }
    found = ways[what]()
    seconds = time.perf_counter() - before
    return {
        **found,
        "seconds": round(seconds, 3),
        "processor_seconds": round(time.process_time() - processor, 3),
        "rows_per_second": round(found["rows"] / seconds),
        "peak_bytes": peak_memory_bytes(),
    }


# Answers of two rows, as they are written and as they are right: in a column of mixed types, of
# dates, or beside a number of 23 digits.
RIGHT: dict[str, list[Any]] = {
    "code": ["007", 7],
    "dates": ["2024-01-31", "2024-02-01"],
    "long_number": [12345678901234567890123, 1],
}


def read_rightly(folder: Path) -> dict[str, dict[str, str]]:
    """What each of `RIGHT` is to us and to `datasets`: the first value, as JSON or as it prints."""
    from workshop_helpers.dataset.formats import open_rows

    told = {}
    for name, values in RIGHT.items():
        path = folder / f"right-{name}.jsonl"
        pairs = [{"question": "Which one?", "answer": "A.", "value": value} for value in values]
        path.write_text("".join(f"{json.dumps(pair)}\n" for pair in pairs), encoding="utf-8")
        with open_rows(path) as rows:
            ours = next(iter(rows)).extra["value"]  # type: ignore[union-attr]
        theirs = _datasets(path)[0]["value"]
        told[name] = {"written": str(values[0]), "ours": str(ours), "datasets": str(theirs)}
    return told


def _measured(what: str, path: Path, model: str) -> dict[str, Any]:
    return child("benchmarks.data_check", "--measure", what, str(path), "--model", model)


def _measured_before(what: str, path: Path, tree: Path | None) -> dict[str, Any] | None:
    """What the earlier version's own benchmark measures of its check."""
    if tree is None:
        return None
    asked = [sys.executable, "-c", _BEFORE, "--measure", what, str(path.resolve())]
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    done = subprocess.run(
        asked, cwd=tree, env=environment, capture_output=True, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def main(arguments: list[str]) -> int:
    """Make the rows, measure, print a table and save the figures."""
    made = parser(__doc__ or "")
    made.add_argument("--rows", type=int, default=ROWS, help="(default: %(default)s)")
    made.add_argument("--full-rows", type=int, default=FULL_ROWS, help="(default: %(default)s)")
    made.add_argument("--measure", nargs=2, metavar=("WHAT", "FILE"), help=argparse.SUPPRESS)
    args = made.parse_args(arguments)
    if args.measure:
        what, file = args.measure
        print(json.dumps(measure(what, Path(file), args.model)))
        return 0
    whole = (args.rows, args.full_rows) == (ROWS, FULL_ROWS)
    args.quick = args.quick or not whole
    asked = settings("data_check", args)
    many, few = args.rows, args.full_rows
    if args.quick and whole:
        many, few = many // SMALL, few // SMALL
    figures: dict[str, Any] = {"title": TITLE, "targets": TARGETS}
    folder = asked.work / "data_check"
    tree = _before(folder)
    for name, count in (("quick", many), ("full", few)):
        path = generated(folder, count)
        asked.say(f"{name}: {count:,} rows, {path.stat().st_size / 1e6:,.0f} MB")
        loop = _measured("loop", path, asked.model)
        before = _measured_before(name, path, tree)
        ours = _measured(name, path, asked.model)
        ours["of_before"] = round(ours["seconds"] / before["seconds"], 3) if before else None
        figures[f"{name}_check"] = {
            "bytes": path.stat().st_size,
            "loop": loop,
            "before": before,
            "check": ours,
            "datasets": _measured("datasets", path, asked.model),
            "times_the_loop": ratio(loop["seconds"], ours["seconds"]),
        }
    figures["full_check"]["trl"] = _measured("trl", generated(folder, few), asked.model)
    asked.say("other files")
    line = one_line(folder, generated(folder, many))
    loads, read = (_measured(what, line, asked.model) for what in ("loads", "read"))
    read["times_loads"] = ratio(loads["seconds"], read["seconds"])
    figures["one_line"] = {"bytes": line.stat().st_size, "loads": loads, "read": read}
    figures["parquet"] = {"check": _measured("quick", unusable(folder), asked.model)}
    figures["read_rightly"] = read_rightly(folder)
    from benchmarks.false_alarms import false_alarms

    figures["false_alarms"] = false_alarms(quick=asked.quick)
    report(figures)
    save(asked, figures)
    return 0


def report(figures: dict[str, Any]) -> None:
    """The figures as a table."""
    lines = []
    for name in ("quick_check", "full_check", "one_line", "parquet"):
        for kind, found in figures[name].items():
            if isinstance(found, dict):
                size = f"{found['peak_bytes'] / 1e6:,.0f}"
                cells = f"{found['rows']:,}", f"{found['seconds']:.1f}", size
                lines.append((f"{name}: {kind}", *cells))
    table("Checking training data", ("", "rows", "seconds", "peak MB"), lines)
    values = [(name, *found.values()) for name, found in figures["read_rightly"].items()]
    table("Read rightly", ("", "written", "ours", "datasets"), values)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
