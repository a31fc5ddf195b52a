"""Fill the pages that show results from results/*.json: no number is typed by hand.

    python scripts/readme_figures.py           write them
    python scripts/readme_figures.py --check   say whether they are up to date (exit code 1 if not)

The pages are results/README.md and README.ja.md (every table), the READMEs (five figures and a
picture) and mame's card. What they say is in readme_figures.yaml.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from pathlib import Path
from statistics import median
from typing import Any

from readme_picture import Panel, picture

ROOT = Path(__file__).resolve().parents[1]
BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"

Data = dict[str, Any]
Say = Callable[..., str]
Curve = Callable[[str], dict[float, float]]


def words(language: str) -> Say:
    """`say("key", value, …)` in `language` ("en" or "ja")."""
    return partial(_say, language)


def _say(language: str, key: str, *values: object) -> str:
    if key.startswith("agenda."):  # the sections' names are those of the talk
        from workshop_helpers.core.wordings import say

        return say(key, language)
    return texts()[key][language].format(*values)


@cache
def texts() -> dict[str, dict[str, str]]:
    import yaml

    texts: dict[str, dict[str, str]] = yaml.safe_load(
        Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8")
    )
    return texts


# How cells are written


def table(head: Iterable[str], rows: Iterable[list[str]]) -> str:
    """A Markdown table; the first column is text, the others are figures."""
    head = list(head)
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)


def share(value: float | None) -> str:
    """A share as per cent, rounded down: 94.96 % must not read as the 95 % it misses."""
    return "–" if value is None else f"{int(value * 1000 + 1e-6) / 10:.1f} %"


def number(value: float) -> str:
    """Four significant digits, with thousands separated."""
    whole = isinstance(value, int) or abs(value) >= 1000
    return f"{value:,.0f}" if whole else f"{value:.4g}"


def short(value: float) -> str:
    """Two significant digits of what is below one: 0.00033333 is a third of a rate."""
    return f"{value:.2g}" if value < 1 else f"{value:g}"


def ranged(found: Data | None, show: Callable[[float], str]) -> str:
    """A median, with the range where the runs differ."""
    if found is None:
        return "–"
    middle, low, high = (show(found[key]) for key in ("median", "min", "max"))
    if low == high:
        return middle
    return f"{middle} ({low.removesuffix(' %')}–{high.removesuffix(' %')})"


def marked(text: str, good: bool, say: Say) -> str:
    """A figure, with a mark where it misses its target."""
    return text if good else f"{text}, **{say('missed')}**"


def named(label: str, say: Say) -> str:
    """A benchmark's label of a model: `tuned_10` and so on, or a word."""
    kind, _, rows = label.partition("_")
    return say("tuned", rows) if kind == "tuned" else say(label)


# A section for each file of results/


def mame(data: Data, say: Say) -> Iterator[str]:
    """The evaluation of the base model against its targets."""
    rows = []
    for key, targets in data["targets"].items():
        cells = [say(key)]
        for spoken, target in targets.items():
            value = data["rows"][key][spoken]
            short = "" if value >= target else f", **{say('short')}**"
            cells.append(f"{share(value)} ({say('target')} {target:.0%}{short})")
        rows.append(cells)
    yield table(["", say("en"), say("ja")], rows)


def unseen(data: Data, say: Say) -> Iterator[str]:
    """Prompts, typed questions and shops that the base model's makers did not write."""
    parts, targets = data["parts"], data["targets"]
    about = (
        ("prompted", "unseen_facts_share"),
        ("prompted", "unseen_another_figure_share"),
        ("prompted", "unseen_admitted_share"),
        ("variants", "unseen_typed_of_plain"),
        ("variants", "unseen_tidied_of_plain"),
        ("shops", "unseen_median_share"),
        ("outside", "unseen_untuned_model_share"),
        ("outside", "unseen_tuned_model_share"),
        ("outside", "unseen_honest_share"),
        ("outside", "unseen_asked_alarms"),
        ("outside", "unseen_typed_alarms"),
    )
    aimed = {"facts_share", "typed_of_plain", "tidied_of_plain", "median_share", "honest_share"}
    rows = []
    for part, name in about:
        cells, key = [say(name)], name.removeprefix("unseen_")
        for spoken, found in parts[part].items():
            value, target = found[key], targets[part][spoken]
            missed = "" if value >= target else f", **{say('short')}**"
            cells.append(share(value))
            if key in aimed:
                cells[-1] += f" ({say('target')} {target:.0%}{missed})"
        rows.append(cells)
    yield table(["", say("en"), say("ja")], rows)
    yield say("unseen_own")
    own = [
        [f"{name}, {say(spoken)}", share(one["chat_share"]), share(one["asked_alarms"])]
        for spoken, found in parts["outside"].items()
        for name, one in found["own"].items()
    ]
    yield table(map(say, ("unseen_rows", "unseen_told", "unseen_asked_alarms")), own)
    for spoken, found in parts["variants"].items():
        yield say("unseen_typed", say(spoken), found["questions"])
        kinds = [
            [
                say(f"typed_{kind.replace(' ', '_')}"),
                *(share(of[k]) for k in ("plain_share", "typed_share", "tidied_share")),
            ]
            for kind, of in sorted(found["kinds"].items(), key=lambda kind: kind[1]["typed_share"])
        ]
        yield table(
            map(say, ("unseen_kind", "unseen_plain", "unseen_as_typed", "unseen_tidied")), kinds
        )
    yield say("unseen_shops")
    scores = ("recall", "contradicted", "unsupported")
    rows = [
        [f"{name.replace('-', ' ')}, {say(spoken)}", *(share(one[key]) for key in scores)]
        for spoken, found in parts["shops"].items()
        for name, one in found["shops"].items()
    ]
    yield table(map(say, ("unseen_shop", *scores)), rows)


