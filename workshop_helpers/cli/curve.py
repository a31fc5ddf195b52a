"""`workshop curve`: does the model need more rows?"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .arguments import (
    READ_HELP,
    above_zero,
    add_reading,
    add_verb,
    flag,
    option,
    output_path,
    read_options,
)
from .output import OK, show

if TYPE_CHECKING:
    from ..dataset.formats import Conversation
    from ..metrics.scoring import Question

_PAGE = "report.html"
_RATIOS = (4.0, 1.0)


def add_curve_verb(verbs: Any) -> None:
    """Add `curve` to the subparsers `verbs`."""
    curve = add_verb(
        verbs, "curve", _curve, "do I need more rows? short trainings on growing shares of them",
        "Trains on an eighth, a quarter, a half and all of the rows, and on all with half of the "
        "epochs, asks held-out questions each time, and says what is missing: more rows, other "
        "wordings, more epochs, or a larger model. Writes OUT/report.html and OUT/report.json; "
        "goes on where it was stopped.",
        device=True, overwrite=True,
    )  # fmt: skip
    option(curve, "--data", "FILE", READ_HELP, Path, required=True)
    asked = "held-out questions, or rows (default: a fifth of FILE is kept back for them)"
    option(curve, "--questions", "FILE", asked, Path)
    what = "a catalogue name (see `workshop models`), or a model folder (default: %(default)s)"
    option(curve, "--model", "MODEL", what, default="mame")
    where = "where to write (default: runs/ and the name of FILE with -curve)"
    option(curve, "--out", "DIR", where, output_path)
    option(
        curve, "--epochs", "N", "times to go through the rows (default: the model's)", above_zero
    )
    flag(curve, "--quick", "from a quarter of the rows on, and with one seed: half of the time")
    add_reading(curve)


def _curve(args: argparse.Namespace) -> int:
    from ..core.cards import write_card
    from ..core.ownership import refuse_foreign_file
    from ..core.wordings import say
    from ..display import as_table
    from ..display.rows_curve import advice_lines, expected_line, write_rows_curve
    from ..evaluation.curve import KIND, QUICK, SEEDS, WHOLE, plan_curve
    from ..evaluation.fit import duration, weigh_base
    from ..training.recipe import LoraRecipe

    out = (args.out or Path("runs") / f"{args.data.stem}-curve").expanduser()
    page = out / _PAGE
    refuse_foreign_file(page, KIND, overwrite=args.overwrite)
    recipe = LoraRecipe.for_model(args.model)
    recipe = recipe.replace(epochs=args.epochs) if args.epochs else recipe
    rows, questions = _rows_and_questions(args, out)
    parts, seeds = (QUICK, SEEDS[:1]) if args.quick else (WHOLE, SEEDS)
    how = {"device": args.device, "overwrite": args.overwrite}
    plan = plan_curve(
        args.model, rows, questions, out, recipe=recipe, parts=parts, seeds=seeds, **how
    )
    language, todo = plan.curve.language, plan.missing()
    if todo:
        for sentence in weigh_base(args.model, rows, args.device)[2]:
            print(sentence.said(language), file=sys.stderr)
        values = {"n": len(todo), "rows": len(rows), "questions": plan.curve.questions}
        told = say("curve.takes", language, **values, time=duration(plan.seconds()))
        print(told, file=sys.stderr)
    curve = plan.run()
    write_rows_curve(page, curve)
    write_card(page, {"kind": KIND})
    advice = [line for what, why in advice_lines(curve) for line in (f"• {what}", f"  {why}")]
    files = (("report", str(page)), ("figures", str(plan.report)))
    show(args, curve, as_table(curve).rich(), *advice, expected_line(curve) or None, *files)
    return OK


def _rows_and_questions(
    args: argparse.Namespace, out: Path
) -> tuple[list[Conversation], list[Question]]:
    """What is trained on, and what is asked: a file of its own, or a part of the rows."""
    from ..core.ownership import keep_apart
    from ..dataset.checks import split
    from ..dataset.formats import read_conversations
    from ..evaluation.curve import PARTS, refuse_foreign
    from ..evaluation.shop import questions_of
    from ..models.resolve import folders_of, resolve

    keep_apart(out, [args.data, args.questions, *folders_of(resolve(args.model))])
    how = read_options(args)
    if args.questions is not None:
        return read_conversations(args.data, **how), questions_of(args.questions)
    refuse_foreign(out)
    shared = split(args.data, out / PARTS, ratios=_RATIOS, overwrite=args.overwrite, **how)
    rows = read_conversations(shared.files["train"], columns=how["columns"])
    return rows, questions_of(shared.questions) if shared.questions else []
