"""Fill the figures of README.md and README.ja.md from results/*.json, so that no number is typed by hand.

    python scripts/readme_figures.py           write them
    python scripts/readme_figures.py --check   say whether they are up to date (exit code 1 when not)

Three kinds of file are known by what they hold: the evaluation of `mame` (rows and targets), a demo's report
(languages), and anything else, whose figures are listed as they are. A file may carry a `title` ({"en", "ja"}).
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
READMES = {"en": "README.md", "ja": "README.ja.md"}
BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"

# What describes a measurement and is no figure itself.
NOT_FIGURES = {"machine", "versions", "model", "made", "inputs", "title", "note"}

WORDS = {
    "mame": {"en": "`mame`, the base model", "ja": "ベースモデル `mame`"},
    "demo": {"en": "The demo", "ja": "デモ"},
    "benchmarks": {"en": "Speed", "ja": "速度"},
    "facts_in_prompt": {
        "en": "facts in the system prompt: fact recall",
        "ja": "システムプロンプトに事実あり：事実の再現率",
    },
    "vague_without_facts": {
        "en": "no facts given: names no amount, duration or time of its own",
        "ja": "事実なし：金額・期間・時刻を勝手に答えない",
    },
    "language": {"en": "answers in the language of the question", "ja": "質問と同じ言語で答える"},
    "not_in_information": {
        "en": "fact not among those in the prompt: says so, invents none",
        "ja": "プロンプトにない事実：ないと答え、作り上げない",
    },
    "general_knowledge": {"en": "general-knowledge probe", "ja": "一般知識"},
    "english": {"en": "English", "ja": "英語"},
    "japanese": {"en": "Japanese", "ja": "日本語"},
    "target": {"en": "target", "ja": "目標"},
    "short": {"en": "short of it", "ja": "未達"},
    "candidate": {"en": "model", "ja": "モデル"},
    "recall": {"en": "facts stated", "ja": "事実の再現率"},
    "contradicted": {"en": "contradict a fact", "ja": "事実と矛盾"},
    "unsupported": {"en": "invent a figure", "ja": "根拠のない数字"},
    "type": {"en": "type", "ja": "形式"},
    "size": {"en": "MB", "ja": "サイズ（MB）"},
    "bits": {"en": "bits a weight", "ja": "ビット/重み"},
    "speed": {"en": "tokens/s", "ja": "トークン/秒"},
    "perplexity": {"en": "perplexity", "ja": "パープレキシティ"},
    "kl": {"en": "KL to F16", "ja": "F16とのKL"},
    "top": {"en": "same top token", "ja": "最有力トークン一致"},
    "all": {"en": "The whole run took {} s.", "ja": "全体で{}秒かかりました。"},
    "figure": {"en": "figure", "ja": "項目"},
    "value": {"en": "measured", "ja": "測定値"},
    "on": {"en": "Measured on", "ja": "測定環境："},
    "none": {"en": "Nothing has been measured yet.", "ja": "まだ測定していません。"},
}


def word(key: str, language: str) -> str:
    """What a key is called in a README; itself where nobody gave it a name."""
    return WORDS[key][language] if key in WORDS else key.replace("_", " ")


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table; the first column is text, the others are figures."""
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)


def share(value: float | None) -> str:
    """A share as per cent, rounded down: 94.96 % must not read as the 95 % it misses."""
    return "–" if value is None else f"{int(value * 1000 + 1e-6) / 10:.1f} %"


