"""Result tables as a notebook shows them: in the reader's language, and as text where HTML is not
shown.
"""

from __future__ import annotations

from typing import Any

from ..evaluation.comparison import Comparison
from ..evaluation.forgetting import Probe
from ..evaluation.quantization import QuantizationTable
from .html import Html


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
