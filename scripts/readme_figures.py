"""Fill the figures of README.md, README.ja.md and mame's card from results/*.json: no number is
typed by hand.

    python scripts/readme_figures.py           write them
    python scripts/readme_figures.py --check   say whether they are up to date (exit code 1 when not)

Files are known by what they hold: the evaluation of `mame` (rows and targets), a demo's report
(languages), what a benchmark measured (benchmark: its name), and anything else, whose figures are
listed as they are. A file may carry a `title` ({"en", "ja"}).
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
READMES = {"en": "README.md", "ja": "README.ja.md"}
MODEL_CARD = "data/mame/README.md"
BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"

# What describes a measurement and is no figure itself.
NOT_FIGURES = {"machine", "versions", "model", "made", "inputs", "title", "note"}
# The order of the sections. How the recipe was found is for those who look for another one.
ORDER = ("mame", "learning", "quantization", "runtimes", "families", "adapters", "speed", "demo")
LEFT_OUT = ("recipe_search",)

WORDS = {
    "mame": {"en": "`mame`, the base model", "ja": "ベースモデル `mame`"},
    "demo": {"en": "The demo", "ja": "デモ"},
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
    "base": {"en": "base", "ja": "ベースモデル"},
    "prompted": {
        "en": "base + facts in the prompt",
        "ja": "ベースモデル＋プロンプトに事実",
    },
    "tuned": {"en": "tuned on {} rows", "ja": "{}行で学習"},
    "general_rows": {
        "en": "… with as many general rows",
        "ja": "…一般の行を同じ数だけ混ぜる",
    },
    "no_general": {"en": "… without general rows", "ja": "…一般の行を混ぜない"},
    "half_epochs": {"en": "… half the epochs", "ja": "…エポック数を半分"},
    "quarter_rank": {"en": "… a quarter of the rank", "ja": "…ランクを4分の1"},
    "every_matrix": {"en": "… attention adapted too", "ja": "…注意機構の行列にも付ける"},
    "half_rate": {"en": "… half the learning rate", "ja": "…学習率を半分"},
    "right_language": {"en": "right language", "ja": "質問と同じ言語"},
    "polite": {"en": "polite", "ja": "です・ます"},
    "train_seconds": {"en": "training, s", "ja": "学習（秒）"},
    "copied": {"en": "facts from the prompt", "ja": "プロンプトの事実"},
    "not_invented": {"en": "invents none", "ja": "作り上げない"},
    "held_out": {
        "en": "{} held-out questions; median and range of the seeds {}",
        "ja": "評価用の質問{}問、シード{}の中央値と範囲",
    },
    "met": {"en": "met", "ja": "達成"},
    "verdict": {"en": "{}: {}, {}", "ja": "{}は{}（{}）"},
    "every_seed": {
        "en": "Targets for the facts stated, with every seed: {}.",
        "ja": "再現率の目標（すべてのシードで）：{}。",
    },
    "cost": {
        "en": "What tuning cost (the general probe, {} questions), and what a recipe can do about it",
        "ja": "学習の代償（一般の質問{}問）と、レシピでできること",
    },
    "questions": {"en": "questions", "ja": "質問数"},
    "equal": {"en": "the same answer", "ja": "同じ回答"},
    "at most": {"en": "at most {}", "ja": "{}以下"},
    "at least": {"en": "at least {}", "ja": "{}以上"},
    "startup_help": {"en": "`workshop --help`, s", "ja": "`workshop --help`（秒）"},
    "startup_import": {
        "en": "`import workshop_helpers`, s",
        "ja": "`import workshop_helpers`（秒）",
    },
    "bare": {"en": "bare Python {}", "ja": "Pythonだけなら{}"},
    "demo_seconds": {
        "en": "`make demo` after installation, s",
        "ja": "インストール後の`make demo`（秒）",
    },
    "lora_10": {"en": "LoRA, 10 rows × 3 epochs, {}, s", "ja": "LoRA、10行×3エポック、{}（秒）"},
    "lora_100": {"en": "LoRA, 100 rows, {}, s", "ja": "LoRA、100行、{}（秒）"},
    "with_recall": {"en": "{} (facts stated: {})", "ja": "{}（再現率{}）"},
    "against_trl": {
        "en": "100 rows to 90 % of the facts: TRL's defaults against our trainer, each at its best",
        "ja": "100行で再現率90 %までの時間：TRLの既定値とこの教材の学習の比（どちらも最良の設定）",
    },
    "against_trl_same": {
        "en": "the same, with TRL's best rate, epochs and batch size in our trainer",
        "ja": "同じ比較で、学習率・エポック数・バッチサイズをTRLの最良設定に揃えた場合",
    },
    "against_trl_documented": {
        "en": "the same, with the documented recipe, which learns more than 90 % asks for",
        "ja": "同じ比較で、この教材のレシピの場合（90 %を超えるまで学習する）",
    },
    "in_batch": {
        "en": "{} questions, one by one against in batch",
        "ja": "質問{}問、1問ずつとまとめての比",
    },
    "peak_memory": {
        "en": "peak memory in batch / one by one",
        "ja": "最大メモリ（まとめて / 1問ずつ）",
    },
    "pretraining_speed": {
        "en": "pretraining, tokens/s (share of the matmul peak)",
        "ja": "事前学習、トークン/秒（行列積の最高性能に対する割合）",
    },
    "recipe": {"en": "recipe", "ja": "レシピ"},
    "seeds": {"en": "seeds", "ja": "シード数"},
    "worst_recall": {"en": "facts stated, worst", "ja": "事実の再現率（最低）"},
    "forgotten": {"en": "forgotten of the general probe", "ja": "一般の質問で失った割合"},
    "recipe_of": {
        "en": "rank {}, rate {}, {} epochs, batch {}",
        "ja": "ランク{}、学習率{}、{}エポック、バッチ{}",
    },
    "plus": {"en": ", LoRA+ ×{}", "ja": "、LoRA+ ×{}"},
    "chosen_on": {
        "en": "Chosen on {} validation questions a language, which no other figure here uses.",
        "ja": "言語ごとに{}問の検証用の質問で選びました。ほかの数値には使っていません。",
    },
    "quick_check": {"en": "quick check", "ja": "簡易検査（--quick）"},
    "full_check": {"en": "full check", "ja": "全検査"},
    "data_loop": {"en": "`json.loads` alone", "ja": "`json.loads`だけ"},
    "data_rows": {"en": "rows", "ja": "行数"},
    "data_seconds": {"en": "s", "ja": "秒"},
    "data_speed": {"en": "rows/s", "ja": "行/秒"},
    "data_peak": {"en": "peak MB", "ja": "最大メモリ（MB）"},
    "runtimes": {"en": "model: pair", "ja": "モデル：組み合わせ"},
    "shop_tuned": {"en": "tuned", "ja": "学習後"},
    "in_ollama": {"en": "Ollama {}, one thread.", "ja": "Ollama {}、1スレッド。"},
    "families": {
        "en": "Small random models with each family's kind of tokenizer and architecture (not the published weights), "
        "taught a few answers by LoRA, merged, converted and quantized. F32 and F16: the largest difference of a "
        "log-probability to transformers; at most {} and {}. Two counts: llama.cpp / Ollama.",
        "ja": "各系統と同じ種類のトークナイザーと構造を持つ、"
        "乱数で作った小さなモデル（公開されている重みではありません）に、"
        "LoRAで短い回答を学習させ、マージ・変換・量子化したもの。F32とF16：transformersとの対数確率の最大差"
        "（それぞれ{}、{}以下）。"
        "数が2つあるところは、llama.cpp / Ollama。",
    },
    "family": {"en": "family", "ja": "系統"},
    "texts": {"en": "hard texts, same ids", "ja": "難しい文章のトークンID一致"},
    "f32": {"en": "F32", "ja": "F32"},
    "f16": {"en": "F16", "ja": "F16"},
    "lessons": {"en": "learned answers, ended", "ja": "学習した回答と終わり方"},
    "smaller": {
        "en": "llama.cpp = Ollama, Q8_0 / Q4_K_M / Q2_K",
        "ja": "llama.cpp = Ollama、Q8_0 / Q4_K_M / Q2_K",
    },
    "asked_back": {
        "en": "template, ends, context, chat tokens",
        "ja": "テンプレート・終了・文脈長・会話のトークン",
    },
    "of": {"en": "{} of {}", "ja": "{}（{}中）"},
    "gelu": {
        "en": "{}: on a processor llama.cpp reads GELU off a table of 16-bit numbers, whatever the weights are. Behind "
        "the first token the F32 difference is {}; with the same rounding in transformers {}. Without the feed-forward "
        "layers, where GELU stands, it is {} at most.",
        "ja": "{}：llama.cppはCPU上で、重みの形式によらず、GELUを16ビットの表から引きます。"
        "最初のトークンの直後のF32の差は{}、transformersでも同じように丸めると{}です。GELUのあるフィードフォワード層を除くと、差は最大で{}です。",
    },
    "own_engine": {
        "en": "Gemma 3 runs in Ollama's own engine, not in llama.cpp, and in this build answered wrongly from "
        "quantized weights. Other builds were not measured here.",
        "ja": "Gemma 3はllama.cppではなくOllama独自のエンジンで動き、このビルドでは量子化した重みから"
        "正しく答えられませんでした。ほかのビルドはここでは測定していません。",
    },
    "way": {"en": "model", "ja": "モデル"},
    "merged F16": {"en": "merged, F16", "ja": "マージしたもの（F16）"},
    "F16 + adapter": {"en": "base F16 + adapter", "ja": "ベースF16＋アダプター"},
    "Q8_0 + adapter": {"en": "base `Q8_0` + adapter", "ja": "ベース`Q8_0`＋アダプター"},
    "own": {"en": "MB each", "ja": "1つごとのMB"},
    "shared": {"en": "MB shared", "ja": "共有のMB"},
    "made": {"en": "made, s", "ja": "作成（秒）"},
    "loaded": {"en": "loaded, s", "ja": "読み込み（秒）"},
    "as_merged": {"en": "answers as merged", "ja": "マージしたものと同じ回答"},
    "asked": {"en": "{} held-out questions", "ja": "評価用の質問{}問"},
    "level": {"en": "the same, or parted at a tie", "ja": "同じ、または僅差で分かれた"},
    "missed": {"en": "missed", "ja": "未達"},
    "failed": {"en": "could not be measured", "ja": "測定できず"},
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


def quantized(rows: list[dict[str, Any]], language: str) -> str:
    """A quantization table."""
    names = ("type", "size", "bits", "speed", "recall", "perplexity", "kl", "top")
    cells = [
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
        for row in rows
    ]
    return table([word(key, language) for key in names], cells)


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
        parts.append(quantized(result["quantization"]["rows"], language))
    parts.append(word("all", language).format(number(data["seconds"])))
    return "\n\n".join(parts)


def named(label: str, language: str) -> str:
    """A benchmark's label of a model: `tuned_10` and so on, or a word."""
    kind, _, rows = label.partition("_")
    return word(kind, language).format(rows) if kind == "tuned" else word(label, language)