def mame_tried(data: Data, say: Say) -> Iterator[str]:
    """The bundled weights beside those of a longer pretraining, on the same rows."""
    yield say("tried_about", data["weights"]["continued"]["steps"])
    heads = [
        f"{say(spoken)}: {say(name)}"
        for spoken in ("en", "ja")
        for name in ("tried_bundled", "tried_continued", "tried_mean")
    ]
    about = {
        **{key: (say(key), target) for key, target in data["targets"].items()},
        "prompted": (say("unseen_facts_share"), None),
        "typed_of_plain": (say("unseen_typed_of_plain"), None),
        "shops_median": (say("unseen_median_share"), None),
    }
    rows = []
    for key, (told, target) in about.items():
        cells = [
            told
            if target is None
            else f"{told} ({say('target')} {target['en']:.0%} / {target['ja']:.0%})"
        ]
        for spoken in ("en", "ja"):
            for weights in data["weights"].values():
                found = {**weights["rows"], **weights.get("unseen", {})}
                cells.append(share(found[key][spoken] if key in found else None))
        rows.append(cells)
    yield table(["", *heads], rows)


def learning(data: Data, say: Say) -> Iterator[str]:
    """What tuning taught, and what it cost, for each language."""
    seeds = sorted({run["seed"] for run in data["runs"] if "seed" in run})
    for spoken, learned in data["learned"].items():
        about = say("held_out", data["questions"][spoken], ", ".join(map(str, seeds)))
        yield f"**{say(spoken)}**: {about}"
        keys = ["recall", "contradicted", "unsupported", "right_language", "polite"]
        keys = [key for key in keys if any(key in figures for figures in learned.values())]
        order = sorted(learned, key=lambda k: int(k.split("_")[1]) if "_" in k else -1)
        yield _shares({label: learned[label] for label in order}, {key: key for key in keys}, say)
        yield say("every_seed", say("semicolon").join(_verdicts(data, spoken, say)))
        yield say("cost", sum(data["probe_questions"][spoken].values()))
        heads = {"facts_in_prompt": "copied", "not_in_information": "not_invented"}
        keys = ["recall", "general_knowledge", *heads]
        yield _shares(data["forgetting"][spoken], {key: heads.get(key, key) for key in keys}, say)


def learning_map(data: Data, say: Say) -> Iterator[str]:
    """What rows, epochs and learning rate do, for each model and language."""
    by_setting: dict[tuple[Any, ...], list[Data]] = {}
    for run in data["runs"]:
        names = ("language", "model", "rows", "epochs", "learning_rate", "batch_size")
        by_setting.setdefault(tuple(run[name] for name in names), []).append(run)
    for spoken in sorted({setting[0] for setting in by_setting}):
        yield f"**{say(spoken)}**"
        rows = []
        for setting, runs in sorted(by_setting.items()):
            if setting[0] == spoken:
                scores = (
                    ranged(_spread([run.get(key) for run in runs]), share)
                    for key in ("recall", "contradicted", "unsupported")
                )
                cost = [
                    ranged(_spread([run.get("general") for run in runs]), share),
                    ranged(
                        _spread([run.get("processor_seconds") for run in runs]), "{:.0f} s".format
                    ),
                    ranged(
                        _spread([gigabytes(run.get("peak_bytes")) for run in runs]),
                        "{:.1f} GB".format,
                    ),
                ]
                told = (x if isinstance(x, str) else short(x) for x in setting[1:])
                rows.append([*told, *scores, *cost, str(len(runs))])
        heads = ("candidate", "rows", "epochs", "rate", "batch_size")
        scored = ("recall", "contradicted", "unsupported", "general_knowledge")
        cost_heads = ("map_processor", "map_peak", "trainings")
        yield table(map(say, (*heads, *scored, *cost_heads)), rows)
    yield say("map_spread")


def recipe_search(data: Data, say: Say) -> Iterator[str]:
    """The recipes that were tried, the best first, each with its trainings by seed."""
    yield say("search_about", *data["questions"].values(), f"{data['goal']:.0%}")
    rows = []
    for trial in data["trials"]:
        recipe, records = trial["recipe"], trial["records"]
        whole = recipe.get("method") == "full"
        more = [f"dropout {recipe['dropout']:g}"] if recipe["dropout"] else []
        if recipe["target_modules"]:
            more.append(say("search_mlp"))
        scores = (
            ranged(_spread([record.get(key) for record in records]), share)
            for key in ("recall", "general_knowledge")
        )
        about = [short(recipe[key]) for key in ("learning_rate", "epochs", "batch_size")]
        name = say("search_whole") if whole else str(recipe["rank"])
        rows.append([", ".join([name, *more]), *about, *scores, str(len(records))])
    heads = ("search_rank", "rate", "epochs", "batch_size")
    yield table(map(say, (*heads, "recall", "general_knowledge", "trainings")), rows)


def mapped(data: Data, language: str) -> Iterator[tuple[str, str, Curve]]:
    """Each model of the map with the language that is shown of it (`language` if it was measured
    in it), and what gives the points of a curve: by value, the median recall.
    """

    def curve(model: str, spoken: str, by: str) -> dict[float, float]:
        recipe = data["models"][model]["recipe"]
        usual = {"rows": 100, **{key: recipe[key] for key in ("epochs", "learning_rate")}}
        usual |= {"batch_size": recipe["batch_size"], "model": model, "language": spoken}
        del usual[by]
        found: dict[float, list[float]] = {}
        for run in data["runs"]:
            if usual.items() <= run.items():
                # A training that diverged states nothing.
                found.setdefault(run[by], []).append(run.get("recall") or 0.0)
        return {value: median(recalls) for value, recalls in sorted(found.items())}

    for model, about in data["models"].items():
        spoken = language if language in about["questions"] else next(iter(about["questions"]))
        yield model, spoken, partial(curve, model, spoken)


