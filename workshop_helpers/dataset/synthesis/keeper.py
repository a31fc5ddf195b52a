"""Is a new row to be kept? The facts, the language, and what was there before decide."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ...metrics.language import detect_language, is_polite
from ...metrics.scoring import Question, score_answer
from ..checks.repetition import ALIKE
from ..checks.similarity import jaccard, plain, shingles
from ..formats import Conversation, Message, RowFault, check_text
from .seeds import Material, Seed

NEAR, SHORT = 0.9, 200  # a difflib ratio, for texts of so many characters
LEAST_COMMON = 0.1  # share of words that a row without any figure must have in common with its seed

# A question: it has a question mark, or words that ask for something.
_ASKS = re.compile(
    r"[?？]|か[。.．！!\s]*$|教えて|お聞かせ|知りたい|知らせて|伺いたい|お伺い|聞きたい|お尋ね"
    r"|\b(?:tell me|let me know (?!if)|(?:would|'d) like to (?:know|learn|ask)"
    r"|(?:want|need) to know|i wonder)\b",
    re.I,
)
# What support says and customers do not: a small model answers where it should ask.
_SERVES = re.compile(
    r"anything else|any other question|help you|thank you for (?:contacting|asking|your)"
    r"|thanks for your message|happy to (?:help|explain)|glad to|i'm afraid"
    r"|i can(?:'t|not) (?:say|tell)|rather not guess|good question\b"
    r"|ほかにご|他にご|お問い合わせありがとう|ご質問ありがとう|お客様|承って|分かりかね|お答えいたし|いたしかね|ございます。",
    re.I,
)


@dataclass
class Draft:
    """A row that was written, before it is judged.

    `answer`: what the model answers to the question; a row with a new question only is judged by
    it, too. `cut`: the token limit ended one of the texts.
    """

    seed: Seed
    question: str
    answer: str
    cut: bool = False


class Texts:
    """Texts that a new one must not repeat: exactly, except for case and punctuation, or nearly.

    Nearly means what `workshop data check` calls a near duplicate; in a short text, where one word
    moves that measure far, also a difflib ratio of at least NEAR.
    """

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._plain: dict[str, None] = {}
        self._grams: list[Any] = []
        for text in texts:
            self.add(text)

    def add(self, text: str) -> None:
        key = plain(text)
        if key not in self._plain:
            self._plain[key] = None
            self._grams.append(shingles(text))

    def __contains__(self, text: str) -> bool:
        return plain(text) in self._plain

    def near(self, text: str) -> bool:
        grams, key = shingles(text), plain(text)
        if len(key) <= SHORT:
            matcher = difflib.SequenceMatcher(None, "", key, autojunk=False)
            for other in self._plain:
                matcher.set_seq1(other)
                if (
                    matcher.real_quick_ratio() >= NEAR
                    and matcher.quick_ratio() >= NEAR
                    and matcher.ratio() >= NEAR
                ):
                    return True
        return any(
            min(grams.size, other.size) >= ALIKE * max(grams.size, other.size)
            and jaccard(grams, other) >= ALIKE
            for other in self._grams
        )


class Keeper:
    """Judges drafts, and remembers what was kept, so that nothing comes twice."""

    def __init__(self, material: Material, rewrite: str, check: bool) -> None:
        self.material = material
        self.rewrite = rewrite
        self.check = check
        self.questions = Texts(row.question for row in material.rows)
        self.held = Texts(material.held)
        self.answers: dict[str, Texts] = {}

    def _answers_to(self, question: str) -> Texts:
        key = plain(question)
        if key not in self.answers:
            # An old answer to the same question must not come back as a new one; a fact's own
            # statement may.
            old = [s.row.answer for s in self.material.seeds if plain(s.row.question) == key]
            self.answers[key] = Texts(old if self.material.rows else [])
        return self.answers[key]

    def row(self, draft: Draft) -> Conversation:
        """The draft as a row, with the seed's earlier turns and system prompt."""
        *before, _, _ = draft.seed.row.messages
        answer = draft.seed.row.answer if self.rewrite == "question" else draft.answer
        messages = (*before, Message("user", draft.question), Message("assistant", answer))
        extra: dict[str, Any] = {
            key: value for key, value in draft.seed.row.extra.items() if key != "id"
        }
        if draft.seed.facts:
            extra["facts"] = [fact.id for fact in draft.seed.facts]
            extra.setdefault("topic", draft.seed.facts[0].topic)
        return Conversation(messages, extra=extra)

    def remember(self, question: str, answer: str) -> None:
        """Take a kept row into account."""
        if self.rewrite == "answer":
            self._answers_to(question).add(answer)
        self.questions.add(question)

    def fault(self, draft: Draft) -> str | None:
        """Why a draft is rejected, or None: a name, and after a colon the details."""
        for text, name in ((draft.question, "empty-question"), (draft.answer, "empty-answer")):
            if not text.strip():
                return name
            if reason := _unusable(text):
                return reason
        if draft.cut:
            return "cut: the token limit ended it"
        if not self.check:
            return self._repeated(draft)
        return self.wrong_question(draft) or self._wrong_answer(draft) or self._repeated(draft)

    def wrong_question(self, draft: Draft) -> str | None:
        """What is wrong with the new question alone; such a one needs no answer."""
        seed, question = draft.seed, draft.question
        if reason := _unusable(question):
            return reason
        if self.rewrite == "answer" or not self.check:
            return None
        if detect_language(question) not in (self.material.language, "?"):
            return "wrong-language: the question"
        if seed.fact is not None or _ASKS.search(seed.row.question):
            if not _ASKS.search(question):
                return "no-question: it does not ask"
            if _SERVES.search(question) and not _SERVES.search(seed.row.question):
                return "no-question: it answers"
            given = score_answer(question, Question("", facts=seed.expected))
            before = score_answer(seed.row.question, Question("", facts=seed.expected))
            away = [value for value in given.found if value not in before.found]
            if away:
                return f"answer-in-question: {', '.join(away)}"
        return None

    def _wrong_answer(self, draft: Draft) -> str | None:
        seed = draft.seed
        question = Question(
            draft.question,
            system="\n".join((*seed.known, seed.row.system or "", seed.row.question)),
            facts=seed.expected,
            language=self.material.language,
        )
        score = score_answer(draft.answer, question)
        if not score.right_language:
            return "wrong-language: the answer"
        if score.contradicted:
            return f"contradicting-fact: {', '.join(score.contradicted)}"
        if score.missing:
            return f"missing-fact: {', '.join(score.missing)}"
        if score.unsupported:
            return f"unsupported-figure: {', '.join(score.unsupported)}"
        if score.polite is False and is_polite(seed.row.answer):
            return "mixed-politeness: the seed is in です・ます"
        if not seed.expected and _common(draft, self.material.language) < LEAST_COMMON:
            return "off-topic: it shares almost no word with the row it comes from"
        return None

    def _repeated(self, draft: Draft) -> str | None:
        if self.rewrite == "answer":
            answers = self._answers_to(draft.question)
            if draft.answer in answers:
                return "copy: the same answer to the same question"
            return "near-copy: the answer" if answers.near(draft.answer) else None
        if draft.question in self.questions:
            return "copy: the question"
        if draft.question in self.held or self.held.near(draft.question):
            return "leakage: a held-out question"
        return "near-copy: the question" if self.questions.near(draft.question) else None


def _unusable(text: str) -> str | None:
    try:
        check_text(text)
    except RowFault as fault:
        half = fault.rule == "encoding"
        return f"{'half-character' if half else 'special-token'}: {fault}"
    return None


def _common(draft: Draft, language: str) -> float:
    """Share of the draft's words (pairs of characters in Japanese) that its seed has too."""

    def words(*texts: str) -> set[str]:
        text = plain(" ".join(texts))
        if language == "ja":
            return {text[i : i + 2] for i in range(len(text) - 1) if " " not in text[i : i + 2]}
        return {word for word in text.split() if len(word) > 3}

    new = words(draft.question, draft.answer)
    return len(new & words(draft.seed.row.question, draft.seed.row.answer)) / max(1, len(new))
