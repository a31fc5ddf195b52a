"""What a check found, for people: a table for the terminal, and a report in one HTML file, in
English or Japanese.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any

from ..core.artifacts import atomic_file
from ..dataset.checks.findings import RULES, SEVERITIES, CheckReport, Finding
from .html import _STYLE, _section, _table
from .japanese import japanese

SHOWN = 12  # places of one rule that are open to the eye; the rest is folded
MOST = 500  # that are in the report at all
TERMINAL = 40  # findings that the terminal lists

LABELS = {
    "en": {
        "title": "What is wrong with this training data",
        "error": "error",
        "warning": "warning",
        "note": "note",
        "errors": "errors",
        "warnings": "warnings",
        "notes": "notes",
        "rows": "rows",
        "tokens": "tokens",
        "seconds": "seconds for this check",
        "clean": "Nothing was found. Training can begin.",
        "fix first": "Mend the errors first: each of them costs quality, or stops the training.",
        "look": "No errors. The warnings are worth a look before training.",
        "only notes": "No errors and no warnings; the notes are for later.",
        "why": "Why",
        "fix": "What to do",
        "see": "see",
        "more": "{n} more",
        "not shown": "{n} more are not listed here.",
        "files": "Files",
        "file": "file",
        "format": "format",
        "encoding": "encoding",
        "read as": "why it was read so",
        "figures": "The set in figures",
        "length": "tokens a row (shortest · median · longest)",
        "max_length": "max_length",
        "languages": "questions by language",
        "manners": "Japanese answers: polite · plain",
        "openings": "different openings of answers",
        "commonest": "commonest opening",
        "estimate": "training would take",
        "cost": "and cost",
        "unknown": "not known",
        "source": "speed from",
        "training": "Training for {epochs} epochs: about {seconds} s{cost} ({source}).",
        "costing": ", cost {cost}",
        "report": "Report: {path}",
        "examined": "rows whose amounts were examined",
        "topics": "rows by topic",
        "made": "made: {when}.",
        "masked": "Personal data is masked.",
        "and": "{n} more: --json or --html lists them.",
    },
    "ja": {
        "title": "学習データの検査結果",
        "error": "エラー",
        "warning": "警告",
        "note": "注記",
        "errors": "エラー",
        "warnings": "警告",
        "notes": "注記",
        "rows": "行",
        "tokens": "トークン",
        "seconds": "検査時間（秒）",
        "clean": "問題は見つかりませんでした。学習を始められます。",
        "fix first": "まずエラーを直してください。どれも品質を下げるか、学習を止める原因になります。",
        "look": "エラーはありません。学習の前に警告を確認してください。",
        "only notes": "エラーも警告もありません。注記は余裕のあるときに確認してください。",
        "why": "影響",
        "fix": "対処",
        "see": "参照",
        "more": "残り{n}件",
        "not shown": "ほかに{n}件ありますが、省略しました。",
        "files": "ファイル",
        "file": "ファイル",
        "format": "形式",
        "encoding": "文字コード",
        "read as": "判別の根拠",
        "figures": "データの概要",
        "length": "1行のトークン数（最短・中央値・最長）",
        "max_length": "max_length",
        "languages": "質問の言語別行数",
        "manners": "日本語の回答：敬体・常体",
        "openings": "回答の書き出しの種類の割合",
        "commonest": "最も多い書き出し",
        "estimate": "学習時間の見積もり",
        "cost": "費用の見積もり",
        "unknown": "不明",
        "source": "速度の出典",
        "training": "学習時間の見積もり：{epochs}エポックで約{seconds}秒{cost}［{source}］",
        "costing": "、費用{cost}",
        "report": "レポート：{path}",
        "examined": "数値を調べた行数",
        "topics": "話題別の行数",
        "made": "作成：{when}。",
        "masked": "個人情報は伏せ字にしています。",
        "and": "ほかに{n}件あります。--json または --html ですべて表示できます。",
    },
}


def _word(key: str, language: str) -> str:
    return LABELS.get(language, LABELS["en"])[key]


def _of_rule(rule: str, what: str, language: str) -> str:
    known = RULES.get(rule)
    if known is None:
        return rule if what == "title" else ""
    text = getattr(known, f"{what}_ja" if language == "ja" else what)
    return str(text)


def verdict(report: CheckReport, language: str = "en") -> str:
    """One sentence: what to do now."""
    counted = report.severities
    for severity, key in (("error", "fix first"), ("warning", "look"), ("note", "only notes")):
        if counted[severity]:
            return _word(key, language)
    return _word("clean", language)


# -- the terminal ------------------------------------------------------------------------------

_COLOURS = {"error": "red", "warning": "yellow", "note": "cyan"}


def findings_table(report: CheckReport, language: str = "en") -> Any:
    """A rich renderable: a table of the findings, gravest first, then what each rule means, and the
    verdict.
    """
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    parts: list[Any] = []
    listed = _gravest_first(report.findings)[:TERMINAL]
    if listed:
        table = Table(box=None, pad_edge=False, show_header=False)
        for name, ratio in (("where", None), ("severity", None), ("finding", 1)):
            table.add_column(name, ratio=ratio, no_wrap=name != "finding", overflow="fold")
        for found in listed:
            text = Text()
            text.append(f"{found.rule}  ", style="bold")
            text.append(_message(found, language))
            advice = own_fix(found, language)
            if advice:
                text.append(f" → {advice}", style="dim")
            if found.excerpt:
                text.append("\n")
                text.append(
                    _without_controls(found.excerpt), style=f"{_COLOURS[found.severity]} italic"
                )
            table.add_row(
                Text(f"{_short(found.file)}:{found.line}"),
                Text(_word(found.severity, language), style=_COLOURS[found.severity]),
                text,
            )
        parts.append(table)
    total = sum(report.severities.values())
    if total > len(listed):
        parts.append(Text(_word("and", language).format(n=f"{total - len(listed):,}")))
    for rule in dict.fromkeys(found.rule for found in listed):
        text = Text("\n")
        text.append(rule, style="bold")
        text.append(f"  {_of_rule(rule, 'why', language)}\n  → {_of_rule(rule, 'fix', language)}")
        parts.append(text)
    parts.append(Text(f"\n{headline(report, language)}\n{verdict(report, language)}", style="bold"))
    return Group(*parts)


def headline(report: CheckReport, language: str = "en") -> str:
    """Rows, tokens and how much was found, on one line."""
    summary, counted = report.summary, report.severities
    gap = "" if language == "ja" else " "
    pieces = [f"{summary.get('rows', 0):,}{gap}{_word('rows', language)}"]
    if summary.get("tokens") is not None:
        pieces.append(f"{summary['tokens']:,}{gap}{_word('tokens', language)}")
    for severity in SEVERITIES:
        n = counted[severity]
        key = severity if n == 1 else f"{severity}s"
        pieces.append(
            f"{_word(key, language)}{n:,}件"
            if language == "ja"
            else f"{n:,} {_word(key, language)}"
        )
    return " · ".join(pieces)


def _gravest_first(findings: Sequence[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda found: SEVERITIES.index(found.severity))


def _short(file: str) -> str:
    return Path(file).name or file


def _without_controls(text: str) -> str:
    """Characters that would move the cursor or recolour the terminal are written out."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def afterword(report: CheckReport, language: str = "en") -> list[str]:
    """Lines that follow the terminal's table: how each file was read, and what training will take."""
    lines = [
        f"{file['file']}: {_said(file['reason'], language)}" for file in report.summary["files"]
    ]
    estimate = report.summary.get("estimate")
    if estimate and estimate["seconds"] is not None:
        cost = estimate["cost"]
        lines.append(
            _word("training", language).format(
                epochs=f"{estimate['epochs']:g}",
                seconds=f"{estimate['seconds']:,.0f}",
                cost="" if cost is None else _word("costing", language).format(cost=f"{cost:,.2f}"),
                source=_said(estimate["source"], language),
            )
        )
    return lines


