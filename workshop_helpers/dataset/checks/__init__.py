"""Checks of a training set, row by row and as a whole; cleaning, splitting, leakage."""

from __future__ import annotations

from .check import check_rows
from .clean import CleanReport, clean, leave_out
from .findings import RULES, SEVERITIES, CheckReport, Finding, finding
from .split import SplitReport, split

__all__ = [
    "RULES",
    "SEVERITIES",
    "CheckReport",
    "CleanReport",
    "Finding",
    "SplitReport",
    "check_rows",
    "clean",
    "finding",
    "leave_out",
    "split",
]
