"""The README's picture, drawn from results/: an SVG that reads on light and dark pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

STYLE = """
text { font: 13px -apple-system, "Segoe UI", "Hiragino Sans", "Noto Sans CJK JP", sans-serif; }
text, .line { fill: #1f2328; } .title { font-weight: 600; } .faint { fill: #59636e; }
.box { fill: none; stroke: #8c959f; } .ground { fill: #8c959f; opacity: .18; }
.good { fill: #0072B2; } .size { fill: #E69F00; }
@media (prefers-color-scheme: dark) {
  text, .line { fill: #e6edf3; } .faint { fill: #9198a1; }
}
"""
WIDTH, HEIGHT, ROW = 820, 218, 30


@dataclass(frozen=True)
class Panel:
    """A title over horizontal bars: name, share of the full width (0 to 1), what it stands for."""

    title: str
    bars: Sequence[tuple[str, float, str]]
    colour: str  # "good" or "size"
    indent: int  # of the bars, in pixels: room for their names


def picture(steps: Sequence[str], panels: Sequence[Panel]) -> str:
    """An SVG with boxes for the `steps` of the way, and the `panels` side by side below."""
    told = [f"{panel.title}: {_spoken(panel)}" for panel in panels]
    parts = _way(steps)
    for place, panel in enumerate(panels):
        left = 10 + place * WIDTH // len(panels)
        parts.append(_text(left, 84, panel.title, "title"))
        for row, bar in enumerate(panel.bars):
            parts += _bar(left, 100 + ROW * row, panel.indent, panel.colour, *bar)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}"'
        f' height="{HEIGHT}" role="img" aria-label="{escape(". ".join(told))}">\n'
        f"<style>{STYLE}</style>\n" + "\n".join(parts) + "\n</svg>\n"
    )


def _spoken(panel: Panel) -> str:
    return ", ".join(f"{name} {label}" for name, _, label in panel.bars)


def _way(steps: Sequence[str]) -> list[str]:
    """Boxes with arrows between them, across the picture."""
    parts, wide = [], WIDTH / len(steps)
    for place, step in enumerate(steps):
        left = place * wide + 10
        parts.append(f'<rect class="box" x="{left:.0f}" y="12" width="96" height="32" rx="6"/>')
        parts.append(_text(left + 48, 33, step, "", "middle"))
        if place + 1 < len(steps):
            parts.append(_text(left + wide / 2 + 48, 33, "→", "faint", "middle"))
    return parts


def _bar(
    left: float, top: float, indent: float, colour: str, name: str, share: float, label: str
) -> list[str]:
    """A name, a bar of `share` of the full width on its ground, and what it stands for."""
    start, full = left + indent, 170
    return [
        _text(left, top + 14, name),
        f'<rect class="ground" x="{start:.0f}" y="{top}" width="{full}" height="18" rx="3"/>',
        f'<rect class="{colour}" x="{start:.0f}" y="{top}" width="{full * share:.1f}" height="18"'
        ' rx="3"/>',
        _text(start + full + 8, top + 14, label, "faint"),
    ]


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    return f'<text x="{x:.0f}" y="{y}" class="{kind}" text-anchor="{anchor}">{escape(text)}</text>'
