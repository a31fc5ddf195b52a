"""The decision helper: a few questions, and advice with its reason."""

from __future__ import annotations

from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING, Any

from ...core.wordings import say
from ...evaluation.decision import QUESTIONS, ROWS, Advice, Situation, advise
from ..colours import BLUE, ORANGE
from ..html import Html
from .base import View

if TYPE_CHECKING:
    import ipywidgets

# What is told where nobody can click: common situations, as changes of the usual one.
_EXAMPLES: tuple[dict[str, Any], ...] = (
    {},
    {"change": True},
    {"fit": False, "change": True},
    {"manner": True, "measured": True},
    {"manner": True, "measured": True, "rows": 10},
    {"manner": True, "volume": True, "measured": True, "rows": 100},
    {"manner": True, "volume": True, "measured": True, "rows": 1000},
)


class DecisionHelper(View):
    """The questions, answered as `situation` says at first."""

    def __init__(self, language: str, situation: Situation | None = None) -> None:
        self.language, self.situation = language, situation or Situation()

    def say(self, code: str) -> str:
        return say(f"advice.{code}", self.language)

    def picture(self, advice: Advice) -> str:
        """The advice as HTML."""
        parts = [("why", advice.why), ("rests-on", advice.rests_on)]
        parts.append(("shown-in", ", ".join(advice.notebooks)))
        lines = "".join(
            f'<p style="margin:.5em 0"><b>{escape(self.say(name))}</b><br>{escape(text)}</p>'
            for name, text in parts
        )
        if advice.beware:
            lines += (
                f'<p style="margin:.7em 0;border-left:5px solid {ORANGE};padding-left:.7em">'
                f"⚠ <b>{escape(self.say('beware-title'))}</b><br>{escape(advice.beware)}</p>"
            )
        return (
            f'<div style="border-left:8px solid {BLUE};padding:.3em 1em;line-height:1.6;'
            'font-size:1.1em;max-width:44em">'
            f'<div style="font-size:1.5em;font-weight:600">→ {escape(advice.title)}</div>{lines}'
            "</div>"
        )

    def described(self, changes: dict[str, Any]) -> str:
        """A situation in a few words."""
        chosen = replace(Situation(), **changes)
        told = [name for name in QUESTIONS if name != "fit" and getattr(chosen, name)]
        told.insert(1, "fit" if chosen.fit else "unfit")
        words = [self.say(f"short-{name}") for name in told]
        return " · ".join([*words, f"{self.say('short-rows')}: {self.say(f'rows-{chosen.rows}')}"])

    def fallback(self) -> Html:
        advices = [(self.described(one), advise(self.language, **one)) for one in _EXAMPLES]
        rows = "".join(
            f'<tr><td style="{_CELL}">{escape(told)}</td><td style="{_CELL}"><b>'
            f"→ {escape(advice.title)}</b><br>{escape(advice.why)}<br>"
            f'<span style="opacity:.8">{escape(advice.rests_on)}</span></td></tr>'
            for told, advice in advices
        )
        head = "".join(
            f'<th style="{_CELL}">{escape(self.say(name))}</th>' for name in ("situation", "advice")
        )
        text = "\n".join(f"{told}\n→ {advice.title}: {advice.why}" for told, advice in advices)
        lead = escape(self.say("situations"))
        return Html(
            f'<div><p>{lead}</p><table style="border-collapse:collapse;max-width:60em">'
            f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>",
            f"{self.say('situations')}\n{text}",
        )

    def build(self) -> ipywidgets.Widget:
        import ipywidgets

        answers = [(self.say("yes"), True), (self.say("no"), False)]
        amounts = [(self.say(f"rows-{rows}"), rows) for rows in ROWS]
        fields, lines = {}, []
        for name in (*QUESTIONS, "rows"):
            fields[name] = ipywidgets.ToggleButtons(
                options=amounts if name == "rows" else answers,
                value=getattr(self.situation, name),
                style={"button_width": "auto"},
                tooltip=self.say(f"ask-{name}"),
            )
            label = ipywidgets.HTML(f"<b>{escape(self.say(f'ask-{name}'))}</b>")
            flow = ipywidgets.Layout(flex_flow="row wrap", align_items="center")
            label.layout.width = "min(24em, 98%)"
            lines.append(ipywidgets.HBox([label, fields[name]], layout=flow))
        picture = ipywidgets.HTML()

        def draw(_: Any = None) -> None:
            chosen = {name: field.value for name, field in fields.items()}
            picture.value = self.picture(advise(self.language, Situation(**chosen)))

        for field in fields.values():
            field.observe(draw, "value")
        draw()
        return ipywidgets.VBox([*lines, picture])


_CELL = "text-align:left;vertical-align:top;padding:.5em .7em;border-bottom:1px solid #8884"


def decision_helper(language: str, **situation: Any) -> DecisionHelper:
    """The helper, beginning with these answers of a `Situation`."""
    return DecisionHelper(language, replace(Situation(), **situation))
