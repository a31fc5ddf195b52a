"""What every benchmark shares: its options, how figures are summed up and where they go."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

# Taken before the package is imported, which changes it: what we compare with runs without our
# settings.
CLEAN_ENVIRONMENT = dict(os.environ)

from workshop_helpers.core.cards import file_hash  # noqa: E402
from workshop_helpers.core.device import machine, versions  # noqa: E402
from workshop_helpers.core.errors import WorkshopError  # noqa: E402
from workshop_helpers.core.jsonio import read_json, write_json  # noqa: E402
from workshop_helpers.core.memory import (  # noqa: E402
    peak_resident_bytes as peak_memory_bytes,  # noqa: F401
)

if TYPE_CHECKING:
    from workshop_helpers.training.recipe import LoraRecipe
    from workshop_helpers.training.report import TrainingReport

_R = TypeVar("_R")
ROOT = Path(__file__).resolve().parents[1]
LANGUAGES = ("en", "ja")
MANY = 100  # rows that the documented recipe is for
GOAL = 0.90  # held-out recall that counts as learned


@dataclass(frozen=True)
class Settings:
    """What the command line asks for. `work` holds adapters and models; `out` is where the figures
    go.
    """

    name: str
    model: str
    quick: bool = False
    languages: tuple[str, ...] = LANGUAGES
    out: Path | None = None
    work: Path = ROOT / "runs" / "benchmarks"
    reuse: bool = False

    @property
    def result(self) -> Path:
        """`results/` is for whole measurements of the bundled model; everything else stays in
        `work`.
        """
        if self.out is not None:
            return self.out
        if self.quick or self.model != "mame" or set(self.languages) != set(LANGUAGES):
            return self.work / ("quick" if self.quick else "results") / f"{self.name}.json"
        return (
            ROOT / "results" / f"{self.name}.json"
        )  # "advanced/11_…" for the guide beyond the talk

    def folder(self, *parts: str) -> Path:
        """A place for artifacts of this model."""
        return self.work.joinpath("work", Path(self.model).name, *parts)

    def say(self, text: str) -> None:
        """One line about what is going on."""
        print(f"[{self.name} {time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)


def parser(doc: str, *, model: bool = True) -> argparse.ArgumentParser:
    """The options that all benchmarks have; `model`: whether one can be named."""
    made = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    if model:
        made.add_argument(
            "--model", default="mame", help="catalogue name or model folder (default: %(default)s)"
        )
    made.add_argument(
        "--quick", action="store_true", help="see that it runs: few questions, one seed; no figures"
    )
    made.add_argument(
        "--languages", nargs="+", choices=LANGUAGES, default=list(LANGUAGES), help="(default: both)"
    )
    made.add_argument(
        "--out",
        type=Path,
        help="the JSON file (default: results/NAME.json, for a whole run with mame)",
    )
    made.add_argument(
        "--work",
        type=Path,
        default=Settings.work,
        help="adapters and models (default: runs/benchmarks)",
    )
    made.add_argument(
        "--reuse",
        action="store_true",
        help="take equal adapters of earlier runs, with their seconds",
    )
    return made


def settings(name: str, args: argparse.Namespace) -> Settings:
    """The options as parsed; a model folder's path is made absolute, since child processes look at
    it.
    """
    model = getattr(args, "model", "mame")
    model = str(Path(model).resolve()) if Path(model).is_dir() else model
    languages = tuple(language for language in LANGUAGES if language in args.languages)
    return Settings(name, model, args.quick, languages, args.out, args.work.resolve(), args.reuse)


def spread(values: Iterable[float | None]) -> dict[str, Any] | None:
    """Median, least, greatest and how many; None when no value is known."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    return {
        "median": round(statistics.median(known), 4),
        "min": round(min(known), 4),
        "max": round(max(known), 4),
        "runs": len(known),
    }


def ratio(ours: float, theirs: float) -> float | None:
    """How many times as long theirs takes; None where ours took no time that could be measured."""
    return round(theirs / ours, 3) if ours > 0 else None


def percent(value: float | None) -> str:
    """A share for the terminal, rounded down so that a missed target is not shown as met."""
    return "–" if value is None else f"{int(value * 1000 + 1e-6) / 10:.1f} %"


def percent_range(found: dict[str, Any] | None) -> str:
    """A `spread` of shares: the median, and the range where there were several runs."""
    if found is None:
        return "–"
    middle = percent(found["median"])
    if found["min"] == found["max"]:
        return middle
    return f"{middle} ({percent(found['min'])[:-2]}–{percent(found['max'])[:-2]})"


def seconds_range(found: dict[str, Any] | None) -> str:
    """A `spread` of seconds."""
    if found is None:
        return "–"
    middle = f"{found['median']:.2f} s"
    if found["runs"] == 1:
        return middle
    return f"{middle} ({found['min']:.2f}–{found['max']:.2f})"


def table(title: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table; the first column is text, the others are figures."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    made = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left")
    for place, name in enumerate(head):
        made.add_column(name, justify="right" if place else "left")
    for row in rows:
        made.add_row(*row)
    # A log file has room; only a terminal has an edge.
    Console(highlight=False, width=None if sys.stdout.isatty() else 140).print(made)


def model_facts(model: str) -> dict[str, Any]:
    """The model's name and the SHA-256 of its files."""
    from workshop_helpers.models.load import model_folder
    from workshop_helpers.models.resolve import resolve

    ref = resolve(model)
    folder = model_folder(ref)
    kept = (".safetensors", ".json", ".jinja", ".model")
    files = [
        file
        for file in sorted(folder.iterdir())
        if file.suffix in kept and file.name != "card.json"
    ]
    return {"name": ref.name, "files": {file.name: file_hash(file) for file in files}}