def map_picture(data: Data, language: str) -> str:
    """A line of bars for each model: by rows, epochs and learning rate."""
    say = words(language)
    lines = []
    for model, spoken, curve in mapped(data, language):
        recipe = data["models"][model]["recipe"]
        titles = {
            "rows": say("picture_map_rows", model, say(spoken), f"{recipe['epochs']:g}"),
            "epochs": say("picture_map_epochs"),
            "learning_rate": say("picture_map_rate", f"{recipe['epochs']:g}"),
        }
        lines.append(
            [
                Panel(title, [(short(x), y, share(y)) for x, y in curve(by).items()], "good", 58)
                for by, title in titles.items()
                if len(curve(by)) > 1  # varied
            ]
        )
    return picture([line for line in lines if line])


def map_table(data: Data, language: str) -> str:
    """Recall by the number of rows, a line a model and language, behind the talk's recipe."""
    say, every = words(language), {}
    for spoken in ("en", "ja"):
        for model, of, curve in mapped(data, spoken):
            talk = [
                run["recall"]
                for run in data["runs"]
                if (run["model"], run["language"], run["rows"]) == (model, of, 10)
                and run["epochs"] == 3
            ]
            every[model, of] = (curve("rows"), talk)
    numbers = sorted({rows for found, _ in every.values() for rows in found})
    body = []
    order = list(data["models"])
    for (model, spoken), (found, talk) in sorted(
        every.items(), key=lambda one: order.index(one[0][0])
    ):
        recipe = data["models"][model]["recipe"]
        name = say("map_model", model, say(spoken), f"{recipe['epochs']:g}", recipe["rank"])
        shares = (share(found.get(rows)) for rows in numbers)
        body.append([name, share(median(talk) if talk else None), *shares])
    heads = (say("map_rows", rows) for rows in numbers)
    return table([say("map_head"), say("map_talk"), *heads], body)


def gigabytes(size: int | None) -> float | None:
    return None if size is None else size / 1e9


