"""What people look at: plots, tables, answers side by side, the report. The only room that knows a
notebook or writes HTML.
"""

from __future__ import annotations

from typing import Any

from ..dataset.checks.findings import CheckReport
from ..dataset.formats.samples import RowFormats
from ..evaluation.comparison import SideBySide
from ..training.report import TrainingReport
from .answers import answers_side_by_side
from .changes import diff
from .curves import learning_curve
from .evaluated import interval_plot
from .findings import findings_view
from .formats import formats_view
from .html import Html
from .machine import duration
from .plots import Plot, loss_curve, recall_bars, size_against_quality
from .report import report_html, write_report
from .rows_curve import rows_curve_plot
from .sweep import sweep_plot
from .tables import ResultTable, as_table, percent
from .validation import validation_curve
from .widgets.curves import curve_explorer

__all__ = [
    "Html",
    "Plot",
    "ResultTable",
    "answers_side_by_side",
    "as_table",
    "curve_explorer",
    "diff",
    "duration",
    "interval_plot",
    "learning_curve",
    "loss_curve",
    "percent",
    "recall_bars",
    "report_html",
    "rows_curve_plot",
    "size_against_quality",
    "sweep_plot",
    "validation_curve",
    "view",
    "write_report",
]


def view(result: Any) -> Html | Plot | ResultTable:
    """What shows a result best, in the result's own language. TypeError for what has no view."""
    if isinstance(result, SideBySide):
        return answers_side_by_side(result)
    if isinstance(result, TrainingReport):
        if result.validation:
            return validation_curve(result)
        return loss_curve(result) if result.losses else Html("", repr(result))
    if isinstance(result, CheckReport):
        return findings_view(result)
    if isinstance(result, RowFormats):
        return formats_view(result)
    return as_table(result)
