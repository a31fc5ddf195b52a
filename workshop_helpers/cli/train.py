"""`workshop train` and `workshop merge`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from ..core.errors import WorkshopError
from .arguments import (
    READ_HELP,
    above_zero,
    add_reading,
    add_verb,
    at_least_one,
    given,
    option,
    output_path,
    read_options,
)
from .output import OK, again, megabytes, show

RECIPE = (
    "epochs", "rank", "learning_rate", "batch_size", "seed", "general_rows", "max_length",
)  # fmt: skip

PATIENCE = 2  # epochs: a validation loss may rise once and fall again


def add_train_verbs(verbs: Any) -> None:
    """Add `train` and `merge` to the subparsers `verbs`."""
    from ..training.methods import METHODS

    train = add_verb(
        verbs, "train", _train, "train a LoRA adapter on rows of questions and answers",
        "`workshop data check FILE` finds what is wrong with the rows first. An interrupted run "
        "goes on where it stopped when the same command is given again.",
        device=True, overwrite=True,
    )  # fmt: skip
    what = "a catalogue name (see `workshop models`), or a model folder"
    option(train, "--model", "MODEL", what, required=True)
    option(train, "--data", "FILE", READ_HELP, Path, required=True)
    out = "folder for the adapter (with --method full: for the model)"
    option(train, "--out", "DIR", out, output_path, required=True)
    option(train, "--rows", "N", "use only the first N rows (default: all)", at_least_one)
    recipe = train.add_argument_group("the recipe (default: the model's own; mame / another model)")
    how = "what is trained: a LoRA adapter, or that of a variant; qlora keeps the base in 4 bits "
    how += "meanwhile; full trains the whole model (default: lora)"
    recipe.add_argument("--method", choices=(*METHODS,), default="lora", help=how)
    epochs = f"times to go through the rows ({_defaults('epochs')})"
    option(recipe, "--epochs", "N", epochs, above_zero)
    rank = f"width of the adapter: more can learn more ({_defaults('rank')})"
    option(recipe, "--rank", "N", rank, at_least_one)
    rate = f"learning rate ({_defaults('learning_rate')}; with --method full 0.3 times that)"
    option(recipe, "--lr", "X", rate, above_zero, dest="learning_rate")
    batch = f"rows a step ({_defaults('batch_size')})"
    option(recipe, "--batch-size", "N", batch, at_least_one)
    longest = "most tokens of a row, question and answer; a longer answer is cut"
    longest = f"{longest} ({_defaults('max_length')})"
    option(recipe, "--max-length", "N", longest, at_least_one)
    seed = f"the same seed gives the same adapter ({_defaults('seed')})"
    option(recipe, "--seed", "N", seed, int)
    option(recipe, "--general", "FILE", "general rows to mix in against forgetting", Path)
    share = "how many of them, as a share of the training rows: 0.5 is one to two"
    option(recipe, "--general-rows", "X", f"{share} ({_defaults('general_rows')})", above_zero)
    checked = train.add_argument_group("validation: a loss of other rows after each epoch")
    others = "rows that are not trained on; the adapter of their lowest loss is the one written"
    option(checked, "--validation", "FILE", others, Path)
    patience = f"end after N epochs without a lower validation loss ({PATIENCE} without N)"
    option(checked, "--early-stopping", "N", patience, at_least_one, nargs="?", const=PATIENCE)
    add_reading(train)

    merge = add_verb(
        verbs, "merge", _merge, "fold an adapter into its base model",
        "Checks that the result answers like base + adapter, and unlike the base.",
        device=True, overwrite=True,
    )  # fmt: skip
    option(merge, "adapter", "ADAPTER", "the adapter folder that `workshop train` wrote")
    option(merge, "--out", "DIR", "folder for the merged model", output_path, required=True)


def _defaults(name: str) -> str:
    """What a recipe has where no option says otherwise: for mame / for a model without its own."""
    from ..models.catalogue import CATALOGUE
    from ..training.recipe import LoraRecipe

    own, other = (getattr(LoraRecipe(**r), name) for r in (CATALOGUE["mame"].recipe, {}))
    return f"{own:g}" if own == other else f"{own:g} / {other:g}"


def _train(args: argparse.Namespace) -> int:
    from ..dataset.formats.strict import read_conversations
    from ..evaluation.fit import weigh_base
    from ..training.recipe import LoraRecipe
    from ..training.train import train

    changes = {name: value for name, value in given(args, *RECIPE).items() if value is not None}
    if args.method == "full" and args.rank is not None:
        raise WorkshopError(
            "--rank is the width of an adapter, and --method full trains none. Leave one of the "
            "two away."
        )
    recipe = LoraRecipe.for_model(args.model, args.method).replace(**changes)
    rows = read_conversations(args.data, limit=args.rows, **read_options(args))
    if thoughts := sorted({name for row in rows for name in row.thoughts}):
        print(f"Not learned, only the answers are: {', '.join(thoughts)}.", file=sys.stderr)
    for sentence in weigh_base(args.model, rows, args.device)[2]:
        print(sentence, file=sys.stderr)
    how = given(args, "general", "validation", "early_stopping", "device", "overwrite")
    report = train(args.model, rows, args.out, recipe, **how)
    if args.rows is not None and len(rows) < args.rows:
        fewer = f"{args.data} has {len(rows)} rows, not {args.rows}: it was trained on all of them."
        print(fewer, file=sys.stderr)
    show(args, report, *_trained(report))
    return OK


def _trained(report: Any) -> list[tuple[str, str]]:
    share = report.trainable / report.total
    made = "model" if report.recipe.method == "full" else "adapter"
    lines = {
        made: f"{report.adapter}{again(report.reused)}",
        "trained": f"{report.trainable:,} of {report.total:,} parameters ({share:.2%}) on "
        f"{report.device}",
        "loss": report.losses and f"{report.losses[0][2]:.3f} → {report.losses[-1][2]:.3f}",
        "time": f"{report.seconds:.1f} s for {report.tokens:,} tokens, peak memory "
        f"{megabytes(report.peak_memory_bytes)}",
        "validation": report.validation and _validated(report.validation),
        "went on": report.resumed_from is not None
        and f"from step {report.resumed_from} of an interrupted run",
        "truncated": report.truncated
        and f"{_rows(report.truncated)}: longer than {report.recipe.max_length} tokens",
        "dropped": report.dropped and f"{_rows(report.dropped)}: nothing of the answer fits",
    }
    return [(label, text) for label, text in lines.items() if text]


def _validated(found: Any) -> str:
    step, epoch, loss = found.best
    last = found.losses[-1]
    told = f"lowest loss {loss:.3f} after epoch {epoch:g} (step {step}), whose adapter this is"
    if found.ended == "early":
        return f"{told}; ended after epoch {last[1]:g}: not lower for {found.patience} epochs"
    return f"{told}; {last[2]:.3f} at the end"


def _rows(numbers: list[int]) -> str:
    shown = ", ".join(map(str, numbers[:10])) + (", …" if len(numbers) > 10 else "")
    return f"{len(numbers)} row{'s' if len(numbers) > 1 else ''} ({shown})"


def _merge(args: argparse.Namespace) -> int:
    from ..training.merge import merge

    report = merge(args.adapter, args.out, **given(args, "device", "overwrite"))
    show(
        args,
        report,
        ("model", f"{report.model}{again(report.reused)}"),
        ("size", f"{megabytes(report.size_bytes)} in {report.dtype}"),
        (
            "check",
            f"logits differ by at most {report.difference_to_adapter:.2g} from base + adapter, "
            f"by {report.difference_to_base:.2g} from the base alone",
        ),
        ("time", f"{report.seconds:.1f} s"),
    )
    return OK
