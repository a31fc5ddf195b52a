"""The same model and questions in Transformers, llama.cpp and Ollama: how many greedy answers are
equal?

    python -m benchmarks.runtimes [--model mame] [--questions N] [--quick]

Two models: the base, and it tuned on the shop's first 100 rows, merged, in each language. Their
weights as F16 in all three (Transformers computes with them in fp32); the shop's held-out questions
(all of them, unless --questions says less), one thread. Needs a running Ollama (OLLAMA_HOST, else
this machine's); the models that are made there are removed at the end. Where two answers part, the
first differing token is named, and by how many nats llama.cpp held one the likelier: below 0.01 the
two were level, and the rounding of one build or another decides. Writes results/runtimes.json.

What sets llama.cpp and Ollama 0.9.3 apart was looked for once with 1,000 other questions, the
training rows' on mame: three answers parted, each at a gap below 0.001 nats, and one where
llama.cpp has flash attention switched off as Ollama has. The batch size, keeping the prompt's
cache, the number of threads and 32-bit keys and values brought none nearer. So llama.cpp keeps the
faster attention that it chooses by itself.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.common import (
    MANY,
    Settings,
    found_or_made,
    parser,
    percent,
    save,
    settings,
    spread,
    table,
    train_rows,
)

if TYPE_CHECKING:
    from workshop_helpers.metrics.scoring import Question
    from workshop_helpers.models.chat import Answer
    from workshop_helpers.runtimes.ollama.client import Ollama, Timings

TITLE = {
    "en": "The same answers from Transformers, llama.cpp and Ollama",
    "ja": "Transformers・llama.cpp・Ollamaの回答の一致",
}
LEVEL = 0.01  # nats
RUNTIMES = ("transformers", "llama.cpp", "ollama")
TARGETS = {"llama.cpp = ollama": 0.99, "transformers = llama.cpp": 0.95}


@dataclass(frozen=True)
class Asked:
    """One model, what it was asked, and each runtime's answers."""

    model: Path
    gguf: Path
    questions: list[Question]
    answers: dict[str, list[Answer]]
    timings: list[Timings]


