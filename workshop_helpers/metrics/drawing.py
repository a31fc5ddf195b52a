"""Facts drawn from a reference answer: what a right answer must say, as a start to be edited."""

from __future__ import annotations

import re

from .figures import figures, is_known
from .quantities import Quantity

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
    said = [one for one in figures(reference) if not one.denied and not _idle(one)]
    known, asked = figures(question), question.casefold()
    drawn: list[tuple[int, str]] = []
    for n, one in enumerate(said):
        if not is_known(one, [*known, *said[:n]]):
            drawn.append((one.span[0], reference[slice(*one.span)]))
    for match in _NAME.finditer(reference):
        name = match["quoted"] or match[0]
        free = not any(one.span[0] < match.end() and match.start() < one.span[1] for one in said)
        if free and name.casefold() not in asked:
            drawn.append((match.start(), name))
    return tuple(dict.fromkeys(text for _, text in sorted(drawn)))


def _idle(one: Quantity) -> bool:
    """Whether a number word counts no promise: "one of us", "two options"."""
    return one.kind in ("count", "nth") and one.spelled
