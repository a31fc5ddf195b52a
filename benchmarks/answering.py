"""Answer the shop's questions in this process, in batch or one by one: seconds and peak memory as
JSON.

python -m benchmarks.answering MODEL --language en --questions 60 --batch-size 0|N (0: what the
runtime chooses)
"""

from __future__ import annotations

import argparse
import json
import time

from benchmarks.common import LANGUAGES, peak_memory_bytes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--language", choices=LANGUAGES, default="en")
    parser.add_argument("--questions", type=int, default=60)
    parser.add_argument("--batch-size", type=int, default=0)
    args = parser.parse_args()

    from workshop_helpers.core.artifacts import data_path
    from workshop_helpers.dataset.questions import read_questions
    from workshop_helpers.runtimes import open_runtime

    questions = read_questions(data_path("shop", f"questions.{args.language}.jsonl"))[
        : args.questions
    ]
    messages = [question.messages() for question in questions]
    with open_runtime(args.model, batch_size=args.batch_size or None) as runtime:
        runtime.answer(messages[:1], max_new_tokens=8)
        loaded = peak_memory_bytes()
        begun = time.perf_counter()
        answers = runtime.answer(messages)
        seconds = time.perf_counter() - begun
    print(
        json.dumps(
            {
                "seconds": seconds,
                "loaded_bytes": loaded,
                "peak_bytes": peak_memory_bytes(),
                "tokens": sum(answer.tokens for answer in answers),
                "answers": [answer.text for answer in answers],
            }
        )
    )


if __name__ == "__main__":
    main()
