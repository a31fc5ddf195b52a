"""`workshop demo`: the main job, from ten rows and a hundred rows to quantized models and a report.

Where an Ollama server answers, the tuned model goes into it and answers there too; where none does,
that step is left out and says so.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.artifacts import claim, data_path
from ..core.cards import write_card
from ..core.errors import WorkshopError
from ..core.jsonio import write_json
from ..core.ownership import keep_apart, refuse_foreign_file
from ..core.wordings import LANGUAGES, say
from .arguments import (
    DEFAULT_TYPES,
    MODEL_HELP,
    add_verb,
    flag,
    option,
    output_path,
    several,
)
from .convert import check_types
from .output import OK, console, show_json, table

if TYPE_CHECKING:
    from rich.console import Console

    from ..evaluation.comparison import Comparison
    from ..training.report import TrainingReport

FEW, MANY = 10, 100
FEW_EPOCHS = 3
# In the batches of the hundred rows, ten rows would make too few steps to teach anything at all.
FEW_BATCH = 2
# The type that most people run, where it is among those made.
SERVED = "Q4_K_M"
# Rows at the end of the training file, never trained on here, on which perplexity is measured.
HELD_OUT = 100
_KIND = "demo report"


def add_demo_verb(verbs: Any) -> None:
    """Add `demo` to the subparsers `verbs`."""
    demo = add_verb(
        verbs, "demo", _demo, "the main job: train, compare, merge, convert, quantize, report",
        "Trains the bundled model on the first 10 and the first 100 rows of the bundled shop, puts "
        "the same held-out questions to every model, and writes OUT/report.html and "
        "OUT/report.json. Needs no network.", device=True, overwrite=True,
    )  # fmt: skip
    demo.add_argument(
        "--language",
        choices=(*LANGUAGES, "both"),
        default="both",
        help="the shop's language (default: %(default)s, one after the other)",
    )
    base = f"the base model: {MODEL_HELP} (default: %(default)s)"
    option(demo, "--model", "MODEL", base, default="mame")
    types = "quantization types (default: Q8_0 Q4_K_M Q2_K)"
    several(demo, "--to", "TYPE", types, default=DEFAULT_TYPES)
    where = "where to write (default: %(default)s)"
    option(demo, "--out", "DIR", where, output_path, default=Path("runs/demo"))
    flag(
        demo,
        "--no-ollama",
        "leave Ollama alone (else a server that answers gets the model workshop-demo-LANGUAGE)",
    )


def _demo(args: argparse.Namespace) -> int:
    # With --json stdout is the report's alone.
    quiet = contextlib.redirect_stdout(sys.stderr) if args.json else contextlib.nullcontext()
    with quiet:
        report = run_demo(
            args.out,
            model=args.model,
            languages=LANGUAGES if args.language == "both" else (args.language,),
            types=args.to,
            device=args.device,
            overwrite=args.overwrite,
            ollama=not args.no_ollama,
            screen=console(),
        )
    if args.json:
        show_json(report)
    return OK


def run_demo(
    out: Path | str = Path("runs/demo"),
    *,
    model: str = "mame",
    languages: Sequence[str] = LANGUAGES,
    types: Sequence[str] = DEFAULT_TYPES,
    device: str | None = None,
    shop: Path | None = None,
    overwrite: bool = False,
    ollama: bool = True,
    screen: Console | None = None,
) -> dict[str, Any]:
    """Run the main job for each of `languages` and write ``report.json`` and ``report.html`` to the
    folder `out`.

    `shop` is a folder as ``data/shop``: facts.yaml, train.LANGUAGE.jsonl, questions.LANGUAGE.jsonl.
    The first language's page is report.html, a further one's report.LANGUAGE.html; models lie in
    `out`/LANGUAGE. Stages whose result exists are skipped. With `ollama`, and
    where a server answers (OLLAMA_HOST, else this machine's), it then has the tuned model as
    "workshop-demo-LANGUAGE". Returns what report.json holds. Raises WorkshopError as the stages do,
    and when another run is at work in `out`.
    """
    from ..core.device import machine, versions
    from ..display import write_report
    from ..models.resolve import folders_of, resolve

    out = Path(out).expanduser()
    # What cannot be run is refused before anything is written.
    shop = shop or data_path("shop")
    keep_apart(out, [*folders_of(resolve(model)), shop])
    check_types(types)
    if not languages or not set(languages) <= set(LANGUAGES):
        asked = ", ".join(languages) or "none"
        raise WorkshopError(f"The demo speaks {', '.join(LANGUAGES)}; asked for: {asked}.")
    start = time.perf_counter()
    screen = screen or console()
    about = {"machine": machine(), "versions": versions()}
    report: dict[str, Any] = {"model": model, **about, "seconds": 0.0, "languages": {}}
    pages = [out / f"report.{language}.html" for language in languages]
    pages[0] = out / "report.html"
    with claim(out):
        for path in (*pages, out / "report.json"):
            refuse_foreign_file(path, _KIND, overwrite=overwrite)
        no_ollama = _no_ollama() if ollama else "It was not asked for."
        for language, path in zip(languages, pages, strict=True):
            job = _Job(
                language, out / language, model, types, device, shop, overwrite, no_ollama, screen
            )
            job.run()
            job.show()
            write_report(path, language=language, **job.reports(), **about)
            write_card(path, {"kind": _KIND})
            report["languages"][language] = job.to_dict()
        report["seconds"] = round(time.perf_counter() - start, 1)
        write_json(out / "report.json", report)
        write_card(out / "report.json", {"kind": _KIND})
    screen.print(f"\n{report['seconds']:.0f} s in all.", style="bold")
    for path in [*pages, out / "report.json"]:
        screen.print(f"  {path}", markup=False, soft_wrap=True)
    return report


@dataclass
class _Job:
    """The main job in one language. `run` makes, step by step, what the others tell about."""

    language: str
    out: Path
    model: str
    types: Sequence[str]
    device: str | None
    shop: Path
    overwrite: bool
    no_ollama: str  # why that step is left out, if it is
    screen: Console
    steps: list[tuple[str, float]] = field(default_factory=list)  # name, seconds

    def run(self) -> None:
        from ..dataset.questions import read_questions
        from ..evaluation.quantization import quantization_table
        from ..gguf.convert import convert
        from ..metrics.facts import ShopFacts
        from ..training.merge import merge

        self.facts = ShopFacts.load(self.shop / "facts.yaml")
        self.questions = read_questions(self.shop / f"questions.{self.language}.jsonl")
        rows = self.rows()
        self.few = self.train(rows[:FEW], epochs=FEW_EPOCHS, batch_size=FEW_BATCH)
        self.many = self.train(rows[:MANY])
        self.comparison = self.compare()
        again: dict[str, Any] = {"device": self.device, "overwrite": self.overwrite}
        with self.step("merge"):
            self.merged = merge(self.many.adapter, self.out / "model", **again)
        with self.step("convert"):
            gguf = self.out / "model-F16.gguf"
            self.converted = convert(self.merged.model, gguf, overwrite=self.overwrite)
        with self.step("quantize"):
            self.quantization = quantization_table(
                self.converted.path, self.types, self.questions, shop=self.facts,
                held_out_conversations=rows[MANY:][-HELD_OUT:] or rows[-HELD_OUT:],
                overwrite=self.overwrite,
            )  # fmt: skip
        self.asked = telling_question(self.comparison)
        self.question = self.questions[self.asked]
        self.answers = self.ask()
        self.served = {"left_out": self.no_ollama} if self.no_ollama else self.serve()

    def say(self, code: str, **values: Any) -> str:
        return say(f"demo.{code}", self.language, **values)

    def tuned(self, rows: int, *more: str) -> str:
        """What the model that was tuned on so many rows is called."""
        return ", ".join([say("candidates.tuned", self.language, n=rows), *more])

    @contextlib.contextmanager
    def step(self, code: str, **values: Any) -> Iterator[None]:
        """Say what is done, and take its time."""
        name, count = self.say(code, **values), 7 if self.no_ollama else 8
        self.screen.print(f"[dim]{len(self.steps) + 1}/{count}[/] {name} …")
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.steps.append((name, round(time.perf_counter() - begun, 2)))

    def rows(self) -> list[Any]:
        from ..dataset.formats import read_conversations

        file = self.shop / f"train.{self.language}.jsonl"
        rows = read_conversations(file)
        if len(rows) < MANY:
            raise WorkshopError(f"{file} has {len(rows)} rows; the demo trains on {MANY}.")
        return rows

    def train(self, rows: list[Any], **changes: Any) -> TrainingReport:
        from ..training.recipe import LoraRecipe
        from ..training.train import train

        recipe = LoraRecipe.for_model(self.model).replace(**changes)
        out = self.out / f"tuned-{len(rows)}"
        again: dict[str, Any] = {"device": self.device, "overwrite": self.overwrite}
        with self.step("train", n=len(rows)):
            return train(self.model, rows, out, recipe, **again)

    def compare(self) -> Comparison:
        from ..evaluation.candidates import Candidate
        from ..evaluation.comparison import compare

        facts = self.facts.system_prompt(self.language)
        candidates = [
            Candidate(say("candidates.base", self.language), self.model),
            Candidate(say("candidates.prompt", self.language), self.model, system=facts),
            Candidate(self.tuned(FEW), self.few.adapter),
            Candidate(self.tuned(MANY), self.many.adapter),
        ]
        how: dict[str, Any] = {"device": self.device, "progress": False}
        with self.step("verify"):
            return compare(candidates, self.questions, shop=self.facts, **how)

    def ask(self) -> list[tuple[str, str]]:
        """(label, answer) of every model; those that were compared have answered already."""
        from ..runtimes import ask

        said = [(row.label, row.answers[self.asked].text.strip()) for row in self.comparison.rows]
        with self.step("ask"):
            for row in self.quantization.rows:
                answer = ask(row.path, self.question.question, system=self.question.system)
                said.append((self.tuned(MANY, row.type), answer.text.strip()))
        return said

    def serve(self) -> dict[str, Any]:
        """The tuned model in Ollama, asked, or why not: a server's trouble does not cost what is
        made already.
        """
        from ..runtimes.ollama.client import Ollama
        from ..runtimes.ollama.prompted import prompted
        from ..runtimes.ollama.runtime import OllamaRuntime

        rows = self.quantization.rows
        made = next((row for row in rows if row.type == SERVED), rows[-1])
        name = f"workshop-demo-{self.language}"
        try:
            with self.step("ollama"), Ollama() as server:
                # Without a system text or examples this is the tuned model alone, with its own
                # template and stop text.
                server.create(name, prompted(made.path))
                about = {"name": name, "host": server.host, "version": server.version()}
                with OllamaRuntime(name) as runtime:
                    answer = runtime.answer([self.question.messages()])[0].text
                    timings = [asdict(one) for one in runtime.timings[:1]]
        except WorkshopError as error:
            return {"left_out": str(error)}
        self.answers.append((self.tuned(MANY, made.type, "Ollama"), answer))
        return {**about, "type": made.type, "answer": answer, "timings": next(iter(timings), None)}

    def reports(self) -> dict[str, Any]:
        """What the page shows, as `write_report` takes it."""
        return {
            "training": {self.tuned(FEW): self.few, self.tuned(MANY): self.many},
            "comparison": self.comparison,
            "merging": self.merged,
            "quantization": self.quantization,
            "same_question": (self.question.question, self.answers),
            "steps": self.steps,
        }

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        answers = {"question": self.question.question, "answers": dict(self.answers)}
        return {
            "training": {
                self.tuned(FEW): self.few.to_dict(), self.tuned(MANY): self.many.to_dict(),
            },
            "comparison": self.comparison.to_dict(),
            "merging": self.merged.to_dict(),
            "gguf": self.converted.to_dict(),
            "quantization": self.quantization.to_dict(),
            "same_question": answers,
            "steps": dict(self.steps),
            "ollama": self.served,
        }  # fmt: skip

    def show(self) -> None:
        from rich import box
        from rich.text import Text

        from ..display import as_table

        for measured in (self.comparison, self.quantization):
            self.screen.print(as_table(measured, self.language).rich())
        rows = [(Text(label, style="dim"), answer) for label, answer in self.answers]
        title, plain = Text(self.question.question), box.SIMPLE_HEAD
        self.screen.print(
            table(("", ""), rows, title=title, title_justify="left", box=plain, show_header=False)
        )
        said = "Not put into Ollama. {left_out}"
        if "name" in self.served:
            said = "In Ollama: {name}. Talk to it: workshop ollama chat {name}"
        self.screen.print(Text(said.format(**self.served)), soft_wrap=True)


def _no_ollama() -> str:
    """Why no model can be put into Ollama now; nothing where it can."""
    from ..runtimes.ollama.client import Ollama

    try:
        with Ollama(timeout=5) as server:
            server.need()
    except WorkshopError as error:
        return str(error)
    return ""


def telling_question(comparison: Comparison) -> int:
    """The place of the first question that the last candidate answers fully and the first one does
    not, else 0.
    """
    first, last = comparison.rows[0], comparison.rows[-1]
    for place, (before, after) in enumerate(zip(first.scores, last.scores, strict=True)):
        if after.recall == 1 and not before.recall:
            return place
    return 0
