"""Check results as a table for the terminal and as an HTML report."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any

from ..core.artifacts import atomic_file
from ..core.outside import visible
from ..core.wordings import Wording, say
from ..dataset.checks.findings import SEVERITIES, CheckReport, Finding, rule_text
from .colours import ORANGE, SKY, VERMILLION
from .html import Html, html_table, page, section

SHOWN = 12  # findings of a rule that are shown; the rest is folded
MOST = 500  # findings of a rule in the HTML report
TERMINAL = 40  # findings in the terminal
_COLOURS = {"error": "red", "warning": "yellow", "note": "cyan"}
_HOUSE = {"error": VERMILLION, "warning": ORANGE, "note": SKY}
_QUOTE = "white-space:pre-wrap;overflow-wrap:anywhere;font-size:.95em"


def _word(name: str, language: str, /, **values: Any) -> str:
    return say(f"findings.{name}", language, **values)


def verdict(report: CheckReport, language: str = "en") -> str:
    """One sentence about what to do next."""
    counted = report.severities
    gravest = next((severity for severity in SEVERITIES if counted[severity]), "clean")
    return _word(f"verdict-{gravest}", language)


def headline(report: CheckReport, language: str = "en") -> str:
    """The numbers of rows, tokens and findings, on one line."""
    pieces = {"rows": report.summary.get("rows", 0), "tokens": report.summary.get("tokens")}
    pieces |= report.severities
    return " · ".join(
        _word(f"count-{name}", language, n=n) for name, n in pieces.items() if n is not None
    )


def _gravity(found: Finding) -> int:
    return SEVERITIES.index(found.severity)


def findings_table(report: CheckReport, language: str = "en") -> Any:
    """A rich renderable: the findings by severity, the meaning of each rule, the verdict."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_header=False)
    for name, ratio in (("where", None), ("severity", None), ("finding", 1)):
        table.add_column(name, ratio=ratio, no_wrap=name != "finding", overflow="fold")
    listed = sorted(report.findings, key=_gravity)[:TERMINAL]
    for found in listed:
        colour = _COLOURS[found.severity]
        text = Text.assemble((f"{found.rule}  ", "bold"), _message(found, language))
        if found.advice:
            text.append(f" → {found.advice.said(language)}", style="dim")
        if found.excerpt:
            text.append("\n").append(visible(found.excerpt), style=f"{colour} italic")
        severity = Text(_word(found.severity, language), style=colour)
        table.add_row(Text(f"{_short(found.file)}:{found.line}"), severity, text)
    parts: list[Any] = [table] if listed else []
    more = sum(report.severities.values()) - len(listed)
    if more > 0:
        parts.append(Text(_word("and", language, n=more)))
    for rule in dict.fromkeys(found.rule for found in listed):
        why, fix = rule_text(rule, "why", language), rule_text(rule, "fix", language)
        parts.append(Text.assemble("\n", (rule, "bold"), f"  {why}\n  → {fix}"))
    parts.append(Text(f"\n{headline(report, language)}\n{verdict(report, language)}", style="bold"))
    return Group(*parts)


def afterword(report: CheckReport, language: str = "en") -> list[str]:
    """Lines after the table: how each file was read, which other fields its rows have, and the
    estimated training time.
    """
    files = report.summary["files"]
    lines = [f"{file['file']}: {file['reason'].said(language)}" for file in files]
    if others := report.summary.get("other_fields"):
        lines.append(_word("other-fields", language, names=", ".join(map(visible, others))))
    estimate = report.summary.get("estimate")
    if estimate and estimate["seconds"] is not None:
        name = "training" if estimate["cost"] is None else "training-cost"
        lines.append(_word(name, language, **estimate))
    return lines


def _message(found: Finding, language: str) -> str:
    """The message of a finding, with the other row if the message does not name it."""
    message = visible(found.wording.said(language))
    if found.other_line is None or "place" in found.wording.values:
        return message
    place = _word("line", language, line=found.other_line)
    if found.other_file:
        file = _short(found.other_file)
        place = _word("line-of", language, line=found.other_line, file=file)
    return _word("see", language, message=message.removesuffix("。"), place=place)


def _short(file: str) -> str:
    return Path(file).name or file


def findings_view(report: CheckReport, language: str | None = None) -> Html:
    """The report for a notebook: a line for each rule with its first finding and what to do. As
    text: what the terminal shows. `language`: None takes the report's own.
    """
    from rich.console import Console

    language = language or report.language
    report = replace(report, findings=list(map(_without_folders, report.findings)))
    console = Console(width=100, color_system=None, force_jupyter=False)
    with console.capture() as captured:
        console.print(findings_table(report, language))
    text = "\n".join(line.rstrip() for line in captured.get().splitlines())
    told = f"{headline(report, language)} — {verdict(report, language)}"
    items = "".join(_view_item(report, found, language) for found in _first_of_each_rule(report))
    return Html(f"<p><b>{escape(told)}</b></p>{items}", text.strip())


