"""A training row as the model sees it: its tokens, which of them carry loss, what is cut off."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.errors import WorkshopError
from ...core.wordings import say
from ...dataset.formats import Conversation
from ...models.load import load_tokenizer
from ...models.resolve import ModelRef, resolve
from ...training.recipe import LoraRecipe
from ..html import Html
from ..preview import PreviewedRow, previewed
from ..tokens import KINDS, STYLES, Token, role_lengths, row_tokens, token_boxes
from .base import View
from .pieces import FLOW, guarded, heading, note

if TYPE_CHECKING:
    import ipywidgets

SHORTEST = 8  # tokens of a row that training accepts as max_length
_NAME = 24  # characters of a question in the list
# Side by side where there is room for both, else one below the other.
_WIDTHS = "repeat(auto-fit,minmax(min(22em,100%),1fr))"
_COLUMNS = f"display:grid;gap:0 2em;grid-template-columns:{_WIDTHS}"


class TokenExplorer(View):
    """See `explore_tokens`. The controls, once built: `row` and `length`."""

    def __init__(
        self, model: str | Path | ModelRef, rows: Sequence[Conversation], language: str = "en"
    ) -> None:
        self.rows, self.language = list(rows), language
        if not self.rows:
            raise WorkshopError("There is no row to look at. Give at least one.")
        ref = resolve(model)
        self.tokenizer = load_tokenizer(ref)
        self.model, self.recipe_length = ref.name, LoraRecipe.for_model(ref).max_length
        # The recipe's would be a long way to slide: the longest row's cuts nothing either.
        longest = max(len(row_tokens(self.tokenizer, row)) for row in self.rows)
        self.most = max(SHORTEST, min(longest, self.recipe_length))

    # ---- what is shown -----------------------------------------------------------------------

    def picture(self, place: int, length: int) -> Html:
        """Row `place` (from 0), cut at `length` tokens: as text, as tokens, and its counts."""
        row = previewed(self.tokenizer, self.rows[place], place + 1, length)
        remarks = [f"⚠ {remark}" for remark in row.remarks(self.language)]
        html = (
            self._counts(row)
            + "".join(f'<p style="margin:.3em 0">{escape(remark)}</p>' for remark in remarks)
            + f'<div style="{_COLUMNS}"><div>{self._tokens(row)}</div>'
            f"<div>{self._template(row)}</div></div>"
        )
        said = self._say("text", **self._numbers(row))
        text = [said, *remarks, token_boxes(row.tokens).text]
        return Html(f'<div style="max-width:60rem">{html}</div>', "\n".join(text))

    def _say(self, code: str, **values: Any) -> str:
        return say(f"widgets.tokens-{code}", self.language, **values)

    def _numbers(self, row: PreviewedRow) -> dict[str, int]:
        kinds = Counter(token.kind for token in row.tokens)
        return {"all": len(row.tokens), **{kind: kinds[kind] for kind in KINDS}}

    def _counts(self, row: PreviewedRow) -> str:
        """How many tokens are read, learned and cut: the legend of the boxes."""
        numbers = self._numbers(row)
        plain = "text-decoration:none;border-radius:3px;padding:.15em .6em"
        boxes = "".join(
            f'<span style="{STYLES[kind]};{plain}">'
            f"{escape(self._say(kind))} <b>{numbers[kind]}</b></span>"
            for kind in KINDS
        )
        lengths = {"length": row.max_length, "recipe": self.recipe_length}
        whole = escape(self._say("all", n=numbers["all"], **lengths))
        return f'<div style="{FLOW};gap:.5em;align-items:center">{boxes}<span>{whole}</span></div>'

    def _tokens(self, row: PreviewedRow) -> str:
        """The tokens with their ids, a band for each role."""
        bands, start = [], 0
        for role, length in role_lengths(self.tokenizer, row.conversation):
            tokens = row.tokens[start : start + length]
            start += length
            learned = any(token.kind == "learned" for token in tokens)
            told = self._say("with-loss" if learned else "without-loss")
            bands.append(
                '<div style="border-left:4px solid #8886;padding:0 0 0 .7em;margin:.5em 0">'
                f'<div style="font-size:.9em"><b>{escape(role)}</b> · {escape(told)}</div>'
                f'<div style="{FLOW}">{"".join(map(_box, tokens))}</div></div>'
            )
        return heading(self._say("boxes")) + "".join(bands) + note(self._say("boxes-note"))

    def _template(self, row: PreviewedRow) -> str:
        """The rendered text, marked as its tokens are."""
        pieces = []
        for kind, text in self._pieces(row):
            pieces.append(f'<span style="{STYLES[kind]}">{escape(text)}</span>')
        style = (
            "white-space:pre-wrap;overflow-wrap:anywhere;font-family:monospace;line-height:1.9;"
            "margin:.5em 0"
        )
        told = self._say("template", model=self.model)
        return heading(told) + f'<div style="{style}">{"".join(pieces)}</div>'

    def _pieces(self, row: PreviewedRow) -> list[tuple[str, str]]:
        """The text of all tokens of one kind that stand together, in order."""
        found: list[tuple[str, list[int]]] = []
        for token in row.tokens:
            if not found or found[-1][0] != token.kind:
                found.append((token.kind, []))
            found[-1][1].append(token.id)
        return [(kind, str(self.tokenizer.decode(ids))) for kind, ids in found]

    def fallback(self) -> Html:
        return guarded(lambda: self.picture(0, self.most))

    # ---- the controls ------------------------------------------------------------------------

    def build(self) -> ipywidgets.Widget:
        import ipywidgets as w

        style = {"description_width": "6.5em"}
        layout = w.Layout(width="auto", max_width="36em")
        names = [_name(place, row.question) for place, row in enumerate(self.rows)]
        self.row = w.Dropdown(
            options=[(name, place) for place, name in enumerate(names)],
            description=self._say("row"),
            style=style,
            layout=layout,
        )
        self.length = w.IntSlider(
            value=self.most,
            min=SHORTEST,
            max=self.most,
            description="max_length",
            style=style,
            layout=layout,
        )
        self._html = w.HTML()
        for control in (self.row, self.length):
            control.observe(self._draw, "value")
        self._draw()
        return w.VBox([self.row, self.length, self._html])

    def _draw(self, change: Any = None) -> None:
        place, length = self.row.value, self.length.value
        self._html.value = guarded(lambda: self.picture(place, length)).html


def _name(place: int, question: str) -> str:
    line = " ".join(question.split())
    return f"{place + 1}: {line[:_NAME]}{'…' if len(line) > _NAME else ''}"


def _box(token: Token) -> str:
    """A token with its id below it; after the end of a line a new one begins."""
    end = '<span style="flex-basis:100%"></span>' if token.text.endswith("\n") else ""
    return (
        f'<span style="{STYLES[token.kind]};border-radius:3px;padding:.1em .3em;text-align:center;'
        'line-height:1.35;font-family:monospace">'
        f'<span style="white-space:pre">{escape(token.shown)}</span>'
        f'<span style="display:block;font-size:.72em;opacity:.75">{token.id}</span></span>{end}'
    )


def explore_tokens(
    model: str | Path | ModelRef, rows: Sequence[Conversation], language: str = "en"
) -> TokenExplorer:
    """Rows as `model` sees them: its template filled in, cut into tokens with their ids, and marked
    where they carry loss. One picks the row, and the `max_length` that cuts it.

    Raises WorkshopError where there is no row, for a model without a chat template, and where the
    template refuses a row.
    """
    return TokenExplorer(model, rows, language)