def spoken_name(spoken: str, language: str) -> str:
    return word({"en": "english", "ja": "japanese"}[spoken], language)


def ranged(found: dict[str, Any] | None, show: Callable[[float], str]) -> str:
    """A median, with the range where the runs differ."""
    if found is None:
        return "–"
    middle, low, high = (show(found[key]) for key in ("median", "min", "max"))
    return (
        middle if low == high else f"{middle} ({low.removesuffix(' %')}–{high.removesuffix(' %')})"
    )


def learning(data: dict[str, Any], language: str) -> str:
    """What tuning taught, and what it cost, for each language."""
    parts = []
    for spoken, learned in data["learned"].items():
        order = sorted(learned, key=lambda k: int(k.split("_")[1]) if "_" in k else -1)
        about = word("held_out", language).format(
            data["questions"][spoken], ", ".join(map(str, seeds(data)))
        )
        parts.append(f"**{spoken_name(spoken, language)}**: {about}")
        keys: tuple[str, ...] = (
            "recall",
            "contradicted",
            "unsupported",
            "right_language",
            "polite",
        )
        keys = tuple(key for key in keys if any(key in figures for figures in learned.values()))
        rows = [(label, learned[label]) for label in order]
        parts.append(shares(rows, keys, keys, language))
        parts.append(verdicts(data, spoken, language))
        forgetting = data["forgetting"][spoken]
        asked = sum(data["probe_questions"][spoken].values())
        parts.append(word("cost", language).format(asked))
        keys = ("recall", "general_knowledge", "facts_in_prompt", "not_in_information")
        heads = ("recall", "general_knowledge", "copied", "not_invented")
        parts.append(shares(list(forgetting.items()), keys, heads, language))
    return "\n\n".join(parts)


