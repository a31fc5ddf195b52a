"""How fast `workshop data check` is, and how much memory it needs, against a plain `json.loads`
loop.

    python -m benchmarks.data_check [--quick] [--rows 1000000] [--full-rows 10000] [--work DIR]

quick  a million generated rows of about 1 KB (1 GB) through `check(quick=True)`: rows a second,
peak memory full   10,000 of them through the whole check: tokens of the model's tokenizer, near
duplicates loop   the same files through `for line in file: json.loads(line)`: what reading alone
costs

Every measurement is a process of its own on one core, so that its peak memory is its own. The rows
are invented, half English and half Japanese, none alike; the generator is seeded.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.common import child, parser, peak_memory_bytes, ratio, save, settings, table
from benchmarks.false_alarms import false_alarms

TITLE = {"en": "Checking training data", "ja": "学習データの検査"}
TARGETS = {
    "quick_check": {"rows_per_second_at_least": 50_000, "peak_bytes_at_most": 500_000_000},
    "full_check": {"seconds_at_most": 60},
}
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


def measure(what: str, path: Path, model: str) -> dict[str, Any]:
    """Seconds and peak memory of one way through the file."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    before = time.perf_counter()
    processor = time.process_time()
    found: dict[str, Any] = {}
    if what == "loop":
        count = 0
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                json.loads(line)
                count += 1
    else:
        from workshop_helpers.dataset.checks import check_rows

        report = check_rows(path, model=model, quick=what == "quick", progress=False)
        count = report.summary["rows"]
        found = {
            "tokens": report.summary["tokens"],
            "findings": report.counts,
            "examined": report.summary["examined"],
        }
    seconds = time.perf_counter() - before
    return {
        "rows": count,
        "seconds": round(seconds, 3),
        "processor_seconds": round(time.process_time() - processor, 3),
        "rows_per_second": round(count / seconds),
        "peak_bytes": peak_memory_bytes(),
        **found,
    }


def _measured(what: str, path: Path, model: str) -> dict[str, Any]:
    return child("benchmarks.data_check", "--measure", what, str(path), "--model", model)


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
    for name, count in (("quick", many), ("full", few)):
        path = generated(asked.work / "data_check", count)
        asked.say(f"{name}: {count:,} rows, {path.stat().st_size / 1e6:,.0f} MB")
        loop = _measured("loop", path, asked.model)
        ours = _measured(name, path, asked.model)
        figures[f"{name}_check"] = {
            "bytes": path.stat().st_size,
            "loop": loop,
            "check": ours,
            "times_the_loop": ratio(loop["seconds"], ours["seconds"]),
        }
    figures["false_alarms"] = false_alarms()
    report(figures)
    save(asked, figures)
    return 0


def report(figures: dict[str, Any]) -> None:
    """The figures as a table."""
    lines = []
    for name in ("quick", "full"):
        for kind in ("loop", "check"):
            found = figures[f"{name}_check"][kind]
            lines.append(
                (
                    f"{name}: {'json.loads loop' if kind == 'loop' else 'data check'}",
                    f"{found['rows']:,}",
                    f"{found['seconds']:.1f}",
                    f"{found['rows_per_second']:,}",
                    f"{found['peak_bytes'] / 1e6:,.0f}",
                )
            )
    table("Checking training data", ("", "rows", "seconds", "rows/s", "peak MB"), lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
