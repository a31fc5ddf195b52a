"""Pieces of HTML: a fragment that shows itself, and a page that needs no network and no script."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from ..core.outside import shown

# A box that scrolls what is too wide for it. By `overflow-x` alone a box inside a widget would grow
# with its table instead: there it stands in a flex row.
SCROLL = "overflow-x:auto;width:0;min-width:100%"


@dataclass(frozen=True)
class Html:
    """An HTML fragment that shows itself in a notebook; `text` is what to read where HTML is not
    shown.
    """

    html: str
    text: str = ""

    def __post_init__(self) -> None:
        for name in ("html", "text"):  # here all that is shown comes by
            object.__setattr__(self, name, shown(getattr(self, name)))

    def rich(self) -> str:
        """What a terminal shows."""
        return self.text or self.html

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": self.rich(), "text/html": self.html}


def page(
    title: str, lead: str, sections: Iterable[str], footer: str, language: str, style: str = ""
) -> str:
    """A whole document of sections (HTML); other texts are escaped. `style`: CSS besides ours."""
    title = escape(title)
    return shown(
        f'<!DOCTYPE html>\n<html lang="{escape(language)}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{title}</title>\n<style>{STYLE}{style}</style>\n</head>\n<body>\n<main>\n"
        f"<header><h1>{title}</h1><p>{escape(lead)}</p></header>\n"
        + "\n".join(sections)
        + f"\n<footer>{escape(footer)}</footer>\n</main>\n</body>\n</html>\n"
    )


def section(heading: str, lead: str, *content: str, name: str = "") -> str:
    """A section of a page; `content` is HTML already."""
    paragraph = f"<p class=lead>{escape(lead)}</p>" if lead else ""
    return f"<section id='{name}'><h2>{escape(heading)}</h2>{paragraph}{''.join(content)}</section>"


def html_table(
    head: Sequence[str], rows: Iterable[tuple[str, Sequence[str]]], kind: str = "figures"
) -> str:
    """A table that scrolls where it is too wide. Cells are HTML already, row headings are text."""
    top = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join(
        f"<tr><th>{escape(name)}</th>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
        for name, cells in rows
    )
    thead = f"<thead><tr>{top}</tr></thead>" if top else ""
    return f'<div class=scroll><table class="{kind}">{thead}<tbody>{body}</tbody></table></div>'


STYLE = """
:root{color-scheme:light dark;--ground:#fbfbfa;--card:#fff;--ink:#1d2328;--soft:#5d6872;
--line:#e2e5e8;--accent:#2f6fab}
@media (prefers-color-scheme:dark){:root{--ground:#14181c;--card:#1b2025;--ink:#e6e9ec;
--soft:#9aa5af;--line:#313940;--accent:#7fb4e6}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);line-height:1.65;
font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Hiragino Sans","Hiragino Kaku Gothic ProN",
"Yu Gothic UI","Yu Gothic",Meiryo,"Noto Sans CJK JP","Noto Sans JP",sans-serif}
main{max-width:70rem;margin:0 auto;padding:2.2rem 1.25rem 3rem}
h1{font-size:1.9rem;line-height:1.25;margin:0 0 .3rem}
h2{font-size:1.3rem;margin:0 0 .4rem}
h3{font-size:1.05rem;margin:1.4rem 0 .5rem}
header{margin-bottom:1.6rem}
header p,.lead,footer{color:var(--soft)}
header p{margin:0}
.lead{margin:.1rem 0 1rem;max-width:46rem}
main>section{background:var(--card);border:1px solid var(--line);border-radius:12px;
padding:1.3rem 1.4rem;margin:0 0 1.2rem}
.scroll{overflow-x:auto;margin:.4rem 0}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;font-size:.92rem}
th,td{padding:.45rem .7rem;border-bottom:1px solid var(--line);text-align:right;vertical-align:top}
thead th{font-weight:600;color:var(--soft);font-size:.82rem;vertical-align:bottom}
tbody tr:last-child>*{border-bottom:0}
th:first-child{text-align:left}
tbody th{font-weight:600;white-space:nowrap}
table.facts td,#merging td,#same-question td{text-align:left}
table.facts th,#merging th{width:16rem;font-weight:500;color:var(--soft);white-space:normal}
table.steps td:last-child{width:50%;vertical-align:middle}
.bar{display:block;height:.7rem;border-radius:3px;background:var(--accent);min-width:2px}
.text{white-space:pre-wrap}
figure{margin:1.1rem 0 0}
figure svg{display:block;width:100%;max-width:46rem;height:auto}
mark{background:none}
details{margin-top:.8rem}
summary{cursor:pointer;color:var(--accent);font-weight:600;margin-bottom:1rem}
footer{font-size:.8rem;margin-top:1.6rem}
@media print{main>section{break-inside:avoid;border:0;padding:0}}
"""