# -- the report --------------------------------------------------------------------------------


def findings_html(report: CheckReport, language: str = "en") -> str:
    """The report as one HTML document: styles inside, no script, nothing loaded from elsewhere."""
    title = _word("title", language)
    made = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z")
    footer = f"{_word('made', language).format(when=made)} {_word('masked', language)}"
    several = len(report.summary.get("files", ())) > 1
    sections = [_overview(report, language)]
    rules = sorted(
        report.counts,
        key=lambda rule: (
            min(SEVERITIES.index(found.severity) for found in report.of(rule)),
            -report.counts[rule],
        ),
    )
    sections += [_rule_section(report, rule, language, several) for rule in rules]
    sections += [_figures_section(report, language), _files_section(report, language)]
    return (
        f'<!DOCTYPE html>\n<html lang="{escape(language)}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}{_OWN_STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"<header><h1>{escape(title)}</h1><p>{escape(headline(report, language))}</p></header>\n"
        + "\n".join(filter(None, sections))
        + f"\n<footer>{escape(footer)}</footer>\n"
        "</main>\n</body>\n</html>\n"
    )


def write_findings(report: CheckReport, path: str | Path, language: str = "en") -> Path:
    """Write `findings_html` to a file, whole or not at all; gives the path back."""
    document = findings_html(report, language)
    with atomic_file(Path(path)) as temporary:
        temporary.write_text(document, encoding="utf-8", errors="replace", newline="\n")
    return Path(path)