def verdicts(data: dict[str, Any], spoken: str, language: str) -> str:
    """Whether every seed kept to the targets of a language."""
    told = []
    for label, good in data["met"][spoken].items():
        ((kind, limit),) = data["targets"][label].items()
        bound = word("at most" if kind == "recall_at_most" else "at least", language)
        verdict = word("met", language) if good else f"**{word('missed', language)}**"
        cells = (named(label, language), bound.format(f"{limit:.0%}"), verdict)
        told.append(word("verdict", language).format(*cells))
    return word("every_seed", language).format(("、" if language == "ja" else "; ").join(told))


def seeds(data: dict[str, Any]) -> list[int]:
    return sorted({run["seed"] for run in data["runs"] if "seed" in run})


def shares(
    rows: list[tuple[str, dict[str, Any]]],
    keys: tuple[str, ...],
    heads: tuple[str, ...],
    language: str,
) -> str:
    """A table of shares by model, with the seconds of training."""
    cells = [
        [
            named(label, language),
            *(ranged(figures.get(key), share) for key in keys),
            ranged(figures.get("train_seconds"), lambda seconds: f"{seconds:.1f}"),
        ]
        for label, figures in rows
    ]
    head = ["candidate", *heads, "train_seconds"]
    return table([word(key, language) for key in head], cells)


