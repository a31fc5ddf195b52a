"""ROUGE and BLEU: how much of a reference's wording an answer repeats.

The usual libraries count words, and find no words in Japanese: `rouge_score` keeps ASCII letters
and digits only, and sacrebleu's default takes a sentence without spaces for one word. So each
figure is given twice: as the library counts by default, and over words that a Japanese tokenizer
has cut. Neither knows whether an answer is true.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from .folding import fold
from .likeness import chrf

_JAPANESE = re.compile("[\u3040-\u30ff\u3400-\u9fff]")
_WORD = re.compile(r"[^\W_]+(?:[.,:'][^\W_]+)*")


def words(text: str) -> list[str]:
    """The words of a text in lower case, without punctuation: Japanese is cut by janome, other
    texts at what stands between letters and digits. Needs the extra `advanced` for Japanese.
    """
    folded = fold(text).text
    if not _JAPANESE.search(folded):
        return _WORD.findall(folded)
    cut = _japanese().tokenize(folded, wakati=True)
    return [word for word in cut if any(map(str.isalnum, word))]


@cache
def _japanese() -> Any:
    from janome.tokenizer import Tokenizer

    return Tokenizer()


class _Words:
    """`words`, as rouge_score asks for a tokenizer."""

    def tokenize(self, text: str) -> list[str]:
        return words(text)


@cache
def _scorer(default: bool) -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rougeL"], tokenizer=None if default else _Words())


def rouge(answer: str, reference: str, *, default: bool = False) -> float:
    """ROUGE-L, F1 from 0 to 1: the longest common sequence of words (Lin 2004).

    `default`: by rouge_score's own tokenizer, for which Japanese has no words.
    """
    return float(_scorer(default).score(reference, answer)["rougeL"].fmeasure)


def bleu(answers: Sequence[str], references: Sequence[str], *, default: bool = False) -> float:
    """BLEU of all answers together, 0 to 1 (Papineni et al. 2002), one reference each.

    `default`: by sacrebleu's own tokenizer (13a), which cuts at spaces and Latin punctuation.
    """
    from sacrebleu.metrics import BLEU

    if default:
        return float(BLEU().corpus_score(list(answers), [list(references)]).score) / 100
    cut = [[" ".join(words(text)) for text in texts] for texts in (answers, references)]
    return float(BLEU(tokenize="none", force=True).corpus_score(cut[0], [cut[1]]).score) / 100


@dataclass(frozen=True)
class Overlap:
    """How like its references the answers are worded, each 0 to 1; `…_default`: as the libraries
    count where nobody tells them that this is Japanese. `rouge` (ROUGE-L F1) and `chrf` are means.
    """

    rouge: float
    rouge_default: float
    bleu: float
    bleu_default: float
    chrf: float

    def to_dict(self) -> dict[str, float]:
        """All figures, as JSON takes them."""
        return {name: round(value, 4) for name, value in asdict(self).items()}


def overlap(answers: Sequence[str], references: Sequence[str]) -> Overlap:
    """The figures of `answers` against `references`, one each. Raises ValueError for none."""
    pairs = list(zip(answers, references, strict=True))
    if not pairs:
        raise ValueError("no answers to compare with references")

    def mean(score: Any, **how: Any) -> float:
        return sum(score(answer, reference, **how) for answer, reference in pairs) / len(pairs)

    return Overlap(
        rouge=mean(rouge),
        rouge_default=mean(rouge, default=True),
        bleu=bleu(answers, references),
        bleu_default=bleu(answers, references, default=True),
        chrf=mean(chrf),
    )
