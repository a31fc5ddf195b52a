"""How long things take, as ratios within one run, and against what people would use instead.

    python -m benchmarks.speed [--model mame] [--quick]
        [--only startup demo lora trl batch pretraining]

startup      `workshop --help` and `import workshop_helpers` against a bare Python demo
`workshop demo`, what `make demo` runs after the installation lora         10 rows × 3 epochs, and
100 rows with the documented recipe trl          the time to 90 % held-out recall against TRL's
SFTTrainer with its default arguments, both at their best batch        60 questions in batch against
one by one, with the peak memory of each pretraining  tokens a second, and the share of the
machine's measured matmul peak

With --only, the other figures of an earlier run of the same model on the same machine stay in the
file.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from benchmarks.common import (
    CLEAN_ENVIRONMENT,
    GOAL,
    MANY,
    ROOT,
    Settings,
    child,
    earlier,
    parser,
    percent,
    ratio,
    save,
    seconds_range,
    settings,
    spread,
    table,
    train_rows,
)
from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.core.jsonio import read_json

if TYPE_CHECKING:
    from workshop_helpers.dataset.formats import Conversation
    from workshop_helpers.training.recipe import LoraRecipe

FEW, FEW_EPOCHS, FEW_BATCH = 10, 3, 2
QUESTIONS = 60
BATCH_SIZES = (8, 4, 16, 2, 1)  # likely ones first: what cannot win any more is not run
EPOCHS = (3, 4, 5, 6, 8, 10, 12, 15, 20, 25)
SETTLED = ("learning_rate", "epochs", "batch_size")  # what the search for the quickest settles
TARGETS: dict[str, dict[str, float]] = {
    "startup": {"help_seconds_at_most": 0.3, "import_seconds_at_most": 0.15},
    "demo": {"seconds_at_most": 120},
    "lora": {"rows_10_seconds_at_most": 3, "rows_100_seconds_at_most": 30},
    "trl": {"ratio_at_least": 2},
    "batch": {"ratio_at_least": 4},
}
TITLE = {"en": "Speed", "ja": "速度"}


def _workshop() -> list[str]:
    """The console script of this environment, else its module."""
    for name in ("workshop", "workshop.exe"):
        script = Path(sys.executable).with_name(name)
        if script.is_file():
            return [str(script)]
    return [sys.executable, "-m", "workshop_helpers.cli"]


def _wall(command: list[str]) -> float:
    begun = time.perf_counter()
    subprocess.run(command, cwd=ROOT, env=CLEAN_ENVIRONMENT, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def startup(asked: Settings) -> dict[str, Any]:
    """Wall seconds of whole processes, one after the other in turns."""
    commands = {
        "python": [sys.executable, "-c", "pass"],
        "import": [sys.executable, "-c", "import workshop_helpers"],
        "help": [*_workshop(), "--help"],
    }
    for command in commands.values():  # bytecode is written and the disk is read the first time
        _wall(command)
    took: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(3 if asked.quick else 11):
        for name, command in commands.items():
            took[name].append(_wall(command))
    medians = {name: statistics.median(values) for name, values in took.items()}
    loaded = "import sys, workshop_helpers; print('torch' in sys.modules)"
    told = subprocess.run(
        [sys.executable, "-c", loaded], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return {
        "seconds": {name: spread(values) for name, values in took.items()},
        "import_over_python_seconds": round(medians["import"] - medians["python"], 4),
        "help_against_python": ratio(medians["python"], medians["help"]),
        "import_loads_torch": told.stdout.strip() == "True",
    }


def demo(asked: Settings) -> dict[str, Any]:
    """Wall seconds of the whole process in an empty folder."""
    language = (
        "both" if set(asked.languages) == {"en", "ja"} and not asked.quick else asked.languages[0]
    )
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "demo"
        command = [
            *_workshop(),
            "demo",
            "--model",
            asked.model,
            "--out",
            str(out),
            "--language",
            language,
        ]
        seconds = _wall(command)
        steps = {
            key: found["steps"]
            for key, found in read_json(out / "report.json")["languages"].items()
        }
    return {"seconds": round(seconds, 2), "language": language, "steps": steps}


def _recall(asked: Settings, language: str, model: Path) -> float:
    from workshop_helpers.core.artifacts import data_path
    from workshop_helpers.dataset.questions import read_questions
    from workshop_helpers.evaluation.candidates import Candidate
    from workshop_helpers.evaluation.comparison import compare

    questions = read_questions(data_path("shop", f"questions.{language}.jsonl"))
    asked_ = questions[: 12 if asked.quick else None]
    recall = compare([Candidate("tuned", model)], asked_, progress=False).rows[0].summary.recall
    return recall or 0.0


def lora(asked: Settings) -> dict[str, Any]:
    """Seconds from the model on disk to the adapter on disk, imports left out; 100 rows with their
    recall.
    """
    from workshop_helpers.training.recipe import LoraRecipe

    recipe = LoraRecipe.for_model(asked.model)
    few = recipe.replace(epochs=FEW_EPOCHS, batch_size=FEW_BATCH, general_rows=0.0)
    found: dict[str, Any] = {"rows_10": {}, "rows_100": {}, "rows_100_recall": {}}
    for language in asked.languages:
        # The first training of a process also pays for what the libraries do once.
        train_rows(asked, language, FEW, few, "speed-10", overwrite=True)
        times: dict[str, list[float]] = {"rows_10": [], "rows_100": []}
        for _ in range(1 if asked.quick else 3):
            for name, rows, one in (("rows_10", FEW, few), ("rows_100", MANY, recipe)):
                made = train_rows(asked, language, rows, one, f"speed-{rows}", overwrite=True)
                times[name].append(made.seconds)
        for name, values in times.items():
            found[name][language] = spread(values)
        found["rows_100_recall"][language] = _recall(asked, language, made.adapter)
        asked.say(f"{language}: {times}")
    return found


class Trainer:
    """A process that trains when it is told to, so that nothing this process does in between
    reaches it.

    `module`, of the checkout `root`, run by `python`, reads a task a line and answers with its
    seconds; `task` is what all its tasks have in common; `judge` says of an adapter what it has
    learned.
    """

    def __init__(
        self,
        asked: Settings,
        module: str,
        task: dict[str, Any],
        judge: Callable[[Path], dict[str, float]],
        root: Path = ROOT,
        python: str = sys.executable,
    ) -> None:
        self.asked, self.task, self.judge = asked, task, judge
        self.name = module.rpartition(".")[2] + ("" if root == ROOT else f" in {root.name}")
        self.stack = ExitStack()
        self.folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        errors = self.folder / "stderr"
        self.errors = self.stack.enter_context(errors.open("w+", encoding="utf-8"))
        self.process = subprocess.Popen(
            [python, "-m", module],
            cwd=root,
            env={**CLEAN_ENVIRONMENT, "PYTHONPATH": str(root)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
        )

    def train(self, **changes: Any) -> dict[str, Any]:
        """One training, the processor's seconds that it took, and what it has taught."""
        import psutil

        out = self.folder / "adapter"
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        before = sum(psutil.Process(self.process.pid).cpu_times()[:2])
        self.process.stdin.write(json.dumps({**self.task, **changes, "out": str(out)}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            self.errors.seek(0)
            raise WorkshopError(f"{self.name} failed: {self.errors.read().strip()[-600:]}")
        task = {**self.task, **changes}
        settings_ = task.get("recipe", task)
        found = {**{key: settings_[key] for key in SETTLED}, **json.loads(line)}
        after = sum(psutil.Process(self.process.pid).cpu_times()[:2])
        found["processor_seconds"] = round(after - before, 2)
        learned = self.judge(out)
        self.asked.say(
            f"{self.name}, rate {found['learning_rate']:g}, "
            f"{found['epochs']:g} epochs of {found['batch_size']}: "
            f"{found['seconds']:.1f} s, {learned}"
        )
        return {**found, **learned}

    def __enter__(self) -> Trainer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        if error is not None:
            self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.stack.close()


def search(
    train: Callable[[float, float, int], dict[str, Any]],
    rates: tuple[float, ...],
    batches: tuple[int, ...] = BATCH_SIZES,
    ladder: tuple[float, ...] = EPOCHS,
) -> Iterator[dict[str, Any]]:
    """Runs until the quickest way to the goal is known: for each batch size and rate the fewest
    epochs that reach it.

    A run that by the seconds of an epoch so far would take longer than the quickest one is left
    out: it cannot win. So is the next step of the ladder after less than half the goal.
    """
    quickest = float("inf")
    for batch in batches:
        an_epoch = 0.0
        for rate in rates:
            far = False
            for epochs in ladder:
                if an_epoch * epochs >= quickest:
                    break
                if far:
                    far = False
                    continue
                found = train(rate, epochs, batch)
                yield found
                # The least seen: loading the model counts in, so more epochs say it better.
                each = found["seconds"] / epochs
                an_epoch = min(an_epoch, each) if an_epoch else each
                if found["recall"] >= GOAL:
                    quickest = min(quickest, found["seconds"])
                    break
                far = found["recall"] < GOAL / 2


def best(runs: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The quickest run that reached the goal."""
    reached = [run for run in runs if run["recall"] >= GOAL]
    return min(reached, key=lambda run: run["seconds"]) if reached else None


def quickest(
    train: Callable[[float, float, int], dict[str, Any]],
    named: Sequence[tuple[float, float, int]],
    grid: tuple[Any, ...],
    must: bool,
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The quickest training to the goal among the settings named, else by `search` over the grid;
    and all that ran.

    Raises WorkshopError where none reaches the goal and one `must`.
    """
    runs = list((train(*one) for one in named) if named else search(train, *grid))
    chosen = best(runs)
    if chosen is None and must:
        raise WorkshopError(
            f"At most {percent(max(run['recall'] for run in runs))} of the facts were reached, "
            f"not {percent(GOAL)}: there is nothing to compare."
        )
    return chosen or runs[-1], runs


def trl_rows(rows: Sequence[Conversation]) -> list[dict[str, Any]]:
    """Rows as TRL takes them."""
    return [
        {
            "prompt": row.prompt_messages(),
            "completion": [{"role": "assistant", "content": row.answer}],
        }
        for row in rows
    ]


def trl(asked: Settings, named: Sequence[tuple[float, float, int]] = ()) -> dict[str, Any]:
    """Our trainer and recipe against TRL's defaults: each at its best, at TRL's best, and with the
    documented recipe.

    All train the same LoRA adapter (rank, alpha, target modules) on the same 100 rows. The same
    search looks for the rate, epochs and batch size that bring each trainer to the goal soonest;
    then they take turns, each way in a process of its own. `named`: the (rate, epochs, batch size)
    to look among, instead of the whole grid.
    """
    from workshop_helpers.core.artifacts import data_path
    from workshop_helpers.dataset.formats import read_conversations
    from workshop_helpers.models.load import model_folder
    from workshop_helpers.models.resolve import resolve
    from workshop_helpers.training.recipe import LoraRecipe

    language = asked.languages[0]
    recipe = LoraRecipe.for_model(asked.model)
    rates: tuple[float, ...] = (
        recipe.learning_rate,
        recipe.learning_rate * 2,
        recipe.learning_rate / 2,
    )
    batches: tuple[int, ...] = BATCH_SIZES
    ladder: tuple[float, ...] = EPOCHS
    repeats = 3
    if asked.quick:
        rates, batches, ladder, repeats = (recipe.learning_rate,), (8,), (1,), 1

    model = str(model_folder(resolve(asked.model)).resolve())
    data = data_path("shop", f"train.{language}.jsonl")
    theirs_task = {
        "model": model,
        "rows": trl_rows(read_conversations(data, limit=MANY)),
        "lora": {key: recipe.to_dict()[key] for key in ("rank", "alpha", "target_modules")},
    }
    ours_task = {"model": model, "rows": str(data), "limit": MANY}

    def learned(adapter: Path) -> dict[str, float]:
        return {"recall": _recall(asked, language, adapter)}

    def settled(run: dict[str, Any]) -> LoraRecipe:
        return recipe.replace(**{key: run[key] for key in SETTLED}, general_rows=0.0)

    def by_trl(trainer: Trainer, *values: float) -> dict[str, Any]:
        return trainer.train(**dict(zip(SETTLED, values, strict=True)))

    def by_us(trainer: Trainer, *values: float) -> dict[str, Any]:
        found = dict(zip(SETTLED, values, strict=True))
        return trainer.train(recipe=settled(found).to_dict())

    with ExitStack() as stack:

        def started(module: str, task: dict[str, Any]) -> Trainer:
            return stack.enter_context(Trainer(asked, module, task, learned))

        grid = (rates, batches, ladder)
        theirs = partial(by_trl, started("benchmarks.trl_default", theirs_task))
        theirs(rates[0], 0.25, 8)  # the first training pays for what the libraries do once
        chosen, runs = quickest(theirs, named, grid, must=not asked.quick)
        with Trainer(asked, "benchmarks.our_training", ours_task, learned) as searcher:
            ours = partial(by_us, searcher)
            ours(rates[0], 0.25, 8)
            our_best, our_runs = quickest(ours, named, grid, must=not asked.quick)
        recipes = {
            "best": settled(our_best),
            "same_settings": settled(chosen).replace(schedule="linear", warmup=0.0),
            "documented": recipe,
        }
        ways = {name: started("benchmarks.our_training", ours_task) for name in recipes}
        for name, one in recipes.items():
            ways[name].train(recipe=one.replace(epochs=1).to_dict())
        took: dict[str, list[float]] = {name: [] for name in (*recipes, "trl")}
        recall: dict[str, float] = {}
        for _ in range(repeats):
            again = {
                **{name: ways[name].train(recipe=one.to_dict()) for name, one in recipes.items()},
                "trl": theirs(*(chosen[key] for key in SETTLED)),
            }
            for name, found in again.items():
                took[name].append(found["seconds"])
                recall[name] = found["recall"]
    medians = {name: statistics.median(values) for name, values in took.items()}
    return {
        "language": language,
        "goal": GOAL,
        "seconds": {name: spread(values) for name, values in took.items()},
        "recall": recall,
        "ratio": ratio(medians["best"], medians["trl"]),
        "ratio_same_settings": ratio(medians["same_settings"], medians["trl"]),
        "ratio_documented": ratio(medians["documented"], medians["trl"]),
        "trl_settings": {key: chosen[key] for key in SETTLED},
        "best_settings": {key: our_best[key] for key in SETTLED},
        "documented": {key: recipe.to_dict()[key] for key in SETTLED},
        "searched": "the settings named" if named else "rates, batch sizes and epochs",
        "search": runs,
        "our_search": our_runs,
    }


def batch(asked: Settings) -> dict[str, Any]:
    """The same questions in batch and one by one, in turns, each time in a process of its own."""
    from workshop_helpers.training.recipe import LoraRecipe

    language = asked.languages[0]
    recipe = LoraRecipe.for_model(asked.model)
    tuned = train_rows(
        asked, language, MANY, recipe, f"tuned_{MANY}-seed{recipe.seed}", overwrite=False
    )
    count = 8 if asked.quick else QUESTIONS
    shared = (str(tuned.adapter), "--language", language, "--questions", str(count), "--batch-size")
    found: dict[str, list[dict[str, Any]]] = {"batch": [], "one_by_one": []}
    for _ in range(1 if asked.quick else 3):
        found["batch"].append(child("benchmarks.answering", *shared, "0"))
        found["one_by_one"].append(child("benchmarks.answering", *shared, "1"))
    seconds = {name: [run["seconds"] for run in runs] for name, runs in found.items()}
    pairs = list(zip(found["batch"][0]["answers"], found["one_by_one"][0]["answers"], strict=True))
    return {
        "language": language,
        "questions": count,
        "seconds": {name: spread(values) for name, values in seconds.items()},
        "ratio": ratio(
            statistics.median(seconds["batch"]), statistics.median(seconds["one_by_one"])
        ),
        "peak_bytes": {
            name: max(run["peak_bytes"] for run in runs) for name, runs in found.items()
        },
        "loaded_bytes": {
            name: max(run["loaded_bytes"] for run in runs) for name, runs in found.items()
        },
        "same_answers": sum(a == b for a, b in pairs) / len(pairs),
    }


def pretraining(asked: Settings) -> dict[str, Any]:
    """See benchmarks/throughput.py. Without a C++ compiler it is uncompiled, and says so."""
    from workshop_helpers.models.load import model_folder
    from workshop_helpers.models.resolve import resolve

    config = read_json(model_folder(resolve(asked.model)) / "config.json")
    shared = ("--vocabulary", str(config["vocab_size"]), "--steps", "2" if asked.quick else "12")
    if asked.quick:
        return child("benchmarks.throughput", *shared, "--length", "64", "--no-compile")
    try:
        return child("benchmarks.throughput", *shared)
    except WorkshopError as error:
        asked.say(f"not compiled: {error}")
        return child("benchmarks.throughput", *shared, "--no-compile")


PARTS: dict[str, Callable[[Settings], dict[str, Any]]] = {
    "startup": startup,
    "demo": demo,
    "lora": lora,
    "trl": trl,
    "batch": batch,
    "pretraining": pretraining,
}


def lines(figures: dict[str, Any]) -> Iterator[tuple[str, str, str, bool | None]]:
    """(what, measured, target, met) of each figure with a target, and of a few without."""
    done: dict[str, dict[str, Any]] = {
        name: figures[name] for name in PARTS if "failed" not in figures.get(name, {"failed": ""})
    }
    if part := done.get("startup"):
        for name, shown, key in (
            ("help", "workshop --help", "help_seconds_at_most"),
            ("import", "import workshop_helpers", "import_seconds_at_most"),
        ):
            took, most = part["seconds"][name], TARGETS["startup"][key]
            bare = part["seconds"]["python"]["median"]
            yield (
                shown,
                f"{seconds_range(took)}, bare Python {bare:.2f} s",
                f"≤ {most} s",
                took["median"] <= most,
            )
    if part := done.get("demo"):
        most = TARGETS["demo"]["seconds_at_most"]
        yield (
            f"workshop demo ({part['language']})",
            f"{part['seconds']:.0f} s",
            f"≤ {most} s",
            part["seconds"] <= most,
        )
    if part := done.get("lora"):
        for name in ("rows_10", "rows_100"):
            most = TARGETS["lora"][f"{name}_seconds_at_most"]
            for language, took in part[name].items():
                recall = part["rows_100_recall"][language]
                also = f", recall {percent(recall)}" if name == "rows_100" else ""
                good = took["median"] <= most and (name == "rows_10" or recall >= GOAL)
                yield (
                    f"LoRA, {name[5:]} rows, {language}",
                    seconds_range(took) + also,
                    f"≤ {most} s",
                    good,
                )
    if part := done.get("trl"):
        least = TARGETS["trl"]["ratio_at_least"]
        took = part["seconds"]
        for name, key, shown in (
            ("best", "ratio", "90 % recall against TRL's defaults, each at its best"),
            ("same_settings", "ratio_same_settings", "  our trainer with TRL's best settings"),
            ("documented", "ratio_documented", "  the documented recipe"),
        ):
            ours, theirs = took[name]["median"], took["trl"]["median"]
            told = f"{part[key]:.2f}×: {ours:.1f} s against {theirs:.1f} s"
            told += f", recall {percent(part['recall'][name])}"
            good = part[key] >= least and part["recall"][name] >= GOAL
            yield shown, told, f"≥ {least}×", good
    if part := done.get("batch"):
        least, took = TARGETS["batch"]["ratio_at_least"], part["seconds"]
        batch, single = took["batch"]["median"], took["one_by_one"]["median"]
        told = f"{part['ratio']:.2f}×: {batch:.1f} s against {single:.1f} s"
        yield f"{part['questions']} questions in batch", told, f"≥ {least}×", part["ratio"] >= least
        peak = part["peak_bytes"]
        told = f"{peak['batch'] / 1e6:,.0f} MB against {peak['one_by_one'] / 1e6:,.0f} MB"
        yield "  peak memory", told, "", None
    if part := done.get("pretraining"):
        told = (
            f"{part['tokens_per_second']:,.0f} tokens/s, "
            f"{part['gflops_used']:,.0f} of {part['gflops_peak']:,.0f} "
            f"GFLOP/s ({part['dtype']}): {percent(part['share_of_peak'])}"
        )
        yield "pretraining", told, "", None


def report(figures: dict[str, Any]) -> None:
    """The figures against their targets on the terminal, and what failed."""
    signs = {True: "met", False: "NOT met", None: ""}
    rows = [(what, told, target, signs[good]) for what, told, target, good in lines(figures)]
    table("Speed, median (range)", ("", "measured", "target", ""), rows)
    for name in PARTS:
        if "failed" in figures.get(name, {}):
            print(f"{name} could not be measured: {figures[name]['failed']}")


def _three(text: str) -> tuple[float, float, int]:
    rate, epochs, batch_size = text.split(",")
    return float(rate), float(epochs), int(batch_size)


def main(arguments: list[str]) -> int:
    made = parser(__doc__ or "")
    made.add_argument(
        "--only", nargs="+", choices=PARTS, default=list(PARTS), help="(default: all)"
    )
    made.add_argument(
        "--trl",
        nargs="+",
        type=_three,
        default=[],
        metavar="RATE,EPOCHS,BATCH",
        help="look for each trainer's best among these only (default: a search of half an hour)",
    )
    args = made.parse_args(arguments)
    asked = settings("speed", args)
    parts: dict[str, Callable[[Settings], dict[str, Any]]] = {
        **PARTS,
        "trl": partial(trl, named=args.trl),
    }
    figures: dict[str, Any] = {"title": TITLE, "targets": TARGETS, **earlier(asked, PARTS)}
    for name in args.only:
        asked.say(name)
        try:
            figures[name] = parts[name](asked)
        except (WorkshopError, subprocess.CalledProcessError) as error:
            figures[name] = {"failed": str(error)}
    report(figures)
    save(asked, figures)
    return int(any("failed" in figures.get(name, {}) for name in args.only))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