def quantization(data: dict[str, Any], language: str) -> str:
    """The quantization table of each language."""
    parts = []
    for spoken, found in data["tables"].items():
        parts += [f"**{spoken_name(spoken, language)}**", quantized(found["rows"], language)]
    return "\n\n".join(parts)


def speed(data: dict[str, Any], language: str) -> str:
    """What took how long, with the targets."""
    rows = [
        [what, value if good else f"{value}, **{word('missed', language)}**", target]
        for what, value, target, good in speeds(data, language)
    ]
    return table([word(key, language) for key in ("figure", "value", "target")], rows)


def speeds(data: dict[str, Any], language: str) -> Iterator[tuple[str, str, str, bool]]:
    """(what, measured, target, whether it is met) of each part; a part that failed says so."""

    def limit(part: str, key: str) -> tuple[float, str]:
        value = data["targets"][part][key]
        kind, sign = ("at least", "×") if key.endswith("at_least") else ("at most", "")
        return value, word(kind, language).format(f"{number(value)}{sign}")

    def seconds(found: dict[str, Any]) -> str:
        return ranged(found, lambda value: f"{value:.2f}")

    done = {}
    for part in ("startup", "demo", "lora", "trl", "batch", "pretraining"):
        if "failed" in data.get(part, {}):
            yield part, word("failed", language), "", False
        elif part in data:
            done[part] = data[part]
    if found := done.get("startup"):
        bare = word("bare", language).format(f"{found['seconds']['python']['median']:.2f}")
        for name in ("help", "import"):
            took = found["seconds"][name]
            most, target = limit("startup", f"{name}_seconds_at_most")
            yield (
                word(f"startup_{name}", language),
                f"{seconds(took)}; {bare}",
                target,
                took["median"] <= most,
            )
    if found := done.get("demo"):
        most, target = limit("demo", "seconds_at_most")
        yield (
            word("demo_seconds", language),
            f"{found['seconds']:.0f}",
            target,
            found["seconds"] <= most,
        )
    if found := done.get("lora"):
        for name in ("rows_10", "rows_100"):
            most, target = limit("lora", f"{name}_seconds_at_most")
            for spoken, took in found[name].items():
                what, told, good = (
                    word(f"lora_{name[5:]}", language),
                    seconds(took),
                    took["median"] <= most,
                )
                if name == "rows_100":
                    recall = found["rows_100_recall"][spoken]
                    told = word("with_recall", language).format(told, share(recall))
                    good = good and recall >= 0.9
                yield what.format(spoken_name(spoken, language)), told, target, good
    if found := done.get("trl"):
        least, target = limit("trl", "ratio_at_least")
        for key, ours, name in (
            ("ratio", "best", "against_trl"),
            ("ratio_same_settings", "same_settings", "against_trl_same"),
            ("ratio_documented", "documented", "against_trl_documented"),
        ):
            took, recall = found["seconds"], found["recall"]
            told = f"{found[key]:.2f}× ({took['trl']['median']:.1f} / {took[ours]['median']:.1f} s)"
            told = word("with_recall", language).format(
                told, f"{share(recall['trl'])} / {share(recall[ours])}"
            )
            good = found[key] >= least and recall[ours] >= found["goal"]
            yield word(name, language), told, target, good
    if found := done.get("batch"):
        least, target = limit("batch", "ratio_at_least")
        one, all_ = (found["seconds"][key]["median"] for key in ("one_by_one", "batch"))
        told = f"{found['ratio']:.2f}× ({one:.1f} / {all_:.1f} s)"
        what = word("in_batch", language).format(found["questions"])
        yield what, told, target, found["ratio"] >= least
        peaks = " / ".join(
            f"{found['peak_bytes'][key] / 1e6:,.0f} MB" for key in ("batch", "one_by_one")
        )
        yield word("peak_memory", language), peaks, "", True
    if found := done.get("pretraining"):
        told = f"{number(round(found['tokens_per_second']))} ({share(found['share_of_peak'])})"
        yield word("pretraining_speed", language), told, "", True


