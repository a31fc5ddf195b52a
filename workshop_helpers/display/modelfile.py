"""A Modelfile taken apart: what each of its instructions says and does."""

from __future__ import annotations

from html import escape

from ..core.wordings import say
from ..runtimes.ollama.modelfile import Modelfile, build
from .html import Html

# In the order in which they are told; those that name weights first.
WEIGHTS = ("FROM", "ADAPTER", "DRAFT")
AROUND = (
    "SYSTEM", "MESSAGE", "TEMPLATE", "PARAMETER", "LICENSE", "REQUIRES", "RENDERER", "PARSER",
)  # fmt: skip
_LONGEST = 60  # characters of a text that are shown


def explain_modelfile(modelfile: Modelfile, language: str = "en") -> Html:
    """A table of all instructions: what `modelfile` says by each, what it does, and whether it has
    to do with weights, in `language` ("en" or "ja"). Raises WorkshopError for what a Modelfile
    cannot hold.
    """
    said = _said(modelfile)
    rows = []
    for name in (*WEIGHTS, *AROUND):
        mark = say(f"modelfile.{'yes' if name in WEIGHTS else 'no'}", language)
        rows.append((name, said.get(name, []), say(f"modelfile.{name}", language), mark))
    head = [say(f"modelfile.{one}", language) for one in ("instruction", "says", "does", "weights")]
    caption = say("modelfile.caption", language)
    absent = say("modelfile.absent", language)
    lines = [
        f"{name}: {' / '.join(_short(v, language) for v in values) or absent} … {does} ({mark})"
        for name, values, does, mark in rows
    ]
    return Html(_table(head, rows, caption, absent, language), "\n".join([*lines, "", caption]))


def _said(modelfile: Modelfile) -> dict[str, list[str]]:
    """The values of each instruction, those of PARAMETER and MESSAGE with their names."""
    found = {
        "FROM": [modelfile.base, *modelfile.projectors],
        "PARAMETER": [
            line.removeprefix("PARAMETER ")
            for line in build(Modelfile("x", parameters=modelfile.parameters)).splitlines()[1:]
        ],
        "MESSAGE": [f"{m.role} {m.content}" for m in modelfile.messages],
        "LICENSE": list(modelfile.licenses),
    }
    for name in ("ADAPTER", "SYSTEM", "TEMPLATE", "REQUIRES", "RENDERER", "PARSER", "DRAFT"):
        value = getattr(modelfile, name.lower())
        found[name] = [] if value is None else [value]
    return found


def _table(
    head: list[str],
    rows: list[tuple[str, list[str], str, str]],
    caption: str,
    absent: str,
    language: str,
) -> str:
    cell = "text-align:left;vertical-align:top;padding:.35em .7em;border-bottom:1px solid #8884"
    top = "".join(f'<th style="{cell}">{escape(name)}</th>' for name in head)
    body = ""
    for name, values, does, mark in rows:
        faint = "" if values else "opacity:.65;"
        strong = "border-left:4px solid #D55E00;" if name in WEIGHTS else ""
        shown = "<br>".join(f"<code>{escape(_short(v, language))}</code>" for v in values) or absent
        body += (
            f'<tr style="background:none;{faint}"><th style="{cell};{strong}">{name}</th>'
            f'<td style="{cell};overflow-wrap:anywhere">{shown}</td>'
            f'<td style="{cell}">{escape(does)}</td>'
            f'<td style="{cell}">{escape(mark)}</td></tr>'
        )
    return (
        '<div style="overflow-x:auto"><table class="modelfile" style="border-collapse:collapse">'
        f"<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"
        f'<p style="margin:.5em 0">{escape(caption)}</p>'
    )


def _short(text: str, language: str) -> str:
    """The first line of a text, cut where it is long, and how many more there are."""
    first, *more = text.strip().splitlines() or [""]
    shown = first if len(first) <= _LONGEST else first[: _LONGEST - 1] + "…"
    return f"{shown} … {say('modelfile.more', language, n=len(more))}" if more else shown
