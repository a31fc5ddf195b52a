"""A training row as it stands in a file of each format."""

from __future__ import annotations

from html import escape

from ..core.wordings import say
from ..dataset.formats.samples import RowFormats
from .html import Html
from .widgets.pieces import small_table


def formats_view(formats: RowFormats, language: str | None = None) -> Html:
    """A line for each format: its name, the text of the file, whether the same row comes back."""
    language = language or formats.language
    style = "white-space:pre-wrap;overflow-wrap:anywhere;font-family:monospace"
    rows, lines = [], []
    for name, text in formats.written.items():
        same = formats.read[name].messages == formats.row.messages
        back = say(f"display.formats-{'same' if same else 'other'}", language)
        rows.append((name, [f'<span style="{style}">{escape(text)}</span>', escape(back)]))
        lines.append(f"{name} ({back})\n{text}")
    head = [say(f"display.formats-{part}", language) for part in ("name", "file", "back")]
    return Html(small_table(head, rows), "\n\n".join(lines))
