"""The checks of the exercises: right or wrong, and why."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

from ..core.errors import WorkshopError
from ..core.wordings import LANGUAGES, entries, say
from .html import Html

SIGNS = {"right": "✓", "wrong": "✗", "open": "○"}
# Blue and vermillion, told apart without red and green; the sign says the same without any colour.
_COLOURS = {"right": "#0072B2", "wrong": "#D55E00", "open": "#7a8288"}


@dataclass(frozen=True)
class Verdict:
    """What a check found: `state` is "right", "wrong" or "open" (not answered yet); `text` says
    why.
    """

    state: str
    text: str

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        line = f"{SIGNS[self.state]} {self.text}"
        style = f"border-left:4px solid {_COLOURS[self.state]};padding:.3em .8em;margin:.3em 0"
        html = f'<div class="verdict {self.state}" style="{style}">{escape(line)}</div>'
        return Html(html, line)._repr_mimebundle_()


class Exercises:
    """The exercises of a chapter ("04") in a language ("en" or "ja"). What is said stands in
    `core/wordings/exercises-NN.yaml`.

    Raises WorkshopError for a chapter or language without exercises.
    """

    def __init__(self, chapter: str, language: str) -> None:
        self.chapter, self.language = f"exercises-{chapter}", language
        try:
            self._entries = entries(self.chapter)
        except FileNotFoundError as error:
            raise WorkshopError(f'There is no chapter "{chapter}" with exercises.') from error
        if language not in LANGUAGES:
            raise WorkshopError(f'There are no exercises in "{language}"; choose from en, ja.')

    def check(
        self,
        name: str,
        given: Any,
        right: Any | Callable[[Any], bool],
        *,
        within: float = 0.0,
        pitfalls: Mapping[Any, str] | None = None,
    ) -> Verdict:
        """Compare what was `given` (`...`: nothing yet) with what is `right`, a value or a function
        that says so.

        Numbers may differ by the relative tolerance `within`. `pitfalls` maps typical wrong values
        to the entries that explain them; other wrong answers get the entry `name`-wrong.
        """
        if given is ...:
            return Verdict("open", say("exercises.open", self.language))
        state, code = "wrong", f"{name}-wrong"
        if _is(given, right, within):
            state, code = "right", name
        else:
            found = (
                entry for value, entry in (pitfalls or {}).items() if _is(given, value, within)
            )
            code = next(found, code)
        if code not in self._entries:
            raise WorkshopError(f"{self.chapter}.yaml has no entry {code}.")
        why = say(f"{self.chapter}.{code}", self.language)
        return Verdict(state, say(f"exercises.{state}", self.language, why=why))


def _is(given: Any, right: Any, within: float) -> bool:
    """Is `given` the right value? What cannot be compared with it is not."""
    try:
        if callable(right):
            return bool(right(given))
        if isinstance(right, (int, float)) and not isinstance(right, bool):
            same_kind = not isinstance(given, (bool, str))
            return same_kind and math.isclose(float(given), right, rel_tol=within, abs_tol=1e-12)
        if isinstance(right, str) and isinstance(given, str):
            return given.strip().casefold() == right.strip().casefold()
        return bool(given == right)
    except (TypeError, ValueError, LookupError, AttributeError):
        return False
