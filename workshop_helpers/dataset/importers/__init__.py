"""Rows made of what people already have: a table of questions and answers, an FAQ page, a Python
code base.

Nothing is written by a model here: every question and answer stands in the source, word for word.
What was passed over is counted with its reason, so that nobody takes a part for the whole.
"""

from .faq import rows_from_faq
from .python import rows_from_python
from .table import rows_from_table

__all__ = ["rows_from_faq", "rows_from_python", "rows_from_table"]
