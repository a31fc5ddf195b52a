"""Questions as people type them at a keyboard, brought nearer to how a model was taught to read."""

from __future__ import annotations

import re
import unicodedata

_WIDE = re.compile(r"[０-９Ａ-Ｚａ-ｚ]+|[｡-ﾟ]+")  # wide letters and digits; narrow katakana
_DOUBLED = re.compile(r"([?!？！。、])[?!？！。、]+")
_SHORTEST = 5  # letters: less may well be a name, such as "NASA?"


def tidied(question: str) -> str:
    """`question` with letters and katakana of the usual width, one mark where several stand, and a
    sentence in nothing but capitals in small letters. Words are not touched: what is misspelt, or
    written in hiragana alone, stays so.
    """
    text = _WIDE.sub(lambda found: unicodedata.normalize("NFKC", found[0]), question.strip())
    text = _DOUBLED.sub(r"\1", text)
    letters = [letter for letter in text if letter.isalpha()]
    # A single word may be an abbreviation; kana and kanji are no capitals.
    if len(letters) < _SHORTEST or " " not in text or not all(map(str.isupper, letters)):
        return text
    lowered = re.sub(r"\bi\b", "I", text.lower())
    return lowered[:1].upper() + lowered[1:]
