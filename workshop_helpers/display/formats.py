"""A training row as it stands in a file of each format."""

from __future__ import annotations

from html import escape

from ..core.wordings import say
from ..dataset.formats.samples import RowFormats
from .html import Html

_FILE = "white-space:pre-wrap;overflow-wrap:anywhere;font-family:monospace;line-height:1.5"


def formats_view(formats: RowFormats, language: str | None = None) -> Html:
    """Each format: its name, whether the same row comes back, the text of the file."""
    language = language or formats.language
    items, lines = [], []
    for name, text in formats.written.items():
        same = formats.read[name].messages == formats.row.messages
        back = say(f"display.formats-{'same' if same else 'other'}", language)
        items.append(
            '<div style="border-left:4px solid #8886;padding:0 0 0 .8em;margin:.6em 0">'
            f"<div><b>{escape(name)}</b>　{escape(back)}</div>"
            f'<div style="{_FILE}">{escape(text)}</div></div>'
        )
        lines.append(f"{name} ({back})\n{text}")
    return Html("".join(items), "\n\n".join(lines))
