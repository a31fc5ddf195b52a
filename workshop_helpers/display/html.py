"""Answers side by side, text differences, and the report: one file that needs no network and no
script.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any

from ..core.artifacts import atomic_file
from ..evaluation.comparison import Comparison, percent
from .labels import label
from .plots import Plot, _get, _is_report, loss_curve, recall_bars, size_against_quality


@dataclass(frozen=True)
class Html:
    """An HTML fragment that shows itself in a notebook; `text` is what to read where HTML is not
    shown.
    """

    html: str
    text: str = ""

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": self.text or self.html, "text/html": self.html}

    def __str__(self) -> str:
        return self.text or self.html


# -- fragments ---------------------------------------------------------------------------------


def side_by_side(comparison: Comparison, k: int | Sequence[int] = 3, language: str = "en") -> Html:
    """Every candidate's answer to `k` questions (those where they differ most, or those at the
    given places): stated facts green, wrong figures red, missing facts named.
    """
    chosen = comparison.side_by_side(k, language)
    return Html(chosen._repr_html_(), str(chosen))


_INS = "background:#2da44e44;color:inherit;text-decoration:underline;text-decoration-thickness:2px"
_DEL = "background:#e5534b3d;color:inherit;text-decoration:line-through"


def diff(before: str, after: str) -> Html:
    """What changed from one text to the other, character by character, as <del> and <ins>.

    Characters suit Japanese, which has no spaces. Single equal characters between two changes
    are taken into the change: scattered letters cannot be read.
    """
    pieces: list[tuple[str, str, str]] = []
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for change, a0, a1, b0, b1 in matcher.get_opcodes():
        old, new = before[a0:a1], after[b0:b1]
        if change != "equal":
            if pieces and pieces[-1][0] == "change":
                _, was, now = pieces.pop()
                old, new = was + old, now + new
            pieces.append(("change", old, new))
        elif len(old) == 1 and pieces and a1 < len(before) and b1 < len(after):
            _, was, now = pieces.pop()
            pieces.append(("change", was + old, now + new))
        else:
            pieces.append(("equal", old, new))
    out: list[str] = []
    text: list[str] = []
    for tag, old, new in pieces:
        if tag == "equal":
            out.append(escape(old))
            text.append(old)
            continue
        out += [f'<del style="{_DEL}">{escape(old)}</del>'] if old else []
        out += [f'<ins style="{_INS}">{escape(new)}</ins>'] if new else []
        text += [f"[-{old}-]"] if old else []
        text += [f"{{+{new}+}}"] if new else []
    body = "".join(out)
    return Html(
        f'<div style="white-space:pre-wrap;overflow-wrap:anywhere;line-height:1.7">{body}</div>',
        "".join(text),
    )


# -- the report --------------------------------------------------------------------------------


def report_html(
    *,
    title: str | None = None,
    language: str = "en",
    comparison: Comparison | Mapping[str, Comparison] | None = None,
    training: Any = None,
    merging: Any = None,
    quantization: Any = None,
    same_question: tuple[str, Iterable[tuple[str, str]]] | None = None,
    steps: Iterable[tuple[str, float]] | None = None,
    machine: Mapping[str, Any] | None = None,
    versions: Mapping[str, str] | None = None,
    shown: int = 6,
) -> str:
    """The report as one HTML document with everything inside it: styles, plots (SVG), no script.

    comparison: one, or several by heading. training: a TrainingReport, or label → TrainingReport;
    merging: a MergeReport; quantization: a QuantizationTable (dicts of these do as well).
    same_question: the question and (label, answer) for each model it was put to. steps: (name,
    seconds). machine, versions: as `device` gives them. shown: answers open to the eye; the rest
    are folded. What is None is left out.
    """
    sections: list[str] = []
    if comparison is not None:
        sections += _comparison_sections(comparison, language, shown)
    if training is not None:
        sections.append(_training_section(training, language))
    if merging is not None:
        sections.append(_merging_section(merging, language))
    if quantization is not None:
        sections.append(_quantization_section(quantization, language))
    if same_question is not None:
        sections.append(_same_question_section(same_question, language))
    if steps is not None:
        sections.append(_steps_section(list(steps), language))
    if machine or versions:
        sections.append(_machine_section(machine or {}, versions or {}, language))
    title = title or label("report title", language)
    made = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z")
    return (
        f'<!DOCTYPE html>\n<html lang="{escape(language)}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"<header><h1>{escape(title)}</h1><p>{escape(label('report lead', language))}</p></header>\n"
        + "\n".join(sections)
        + f"\n<footer>{escape(label('made', language))}: {escape(made)}</footer>\n"
        "</main>\n</body>\n</html>\n"
    )


def write_report(path: str | Path, **parts: Any) -> Path:
    """Write `report_html(**parts)` to a file, whole or not at all; gives the path back."""
    document = report_html(**parts)
    with atomic_file(Path(path)) as temporary:
        temporary.write_text(document, encoding="utf-8")
    return Path(path)


def _section(heading: str, lead: str, *content: str, name: str = "") -> str:
    paragraph = f"<p class=lead>{escape(lead)}</p>" if lead else ""
    return f"<section id='{name}'><h2>{escape(heading)}</h2>{paragraph}{''.join(content)}</section>"


def _plot(plot: Plot) -> str:
    return f"<figure>{plot.svg()}</figure>"


def _comparison_sections(
    comparison: Comparison | Mapping[str, Comparison], language: str, shown: int
) -> list[str]:
    named = {"": comparison} if isinstance(comparison, Comparison) else comparison
    tables, answers = [], []
    for name, one in named.items():
        heading = f"<h3>{escape(name)}</h3>" if name else ""
        tables.append(
            f"{heading}<div class=scroll>{one.to_html(language)}</div>"
            f"{_plot(recall_bars(one, language))}"
        )
        count = len(one.questions)
        first = one.side_by_side(min(shown, count), language)._repr_html_()
        rest = ""
        if count > shown:
            summary = escape(label("all answers", language, n=count))
            everything = one.side_by_side(range(count), language)._repr_html_()
            rest = f"<details><summary>{summary}</summary>{everything}</details>"
        answers.append(f"{heading}{first}{rest}")
    return [
        _section(
            label("comparison", language),
            label("comparison lead", language),
            *tables,
            name="comparison",
        ),
        _section(
            label("answers", language), label("answers lead", language), *answers, name="answers"
        ),
    ]


def _training_section(training: Any, language: str) -> str:
    named: Mapping[str, Any] = {"": training} if _is_report(training) else training
    keys = ("rows", "trainable", "tokens", "seconds", "peak memory", "final loss", "device")
    rows = []
    for name, report in named.items():
        losses = _get(report, "losses") or []
        trainable, total = _get(report, "trainable"), _get(report, "total")
        share = f" ({100 * trainable / total:.2g} %)" if trainable and total else ""
        final = _get(report, "final_loss")
        final = final if final is not None else (losses[-1][2] if losses else None)
        device = _get(report, "device", "")
        cells = (
            _number(_get(report, "rows")),
            f"{_number(trainable)}{share}",
            _number(_get(report, "tokens")),
            _decimal(_get(report, "seconds"), 1),
            _bytes(_get(report, "peak_memory_bytes")),
            _decimal(final, 3),
            escape(str(_get(device, "name", device))),
        )
        rows.append((name or label("training", language), cells))
    table = _table(["", *(label(key, language) for key in keys)], rows)
    drawn = any(_get(report, "losses") for report in named.values())
    curve = _plot(loss_curve(training, language)) if drawn else ""
    return _section(
        label("training", language), label("training lead", language), table, curve, name="training"
    )


def _merging_section(merging: Any, language: str) -> str:
    keys = ("difference to adapter", "difference to base", "size", "seconds")
    cells = (
        _general(_get(merging, "difference_to_adapter")),
        _general(_get(merging, "difference_to_base")),
        _bytes(_get(merging, "size_bytes")),
        _decimal(_get(merging, "seconds"), 1),
    )
    rows = [(label(key, language), (value,)) for key, value in zip(keys, cells, strict=True)]
    return _section(label("merging", language), "", _table([], rows), name="merging")


def _quantization_section(quantization: Any, language: str) -> str:
    columns = (
        ("size", lambda r: _bytes(_get(r, "size_bytes"))),
        ("bits", lambda r: _decimal(_get(r, "bits_per_weight"), 2)),
        ("recall", lambda r: percent(_get(r, "recall"))),
        ("perplexity", lambda r: _decimal(_get(r, "perplexity"), 3)),
        ("kl", lambda r: _general(_get(r, "kl_to_f16"))),
        ("same top token", lambda r: percent(_get(r, "same_top_token"))),
        ("load", lambda r: _decimal(_get(r, "load_seconds"), 2)),
        ("prompt speed", lambda r: _number(_get(r, "prompt_tokens_per_second"))),
        ("generation speed", lambda r: _number(_get(r, "generation_tokens_per_second"))),
    )
    measured = _get(quantization, "rows", [])
    rows = [(str(_get(row, "type")), tuple(show(row) for _, show in columns)) for row in measured]
    table = _table([label("type", language), *(label(name, language) for name, _ in columns)], rows)
    plot = _plot(size_against_quality(quantization, language)) if rows else ""
    note = _get(quantization, "note", "")
    remark = f"<p class=lead>{escape(note)}</p>" if isinstance(note, str) and note else ""
    return _section(
        label("quantization", language),
        label("quantization lead", language),
        table,
        remark,
        plot,
        name="quantization",
    )


def _same_question_section(asked: tuple[str, Iterable[tuple[str, str]]], language: str) -> str:
    question, answers = asked
    rows = [(name, (f"<span class=text>{escape(text)}</span>",)) for name, text in answers]
    return _section(
        label("same question", language), question, _table([], rows), name="same-question"
    )


def _steps_section(steps: list[tuple[str, float]], language: str) -> str:
    whole = sum(seconds for _, seconds in steps)
    rows = []
    for name, seconds in steps:
        width = 100 * seconds / whole if whole else 0
        bar = f'<span class=bar style="width:{width:.1f}%"></span>'
        rows.append((name, (f"{seconds:.1f}", bar)))
    rows.append((label("total time", language), (f"<b>{whole:.1f}</b>", "")))
    head = [label("step name", language), label("seconds", language), ""]
    return _section(label("steps", language), "", _table(head, rows, "steps"), name="steps")


def _machine_section(machine: Mapping[str, Any], versions: Mapping[str, str], language: str) -> str:
    shown = {**machine, **versions}
    rows = [
        (str(name), (escape(str(value)),)) for name, value in shown.items() if value is not None
    ]
    return _section(label("machine", language), "", _table([], rows, "facts"), name="machine")


def _table(
    head: Sequence[str], rows: Iterable[tuple[str, tuple[str, ...]]], kind: str = "figures"
) -> str:
    """A table; the cells are HTML already, the row headings are text."""
    top = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join(
        f"<tr><th>{escape(name)}</th>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
        for name, cells in rows
    )
    thead = f"<thead><tr>{top}</tr></thead>" if top else ""
    return f'<div class=scroll><table class="{kind}">{thead}<tbody>{body}</tbody></table></div>'


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"


def _decimal(value: float | None, places: int) -> str:
    return "–" if value is None else f"{value:.{places}f}"


def _general(value: float | None) -> str:
    return "–" if value is None else f"{value:.2g}"


def _bytes(value: float | None) -> str:
    if value is None:
        return "–"
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if value >= size:
            return (
                f"{value / size:.3g} {unit}"
                if value < 1000 * size
                else f"{value / size:,.0f} {unit}"
            )
    return f"{value:.0f} B"


_STYLE = """
:root{color-scheme:light dark;--ground:#fbfbfa;--card:#fff;--ink:#1d2328;--soft:#5d6872;--line:#e2e5e8;
--accent:#2f6fab}
@media (prefers-color-scheme:dark){:root{--ground:#14181c;--card:#1b2025;--ink:#e6e9ec;--soft:#9aa5af;
--line:#313940;--accent:#7fb4e6}}
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