def _overview(report: CheckReport, language: str) -> str:
    counted = report.severities
    tiles = "".join(
        f'<div class="tile {severity}{"" if counted[severity] else " none"}"><b>{counted[severity]:,}</b>'
        f"<span>{escape(_word(severity + 's', language))}</span></div>"
        for severity in SEVERITIES
    )
    rows = "".join(
        f'<tr><th><a href="#{escape(rule)}">{escape(_of_rule(rule, "title", language))}</a>'
        f" <code>{escape(rule)}</code></th><td>{count:,}</td></tr>"
        for rule, count in sorted(report.counts.items(), key=lambda pair: -pair[1])
    )
    table = (
        f'<div class=scroll><table class="counts"><tbody>{rows}</tbody></table></div>'
        if rows
        else ""
    )
    told = escape(verdict(report, language))
    return f"<section><div class=tiles>{tiles}</div><p class=verdict>{told}</p>{table}</section>"


def _rule_section(report: CheckReport, rule: str, language: str, several: bool) -> str:
    findings = report.of(rule)
    severity = min((found.severity for found in findings), key=SEVERITIES.index)
    items = [_item(found, language, several) for found in findings[:MOST]]
    body = "".join(items[:SHOWN])
    if len(items) > SHOWN:
        more = escape(_word("more", language).format(n=f"{len(items) - SHOWN:,}"))
        body += f"<details><summary>{more}</summary>{''.join(items[SHOWN:])}</details>"
    hidden = report.counts[rule] - len(items)
    if hidden > 0:
        body += f"<p class=lead>{escape(_word('not shown', language).format(n=f'{hidden:,}'))}</p>"
    why, fix = _of_rule(rule, "why", language), _of_rule(rule, "fix", language)
    advice = "".join(
        f"<p class=advice><b>{escape(_word(key, language))}</b> {escape(text)}</p>"
        for key, text in (("why", why), ("fix", fix))
        if text
    )
    return (
        f'<section id="{escape(rule)}"><h2><span class="badge {severity}">{escape(_word(severity, language))}</span> '
        f"{escape(_of_rule(rule, 'title', language))} <code>{escape(rule)}</code></h2>{advice}{body}</section>"
    )


