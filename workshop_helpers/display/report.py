"""The report: what one run measured, in one file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any

from ..core.artifacts import atomic_file
from ..core.wordings import say
from ..evaluation.comparison import Comparison
from ..evaluation.quantization import QuantizationTable
from ..training.merge import MergeReport
from ..training.report import TrainingReport
from .answers import answers_side_by_side
from .html import html_table, page, section
from .plots import Plot, loss_curve, recall_bars, size_against_quality
from .tables import as_table, faults_table


def report_html(
    *,
    language: str = "en",
    title: str | None = None,
    comparison: Comparison | None = None,
    training: Mapping[str, TrainingReport] | None = None,
    merging: MergeReport | None = None,
    quantization: QuantizationTable | None = None,
    same_question: tuple[str, Iterable[tuple[str, str]]] | None = None,
    steps: Sequence[tuple[str, float]] | None = None,
    machine: Mapping[str, Any] | None = None,
    versions: Mapping[str, str] | None = None,
    shown: int = 6,
) -> str:
    """The report as one HTML document with everything inside it: styles, plots (SVG), no script.

    title: if not the demo's. training: the report of each label. same_question: the question and
    (label, answer) for each model it was put to. steps: (name, seconds). machine, versions: as
    `core.device` gives them. shown: answers open to the eye; the rest are folded. What is None is
    left out.
    """
    sections: list[str] = []
    if comparison is not None:
        sections += _comparison_sections(comparison, language, shown)
    if training is not None:
        sections.append(_training_section(training, language))
    if merging is not None:
        sections.append(_merging_section(merging, language))
    if quantization is not None:
        table = as_table(quantization, language).html()
        plot = _plot(size_against_quality(quantization, language))
        sections.append(_section("quantization", language, _scroll(table), plot))
    if same_question is not None:
        question, answers = same_question
        rows = [(name, [f"<span class=text>{escape(text)}</span>"]) for name, text in answers]
        heading = say("display.same-question", language)
        sections.append(section(heading, question, html_table([], rows), name="same-question"))
    if steps is not None:
        sections.append(_steps_section(steps, language))
    about = {**(machine or {}), **(versions or {})}
    if about:
        rows = [(name, [escape(str(value))]) for name, value in about.items() if value is not None]
        heading = say("display.machine", language)
        sections.append(section(heading, "", html_table([], rows, "facts"), name="machine"))
    made = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z")
    usual, lead, footer = (say(f"display.{k}", language) for k in ("report", "report-lead", "made"))
    return page(title or usual, lead, sections, f"{footer}: {made}", language)


def write_report(path: str | Path, **parts: Any) -> Path:
    """Write `report_html(**parts)` to a file atomically; returns the path."""
    document = report_html(**parts)
    with atomic_file(Path(path)) as temporary:
        temporary.write_text(document, encoding="utf-8", errors="replace")
    return Path(path)


def _section(name: str, language: str, *content: str) -> str:
    heading, lead = say(f"display.{name}", language), say(f"display.{name}-lead", language)
    return section(heading, lead, *content, name=name)


def _plot(plot: Plot) -> str:
    return f"<figure>{plot.svg()}</figure>"


def _scroll(table: str) -> str:
    return f"<div class=scroll>{table}</div>"


def _comparison_sections(comparison: Comparison, language: str, shown: int) -> list[str]:
    table = as_table(comparison, language).html()
    bars = _plot(recall_bars(comparison, language))
    count = len(comparison.questions)
    answers = [comparison.side_by_side(min(shown, count))]
    if count > shown:
        answers.append(comparison.side_by_side(range(count)))
    first, *folded = [answers_side_by_side(chosen, language).html for chosen in answers]
    summary = escape(say("display.all-answers", language, n=count))
    rest = "".join(f"<details><summary>{summary}</summary>{all}</details>" for all in folded)
    wrong = faults_table(comparison, language, most=len(comparison.rows) * count)
    if wrong is not None:
        said = escape(say("display.faults", language, n=len(wrong.rows)))
        rest += f"<details><summary>{said}</summary>{_scroll(wrong.html())}</details>"
    return [
        _section("comparison", language, _scroll(table), bars),
        _section("answers", language, first, rest),
    ]


def _training_section(training: Mapping[str, TrainingReport], language: str) -> str:
    keys = ("rows", "trainable", "tokens", "seconds", "peak-memory", "final-loss", "device")
    rows = [
        (
            name,
            (
                f"{report.rows:,}",
                f"{report.trainable:,} ({100 * report.trainable / report.total:.2g} %)",
                f"{report.tokens:,}",
                f"{report.seconds:.1f}",
                _bytes(report.peak_memory_bytes),
                f"{report.final_loss:.3f}" if report.losses else "–",
                escape(report.device),
            ),
        )
        for name, report in training.items()
    ]
    table = html_table(["", *(say(f"display.{key}", language) for key in keys)], rows)
    drawn = any(report.losses for report in training.values())
    curve = _plot(loss_curve(training, language)) if drawn else ""
    return _section("training", language, table, curve)


def _merging_section(merging: MergeReport, language: str) -> str:
    cells = {
        "difference-to-adapter": f"{merging.difference_to_adapter:.2g}",
        "difference-to-base": f"{merging.difference_to_base:.2g}",
        "merged-size": _bytes(merging.size_bytes),
        "seconds": f"{merging.seconds:.1f}",
    }
    rows = [(say(f"display.{key}", language), [cell]) for key, cell in cells.items()]
    return section(say("display.merging", language), "", html_table([], rows), name="merging")


def _steps_section(steps: Sequence[tuple[str, float]], language: str) -> str:
    whole = sum(seconds for _, seconds in steps)
    rows = []
    for name, seconds in steps:
        width = 100 * seconds / whole if whole else 0
        bar = f'<span class=bar style="width:{width:.1f}%"></span>'
        rows.append((name, (f"{seconds:.1f}", bar)))
    rows.append((say("display.total-time", language), (f"<b>{whole:.1f}</b>", "")))
    head = [say("display.step-name", language), say("display.seconds", language), ""]
    table = html_table(head, rows, "steps")
    return section(say("display.steps", language), "", table, name="steps")


def _bytes(value: float) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if value >= 1000 * size:
            return f"{value / size:,.0f} {unit}"
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:.0f} B"
