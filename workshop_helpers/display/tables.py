"""Results as tables: for a page, a notebook and a terminal, from one list of columns and cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import singledispatch
from html import escape
from typing import Any

from ..evaluation.comparison import Comparison
from ..evaluation.forgetting import Probe
from ..evaluation.quantization import QuantizationTable
from ..runtimes.ollama.layers import Proof
from .html import Html


@dataclass(frozen=True)
class ResultTable:
    """Headings and cells as texts; the first cell of a row names it.

    `kind`: class of the HTML table. `caption`: above it on a page. On a terminal, which is 80
    characters wide, `short` headings stand in place of `head`, and `below` under the table.
    """

    kind: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    short: Sequence[str] = ()
    below: str = ""

    def html(self) -> str:
        """The table as an HTML fragment."""
        head = "".join(f"<th>{escape(name)}</th>" for name in self.head)
        rows = [
            f"<th>{escape(first)}</th>" + "".join(f"<td>{escape(cell)}</td>" for cell in rest)
            for first, *rest in self.rows
        ]
        body = "".join(f"<tr>{row}</tr>" for row in rows)
        said = escape(self.caption).replace("\n", "<br>")
        caption = f"<caption>{said}</caption>" if said else ""
        return (
            f'<table class="{self.kind}">{caption}<thead><tr>{head}</tr></thead>'
            f"<tbody>{body}</tbody></table>"
        )

    def rich(self) -> Any:
        """The table for a terminal."""
        from rich import box
        from rich.markup import escape
        from rich.table import Table
        from rich.text import Text

        caption = escape(self.below or self.caption) or None
        table = Table(
            box=box.SIMPLE_HEAD, caption=caption, caption_justify="left", padding=(0, 1, 0, 0)
        )
        first, *rest = self.short or self.head
        table.add_column(Text(first), overflow="fold")
        for name in rest:
            table.add_column(
                Text(name),
                justify="right" if self.short else "left",
                no_wrap=bool(self.short),
                overflow="fold",
            )
        for row in self.rows:
            table.add_row(*map(Text, row))
        return table

    def text(self) -> str:
        """The table where neither HTML nor a terminal shows it."""
        from rich.console import Console

        console = Console(width=120, color_system=None, force_jupyter=False)
        with console.capture() as captured:
            console.print(self.rich())
        return "\n".join(line.rstrip() for line in captured.get().strip("\n").splitlines())

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": self.text(), "text/html": self.html()}


@singledispatch
def as_table(result: Any, language: str | None = None) -> ResultTable:
    """The table of a result, with headings in `language` ("en" or "ja"; None: the result's own)."""
    raise TypeError(f"{type(result).__name__} has no table")


@as_table.register
def _proof(proof: Proof, language: str | None = None) -> ResultTable:
    language = language or "en"
    head = (proof.part(language), *proof.models)
    said = "\n".join(proof.sentences(language))
    return ResultTable("proof", head, proof.cells(language), said)


def show_table(result: Comparison | QuantizationTable | Probe, language: str = "en") -> Html:
    """The table of a comparison, of a quantization or of a probe, with headings in `language` ("en"
    or "ja").
    """
    if isinstance(result, Probe):
        return Html(result.to_html(), repr(result))
    return Html(result.to_html(language), _as_text(result.table(language)))


def _as_text(table: Any) -> str:
    from rich.console import Console

    console = Console(width=120, color_system=None, force_jupyter=False)
    with console.capture() as captured:
        console.print(table)
    return "\n".join(line.rstrip() for line in captured.get().strip("\n").splitlines())