def _spread(values: list[float | None]) -> Data | None:
    """Median, least and greatest of the known values."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    return {"median": median(known), "min": min(known), "max": max(known)}


def _shares(models: dict[str, Data], columns: dict[str, str], say: Say) -> str:
    """A table of shares by model, with the seconds of training; columns: key → heading."""
    rows = [
        [
            named(label, say),
            *(ranged(figures.get(key), share) for key in columns),
            ranged(figures.get("train_seconds"), "{:.1f}".format),
        ]
        for label, figures in models.items()
    ]
    return table(map(say, ["candidate", *columns.values(), "train_seconds"]), rows)


def _verdicts(data: Data, spoken: str, say: Say) -> Iterator[str]:
    """Whether every seed kept to the targets of a language."""
    for label, good in data["met"][spoken].items():
        ((kind, limit),) = data["targets"][label].items()
        bound = say(kind.removeprefix("recall_"), f"{limit:.0%}")
        yield say("verdict", named(label, say), bound, say("met") if good else _missed(say))


def _missed(say: Say) -> str:
    return f"**{say('missed')}**"


def quantization(data: Data, say: Say) -> Iterator[str]:
    """The quantization table of each language."""
    for spoken, found in data["tables"].items():
        rows = [
            [
                row["type"],
                f"{row['size_bytes'] / 1e6:.1f}",
                f"{row['bits_per_weight']:.2f}",
                f"{row['generation_tokens_per_second']:,.0f}",
                share(row["recall"]),
                f"{row['perplexity']:.3f}",
                f"{row['kl_to_f16']:.4f}",
                share(row["same_top_token"]),
            ]
            for row in found["rows"]
        ]
        heads = ("type", "size", "bits", "speed", "recall", "perplexity", "kl", "top")
        yield f"**{say(spoken)}**"
        yield table(map(say, heads), rows)


def runtimes(data: Data, say: Say) -> Iterator[str]:
    """How many greedy answers are the same in each pair of runtimes, for the base and tuned."""
    rows = []
    for model, pairs in data["models"].items():
        for pair, found in pairs.items():
            aim = found["target"]
            rows.append(
                [
                    f"{say('shop_tuned' if model == 'tuned' else model)}: {pair}",
                    str(data["questions"]),
                    marked(share(found["equal"]), aim is None or found["equal"] >= aim, say),
                    share(found["equal_or_level"]),
                    "" if aim is None else say("at_least", f"{aim:.0%}"),
                ]
            )
    yield table(map(say, ("pair", "questions", "equal", "level", "target")), rows)
    yield say("in_ollama", data["ollama"])


FAMILY_NAMES = {
    "llama3": "Llama 3",
    "qwen2.5": "Qwen2.5",
    "qwen3": "Qwen3",
    "tinyllama": "TinyLlama",
    "gemma3": "Gemma 3",
}


def families(data: Data, say: Say) -> Iterator[str]:
    """What became of every family on its way to llama.cpp and Ollama."""
    limits = data["targets"]

    def counted(counts: Iterable[int | None], every: int) -> str:
        counts = list(counts)
        told = " / ".join("–" if count is None else str(count) for count in counts)
        return marked(say("of", told, every), all(count == every for count in counts), say)

    rows = []
    for name, found in data["families"].items():
        every, both = found["questions"], ("llama.cpp", "ollama")
        back = [*found["asked_back"].values(), *(found["chat"][runtime] for runtime in both)]
        rows.append(
            [
                FAMILY_NAMES[name],
                counted((found["texts"][runtime] for runtime in both), found["texts"]["asked"]),
                *(
                    marked(
                        f"{found['difference'][kind]:.1e}", found["difference"][kind] <= most, say
                    )
                    for kind, most in limits.items()
                ),
                counted((found["learned"][runtime] for runtime in both), every),
                counted([found["equal"]["llama.cpp = ollama"]], every),
                counted((one["equal"] for one in found["quantized"].values()), every),
                marked(f"{sum(back)} / {len(back)}", all(back), say),
            ]
        )
    yield say("about_families", *(f"{most:g}" for most in limits.values()))
    heads = ("family", "texts", "f32", "f16", "lessons", "equal", "smaller", "asked_back")
    yield table(map(say, heads), rows)
    for name, found in data["families"].items():
        if "gelu" in found:
            yield say("gelu", FAMILY_NAMES[name], *map("{:.1e}".format, found["gelu"].values()))
    gemma = data["families"].get("gemma3", {"quantized": {}})
    if any(one["equal"] == 0 for one in gemma["quantized"].values()):
        yield say("own_engine")
    yield say("in_ollama", data["ollama"])


def adapters(data: Data, say: Say) -> Iterator[str]:
    """A merged model against an adapter on its base, in Ollama, for each language."""
    for spoken, found in data["languages"].items():
        rows = [
            [
                say(way),
                f"{one['own_bytes'] / 1e6:.2f}",
                f"{one['shared_bytes'] / 1e6:.1f}",
                f"{one['create_seconds']:.2f}",
                f"{one['load_seconds']:.2f}",
                ranged(one["tokens_per_second"], "{:.0f}".format),
                share(one["equal_to_merged"]),
            ]
            for way, one in found["ways"].items()
        ]
        yield f"**{say(spoken)}**: {say('asked', found['questions'])}"
        heads = ("candidate", "own", "shared", "made", "loaded", "speed", "as_merged")
        yield table(map(say, heads), rows)
    yield say("in_ollama", data["ollama"])


def speed(data: Data, say: Say) -> Iterator[str]:
    """What took how long, with the targets; a part that failed says so."""
    rows = []
    for part, lines in SPEEDS.items():
        if "failed" in data.get(part, {}):
            rows.append([part, marked(say("failed"), False, say), ""])
        elif part in data:
            for what, value, target, good in lines(data[part], data["targets"].get(part, {}), say):
                rows.append([what, marked(value, good, say), target])
    yield table(map(say, ("figure", "value", "target")), rows)


# What was measured, its value, its target, and whether it is met.
Line = tuple[str, str, str, bool]
seconds = partial(ranged, show="{:.2f}".format)


def _startup(found: Data, targets: Data, say: Say) -> Iterator[Line]:
    bare = say("bare", f"{found['seconds']['python']['median']:.2f}")
    for name in ("help", "import"):
        took, most = found["seconds"][name], targets[f"{name}_seconds_at_most"]
        value = f"{seconds(took)}; {bare}"
        yield say(f"startup_{name}"), value, say("at_most", number(most)), took["median"] <= most


def _demo(found: Data, targets: Data, say: Say) -> Iterator[Line]:
    most = targets["seconds_at_most"]
    target = say("at_most", number(most))
    yield say("demo_seconds"), f"{found['seconds']:.0f}", target, found["seconds"] <= most


def _lora(found: Data, targets: Data, say: Say) -> Iterator[Line]:
    for name in ("rows_10", "rows_100"):
        most = targets[f"{name}_seconds_at_most"]
        for spoken, took in found[name].items():
            value, good = seconds(took), took["median"] <= most
            if name == "rows_100":
                recall = found["rows_100_recall"][spoken]
                value = say("with_recall", value, share(recall))
                good = good and recall >= 0.9
            yield say(f"lora_{name}", say(spoken)), value, say("at_most", number(most)), good


def _trl(found: Data, targets: Data, say: Say) -> Iterator[Line]:
    took, recall, least = found["seconds"], found["recall"], targets["ratio_at_least"]
    for key, ours in (
        ("ratio", "best"),
        ("ratio_same_settings", "same_settings"),
        ("ratio_documented", "documented"),
    ):
        value = f"{found[key]:.2f}× ({took['trl']['median']:.1f} / {took[ours]['median']:.1f} s)"
        value = say("with_recall", value, f"{share(recall['trl'])} / {share(recall[ours])}")
        good = found[key] >= least and recall[ours] >= found["goal"]
        yield say(f"against_trl_{ours}"), value, say("at_least", f"{number(least)}×"), good


def _batch(found: Data, targets: Data, say: Say) -> Iterator[Line]:
    least = targets["ratio_at_least"]
    one, together = (found["seconds"][key]["median"] for key in ("one_by_one", "batch"))
    value = f"{found['ratio']:.2f}× ({one:.1f} / {together:.1f} s)"
    target = say("at_least", f"{number(least)}×")
    yield say("in_batch", found["questions"]), value, target, found["ratio"] >= least
    peaks = (found["peak_bytes"][key] / 1e6 for key in ("batch", "one_by_one"))
    yield say("peak_memory"), " / ".join(f"{peak:,.0f} MB" for peak in peaks), "", True


def _pretraining(found: Data, _: Data, say: Say) -> Iterator[Line]:
    value = f"{found['tokens_per_second']:,.0f} ({share(found['share_of_peak'])})"
    yield say("pretraining_speed"), value, "", True


SPEEDS: dict[str, Callable[[Data, Data, Say], Iterator[Line]]] = {
    "startup": _startup,
    "demo": _demo,
    "lora": _lora,
    "trl": _trl,
    "batch": _batch,
    "pretraining": _pretraining,
}


def training(data: Data, say: Say) -> Iterator[str]:
    """The same LoRA training by the course, by TRL's defaults and by earlier commits."""
    yield say(
        "training_about", data["model"]["name"], data["rows"], f"{data['recipe']['epochs']:g}"
    )
    known = {"ours": say("training_ours"), "trl": say("training_trl"), "unsloth": "Unsloth"}
    ratios, rows = {"ours": dict.fromkeys(("seconds", "peak_bytes"), 1.0)} | data["ratios"], []
    for way, found in data["ways"].items():
        seconds, processor = (
            ranged(found[key], "{:.1f}".format) for key in ("seconds", "processor_seconds")
        )
        peak, times = f"{found['peak_bytes']['median'] / 1e6:,.0f}", ratios[way]
        rows.append(
            [
                known.get(way, say("training_commit", way)),
                *(seconds, processor, number(round(found["tokens_per_second"])), peak),
                f"{found['loss']['median']:.3f}",
                *(f"{times[key]:.2f}×" for key in ("seconds", "peak_bytes")),
            ]
        )
    heads = (
        "training_way", "training_seconds", "training_processor", "training_tokens",
        "training_peak", "training_loss", "training_times_seconds", "training_times_peak",
    )  # fmt: skip
    yield table(map(say, heads), rows)


