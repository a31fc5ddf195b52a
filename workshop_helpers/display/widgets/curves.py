"""The recall-curve explorer: choose what is varied and what is counted, see the curve."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from ...core.wordings import say
from ...evaluation.learning_map import VARIED, LearningMap
from ..curves import SCORES, learning_curve, settings_table
from ..html import SCROLL, Html
from .base import View

if TYPE_CHECKING:
    import ipywidgets


class CurveExplorer(View):
    """The recorded curves of `found`: what is varied by buttons, what is counted by checkboxes."""

    def __init__(self, found: LearningMap, by: str = "rows") -> None:
        self.found, self.by, self.language = found, by, found.language

    def picture(self, by: str, scores: tuple[str, ...]) -> str:
        """The plot and its table as HTML."""
        settings = [one for model in self.found.models for one in self.found.curve(by, model)]
        plot = learning_curve(self.found, by, scores=scores or ("recall",))
        table = settings_table(self.found, settings, self.language)
        return (
            f'<div style="max-width:44em">{plot.svg()}</div>'
            f'<div style="{SCROLL};font-size:1.05em;white-space:nowrap">{table.html()}</div>'
        )

    def fallback(self) -> Html:
        title = escape(say("widgets.curves-fallback", self.language))
        shown = "".join(
            f"<h4>{escape(say(f'learning.{by}', self.language))}</h4>{self.picture(by, SCORES)}"
            for by in VARIED
        )
        text = "\n".join(learning_curve(self.found, by).description for by in VARIED)
        return Html(f"<div><p>{title}</p>{shown}</div>", text)

    def build(self) -> ipywidgets.Widget:
        import ipywidgets

        options = [(say(f"learning.{by}", self.language), by) for by in VARIED]
        varied = ipywidgets.ToggleButtons(options=options, value=self.by)
        wide = ipywidgets.Layout(width="auto")
        boxes = [
            ipywidgets.Checkbox(
                value=score == "recall",
                description=say(f"display.{score}", self.language),
                indent=False,
                layout=wide,
            )
            for score in SCORES
        ]
        picture = ipywidgets.HTML()

        def draw(_: Any = None) -> None:
            scores = tuple(s for s, box in zip(SCORES, boxes, strict=True) if box.value)
            picture.value = self.picture(varied.value, scores)

        for one in (varied, *boxes):
            one.observe(draw, "value")
        draw()
        flow = ipywidgets.Layout(flex_flow="row wrap")
        return ipywidgets.VBox([varied, ipywidgets.HBox(boxes, layout=flow), picture])


def curve_explorer(found: LearningMap) -> CurveExplorer:
    """The explorer of these recorded trainings."""
    return CurveExplorer(found)