def pick(items: Sequence[Question], count: int) -> list[Question]:
    """`count` questions spread evenly over all of them, so that no topic is left out."""
    count = min(count, len(items))
    return [items[i * len(items) // count] for i in range(count)]


def ask_all(
    asked: Settings, server: Ollama, model: Path, gguf: Path, questions: list[Question]
) -> Asked:
    """The questions to all three, one at a time in llama.cpp and Ollama."""
    from workshop_helpers.runtimes.llama_cpp import LlamaCppRuntime
    from workshop_helpers.runtimes.ollama.runtime import OllamaRuntime
    from workshop_helpers.runtimes.transformers import TransformersRuntime

    messages = [question.messages() for question in questions]
    answers: dict[str, list[Answer]] = {}
    asked.say("transformers")
    with TransformersRuntime(model, device="cpu") as transformers:
        answers["transformers"] = transformers.answer(messages)
    asked.say("llama.cpp")
    with LlamaCppRuntime(gguf, threads=1) as llama:
        answers["llama.cpp"] = llama.answer(messages)
    asked.say("ollama")
    name = f"workshop-runtimes-{os.getpid()}"
    server.create(name, gguf)
    try:
        with OllamaRuntime(name, host=server.host, threads=1) as ollama:
            answers["ollama"] = ollama.answer(messages)
            timings = ollama.timings
    finally:
        server.remove(name)
    return Asked(model, gguf, questions, answers, timings)


def as_f16(model: str | Path, folder: Path) -> Path:
    """The model in a folder of its own, its weights rounded to what an F16 file holds, for all
    three alike.
    """
    import torch

    from workshop_helpers.models.load import load_model, load_tokenizer, pick_device
    from workshop_helpers.models.resolve import resolve

    ref = resolve(model)
    network = load_model(ref, pick_device("cpu", ref), dtype="fp32")
    network.to(torch.float16).save_pretrained(folder)
    load_tokenizer(ref).save_pretrained(folder)
    return folder


def tuned(asked: Settings, language: str) -> Path:
    """The model tuned on the shop's rows and merged; `learning`'s adapter if there is one."""
    from workshop_helpers.training.merge import merge
    from workshop_helpers.training.recipe import LoraRecipe

    recipe = LoraRecipe.for_model(asked.model)
    rows, name = MANY, f"tuned_{MANY}-seed{recipe.seed}"
    if asked.quick:
        rows, name, recipe = 8, "tuned_quick", recipe.replace(epochs=1)
    adapter = train_rows(asked, language, rows, recipe, name, overwrite=False).adapter
    return found_or_made(merge, adapter, asked.folder(language, f"{name}-merged")).model


def readable(text: str) -> str:
    """The text without what stands for half a character, which Ollama leaves out."""
    return text.replace("\ufffd", "")


def differences(one: Asked, left: str, right: str) -> list[dict[str, Any]]:
    """Where two runtimes' answers part: question, token number, both tokens, and the gap in nats by
    llama.cpp.
    """
    from workshop_helpers.gguf.logits import open_logits
    from workshop_helpers.models.chat import chat_prompt
    from workshop_helpers.models.load import load_tokenizer

    tokenizer, found = load_tokenizer(one.model), []
    pairs = zip(one.questions, one.answers[left], one.answers[right], strict=True)
    parted = [(q, a, b) for q, a, b in pairs if readable(a.text) != readable(b.text)]
    if not parted:
        return []
    logits = open_logits(one.gguf)
    try:
        for question, a, b in parted:
            ids = [
                [
                    *tokenizer(answer.text, add_special_tokens=False)["input_ids"],
                    tokenizer.eos_token_id,
                ]
                for answer in (a, b)
            ]
            at = next(
                (i for i, (x, y) in enumerate(zip(*ids, strict=False)) if x != y),
                min(map(len, ids)) - 1,
            )
            prompt = tokenizer(
                chat_prompt(tokenizer, question.messages()), add_special_tokens=False
            )
            read = [*prompt["input_ids"], *ids[1][: at + 1]]
            likely = logits.log_probabilities(read, len(read) - 1)[0]
            words = [tokenizer.decode(each[at : at + 1], skip_special_tokens=True) for each in ids]
            gap = abs(float(likely[ids[1][at]] - likely[ids[0][at]]))
            found.append(
                {
                    "question": question.question,
                    "at": at,
                    "tokens": words,
                    "gap_nats": round(gap, 6),
                }
            )
    finally:
        logits.close()
    return found


def agreement(parts: Sequence[Asked]) -> dict[str, Any]:
    """The share of equal answers of each pair of runtimes in all `parts`, and where they part."""
    count = sum(len(one.questions) for one in parts)
    pairs = {}
    for left, right in combinations(RUNTIMES, 2):
        parted = [gone for one in parts for gone in differences(one, left, right)]
        apart = sum(gone["gap_nats"] >= LEVEL for gone in parted)
        pairs[f"{left} = {right}"] = {
            "equal": 1 - len(parted) / count,
            "equal_or_level": 1 - apart / count,
            "target": TARGETS.get(f"{left} = {right}"),
            "differences": parted,
        }
    return pairs


def measure(asked: Settings, count: int | None) -> dict[str, Any]:
    """All figures, as JSON takes them; `count` questions in all languages together, None for all
    there are.
    """
    from workshop_helpers.core.artifacts import data_path
    from workshop_helpers.dataset.questions import read_questions
    from workshop_helpers.gguf.convert import convert
    from workshop_helpers.runtimes.ollama.client import Ollama

    questions: dict[str, list[Question]] = {}
    for language in asked.languages:
        every = read_questions(data_path("shop", f"questions.{language}.jsonl"))
        each = len(every) if count is None else max(1, count // len(asked.languages))
        questions[language] = pick(every, each)
    found: dict[str, list[Asked]] = {}
    with Ollama() as server:
        version = server.need()  # before anything is trained
        asked.say("the base")
        model = as_f16(asked.model, asked.folder("runtimes", "base"))
        gguf = found_or_made(convert, model, asked.folder("runtimes", "base-F16.gguf")).path
        whole = [question for one in questions.values() for question in one]
        found["base"] = [ask_all(asked, server, model, gguf, whole)]
        found["tuned"] = []
        for language, own in questions.items():
            asked.say(f"tuned, {language}")
            model = as_f16(tuned(asked, language), asked.folder("runtimes", f"tuned-{language}"))
            gguf = found_or_made(
                convert, model, asked.folder("runtimes", f"tuned-{language}-F16.gguf")
            ).path
            found["tuned"].append(ask_all(asked, server, model, gguf, own))
    timings = [each for parts in found.values() for one in parts for each in one.timings]
    return {
        "questions": len(whole),
        "type": "F16",
        "threads": 1,
        "ollama": version,
        "models": {name: agreement(parts) for name, parts in found.items()},
        "ollama_timings": {
            "load_seconds": round(max(one.load_seconds for one in timings), 4),
            "prompt_tokens_per_second": spread(one.prompt_tokens_per_second for one in timings),
            "answer_tokens_per_second": spread(one.tokens_per_second for one in timings),
        },
    }


def report(found: dict[str, Any]) -> None:
    """The shares and every difference, on the terminal."""
    table(
        f"{found['questions']} questions, {found['type']}, Ollama {found['ollama']}",
        ("model: runtimes", "equal", "equal or level", "target"),
        [
            [
                f"{name}: {pair}",
                percent(one["equal"]),
                percent(one["equal_or_level"]),
                f"≥ {percent(one['target'])}" if one["target"] else "",
            ]
            for name, pairs in found["models"].items()
            for pair, one in pairs.items()
        ],
    )
    for name, pairs in found["models"].items():
        for pair, one in pairs.items():
            for gone in one["differences"]:
                a, b = gone["tokens"]
                print(
                    f"  {name}: {pair}: {gone['question']}  token {gone['at']}: {a!r} / {b!r} "
                    f"({gone['gap_nats']:.6f} nats)"
                )


def main(arguments: list[str]) -> int:
    made = parser(__doc__ or "")
    made.add_argument(
        "--questions", type=int, help="in all languages together (default: all held-out ones)"
    )
    args = made.parse_args(arguments)
    asked = settings("runtimes", args)
    found = measure(asked, args.questions or (8 if asked.quick else None))
    report(found)
    save(asked, {"title": TITLE, **found})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
