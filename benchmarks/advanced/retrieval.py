"""Chapter 15: prompt, search, tuning and both, with the facts of today and of tomorrow.

    python -m benchmarks.advanced.retrieval [--quick]

searches  how often each way of searching finds the fact that a question asks for
ways      each way to answer, on the 90 questions, and on those about the ten facts that change
          after the training: from the prompt, from a search, tuned, tuned with a search, tuned on
          rows that have the found facts in them ("taught"), and on such rows with other amounts
          ("varied"); one training each, so a few points are luck
smollm2   what results/real_models.json has of the same for SmolLM2-135M, put beside it

No seconds are noted, so other work may run beside it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from benchmarks.common import ROOT, Settings, found_or_made, parser, read_json, save, settings

ROWS, SEARCH = 100, "pieces"
EVERY = 3  # each third fact changes


def searches(asked: Settings) -> list[dict[str, Any]]:
    """One row a language and way of searching."""
    from workshop_helpers import Shop, found_facts
    from workshop_helpers.evaluation.retrieval import METHODS

    return [
        {"language": language, "search": method, **found_facts(Shop(language), method)}
        for language in asked.languages
        for method in METHODS
    ]


def ways(asked: Settings) -> list[dict[str, Any]]:
    """One row a language and way of answering."""
    from workshop_helpers import LoraRecipe, Shop, changed, fact_id, retrieved, train
    from workshop_helpers.evaluation.candidates import Candidate
    from workshop_helpers.evaluation.comparison import compare
    from workshop_helpers.evaluation.retrieval import with_facts

    rows = []
    for language in asked.languages:
        shop, recipe = Shop(language), LoraRecipe.for_model(asked.model)
        ids = [fact.id for fact in shop.facts][::EVERY]
        tomorrow = changed(shop, ids)
        news = [question for question in tomorrow.questions if fact_id(question) in ids]
        lessons = {"tuned": shop.train[:ROWS]}
        lessons["taught"] = with_facts(shop, lessons["tuned"], SEARCH)
        lessons["varied"] = with_facts(shop, lessons["tuned"], SEARCH, vary=True)
        made = {}
        for name, data in lessons.items():
            asked.say(f"training {name}, {language}")
            folder = asked.folder(language, f"15-{name}")
            how: dict[str, Any] = {"progress": False}
            made[name] = found_or_made(train, asked.model, data, folder, recipe, **how).adapter
        make: dict[str, Callable[[Any], Candidate]] = {
            "prompt": lambda shop: shop.prompted(asked.model),
            "retrieval": lambda shop: retrieved(shop, asked.model, SEARCH),
            "tuned": lambda shop, to=made["tuned"]: Candidate("tuned", to),  # type: ignore[misc]
            "both": lambda shop, to=made["tuned"]: retrieved(shop, to, SEARCH),  # type: ignore[misc]
            "taught": lambda shop, to=made["taught"]: retrieved(shop, to, SEARCH),  # type: ignore[misc]
            "varied": lambda shop, to=made["varied"]: retrieved(shop, to, SEARCH),  # type: ignore[misc]
        }
        for name, way in make.items():
            asked.say(f"asking {name}, {language}")
            few = 6 if asked.quick else None
            today = compare([way(shop)], shop.questions[:few], progress=False).rows[0]
            moved = [
                score.recall or 0.0
                for score, question in zip(today.scores, shop.questions, strict=False)
                if fact_id(question) in ids
            ]
            shown = tomorrow.facts
            after = compare([way(tomorrow)], news[:few], shop=shown, progress=False).rows[0]
            rows.append(
                {
                    "language": language,
                    "way": name,
                    "today_share": today.summary.recall,
                    "contradicted_share": today.summary.contradicted,
                    "same_today_share": sum(moved) / len(moved) if moved else None,
                    "tomorrow_share": after.summary.recall,
                    "prompt_tokens": round(today.prompt_tokens, 1),
                }
            )
    return rows


def smollm2() -> list[dict[str, Any]]:
    """What was measured elsewhere: nothing in the prompt, the right fact, tuned."""
    names = {("none", False): "base", ("right", False): "right-fact", ("none", True): "tuned"}
    runs = read_json(ROOT / "results" / "real_models.json")["runs"]
    return [
        {
            "way": names[run["facts"], run["tuned"]],
            "today_share": run["recall"],
            "contradicted_share": run["contradicted"],
            "prompt_tokens": run["prompt_tokens"],
        }
        for run in runs
        if run["model"] == "smollm2"
        and run["part"] == "prompts"
        and (run["facts"], run["tuned"]) in names
    ]


def main(arguments: list[str] | None = None) -> int:
    """Measure and write results/advanced/15_rag_or_finetuning.json."""
    made = parser(__doc__, model=False).parse_args(arguments)
    asked = settings("advanced/15_rag_or_finetuning", made)
    tables = {"searches": searches(asked), "ways": ways(asked), "smollm2": smollm2()}
    save(asked, {"tables": tables})
    return 0


if __name__ == "__main__":
    sys.exit(main())
