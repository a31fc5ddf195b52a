"""The shop's rows as rows come in real life: with the usual faults among them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from ..core.artifacts import atomic_file
from ..core.wordings import entries
from .shop import Shop

ROWS = 60
# Each fault, and the rule that finds it. `NAME-asks` and `NAME-says` are in dirty.yaml.
FAULTS = {
    "price": "contradicting-fact",
    "mail": "pii-email",
    "phone": "pii-phone",
    "assistant": "boilerplate",
    "unfilled": "placeholder",
    "page": "html",
    "hidden": "invisible-character",
    "marker": "special-token",
    "foreign": "mixed-language",
}


@dataclass(frozen=True)
class DirtyRows:
    """A file of training rows with faults: `path`, how many `rows` it holds, and the faults that
    were put in (`planted`: rule → line).
    """

    path: Path
    rows: int
    planted: dict[str, int]


def write_dirty_rows(shop: Shop, out: str | Path, *, overwrite: bool = False) -> DirtyRows:
    """Write the shop's first 60 rows to `out`, JSON Lines in the Alpaca format, and spoil them as
    collected rows are spoilt: a row twice, a broken line, an answer left out, a wrong price, an
    address, leftovers of another assistant and of a web page, a held-out question. Raises
    WorkshopError where `out` holds something else, without `overwrite`.
    """
    out = Path(out)
    texts = {name: said[shop.language] for name, said in entries("dirty").items()}
    rows = [(row.question, row.answer) for row in shop.train[:ROWS]]
    lines = [_line(*row) for row in rows]
    planted = {}

    def plant(rule: str, line: str) -> None:
        # Here and there, not all at the end; the lines before keep their number.
        lines.append(line)
        planted[rule] = len(lines)

    plant("duplicate", lines[2])
    plant("empty-answer", _line(rows[6][0], ""))
    plant("invalid-json", _line(*rows[8])[:-12])
    for name, rule in FAULTS.items():
        plant(rule, _line(texts[f"{name}-asks"], texts[f"{name}-says"]))
    plant("too-long", _line(texts["long-asks"], "\n".join(answer for _, answer in rows)))
    held_out = shop.questions[0]
    plant("leakage", _line(held_out.question, rows[0][1]))
    plant("conflicting-answers", _line(rows[0][0], texts["conflict-says"]))
    out.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(out, overwrite=overwrite) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    return DirtyRows(out, len(lines), planted)


def _line(question: str, answer: str) -> str:
    row = {"instruction": question, "input": "", "output": answer}
    return json.dumps(row, ensure_ascii=False)
