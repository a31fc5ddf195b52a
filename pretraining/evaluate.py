"""Measure `mame` on shops, values and phrasings that its corpus never showed.

    python -m pretraining.evaluate [--model DIR] [--questions N] [--out results/mame.json]

Each row asks at least 200 questions a language. The same rows are the probe for what a fine-tuning
cost: `probe()` is what the notebooks and the results call on a tuned model.
"""

from __future__ import annotations

import argparse
import random
import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from pretraining.corpus import Talk, Writer
from pretraining.grammar import LANGUAGES
from pretraining.slips import typed
from workshop_helpers.core.cards import file_hash
from workshop_helpers.core.device import machine, versions
from workshop_helpers.core.jsonio import write_json
from workshop_helpers.metrics.language import detect_language
from workshop_helpers.metrics.quantities import quantities
from workshop_helpers.metrics.surfaces import states
from workshop_helpers.runtimes import open_runtime

MODEL = Path(__file__).parent.parent / "data" / "mame"
TARGETS = {
    "facts_in_prompt": {"en": 0.95, "ja": 0.90},
    "vague_without_facts": {"en": 0.95, "ja": 0.95},
    "language": {"en": 0.98, "ja": 0.98},
    "not_in_information": {"en": 0.80, "ja": 0.80},
    "general_knowledge": {"en": 0.70, "ja": 0.70},
}
KINDS = tuple(row for row in TARGETS if row != "language")
# Rows of the wider grammar; the probe for what a fine-tuning cost stays what it was.
WIDER_TARGETS = {
    "any_shop": {"en": 0.85, "ja": 0.80},
    "any_shop_missing": {"en": 0.80, "ja": 0.80},
    "typed_live": {"en": 0.85, "ja": 0.80},
    "outside": {"en": 0.90, "ja": 0.90},
}
# How an honest "I was not told that" reads; the grammar's templates and their near relatives.
ADMITS = {
    "en": re.compile(
        r"\b(no|any|without) (information|details?|record|entry|mention|facts)"
        r"|\b(information|facts|notes|list|here|policy)\b.*(\bnot\b|n't\b|\bnothing\b|cannot)"
        r"|(\bnot\b|n't\b|\bnothing\b|cannot\b)[^.]*\b(information|facts|notes|listed|list|told|given|cover)\b"
        r"|\bI (have nothing|do not|don't|cannot|can't) (on|have|know|find|see|say|tell|answer)",
        re.I,
    ),
    "ja": re.compile(
        r"(情報|記載|案内|資料|内容|範囲|手元|お答え|把握|存じ|[分わ]か[らり]|確認|含まれ|載って)[^。]*"
        r"(ません|ないため|なく|おらず|かね|ございません)"
    ),
}


def draw_talks(kind: str, language: str, count: int) -> list[Talk]:
    """`count` single-question conversations of one row, held out of the corpus."""
    writer = Writer(random.Random(f"eval-{kind}-{language}-7"), held_out=True)
    makers: dict[str, Callable[[], Talk]] = {
        "facts_in_prompt": lambda: writer.with_facts(language, turns=1, kind="fact"),
        "vague_without_facts": lambda: writer.without_facts(language, turns=1),
        "not_in_information": lambda: writer.with_facts(language, turns=1, kind="missing"),
        "general_knowledge": lambda: writer.general(language, turns=1),
        "any_shop": lambda: writer.any_shop(language, turns=1, kind="fact"),
        "any_shop_missing": lambda: writer.any_shop(language, turns=1, kind="missing"),
        "outside": lambda: writer.outside(language, turns=1),
    }
    if kind == "typed_live":  # the questions of `facts_in_prompt`, typed otherwise
        rng = random.Random(f"eval-{kind}-{language}-7")
        return [as_typed(talk, rng) for talk in draw_talks("facts_in_prompt", language, count)]
    return [makers[kind]() for _ in range(count)]


def as_typed(talk: Talk, rng: random.Random) -> Talk:
    """The conversation with its first question as it is typed live."""
    turn = talk.turns[0]
    return replace(talk, turns=(replace(turn, question=typed(turn.question, talk.language, rng)),))