def _first_of_each_rule(report: CheckReport) -> list[Finding]:
    """The gravest finding of each rule, the gravest rules first."""
    found = [min(report.of(rule), key=_gravity) for rule in report.counts]
    return sorted(found, key=lambda one: (_gravity(one), one.line))


def _view_item(report: CheckReport, found: Finding, language: str) -> str:
    """A rule: how grave and how often, its first finding, what to do."""
    quote = f'<div style="opacity:.8;{_QUOTE}">{_marked(found)}</div>' if found.excerpt else ""
    fix = found.advice.said(language) if found.advice else rule_text(found.rule, "fix", language)
    title = escape(rule_text(found.rule, "title", language))
    count = f"{_word(found.severity, language)} × {report.counts[found.rule]:,}"
    place = _word("line", language, line=found.line)
    colour = _HOUSE[found.severity]
    return (
        f'<div style="border-left:4px solid {colour};padding:0 0 0 .8em;margin:.8em 0">'
        f"<div><b>{escape(count)}</b>　<b>{title}</b> <code>{escape(found.rule)}</code></div>"
        f"<div>{escape(f'{place}: {_message(found, language)}')}</div>{quote}"
        f"<div>→ {escape(fix)}</div></div>"
    )


def _without_folders(found: Finding) -> Finding:
    """The finding with the names of its files only: a notebook is passed around."""
    return replace(found, wording=_named(found.wording), file=_short(found.file))


def _named(wording: Wording) -> Wording:
    """The wording with the names of its files, without their folders."""
    values = {
        name: _named(value)
        if isinstance(value, Wording)
        else Path(value.name)
        if isinstance(value, Path)
        else value
        for name, value in wording.values.items()
    }
    return Wording(wording.code, values)


def findings_html(report: CheckReport, language: str = "en") -> str:
    """The report as one HTML document, with inline styles and no scripts or external resources."""
    made = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z")
    rules = sorted(
        report.counts,
        key=lambda rule: (min(map(_gravity, report.of(rule))), -report.counts[rule]),
    )
    sections = [
        _overview(report, language),
        *[_rule_section(report, rule, language) for rule in rules],
        _figures_section(report, language),
        _files_section(report, language),
    ]
    title, footer = _word("title", language), _word("made", language, when=made)
    shown = filter(None, sections)
    return page(title, headline(report, language), shown, footer, language, _own_style())


def _own_style() -> str:
    return Path(__file__).with_name("findings.css").read_text(encoding="utf-8")


def write_findings(report: CheckReport, path: str | Path, language: str = "en") -> Path:
    """Write `findings_html` to a file atomically; returns the path."""
    document = findings_html(report, language)
    with atomic_file(Path(path)) as temporary:
        temporary.write_text(document, encoding="utf-8", errors="replace", newline="\n")
    return Path(path)


def _overview(report: CheckReport, language: str) -> str:
    tiles = "".join(
        f'<div class="tile {severity}{"" if count else " none"}"><b>{count:,}</b>'
        f"<span>{escape(_word(severity + 's', language))}</span></div>"
        for severity, count in report.severities.items()
    )
    rows = "".join(
        f'<tr><th><a href="#{escape(rule)}">{escape(rule_text(rule, "title", language))}</a>'
        f" <code>{escape(rule)}</code></th><td>{count:,}</td></tr>"
        for rule, count in sorted(report.counts.items(), key=lambda pair: -pair[1])
    )
    table = f'<div class=scroll><table class="counts"><tbody>{rows}</tbody></table></div>'
    told = f"<p class=verdict>{escape(verdict(report, language))}</p>{table if rows else ''}"
    return f"<section><div class=tiles>{tiles}</div>{told}</section>"


def _rule_section(report: CheckReport, rule: str, language: str) -> str:
    findings = report.of(rule)
    severity = min(findings, key=_gravity).severity
    several = len(report.summary.get("files", ())) > 1
    items = [_item(found, language, several) for found in findings[:MOST]]
    body = "".join(items[:SHOWN])
    if len(items) > SHOWN:
        more = escape(_word("more", language, n=len(items) - SHOWN))
        body += f"<details><summary>{more}</summary>{''.join(items[SHOWN:])}</details>"
    hidden = report.counts[rule] - len(items)
    if hidden > 0:
        body += f"<p class=lead>{escape(_word('not-shown', language, n=hidden))}</p>"
    advice = "".join(
        f"<p class=advice><b>{escape(_word(what, language))}</b> {escape(text)}</p>"
        for what in ("why", "fix")
        if (text := rule_text(rule, what, language))
    )
    badge = f'<span class="badge {severity}">{escape(_word(severity, language))}</span>'
    title = f"{escape(rule_text(rule, 'title', language))} <code>{escape(rule)}</code>"
    return f'<section id="{escape(rule)}"><h2>{badge} {title}</h2>{advice}{body}</section>'