def verifying(data: Data, say: Say) -> Iterator[str]:
    """The same questions by the course, by `generate` and by llama.cpp."""
    aim = f"{data['target']:g}"
    asked = (data["questions"], data["model"]["name"], data["runs"], data["threads"])
    yield say("verifying_about", *asked, data["tie"], aim)
    rows = []
    for model, ways in data["models"].items():
        for way, found in ways.items():
            ties = sum(abs(gap) <= data["tie"] for gap in found["parted"])
            times = f"{found['takes']:.2f}×"
            if way == "generate":
                times = marked(times, found["takes"] >= data["target"], say)
            rows.append(
                [
                    f"{say(f'verifying_{model}')}: {say(f'verifying_by_{way}')}",
                    ranged(found["seconds"], "{:.1f}".format),
                    ranged(found["processor_seconds"], "{:.1f}".format),
                    times,
                    f"{found['peak_bytes'] / 1e6:,.0f}",
                    f"{ties} + {len(found['parted']) - ties}",
                ]
            )
    heads = ("training_seconds", "training_processor", "verifying_times", "training_peak")
    yield table(["", *map(say, (*heads, "verifying_parted"))], rows)


def demo(data: Data, say: Say) -> Iterator[str]:
    """The whole demo by this package and by earlier commits."""
    yield say("demo_about", f"{data['target_at_most']:.0%}")
    rows = []
    for name, found in data["ways"].items():
        ours, of = name == "ours", data["ours_to"].get(name)
        took = [ranged(found[key], "{:.0f}".format) for key in ("seconds", "processor_seconds")]
        share_of = "–"
        if of is not None:
            good = of["seconds"] <= data["target_at_most"]
            share_of = marked(share(of["seconds"]), good, say)
        recalls = data["runs"][name][-1]["recalls"].values()
        stated = (share(list(of_language.values())[-1]) for of_language in recalls)
        label = say("training_ours") if ours else say("training_commit", name)
        rows.append([label, *took, share_of, *stated])
    spoken = [say("demo_stated", say(la)) for la in data["runs"]["ours"][-1]["recalls"]]
    heads = map(say, ("training_seconds", "training_processor", "demo_share"))
    yield table(["", *heads, *spoken], rows)


_WAYS = {
    "loop": "data_loop", "before": "data_before", "datasets": "data_datasets", "trl": "data_trl",
    "loads": "data_loads",
}  # fmt: skip
_TIMES = {"of_before": "data_of_before", "times_loads": "data_times_loads"}


def data_check(data: Data, say: Say) -> Iterator[str]:
    """How fast training data is checked, beside a loop that only reads it, an earlier version and
    other libraries; and what is read rightly.
    """
    rows = []
    for name in ("quick_check", "full_check", "one_line", "parquet"):
        for kind, found in data.get(name, {}).items():
            if not isinstance(found, dict):
                continue
            cells = {
                "rows": number(found["rows"]),
                "seconds": f"{found['seconds']:.1f}",
                "rows_per_second": number(found["rows_per_second"]),
                "peak_bytes": f"{found['peak_bytes'] / 1e6:,.0f}",
            }
            ours = kind == ("read" if name == "one_line" else "check")
            told = []
            for aim, limit in data["targets"].get(name, {}).items() if ours else ():
                key, _, bound = aim.rpartition("_at_")
                sign = 1 if bound == "least" else -1
                unit = {"peak_bytes": " MB", "seconds": " s"}.get(key, "×" if key in _TIMES else "")
                shown = number(limit / 1e6 if key == "peak_bytes" else limit) + unit
                missed = found[key] is not None and sign * found[key] < sign * limit
                if key not in cells:
                    shown = f"{shown} {say(_TIMES[key])} ({found[key]}×)"
                    told.append(say(f"at_{bound}", shown) + (f" {_missed(say)}" if missed else ""))
                    continue
                told.append(say(f"at_{bound}", shown))
                if missed:
                    cells[key] += f" {_missed(say)}"
            what = say(name) if ours else f"{say(_WAYS[kind])}, {say(name)}"
            rows.append([what, *cells.values(), ", ".join(told)])
    heads = ("figure", "data_rows", "data_seconds", "data_speed", "data_peak", "target")
    yield table(map(say, heads), rows)
    values = data.get("read_rightly", {}).values()
    if values:
        named = map(say, ("data_written", "data_ours", "data_datasets"))
        yield table(named, [list(found.values()) for found in values])
    alarms = data["false_alarms"]
    most = alarms["targets"]["warnings_per_hundred_rows_at_most"]
    rows = []
    for name, found in alarms["sets"].items():
        good = found["errors"] == 0 and 100 * found["warnings"] <= most * found["rows"]
        counts = [number(found[key]) for key in ("rows", "errors", "warnings", "notes")]
        rows.append([marked(say(name), good, say), *counts])
    yield say("alarms_about", most)
    yield table(map(say, ("alarms_set", "data_rows", "errors", "warnings", "notes")), rows)


