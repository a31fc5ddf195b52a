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
from ..core.errors import WorkshopError
from ..core.jsonio import to_json, write_json
from ..core.wordings import LANGUAGES, say
from .arguments import DEFAULT_TYPES, MODEL_HELP, add_verb, flag, option, several
from .convert import check_types
from .output import OK, console, table

if TYPE_CHECKING:
    from rich.console import Console

    from ..evaluation.comparison import Comparison
    from ..evaluation.quantization import QuantizationTable
    from ..gguf.artifact import GgufReport
    from ..metrics.facts import ShopFacts
    from ..metrics.scoring import Question
    from ..runtimes.ollama.client import Timings
    from ..training.merge import MergeReport
    from ..training.report import TrainingReport

FEW, MANY = 10, 100
FEW_EPOCHS = 3
# In the batches of the hundred rows, ten rows would make too few steps to teach anything at all.
FEW_BATCH = 2
# The type that most people run, where it is among those made.
SERVED = "Q4_K_M"
# Rows at the end of the training file, never trained on here, on which perplexity is measured.
HELD_OUT = 100


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
    option(demo, "--out", "DIR", where, Path, default=Path("runs/demo"))
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
        print(to_json(report))
    return OK


@dataclass(frozen=True)
class Served:
    """The tuned model as Ollama has it: its name there, its answer to the question that all were
    asked.
    """

    name: str
    host: str
    version: str
    type: str
    answer: str
    timings: Timings | None


