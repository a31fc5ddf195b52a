"""Results that show themselves, in a notebook and on a terminal."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def display() -> Any:
    """The room that shows results. It stands above those that make them, so it is found by name,
    when something is shown.
    """
    return import_module("workshop_helpers.display")


class Shown:
    """A result that shows itself as `display.view` says for its kind, in a notebook and when rich
    prints it.
    """

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        bundle: dict[str, Any] = display().view(self)._repr_mimebundle_()
        return bundle

    def __rich__(self) -> Any:
        return display().view(self).rich()