def _item(found: Finding, language: str, several: bool) -> str:
    name = f"{_short(found.file)} " if several else ""
    place = name + _line(found.line, language)
    quote = f'<q class="{found.severity}">{_marked(found)}</q>' if found.excerpt else ""
    advice = own_fix(found, language)
    fix = f"<span class=fix>→ {escape(advice)}</span>" if advice else ""
    return (
        f"<div class=item><span class=where>{escape(place)}</span><div>"
        f"<p>{escape(_message(found, language))}</p>{quote}{fix}</div></div>"
    )


def _line(number: int, language: str) -> str:
    return f"{number:,}行目" if language == "ja" else f"line {number:,}"


def _said(text: str, language: str) -> str:
    return japanese(text) if language == "ja" else text


def _message(found: Finding, language: str) -> str:
    """The finding's own words, and the other row where they do not name it."""
    message = _without_controls(_said(found.message, language))
    if found.other_line is None:
        return message
    line = _line(found.other_line, language)
    if f"line {found.other_line}" in message or (language == "ja" and line in message):
        return message
    file = _short(found.other_file) if found.other_file else ""
    if language == "ja":
        place = f"{file} の{line}" if file else line
        return f"{message.removesuffix('。')}（{place}を{_word('see', language)}）。"
    return f"{message} ({_word('see', language)}: {f'{file} ' if file else ''}{line})"


def own_fix(found: Finding, language: str = "en") -> str:
    """The finding's advice where it says more than its rule's."""
    known = RULES.get(found.rule)
    return "" if known is not None and found.fix == known.fix else _said(found.fix, language)


def _marked(found: Finding) -> str:
    """The excerpt, with what the message quotes marked in it, and control characters written out."""
    text = found.excerpt
    named = re.findall(r'"([^"]{1,80})"|(<[^<>\s]{1,60}>)', found.message)
    quoted = [piece for pair in named for piece in pair if piece and piece in text]
    if not quoted:
        return escape(_shown(text))
    pattern = "|".join(re.escape(piece) for piece in sorted(set(quoted), key=len, reverse=True))
    parts = []
    position = 0
    for match in re.finditer(pattern, text):
        parts.append(escape(_shown(text[position : match.start()])))
        parts.append(f"<mark>{escape(_shown(match[0]))}</mark>")
        position = match.end()
    return "".join([*parts, escape(_shown(text[position:]))])


def _shown(text: str) -> str:
    return "".join(c if c.isprintable() or c in "\n\t" else repr(c)[1:-1] for c in text)


def _figures_section(report: CheckReport, language: str) -> str:
    summary = report.summary
    rows: list[tuple[str, str]] = []
    lengths = summary.get("lengths") or {}
    if lengths:
        shown = f"{lengths['shortest']:,} · {lengths['median']:,.0f} · {lengths['longest']:,}"
        rows += [
            (_word("length", language), shown),
            (_word("max_length", language), f"{lengths['max_length']:,}"),
        ]
    if summary.get("languages"):
        shown = " · ".join(
            f"{_name(name, language)} {count:,}" for name, count in summary["languages"].items()
        )
        rows.append((_word("languages", language), shown))
    manners = summary.get("manners") or {}
    if any(manners.values()):
        rows.append((_word("manners", language), f"{manners['polite']:,} · {manners['plain']:,}"))
    openings = summary.get("openings") or {}
    if openings:
        rows.append((_word("openings", language), f"{openings['different']:.0%}"))
        rows.append(
            (_word("commonest", language), f"{openings['commonest']}… ({openings['share']:.0%})")
        )
    topics = summary.get("topics") or {}
    if topics:
        shown = " · ".join(f"{name} {count:,}" for name, count in topics.items())
        rows.append((_word("topics", language), shown))
    examined = (summary.get("examined") or {}).get("amounts")
    if examined is not None and examined != summary.get("rows"):
        rows.append((_word("examined", language), f"{examined:,}"))
    estimate = summary.get("estimate")
    if estimate:
        seconds = estimate["seconds"]
        took = _word("unknown", language) if seconds is None else _duration(seconds, language)
        rows.append((_word("estimate", language), took))
        if estimate["cost"] is not None:
            rows.append((_word("cost", language), f"{estimate['cost']:,.2f}"))
        rows.append((_word("source", language), _said(str(estimate["source"]), language)))
    rows.append((_word("seconds", language), f"{summary.get('seconds', 0):.2f}"))
    table = _table([], [(name, (escape(value),)) for name, value in rows], "facts")
    return _section(_word("figures", language), "", table, name="figures")


