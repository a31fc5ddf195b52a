"""The same LoRA training by this package, by TRL's defaults and by earlier commits of this package,
in turns: seconds, tokens a second, memory, and what was learned.

    python -m benchmarks.training [--model smollm2] [--rows 40] [--epochs 3] [--repeats 3]
        [--beside TREE …] [--unsloth PYTHON]

TREE is a checkout of an earlier commit (`git worktree add --detach TREE COMMIT`), which this
environment's Python runs; PYTHON is that of an environment in which Unsloth is installed. All train
the model's documented recipe for so many epochs on the shop's first rows, each way in processes of
its own; one more training before is not counted. Seconds of the processor (all threads) are
measured beside those of the clock, since a busy machine lengthens them less. The loss is that of
the adapter on the 20 rows behind the training's, in this package.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.common import (
    Settings,
    of_usual_rank,
    parser,
    ratio,
    save,
    seconds_range,
    settings,
    spread,
    table,
)
from benchmarks.speed import Trainer, trl_rows

TITLE = {"en": "LoRA training of {}, side by side", "ja": "{}のLoRA学習を並べて測る"}
HELD_OUT = 20


def commit_of(tree: Path) -> str:
    """The commit that a checkout is at."""
    command = ["git", "-C", str(tree), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def side_by_side(
    asked: Settings,
    trees: dict[str, Path],
    rows: int,
    epochs: float,
    repeats: int,
    unsloth: str | None = None,
) -> dict[str, Any]:
    """`trees`: earlier commits by name. `unsloth`: the Python that has it."""
    from workshop_helpers.core.artifacts import data_path
    from workshop_helpers.dataset.formats import read_conversations
    from workshop_helpers.models.load import load_tokenizer, model_folder
    from workshop_helpers.models.resolve import resolve
    from workshop_helpers.training.loss import held_out_loss
    from workshop_helpers.training.recipe import LoraRecipe
    from workshop_helpers.training.rows import fit_rows

    ref, language = resolve(asked.model), asked.languages[0]
    data = data_path("shop", f"train.{language}.jsonl")
    talks = read_conversations(data, limit=rows + HELD_OUT)
    recipe = of_usual_rank(LoraRecipe.for_model(ref)).replace(epochs=epochs, general_rows=0.0)
    model = str(model_folder(ref).resolve())
    ours: dict[str, Any] = {
        "model": model,
        "rows": str(data),
        "limit": rows,
        "recipe": recipe.to_dict(),
    }
    plain = {key: recipe.to_dict()[key] for key in ("learning_rate", "epochs", "batch_size")}
    theirs: dict[str, Any] = {"model": model, "rows": trl_rows(talks[:rows]), **plain}
    theirs["lora"] = {key: ours["recipe"][key] for key in ("rank", "alpha", "target_modules")}

    def learned(adapter: Path) -> dict[str, float]:
        return {"loss": held_out_loss(adapter, talks[rows:])}

    runs: dict[str, list[dict[str, Any]]] = {}
    with ExitStack() as stack:
        ways = {"ours": Trainer(asked, "benchmarks.our_training", ours, learned)}
        ways["trl"] = Trainer(asked, "benchmarks.trl_default", theirs, learned)
        if unsloth:
            ways["unsloth"] = Trainer(
                asked, "benchmarks.unsloth_training", theirs, learned, python=unsloth
            )
        for name, tree in trees.items():
            ways[name] = Trainer(asked, "benchmarks.our_training", ours, learned, tree)
        for way in ways.values():
            stack.enter_context(way)
            way.train()
        for _ in range(repeats):
            for name, way in ways.items():
                runs.setdefault(name, []).append(way.train())
    tokens = round(sum(fit_rows(load_tokenizer(ref), talks[:rows], recipe.max_length).lengths))
    figures = {name: figures_of(found, tokens * epochs) for name, found in runs.items()}
    return {
        "language": language,
        "rows": rows,
        "recipe": recipe.to_dict(),
        "tokens": tokens * epochs,
        "ways": figures,
        "ratios": ratios(runs),
        "runs": runs,
    }


def _middle(runs: list[dict[str, Any]], key: str) -> float:
    return statistics.median(run[key] for run in runs)


def ratios(runs: dict[str, list[dict[str, Any]]]) -> dict[str, dict[str, float | None]]:
    """How many times as much of each figure the other ways take as ours, by their medians."""
    kept = ("seconds", "processor_seconds", "peak_bytes")
    ours = {key: _middle(runs["ours"], key) for key in kept}
    return {
        name: {key: ratio(ours[key], _middle(found, key)) for key in kept}
        for name, found in runs.items()
        if name != "ours"
    }


def figures_of(runs: list[dict[str, Any]], tokens: float) -> dict[str, Any]:
    """A way's figures, where each run trained on so many tokens."""
    kept = ("seconds", "processor_seconds", "peak_bytes", "loss")
    found: dict[str, Any] = {key: spread(run[key] for run in runs) for key in kept}
    return {**found, "tokens_per_second": round(tokens / _middle(runs, "seconds"), 1)}


def report(figures: dict[str, Any]) -> None:
    """The ways on the terminal."""
    head = ("", "seconds", "processor", "tokens/s", "peak MB", "loss", "× seconds", "× processor")
    rows = []
    for name, way in figures["ways"].items():
        times = figures["ratios"].get(name, {"seconds": 1.0, "processor_seconds": 1.0})
        rows.append(
            (
                name,
                seconds_range(way["seconds"]),
                seconds_range(way["processor_seconds"]),
                f"{way['tokens_per_second']:,.0f}",
                f"{way['peak_bytes']['median'] / 1e6:,.0f}",
                f"{way['loss']['median']:.3f}",
                f"{times['seconds']:.2f}",
                f"{times['processor_seconds']:.2f}",
            )
        )
    table(f"{figures['rows']} rows, {figures['tokens']:,.0f} tokens", head, rows)


def main(arguments: list[str]) -> int:
    made = parser(__doc__ or "")
    made.set_defaults(model="smollm2", languages=["en"])
    made.add_argument("--rows", type=int, default=40, help="(default: %(default)s)")
    made.add_argument("--epochs", type=float, default=3, help="(default: %(default)s)")
    made.add_argument("--repeats", type=int, default=3, help="(default: %(default)s)")
    made.add_argument("--beside", type=Path, nargs="+", default=[], metavar="TREE")
    made.add_argument("--unsloth", metavar="PYTHON")
    args = made.parse_args(arguments)
    asked = settings("training", args)
    trees = {commit_of(tree): tree.resolve() for tree in args.beside}
    repeats, epochs = (1, 0.1) if asked.quick else (args.repeats, args.epochs)
    figures = side_by_side(asked, trees, args.rows, epochs, repeats, args.unsloth)
    report(figures)
    name = Path(asked.model).name
    save(asked, {"title": {la: text.format(name) for la, text in TITLE.items()}, **figures})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
