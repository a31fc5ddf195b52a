"""Rows that contradict each other or the facts."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ...metrics.facts import ShopFacts
from ...metrics.folding import normalise
from ...metrics.quantities import Quantity, quantities
from .findings import Finding, around, where, word
from .row import CheckedRow, Places, Rows, SetCheck
from .subjects import cases, context, may_differ, same_subject

KEPT_CHARACTERS = 12_000_000  # of answers that are kept to compare their amounts
_EDGES = " \t\r\n　?？!！.。、,…"
# Two amounts that may be for different days, people or places.
_PERHAPS: dict[str, Any] = {"severity": "note", "advice": word("same-subject")}
_SHORT = (1 << 60) - 1  # Python stores a number of 60 bits in two thirds of the bytes of 64
_KINDS = ("money", "duration", "percent", "clock", "points", "weekday", "date")


class Answers(SetCheck):
    """`duplicate`, and the same question with different answers: `contradicting-fact` if their
    amounts differ, else `conflicting-answers`.

    A question is all turns before the answer, compared without case and without punctuation at the
    ends. Memory: about 130 bytes per row, and the first 12 million characters of answers.
    """

    def __init__(self, places: Places) -> None:
        super().__init__(places)
        self._first: dict[int, int] = {}
        self._question = array("q")
        self._answer = array("q")
        self._more: dict[int, dict[int, int]] = {}
        self._texts: dict[int, str] = {}
        self._room = KEPT_CHARACTERS

    def take(self, rows: Rows) -> Iterable[Finding]:
        exact = [hash(question) for question in rows.questions]
        keys = [hash(question.lower().strip(_EDGES)) & _SHORT for question in rows.questions]
        for place in rows.special:
            if len(messages := rows.conversations[place].messages) != 2:
                texts = tuple([message.content for message in messages[:-1]])
                exact[place] = hash(texts)
                keys[place] = hash(tuple([text.lower().strip(_EDGES) for text in texts])) & _SHORT
        self._question.extend(exact)
        self._answer.extend([hash(answer) for answer in rows.answers])
        for number, answer in zip(rows.numbers, rows.answers, strict=True):
            if self._room <= 0:
                break
            self._room -= len(answer)
            self._texts[number] = answer
        found: list[Finding] = []
        firsts = map(self._first.setdefault, keys, rows.numbers)
        for place, (number, first) in enumerate(zip(rows.numbers, firsts, strict=True)):
            if first != number:
                found += self._again(rows[place], keys[place], first)
        return found

    def _again(self, row: CheckedRow, key: int, first: int) -> list[Finding]:
        """Findings in a row whose question is that of an earlier one."""
        number = row.number
        known = self._more.setdefault(key, {self._answer[first]: first})
        same = known.setdefault(self._answer[number], number)
        if same == number:
            return self._other_answer(row, first)
        told = ("near-duplicate", "same-but-case")
        if self._question[same] == self._question[number]:
            told = ("duplicate", "same-row")
        return [row.finding(*told, self.places[same], excerpt=row.question)]

    def _other_answer(self, row: CheckedRow, first: int) -> list[Finding]:
        before, other = self._texts.get(first), self.places[first]
        clash = contradiction(before, row.answer) if before is not None else None
        if clash:
            old, new = clash
            piece = around(row.answer, new.start, new.end)
            values = {"excerpt": piece, "old": old.surface, "new": new.surface}
            if may_differ(before or "", row.answer):
                values |= _PERHAPS
            return [row.finding("contradicting-fact", "other-amount", other, **values)]
        if before is not None and _same_content(before, row.answer):
            return []
        return [row.finding("conflicting-answers", "other-answer", other, excerpt=row.question)]


def _same_content(one: str, other: str) -> bool:
    """Whether the shorter answer is part of the longer one."""
    a, b = sorted((normalise(one).strip(_EDGES), normalise(other).strip(_EDGES)), key=len)
    return len(a) >= 8 and a in b


def contradiction(one: str, other: str) -> tuple[Quantity, Quantity] | None:
    """The two amounts of one kind and unit in which two answers to one question differ, or None.

    Only kinds with one amount in each answer are compared, since several cannot be matched.
    """
    before, after = _by_kind(one), _by_kind(other)
    for kind, old in before.items():
        new = after.get(kind)
        if new is None or len(old) != 1 or len(new) != 1 or old[0].amount == new[0].amount:
            continue
        shorter, longer = sorted((old[0].value, new[0].value), key=len)
        if len(shorter) != len(longer) and set(shorter) <= set(longer):
            continue  # one end of a range
        return old[0], new[0]
    return None


def _by_kind(text: str) -> dict[str, list[Quantity]]:
    found: dict[str, list[Quantity]] = {}
    for figure in quantities(text):
        if figure.kind in _KINDS and not figure.spelled:
            found.setdefault(figure.amount[0], []).append(figure)
    return found


_READ = 20_000
_BEFORE = 300  # characters before a statement that are looked at for its subject
_PLACES = 8  # rows with the same statement that are looked at
_SENTENCE = re.compile(r"[^。！？!?\n]*?(?:[。！？!?\n]|\.(?=\s|$)|$)")
_LETTERS = re.compile(r"[^\W\d_]")
_HAS_FIGURE = re.compile(r"[0-9０-９]")
_BULLET = re.compile(r"^[\s>*・•\-–]+|^[0-9]{1,2}[.)]\s+")


@dataclass(frozen=True)
class Statement:
    """A sentence: its text without amounts (`about`), its amounts, the whole text, and the text
    before it.
    """

    about: str
    said: tuple[Quantity, ...]
    text: str
    before: str

    @property
    def amounts(self) -> tuple[tuple[str, tuple[float, ...]], ...]:
        """The values of the amounts, in order."""
        return tuple(figure.amount for figure in self.said)


def statements(text: str) -> list[Statement]:
    """The sentences that state an amount with a unit, except code and questions, in the first
    20,000 characters of a text (a model is trained on fewer).
    """
    text = text[:_READ]
    if not _HAS_FIGURE.search(text) or "```" in text:
        return []
    found = []
    for match in _SENTENCE.finditer(text):
        sentence = match[0].strip()
        if not _HAS_FIGURE.search(sentence) or sentence.endswith(("?", "？")):
            continue
        sentence = _BULLET.sub("", sentence)
        said = [f for f in quantities(sentence) if not f.spelled]
        if not said or any(figure.kind not in _KINDS for figure in said):
            continue
        about = normalise(_with(sentence, said, "<{}>")).strip(_EDGES)
        found.append(Statement(about, tuple(said), sentence, text[: match.start()][-_BEFORE:]))
    return found


def _with(text: str, figures: Sequence[Quantity], mark: str = "") -> str:
    """The text with each amount replaced by `mark`, which may contain its kind."""
    parts, position = [], 0
    for figure in figures:
        parts += [text[position : figure.start], mark.format(figure.amount[0])]
        position = figure.end
    return "".join([*parts, text[position:]])


# A sentence that refers to its context does not mean the same thing in all rows.
_POINTS = re.compile(
    r"\b(?:it|this|that|these|those|they|he|she|you|we|i|your|my|total|today|tomorrow|yesterday)\b"
    r"|合計|計|それ|これ|この|その|あの|こちら|今日|本日|明日|昨日|あなた|お客様|私|答え",
    re.I,
)


def is_general(about: str) -> bool:
    """Whether a sentence is independent of context: a subject before the amount, no pronoun."""
    if _POINTS.search(about):
        return False
    subject = about.partition("<")[0]
    return len(_LETTERS.findall(subject)) >= (6 if subject.isascii() else 2)


@dataclass
class _Said:
    """One amount seen with a sentence: its first row, how many rows, and where it stood in them."""

    statement: Statement
    first: int
    around: list[tuple[frozenset[str], str]]
    times: int = 1

    def same_subject(self, other: _Said) -> bool:
        """Whether nothing around the two statements tells their subjects apart."""
        return same_subject(self.statement.text, self.around, other.around)


class Statements(SetCheck):
    """`contradicting-fact` between rows: the same sentence with a different amount.

    A sentence with many different amounts ("The train to … leaves at 9:00") is about many things
    and not a contradiction: it is reported only for two different amounts, and if the questions
    contain no amounts. It is a note unless questions and answers show the same subject.
    """

    SAMPLE = (1_000, 1_000)

    def __init__(self, places: Places) -> None:
        super().__init__(places)
        self._known: dict[int, list[_Said]] = {}
        self.rows = 0

    def add(self, row: CheckedRow) -> Iterable[Finding]:
        self.rows += 1
        messages, answer = row.messages, row.answer
        if not _HAS_FIGURE.search(answer) or messages[0].role == "system":
            return ()
        if any(_HAS_FIGURE.search(message.content) for message in messages[:-1]):
            return ()
        for statement in statements(answer):
            if not is_general(statement.about):
                continue
            seen = self._known.setdefault(hash(statement.about), [])
            for said in seen:
                if said.statement.amounts == statement.amounts:
                    said.times += 1
                    break
            else:
                if len(seen) == 4:
                    continue
                said = _Said(statement, row.number, [])
                seen.append(said)
            if len(said.around) < _PLACES:
                asked = " ".join([message.content for message in messages[:-1]])[-_BEFORE:]
                words = context(f"{asked} {statement.before}", statement.text)
                said.around.append((words, f"{asked} {answer[:_BEFORE]}"))
        return ()

    def finish(self) -> list[Finding]:
        return [
            self._clash(*sorted(seen, key=lambda said: (-said.times, said.first)))
            for seen in self._known.values()
            if len(seen) == 2 and seen[0].first != seen[1].first  # one answer may contain both
        ]

    def _clash(self, right: _Said, wrong: _Said) -> Finding:
        here, there = (
            [word("quoted", text=figure.surface) for figure in one.statement.said]
            for one in (wrong, right)
        )
        values: dict[str, Any] = {
            "here": here,
            "there": there,
            "place": where(self.places[right.first], self.places[wrong.first]),
            "more": right.times - 1,
            "excerpt": wrong.statement.text,
        }
        if not right.same_subject(wrong):
            values |= _PERHAPS
        code = "amounts-differ" if right.times == 1 else "amounts-differ-often"
        return self.finding("contradicting-fact", code, wrong.first, right.first, **values)


@dataclass(frozen=True)
class _Known:
    id: str
    name: str
    grams: frozenset[str]
    kinds: frozenset[str]
    said: tuple[Quantity, ...]
    cases: frozenset[str]


class KnownFacts(SetCheck):
    """`contradicting-fact` against a facts file: a sentence that states a wrong amount for a fact.

    A sentence belongs to the most similar fact (character pairs, without amounts). It is reported
    if its amount, of the fact's kind, is not a correct one of any similar fact.
    """

    SAMPLE = Statements.SAMPLE
    LIKE = 0.6  # minimum share of common pieces to be about the same fact
    NEAR = 0.35  # minimum share for a fact that may be meant as well

    def __init__(self, places: Places, shop: ShopFacts) -> None:
        super().__init__(places)
        self._facts: list[_Known] = []
        for fact in shop:
            for language, statement in fact.statement.items():
                surfaces = [surface for item in fact.values[language] for surface in item]
                stated = quantities(statement)
                right = [f for surface in surfaces for f in quantities(surface)] + list(stated)
                kinds = frozenset(f.amount[0] for f in right if f.kind in _KINDS)
                if kinds:
                    grams = _pieces(_with(statement, stated))
                    known = _Known(
                        fact.id, fact.name[language], grams, kinds, tuple(right), cases(statement)
                    )
                    self._facts.append(known)

    def add(self, row: CheckedRow) -> list[Finding]:
        found = []
        own = [f for m in row.messages[:-1] for f in quantities(m.content[:_READ])]
        for statement in statements(row.answer):
            wrong = self._wrong(statement, own)
            if wrong is None:
                continue
            figure, known = wrong
            right = next(f.surface for f in known.said if f.amount[0] == figure.amount[0])
            values: dict[str, Any] = {"said": figure.surface, "fact": known.name}
            values |= {"right": right, "id": known.id}
            if not cases(f"{row.question} {row.answer}") <= known.cases:
                values |= _PERHAPS
            values["excerpt"] = statement.text
            found.append(row.finding("contradicting-fact", "not-the-fact", **values))
        return found

    def _wrong(
        self, statement: Statement, own: Sequence[Quantity]
    ) -> tuple[Quantity, _Known] | None:
        grams = _pieces(statement.about)
        alike = [(_overlap(grams, known.grams), known) for known in self._facts]
        likest, best = max(alike, key=lambda pair: pair[0], default=(0.0, None))
        if best is None or likest < self.LIKE:
            return None
        near = [f for likeness, known in alike if likeness >= self.NEAR for f in known.said]
        right = {amount for figure in (*near, *own) for amount in _agreeing(figure)}
        for figure in statement.said:
            if figure.amount[0] in best.kinds and figure.amount not in right:
                return figure, best
        return None


def _agreeing(known: Quantity) -> Iterator[tuple[str, tuple[float, ...]]]:
    """The amounts that agree with a known one: itself, and each end of a range."""
    kind, values = known.amount
    yield kind, values
    yield from ((kind, (value,)) for value in values)


_MARK = re.compile(r"<[^<>]*>")
_COMMON = re.compile(
    r"\b(?:the|a|an|is|are|of|for|to|in|on|and|you|your|our|we|can|be|by|at|within|after|from|it"
    r"|with|as)\b|です|ます|ください|いたし|ござい|できます|まで|から|以内|ご|お",
    re.I,
)


def _pieces(text: str) -> frozenset[str]:
    text = _COMMON.sub(" ", _MARK.sub(" ", normalise(text)))
    if text.isascii():
        words = re.findall(r"[a-z]+", text)
        return frozenset(word[:6] for word in words if len(word) > 2)
    kept = re.findall(r"[\w々ー]+", text)
    return frozenset(run[i : i + 2] for run in kept for i in range(max(1, len(run) - 1)))


def _overlap(a: frozenset[str], b: frozenset[str]) -> float:
    """The number of common pieces divided by the size of the larger set; 0 for an empty one."""
    return len(a & b) / max(len(a), len(b)) if a and b else 0.0
