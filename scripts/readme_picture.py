"""Pictures drawn from results/: SVGs that read on light and dark pages."""

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
WIDTH, ROW, BAR = 820, 30, 170
LABEL = 90  # room behind a bar where panels stand close


@dataclass(frozen=True)
class Panel:
    """A title over horizontal bars: name, share of the full width (0 to 1), what it stands for."""

    title: str
    bars: Sequence[tuple[str, float, str]]
    colour: str  # "good" or "size"
    indent: int  # of the bars, in pixels: room for their names


def picture(panels: Sequence[Sequence[Panel]], steps: Sequence[str] = ()) -> str:
    """An SVG with rows of `panels`, side by side; above them boxes for the `steps` of the way."""
    told = [f"{panel.title}: {_spoken(panel)}" for row in panels for panel in row]
    parts, top = (_way(steps), 84) if steps else ([], 24)
    for line in panels:
        wide = WIDTH // len(line)
        for place, panel in enumerate(line):
            left = 10 + place * wide
            full = min(BAR, wide - panel.indent - LABEL)
            parts.append(_text(left, top, panel.title, "title"))
            for row, bar in enumerate(panel.bars):
                parts += _bar(left, top + 16 + ROW * row, panel.indent, full, panel.colour, *bar)
        top += 14 + ROW * max(len(panel.bars) for panel in line) + 34
    height = top - 34
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}"'
        f' height="{height}" role="img" aria-label="{escape(". ".join(told))}">\n'
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
    left: float, top: float, indent: float, full: float, colour: str, name: str, share: float,
    label: str,
) -> list[str]:  # fmt: skip
    """A name, a bar of `share` of the full width on its ground, and what it stands for."""
    start = left + indent
    return [
        _text(left, top + 14, name),
        f'<rect class="ground" x="{start:.0f}" y="{top}" width="{full}" height="18" rx="3"/>',
        f'<rect class="{colour}" x="{start:.0f}" y="{top}" width="{full * share:.1f}" height="18"'
        ' rx="3"/>',
        _text(start + full + 8, top + 14, label, "faint"),
    ]


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    return f'<text x="{x:.0f}" y="{y}" class="{kind}" text-anchor="{anchor}">{escape(text)}</text>'
