"""Results that show themselves, in a notebook and on a terminal."""

from __future__ import annotations

import sys
from typing import Any


def display() -> Any:
    """The room that shows results. It stands above those that make them, so the front door of the
    package finds it, when something is shown.
    """
    return sys.modules[__name__.partition(".")[0]].display


class Shown:
    """A result that shows itself as `display.view` says for its kind, in a notebook and when rich
    prints it.
    """

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        bundle: dict[str, Any] = display().view(self)._repr_mimebundle_()
        return bundle

    def __rich__(self) -> Any:
        return display().view(self).rich()
