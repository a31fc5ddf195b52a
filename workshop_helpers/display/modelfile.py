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
    names = (*WEIGHTS, *AROUND)
    rows = [(n, said.get(n, []), say(f"modelfile.{n}", language)) for n in names]
    badge, absent = (say(f"modelfile.{one}", language) for one in ("weights", "absent"))
    caption = say("modelfile.caption", language)
    lines = []
    for name, values, does in rows:
        shown = " / ".join(_short(value, language) for value in values) or absent
        lines.append(f"{name}{f' [{badge}]' if name in WEIGHTS else ''}: {shown} … {does}")
    html = _table(rows, badge, absent, language) + f'<p style="margin:.5em 0">{escape(caption)}</p>'
    return Html(html, "\n".join([*lines, "", caption]))


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


def _table(rows: list[tuple[str, list[str], str]], badge: str, absent: str, language: str) -> str:
    """Two columns, so that it fits on a phone: the instruction and what it does, and what is said
    by it here.
    """
    cell = "text-align:left;vertical-align:top;padding:.4em .7em;border-bottom:1px solid #8884"
    mark = "border:1px solid #D55E00;border-radius:3px;padding:0 .3em;font-size:.8em"
    said = say("modelfile.says", language)
    top = [f'<th style="{cell}">{escape(say("modelfile.instruction", language))}</th>']
    top += [f'<th style="{cell}">{escape(said)}</th>']
    body = []
    for name, values, does in rows:
        is_weights = name in WEIGHTS
        strong = "border-left:4px solid #D55E00;" if is_weights else ""
        label = f' <span style="{mark}">{escape(badge)}</span>' if is_weights else ""
        code = '<code style="overflow-wrap:anywhere">{}</code>'
        shown = "<br>".join(code.format(escape(_short(v, language))) for v in values) or absent
        body.append(
            f'<tr style="background:none{"" if values else ";opacity:.7"}">'
            f'<th style="{cell};{strong}min-width:9em;width:38%;font-weight:400">'
            f"<b>{name}</b>{label}"
            f"<br>{escape(does)}</th>"
            f'<td style="{cell}">{shown}</td></tr>'
        )
    return (
        '<table class="modelfile" style="border-collapse:collapse;width:100%">'
        f"<thead><tr>{''.join(top)}</tr></thead><tbody>{''.join(body)}</tbody></table>"
    )


def _short(text: str, language: str) -> str:
    """The first line of a text, cut where it is long, and how many more there are."""
    first, *more = text.strip().splitlines() or [""]
    shown = first if len(first) <= _LONGEST else first[: _LONGEST - 1] + "…"
    return f"{shown} … {say('modelfile.more', language, n=len(more))}" if more else shown
