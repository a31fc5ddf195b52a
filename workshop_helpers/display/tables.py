"""Result tables as a notebook shows them: in the reader's language, and as text where HTML is not shown."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from ..comparison import Comparison, percent
from ..forgetting import Probe
from ..quantization import QuantizationTable
from .html import Html
from .labels import label


def show_table(result: Comparison | QuantizationTable | Probe, language: str = "en") -> Html:
    """The table of a comparison, of a quantization or of a probe, with headings in `language` ("en" or "ja")."""
    if isinstance(result, QuantizationTable):
        return _quantization(result, language)
    if isinstance(result, Probe):
        return Html(result.to_html(), repr(result))
    return Html(result.to_html(language), _as_text(result.table(language)))


def _as_text(table: Any) -> str:
    from rich.console import Console

    console = Console(width=120, color_system=None, force_jupyter=False)
    with console.capture() as captured:
        console.print(table)
    return "\n".join(line.rstrip() for line in captured.get().strip("\n").splitlines())


def _quantization(table: QuantizationTable, language: str) -> Html:
    names = ("type", "size", "bits", "recall", "perplexity", "kl", "same top token", "load", "prompt speed",
             "generation speed")  # fmt: skip
    head = [label(name, language) for name in names]
    head[1] += " (MB)"
    rows = [
        [
            row.type,
            f"{row.size_bytes / 1e6:,.1f}",
            f"{row.bits_per_weight:.2f}",
            percent(row.recall),
            f"{row.perplexity:.3f}",
            f"{row.kl_to_f16:.4f}",
            f"{100 * row.same_top_token:.1f} %",
            f"{row.load_seconds:.2f}",
            f"{row.prompt_tokens_per_second:,.0f}",
            f"{row.generation_tokens_per_second:,.0f}",
        ]
        for row in table.rows
    ]
    return Html(_html(head, rows), "\n".join(" | ".join(cells) for cells in [head, *rows]))


def _html(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    top = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join(
        f"<tr><th>{escape(first)}</th>{''.join(f'<td>{escape(cell)}</td>' for cell in rest)}</tr>"
        for first, *rest in rows
    )
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
