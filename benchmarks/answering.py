"""Answer the shop's questions in this process: seconds, processor seconds and peak memory as JSON.

python -m benchmarks.answering MODEL --way runtime|generate|llama.cpp --language en --questions 60
--batch-size 0|N (0: what the runtime chooses)

Ways: the course's runtime; transformers' own `generate` in padded batches (16 by default), an
adapter on top of its base, as it is loaded; llama.cpp with 8 slots on MODEL, a GGUF, with the
GGUF --adapter.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from typing import Any

from benchmarks.common import LANGUAGES, peak_memory_bytes


class Generate:
    """Transformers' `generate`, as its documentation shows it."""

    def __init__(self, model: str, batch_size: int) -> None:
        from workshop_helpers.models.load import load_model, load_tokenizer, pick_device
        from workshop_helpers.models.resolve import resolve

        ref = resolve(model)
        self.batch_size, self.tokenizer = batch_size or 16, load_tokenizer(ref)
        self.model = load_model(ref, pick_device(None, ref))

    def __enter__(self) -> Generate:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def answer(self, conversations: Sequence[Any], *, max_new_tokens: int) -> list[Any]:
        """As `Runtime.answer`."""
        import torch

        from workshop_helpers.models.chat import Answer

        found = []
        for start in range(0, len(conversations), self.batch_size):
            read = self.tokenizer.apply_chat_template(
                list(conversations[start : start + self.batch_size]), add_generation_prompt=True,
                padding=True, return_tensors="pt", return_dict=True,
            ).to(self.model.device)  # fmt: skip
            with torch.inference_mode():
                whole = self.model.generate(**read, do_sample=False, max_new_tokens=max_new_tokens)
            for row in whole[:, read["input_ids"].shape[1] :].tolist():
                ends = self.tokenizer.eos_token_id
                ids = row[: row.index(ends)] if ends in row else row
                text = self.tokenizer.decode(ids, skip_special_tokens=True).strip()
                found.append(Answer(text, len(ids), 0, 0.0, ends in row, tuple(ids)))
        return found


def opened(args: argparse.Namespace) -> Any:
    """What answers: a context with a method `answer`."""
    from workshop_helpers.runtimes import open_runtime
    from workshop_helpers.runtimes.llama_cpp import SLOTS, LlamaCppRuntime

    if args.way == "generate":
        return Generate(args.model, args.batch_size)
    if args.way == "runtime":
        return open_runtime(args.model, batch_size=args.batch_size or None)
    return LlamaCppRuntime(args.model, slots=SLOTS, adapters=[args.adapter] if args.adapter else [])


def processor_seconds() -> float:
    """Of this process and its children."""
    import psutil

    this = psutil.Process()
    times = [one.cpu_times() for one in (this, *this.children(recursive=True))]
    return float(sum(one.user + one.system for one in times))


def children_bytes() -> int:
    """What llama.cpp's process holds."""
    import psutil

    return sum(one.memory_info().rss for one in psutil.Process().children(recursive=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--way", choices=("runtime", "generate", "llama.cpp"), default="runtime")
    parser.add_argument("--adapter")
    parser.add_argument("--language", choices=LANGUAGES, default="en")
    parser.add_argument("--questions", type=int, default=60)
    parser.add_argument("--max-new-tokens", type=int, default=160)
    parser.add_argument("--batch-size", type=int, default=0)
    args = parser.parse_args()

    from workshop_helpers.core.artifacts import data_path
    from workshop_helpers.dataset.questions import read_questions

    questions = read_questions(data_path("shop", f"questions.{args.language}.jsonl"))[
        : args.questions
    ]
    messages = [question.messages() for question in questions]
    with opened(args) as runtime:
        runtime.answer(messages[:1], max_new_tokens=8)
        loaded = peak_memory_bytes()
        used, begun = processor_seconds(), time.perf_counter()
        answers = runtime.answer(messages, max_new_tokens=args.max_new_tokens)
        seconds, used = time.perf_counter() - begun, processor_seconds() - used
        peak = peak_memory_bytes() + children_bytes()
    print(
        json.dumps(
            {
                "seconds": seconds,
                "processor_seconds": used,
                "loaded_bytes": loaded,
                "peak_bytes": peak,
                "tokens": sum(answer.tokens for answer in answers),
                "answers": [answer.text for answer in answers],
                "token_ids": [list(answer.token_ids or ()) for answer in answers],
            }
        )
    )


if __name__ == "__main__":
    main()