def scoring(data: Data, say: Say) -> Iterator[str]:
    """How often the scorer is right, before it was mended and now; the unseen answers beside it."""
    aim = data["targets"]["precision_at_least"]
    rows = []
    for verdict in ("stated", "missing", "contradicted", "invented"):
        cells = [str(data["all"][verdict]["labelled"])]
        for found in (data["before"]["all"], data["all"], data["unseen"]):
            both = [found[verdict][name] for name in ("precision", "recall")]
            good = found is data["before"]["all"] or min(both) >= aim
            cells.append(marked(" / ".join(map(share, both)), good, say))
        rows.append([say(f"verdict_{verdict}"), *cells])
    yield say("scoring_about", data["all"]["cases"], data["unseen"]["cases"], share(aim))
    heads = ("judged", "labelled", "scored_before", "scored_now", "scored_unseen")
    yield table(map(say, heads), rows)


def own_rows(data: Data, say: Say) -> Iterator[str]:
    """What each model learned of sets that are no shop's, and the time it was said to take."""
    rows = []
    for one in data["runs"]:
        good = one["model"] == "mame" or one["tuned"]["recall"] >= data["target"]
        rows.append(
            [
                f"{one['set']}, {one['model']}",
                share(one["base"]["recall"]),
                marked(share(one["tuned"]["recall"]), good, say),
                share(one["tuned"]["contradicted"]),
                share(one["tuned"]["unsupported"]),
                f"{one['seconds_said']:.0f} / {one['seconds']:.0f}",
            ]
        )
    yield say("own_about", share(data["target"]))
    heads = ("own_set", "own_base", "own_tuned", "own_wrong", "own_invented", "own_seconds")
    yield table(map(say, heads), rows)


SCORES = ("recall", "contradicted", "unsupported")


def of_part(data: Data, part: str, *keys: str) -> dict[tuple[Any, ...], list[Data]]:
    """The runs of a part of real_models by the values of `keys`, the first of which is the model:
    in the models' order, and sorted by the next two.
    """
    models = list(data["models"])
    found: dict[tuple[Any, ...], list[Data]] = {}
    for run in data["runs"]:
        if run["part"] == part:
            found.setdefault(tuple(run[key] for key in keys), []).append(run)
    return dict(sorted(found.items(), key=lambda one: (models.index(one[0][0]), one[0][1:3])))


def real_models(data: Data, say: Say) -> Iterator[str]:
    """Facts in the prompt, rounded weights, and wordings, for each model and language."""
    rows = []
    for (model, spoken, tuned, facts), (run,) in of_part(data, "prompts", *PROMPTED).items():
        cells = (share(run[key]) for key in SCORES)
        name = f"{model}, {say(spoken)}, {say('real_tuned' if tuned else 'real_base')}"
        rows.append([name, say(f"real_{facts}"), *cells, number(run["prompt_tokens"])])
    if rows:
        yield f"**{say('real_prompts')}** {say('real_prompts_about')}"
        yield table(map(say, ("candidate", "real_facts", *SCORES, "real_read")), rows)
    every = of_part(data, "quantization", "model", "language", "weights")
    if every:
        yield f"**{say('real_quantization')}** {say('real_quantization_about', data['noise'])}"
    for (model, spoken, weights), runs in every.items():
        yield f"{model}, {say(spoken)}, {say(f'real_{weights}')}"
        heads = ("type", "bits", "real_stored", "real_fell", "perplexity", "kl", "top")
        yield table(map(say, (*heads, "recall", "contradicted")), map(_rounded, by_bits(runs)))
    rows = []
    for (model, spoken, count), runs in of_part(data, "wordings", *WORDED).items():
        keys = (*SCORES, "trained_recall")
        cells = (ranged(_spread([run[key] for run in runs]), share) for key in keys)
        rows.append([f"{model}, {say(spoken)}", str(count), *cells, str(len(runs))])
    if rows:
        steps = sorted({run["steps"] for run in data["runs"] if "steps" in run})
        yield f"**{say('real_wordings')}** {say('real_wordings_about', steps[-1])}"
        heads = ("candidate", "real_each", *SCORES, "real_trained", "trainings")
        yield table(map(say, heads), rows)


PROMPTED = ("model", "language", "tuned", "facts")
WORDED = ("model", "language", "wordings")


def by_bits(runs: list[Data]) -> list[Data]:
    """The types from the most to the fewest bits."""
    return sorted(runs, key=lambda run: -run["bits_per_weight"])


def _rounded(run: Data) -> list[str]:
    """A type: what it stores, and what is lost."""
    stored = ", ".join(f"{kind} {part:.0%}" for kind, part in run["stored"].items() if part >= 0.01)
    fell = ", ".join(f"{f['wanted']} → {f['got']} ({f['tensors']})" for f in run["fell_back"])
    losses = (f"{run['perplexity']:.3f}", f"{run['kl_to_f16']:.4f}", share(run["same_top_token"]))
    scores = (share(run.get(key)) for key in ("recall", "contradicted"))
    return [run["type"], f"{run['bits_per_weight']:.2f}", stored, fell, *losses, *scores]


