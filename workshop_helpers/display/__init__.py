"""What people look at: plots, answers side by side, the report. The only place that knows a
notebook.
"""

from __future__ import annotations

from .html import Html, diff, report_html, side_by_side, write_report
from .labels import LABELS, label
from .plots import Plot, loss_curve, recall_bars, size_against_quality
from .tables import ResultTable, as_table

view = as_table

__all__ = [
    "LABELS",
    "Html",
    "Plot",
    "ResultTable",
    "as_table",
    "diff",
    "label",
    "loss_curve",
    "recall_bars",
    "report_html",
    "side_by_side",
    "size_against_quality",
    "view",
    "write_report",
]
