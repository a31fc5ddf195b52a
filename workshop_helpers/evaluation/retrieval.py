"""Ways of finding the facts that a question asks for, and how often they do.

    blanks      BM25 over what stands between blanks, as examples for English do it
    words       BM25 over words; Japanese is cut by janome
    pieces      BM25 over pieces of characters: two in Japanese, three in English
    embedding   the small static embedding that comes inside the package wordllama

BM25 is rank_bm25's (Robertson and Zaragoza 2009). It always hands back documents, even where no
score is above 0; then they are simply the last ones, whatever was asked.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from ..core.errors import WorkshopError
from ..dataset.formats import Conversation, Message
from ..metrics.overlap import words
from .altered import fact_id, other_amounts
from .candidates import Candidate
from .shop import Shop

METHODS = ("blanks", "words", "pieces", "embedding")
# Scores of all texts for a question.
Scorer = Callable[[str], Sequence[float]]


def scorer(texts: Sequence[str], method: str) -> Scorer:
    """What scores each of `texts` for a question, by one of `METHODS`. WorkshopError for another
    one, or for no texts.
    """
    if method not in METHODS:
        raise WorkshopError(f'There is no way to search called "{method}": {", ".join(METHODS)}.')
    if not texts:
        raise WorkshopError("There are no texts to search.")
    if method == "embedding":
        model = _embedding()
        kept = model.embed(list(texts), norm=True)
        return lambda question: [float(one) for one in kept @ model.embed([question], norm=True)[0]]
    from rank_bm25 import BM25Okapi

    size = 2 if any("\u3040" <= letter <= "\u9fff" for text in texts for letter in text) else 3
    cuts: dict[str, Callable[[str], list[str]]] = {
        "blanks": str.split,
        "words": words,
        "pieces": lambda text: [text[i : i + size] for i in range(len(text) - size + 1)],
    }
    cut = cuts[method]
    index = BM25Okapi([cut(text.casefold()) for text in texts])
    return lambda question: [float(one) for one in index.get_scores(cut(question.casefold()))]


@cache
def _embedding() -> Any:
    """The model inside the package. wordllama 0.4.0 looks for its own tokenizer in the wrong folder
    and then asks a hub; told to look into its package, it finds it. It also sets up the logging of
    the whole program, which is undone here.
    """
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    import wordllama

    root.setLevel(level)
    root.handlers[:] = handlers
    package = Path(wordllama.__file__).parent
    return wordllama.WordLlama.load(cache_dir=package, disable_download=True)


def best(scores: Sequence[float], n: int) -> list[int]:
    """The places of the `n` highest scores, the highest first, as rank_bm25's get_top_n has them:
    of equal ones the last comes first.
    """
    return sorted(range(len(scores)), key=lambda place: (scores[place], place), reverse=True)[:n]


def fact_scorer(shop: Shop, method: str) -> Scorer:
    """`scorer` over the names and statements of the shop's facts."""
    language = shop.language
    texts = [f"{fact.name[language]} {fact.statement[language]}" for fact in shop.facts]
    return scorer(texts, method)


def found_facts(shop: Shop, method: str, n: int = 3) -> dict[str, float]:
    """Over the shop's questions: how often the fact asked for is the first found (`first_share`),
    among the first `n` (`found_share`), and how often nothing fits at all (`nothing_share`).
    """
    ids, score = [fact.id for fact in shop.facts], fact_scorer(shop, method)
    first = found = nothing = 0
    for question in shop.questions:
        scores = score(question.question)
        places = [ids[place] for place in best(scores, n)]
        first += places[0] == fact_id(question)
        found += fact_id(question) in places
        nothing += max(scores) <= 0
    asked = len(shop.questions)
    shares = {"first_share": first, "found_share": found, "nothing_share": nothing}
    return {name: count / asked for name, count in shares.items()}


def retrieved(shop: Shop, model: str | Path, method: str, n: int = 3) -> Candidate:
    """The model with the `n` facts in its system prompt that `method` finds for the question."""
    ids, score = [fact.id for fact in shop.facts], fact_scorer(shop, method)

    def look_up(question: str) -> str:
        places = best(score(question), n)
        return shop.facts.system_prompt(shop.language, [ids[place] for place in places])

    return Candidate("retrieval", model, look_up=look_up)


def with_facts(
    shop: Shop, rows: Sequence[Conversation], method: str, n: int = 3, *, vary: bool = False
) -> list[Conversation]:
    """The training rows with the facts in the system prompt that `method` finds for each.

    vary: in three of four rows another amount stands both in the prompt and in the answer, so that
    only who reads is right; where it is always the same one, remembering does as well.
    """
    look_up = retrieved(shop, "", method, n).look_up
    assert look_up is not None
    made = []
    for place, row in enumerate(rows):
        told, answer = look_up(row.question), row.answer
        if vary and place % 4:
            told, answer = _other(shop, told, answer, place % 4 - 1)
        last = Message("assistant", answer)
        made.append(Conversation((Message("system", told), *row.messages[:-1], last)))
    return made


def _other(shop: Shop, told: str, answer: str, which: int) -> tuple[str, str]:
    """Both texts with another amount of the first fact that stands in both; unchanged without."""
    for fact in shop.facts:
        for surface in fact.values[shop.language][0]:
            others = other_amounts(surface)
            if others and surface in told and surface in answer:
                other = others[which % len(others)]
                return told.replace(surface, other), answer.replace(surface, other)
    return told, answer
