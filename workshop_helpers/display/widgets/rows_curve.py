"""Does the model need more rows? The recorded answer, and a button that measures it here."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.artifacts import results_path
from ...core.errors import WorkshopError, foreign
from ...core.jsonio import read_json
from ...core.wordings import say
from ...dataset.formats import Conversation
from ...evaluation.candidates import questions_language
from ...evaluation.curve import QUICK, SEEDS, RowsCurve, plan_curve
from ...metrics.scoring import Question
from ..html import Html
from ..rows_curve import advice_lines, expected_line, rows_curve_html
from .base import View
from .pieces import framed

if TYPE_CHECKING:
    import ipywidgets

REDRAW = 1.0  # seconds between two lines of how far it is


class RowsCurveView(View):
    """What `plan_curve` measures of these rows and questions, as a quick one, in the folder `out`,
    once its button is pressed. Until then the recorded curve of the shop is shown.
    """

    def __init__(
        self,
        model: str | Path,
        rows: Sequence[Conversation],
        questions: Sequence[Question],
        out: str | Path,
    ) -> None:
        self.model, self.rows, self.questions, self.out = model, rows, questions, out
        self.language = questions_language(questions)
        self.curve, self.told = recorded_curve(self.language)
        self._asked = False
        self.thread: threading.Thread | None = None

    def fallback(self) -> Html:
        lines = [f"{what} {why}" for what, why in advice_lines(self.curve, self.language)]
        text = "\n".join([self.told, *lines, expected_line(self.curve, self.language)])
        return Html(f"<div><p>{escape(self.told)}</p>{self._picture()}</div>", text)

    def build(self) -> ipywidgets.Widget:
        import ipywidgets

        self._line = ipywidgets.HTML(escape(self.told))
        self._shown = ipywidgets.HTML(self._picture())
        self._button = ipywidgets.Button(icon="play", layout=ipywidgets.Layout(width="auto"))
        self._button.description = self._say("start")
        self._button.on_click(lambda _: self._press())
        return ipywidgets.VBox([self._button, self._line, self._shown])

    def _say(self, name: str, **values: Any) -> str:
        return say(f"curve.widget-{name}", self.language, **values)

    def _picture(self) -> str:
        return framed(rows_curve_html(self.curve, self.language))

    def _press(self) -> None:
        """Begin, in a thread of its own so that the button is heard; or stop."""
        if self.thread is not None and self.thread.is_alive():
            self._asked, self._button.disabled = True, True
            return
        self._asked = False
        self._button.description, self._button.icon = self._say("stop"), "stop"
        self.thread = threading.Thread(target=self._measure, daemon=True)
        self.thread.start()

    def _measure(self) -> None:
        try:
            self._line.value = escape(self._say("timing"))
            plan = plan_curve(
                self.model, self.rows, self.questions, self.out, parts=QUICK, seeds=SEEDS[:1]
            )
            seconds, begun, drawn = plan.seconds(), time.monotonic(), 0.0

            def tell(curve: RowsCurve, share: float) -> bool:
                nonlocal drawn
                now = time.monotonic()
                if curve is not self.curve:
                    self._show(curve)
                if now - drawn > REDRAW:
                    drawn = now
                    values = {"share": share, "taken": now - begun, "seconds": seconds}
                    self._line.value = escape(self._say("running", **values))
                return self._asked

            self._show(plan.run(tell))
            done = "stopped" if plan.missing() else "done"
            self._line.value = escape(self._say(done, taken=time.monotonic() - begun))
        except WorkshopError as error:
            self._line.value = escape(str(error))
        finally:
            self._button.description, self._button.icon = self._say("start"), "play"
            self._button.disabled = False

    def _show(self, curve: RowsCurve) -> None:
        self.curve = curve
        self._shown.value = self._picture()


def recorded_curve(language: str) -> tuple[RowsCurve, str]:
    """The curve of the shop in results/curve.json, and a sentence that says where it comes from.
    Raises WorkshopError where the file is missing.
    """
    path = results_path("curve.json")
    found = read_json(path, dict)
    with foreign(path):
        curve = RowsCurve.from_dict(found["languages"][language]["curve"])
        told = say(
            "curve.widget-recorded", language, model=curve.model, rows=curve.rows,
            made=found["made"][:10], cpu=found["machine"]["cpu"],
        )  # fmt: skip
    return curve, told


def rows_curve(
    model: str | Path,
    rows: Sequence[Conversation],
    questions: Sequence[Question],
    out: str | Path,
) -> RowsCurveView:
    """Does `model` need more than these rows? A widget; see `RowsCurveView`."""
    return RowsCurveView(model, rows, questions, out)
