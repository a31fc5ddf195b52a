"""Chapter 14: what takes too long for its notebook, with SmolLM2-135M as the judge and the judged.

    python -m benchmarks.advanced.evaluation [--quick]

tokenizers  perplexity and bits per character of mame and SmolLM2, both untuned, on the statements
            of the shop's facts
judges      SmolLM2 (Q4_1, in llama.cpp, over HTTP) judges pairs of which one answer is the fact's
            statement and the other the same with another amount; the right one is shown to it, too

No seconds are noted, so other work may run beside it. Needs `workshop models get smollm2`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from benchmarks.common import Settings, parser, save, settings

# A judge that cannot be read once needs no ninety questions to show it.
PAIRS = {"en": 45, "ja": 12}


def tokenizers(asked: Settings) -> list[dict[str, Any]]:
    """One row a language and model."""
    from workshop_helpers import Shop, reference_loss, referenced

    rows = []
    for language in asked.languages:
        questions = referenced(Shop(language).questions)[: 6 if asked.quick else None]
        for model in ("mame", "smollm2"):
            asked.say(f"perplexity of {model}, {language}")
            found = reference_loss(model, questions).to_dict()
            del found["nats"]
            rows.append({"model": model, "language": language, **found})
    return rows


def judges(asked: Settings, gguf: Path) -> list[dict[str, Any]]:
    """One row a language."""
    from workshop_helpers import (
        ChatServer,
        LlamaCppRuntime,
        Shop,
        judge,
        referenced,
        wrong_answers,
    )

    rows = []
    for language in asked.languages:
        questions = referenced(Shop(language).questions)[: 3 if asked.quick else PAIRS[language]]
        right = [question.reference or "" for question in questions]
        wrong = [wrong_answers(question)[0] for question in questions]
        asked.say(f"{len(questions)} pairs in {language}")
        with (
            LlamaCppRuntime(gguf, slots=1, threads=1) as runtime,
            ChatServer(runtime.url, parallel=1) as server,
        ):
            better = ["first"] * len(questions)
            found = judge(server, questions, right, wrong, better, language=language)
        picks = [pair.picks for pair in found.pairs]
        rows.append(
            {
                "language": language,
                "pairs": len(picks),
                "readable_share": found.readable,
                "first_place_share": found.first_place,
                "consistent_share": found.consistent,
                "right_shown_first_share": sum(p[0] == "first" for p in picks) / len(picks),
                "right_shown_second_share": sum(p[1] == "first" for p in picks) / len(picks),
                "agreement_share": found.agreement,
            }
        )
    return rows


def main(arguments: list[str] | None = None) -> int:
    """Measure and write results/advanced/14_evaluation.json."""
    from workshop_helpers import get_model
    from workshop_helpers.core.errors import WorkshopError

    asked = settings("advanced/14_evaluation", parser(__doc__, model=False).parse_args(arguments))
    gguf = get_model("smollm2").gguf
    if gguf is None:
        raise WorkshopError("The packaged GGUF of smollm2 is not here: workshop models get smollm2")
    save(asked, {"tables": {"judges": judges(asked, gguf), "tokenizers": tokenizers(asked)}})
    return 0


if __name__ == "__main__":
    sys.exit(main())
