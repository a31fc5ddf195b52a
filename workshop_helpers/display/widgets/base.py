"""The base of all widgets: what runs in a live notebook, and what is read where none runs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..html import Html

if TYPE_CHECKING:
    import ipywidgets

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


class View(ABC):
    """A widget with an HTML picture of its first state, shown as one bundle: a live notebook takes
    the widget, a page such as GitHub's the HTML, a terminal the text.

    A subclass gives `fallback` and `build`. Widgets are core ipywidgets with the API of 7.7, which
    is what Colab has.
    """

    @abstractmethod
    def fallback(self) -> Html:
        """The first state to read: complete, and without any script."""

    @abstractmethod
    def build(self) -> ipywidgets.Widget:
        """The widget. Called once, when it is first shown."""

    @cached_property
    def widget(self) -> Any:
        """The built widget; ImportError where ipywidgets is not installed."""
        return self.build()

    def rich(self) -> str:
        """What a terminal shows."""
        return self.fallback().rich()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        bundle: dict[str, Any] = self.fallback()._repr_mimebundle_()
        try:
            model_id = self.widget.model_id
        except ImportError:
            return bundle
        # Written out: ipywidgets 7 displays itself by a side effect and has no bundle to merge.
        view = {"version_major": 2, "version_minor": 0, "model_id": model_id}
        return {**bundle, WIDGET_VIEW: view}
