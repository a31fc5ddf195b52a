"""How long `verify` takes for a model of 135 M parameters, its adapter and the merged model: the
course's runtime, transformers' `generate` in batches of 16 and llama.cpp in F32 with the adapter as
GGUF, in turns, each in a process of its own. Answers that differ are counted, and told whether
rounding decides them. Other work may run beside it: the target is of the processor's seconds.

python -m benchmarks.verifying --model smollm2 [--runs 2] [--quick] [--without WAY]
"""

from __future__ import annotations

import os
import statistics
import sys
from pathlib import Path
from typing import Any

from benchmarks.common import (
    MANY,
    Settings,
    child,
    found_or_made,
    parser,
    ratio,
    save,
    seconds_range,
    settings,
    spread,
    table,
    train_rows,
)

TITLE = {"en": "Putting 90 questions to a model", "ja": "質問90問をモデルに答えさせる"}
WAYS = ("runtime", "generate", "llama.cpp")
TARGET = 4.0  # times as fast as `generate`
TIE = 1e-3  # nats: what rounding in 32 bits may decide
EPOCHS, QUESTIONS, TOKENS = 2, 90, 160


def models(asked: Settings, language: str) -> dict[str, dict[str, tuple[str, ...]]]:
    """The arguments that name each model, for each way."""
    from workshop_helpers.gguf.adapter import convert_adapter
    from workshop_helpers.gguf.convert import convert
    from workshop_helpers.training.merge import merge
    from workshop_helpers.training.recipe import LoraRecipe

    recipe = LoraRecipe.for_model(asked.model).replace(epochs=EPOCHS)
    made = train_rows(asked, language, MANY, recipe, "verified", overwrite=False).adapter
    merged = found_or_made(merge, made, asked.folder(language, "verified-merged")).model
    base = found_or_made(convert, asked.model, asked.folder("base-F32.gguf"), type="f32").path
    put_on = asked.folder(language, "verified-F32.gguf")
    put_on = found_or_made(convert_adapter, made, put_on, type="f32").path
    whole = found_or_made(convert, merged, asked.folder(language, "merged-F32.gguf"), type="f32")
    folders: dict[str, str | Path] = {"base": asked.model, "adapter": made, "merged": merged}
    ggufs = {
        "base": (str(base),),
        "adapter": (str(base), "--adapter", str(put_on)),
        "merged": (str(whole.path),),
    }
    return {
        name: {way: ggufs[name] if way == WAYS[2] else (str(folder),) for way in WAYS}
        for name, folder in folders.items()
    }


def gaps(model: str, language: str, one: list[list[int]], other: list[list[int]]) -> list[float]:
    """For each answer (token ids) of `other` that is not that of `one`: by how many nats the model,
    in fp32, holds the token of `one` the likelier where they part. Near 0 is a tie.
    """
    import torch

    from workshop_helpers.core.artifacts import data_path
    from workshop_helpers.dataset.questions import read_questions
    from workshop_helpers.models.chat import chat_prompt
    from workshop_helpers.models.load import load_model, load_tokenizer, pick_device
    from workshop_helpers.models.resolve import resolve

    ref = resolve(model)
    tokenizer = load_tokenizer(ref)
    network = load_model(ref, pick_device("cpu", ref), dtype="fp32")
    asked = read_questions(data_path("shop", f"questions.{language}.jsonl"))
    found = []
    for question, mine, theirs in zip(asked, one, other, strict=False):
        ends = tokenizer.eos_token_id
        left, right = [*mine, ends], [*theirs, ends]
        at = next((i for i, (x, y) in enumerate(zip(left, right, strict=False)) if x != y), None)
        if at is None:
            continue
        prompt = tokenizer(chat_prompt(tokenizer, question.messages()), add_special_tokens=False)
        with torch.inference_mode():
            ids = torch.tensor([[*prompt["input_ids"], *left[:at]]])
            likely = network(ids).logits[0, -1].log_softmax(-1)
        found.append(round(float(likely[left[at]] - likely[right[at]]), 6))
    return found


def measure(asked: Settings, ways: tuple[str, ...], times: int) -> dict[str, Any]:
    """Every model by every way."""
    language = asked.languages[0]
    count, longest = (8, 16) if asked.quick else (QUESTIONS, TOKENS)
    how = ("--language", language, "--questions", str(count), "--max-new-tokens", str(longest))
    figures: dict[str, Any] = {}
    for name, arguments in models(asked, language).items():
        runs: dict[str, list[dict[str, Any]]] = {way: [] for way in ways}
        for _ in range(1 if asked.quick else times):
            for way in ways:
                asked.say(f"{name} by {way}")
                made = child("benchmarks.answering", *arguments[way], "--way", way, *how)
                runs[way].append(made)
        ours = runs["runtime"][0]["token_ids"]
        used = {w: statistics.median(r["processor_seconds"] for r in runs[w]) for w in ways}
        figures[name] = {
            way: {
                "seconds": spread(run["seconds"] for run in runs[way]),
                "processor_seconds": spread(run["processor_seconds"] for run in runs[way]),
                "peak_bytes": max(run["peak_bytes"] for run in runs[way]),
                "tokens": runs[way][0]["tokens"],
                "takes": ratio(used["runtime"], used[way]),
                "parted": gaps(arguments["runtime"][0], language, ours, runs[way][0]["token_ids"]),
            }
            for way in ways
        }
    return {"language": language, "questions": count, "max_new_tokens": longest, "models": figures}


def main(arguments: list[str]) -> int:
    made = parser(__doc__ or "")
    made.add_argument("--without", choices=WAYS[1:], nargs="+", default=[])
    made.add_argument("--runs", type=int, default=2, help="of each (default: %(default)s)")
    made.set_defaults(model="smollm2", languages=["en"])
    args = made.parse_args(arguments)
    from workshop_helpers.core.device import cores

    asked = settings("verifying", args)
    found = measure(asked, tuple(way for way in WAYS if way not in args.without), args.runs)
    rows = [
        (
            f"{name} by {way}",
            seconds_range(one["seconds"]),
            seconds_range(one["processor_seconds"]),
            f"{one['takes']}",
            f"{sum(abs(gap) <= TIE for gap in one['parted'])} + "
            f"{sum(abs(gap) > TIE for gap in one['parted'])}",
        )
        for name, ways in found["models"].items()
        for way, one in ways.items()
    ]
    head = ("", "seconds", "processor", "times ours", "parted: ties + others")
    table(f"{found['questions']} questions", head, rows)
    how = {"runs": args.runs, "threads": int(os.environ.get("OMP_NUM_THREADS", cores()))}
    save(asked, {"title": TITLE, "target": TARGET, "tie": TIE, **how, **found})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