_NAMES_JA = {"en": "英語", "ja": "日本語", "unknown": "不明"}


def _name(name: str, language: str) -> str:
    return _NAMES_JA.get(name, name) if language == "ja" else name


def _duration(seconds: float, language: str) -> str:
    if seconds < 120:
        return f"{seconds:.0f}秒" if language == "ja" else f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f}分" if language == "ja" else f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f}時間" if language == "ja" else f"{seconds / 3600:.1f} h"


def _files_section(report: CheckReport, language: str) -> str:
    files = report.summary.get("files") or []
    if not files:
        return ""
    keys = ("file", "rows", "format", "encoding", "read as")
    rows = [
        (
            str(file["file"]),
            (
                f"{file['rows']:,}",
                escape(f"{file['container']}, {_name(file['format'], language)}"),
                escape(_name(file["encoding"], language)),
                f"<span class=reason>{escape(_said(file['reason'], language))}</span>",
            ),
        )
        for file in files
    ]
    table = _table([_word(key, language) for key in keys], rows, "files")
    return _section(_word("files", language), "", table, name="files")


_OWN_STYLE = """
:root{--error:#c4362d;--warning:#9a6700;--note:#2f6fab}
@media (prefers-color-scheme:dark){:root{--error:#ff8177;--warning:#e3b341;--note:#7fb4e6}}
h2 code,table.counts code{font-size:.78rem;font-weight:400;color:var(--soft);margin-left:.35rem}
.tiles{display:flex;gap:.8rem;flex-wrap:wrap}
.tile{flex:1 1 7rem;border:1px solid var(--line);border-left:5px solid currentColor;border-radius:8px;
padding:.5rem .9rem}
.tile b{display:block;font-size:1.8rem;line-height:1.2}
.tile span{color:var(--soft)}
.tile.none{color:var(--line)}
.tile.none b{color:var(--soft)}
.tile.error:not(.none){color:var(--error)}
.tile.warning:not(.none){color:var(--warning)}
.tile.note:not(.none){color:var(--note)}
.verdict{font-weight:600;margin:1rem 0 .4rem}
table.counts th{font-weight:500}
table.counts a{color:var(--accent)}
.badge{font-size:.75rem;font-weight:600;border:1px solid currentColor;border-radius:99px;padding:.1rem .6rem;
vertical-align:.18em;margin-right:.3rem;white-space:nowrap}
.badge.error{color:var(--error)}.badge.warning{color:var(--warning)}.badge.note{color:var(--note)}
.advice{margin:.25rem 0;max-width:52rem;padding-left:6.4rem;text-indent:-6.4rem}
.advice b{display:inline-block;min-width:6.4rem;text-indent:0;color:var(--soft);font-weight:600}
.item{display:grid;grid-template-columns:9.5rem 1fr;gap:.2rem 1rem;border-top:1px solid var(--line);
padding:.6rem 0;margin-top:.5rem}
.item p{margin:0}
.where{color:var(--soft);font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
.other,.fix{color:var(--soft)}
.fix{display:block}
q{display:block;quotes:none;white-space:pre-wrap;overflow-wrap:anywhere;margin:.3rem 0;padding:.3rem .7rem;
border-left:3px solid var(--line);background:var(--ground);border-radius:0 6px 6px 0}
q.error{border-color:var(--error)}q.warning{border-color:var(--warning)}q.note{border-color:var(--note)}
q mark{background:#ffd33d66;color:inherit;border-radius:3px;padding:0 .1em;font-weight:600}
table.files td,table.files th{text-align:left}
.reason{display:inline-block;min-width:14rem}
@media (max-width:40rem){.item{grid-template-columns:1fr}}
"""
