"""What quantization costs the tuned model.

    python -m benchmarks.quantization [--model mame] [--types Q8_0 Q4_K_M Q2_K] [--quick]

The model tuned on 100 rows with the documented recipe is merged, converted and quantized, in each
language. Writes results/quantization.json.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from benchmarks.common import MANY, Settings, found_or_made, parser, save, settings, train_rows

TYPES = ("Q8_0", "Q4_K_M", "Q2_K")
HELD_OUT = 100  # rows at the end of the training file, never trained on here
TITLE = {"en": "What quantization costs", "ja": "量子化の代償"}


def measure(asked: Settings, language: str, types: tuple[str, ...]) -> dict[str, Any]:
    """The quantization table of one language, as JSON takes it."""
    from workshop_helpers.core.artifacts import data_path
    from workshop_helpers.dataset.formats import read_conversations
    from workshop_helpers.dataset.questions import read_questions
    from workshop_helpers.evaluation.quantization import quantization_table
    from workshop_helpers.gguf.convert import convert
    from workshop_helpers.metrics.facts import ShopFacts
    from workshop_helpers.training.merge import merge
    from workshop_helpers.training.recipe import LoraRecipe

    questions = read_questions(data_path("shop", f"questions.{language}.jsonl"))
    held_out = read_conversations(data_path("shop", f"train.{language}.jsonl"))[-HELD_OUT:]
    if asked.quick:
        questions, held_out = questions[:8], held_out[:6]
    recipe = LoraRecipe.for_model(asked.model)
    asked.say(f"{language}: train, merge, convert")
    # The name that learning gives it, so that its adapter is found again.
    tuned = train_rows(
        asked, language, MANY, recipe, f"tuned_{MANY}-seed{recipe.seed}", overwrite=False
    )
    merged = found_or_made(merge, tuned.adapter, asked.folder(language, "model"))
    f16 = found_or_made(convert, merged.model, asked.folder(language, "model-F16.gguf"))
    asked.say(f"{language}: quantize and measure")
    found = found_or_made(
        quantization_table,
        f16.path,
        types,
        questions,
        held_out_conversations=held_out,
        shop=ShopFacts.load(),
    ).to_dict()
    for row in found["rows"]:
        row["path"] = Path(row["path"]).name
    merging = {
        key: value
        for key, value in merged.to_dict().items()
        if key not in ("model", "seconds", "reused")
    }
    return {**found, "merging": merging}


def report(quantized: dict[str, Any]) -> None:
    """The tables on the terminal."""
    from rich.console import Console

    from workshop_helpers.display import as_table
    from workshop_helpers.evaluation.quantization import QuantizationRow, QuantizationTable

    for language, found in quantized.items():
        rows = [QuantizationRow(**{"path": Path(), **row}) for row in found["rows"]]
        about = {"threads": 1, "method": "", **found, "rows": rows}
        about.pop("merging", None)
        Console().print(f"{language}:", as_table(QuantizationTable(**about), "en").rich())


def main(arguments: list[str]) -> int:
    made = parser(__doc__ or "")
    made.add_argument("--types", nargs="+", default=list(TYPES), help="(default: %(default)s)")
    args = made.parse_args(arguments)
    asked = settings("quantization", args)
    types = tuple(args.types[:1] if asked.quick else args.types)
    quantized = {language: measure(asked, language, types) for language in asked.languages}
    report(quantized)
    save(asked, {"title": TITLE, "tables": quantized})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
