"""What a notebook's cell has shown, as HTML and as text, outside of that notebook."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from .html import SCROLL, Html

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def outputs_view(outputs: Iterable[Mapping[str, Any]]) -> Html:
    """The outputs of a cell, as a notebook file holds them: HTML before pictures before text.
    Widgets are their pictures.
    """
    shown = [_one(output) for output in outputs]
    return Html(
        "".join(one.html for one in shown), "\n".join(one.text for one in shown if one.text)
    )


def _one(output: Mapping[str, Any]) -> Html:
    kind = output.get("output_type")
    if kind == "stream":
        return plain(_joined(output.get("text", "")))
    if kind == "error":
        return plain(f"{output.get('ename', '')}: {output.get('evalue', '')}".strip())
    data = output.get("data", {})
    text = _joined(data.get("text/plain", ""))
    for name in ("text/html", "image/svg+xml"):
        if name in data:
            return Html(f'<div style="{SCROLL}">{_joined(data[name])}</div>', text)
    if "image/png" in data:
        source = f"data:image/png;base64,{_joined(data['image/png']).strip()}"
        style = "max-width:100%;height:auto"
        return Html(f'<img src="{source}" alt="{escape(text)}" style="{style}">', text)
    return plain(text)


def plain(text: str) -> Html:
    """Text as a terminal shows it, without its colours; of a line that was written over again and
    again the last state.
    """
    whole = _CONTROL.sub("", text).replace("\r\n", "\n")
    lines = "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in whole.split("\n"))
    style = "white-space:pre-wrap;overflow-wrap:anywhere;margin:.3em 0;line-height:1.4"
    return Html(f'<pre style="{style}">{escape(lines)}</pre>', lines.rstrip("\n"))


def _joined(text: str | Iterable[str]) -> str:
    """A text as notebook files hold it: whole, or as a list of lines."""
    return text if isinstance(text, str) else "".join(text)