def provenance(asked: Settings) -> dict[str, Any]:
    """What every results file says about where its figures come from."""
    return {
        "benchmark": asked.name,
        "made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "quick": asked.quick,
        "model": model_facts(asked.model),
        "machine": machine(),
        "versions": versions(),
    }


def save(asked: Settings, figures: dict[str, Any]) -> Path:
    """Write the figures, whole or not at all, and say where."""
    write_json(asked.result, {**provenance(asked), **figures})
    print(f"→ {asked.result}", flush=True)
    return asked.result


def earlier(asked: Settings, keys: Iterable[str]) -> dict[str, Any]:
    """These figures of an earlier run of the same model on the same machine, if there are any."""
    try:
        found = read_json(asked.result)
    except WorkshopError:
        return {}
    now = {"model": model_facts(asked.model), "machine": machine(), "quick": asked.quick}
    if any(found.get(key) != value for key, value in now.items()):
        return {}
    return {key: found[key] for key in keys if key in found}


def languages_of(model: str, asked: Sequence[str]) -> list[str]:
    """Those of the languages that the model speaks, as far as the catalogue knows it."""
    from workshop_helpers.models.catalogue import find_entry

    entry = find_entry(model)
    return [language for language in asked if entry is None or language in entry.languages]


class Results:
    """The file of a benchmark that takes hours: read before every note, so that two runs can fill
    it, of two models, and a run that was killed goes on with the next.

    `source` is where the figures come from, `frame` what else stands above them. `models` says of
    each model what was measured and where; what was measured of another version of it, or with
    other versions of packages, is dropped when the model is measured again. A run on another
    machine than the model's first ones says so itself.
    """

    def __init__(self, path: Path, source: dict[str, Any], frame: dict[str, Any]) -> None:
        self.path, self.source, self.frame = path, source, frame

    def read(self) -> dict[str, Any]:
        """What the file holds; its frame where there is none."""
        empty = {**self.source, **self.frame, "models": {}, "runs": []}
        return read_json(self.path, dict) if self.path.exists() else empty

    def begin(self, model: str, about: dict[str, Any]) -> None:
        """Keep what was noted of this very model, and drop the rest of that name."""
        found = self.read()
        known = found["models"].get(model, {})
        apart = ("machine", "versions")
        now, then = about.get("versions", {}), known.get("versions", {})
        if any(known.get(k) != v for k, v in about.items() if k not in apart) or any(
            then[package] != version for package, version in now.items() if package in then
        ):
            found["runs"] = [run for run in found["runs"] if run["model"] != model]
            found["models"][model] = {"made": self.source["made"], **about}
            write_json(self.path, found)

    def has(self, task: dict[str, Any]) -> bool:
        return any(task.items() <= run.items() for run in self.read()["runs"])

    def add(self, task: dict[str, Any], scores: dict[str, Any]) -> None:
        """Note what was measured of a task, which names its `model`."""
        found = self.read()
        others = [run for run in found["runs"] if not task.items() <= run.items()]
        about, here = found["models"][task["model"]], self.source["machine"]
        elsewhere = {} if here == about.get("machine", here) else {"machine": here}
        found["runs"] = [*others, {**task, **scores, **elsewhere}]
        found["made"] = about["made"] = self.source["made"]
        write_json(self.path, found)


def of_usual_rank(recipe: LoraRecipe) -> LoraRecipe:
    """The recipe with the rank that people take, where its own is far above: what a step costs is
    compared at that one.
    """
    return recipe if recipe.rank <= 64 else recipe.replace(rank=16, alpha=32)


def train_rows(
    asked: Settings,
    language: str,
    rows: int,
    recipe: LoraRecipe,
    name: str,
    *,
    overwrite: bool,
) -> TrainingReport:
    """An adapter trained on the shop's first rows, with general rows where the recipe has them."""
    from workshop_helpers.core.artifacts import data_path
    from workshop_helpers.training.train import train

    general = data_path("shop", f"general.{language}.jsonl") if recipe.general_rows else None
    return found_or_made(
        train,
        asked.model,
        data_path("shop", f"train.{language}.jsonl"),
        asked.folder(language, name),
        recipe,
        rows=rows,
        general=general,
        progress=False,
        **({"overwrite": True} if overwrite else {}),
    )


def found_or_made(make: Callable[..., _R], *arguments: Any, **how: Any) -> _R:
    """What `make` makes: found where an equal run made it, else made, also over another one, since
    the work folder is the benchmarks' own.
    """
    from workshop_helpers.core.artifacts import AlreadyThere

    try:
        return make(*arguments, **how)
    except AlreadyThere:
        return make(*arguments, **{**how, "overwrite": True})


def child(module: str, *arguments: str, clean: bool = False) -> dict[str, Any]:
    """Run `python -m MODULE` in a process of its own; its last line of output is a JSON object.

    `clean`: without what importing the package has put into the environment. Raises WorkshopError
    with the end of its errors when it fails.
    """
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env=CLEAN_ENVIRONMENT if clean else None,
        capture_output=True,
        text=True,
    )
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        raise WorkshopError(f"{module} failed ({done.returncode}): {done.stderr.strip()[-600:]}")
    found: dict[str, Any] = json.loads(lines[-1])
    return found
