"""The before/after explorer: every question of a comparison, and questions of one's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

from ...core.errors import WorkshopError, first_line
from ...core.wordings import say
from ...evaluation.comparison import CandidateResult, Comparison
from ...evaluation.live import OpenModels
from ...metrics.scoring import Question
from ..answers import answer_card, answers_side_by_side, failed_card, question_block
from ..changes import diff
from ..html import Html
from .base import View

FILTERS = ("all", "differ", "wrong")
FEWEST, MOST = 2, 4  # candidates beside each other


@dataclass(frozen=True)
class _Asked:
    """A question of one's own: what each candidate answered, or the sentence why it did not."""

    question: Question
    results: dict[str, CandidateResult | str]


class Explorer(View):
    """A comparison to walk through: pick a question, choose the candidates beside each other, read
    what changed between two of them, and ask a question of one's own. See `explore`.
    """

    def __init__(self, comparison: Comparison, language: str | None = None) -> None:
        self.comparison = comparison
        self.language = language or comparison.language
        self.models = OpenModels()
        self._own: list[_Asked] = []

    def fallback(self) -> Html:
        """The three questions where the candidates differ most, side by side, with seconds."""
        shown = answers_side_by_side(self.comparison.side_by_side(3), self.language, seconds=True)
        return Html(f"{shown.html}{self._note('seconds')}", shown.text)

    def build(self) -> Any:
        import ipywidgets as w

        wide = {"width": "auto"}
        rows = self.comparison.rows
        labels = [row.label for row in rows]
        self.filter = w.ToggleButtons(
            options=[(self._say(name), name) for name in FILTERS],
            value="differ",
            style={"button_width": "auto"},
        )
        self.count = w.HTML()
        # no list box: in JupyterLab its arrow keys move to another cell
        self.picker = w.Dropdown(layout=wide)
        self.chosen = {
            row.label: w.Checkbox(
                value=place < MOST,
                description=row.name,
                indent=False,
                layout={"width": "auto", "margin": "0 1.2em 0 0"},
            )
            for place, row in enumerate(rows)
        }
        self.answers = w.HTML(layout=wide)
        names = [(row.name, row.label) for row in rows]
        narrow = {"width": "auto", "min_width": "12em"}
        self.before = w.Dropdown(options=names, value=labels[0], layout=narrow)
        self.after = w.Dropdown(options=names, value=labels[-1], layout=narrow)
        self.changes = w.HTML(layout=wide)
        self.own = w.Text(
            description=self._say("own"),
            style={"description_width": "initial"},
            layout={"flex": "1 1 16em", "width": "auto", "min_width": "0"},
        )
        self.ask = w.Button(description=self._say("ask"), button_style="primary")
        self.status = w.HTML(layout=wide)
        self._connect()
        self._list()
        return self._laid_out(w)

    def _laid_out(self, w: Any) -> Any:
        def line(*parts: Any) -> Any:
            return w.HBox(parts, layout={"flex_flow": "row wrap", "align_items": "center"})

        def heading(name: str) -> Any:
            return w.HTML(f'<b style="font-size:1.05em">{escape(self._say(name))}</b>')

        arrow = w.HTML('<span style="padding:0 .5em">→</span>')
        return w.VBox(
            [
                line(self.filter, self.count),
                self.picker,
                line(self.own, self.ask),
                self.status,
                line(heading("beside"), *self.chosen.values()),
                self.answers,
                line(heading("changes"), self.before, arrow, self.after),
                self.changes,
            ]
        )

    def _connect(self) -> None:
        show, listed = self._told(self._show), self._told(self._list)
        self.picker.observe(show, "value")
        self.filter.observe(listed, "value")
        for box in self.chosen.values():
            box.observe(listed, "value")
        for end in (self.before, self.after):
            end.observe(show, "value")
        self.ask.on_click(self._told(self._ask))
        # The Enter key. `on_submit` does the same, but ipywidgets 8 warns of it.
        self.own.on_msg(self._told(self._entered))

    def _told(self, do: Callable[..., None]) -> Callable[..., None]:
        """`do`, with what goes wrong said in the widget: a notebook hides errors of callbacks."""

        def callback(*event: Any) -> None:
            try:
                do(*event)
            except Exception as error:
                said = str(error) if isinstance(error, WorkshopError) else first_line(error)
                self._state("failed", reason=said)

        return callback

    # ---- what is shown ---------------------------------------------------------------------------

    def _labels(self) -> list[str]:
        return [label for label, box in self.chosen.items() if box.value]

    def _list(self, *_event: Any) -> None:
        """List one's own questions and those that the filter leaves; keep the one that is shown."""
        labels = self._labels()
        places = self.comparison.of(*labels).places(self.filter.value) if labels else ()
        of_all = len(self.comparison.questions)
        self.count.value = escape(self._say("count", shown=len(places), n=of_all))
        own = [(f"✎ {a.question.question}", -n) for n, a in enumerate(self._own, 1)][::-1]
        found = [(self.comparison.questions[n].question, n) for n in places]
        shown = self.picker.value
        self.picker.options = [*own, *found]
        values = [value for _, value in self.picker.options]
        self.picker.value = shown if shown in values else next(iter(values), None)
        self._show()

    def _show(self, *_event: Any) -> None:
        """Show the answers to the picked question, and what changed from one to another."""
        place, labels = self.picker.value, self._labels()
        if place is None:
            self.answers.value, self.changes.value = self._sentence("none"), ""
            return
        if not FEWEST <= len(labels) <= MOST:
            self.answers.value = self._sentence("choose", least=FEWEST, most=MOST)
        else:
            question = self._question(place)
            cards = [self._card(place, label) for label in labels]
            block = question_block(question, cards, self.language)
            self.answers.value = _large(block + self._note("seconds"))
        before, after = (self._text(place, end.value) for end in (self.before, self.after))
        if before is None or after is None:
            self.changes.value = ""
        elif before == after:
            self.changes.value = self._sentence("same")
        else:
            self.changes.value = _large(diff(before, after).html)

    def _question(self, place: int) -> Question:
        return self.comparison.questions[place] if place >= 0 else self._own[-place - 1].question

    def _result(self, place: int, label: str) -> CandidateResult | str:
        return self.comparison.row(label) if place >= 0 else self._own[-place - 1].results[label]

    def _card(self, place: int, label: str) -> str:
        row, result = self.comparison.row(label), self._result(place, label)
        if isinstance(result, str):
            return failed_card(row.name, result)
        question, shop = self._question(place), self.comparison.shop
        # a question of one's own is the only one of its result
        return answer_card(result, max(place, 0), question, shop, self.language, seconds=True)

    def _text(self, place: int, label: str) -> str | None:
        result = self._result(place, label)
        return None if isinstance(result, str) else result.answers[max(place, 0)].text.strip()

    # ---- a question of one's own -----------------------------------------------------------------

    def _entered(self, _widget: Any, content: Any, _buffers: Any) -> None:
        if content.get("event") == "submit":
            self._ask()

    def _ask(self, *_event: Any) -> None:
        """Put the question to every candidate; each that cannot answer says why."""
        text = self.own.value.strip()
        if not text:
            self._state("empty")
            return
        known = {question.question: question for question in self.comparison.questions}
        question = known.get(text, Question(text))
        results: dict[str, CandidateResult | str] = {}
        self.ask.disabled = True
        try:
            for number, row in enumerate(self.comparison.rows, 1):
                many = len(self.comparison.rows)
                opened = str(row.candidate.model) in self.models.names
                doing = "asking" if opened else "opening"
                self._state(doing, name=row.name, number=number, n=many)
                results[row.label] = self._answer(row, question)
        finally:
            self.ask.disabled = False
        self._own.append(_Asked(question, results))
        self._list()
        self.picker.value = -len(self._own)
        failed = sum(isinstance(result, str) for result in results.values())
        self._state("some-failed" if failed else "asked", failed=failed, n=len(results))

    def _answer(self, row: CandidateResult, question: Question) -> CandidateResult | str:
        try:
            return self.models.ask(row.candidate, question, self.comparison.shop)
        except WorkshopError as error:
            return self._say("cannot", reason=str(error))

    # ---- sentences -------------------------------------------------------------------------------

    def _say(self, entry: str, /, **values: Any) -> str:
        return say(f"widgets.explorer-{entry}", self.language, **values)

    def _state(self, entry: str, /, **values: Any) -> None:
        self.status.value = f'<span role="status">{escape(self._say(entry, **values))}</span>'

    def _sentence(self, entry: str, /, **values: Any) -> str:
        return f'<p style="margin:.5em 0">{escape(self._say(entry, **values))}</p>'

    def _note(self, name: str) -> str:
        said = escape(self._say(name))
        return f'<p style="font-size:.8em;opacity:.8;margin:0 0 .6em">{said}</p>'


def _large(html: str) -> str:
    """For the back row: a widget's own letters are smaller than those of a page."""
    return f'<div style="font-size:1.2em;line-height:1.5">{html}</div>'


def explore(comparison: Comparison, language: str | None = None) -> Explorer:
    """Walk through a comparison in a live notebook; see `Explorer`. Its own language unless given.

    A question of one's own opens the candidates' models and keeps them open (see `OpenModels`).
    """
    return Explorer(comparison, language)