def recipes(data: dict[str, Any], language: str) -> str:
    """What each recipe taught and cost, on the questions that are there to choose by."""
    head = [
        word(key, language)
        for key in ("recipe", "seeds", "worst_recall", "forgotten", "train_seconds")
    ]
    rows = []
    for trial in data["trials"]:
        recipe = trial["recipe"]
        told = word("recipe_of", language).format(
            *(f"{recipe[key]:g}" for key in ("rank", "learning_rate", "epochs", "batch_size"))
        )
        if recipe["loraplus_ratio"] != 1:
            told += word("plus", language).format(f"{recipe['loraplus_ratio']:g}")
        tried = len({record["seed"] for record in trial["records"]})
        shares_ = [share(trial[key]) for key in ("recall", "forgotten")]
        rows.append([told, str(tried), *shares_, f"{trial['seconds']:.1f}"])
    asked = min(data["questions"].values())
    return f"{table(head, rows)}\n\n{word('chosen_on', language).format(asked)}"


def data_check(data: dict[str, Any], language: str) -> str:
    """How fast training data is checked, beside a loop that only reads it."""
    keys = ("figure", "data_rows", "data_seconds", "data_speed", "data_peak", "target")
    rows = []
    for name in ("quick_check", "full_check"):
        aims = data["targets"][name]
        for kind in ("loop", "check"):
            found = data[name][kind]
            cells = [
                number(found["rows"]),
                f"{found['seconds']:.1f}",
                number(found["rows_per_second"]),
            ]
            cells += [number(round(found["peak_bytes"] / 1e6)), ""]
            if kind == "check":
                cells = _against(cells, found, aims, language)
            rows.append([word(name if kind == "check" else "data_loop", language), *cells])
    return table([word(key, language) for key in keys], rows)


