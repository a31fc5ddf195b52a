"""The course's own rows and questions, and how alike two of them are."""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from functools import cache
from typing import Any

from workshop_helpers.core.artifacts import data_path
from workshop_helpers.metrics.facts import ShopFacts
from workshop_helpers.metrics.quantities import quantities

LIKENESS_LIMIT = 0.6  # of character 4-grams, between a question and any of another set


@cache
def rows(name: str, language: str, domain: str = "shop") -> list[dict[str, Any]]:
    text = data_path(domain, f"{name}.{language}.jsonl").read_text(encoding="utf-8")
    assert text.endswith("\n") and "\r" not in text and not text.startswith("\ufeff")
    return [json.loads(line) for line in text.splitlines()]


@cache
def plain(question: str) -> str:
    """A question without greeting, punctuation, spaces and letter case."""
    text = unicodedata.normalize("NFKC", GREETING.sub("", question)).casefold()
    return re.sub(r"[\W_]+", "", text)


@cache
def grams(question: str, length: int = 4) -> frozenset[str]:
    text = plain(question)
    return frozenset(text[i : i + length] for i in range(max(1, len(text) - length + 1)))


def likeness(a: frozenset[str], b: frozenset[str]) -> float:
    return len(a & b) / len(a | b)


def amounts(facts: ShopFacts, language: str) -> Counter[Any]:
    """How often each amount stands among the values of the facts."""
    surfaces = [item[0] for fact in facts for item in fact.values[language]]
    return Counter(figure.amount for surface in surfaces for figure in quantities(surface))


GREETING = re.compile(
    r"^(?:(?:good (?:morning|afternoon|evening|day)|hello|hi|hey|excuse me|sorry)"
    r"(?: there)?[,.!\s]+"
    r"|(?:こんにちは|こんばんは|おはようございます|すみません"
    r"|はじめまして|お世話になります)[、。！\s]*)+",
    re.IGNORECASE,
)
