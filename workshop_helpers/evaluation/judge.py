"""A language model as the judge of two answers, and how far to trust it.

A judge is asked twice, the second time with the answers in the other order: one that likes the
first place contradicts itself, and its two words cancel out to a tie (Zheng et al. 2023, "Judging
LLM-as-a-Judge", the conservative way). What it says is then held against the fact scorer, wherever
that finds one of the answers better.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..core.errors import WorkshopError
from ..core.wordings import say
from ..metrics.scoring import Question, Score
from ..runtimes.base import answer_each
from ..runtimes.openai import ChatServer

_TOKENS = 8  # a letter is wanted
# The letter alone, or at the head of what says so: not the article of "A customer …".
_LETTER = re.compile(
    r"(?:^\W*|\banswer |回答)([ABT])(?=\W*$|\s*[.,:;)\]。、]|\s+is\b|\s*(?:が|の|で))", re.I
)
_TIE = re.compile(r"^\W*(?:tie\b|equal|引き分け|同じ)", re.I)


def read_verdict(text: str) -> str | None:
    """ "A", "B" or "T" (equally good) as the judge wrote it; None where it wrote something else."""
    text = unicodedata.normalize("NFKC", text).strip()
    found = _LETTER.search(text)
    return found[1].upper() if found else "T" if _TIE.match(text) else None


@dataclass(frozen=True)
class Pair:
    """A question with two answers, and what the judge wrote: with `first` in front, and with
    `second` in front.
    """

    question: str
    first: str
    second: str
    said: tuple[str, str]

    @property
    def picks(self) -> tuple[str | None, str | None]:
        """Which answer it took each time: "first", "second", "tie", or None (unreadable)."""
        ways = ({"A": "first", "B": "second"}, {"A": "second", "B": "first"})
        read = (read_verdict(text) for text in self.said)
        return tuple(  # type: ignore[return-value]
            letter and way.get(letter, "tie") for letter, way in zip(read, ways, strict=True)
        )

    @property
    def outcome(self) -> str | None:
        """The better answer by both words of the judge, "tie" where they differ, None where one
        cannot be read.
        """
        one, other = self.picks
        if one is None or other is None:
            return None
        return one if one == other else "tie"


def share(part: Sequence[bool]) -> float | None:
    """How many of them are true, 0 to 1; None of nothing."""
    return sum(part) / len(part) if part else None


@dataclass(frozen=True)
class Judgement:
    """What a judge made of the pairs. `better`: for each pair "first", "second" or "tie" by the
    facts.
    """

    judge: str
    pairs: list[Pair]
    better: list[str]

    @property
    def readable(self) -> float:
        """Share of what it wrote that is a verdict."""
        return share([pick is not None for pair in self.pairs for pick in pair.picks]) or 0.0

    @property
    def first_place(self) -> float | None:
        """How often it took the answer shown first, among the verdicts that are no ties; without
        a liking for a place it is half of them.
        """
        letters = [read_verdict(text) for pair in self.pairs for text in pair.said]
        return share([letter == "A" for letter in letters if letter in ("A", "B")])

    @property
    def consistent(self) -> float | None:
        """Share of the pairs, read in both orders, where it says the same both times."""
        both = [pair.picks for pair in self.pairs if pair.outcome is not None]
        return share([one == other for one, other in both])

    @property
    def agreement(self) -> float | None:
        """Share of the pairs in which the facts make one answer better, and so does the judge in
        both orders. What it leaves open or unreadable counts against it.
        """
        decided = [(p, b) for p, b in zip(self.pairs, self.better, strict=True) if b != "tie"]
        return share([pair.outcome == better for pair, better in decided])

    @property
    def one_order(self) -> float | None:
        """The same for somebody who asks once only, in the first order."""
        decided = [(p, b) for p, b in zip(self.pairs, self.better, strict=True) if b != "tie"]
        return share([pair.picks[0] == better for pair, better in decided])

    def count(self, outcome: str | None) -> int:
        """How many pairs have that outcome ("first", "second", "tie", None)."""
        return sum(pair.outcome == outcome for pair in self.pairs)

    def figures(self) -> dict[str, Any]:
        """The figures, as tables and JSON take them."""
        return {
            "readable_share": self.readable,
            "first_place_share": self.first_place,
            "consistent_share": self.consistent,
            "first": self.count("first"),
            "tie": self.count("tie"),
            "second": self.count("second"),
            "agreement_share": self.agreement,
        }

    def to_dict(self) -> dict[str, Any]:
        """The figures and every pair, as JSON takes them."""
        pairs = [
            {"question": p.question, "said": list(p.said), "outcome": p.outcome, "facts": better}
            for p, better in zip(self.pairs, self.better, strict=True)
        ]
        return {"judge": self.judge, **self.figures(), "pairs": pairs}


def judge(
    server: ChatServer,
    questions: Sequence[Question],
    first: Sequence[str],
    second: Sequence[str],
    better: Sequence[str],
    *,
    language: str = "en",
    progress: bool = False,
) -> Judgement:
    """Ask the model behind `server` which of two answers to each question is better, twice each.

    `better`: what the facts say ("first", "second", "tie"; see `by_facts`). `language`: of the
    instructions. A question's reference is shown to the judge. Raises WorkshopError for lists that
    do not match, and as the server does.
    """
    if len({len(questions), len(first), len(second), len(better)}) > 1:
        raise WorkshopError("Give one answer of each model, and one verdict, for every question.")
    requests = [
        _request(question, shown, language)
        for question, a, b in zip(questions, first, second, strict=True)
        for shown in ((a, b), (b, a))
    ]

    def said(messages: Any, _: Any) -> str:
        return server.complete(messages, temperature=0.0, seed=0, max_tokens=_TOKENS).text

    how: dict[str, Any] = {"sampling": None, "at_a_time": server.parallel, "progress": progress}
    texts = answer_each(said, requests, **how)
    pairs = [
        Pair(question.question, a, b, (texts[2 * n], texts[2 * n + 1]))
        for n, (question, a, b) in enumerate(zip(questions, first, second, strict=True))
    ]
    return Judgement(server.name, pairs, list(better))


def _request(question: Question, shown: tuple[str, str], language: str) -> list[dict[str, str]]:
    known = [("question", question.question), ("reference", question.reference)]
    lines = [say(f"judge.{name}", language, text=text) for name, text in known if text]
    for name, text in zip("AB", shown, strict=True):
        lines.append(say("judge.answer", language, name=name, text=text))
    asked = "\n".join([*lines, say("judge.which", language)])
    return [
        {"role": "system", "content": say("judge.task", language)},
        {"role": "user", "content": asked},
    ]


def by_facts(first: Sequence[Score], second: Sequence[Score]) -> list[str]:
    """Which of two answers the fact scorer finds better: the one that states more of the expected
    facts, or as many and contradicts fewer.
    """

    def worth(score: Score) -> tuple[float, int]:
        return score.recall or 0.0, -len(score.contradicted)

    return [
        "tie" if worth(a) == worth(b) else "first" if worth(a) > worth(b) else "second"
        for a, b in zip(first, second, strict=True)
    ]