def _item(found: Finding, language: str, several: bool) -> str:
    name = f"{_short(found.file)} " if several else ""
    place = name + _word("line", language, line=found.line)
    quote = f'<q class="{found.severity}">{_marked(found)}</q>' if found.excerpt else ""
    advice = escape(found.advice.said(language)) if found.advice else ""
    fix = f"<span class=fix>→ {advice}</span>" if advice else ""
    return (
        f"<div class=item><span class=where>{escape(place)}</span><div>"
        f"<p>{escape(_message(found, language))}</p>{quote}{fix}</div></div>"
    )


def _marked(found: Finding) -> str:
    """The excerpt, with quoted parts marked and control characters escaped."""
    quoted = sorted(set(_texts(found.wording)) - {""}, key=len, reverse=True)
    pieces = re.split(f"({'|'.join(map(re.escape, quoted))})", found.excerpt)
    shown = [escape(visible(piece)) for piece in pieces]
    if not quoted:
        return "".join(shown)
    shown[1::2] = [f"<mark>{piece}</mark>" for piece in shown[1::2]]
    return "".join(shown)


def _texts(value: Any) -> Iterator[str]:
    """The strings in a wording's values, at any depth."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Wording):
        yield from _texts(list(value.values.values()))
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)


def _figures_section(report: CheckReport, language: str) -> str:
    figures = _figures(report.summary, language)
    rows = [(_word(name, language), (escape(value),)) for name, value in figures]
    return section(_word("figures", language), "", html_table([], rows, "facts"), name="figures")


def _figures(summary: dict[str, Any], language: str) -> Iterator[tuple[str, str]]:
    """The measurements of the set, each with the name of its heading."""

    def counts(name: str) -> str:
        counted = (summary.get(name) or {}).items()
        return " · ".join(f"{_known(key, language)} {count:,}" for key, count in counted)

    if lengths := summary.get("lengths"):
        shown = f"{lengths['shortest']:,} · {lengths['median']:,.0f} · {lengths['longest']:,}"
        yield "length", shown
        yield "max_length", f"{lengths['max_length']:,}"
    if languages := counts("languages"):
        yield "languages", languages
    manners = summary.get("manners") or {}
    if any(manners.values()):
        yield "manners", f"{manners['polite']:,} · {manners['plain']:,}"
    if openings := summary.get("openings"):
        yield "openings", f"{openings['different']:.0%}"
        yield "commonest", f"{openings['commonest']}… ({openings['share']:.0%})"
    if topics := counts("topics"):
        yield "topics", topics
    examined = (summary.get("examined") or {}).get("amounts")
    if examined is not None and examined != summary.get("rows"):
        yield "examined", f"{examined:,}"
    if estimate := summary.get("estimate"):
        yield "estimate", _duration(estimate["seconds"], language)
        if estimate["cost"] is not None:
            yield "cost", f"{estimate['cost']:,.2f}"
        yield "source", estimate["source"].said(language)
    yield "checked-in", f"{summary.get('seconds', 0):.2f}"


def _known(name: str, language: str) -> str:
    """The display name of a language, format or encoding; most are not translated."""
    return _word(f"is-{name}", language) if name in ("en", "ja", "unknown") else name


def _duration(seconds: float | None, language: str) -> str:
    if seconds is None:
        return _word("unknown", language)
    steps = (("seconds", 120, 1), ("minutes", 7200, 60), ("hours", float("inf"), 3600))
    name, size = next((name, size) for name, below, size in steps if seconds < below)
    return _word(name, language, n=seconds / size)


def _files_section(report: CheckReport, language: str) -> str:
    rows = []
    for file in report.summary.get("files") or []:
        form = f"{file['container']}, {_known(file['format'], language)}"
        cells = [f"{file['rows']:,}", escape(form), escape(_known(file["encoding"], language))]
        cells.append(f"<span class=reason>{escape(file['reason'].said(language))}</span>")
        rows.append((str(file["file"]), tuple(cells)))
    if not rows:
        return ""
    head = [_word(name, language) for name in ("file", "rows", "format", "encoding", "read-as")]
    return section(_word("files", language), "", html_table(head, rows, "files"), name="files")
