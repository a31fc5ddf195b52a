"""Results as tables: for a page, a notebook and a terminal, from one list of columns and cells."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import singledispatch
from html import escape
from typing import Any

from ..core.outside import shown
from ..core.wordings import say
from ..evaluation.candidates import candidate_name
from ..evaluation.comparison import CandidateResult, Comparison
from ..evaluation.forgetting import ForgettingReport
from ..evaluation.manner import Manners
from ..evaluation.quantization import TIMED, QuantizationRow, QuantizationTable
from ..runtimes.ollama.layers import Proof
from .html import Html

_BEFORE_UNIT = re.compile(r"(?<=\d) (?=%|(?:[smh]|ms|min|[kKMG]i?B)\b)")


def unbroken(text: str) -> str:
    """`text` in which no line ends between a figure and its unit, as "93 %" and "11 MB"."""
    return _BEFORE_UNIT.sub("\u00a0", text)


@dataclass(frozen=True)
class ResultTable:
    """Headings and cells as texts; the first cell of a row names it.

    `kind`: class of the HTML table. `caption`: above it on a page. On a terminal, which is 80
    characters wide, `short` headings replace `head`, and `below` under the table. `words`: the
    cells are words and not figures, so they begin at the left; `whole`: columns (from 0) whose
    cells are never broken.
    """

    kind: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    short: Sequence[str] = ()
    below: str = ""
    words: bool = False
    whole: Sequence[int] = ()

    def html(self) -> str:
        """The table as an HTML fragment."""
        head = "".join(
            f"<th{self._style(column)}>{escape(name)}</th>" for column, name in enumerate(self.head)
        )
        rows = [
            "".join(
                f"<{'td' if column else 'th'}{self._style(column)}>{escape(unbroken(cell))}"
                f"</{'td' if column else 'th'}>"
                for column, cell in enumerate(row)
            )
            for row in self.rows
        ]
        body = "".join(f"<tr>{row}</tr>" for row in rows)
        said = escape(self.caption).replace("\n", "<br>")
        caption = f"<caption>{said}</caption>" if said else ""
        return (
            f'<table class="{self.kind}">{caption}<thead><tr>{head}</tr></thead>'
            f"<tbody>{body}</tbody></table>"
        )

    def _style(self, column: int) -> str:
        left = "text-align:left;vertical-align:top" if self.words else ""
        whole = "white-space:nowrap" if column in self.whole else ""
        style = ";".join(filter(None, (left, whole)))
        return f' style="{style}"' if style else ""

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
            table.add_row(*(Text(shown(cell)) for cell in row))
        return table

    def text(self) -> str:
        """The table where neither HTML nor a terminal shows it."""
        from rich.console import Console

        console = Console(width=120, color_system=None, force_jupyter=False)
        with console.capture() as captured:
            console.print(self.rich())
        return "\n".join(line.rstrip() for line in captured.get().strip("\n").splitlines())

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return Html(self.html(), self.text())._repr_mimebundle_()


@singledispatch
def as_table(result: Any, language: str | None = None) -> ResultTable:
    """The table of a result, with headings in `language` ("en" or "ja"; None: the result's own)."""
    raise TypeError(f"{type(result).__name__} has no table")


@as_table.register
def _comparison(comparison: Comparison, language: str | None = None) -> ResultTable:
    language = language or comparison.language
    columns = [
        # No politeness without Japanese answers.
        column
        for column in COMPARED
        if column == "seconds"
        or any(getattr(row.summary, column) is not None for row in comparison.rows)
    ]
    rows = [[row.name, *(_compared(row, column) for column in columns)] for row in comparison.rows]
    head, short = _headings(columns, language)
    model = say("display.model", language)
    below = say("display.comparison-below", language)
    return ResultTable("comparison", [model, *head], rows, "", [model, *short], below)


def faults_table(
    comparison: Comparison, language: str | None = None, most: int = 10
) -> ResultTable | None:
    """Which answers are not right, and why; at most so many, and None where all are right."""
    language = language or comparison.language
    faults = comparison.faults(language)
    if not faults:
        return None
    head = [say(f"scoring.{name}", language) for name in ("question", "answer", "why")]
    rows = [[one.model, one.question, one.answer, one.why] for one in faults[:most]]
    rest = len(faults) - most
    more = say("scoring.more", language, n=rest) if rest > 0 else ""
    return ResultTable("faults", [say("display.model", language), *head], rows, more, words=True)


@as_table.register
def _manners(manners: Manners, language: str | None = None) -> ResultTable:
    language = language or manners.language
    # No politeness without Japanese answers.
    columns = [c for c in MANNER if any(getattr(row, c) is not None for row in manners.rows)]
    rows = [
        [candidate_name(row.label, language), f"{row.characters:.0f}"]
        + [percent(getattr(row, column)) for column in columns]
        for row in manners.rows
    ]
    head, short = _headings(["length", *columns], language)
    model = say("display.model", language)
    return ResultTable("manner", [model, *head], rows, "", [model, *short])


@as_table.register
def _forgetting(report: ForgettingReport, language: str | None = None) -> ResultTable:
    language = language or report.language
    kinds = [f"{say(f'display.{kind}', language)} (n={n})" for kind, n in report.questions.items()]
    rows = [
        [candidate_name(label, language), *(percent(shares[kind]) for kind in report.questions)]
        for label, shares in report.shares.items()
    ]
    return ResultTable("probe", [say("display.model", language), *kinds], rows)


@as_table.register
def _quantization(table: QuantizationTable, language: str | None = None) -> ResultTable:
    language = language or table.language
    head, short = _headings(QUANTIZED, language)
    rows = [[cell(row) for cell in QUANTIZED.values()] for row in table.rows]
    for at, figure in enumerate(TIMED, len(QUANTIZED) - len(TIMED)):
        for row, cells in zip(table.rows, rows, strict=True):
            cells[at] += " ≈" if row.type in table.tied(figure) else ""
    note = say(
        "display.quantization-note",
        language,
        questions=table.questions,
        tokens=table.held_out_tokens,
        method=table.method,
        threads=table.threads,
    )
    if any(table.tied(figure) for figure in TIMED):
        note += say("display.quantization-tied", language)
    below = f"{say('display.quantization-below', language)} {note}"
    return ResultTable("quantization", head, rows, note, short, below)


@as_table.register
def _proof(proof: Proof, language: str | None = None) -> ResultTable:
    language = language or proof.language
    head = (say("ollama.part", language), *proof.models)
    said = "\n".join(proof.sentences(language))
    return ResultTable("proof", head, proof.cells(language), said)


# Measurements of each candidate: shares, except the length in characters and the seconds.
COMPARED = (
    "recall", "full", "contradicted", "unsupported", "likeness", "language", "polite", "length",
    "seconds",
)  # fmt: skip

# Shares of the answers.
MANNER = ("polite", "lists", "unchanged", "figures", "right")

# What it costs before how fast it is: the last three are `TIMED`.
QUANTIZED: dict[str, Callable[[QuantizationRow], str]] = {
    "type": lambda row: row.type + (f" ({row.fallback}*)" if row.fallback else ""),
    "size": lambda row: f"{row.size_bytes / 1e6:,.1f}",
    "bits": lambda row: f"{row.bits_per_weight:.2f}",
    "recall": lambda row: percent(row.recall),
    "perplexity": lambda row: f"{row.perplexity:.3f}",
    "kl": lambda row: f"{row.kl_to_f16:.4f}",
    "top": lambda row: f"{row.same_top_token:.1%}",
    "load": lambda row: f"{row.load_seconds:.2f}",
    "prompt-speed": lambda row: f"{row.prompt_tokens_per_second:,.0f}",
    "answer-speed": lambda row: f"{row.generation_tokens_per_second:,.0f}",
}


def _compared(row: CandidateResult, column: str) -> str:
    if column == "seconds":
        return f"{row.seconds:.1f}"
    value = getattr(row.summary, column)
    return f"{value:.0f}" if column == "length" else percent(value)


def _headings(columns: Iterable[str], language: str) -> tuple[list[str], list[str]]:
    """The headings of a page, and those of a terminal."""
    head = [say(f"display.{column}", language) for column in columns]
    return head, [say(f"display.{column}-short", language) for column in columns]


def percent(share: float | None) -> str:
    """A share from 0 to 1 as "93 %"; "–" for None. Only all is 100 %, only none is 0 %."""
    if share is None:
        return "–"
    rounded = round(100 * share)
    if rounded not in (0, 100) or share in (0, 1):
        return f"{rounded} %"
    if 0.0005 < share < 0.9995:
        return f"{100 * share:.1f} %"
    return "< 0.1 %" if share < 0.5 else "> 99.9 %"
