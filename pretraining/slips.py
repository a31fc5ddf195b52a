"""How questions are typed live: capitals, no punctuation or twice as much, slips, hiragana."""

from __future__ import annotations

import random
import re

from pretraining.grammar import read_bank

_BANK = read_bank("slips")


def with_typo(text: str, language: str, rng: random.Random) -> str:
    """`text` with one slip of the keyboard; digits stay as they are."""
    places = [i for i in range(1, len(text) - 2) if text[i].isalpha() and text[i + 1].isalpha()]
    if not places:
        return text
    at = rng.choice(places)
    kinds = ["drop", "swap", "double"] if language == "en" else ["drop", "double"]
    kind = rng.choice(kinds)
    if kind == "drop":
        return text[:at] + text[at + 1 :]
    if kind == "swap":
        return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    return text[:at] + text[at] + text[at:]


def _neighbour(text: str, rng: random.Random) -> str:
    """A key beside the right one."""
    places = [i for i in range(1, len(text)) if text[i] in _BANK["neighbours"]]
    if not places:
        return text
    at = rng.choice(places)
    return text[:at] + rng.choice(_BANK["neighbours"][text[at]]) + text[at + 1 :]


def _no_punctuation(text: str) -> str:
    return re.sub(r"(?<!\d)[,.!:;](?!\d)|[?？。、！「」]", "", text).strip()


def _doubled(text: str, language: str, rng: random.Random) -> str:
    """The last mark twice or more, or one where there was none."""
    marks = "？？ ！！ ?? ！？ 。。。 ？！ ???" if language == "ja" else "?? ??? !! ?! ... !!! ?"
    return text.rstrip("?.!？。！ ") + rng.choice(marks.split())


def _unconverted(text: str, rng: random.Random, share: float) -> str:
    """Japanese with some words left in hiragana, or converted wrongly."""
    for word, others in _BANK["unconverted"].items():
        if word in text and rng.random() < share:
            text = text.replace(word, others[0] if rng.random() < 0.75 else rng.choice(others))
    return text


def _without_particle(text: str, rng: random.Random) -> str:
    """Japanese with a particle left out, as in hurried writing."""
    places = [m.start() for m in re.finditer(r"(?<=[一-鿿ァ-ヴー])[はをがのにで](?=[ぁ-鿿])", text)]
    if not places:
        return text
    at = rng.choice(places)
    return text[:at] + rng.choice(["", "", "、", " "]) + text[at + 1 :]


VARIANTS = {
    "en": ("capitals", "lower", "bare", "doubled", "capitals_doubled", "typo", "neighbour", "two"),
    "ja": ("bare", "doubled", "hiragana", "particle", "typo", "two", "spaced"),
}


def typed(text: str, language: str, rng: random.Random, variant: str | None = None) -> str:
    """`text` as it is typed live, in one of the `VARIANTS` of its language (drawn if None)."""
    variant = variant or rng.choice(VARIANTS[language])
    if variant == "capitals":
        return text.upper()
    if variant == "capitals_doubled":
        return _doubled(text.upper(), language, rng)
    if variant == "lower":
        return _no_punctuation(text).lower()
    if variant == "bare":
        return _no_punctuation(text)
    if variant == "doubled":
        return _doubled(text, language, rng)
    if variant == "neighbour":
        return _neighbour(text, rng)
    if variant == "typo":
        return with_typo(text, language, rng)
    if variant == "two":
        return with_typo(with_typo(text, language, rng), language, rng)
    if variant == "hiragana":
        return _unconverted(text, rng, 0.7)
    if variant == "spaced":
        return re.sub(r"[、。]", " ", text).strip()
    return _without_particle(text, rng)
