"""Facts drawn from a reference answer: what a right answer must say, as a start to be edited."""

from __future__ import annotations

import re

from .quantities import Quantity, quantities
from .surfaces import counted

# What names something: an address, a text in quotation marks, a person, a word with a capital in
# the middle of an English sentence ("the Reading Room").
_NAME = re.compile(
    r"[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64}){1,4}"
    r"|「(?P<quoted>[^「」\n]{2,30})」"
    r"|[一-龥]{1,4}(?:さん|先生)(?<!皆さん)"
    r"|\b(?:Mr|Ms|Mrs|Dr|Prof)\. ?[A-Z][\w'-]+(?: [A-Z][\w'-]+)?"
    r"|(?<=[a-z,] )(?:[A-Z][a-z][\w'-]*|[A-Z]{2,6}\b)(?: [A-Z][\w'-]+)*"
)


def draw_facts(reference: str, question: str = "") -> tuple[str, ...]:
    """The quantities, dates, times and names of a reference answer, as they stand in it.

    Left out is what the question says already, and all of a value but its first mention. Numbers
    come with what they count ("8 books"). Empty where the answer holds none.
    """
    known = {one.amount for one in quantities(question)}
    asked = question.casefold()
    drawn: dict[object, tuple[int, str]] = {}
    for one in quantities(reference):
        if one.amount not in known:
            drawn.setdefault(one.amount, (one.start, _surface(reference, one)))
    taken = [(one.start, one.end) for one in quantities(reference)]
    for match in _NAME.finditer(reference):
        name = match["quoted"] or match[0]
        free = not any(start < match.end() and match.start() < end for start, end in taken)
        if free and name.casefold() not in asked:
            drawn.setdefault(name.casefold(), (match.start(), name))
    return tuple(dict.fromkeys(text for _, text in sorted(drawn.values())))


def _surface(text: str, one: Quantity) -> str:
    counts = counted(text, one) if one.kind == "number" and not one.unit else None
    return text[one.start : counts[1]] if counts else one.surface
