"""The quantization picker: size against quality, what fits, and what each type answers."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from ...core.errors import WorkshopError
from ...core.wordings import say
from ...evaluation.quantization import QuantizationRow, QuantizationTable
from ...metrics.scoring import mark, score_answer
from ...models.catalogue import CATALOGUE
from ..answers import MARKS
from ..colours import BLUE, RIGHT, VERMILLION
from ..html import Html
from ..tables import percent
from .base import View
from .pieces import bar, bytes_text, framed, guarded, heading, note, small_table

if TYPE_CHECKING:
    import ipywidgets

_MEMORY = [2**n * 10**6 for n in range(10)] + [2**n * 10**9 for n in range(8)]  # bytes
_OWN = 0  # stands for the measured model among the numbers of weights


class Picker(View):
    """See `pick_quantization`. The controls, once built: `type`, `model`, `memory`, `question`."""

    def __init__(self, table: QuantizationTable, language: str | None = None) -> None:
        if not table.rows:
            raise WorkshopError("The quantization table has no rows, so there is nothing to pick.")
        self.table, self.language = table, language or table.language
        self.types = [row.type for row in table.rows]

    # ---- what is shown -----------------------------------------------------------------------

    def first(self) -> tuple[str, int, int]:
        """The type, memory and question that are shown first: an amount of memory that F16 does not
        fit into, and of the questions that F16 answers rightly the one that divides the types most.
        """
        kind = "Q4_K_M" if "Q4_K_M" in self.types else self.types[-1]
        places = range(len(self.table.asked))
        question = max(places, key=self._divides, default=0)
        return kind, self.less_than_f16(_OWN), question

    def _divides(self, at: int) -> tuple[bool, int, int]:
        given = [row.answers[at] for row in self.table.rows]
        scores = [score_answer(one, self.table.asked[at], self.table.shop) for one in given]
        wrong = sum(score.recall != 1 for score in scores)
        return scores[0].recall == 1, wrong, len(set(given))

    def less_than_f16(self, weights: int) -> int:
        """The most memory, of those on the slider, into which the first type does not fit."""
        size = self.size(self.table.rows[0], weights)
        return max((memory for memory in _MEMORY if memory < size), default=_MEMORY[0])

    def size(self, row: QuantizationRow, weights: int) -> float:
        """Bytes of the model that is asked about; `weights` is 0 for the measured one."""
        return row.size_bytes if weights == _OWN else row.bytes_for(weights)

    def overview(self, kind: str, memory: int, weights: int = _OWN) -> str:
        """Size and quality of all types, what fits into the memory, and the chosen type's figures.

        Raises WorkshopError for a type that the table does not have.
        """
        chosen = self._row(kind)
        largest = max(self.size(row, weights) for row in self.table.rows)
        farthest = max(row.kl_to_f16 for row in self.table.rows) or 1.0
        rows = []
        for row in self.table.rows:
            size = self.size(row, weights)
            fits = size <= memory
            name = f"▶\u00a0{row.type}" if row is chosen else row.type
            told = f"{bytes_text(size)} {'✓' if fits else '✗ ' + escape(self._say('too-large'))}"
            cells = [
                f"{told}{bar(size / largest, BLUE if fits else '#888')}",
                percent(row.recall).replace(" ", "\u00a0"),
                f"{row.kl_to_f16:.4f}{bar(row.kl_to_f16 / farthest, VERMILLION)}",
            ]
            rows.append((name, cells))
        head = [self._say(name) for name in ("type", "size", "recall", "kl")]
        figures = self._say(
            "figures",
            type=chosen.type,
            size=bytes_text(self.size(chosen, weights)),
            bits=f"{chosen.bits_per_weight:.2f}",
            recall=percent(chosen.recall),
            kl=f"{chosen.kl_to_f16:.4f}",
            top=percent(chosen.same_top_token),
        )
        best = self.table.best_within(memory, weights or None)
        advice = (
            self._say("best", memory=bytes_text(memory), type=best.type)
            if best
            else self._say("none", memory=bytes_text(memory))
        )
        told = note(self._say("estimate" if weights != _OWN else "weights-only"))
        return f"{small_table(head, rows)}{heading(advice)}{told}{heading(figures)}"

    def answer(self, kind: str, at: int) -> str:
        """What a type answered to question number `at`, with facts and wrong figures marked."""
        question, given = self.table.asked[at], self._row(kind).answers[at].strip()
        score = score_answer(given, question, self.table.shop)
        pieces = "".join(
            f'<mark style="{MARKS[piece.mark]}">{escape(piece.text)}</mark>'
            if piece.mark
            else escape(piece.text)
            for piece in mark(given, question, self.table.shop)
        )
        sign = "✓" if score.recall == 1 else "✗" if score.recall is not None else ""
        line = RIGHT if score.recall == 1 else VERMILLION if sign else "#8888"
        return (
            f'<div style="border-left:4px solid {line};padding:.3em .8em;margin:.4em 0">'
            f'<div style="font-size:.85em;opacity:.8">{sign} {escape(kind)}</div>'
            f'<div style="overflow-wrap:anywhere;line-height:1.6">{pieces or "—"}</div></div>'
        )

    def answers(self, kinds: list[str], at: int) -> str:
        """The question, what a right answer states, and the answers of some types."""
        if not self.table.asked:
            return ""
        question = self.table.asked[at]
        expected = " / ".join(surfaces[0] for surfaces in question.expected())
        told = note(self._say("expected", facts=expected)) if expected else ""
        given = "".join(self.answer(kind, at) for kind in dict.fromkeys(kinds))
        return f"{heading(question.question)}{told}{given}"

    def fallback(self) -> Html:
        kind, memory, question = self.first()
        figures = [(row.kl_to_f16, percent(row.recall)) for row in self.table.rows]
        lines = [
            f"{row.type}: {bytes_text(row.size_bytes)}, KL {divergence:.4f}, {recall}"
            for row, (divergence, recall) in zip(self.table.rows, figures, strict=True)
        ]
        html = self.overview(kind, memory) + self.answers(self.types, question)
        return Html(framed(html), "\n".join(lines))

    def _say(self, code: str, **values: Any) -> str:
        return say(f"widgets.picker-{code}", self.language, **values)

    def _row(self, kind: str) -> QuantizationRow:
        for row in self.table.rows:
            if row.type == kind:
                return row
        raise WorkshopError(f"{kind} is not in this table. It has {', '.join(self.types)}.")

    # ---- the controls ------------------------------------------------------------------------

    def build(self) -> ipywidgets.Widget:
        import ipywidgets as w

        kind, memory, question = self.first()
        style = {"description_width": "6.5em"}
        layout = w.Layout(width="auto", max_width="40em")
        self.type = w.ToggleButtons(
            options=self.types,
            value=kind,
            description=self._say("type"),
            style={**style, "button_width": "auto"},
        )
        sizes = {e.name: e.parameters for e in CATALOGUE.values() if e.hub_id is not None}
        others = [(f"{name} ({n / 1e9:.2g}B)", n) for name, n in sizes.items()]
        self.model = w.Dropdown(
            options=[(self._say("own"), _OWN), *others],
            value=_OWN,
            description=self._say("model"),
            style=style,
            layout=layout,
        )
        self.memory = w.SelectionSlider(
            options=[(bytes_text(size), size) for size in _MEMORY],
            value=memory,
            description=self._say("memory"),
            style=style,
            layout=layout,
        )
        asked = [(one.question, at) for at, one in enumerate(self.table.asked)]
        self.question = w.Dropdown(
            options=asked,
            value=question if asked else None,
            description=self._say("question"),
            style=style,
            layout=layout,
        )
        self._html, self._answers = (w.HTML() for _ in range(2))
        self.model.observe(self._resize, "value")
        for control in (self.type, self.memory, self.question):
            control.observe(self._draw, "value")
        self._draw()
        asking = [self.question, self._answers] if asked else []
        return w.VBox([self.type, self.model, self.memory, self._html, *asking])

    def _resize(self, change: Any) -> None:
        """Another model: memory for which a choice is to be made."""
        self.memory.value = self.less_than_f16(self.model.value)
        self._draw()

    def _draw(self, change: Any = None) -> None:
        chosen = self.type.value, self.memory.value, self.model.value
        self._html.value = guarded(lambda: Html(framed(self.overview(*chosen)))).html
        if self.table.asked:
            shown = [self.types[0], self.type.value]
            self._answers.value = framed(self.answers(shown, self.question.value))


def pick_quantization(table: QuantizationTable, language: str | None = None) -> Picker:
    """Size against quality of the types in a `quantization_table`: one chooses a type, the memory
    that there is, another model's size, and a question, and sees what fits and what it answers.

    `language`: "en" or "ja"; None takes the questions'. Raises WorkshopError for a table without
    rows.
    """
    return Picker(table, language)
