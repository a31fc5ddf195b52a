"""Preference pairs: two answers to one question, of which one is wanted.

The shop's are made by rule, so that anyone can see what is taught: of a row's answer its greeting
and its offer of help are taken away, which is the blunt answer; with thanks before it and an offer
behind it, it is the polite one. Both state the same facts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..core.errors import WorkshopError
from ..core.wordings import entries
from .formats import Conversation, Message

# Sentences of nothing but courtesy, as the shop's rows and the pairs have them.
_COURTESY = re.compile(
    r"^(?:thank|thanks|happy to help|sure|of course|certainly|please let us know|let us know"
    r"|is there anything else|if you have any|we are happy to help|feel free|here (?:is|you are)"
    r"|just ask|we hope)\b|ありがとうございま|^(?:お答え|ご案内)(?:いた)?します"
    r"|(?:お尋ね|お知らせ|お問い合わせ|ご連絡|お声がけ|お申し付け)ください",
    re.I,
)
_LIST = re.compile(r"\n|^\s*[-・*•]")
_SENTENCE = re.compile(r".+?(?:[。！？]|[.!?](?=\s|$)|$)\s*", re.S)


@dataclass(frozen=True)
class PreferencePair:
    """A row with the answer that is wanted, and the answer that is not."""

    row: Conversation
    rejected: str

    @property
    def question(self) -> str:
        """What both answer."""
        return self.row.question

    @property
    def chosen(self) -> str:
        """The answer that is wanted."""
        return self.row.answer


def courtesy(text: str) -> int:
    """How many sentences of an English or Japanese answer thank or offer help, and do nothing
    else.
    """
    return sum(bool(_COURTESY.search(sentence)) for sentence in _sentences(text))


def polite_pairs(rows: Sequence[Conversation], language: str, count: int) -> list[PreferencePair]:
    """The first `count` pairs of polite and blunt answers that the rows give, in "en" or "ja".

    A row whose answer is a list, or is nothing but courtesy, gives none. Raises WorkshopError where
    there are too few.
    """
    thanks, offers = (_phrases(kind, language) for kind in ("thanks", "offer"))
    pairs: list[PreferencePair] = []
    for row in rows:
        kept = [one for one in _sentences(row.answer) if not _COURTESY.search(one)]
        if _LIST.search(row.answer) or not kept:
            continue
        blunt, at = _joined(kept, language), len(pairs)
        polite = _joined([thanks[at % len(thanks)], blunt, offers[at % len(offers)]], language)
        pairs.append(PreferencePair(answered(row, polite), blunt))
        if len(pairs) == count:
            return pairs
    raise WorkshopError(f"The rows give {len(pairs)} pairs, not {count}. Give more rows.")


def answered(row: Conversation, answer: str) -> Conversation:
    """The row with another answer."""
    return replace(row, messages=(*row.messages[:-1], Message("assistant", answer)))


def _phrases(kind: str, language: str) -> list[str]:
    said = entries("preferences")
    return [texts[language] for name, texts in said.items() if name.startswith(kind)]


def _sentences(text: str) -> list[str]:
    return [found[0].strip() for found in _SENTENCE.finditer(text) if found[0].strip()]


def _joined(sentences: list[str], language: str) -> str:
    return ("" if language == "ja" else " ").join(sentences)