def _against(
    cells: list[str], found: dict[str, Any], aims: dict[str, float], language: str
) -> list[str]:
    """The row's cells with its targets, and a mark on each figure that misses one."""
    told = list(cells)
    texts = []
    for aim, (place, sign, unit) in {
        "rows_per_second": (2, 1, ""),
        "peak_bytes": (3, -1, " MB"),
        "seconds": (1, -1, " s"),
    }.items():
        key = f"{aim}_at_{'least' if sign > 0 else 'most'}"
        if key not in aims:
            continue
        limit = aims[key]
        shown = number(limit / 1e6 if aim == "peak_bytes" else limit) + unit
        texts.append(word("at least" if sign > 0 else "at most", language).format(shown))
        if sign * found[aim] < sign * limit:
            told[place] += f" **{word('missed', language)}**"
    told[-1] = ", ".join(texts)
    return told


def runtimes(data: dict[str, Any], language: str) -> str:
    """How many greedy answers are the same in each pair of runtimes, for the base and for it tuned."""
    head = [word(key, language) for key in ("runtimes", "questions", "equal", "level", "target")]
    rows = []
    for model, pairs in data["models"].items():
        for pair, found in pairs.items():
            aim = found["target"]
            what = f"{word('shop_tuned' if model == 'tuned' else model, language)}: {pair}"
            equal = marked(share(found["equal"]), aim is None or found["equal"] >= aim, language)
            target = "" if aim is None else word("at least", language).format(f"{aim:.0%}")
            level = share(found["equal_or_level"])
            rows.append([what, str(data["questions"]), equal, level, target])
    return f"{table(head, rows)}\n\n{word('in_ollama', language).format(data['ollama'])}"


def marked(text: str, good: bool, language: str) -> str:
    """A figure, with a mark where it misses its target."""
    return text if good else f"{text}, **{word('missed', language)}**"


def families(data: dict[str, Any], language: str) -> str:
    """What became of every family on its way to llama.cpp and Ollama, with a mark on what is not as
    it should be.
    """
    limits = data["targets"]

    def counted(found: dict[str, Any], every: int, *names: str) -> str:
        counts = [found[name] for name in names]
        told = " / ".join("–" if count is None else str(count) for count in counts)
        good = all(count == every for count in counts)
        return marked(word("of", language).format(told, every), good, language)

    rows = []
    for name, found in data["families"].items():
        every, differs = found["questions"], found["difference"]
        back = {**found["asked_back"], **{k: found["chat"][k] for k in ("llama.cpp", "ollama")}}
        smaller = {kind: one["equal"] for kind, one in found["quantized"].items()}
        rows.append(
            [
                FAMILY_NAMES.get(name, name),
                counted(found["texts"], found["texts"]["asked"], "llama.cpp", "ollama"),
                *(
                    marked(f"{differs[kind]:.1e}", differs[kind] <= limits[kind], language)
                    for kind in ("F32", "F16")
                ),
                counted(found["learned"], every, "llama.cpp", "ollama"),
                counted(found["equal"], every, "llama.cpp = ollama"),
                counted(smaller, every, *smaller),
                marked(f"{sum(back.values())} / {len(back)}", all(back.values()), language),
            ]
        )
    keys = ("family", "texts", "f32", "f16", "lessons", "equal", "smaller", "asked_back")
    parts = [
        word("families", language).format(f"{limits['F32']:g}", f"{limits['F16']:g}"),
        table([word(key, language) for key in keys], rows),
    ]
    for name, found in data["families"].items():
        if "gelu" in found:
            told = (f"{value:.1e}" for value in found["gelu"].values())
            parts.append(word("gelu", language).format(FAMILY_NAMES.get(name, name), *told))
    gemma = data["families"].get("gemma3", {"quantized": {}})
    if any(one["equal"] == 0 for one in gemma["quantized"].values()):
        parts.append(word("own_engine", language))
    parts.append(word("in_ollama", language).format(data["ollama"]))
    return "\n\n".join(parts)


