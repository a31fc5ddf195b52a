"""Answers → scores: what an answer states, leaves out, contradicts or makes up, and how it speaks.

An answer is scored against the surfaces its question expects; the shop's other facts only tell a
known quantity from an invented one. `mark` gives the same findings as pieces of the text, for
showing.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from .facts import ShopFacts, Surfaces
from .figures import figures, is_known, rivals, with_rate
from .language import detect_language, has_letters, is_polite
from .likeness import chrf
from .quantities import Quantity
from .surfaces import locate, opposed, states


@dataclass
class Question:
    """A question and what a right answer must state.

    facts: each a text, or a tuple of equally right texts; system: its own system prompt;
    language: of the right answer ("en", "ja"); None takes the question's. reference: a right answer
    in full: its figures are known ones, and answers are compared with it.
    """

    question: str
    system: str | None = None
    facts: tuple[str | Surfaces, ...] = ()
    language: str | None = None
    id: str | None = None
    topic: str | None = None
    reference: str | None = None

    def messages(self) -> list[dict[str, str]]:
        """System prompt (if any) and question, as chat templates take them."""
        system = [{"role": "system", "content": self.system}] if self.system else []
        return [*system, {"role": "user", "content": self.question}]

    def expected(self) -> tuple[Surfaces, ...]:
        """The facts with every one as a tuple of equally right surfaces."""
        return tuple((fact,) if isinstance(fact, str) else fact for fact in self.facts)

    def answer_language(self) -> str:
        """The language a right answer is in: "en", "ja", or "?" where nothing tells."""
        return self.language or detect_language(self.question)


@dataclass
class Score:
    """What one answer is worth.

    found, missing: the expected facts, by their first surface. contradicted: quantities, as the
    answer writes them, of the same kind as a missing fact but of another amount. unsupported:
    quantities that no known fact, nor the question, nor its system prompt holds. language: "en",
    "ja" or "?" of the answer; polite: whether Japanese is in です・ます, None for other languages
    and for list lines alone; characters: length. likeness: to the reference answer, 0 to 1 (chrF),
    None without one. judged: whether anything was known to judge by; where nothing was, nothing
    counts as contradicted or unsupported.
    """

    found: tuple[str, ...]
    missing: tuple[str, ...]
    contradicted: tuple[str, ...]
    unsupported: tuple[str, ...]
    language: str
    right_language: bool
    polite: bool | None
    characters: int
    likeness: float | None = field(default=None, repr=False)
    judged: bool = field(default=True, repr=False)

    @property
    def wrong(self) -> tuple[str, ...]:
        """What the answer contradicts or makes up, as it writes it, each once."""
        return tuple(dict.fromkeys((*self.contradicted, *self.unsupported)))

    @property
    def recall(self) -> float | None:
        """Share of the expected facts that are stated, 0 to 1; None where none is expected."""
        expected = len(self.found) + len(self.missing)
        return len(self.found) / expected if expected else None

    def to_dict(self) -> dict[str, Any]:
        """All fields and the recall, as JSON takes them."""
        return {**asdict(self), "recall": self.recall}


def score_answer(answer: str, question: Question, shop: ShopFacts | None = None) -> Score:
    """Score one answer; `shop` adds its facts to what counts as known (not to what is expected)."""
    expected = question.expected()
    stated = [any(states(answer, surface) for surface in item) for item in expected]
    language = detect_language(answer)
    judged = bool(expected or question.reference or question.system or shop)
    return Score(
        found=tuple(item[0] for item, yes in zip(expected, stated, strict=True) if yes),
        missing=tuple(item[0] for item, yes in zip(expected, stated, strict=True) if not yes),
        contradicted=_surfaces(_contradicted(answer, question)),
        unsupported=_surfaces(_unsupported(answer, question, shop)) if judged else (),
        language=language,
        right_language=_right_language(answer, language, question.answer_language()),
        polite=is_polite(answer) if language == "ja" else None,
        characters=len(answer.strip()),
        likeness=chrf(answer, question.reference) if question.reference else None,
        judged=judged,
    )


def _surfaces(found: Iterable[Quantity]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(quantity.surface for quantity in found))


def _all(texts: Iterable[str]) -> list[Quantity]:
    return [figure for text in texts for figure in figures(text)]


def _contradicted(answer: str, question: Question) -> list[Quantity]:
    """Other figures in the place of a missing fact, the fact itself where it is denied, and the
    words of a missing fact with the other yes or no.
    """
    expected = question.expected()
    missing = [i for i in expected if not any(states(answer, surface) for surface in i)]
    wanted = _all(surface for item in missing for surface in item)
    # An answer may take up the customer's own quantities.
    right = _all([question.question, *(surface for item in expected for surface in item)])
    said = [
        with_rate(answer, one, wanted)
        for one in figures(answer)
        if (
            is_known(one, [w for w in wanted if w.kind == one.kind])
            if one.denied
            else any(rivals(one, w) for w in wanted) and not is_known(one, right)
        )
    ]
    opposite = {place for item in missing for surface in item for place in opposed(answer, surface)}
    phrases = (Quantity("phrase", (), "", answer[a:b], a, b) for a, b in sorted(opposite))
    return [*said, *phrases]


def _unsupported(answer: str, question: Question, shop: ShopFacts | None) -> list[Quantity]:
    texts = [question.question, question.system or "", question.reference or ""]
    texts += [surface for item in question.expected() for surface in item]
    known = _all([*texts, *(_shop_texts(shop) if shop else ())])
    places = _found_places(answer, question)
    wrong = [(one.start, one.end) for one in _contradicted(answer, question)]
    return [
        with_rate(answer, one, known)
        for one in figures(answer)
        if not one.denied
        and _is_claim(one, known)
        and not is_known(one, known)
        and (_touches(one, wrong) or not _touches(one, places))
    ]


def _touches(one: Quantity, places: Iterable[tuple[int, int]]) -> bool:
    return any(start < one.end and one.start < end for start, end in places)


def _is_claim(one: Quantity, known: Sequence[Quantity]) -> bool:
    """Whether a figure may count as invented: not a weekday where nothing known speaks of any, nor
    number words that count other things than the known ones do.
    """
    if one.kind == "weekday":
        return any(k.kind == "weekday" for k in known)
    if one.kind in ("count", "nth") and one.spelled:
        kanji = not one.surface.isascii() and one.value[0] > 1
        return kanji or any(rivals(one, k) for k in known)
    return True


def _found_places(answer: str, question: Question) -> list[tuple[int, int]]:
    return [place for item in question.expected() for s in item for place in locate(answer, s)]


def _shop_texts(shop: ShopFacts) -> list[str]:
    texts = [text for fact in shop for text in fact.statement.values()]
    return texts + [
        s for fact in shop for items in fact.values.values() for item in items for s in item
    ]


@dataclass(frozen=True)
class Piece:
    """A stretch of an answer. mark: "found" (states an expected fact), "wrong" (a contradicted or
    unsupported quantity), or None."""

    text: str
    mark: str | None = None


def mark(answer: str, question: Question, shop: ShopFacts | None = None) -> list[Piece]:
    """Cut the answer into pieces that, joined, are the answer again."""
    marks: list[str | None] = [None] * len(answer)
    for quantity in [*_contradicted(answer, question), *_unsupported(answer, question, shop)]:
        marks[quantity.start : quantity.end] = ["wrong"] * (quantity.end - quantity.start)
    for start, end in _found_places(answer, question):
        marks[start:end] = ["found"] * (end - start)
    runs = itertools.groupby(zip(answer, marks, strict=True), key=lambda pair: pair[1])
    return [Piece("".join(character for character, _ in run), kind) for kind, run in runs]


def _right_language(answer: str, language: str, wanted: str) -> bool:
    if wanted not in ("en", "ja") or language == wanted:
        return bool(answer.strip())
    # "$6.99" alone is in no language, and not in the wrong one.
    return bool(answer.strip()) and not has_letters(answer)


@dataclass
class Summary:
    """The scores of many answers.

    recall: mean recall over the questions that expect facts; full: share of those with every fact
    stated (both None where no question expects any). contradicted, unsupported: shares of the
    answers that could be judged with at least one such quantity, None where none could. language:
    share in the right language; polite: share of the Japanese answers in です・ます, None without
    any. length: mean characters. questions: how many. likeness: mean chrF against the reference
    answers, None without any.
    """

    recall: float | None
    full: float | None
    contradicted: float | None
    unsupported: float | None
    language: float
    polite: float | None
    length: float
    questions: int
    likeness: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """All fields, as JSON takes them."""
        return asdict(self)


def summarise(scores: Sequence[Score]) -> Summary:
    """Average scores, one an answer; shares are from 0 to 1. Raises ValueError for no scores."""
    if not scores:
        raise ValueError("no scores to summarise")
    recalls = [score.recall for score in scores if score.recall is not None]
    return Summary(
        recall=_mean(recalls),
        full=_mean([recall == 1 for recall in recalls]),
        contradicted=_mean([bool(score.contradicted) for score in scores if score.judged]),
        unsupported=_mean([bool(score.unsupported) for score in scores if score.judged]),
        language=_mean([score.right_language for score in scores]) or 0.0,
        polite=_mean([score.polite for score in scores if score.polite is not None]),
        length=_mean([score.characters for score in scores]) or 0.0,
        questions=len(scores),
        likeness=_mean([score.likeness for score in scores if score.likeness is not None]),
    )


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