def number(value: Any) -> str:
    """Four significant digits, with thousands separated."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def mame(data: dict[str, Any], language: str) -> str:
    """The evaluation of the base model against its targets."""
    rows = []
    for key, targets in data["targets"].items():
        cells = [word(key, language)]
        for spoken in ("en", "ja"):
            value, target = data["rows"][key][spoken], targets[spoken]
            short = "" if value >= target else f", **{word('short', language)}**"
            cells.append(f"{share(value)} ({word('target', language)} {target:.0%}{short})")
        rows.append(cells)
    return table(["", word("english", language), word("japanese", language)], rows)


def demo(data: dict[str, Any], language: str) -> str:
    """Before and after, and the quantization table, for each language of a demo's report."""
    parts = []
    for spoken, result in data["languages"].items():
        parts.append(f"**{word({'en': 'english', 'ja': 'japanese'}[spoken], language)}**")
        summaries = [(row["label"], row["summary"]) for row in result["comparison"]["candidates"]]
        keys = ("recall", "contradicted", "unsupported")
        head = [word("candidate", language), *(word(key, language) for key in keys)]
        parts.append(
            table(
                head,
                [[label, *(share(found.get(key)) for key in keys)] for label, found in summaries],
            )
        )
        head = [
            word(key, language)
            for key in ("type", "size", "bits", "speed", "recall", "perplexity", "kl", "top")
        ]
        rows = [
            [
                row["type"],
                f"{row['size_bytes'] / 1e6:.1f}",
                f"{row['bits_per_weight']:.2f}",
                number(float(round(row["generation_tokens_per_second"]))),
                share(row["recall"]),
                f"{row['perplexity']:.3f}",
                f"{row['kl_to_f16']:.4f}",
                share(row["same_top_token"]),
            ]
            for row in result["quantization"]["rows"]
        ]
        parts.append(table(head, rows))
    parts.append(word("all", language).format(number(data["seconds"])))
    return "\n\n".join(parts)


def listed(data: dict[str, Any], language: str) -> str:
    """Every figure of a file of another kind, by its path in the file."""
    rows = [
        [" · ".join(word(part, language) for part in path), number(value)]
        for path, value in figures(data)
    ]
    return table([word("figure", language), word("value", language)], rows)


def figures(data: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The numbers in nested objects with the keys that lead to them; lists and texts are passed over."""
    if isinstance(data, dict):
        for key, value in data.items():
            if key not in NOT_FIGURES:
                yield from figures(value, (*path, str(key)))
    elif isinstance(data, (bool, int, float)):
        yield path, data


def machine(data: dict[str, Any], language: str) -> str:
    """The line under a table that says where it was measured."""
    found = data.get("machine")
    if not found:
        return ""
    gpu = found.get("accelerator") or "none"
    shown = [found["cpu"], f"{found['cores']} cores", f"{found['memory_gb']} GB", found["os"]]
    shown += [gpu] if gpu != "none" else []
    space = "" if language == "ja" else " "
    return f"\n\n<sub>{word('on', language)}{space}{', '.join(map(str, shown))}, Python {found['python']}</sub>"


def section(file: Path, language: str) -> str:
    """One results file as Markdown."""
    data = json.loads(file.read_text(encoding="utf-8"))
    title = data.get("title", {}).get(language) or word(file.stem, language)
    if "targets" in data and "rows" in data:
        body = mame(data, language)
    elif "languages" in data:
        body = demo(data, language)
    else:
        body = listed(data, language)
    source = f"[`results/{file.name}`](results/{file.name})"
    return f"### {title}\n\n{body}{machine(data, language)} <sub>{source}</sub>"


def filled(text: str, results: list[Path], language: str) -> str:
    """A README's text with the part between its markers made anew. ValueError when it has no markers."""
    sections = [section(file, language) for file in results] or [word("none", language)]
    pattern = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)
    if len(pattern.findall(text)) != 1:
        raise ValueError(f"the text must hold {BEGIN} … {END} exactly once")
    body = "\n\n".join(sections)
    return pattern.sub(lambda _: f"{BEGIN}\n\n{body}\n\n{END}", text)


def main(argv: list[str] | None = None) -> int:
    """Write or check both READMEs; 1 when --check finds one out of date."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit code 1 when out of date"
    )
    args = parser.parse_args(argv)
    known = [ROOT / "results" / f"{stem}.json" for stem in ("mame", "demo", "benchmarks")]
    others = sorted(path for path in (ROOT / "results").glob("*.json") if path not in known)
    results = [path for path in known if path.is_file()] + others
    stale = []
    for language, name in READMES.items():
        path = ROOT / name
        before = path.read_text(encoding="utf-8")
        after = filled(before, results, language)
        if before != after:
            stale.append(name)
            if not args.check:
                path.write_text(after, encoding="utf-8", newline="\n")
    if args.check and stale:
        print(f"Out of date: {', '.join(stale)}. Run: make readme", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