def right(kind: str, language: str, talk: Talk, answer: str) -> bool | float:
    """Whether an answer does what its row asks; for facts the share of values that it states."""
    turn = talk.turns[0]
    if kind in ("facts_in_prompt", "any_shop", "typed_live"):
        return sum(states(answer, key) for key in turn.keys) / len(turn.keys)
    if kind == "general_knowledge":
        # "2月" must not be found in "12月", nor 1 in 12.
        return any(re.search(rf"(?<!\d){re.escape(key)}(?!\d)", answer, re.I) for key in turn.keys)
    asked = {(f.kind, f.value) for f in quantities(turn.question)}
    invented = [f for f in quantities(answer) if (f.kind, f.value) not in asked]
    if kind == "vague_without_facts":
        return not invented
    return not invented and bool(ADMITS[language].search(answer))


def probe(
    model: str | Path,
    *,
    kinds: tuple[str, ...] = KINDS,
    questions: int = 200,
    languages: tuple[str, ...] = LANGUAGES,
    examples: int = 0,
) -> dict[str, Any]:
    """Each row's share of right answers by language, and the share in the question's language.

    With `examples`, that many wrong answers of each row come along, to be read.
    """
    rows: dict[str, Any] = {kind: {} for kind in kinds} | {"language": {}}
    wrong: dict[str, list[dict[str, str]]] = {}
    with open_runtime(model) as runtime:
        for language in languages:
            same, asked = 0, 0
            for kind in kinds:
                talks = draw_talks(kind, language, questions)
                answers = runtime.answer(
                    [talk.messages()[:-1] for talk in talks], max_new_tokens=120
                )
                scores = [
                    right(kind, language, t, a.text) for t, a in zip(talks, answers, strict=True)
                ]
                rows[kind][language] = round(sum(scores) / len(scores), 4)
                # A bare "12" or "7月" belongs to no language; the row is of the card's questions.
                judged = [a for a in answers if detect_language(a.text) != "?" and kind in KINDS]
                same += sum(detect_language(a.text) == language for a in judged)
                asked += len(judged)
                for talk, answer, score in zip(talks, answers, scores, strict=True):
                    if score < 1 and len(wrong.setdefault(f"{kind}.{language}", [])) < examples:
                        wrong[f"{kind}.{language}"].append(
                            {
                                "system": talk.system or "",
                                "question": talk.turns[0].question,
                                "answer": answer.text,
                                "wanted": talk.turns[0].answer,
                            }
                        )
            rows["language"][language] = round(same / max(asked, 1), 4)
    return {"rows": rows, "wrong": wrong} if examples else {"rows": rows}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, default=MODEL)
    parser.add_argument(
        "--questions",
        type=int,
        default=300,
        help="a row and language (at least 200 for the record)",
    )
    parser.add_argument("--out", type=Path, default=None, help="write the figures there")
    parser.add_argument(
        "--examples", type=int, default=0, help="print that many wrong answers a row"
    )
    args = parser.parse_args()
    began = time.time()
    every = TARGETS | WIDER_TARGETS
    kinds = tuple(row for row in every if row != "language")
    found = probe(args.model, kinds=kinds, questions=args.questions, examples=args.examples)
    for row, targets in every.items():
        for language, target in targets.items():
            value = found["rows"][row][language]
            print(
                f"{row:22} {language}  {value:6.1%}  target {target:.0%}  "
                f"{'ok' if value >= target else 'SHORT'}"
            )
    for row, cases in found.get("wrong", {}).items():
        for case in cases:
            print(
                f"\n[{row}]\n  S {case['system']}\n  Q {case['question']}\n"
                f"  A {case['answer']}\n  = {case['wanted']}"
            )
    if args.out:
        weights = sorted(args.model.glob("*.safetensors"))
        write_json(
            args.out,
            {
                "model": {path.name: file_hash(path) for path in weights},
                "questions_per_row_and_language": args.questions,
                "rows": found["rows"],
                "targets": every,
                "seconds": round(time.time() - began),
                "machine": machine(),
                "versions": versions(),
            },
        )


if __name__ == "__main__":
    main()
