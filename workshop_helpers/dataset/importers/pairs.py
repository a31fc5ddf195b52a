"""Questions with their answers, and how a text is recognised as one that asks."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

LABEL_Q = re.compile(
    r"^\s*(?:[QＱ]\s*(?:[0-9０-９]{1,3}\s*)?(?:[:：.．)）、]|(?<=\s)(?=\S))"
    r"|(?:Question|質問|問)\s*(?:[0-9０-９]{1,3}\s*)?[:：.．])\s*",
    re.I,
)
LABEL_A = re.compile(
    r"^\s*(?:[AＡ]\s*(?:[0-9０-９]{1,3}\s*)?[:：.．)）]"
    r"|(?:Answer|回答|答え|答)\s*(?:[0-9０-９]{1,3}\s*)?[:：.．])\s*",
    re.I,
)
NUMBER = re.compile(r"^\s*(?:[0-9０-９]{1,3}\s*[.．)）、]|[①-⑳])\s*")
_ASKS = re.compile(
    r"[?？][\s」』）)\"'”’*]*$"
    r"|(?:か|とは|ください|下さい|教えて|知りたい(?:です)?|たいのですが)[\s。.．…]*$"
    r"|^(?:how (?:to|do|does|can|much|many|long|often|soon|will)"
    r"|what(?:'s| is| are| do| does| happens| if)"
    r"|(?:can|may|do|should|will|am|must) (?:i|we|you)|is (?:there|it|my)|are (?:there|my)"
    r"|where (?:is|are|can|do)|when (?:is|are|can|do|will)|who (?:is|are|can|do)"
    r"|why (?:is|are|do|does|can)|which)\b",
    re.I,
)


def asks(text: str) -> bool:
    """Whether a heading or a bold line is a question: by its mark, its label, its first words or
    its last.
    """
    text = " ".join(text.split())
    if not text or len(text) > 300:
        return False
    if LABEL_Q.match(text) and len(LABEL_Q.sub("", text)) > 1:
        return True
    return bool(_ASKS.search(NUMBER.sub("", text)))


@dataclass(frozen=True)
class Pair:
    """A question and its answer; the question's line (from 1), and the heading it stands under."""

    question: str
    answer: str
    line: int
    topic: str | None = None


@dataclass
class Found:
    """What a page holds.

    `skipped`: reason → how many; `problems`: what the JSON library says, and the line; `note`: how
    the page was read.
    """

    pairs: list[Pair] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    problems: list[tuple[str, int]] = field(default_factory=list)
    note: str = ""

    def add(self, question: str, answer: str, line: int, topic: str | None = None) -> None:
        """Take a pair without labels and numbers; one that lacks a side is counted as skipped."""
        question = NUMBER.sub("", LABEL_Q.sub("", " ".join(question.split()))).strip(" *")
        answer = LABEL_A.sub("", answer, count=1).strip()
        if question and answer:
            self.pairs.append(Pair(question, answer, line, topic))
        else:
            self.skipped["questions without an answer" if question else "without a question"] += 1
