"""Tables of the guide beyond the talk: of what a cell has just measured, and of what is recorded in
results/advanced.

Headings and names of rows are wordings by chapter (`core/wordings/measured-NN.yaml`); how a figure
is written follows from the end of its column's name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..core.artifacts import results_path
from ..core.errors import WorkshopError
from ..core.jsonio import read_json
from ..core.wordings import entries, say
from .tables import ResultTable, percent

# End of a column's name → how its figures are written.
UNITS = {
    "_share": percent,
    "_seconds": lambda value: f"{value:.1f} s",
    "_bytes": lambda value: f"{value / 1e6:,.1f} MB",
    "_ratio": lambda value: f"{value:.2f}×",
}


def figures_table(chapter: str, rows: Sequence[Mapping[str, Any]], language: str) -> ResultTable:
    """`rows` (column → value, all with the same columns) as a table in `language`.

    `chapter` ("11") names the wordings. A column whose name ends in _share (0 to 1), _seconds,
    _bytes or _ratio is written with its unit; None is "–".
    """
    if not rows:
        raise WorkshopError("There is no row to show: nothing was measured.")
    return ResultTable(
        "figures",
        [chapter_word(chapter, column, language) for column in rows[0]],
        [[_cell(chapter, name, value, language) for name, value in row.items()] for row in rows],
    )


def measured(name: str, table: str, language: str) -> ResultTable:
    """A table of results/advanced/NAME.json, such as ``measured("11_methods", "facts", "en")``, and
    the day and the machine it was measured on.

    Raises WorkshopError where the file or the table is missing.
    """
    found, rows = recorded_rows(name, table)
    made = figures_table(name[:2], rows, language)
    machine = f"{found['machine']['cpu']}, {found['machine']['cores']}"
    said = say("measured.where", language, day=found["made"][:10], machine=machine)
    return ResultTable(made.kind, made.head, made.rows, said)


def recorded_rows(name: str, table: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What results/advanced/NAME.json says, and one of its tables; WorkshopError as `measured`."""
    found: dict[str, Any] = read_json(results_path("advanced") / f"{name}.json", dict)
    if table not in found["tables"]:
        raise WorkshopError(
            f"results/advanced/{name}.json has no table {table}. It has: "
            f"{', '.join(found['tables'])}."
        )
    return found, found["tables"][table]


def chapter_word(chapter: str, code: str, language: str) -> str:
    """The wording of a column or a row's name; what has none, such as a type, stands as it is."""
    name = f"measured-{chapter}"
    return say(f"{name}.{code}", language) if code in entries(name) else code


def _cell(chapter: str, column: str, value: Any, language: str) -> str:
    if value is None:
        return "–"
    if isinstance(value, str):
        return chapter_word(chapter, value, language)
    for end, written in UNITS.items():
        if column.endswith(end):
            return written(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