FAMILY_NAMES = {
    "llama3": "Llama 3",
    "qwen2.5": "Qwen2.5",
    "qwen3": "Qwen3",
    "tinyllama": "TinyLlama",
    "gemma3": "Gemma 3",
}


def adapters(data: dict[str, Any], language: str) -> str:
    """A merged model against an adapter on its base, in Ollama, for each language."""
    keys = ("way", "own", "shared", "made", "loaded", "speed", "as_merged")
    parts = []
    for spoken, found in data["languages"].items():
        rows = [
            [
                word(way, language),
                f"{one['own_bytes'] / 1e6:.2f}",
                f"{one['shared_bytes'] / 1e6:.1f}",
                f"{one['create_seconds']:.2f}",
                f"{one['load_seconds']:.2f}",
                ranged(one["tokens_per_second"], lambda value: f"{value:.0f}"),
                share(one["equal_to_merged"]),
            ]
            for way, one in found["ways"].items()
        ]
        about = word("asked", language).format(found["questions"])
        parts.append(f"**{spoken_name(spoken, language)}**: {about}")
        parts.append(table([word(key, language) for key in keys], rows))
    return "\n\n".join([*parts, word("in_ollama", language).format(data["ollama"])])


BENCHMARKS: dict[str, Callable[[dict[str, Any], str], str]] = {
    "learning": learning,
    "quantization": quantization,
    "speed": speed,
    "recipe_search": recipes,
    "data_check": data_check,
    "runtimes": runtimes,
    "families": families,
    "adapters": adapters,
}


def listed(data: dict[str, Any], language: str) -> str:
    """Every figure of a file of another kind, by its path in the file."""
    rows = [
        [" · ".join(word(part, language) for part in path), number(value)]
        for path, value in figures(data)
    ]
    return table([word("figure", language), word("value", language)], rows)


def figures(data: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The numbers in nested objects with the keys that lead to them; lists and texts are passed
    over.
    """
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


def section(file: Path, language: str, top: str = "") -> str:
    """One results file as Markdown; `top` leads from the page to the repository's top."""
    data = json.loads(file.read_text(encoding="utf-8"))
    title = data.get("title", {}).get(language) or word(file.stem, language)
    if "targets" in data and "rows" in data:
        body = mame(data, language)
    elif data.get("benchmark") in BENCHMARKS:
        body = BENCHMARKS[data["benchmark"]](data, language)
    elif "languages" in data:
        body = demo(data, language)
    else:
        body = listed(data, language)
    source = f"[`results/{file.name}`]({top}results/{file.name})"
    return f"### {title}\n\n{body}{machine(data, language)} <sub>{source}</sub>"


def filled(text: str, results: list[Path], language: str, top: str = "") -> str:
    """A README's text with the part between its markers made anew. ValueError when it has no
    markers.
    """
    sections = [section(file, language, top) for file in results] or [word("none", language)]
    pattern = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)
    if len(pattern.findall(text)) != 1:
        raise ValueError(f"the text must hold {BEGIN} … {END} exactly once")
    body = "\n\n".join(sections)
    return pattern.sub(lambda _: f"{BEGIN}\n\n{body}\n\n{END}", text)


def main(argv: list[str] | None = None) -> int:
    """Write or check the pages; 1 when --check finds one out of date."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit code 1 when out of date"
    )
    args = parser.parse_args(argv)
    known = [ROOT / "results" / f"{stem}.json" for stem in ORDER]
    others = sorted(
        path
        for path in (ROOT / "results").glob("*.json")
        if path not in known and path.stem not in LEFT_OUT
    )
    results = [path for path in known if path.is_file()] + others
    pages = [(name, language, results, "") for language, name in READMES.items()]
    pages.append((MODEL_CARD, "en", [path for path in results if path.stem == "mame"], "../../"))
    stale = []
    for name, language, shown, top in pages:
        path = ROOT / name
        before = path.read_text(encoding="utf-8")
        after = filled(before, shown, language, top)
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
