"""The same model and questions in Transformers, llama.cpp and Ollama: how many greedy answers are equal?

    python -m benchmarks.ollama_parity [--model mame] [--questions 60] [--quick]

The model's weights as F16 in all three (Transformers computes with them in fp32), the shop's questions of both
languages, one thread. Needs a running Ollama (OLLAMA_HOST, else this machine's); the model that is made there is
removed at the end. Where two answers part, the first differing token is named, and by how many nats llama.cpp held one
the likelier: below 0.01 the two were level, and the rounding of one build or another decides. Writes
results/ollama_parity.json.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.common import Settings, parser, percent, save, settings, spread, table

if TYPE_CHECKING:
    from workshop_helpers.ollama_api import Timings
    from workshop_helpers.runtimes import Answer
    from workshop_helpers.scoring import Question

TITLE = {
    "en": "The same answers from Transformers, llama.cpp and Ollama",
    "ja": "Transformers・llama.cpp・Ollamaの回答の一致",
}
LEVEL = 0.01  # nats
TARGETS = {"llama.cpp = ollama": 0.99, "transformers = llama.cpp": 0.95}


def pick(items: Sequence[Question], count: int) -> list[Question]:
    """`count` questions spread evenly over all of them, so that no topic is left out."""
    return [items[i * len(items) // count] for i in range(min(count, len(items)))]


def ask_all(
    asked: Settings, model: Path, gguf: Path, messages: list[list[dict[str, str]]]
) -> tuple[dict[str, list[Answer]], list[Timings], str]:
    """Every runtime's answers, Ollama's timings and its version."""
    from workshop_helpers.ollama_api import Ollama
    from workshop_helpers.runtimes.llama_cpp import LlamaCppRuntime
    from workshop_helpers.runtimes.ollama import OllamaRuntime
    from workshop_helpers.runtimes.transformers import TransformersRuntime

    answers: dict[str, list[Answer]] = {}
    asked.say("transformers")
    with TransformersRuntime(model, device="cpu") as transformers:
        answers["transformers"] = transformers.answer(messages)
    asked.say("llama.cpp")
    with LlamaCppRuntime(gguf, threads=1) as llama:
        answers["llama.cpp"] = llama.answer(messages)
    asked.say("ollama")
    name = f"workshop-parity-{os.getpid()}"
    with Ollama() as server:
        version = server.need()
        server.create(name, gguf)
        try:
            with OllamaRuntime(name, threads=1) as ollama:
                answers["ollama"] = ollama.answer(messages)
                timings = ollama.timings
        finally:
            server.remove(name)
    return answers, timings, version


def as_f16(asked: Settings) -> Path:
    """The model in a folder of its own, its weights rounded to what an F16 file holds, for all three alike."""
    import torch

    from workshop_helpers.models import load_model, load_tokenizer, pick_device, resolve

    folder = asked.folder("parity", "model-f16")
    ref = resolve(asked.model)
    network = load_model(ref, pick_device("cpu", ref), dtype="fp32")
    network.to(torch.float16).save_pretrained(folder)
    load_tokenizer(ref).save_pretrained(folder)
    return folder


def differences(
    model: Path, gguf: Path, questions: list[Question], left: list[Answer], right: list[Answer]
) -> list[dict[str, Any]]:
    """Where two runtimes' answers part: question, token number, both tokens, and the gap in nats by llama.cpp."""
    from workshop_helpers.llama_logits import open_logits
    from workshop_helpers.models import chat_prompt, load_tokenizer

    tokenizer, found = load_tokenizer(model), []
    parted = [(q, a, b) for q, a, b in zip(questions, left, right, strict=True) if a.text != b.text]
    if not parted:
        return []
    logits = open_logits(gguf)
    try:
        for question, a, b in parted:
            ids = [
                [
                    *tokenizer(one.text, add_special_tokens=False)["input_ids"],
                    tokenizer.eos_token_id,
                ]
                for one in (a, b)
            ]
            at = next(
                (i for i, (x, y) in enumerate(zip(*ids, strict=False)) if x != y), len(ids[1]) - 1
            )
            prompt = tokenizer(
                chat_prompt(tokenizer, question.messages()), add_special_tokens=False
            )
            read = [*prompt["input_ids"], *ids[1][: at + 1]]
            likely = logits.log_probabilities(read, len(read) - 1)[0]
            words = [tokenizer.decode(one[at : at + 1], skip_special_tokens=True) for one in ids]
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


def measure(asked: Settings, count: int) -> dict[str, Any]:
    """All figures, as JSON takes them."""
    from workshop_helpers.gguf import convert
    from workshop_helpers.scoring import read_questions
    from workshop_helpers.workspace import data_path

    each = max(1, count // len(asked.languages))
    questions = [
        question
        for language in asked.languages
        for question in pick(read_questions(data_path("shop", f"questions.{language}.jsonl")), each)
    ]
    model = as_f16(asked)
    gguf = convert(model, asked.folder("parity", "model-F16.gguf")).path
    answers, timings, version = ask_all(asked, model, gguf, [q.messages() for q in questions])
    pairs = {}
    for left, right in combinations(("transformers", "llama.cpp", "ollama"), 2):
        parted = differences(model, gguf, questions, answers[left], answers[right])
        pairs[f"{left} = {right}"] = {
            "equal": 1 - len(parted) / len(questions),
            "equal_or_level": 1 - sum(one["gap_nats"] >= LEVEL for one in parted) / len(questions),
            "target": TARGETS.get(f"{left} = {right}"),
            "differences": parted,
        }
    return {
        "questions": len(questions),
        "type": "F16",
        "threads": 1,
        "ollama": version,
        "agreement": pairs,
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
        ("runtimes", "equal", "equal or level", "target"),
        [
            [
                pair,
                percent(one["equal"]),
                percent(one["equal_or_level"]),
                f"≥ {percent(one['target'])}" if one["target"] else "",
            ]
            for pair, one in found["agreement"].items()
        ],
    )
    for pair, one in found["agreement"].items():
        for gone in one["differences"]:
            a, b = gone["tokens"]
            print(
                f"  {pair}: {gone['question']}  token {gone['at']}: {a!r} / {b!r} ({gone['gap_nats']:.6f} nats)"
            )


def main(arguments: list[str]) -> int:
    made = parser(__doc__ or "")
    made.add_argument(
        "--questions", type=int, default=60, help="in all languages together (default: %(default)s)"
    )
    args = made.parse_args(arguments)
    asked = settings("ollama_parity", args)
    found = measure(asked, 8 if asked.quick else args.questions)
    report(found)
    save(asked, {"title": TITLE, **found})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
