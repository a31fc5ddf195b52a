"""What a cloud job would be sent, and what that would cost: found out here, before anything is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ...core.errors import WorkshopError
from ...dataset.checks import check_rows
from ...dataset.formats import Conversation, read_conversations, write_conversations

# Of each provider: the format of a row in its file, and the fewest rows it takes.
FORMATS = {"openai": ("messages", 10), "google": ("gemini", 1), "together": ("messages", 1)}
# Findings of `check_rows` that stop a submission, whatever their severity: what leaves this machine
# does not come back.
PRIVATE = re.compile(r"pii-|secret")
# Characters a token of OpenAI's o200k_base, measured on the shop's rows
# (results/advanced/18_cloud_and_hub.json, by benchmarks/advanced/cloud.py): Japanese characters
# and all others. "A token is four characters" holds for English alone.
JAPANESE_CHARACTERS, OTHER_CHARACTERS = 1.5, 4.2
_JAPANESE = re.compile("[\u3000-\u30ff\u3400-\u9fff\uff00-\uffef]")
# What OpenAI's guide on counting adds: for each message, and for each row.
MESSAGE_TOKENS, ROW_TOKENS = 4, 3


@dataclass(frozen=True)
class Price:
    """US dollars for a million trained tokens, as it stood on a day (`seen`) in a `source`."""

    dollars: float
    seen: str
    source: str


# Prices change, and most are not listed in one place: give the one you read with --price.
PRICES = {
    ("openai", "gpt-4o-mini-2024-07-18"): Price(
        3.00, "2026-02", "the guide that the course began with"
    ),
}


@dataclass(frozen=True)
class CloudCheck:
    """What would be sent to a `provider`: `rows`, of so many `tokens` in all and in the `longest`,
    trained for `epochs`. `billed` tokens cost `dollars` (None: no price is known). `exact`: counted
    with a model's tokenizer, not estimated from characters. `faults`: why it may not be sent.
    """

    provider: str
    model: str | None
    rows: int
    tokens: int
    longest: int
    epochs: int
    billed: int
    exact: bool
    price: Price | None
    faults: list[str] = field(default_factory=list)

    @property
    def dollars(self) -> float | None:
        """US dollars for the training alone; answers of a tuned model are billed besides."""
        return None if self.price is None else self.billed * self.price.dollars / 1e6

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "dollars": self.dollars}


def check_cloud_rows(
    data: str | Path,
    provider: str,
    *,
    model: str | None = None,
    epochs: int = 3,
    price: float | None = None,
    tokenizer: str | None = None,
    max_length: int | None = None,
) -> CloudCheck:
    """Read, count and price the rows of a file. Sends nothing.

    `tokenizer`: a catalogue name or model folder that counts exactly, right for a provider of open
    models; else tokens are estimated from the characters. `price`: dollars for a million trained
    tokens. `max_length`: Together bills each row as so many tokens where rows are not packed.
    Raises WorkshopError for an unknown provider, and rows that cannot be read.
    """
    format_of(provider)
    rows = read_conversations(data)
    counts = [len(one) for one in _ids(rows, tokenizer)] if tokenizer else list(map(estimate, rows))
    known = PRICES.get((provider, model or ""))
    if price is not None:
        known = Price(price, "", "given")
    billed = epochs * (len(rows) * max_length if max_length else sum(counts))
    return CloudCheck(
        provider, model, len(rows), sum(counts), max(counts, default=0), epochs, billed,
        tokenizer is not None, known, _faults(data, rows, provider),
    )  # fmt: skip


def format_of(provider: str) -> str:
    """The format of the rows that a provider takes. WorkshopError for an unknown one."""
    if provider not in FORMATS:
        raise WorkshopError(
            f"There is no provider {provider!r} here; choose from {', '.join(FORMATS)}."
        )
    return FORMATS[provider][0]


def estimate(row: Conversation) -> int:
    """About how many tokens a row has, by its Japanese and its other characters."""
    text = "".join(message.content for message in row.messages)
    japanese = len(_JAPANESE.findall(text))
    framing = ROW_TOKENS + MESSAGE_TOKENS * len(row.messages)
    others = (len(text) - japanese) / OTHER_CHARACTERS
    return round(japanese / JAPANESE_CHARACTERS + others) + framing


def write_cloud_rows(data: str | Path, provider: str, out: str | Path) -> Path:
    """The rows of `data` as the provider's JSONL file `out`: no field but the conversation."""
    rows = [Conversation(row.messages) for row in read_conversations(data)]
    return write_conversations(rows, out, format=format_of(provider)).path


def _ids(rows: Sequence[Conversation], tokenizer: str) -> list[list[int]]:
    from ...models.chat import chat_prompt
    from ...models.load import load_tokenizer
    from ...models.resolve import resolve

    loaded = load_tokenizer(resolve(tokenizer))
    texts = [chat_prompt(loaded, row.to_messages(), answer=True) for row in rows]
    found: list[list[int]] = loaded(texts, add_special_tokens=False)["input_ids"]
    return found


def _faults(data: str | Path, rows: Sequence[Conversation], provider: str) -> list[str]:
    faults = []
    fewest = FORMATS[provider][1]
    if len(rows) < fewest:
        faults.append(f"{provider} takes {fewest} rows or more, and these are {len(rows)}.")
    report = check_rows(data, quick=True, progress=False)
    for found in report.findings:
        if found.severity == "error" or PRIVATE.match(found.rule):
            faults.append(f"{Path(found.file).name}:{found.line}: {found.message}")
    return faults
