"""Small pieces of HTML that several widgets are made of. Styles are inline and read on light and on
dark ground.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape

from ...core.errors import WorkshopError
from ..colours import VERMILLION
from ..html import SCROLL, Html

# Boxes side by side that wrap where the page is narrow.
FLOW = "display:flex;flex-wrap:wrap;gap:3px;margin:.3em 0"


def framed(html: str) -> str:
    """The whole of a widget's HTML: not too wide, larger on a projector than on a phone, and with
    lines as near to each other as on a page (ipywidgets sets them far apart).
    """
    style = "max-width:64rem;font-size:clamp(13px,1.2vw,17px);line-height:1.5"
    return f'<div style="{style}">{html}</div>'


def note(text: str) -> str:
    """A line in small letters; `text` is escaped."""
    return f'<p style="margin:.2em 0 .6em;font-size:.9em;opacity:.8">{escape(text)}</p>'


def heading(text: str) -> str:
    """A line above a part; `text` is escaped."""
    return f'<p style="margin:1em 0 .2em;font-weight:600">{escape(text)}</p>'


def failure(error: Exception) -> Html:
    """What went wrong, as a sentence in its place."""
    style = f"border-left:4px solid {VERMILLION};padding:.3em .8em;margin:.3em 0"
    return Html(f'<div role="alert" style="{style}">✗ {escape(str(error))}</div>', f"✗ {error}")


def guarded(make: Callable[[], Html]) -> Html:
    """What `make` gives, or the sentence of the WorkshopError that it raises."""
    try:
        return make()
    except WorkshopError as error:
        return failure(error)


def bar(share: float, colour: str) -> str:
    """A bar as long as `share` (0 to 1) of its place."""
    return (
        '<span style="display:block;background:#8882;border-radius:3px;min-width:4em">'
        f'<span style="display:block;height:.6em;border-radius:3px;background:{colour};'
        f'width:{max(0.0, min(1.0, share)):.1%};min-width:2px"></span></span>'
    )


def small_table(head: Sequence[str], rows: Iterable[tuple[str, Sequence[str]]]) -> str:
    """A table that fits a phone. Headings are escaped, cells are HTML already."""
    cell = 'style="padding:.25em .45em;text-align:left;vertical-align:top;border:0;'
    line = 'style="border-bottom:1px solid #8884"'
    top = "".join(f'<th {cell}font-weight:600;opacity:.8">{escape(name)}</th>' for name in head)
    body = "".join(
        f'<tr {line}><th {cell}font-weight:600">{escape(name)}</th>'
        + "".join(f'<td {cell}">{one}</td>' for one in cells)
        + "</tr>"
        for name, cells in rows
    )
    thead = f"<thead><tr {line}>{top}</tr></thead>" if head else ""
    style = (
        "border-collapse:collapse;font-variant-numeric:tabular-nums;margin:.3em 0;width:100%;"
        "max-width:44em"
    )
    return (
        f'<div style="{SCROLL}"><table style="{style}">{thead}<tbody>{body}</tbody></table></div>'
    )


def pairs(values: Mapping[str, str]) -> str:
    """Names and values, a line each; both are escaped, and broken where the page is narrow."""
    cell = "padding:.25em 0;border-bottom:1px solid #8884;overflow-wrap:anywhere"
    cells = "".join(
        f'<span style="{cell};font-weight:600">{escape(name)}</span>'
        f'<span style="{cell}">{escape(value)}</span>'
        for name, value in values.items()
    )
    columns = "grid-template-columns:minmax(7em,2fr) minmax(8em,3fr)"
    style = f"display:grid;{columns};column-gap:1em;max-width:44em;margin:.3em 0"
    return f'<div style="{style}">{cells}</div>'


def bytes_text(size: float) -> str:
    """A number of bytes with its unit: 25.6 kB, 3.82 MB, 6.18 GB."""
    unit, scale = next(
        ((name, scale) for name, scale in (("GB", 1e9), ("MB", 1e6)) if size >= scale), ("kB", 1e3)
    )
    number = size / scale
    return f"{number:.3g} {unit}" if number < 100 else f"{number:,.0f} {unit}"
