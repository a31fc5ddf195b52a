"""`mame`, or another model, on what its makers never saw (data/unseen).

    python -m benchmarks.unseen [--model M] [--quick] [--reuse]

Four parts: facts stated from prompts as people write them, and questions that the prompt does not
answer; questions of the shop as they are typed, beside their plain wording, by the model tuned on
its rows; five new shops, each learned from 120 rows; questions outside everything, and whether a
chat says an honest sentence. All with the model's own recipe. Writes
results/unseen.json part by part: with --reuse a run that was stopped goes on.

These files only measure. Whoever changes the corpus looks at the shares, not at the answers, so
nothing here prints or keeps one.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from benchmarks.common import (
    MANY,
    Settings,
    earlier,
    found_or_made,
    parser,
    percent,
    save,
    settings,
    table,
    train_rows,
)

TITLE = {"en": "What the base model has not seen", "ja": "ベースモデルが見たことのないもの"}
TARGETS = {
    "prompted": {"en": 0.85, "ja": 0.80},
    "variants": {"en": 0.90, "ja": 0.90},  # of what the plain wording gets
    "shops": {"en": 0.90, "ja": 0.90},  # the median of the five
    "outside": {"en": 0.90, "ja": 0.90},
}


def prompted(asked: Settings, language: str) -> dict[str, Any]:
    """Facts that stand in the prompt: how many are stated; and what is said where none does."""
    from pretraining.evaluate import ADMITS
    from workshop_helpers.metrics.quantities import quantities
    from workshop_helpers.runtimes import open_runtime

    raw = _rows(asked, f"prompted.{language}.jsonl")
    asks = [
        [{"role": "system", "content": one["system"]}, {"role": "user", "content": one["question"]}]
        for one in raw
    ]
    with open_runtime(asked.model) as runtime:
        texts = [answer.text for answer in runtime.answer(asks, max_new_tokens=120)]
    stated, without, wrong = [], [], 0
    for one, text in zip(raw, texts, strict=True):
        told = {(f.kind, f.value) for f in quantities(one["question"])}
        figures = {(f.kind, f.value) for f in quantities(text)} - told
        if one.get("absent"):
            without.append(not figures and bool(ADMITS[language].search(text)))
            continue
        found = [_states(text, fact) for fact in one["facts"]]
        stated += found
        wrong += not all(found) and bool(figures)
    return {
        "questions": len(raw),
        "facts_share": _mean(stated),
        "another_figure_share": round(wrong / (len(raw) - len(without)), 4),
        "absent": len(without),
        "admitted_share": _mean(without),
    }


def variants(asked: Settings, language: str) -> dict[str, Any]:
    """Typed questions of the shop beside the plain ones, of the model tuned on the shop's rows; and
    the typed ones once more, tidied as `workshop chat` does it.
    """
    from workshop_helpers.runtimes import open_runtime
    from workshop_helpers.runtimes.tidy import tidied
    from workshop_helpers.training.recipe import LoraRecipe

    raw = _rows(asked, f"variants.{language}.jsonl")
    recipe = LoraRecipe.for_model(asked.model)
    tuned = train_rows(asked, language, MANY, recipe, "unseen-shop", overwrite=not asked.reuse)
    ways = {
        "plain": [one["plain"] for one in raw],
        "typed": [one["question"] for one in raw],
        "tidied": [tidied(one["question"]) for one in raw],
    }
    asks = [[{"role": "user", "content": text}] for texts in ways.values() for text in texts]
    with open_runtime(tuned.adapter) as runtime:
        texts = [answer.text for answer in runtime.answer(asks, max_new_tokens=120)]
    kinds: dict[str, list[tuple[bool, ...]]] = defaultdict(list)
    for place, one in enumerate(raw):
        for fact in one["facts"]:
            kinds[one["kind"]].append(tuple(_states(t, fact) for t in texts[place :: len(raw)]))
    every = [stated for found in kinds.values() for stated in found]
    told = {kind: _ways(found, list(ways)) for kind, found in kinds.items()}
    return {"questions": len(raw), **_ways(every, list(ways)), "kinds": told}


def shops(asked: Settings, language: str) -> dict[str, Any]:
    """Held-out facts of each of the five shops after a training on its 120 rows."""
    from workshop_helpers.dataset.formats import read_conversations
    from workshop_helpers.evaluation.comparison import compare
    from workshop_helpers.evaluation.shop import questions_of
    from workshop_helpers.training.recipe import LoraRecipe
    from workshop_helpers.training.train import train

    recipe, found = LoraRecipe.for_model(asked.model), {}
    for folder in sorted(_folder().joinpath("shops").iterdir())[: 1 if asked.quick else None]:
        asked.say(f"{language}: {folder.name}")
        rows = read_conversations(folder / f"train.{language}.jsonl")
        out = asked.folder(language, f"unseen-{folder.name}")
        how = {} if asked.reuse else {"overwrite": True}
        tuned = found_or_made(train, asked.model, rows, out, recipe, progress=False, **how)
        questions = questions_of(folder / f"questions.{language}.jsonl")
        compared = compare({"tuned": tuned}, questions, progress=False)
        found[folder.name] = {"seconds": tuned.seconds, **compared.row("tuned").summary.to_dict()}
    recalls = [one["recall"] for one in found.values()]
    return {"shops": found, "median_share": round(statistics.median(recalls), 4)}


def outside(asked: Settings, language: str) -> dict[str, Any]:
    """Questions that no shop answers, put to the model tuned on the shop's rows: how many get an
    honest sentence, of the model or of the chat before it; and how many that a shop does answer get
    the chat's, too.
    """
    from pretraining.evaluate import ADMITS
    from workshop_helpers.core.artifacts import data_path
    from workshop_helpers.core.errors import WorkshopError
    from workshop_helpers.evaluation.familiar import Familiar, bundled_origin
    from workshop_helpers.evaluation.shop import questions_of
    from workshop_helpers.metrics.quantities import quantities
    from workshop_helpers.runtimes import open_runtime
    from workshop_helpers.runtimes.tidy import tidied
    from workshop_helpers.training.recipe import LoraRecipe

    recipe = LoraRecipe.for_model(asked.model)
    tuned = train_rows(asked, language, MANY, recipe, "unseen-shop", overwrite=not asked.reuse)
    known = bundled_origin(tuned.adapter)
    if known is None:
        raise WorkshopError(f"Only of a bundled model can this be told; {asked.model} is none.")
    raw = [one["question"] for one in _rows(asked, f"outside.{language}.jsonl")]
    told = [said is not None for said in Familiar(*known).sentences(raw)]
    admitted = {}
    for name, model in (("untuned", asked.model), ("tuned", tuned.adapter)):
        with open_runtime(model) as runtime:
            asks = [[{"role": "user", "content": text}] for text in raw]
            texts = [answer.text for answer in runtime.answer(asks, max_new_tokens=120)]
        admitted[name] = [
            bool(ADMITS[language].search(text)) and not quantities(text) for text in texts
        ]
    usual = {
        "asked": [
            q.question for q in questions_of(data_path("shop", f"questions.{language}.jsonl"))
        ],
        "typed": [tidied(one["question"]) for one in _rows(asked, f"variants.{language}.jsonl")],
    }
    alarms = {
        f"{name}_alarms": _mean([said is not None for said in Familiar(*known).sentences(some)])
        for name, some in usual.items()
    }
    either = [any(pair) for pair in zip(told, admitted["tuned"], strict=True)]
    return {
        "questions": len(raw),
        "usual_loss": known[1],
        "honest_share": _mean(either),
        "chat_share": _mean(told),
        **{f"{name}_model_share": _mean(found) for name, found in admitted.items()},
        **alarms,
        "own": _own_rows(language, raw),
    }


def _own_rows(language: str, outside: list[str]) -> dict[str, dict[str, float | None]]:
    """The chat's sentence where own rows were learned, which are no shop's: how many questions
    outside everything get it, and how many that are theirs. No training is needed to tell.
    """
    import numpy as np

    from workshop_helpers.core.artifacts import data_path
    from workshop_helpers.dataset.formats import read_conversations
    from workshop_helpers.evaluation.familiar import Familiar, bundled_origin
    from workshop_helpers.evaluation.shop import questions_of

    known, found = bundled_origin("mame"), {}
    assert known is not None
    for file in sorted(data_path("own").glob(f"*.{language}.csv")):
        base, rows = Familiar(known[0]), read_conversations(file)
        familiar = Familiar(
            known[0], float(np.percentile(base.losses([r.question for r in rows]), 95))
        )
        theirs = [q.question for q in questions_of(file.with_suffix(".questions.jsonl"))]
        told, alarms = (
            _mean([said is not None for said in familiar.sentences(some)])
            for some in (outside, theirs)
        )
        found[file.name.split(".")[0]] = {"chat_share": told, "asked_alarms": alarms}
    return found


PARTS = {"prompted": prompted, "variants": variants, "shops": shops, "outside": outside}


def _folder() -> Path:
    from workshop_helpers.core.artifacts import data_path

    return data_path("unseen")


def _rows(asked: Settings, name: str) -> list[dict[str, Any]]:
    lines = _folder().joinpath(name).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines[: 12 if asked.quick else None]]


def _states(text: str, fact: str | list[str]) -> bool:
    from workshop_helpers.metrics.surfaces import states

    return any(states(text, one) for one in ([fact] if isinstance(fact, str) else fact))


def _mean(values: list[bool]) -> float | None:
    return round(sum(values) / len(values), 4) if values else None


def _ways(stated: list[tuple[bool, ...]], ways: list[str]) -> dict[str, Any]:
    """For each way of asking the share of the facts, and that share of what the first one gets."""
    sums = {way: sum(one[place] for one in stated) for place, way in enumerate(ways)}
    plain, *others = ways
    of = {f"{way}_share": round(n / len(stated), 4) for way, n in sums.items()}
    if sums[plain]:
        of |= {f"{way}_of_{plain}": round(sums[way] / sums[plain], 4) for way in others}
    return {"facts": len(stated), **of}


def reached(part: str, found: dict[str, Any]) -> float | None:
    """The figure of a part that has a target."""
    key = {
        "prompted": "facts_share",
        "variants": "typed_of_plain",
        "shops": "median_share",
        "outside": "honest_share",
    }[part]
    value: float | None = found[key]
    return value


def main(arguments: list[str]) -> int:
    """Measure what is not measured yet, and save after each part."""
    asked = settings("unseen", parser(__doc__ or "").parse_args(arguments))
    parts = dict(earlier(asked, ["parts"]).get("parts", {})) if asked.reuse else {}
    for part, measure in PARTS.items():
        for language in asked.languages:
            if language not in parts.setdefault(part, {}):
                asked.say(f"{language}: {part}")
                parts[part][language] = measure(asked, language)
                save(asked, {"title": TITLE, "targets": TARGETS, "parts": parts})
    rows = [
        [f"{part} {language}", percent(reached(part, found)), percent(TARGETS[part][language])]
        for part, of in parts.items()
        for language, found in of.items()
    ]
    table("Unseen", ("part", "reached", "target"), rows)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
