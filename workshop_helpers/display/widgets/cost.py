"""Cost and memory sliders: what a training would take, term by term, before it is run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING, Any

from ...core.errors import WorkshopError
from ...core.wordings import say
from ...training.estimate import (
    METHODS,
    MemoryEstimate,
    Shape,
    estimate_cost,
    estimate_memory,
)
from ..colours import SERIES
from ..html import SCROLL, Html
from .base import View

if TYPE_CHECKING:
    import ipywidgets

ROWS = (10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000)
TOKENS = (25, 50, 100, 200, 300, 500, 1000, 2000)
RANKS = (4, 8, 16, 32, 64, 128)
BATCHES = (1, 2, 4, 8, 16, 32)
LENGTHS = (128, 256, 512, 1024, 2048, 4096, 8192)


@dataclass(frozen=True)
class Plan:
    """What the sliders say. `speed` (tokens a second) and `price` (an hour) are as typed."""

    parameters: float = 3e9
    rows: int = 100
    tokens: int = 300
    epochs: int = 3
    method: str = "lora"
    rank: int = 16
    batch: int = 4
    length: int = 512
    checkpointing: bool = True
    speed: str = ""
    price: str = ""

    def memory(self) -> MemoryEstimate:
        return estimate_memory(
            Shape.typical(self.parameters),
            self.method,
            rank=self.rank,
            batch=self.batch,
            length=self.length,
            checkpointing=self.checkpointing,
        )


class CostSliders(View):
    """The sliders, beginning at `plan`."""

    def __init__(self, language: str, plan: Plan | None = None) -> None:
        self.language, self.plan = language, plan or Plan()

    def say(self, code: str, **values: Any) -> str:
        return say(f"widgets.cost-{code}", self.language, **values)

    def picture(self, plan: Plan) -> str:
        """The estimate as HTML: the terms of memory with their formulas, then time and price."""
        return self._memory(plan) + self._cost(plan)

    def _memory(self, plan: Plan) -> str:
        found = plan.memory()
        most = max(found.terms.values())
        rows = "".join(
            "<tr>"
            f'<td style="{_LEFT}">{escape(self.say(name))}</td>'
            f'<td style="{_LEFT};white-space:nowrap">'
            f'<span style="{_bar(value / most, colour)}"></span><b>{gigabytes(value)}</b></td>'
            f'<td style="{_LEFT};opacity:.8;min-width:14em">'
            f"{escape(self._formula(name, plan))}</td></tr>"
            for colour, (name, value) in zip(SERIES, found.terms.items(), strict=False)
        )
        total = self.say("total", total=gigabytes(found.total))
        trained = self.say("trained", n=f"{found.trainable:,}")
        return (
            f'<p style="font-size:1.5em;font-weight:600;margin:.4em 0">{escape(total)}</p>'
            f"<p>{escape(trained)} {escape(self.say('estimate'))}</p>"
            f'<div style="{SCROLL}"><table style="border-collapse:collapse">{rows}</table>'
            "</div>"
        )

    def _formula(self, name: str, plan: Plan) -> str:
        """The formula of a term, as it is for this method."""
        if name in ("adapter", "weights"):
            return self.say(f"formula-{name}-{plan.method}")
        if name == "activations" and plan.checkpointing:
            return self.say("formula-activations-recomputed")
        return self.say(f"formula-{name}")

    def _cost(self, plan: Plan) -> str:
        try:
            speed, price = self._number("speed", plan.speed), self._number("price", plan.price)
            found = estimate_cost(
                plan.rows, plan.tokens, plan.epochs, speed or 1.0, price if price else 0.0
            )
        except WorkshopError as error:
            return f'<p role="alert" style="font-weight:600">⚠ {escape(str(error))}</p>'
        said = [self.say("tokens-in-all", n=f"{found.tokens:,.0f}")]
        if speed is None:
            said.append(self.say("type-speed"))
        else:
            said.append(self.say("time", time=self._duration(found.seconds)))
            said.append(
                self.say("type-price")
                if price is None
                else self.say("price-in-all", price=f"{found.price:,.2f}")
            )
        lines = "".join(f"<li>{escape(one)}</li>" for one in said)
        talk = escape(self.say("talk-prices"))
        return f'<ul style="font-size:1.15em">{lines}</ul><p style="opacity:.8">{talk}</p>'

    def _number(self, name: str, text: str) -> float | None:
        """A typed number; None where nothing was typed. WorkshopError for what is none."""
        text = text.replace(",", "").strip()
        if not text:
            return None
        try:
            number = float(text)
        except ValueError:
            number = -1.0
        if not (number > 0 or (number == 0 and name == "price")):  # nan, too
            raise WorkshopError(self.say("no-number", name=self.say(name), text=text))
        return number

    def _duration(self, seconds: float) -> str:
        unit, size = next(
            (name, size)
            for name, size in (("hours", 3600), ("minutes", 60), ("seconds", 1))
            if seconds >= 2 * size or size == 1
        )
        return self.say(unit, n=f"{seconds / size:,.1f}")

    def fallback(self) -> Html:
        plan = self.plan
        values = {
            "parameters": billions(plan.parameters),
            "method": self.say(f"method-{plan.method}"),
            **{
                name: str(getattr(plan, name))
                for name in ("rows", "tokens", "epochs", "rank", "batch", "length")
            },
        }
        told = " · ".join(f"{self.say(name)}: {value}" for name, value in values.items())
        terms = ", ".join(
            f"{self.say(name)} {gigabytes(value)}" for name, value in plan.memory().terms.items()
        )
        total = self.say("total", total=gigabytes(plan.memory().total))
        return Html(
            f"<div><p>{escape(told)}</p>{self.picture(plan)}</div>", f"{told}\n{total} ({terms})"
        )

    def build(self) -> ipywidgets.Widget:
        import ipywidgets

        plan, style = self.plan, {"description_width": "10em"}
        wide = ipywidgets.Layout(width="min(34em, 98%)")

        def slider(name: str, options: tuple[int, ...]) -> Any:
            value = min(options, key=lambda one: abs(one - getattr(plan, name)))
            return ipywidgets.SelectionSlider(
                options=options, value=value, description=self.say(name), style=style, layout=wide
            )

        fields = {
            "parameters": ipywidgets.SelectionSlider(
                options=[(billions(10 ** (x / 8)), 10 ** (x / 8)) for x in range(52, 89)],
                value=_nearest(plan.parameters),
                description=self.say("parameters"),
                style=style,
                layout=wide,
            ),
            "method": ipywidgets.ToggleButtons(
                options=[(self.say(f"method-{one}"), one) for one in METHODS],
                value=plan.method,
                description=self.say("method"),
                style={"description_width": "10em", "button_width": "auto"},
                layout=ipywidgets.Layout(width="98%"),
            ),
            "rank": slider("rank", RANKS),
            "rows": slider("rows", ROWS),
            "tokens": slider("tokens", TOKENS),
            "epochs": slider("epochs", tuple(range(1, 21))),
            "batch": slider("batch", BATCHES),
            "length": slider("length", LENGTHS),
            "checkpointing": ipywidgets.Checkbox(
                value=plan.checkpointing,
                description=self.say("checkpointing"),
                indent=False,
                layout=ipywidgets.Layout(width="auto"),
            ),
            **{
                name: ipywidgets.Text(
                    value=getattr(plan, name),
                    placeholder=self.say(f"{name}-hint"),
                    description=self.say(name),
                    style=style,
                    layout=wide,
                )
                for name in ("speed", "price")
            },
        }
        picture = ipywidgets.HTML()

        def draw(_: Any = None) -> None:
            chosen = {name: field.value for name, field in fields.items()}
            picture.value = self.picture(replace(plan, **chosen))

        for field in fields.values():
            field.observe(draw, "value")
        draw()
        return ipywidgets.VBox([*fields.values(), picture])


_LABEL = "clamp(11em, 14vw, 12.5em)"  # the longest label, whole; less on a phone
_LEFT = "text-align:left;padding:.3em .7em;vertical-align:middle"


def _bar(share: float, colour: str) -> str:
    return (
        f"display:inline-block;width:{9 * share:.2f}em;min-width:2px;height:1em;"
        f"background:{colour};margin-right:.5em;vertical-align:middle"
    )


def _nearest(parameters: float) -> float:
    options = [10 ** (x / 8) for x in range(52, 89)]
    return float(min(options, key=lambda one: abs(one / parameters - 1)))


def gigabytes(value: float) -> str:
    """Bytes as people read them."""
    if value < 5e7:
        return f"{value / 1e6:.1f} MB"
    return f"{value / 1e9:.2f} GB"


def billions(parameters: float) -> str:
    """A number of parameters as it is called: 3.2B, 135M."""
    if parameters < 1e9:
        return f"{parameters / 1e6:.3g}M"
    return f"{parameters / 1e9:.3g}B"


def cost_sliders(language: str, **plan: Any) -> CostSliders:
    """The sliders, beginning with these values of a `Plan`: parameters, rows, tokens (a row),
    epochs, method, rank, batch, length, checkpointing, speed (tokens a second) and price (an hour);
    the last two as a person would type them.
    """
    return CostSliders(language, replace(Plan(), **plan))
