"""A merged model, or its base with an adapter beside it: the same answers in Ollama, and at what
price?

    python -m benchmarks.adapters [--model mame] [--questions 60] [--quick]

One adapter a language, trained on the shop's first 100 rows. Each is merged and converted (F16),
and converted by itself and put on the base with ADAPTER (F16 and Q8_0). Greedy answers to the
shop's held-out questions, one thread. Needs a running Ollama (OLLAMA_HOST, else this machine's);
the models that are made there are removed at the end. Writes results/adapters.json.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.common import (
    MANY,
    Settings,
    found_or_made,
    parser,
    percent,
    save,
    seconds_range,
    settings,
    spread,
    table,
    train_rows,
)

if TYPE_CHECKING:
    from workshop_helpers.runtimes.ollama.client import Ollama
    from workshop_helpers.runtimes.ollama.modelfile import Modelfile

TITLE = {
    "en": "A merged model and an adapter on its base, in Ollama",
    "ja": "マージしたモデルと、ベース＋アダプター（Ollama）",
}
WAYS = ("merged F16", "F16 + adapter", "Q8_0 + adapter")


def ask(
    server: Ollama, name: str, modelfile: Modelfile, messages: list[list[dict[str, str]]]
) -> dict[str, Any]:
    """Answers of a model made for this, seconds to make and load it, and tokens a second."""
    from workshop_helpers.runtimes.ollama.runtime import OllamaRuntime

    started = time.perf_counter()
    server.create(name, modelfile)
    seconds = time.perf_counter() - started
    try:
        with OllamaRuntime(name, host=server.host, threads=1) as runtime:
            answers = runtime.answer(messages)
            timings = runtime.timings
    finally:
        server.remove(name)
    return {
        "answers": [answer.text for answer in answers],
        "create_seconds": seconds,
        "load_seconds": max(one.load_seconds for one in timings),
        "tokens_per_second": spread(one.tokens_per_second for one in timings),
    }


def measure_language(asked: Settings, server: Ollama, language: str, count: int) -> dict[str, Any]:
    """Sizes, seconds and answers of every way for the adapter of one language."""
    from workshop_helpers.core.artifacts import data_path
    from workshop_helpers.dataset.questions import read_questions
    from workshop_helpers.gguf.adapter import convert_adapter
    from workshop_helpers.gguf.convert import convert
    from workshop_helpers.gguf.quantize import quantize
    from workshop_helpers.runtimes.ollama.prompted import prompted
    from workshop_helpers.training.merge import merge
    from workshop_helpers.training.recipe import LoraRecipe

    asked.say(f"{language}: training, converting")
    recipe = LoraRecipe.for_model(asked.model)
    trained = train_rows(
        asked, language, MANY, recipe, "adapter-for-ollama", overwrite=not asked.reuse
    )
    folder = asked.folder(language, "adapters")
    anew = not asked.reuse
    base = found_or_made(convert, asked.model, asked.folder("base-F16.gguf")).path
    small = found_or_made(quantize, base, "Q8_0").path
    merged = merge(trained.adapter, folder / "merged", overwrite=anew)
    whole = convert(merged.model, folder / "merged-F16.gguf", overwrite=anew)
    adapter = convert_adapter(trained.adapter, folder / "adapter-F16.gguf", overwrite=anew)

    questions = read_questions(data_path("shop", f"questions.{language}.jsonl"))
    messages = [questions[i * len(questions) // count].messages() for i in range(count)]
    beside = str(adapter.path)
    modelfiles = {
        "merged F16": prompted(whole.path),
        "F16 + adapter": replace(prompted(base), adapter=beside),
        "Q8_0 + adapter": replace(prompted(small), adapter=beside),
    }
    found = {}
    for way, modelfile in modelfiles.items():
        asked.say(f"{language}: {way}")
        found[way] = ask(server, f"workshop-adapters-{os.getpid()}", modelfile, messages)
    reference = found["merged F16"]["answers"]
    own_bytes = {way: beside_bytes(way, whole.path, adapter.path) for way in WAYS}
    shared = {"merged F16": 0, "F16 + adapter": size(base), "Q8_0 + adapter": size(small)}
    return {
        "questions": count,
        "convert_seconds": {
            "merged": round(merged.seconds + whole.seconds, 3),
            "adapter": adapter.seconds,
        },
        "ways": {
            way: {
                "own_bytes": own_bytes[way],
                "shared_bytes": shared[way],
                "create_seconds": round(one["create_seconds"], 3),
                "load_seconds": round(one["load_seconds"], 3),
                "tokens_per_second": one["tokens_per_second"],
                "equal_to_merged": sum(map(str.__eq__, one["answers"], reference)) / count,
            }
            for way, one in found.items()
        },
    }


def beside_bytes(way: str, merged: Path, adapter: Path) -> int:
    """What each further task costs on the disk."""
    return size(adapter if "adapter" in way else merged)


def size(path: Path) -> int:
    return path.stat().st_size


def report(found: dict[str, Any]) -> None:
    """The figures on the terminal."""
    for language, one in found["languages"].items():
        table(
            f"{language}: {one['questions']} questions, Ollama {found['ollama']}",
            ("way", "own MB", "shared MB", "create", "load", "tokens/s", "equal to merged"),
            [
                [
                    way,
                    f"{figures['own_bytes'] / 1e6:.2f}",
                    f"{figures['shared_bytes'] / 1e6:.2f}",
                    f"{figures['create_seconds']:.2f} s",
                    f"{figures['load_seconds']:.2f} s",
                    seconds_range(figures["tokens_per_second"]).replace(" s", ""),
                    percent(figures["equal_to_merged"]),
                ]
                for way, figures in one["ways"].items()
            ],
        )


def main(arguments: list[str]) -> int:
    from workshop_helpers.runtimes.ollama.client import Ollama

    made = parser(__doc__ or "")
    made.add_argument(
        "--questions", type=int, default=60, help="in all languages together (default: %(default)s)"
    )
    args = made.parse_args(arguments)
    asked = settings("adapters", args)
    count = 4 if asked.quick else max(1, args.questions // len(asked.languages))
    with Ollama() as server:
        found = {
            "ollama": server.need(),
            "threads": 1,
            "languages": {
                language: measure_language(asked, server, language, count)
                for language in asked.languages
            },
        }
    report(found)
    save(asked, {"title": TITLE, **found})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
