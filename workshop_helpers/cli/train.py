"""`workshop train` and `workshop merge`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .arguments import MODEL_HELP, above_zero, add_verb, at_least_one, given, option
from .output import OK, again, megabytes, show

RECIPE = (
    "epochs", "rank", "learning_rate", "batch_size", "seed", "general_rows", "max_length",
)  # fmt: skip


def add_train_verbs(verbs: Any) -> None:
    """Add `train` and `merge` to the subparsers `verbs`."""
    train = add_verb(
        verbs, "train", _train, "train a LoRA adapter on rows of questions and answers",
        "Rows are JSON lines with instruction/input/output, messages, or prompt/completion. An "
        "interrupted run goes on where it stopped when the same command is given again.",
        device=True, overwrite=True,
    )  # fmt: skip
    option(train, "--model", "MODEL", MODEL_HELP, required=True)
    option(train, "--data", "FILE", "the training rows (.jsonl)", Path, required=True)
    option(train, "--out", "DIR", "folder for the adapter", Path, required=True)
    option(train, "--rows", "N", "use only the first N rows", at_least_one)
    option(train, "--epochs", "N", "times to go through the rows", above_zero)
    option(train, "--rank", "N", "width of the adapter: more can learn more", at_least_one)
    option(train, "--lr", "X", "learning rate, such as 2e-4", above_zero, dest="learning_rate")
    option(train, "--batch-size", "N", "rows a step", at_least_one)
    longest = "most tokens of a row, question and answer; a longer answer is cut"
    option(train, "--max-length", "N", longest, at_least_one)
    option(train, "--seed", "N", "the same seed gives the same adapter", int)
    option(train, "--general", "FILE", "general rows to mix in against forgetting", Path)
    share = "how many of them, as a share of the training rows: 0.5 is one to two"
    option(train, "--general-rows", "X", share, above_zero)

    merge = add_verb(
        verbs, "merge", _merge, "fold an adapter into its base model",
        "Checks that the result answers like base + adapter, and unlike the base.",
        device=True, overwrite=True,
    )  # fmt: skip
    option(merge, "adapter", "ADAPTER", "the adapter folder that `workshop train` wrote")
    option(merge, "--out", "DIR", "folder for the merged model", Path, required=True)


def _train(args: argparse.Namespace) -> int:
    from ..training.recipe import LoraRecipe
    from ..training.train import train

    changes = {name: value for name, value in given(args, *RECIPE).items() if value is not None}
    recipe = LoraRecipe.for_model(args.model).replace(**changes)
    how = given(args, "rows", "general", "device", "overwrite")
    report = train(args.model, args.data, args.out, recipe, **how)
    show(args, report, *_trained(report))
    return OK


def _trained(report: Any) -> list[tuple[str, str]]:
    share = report.trainable / report.total
    lines = {
        "adapter": f"{report.adapter}{again(report.reused)}",
        "trained": f"{report.trainable:,} of {report.total:,} parameters ({share:.2%}) on "
        f"{report.device}",
        "loss": report.losses and f"{report.losses[0][2]:.3f} → {report.losses[-1][2]:.3f}",
        "time": f"{report.seconds:.1f} s for {report.tokens:,} tokens, peak memory "
        f"{megabytes(report.peak_memory_bytes)}",
        "went on": report.resumed_from is not None
        and f"from step {report.resumed_from} of an interrupted run",
        "truncated": report.truncated
        and f"{_rows(report.truncated)}: longer than {report.recipe.max_length} tokens",
        "dropped": report.dropped and f"{_rows(report.dropped)}: nothing of the answer fits",
    }
    return [(label, text) for label, text in lines.items() if text]


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