def real_pictures(data: Data, language: str) -> Iterator[tuple[str, str]]:
    """A picture of each part of real_models, by name."""
    say = words(language)

    def panel(title: str, bars: Iterable[tuple[str, float, str]], indent: int) -> Panel:
        return Panel(title, list(bars), "good", indent)

    asked = of_part(data, "prompts", "model", "language").items()
    shown = [(False, "none"), (False, "all"), (False, "found"), (False, "right"), (True, "none")]
    prompts = []
    for (model, spoken), runs in asked:
        by_way = {(run["tuned"], run["facts"]): run["recall"] for run in runs}
        bars = [
            (say(f"picture_real_{'tuned' if tuned else facts}"), value, share(value))
            for tuned, facts in shown
            if (value := by_way.get((tuned, facts))) is not None
        ]
        prompts.append(panel(f"{model}, {say(spoken)}", bars, 95))
    if prompts:
        yield "real-prompts", picture([prompts[at : at + 3] for at in range(0, len(prompts), 3)])
    rounded = of_part(data, "quantization", "model", "language", "weights").items()
    facts, grid = [], []
    for (model, spoken, weights), found in rounded:
        runs = by_bits(found)
        if weights == "tuned":
            bars = [(r["type"], r["recall"], share(r["recall"])) for r in runs]
            facts.append(panel(f"{model}, {say(spoken)}: {say('picture_real_kept')}", bars, 62))
        few = [r for r in runs if r["type"] in ("Q8_0", "Q5_K_M", "Q4_K_M", "Q4_1", "Q4_0")]
        if few and (weights != "tuned" or (model, spoken) == ("mame", "en")):
            most = max(r["kl_to_f16"] for r in few)
            bars = [(r["type"], r["kl_to_f16"] / most, f"{r['kl_to_f16']:.4f}") for r in few]
            title = say(f"picture_real_kl_{weights}", model)
            grid.append(Panel(title, bars, "size", 62))
    if facts:
        yield "real-quantization", picture([line for line in (facts, grid) if line])
    worded = []
    for (model, spoken), runs in of_part(data, "wordings", "model", "language").items():
        numbers = sorted({run["wordings"] for run in runs})
        middle = {n: median(r["recall"] for r in runs if r["wordings"] == n) for n in numbers}
        bars = [(say("picture_real_each", n), middle[n], share(middle[n])) for n in numbers]
        worded.append(panel(f"{model}, {say(spoken)}", bars, 95))
    if worded:
        yield "real-wordings", picture([worded])


def curve(data: Data, say: Say) -> Iterator[str]:
    """What a hundred rows foretold of more, beside what these gave."""
    rows, shares = [], set[str]()
    for language, found in data["languages"].items():
        shares.add(", ".join(str(p["rows"]) for p in found["curve"]["points"][:-1]))
        for one in found["ahead"]:
            ends = [share(one["expected"][name]) for name in ("middle", "low", "high")]
            rows.append(
                [
                    say("curve_what", say(language), one["rows"], f"{one['epochs']:g}"),
                    "{} ({}–{})".format(*ends),
                    share(one["recall"]) + ("" if one["within"] else f" {say('curve_outside')}"),
                    f"{100 * one['off']:+.1f}",
                ]
            )
    yield say("curve_about", data["from_rows"], " / ".join(sorted(shares)))
    heads = ("curve_more", "curve_expected", "curve_measured", "curve_off")
    yield table(map(say, heads), rows)


def stage(data: Data, say: Say) -> Iterator[str]:
    """How long the cells of each section of the talk take, beside its minutes, for each language.

    The summary has no cells, and is left out.
    """
    for spoken, found in data["languages"].items():
        rows = []
        for section in found["sections"]:
            scenes = section["scenes"]
            if not scenes:
                continue
            live = sum(scene["state"] == "live" for scene in scenes)
            slowest = max(scenes, key=lambda scene: scene["seconds"])
            rows.append(
                [
                    say(f"agenda.{section['name']}"),
                    f"{section['minutes']:g}",
                    marked(say("of", live, len(scenes)), live == len(scenes), say),
                    marked(f"{section['seconds']:.0f}", section["fits"], say),
                    f"{slowest['seconds']:.1f} ({slowest['name']})",
                ]
            )
        about = say("rehearsed_in", f"{found['rehearsal_seconds'] / 60:.1f}")
        yield f"**{say(spoken)}**: {about}"
        heads = ("section", "minutes", "scenes_live", "scenes_seconds", "slowest")
        yield table(map(say, heads), rows)
    yield say("with_ollama" if data["ollama"] else "without_ollama", data["ollama"])


# In the order of the page. How mame's recipe was found (recipe_search) has no table.
SECTIONS: dict[str, Callable[[Data, Say], Iterator[str]]] = {
    "mame": mame,
    "unseen": unseen,
    "mame_tried": mame_tried,
    "learning": learning,
    "learning_map": learning_map,
    "recipe_search_smollm2": recipe_search,
    "curve": curve,
    "quantization": quantization,
    "real_models": real_models,
    "runtimes": runtimes,
    "families": families,
    "adapters": adapters,
    "speed": speed,
    "training": training,
    "training_mame": training,
    "verifying": verifying,
    "demo": demo,
    "data_check": data_check,
    "own_rows": own_rows,
    "scoring": scoring,
    "stage": stage,
}


# Pages


def read(name: str) -> Data:
    data: Data = json.loads((ROOT / "results" / f"{name}.json").read_text(encoding="utf-8"))
    return data


def machine(data: Data, say: Say) -> str:
    """Where something was measured."""
    found = data["machine"]
    shown = [found["cpu"], f"{found['cores']} cores", f"{found['memory_gb']} GB", found["os"]]
    gpu = found.get("accelerator") or "none"
    shown += [gpu] if gpu != "none" else []
    here = say("measured", ", ".join([*shown, f"Python {found['python']}"]))
    runs = data["runs"] if isinstance(data.get("runs"), list) else []
    homes = {model: about.get("machine", found) for model, about in data.get("models", {}).items()}
    cpus = [run.get("machine", homes.get(run.get("model"), found))["cpu"] for run in runs]
    others = dict.fromkeys(cpu for cpu in cpus if cpu != found["cpu"])
    return say("semicolon").join(
        [here, *(say("measured_on", cpus.count(cpu), cpu) for cpu in others)]
    )


def section(name: str, data: Data, language: str, level: str = "##", folder: str = "") -> str:
    """What results/NAME.json holds as Markdown; `folder` leads from the page to results/."""
    say = words(language)
    title = data.get("title", {}).get(language) or say("mame")
    source = f"[`{name}.json`]({folder}{name}.json)"
    notes = f"<sub>{machine(data, say)} · {source}</sub>" if "machine" in data else source
    return "\n\n".join([f"{level} {title}", *SECTIONS[name](data, say), notes])