@dataclass
class Result:
    """What one language's run made: the reports of its stages, one question put to every model,
    seconds a step.

    `ollama`: the model in Ollama, or why that was left out.
    """

    language: str
    training: dict[str, TrainingReport]
    comparison: Comparison
    merging: MergeReport
    converted: GgufReport
    quantization: QuantizationTable
    question: str
    answers: list[tuple[str, str]]
    steps: list[tuple[str, float]] = field(default_factory=list)
    ollama: Served | str = ""

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        return {
            "training": {label: report.to_dict() for label, report in self.training.items()},
            "comparison": self.comparison.to_dict(),
            "merging": self.merging.to_dict(),
            "gguf": self.converted.to_dict(),
            "quantization": self.quantization.to_dict(),
            "same_question": {"question": self.question, "answers": dict(self.answers)},
            "steps": dict(self.steps),
            "ollama": {"left_out": self.ollama}
            if isinstance(self.ollama, str)
            else asdict(self.ollama),
        }


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
    `out`/LANGUAGE. Stages whose result is there already are not done again. With `ollama`, and
    where a server answers (OLLAMA_HOST, else this machine's), it then has the tuned model as
    "workshop-demo-LANGUAGE". Returns what report.json holds. Raises WorkshopError as the stages do,
    and when another run is at work in `out`.
    """
    from ..core.device import machine, versions
    from ..models.resolve import resolve

    out = Path(out).expanduser()
    # What cannot be run is refused before anything is written.
    resolve(model)
    check_types(types)
    if not languages or not set(languages) <= set(LANGUAGES):
        asked = ", ".join(languages) or "none"
        raise WorkshopError(f"The demo speaks {', '.join(LANGUAGES)}; asked for: {asked}.")
    start = time.perf_counter()
    about = {"machine": machine(), "versions": versions()}
    results, pages = {}, []
    with claim(out):
        no_ollama = _no_ollama() if ollama else "It was not asked for."
        for language in languages:
            job = _Job(
                language, out / language, model, types, device, shop or data_path("shop"),
                overwrite, no_ollama, screen or console(),
            )  # fmt: skip
            results[language] = result = job.run()
            job.show(result)
            page = "report.html" if language == languages[0] else f"report.{language}.html"
            pages.append(_write_page(result, out / page, about))
        seconds = round(time.perf_counter() - start, 1)
        found = {language: result.to_dict() for language, result in results.items()}
        report = {"model": model, **about, "seconds": seconds, "languages": found}
        write_json(out / "report.json", report)
    job.screen.print(f"\n{seconds:.0f} s in all.", style="bold")
    for path in [*pages, out / "report.json"]:
        job.screen.print(f"  {path}", markup=False, soft_wrap=True)
    return report


@dataclass
class _Job:
    """The main job in one language, step by step; see `run_demo`."""

    language: str
    out: Path
    model: str
    types: Sequence[str]
    device: str | None
    shop: Path
    overwrite: bool
    no_ollama: str
    screen: Console
    steps: list[tuple[str, float]] = field(default_factory=list)

    def say(self, code: str, **values: Any) -> str:
        return say(f"demo.{code}", self.language, **values)

    @contextlib.contextmanager
    def step(self, code: str, **values: Any) -> Iterator[None]:
        """Say what is done, and take its time."""
        name, count = self.say(code, **values), 7 if self.no_ollama else 8
        self.screen.print(f"[dim]{len(self.steps) + 1}/{count}[/] {name} …")
        begun = time.perf_counter()
        yield
        self.steps.append((name, round(time.perf_counter() - begun, 2)))

    def run(self) -> Result:
        from ..dataset.questions import read_questions
        from ..evaluation.quantization import quantization_table
        from ..gguf.convert import convert
        from ..metrics.facts import ShopFacts
        from ..training.merge import merge

        facts = ShopFacts.load(self.shop / "facts.yaml")
        rows = self.rows()
        questions = read_questions(self.shop / f"questions.{self.language}.jsonl")
        few = self.train(rows[:FEW], epochs=FEW_EPOCHS, batch_size=FEW_BATCH)
        many = self.train(rows[:MANY])
        comparison = self.compare(few.adapter, many.adapter, questions, facts)
        with self.step("merge"):
            merged = merge(
                many.adapter, self.out / "model", device=self.device, overwrite=self.overwrite
            )
        with self.step("convert"):
            gguf = self.out / "model-F16.gguf"
            converted = convert(merged.model, gguf, overwrite=self.overwrite)
        with self.step("quantize"):
            held_out = rows[MANY:][-HELD_OUT:] or rows[-HELD_OUT:]
            quantization = quantization_table(
                converted.path, self.types, questions, held_out_conversations=held_out, shop=facts
            )
        place = telling_question(comparison)
        question = questions[place]
        answers = self.ask(question, place, comparison, quantization)
        served = self.serve(question, quantization)
        if isinstance(served, Served):
            answers.append((f"{self.tuned(MANY)}, {served.type}, Ollama", served.answer))
        return Result(
            language=self.language,
            training={self.tuned(FEW): few, self.tuned(MANY): many},
            comparison=comparison,
            merging=merged,
            converted=converted,
            quantization=quantization,
            question=question.question,
            answers=answers,
            steps=self.steps,
            ollama=served,
        )

    def rows(self) -> list[Any]:
        from ..dataset.formats import read_conversations

        file = self.shop / f"train.{self.language}.jsonl"
        rows = read_conversations(file)
        if len(rows) < MANY:
            raise WorkshopError(f"{file} has {len(rows)} rows; the demo trains on {MANY}.")
        return rows

    def tuned(self, count: int) -> str:
        return self.say("tuned", n=count)

    def train(self, rows: list[Any], **changes: Any) -> TrainingReport:
        from ..training.recipe import LoraRecipe
        from ..training.train import train

        recipe = LoraRecipe.for_model(self.model).replace(**changes)
        out = self.out / f"tuned-{len(rows)}"
        with self.step("train", n=len(rows)):
            return train(
                self.model, rows, out, recipe, device=self.device, overwrite=self.overwrite
            )

    def compare(
        self, few: Path, many: Path, questions: list[Question], facts: ShopFacts
    ) -> Comparison:
        from ..evaluation.comparison import Candidate, compare

        system = facts.system_prompt(self.language)
        candidates = [
            Candidate(self.say("base"), self.model),
            Candidate(self.say("prompted"), self.model, system=system),
            Candidate(self.tuned(FEW), few),
            Candidate(self.tuned(MANY), many),
        ]
        with self.step("verify"):
            return compare(candidates, questions, shop=facts, device=self.device, progress=False)

    def ask(
        self, question: Question, place: int, comparison: Comparison, made: QuantizationTable
    ) -> list[tuple[str, str]]:
        """(label, answer) of every model; those that were compared have answered already."""
        from ..runtimes import ask

        answers = [(row.label, row.answers[place].text.strip()) for row in comparison.rows]
        with self.step("ask"):
            for row in made.rows:
                answer = ask(row.path, question.question, system=question.system)
                answers.append((f"{self.tuned(MANY)}, {row.type}", answer.text.strip()))
        return answers

    def serve(self, question: Question, made: QuantizationTable) -> Served | str:
        if self.no_ollama:
            return self.no_ollama
        row = next((row for row in made.rows if row.type == SERVED), made.rows[-1])
        with self.step("ollama"):
            return _serve(f"workshop-demo-{self.language}", row.path, row.type, question)

    def show(self, result: Result) -> None:
        from rich import box
        from rich.text import Text

        self.screen.print(result.comparison.table(self.language))
        self.screen.print(result.quantization.table(self.language))
        rows = [(Text(label, style="dim"), answer) for label, answer in result.answers]
        title, plain = Text(result.question), box.SIMPLE_HEAD
        answers = table(
            ("", ""), rows, title=title, title_justify="left", box=plain, show_header=False
        )
        self.screen.print(answers)
        said = f"Not put into Ollama. {result.ollama}"
        if isinstance(result.ollama, Served):
            name = result.ollama.name
            said = f"In Ollama: {name}. Talk to it: workshop ollama chat {name}"
        self.screen.print(Text(said), soft_wrap=True)


def _write_page(result: Result, path: Path, about: dict[str, Any]) -> Path:
    from ..display import write_report

    return write_report(
        path,
        language=result.language,
        comparison=result.comparison,
        training=result.training,
        merging=result.merging,
        quantization=result.quantization,
        same_question=(result.question, result.answers),
        steps=result.steps,
        **about,
    )


def _no_ollama() -> str:
    """Why no model can be put into Ollama now; nothing where it can."""
    from ..runtimes.ollama.client import Ollama

    try:
        with Ollama(timeout=5) as server:
            server.need()
    except WorkshopError as error:
        return str(error)
    return ""


def _serve(name: str, gguf: Path, kind: str, question: Question) -> Served | str:
    """The model of a GGUF in Ollama, asked; or why not: a server's trouble does not cost what is
    made already.
    """
    from ..runtimes.ollama.client import Ollama
    from ..runtimes.ollama.prompted import prompted
    from ..runtimes.ollama.runtime import OllamaRuntime

    try:
        with Ollama() as server:
            # Without a system text or examples this is the tuned model alone, with its own template
            # and stop text.
            server.create(name, prompted(gguf))
            version = server.version()
        with OllamaRuntime(name) as runtime:
            answer = runtime.answer([question.messages()])[0].text
            timings = next(iter(runtime.timings), None)
    except WorkshopError as error:
        return str(error)
    return Served(name, server.host, version, kind, answer, timings)


def telling_question(comparison: Comparison) -> int:
    """The place of the first question that the last candidate answers fully and the first one does
    not, else 0.
    """
    first, last = comparison.rows[0], comparison.rows[-1]
    for place, (before, after) in enumerate(zip(first.scores, last.scores, strict=True)):
        if after.recall == 1 and not before.recall:
            return place
    return 0
