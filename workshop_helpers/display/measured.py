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
from .colours import HATCH, SERIES
from .plots import Plot, house_style, label, new_figure
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


def figures_plot(
    chapter: str, rows: Sequence[Mapping[str, Any]], language: str, title: str
) -> Plot:
    """Bars of every column whose name ends in _share, for each row, under its first column's name.

    `title`: a wording of the chapter ("halves"). Wordings and rows as for `figures_table`.
    """
    if not rows:
        raise WorkshopError("There is no row to draw: nothing was measured.")
    name = next(iter(rows[0]))
    columns = [column for column in rows[0] if column.endswith("_share")]
    said = chapter_word(chapter, title, language)
    with house_style(language):
        figure = new_figure(8.6, 1.6 + (0.2 + 0.34 * len(columns)) * len(rows))
        axes = figure.add_subplot()
        for place, column in enumerate(columns):
            at = [n + 0.8 * ((place + 0.5) / len(columns) - 0.5) for n in range(len(rows))]
            look: dict[str, Any] = {"color": SERIES[place], "hatch": ("", HATCH)[place % 2]}
            bars = axes.barh(
                at,
                [100 * (row[column] or 0.0) for row in rows],
                0.72 / len(columns),
                label=chapter_word(chapter, column, language),
                edgecolor="white",
                **look,
            )
            axes.bar_label(bars, fmt="%.0f %%", padding=5, fontsize=12)
        names = [label(_cell(chapter, name, row[name], language)) for row in rows]
        axes.set_yticks(range(len(rows)), names)
        axes.invert_yaxis()
        axes.set_xlim(0, 114)
        axes.set_xticks(range(0, 101, 20))
        axes.grid(axis="y", visible=False)
        axes.set_xlabel("%")
        figure.suptitle(said, x=0.01, ha="left", fontsize=16)
        figure.legend(loc="outside lower left", ncols=2)
    told = "; ".join(
        f"{one}: {', '.join(percent(row[column]) for column in columns)}"
        for one, row in zip(names, rows, strict=True)
    )
    return Plot(figure, f"{said} ({told})")


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