def every_table(language: str) -> str:
    """The body of results/README.md."""
    there = [name for name in SECTIONS if (ROOT / "results" / f"{name}.json").is_file()]
    parts = [section(name, read(name), language) for name in there]
    say, page = words(language), "README.md" if language == "en" else "README.ja.md"
    return "\n\n".join([*parts, f"## {say('beyond')}", say("beyond_where", f"advanced/{page}")])


def beyond_tables(language: str) -> str:
    """The body of results/advanced/README.md: every table of the guide beyond the talk."""
    from workshop_helpers.display.measured import figures_table

    say, folder = words(language), ROOT / "notebooks" / "src" / "advanced"
    parts = []
    for path in sorted((ROOT / "results" / "advanced").glob("*.json")):
        data = read(f"advanced/{path.stem}")
        source = (folder / f"{path.stem}.py").read_text(encoding="utf-8")
        title = source.partition(f'lang="{language}"\n# # ')[2].partition("\n")[0]
        notebook = "en/" if language == "en" else ""
        link = f"../../notebooks/advanced/{notebook}{path.stem}.ipynb"
        parts.append(f"## [{title}]({link})")
        for name, rows in data["tables"].items():
            made = figures_table(path.stem[:2], rows, language)
            parts += [f"`{name}`", table(made.head, [list(row) for row in made.rows])]
        parts.append(f"<sub>{machine(data, say)} · [`{path.name}`]({path.name})</sub>")
    return "\n\n".join(parts)


def five_figures(language: str) -> str:
    """What the README says of the results: a row each, in both languages of the questions."""
    say = words(language)
    learned, kept, smaller = read("learning"), read("learning")["forgetting"], read("quantization")

    def row(key: str, cell: Callable[[str], str]) -> list[str]:
        return [say(key), cell("en"), cell("ja")]

    def tuned(spoken: str, key: str) -> Data:
        figures: Data = learned["learned"][spoken][key]
        return figures

    def quantized(spoken: str) -> str:
        rows = {row["type"]: row for row in smaller["tables"][spoken]["rows"]}
        sizes = (f"{rows[kind]['size_bytes'] / 1e6:.1f}" for kind in ("F16", "Q4_K_M"))
        return f"{' → '.join(sizes)} MB, {share(rows['Q4_K_M']['recall'])}"

    def knowledge(spoken: str) -> str:
        told = (kept[spoken][key]["general_knowledge"] for key in ("base", "tuned_100"))
        return " → ".join(share(found["median"]) for found in told)

    rows = [
        row("five_10", lambda spoken: ranged(tuned(spoken, "tuned_10")["recall"], share)),
        row("five_100", lambda spoken: ranged(tuned(spoken, "tuned_100")["recall"], share)),
        row(
            "five_seconds",
            lambda spoken: f"{tuned(spoken, 'tuned_100')['train_seconds']['median']:.0f} s",
        ),
        row("five_knowledge", knowledge),
        row("five_quantized", quantized),
    ]
    about = say("five_about", learned["questions"][language])
    parts = [
        table(["", say("en"), say("ja")], rows),
        f"<sub>{machine(learned, say)}. {about}</sub>",
        f"![{say('map_drawn')}](docs/images/map.{language}.svg)",
        map_table(read("learning_map"), language),
        f"<sub>{say('map_once')}</sub>",
    ]
    return "\n\n".join(parts)


def overview(language: str) -> str:
    """The README's picture: what tuning taught, and what quantization cost, in one language."""
    say = words(language)
    learned = read("learning")["learned"][language]
    models = ("base", "prompted", "tuned_10", "tuned_100")
    recall = {key: learned[key]["recall"]["median"] for key in models}
    types = read("quantization")["tables"][language]["rows"]
    largest = max(row["size_bytes"] for row in types)
    bars = [(say(f"picture_{key}"), value, share(value)) for key, value in recall.items()]
    sizes = [
        (
            row["type"],
            row["size_bytes"] / largest,
            f"{row['size_bytes'] / 1e6:.1f} MB · {share(row['recall'])}",
        )
        for row in types
    ]
    panels = [
        Panel(say("picture_learned"), bars, "good", 125),
        Panel(say("picture_quantized"), sizes, "size", 70),
    ]
    return picture([panels], say("picture_way").split("|"))


def filled(text: str, body: str) -> str:
    """`text` with `body` between its markers. ValueError when it has no markers."""
    pattern = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)
    if len(pattern.findall(text)) != 1:
        raise ValueError(f"the text must hold {BEGIN} … {END} exactly once")
    return pattern.sub(lambda _: f"{BEGIN}\n\n{body}\n\n{END}", text)


def pages() -> Iterator[tuple[Path, str]]:
    """Each page with the text that it should have."""
    bodies = {
        "data/mame/README.md": section("mame", read("mame"), "en", "###", "../../results/"),
        "README.md": five_figures("en"),
        "README.ja.md": five_figures("ja"),
        "results/README.md": every_table("en"),
        "results/README.ja.md": every_table("ja"),
        "results/advanced/README.md": beyond_tables("en"),
        "results/advanced/README.ja.md": beyond_tables("ja"),
    }
    for name, body in bodies.items():
        yield ROOT / name, filled((ROOT / name).read_text(encoding="utf-8"), body)
    for language in ("en", "ja"):
        recorded = read("learning_map")
        pictures = {"overview": overview(language), "map": map_picture(recorded, language)}
        if (ROOT / "results" / "real_models.json").is_file():
            pictures |= real_pictures(read("real_models"), language)
        for name, drawn in pictures.items():
            yield ROOT / "docs" / "images" / f"{name}.{language}.svg", drawn


def main(argv: list[str] | None = None) -> int:
    """Write or check the pages; 1 when --check finds one out of date."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit code 1 when out of date"
    )
    args = parser.parse_args(argv)
    stale = []
    for path, text in pages():
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            stale.append(path.relative_to(ROOT).as_posix())
            if not args.check:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8", newline="\n")
    if args.check and stale:
        print(f"Out of date: {', '.join(stale)}. Run: make readme", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
