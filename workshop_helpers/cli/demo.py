"""The main job in one function: ten rows, a hundred rows, before and after, merged, quantized,
asked, reported.

Where an Ollama server answers, the tuned model goes into it and answers there too; where none does,
that step is left out and says so.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.artifacts import claim, data_path
from ..core.cards import write_json
from ..core.errors import WorkshopError

if TYPE_CHECKING:
    from rich.console import Console

    from ..evaluation.comparison import Comparison
    from ..evaluation.quantization import QuantizationTable
    from ..gguf.artifact import GgufReport
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
HELD_OUT = 100  # rows at the end of the training file, never trained on here, that perplexity is measured on

WORDS = {
    "en": {
        "base": "base",
        "prompted": "base + facts in the prompt",
        "few": f"tuned on {FEW} rows",
        "many": f"tuned on {MANY} rows",
        "train few": f"train on {FEW} rows",
        "train many": f"train on {MANY} rows",
        "verify": "put the held-out questions to each",
        "merge": "merge the adapter into the base",
        "convert": "convert to GGUF",
        "quantize": "quantize and measure",
        "ask": "ask all the same question",
        "ollama": "put it into Ollama and ask it there",
    },
    "ja": {
        "base": "ベースモデル",
        "prompted": "ベースモデル＋プロンプトに事実",
        "few": f"{FEW}行で学習",
        "many": f"{MANY}行で学習",
        "train few": f"{FEW}行で学習する",
        "train many": f"{MANY}行で学習する",
        "verify": "評価用の質問に答えさせる",
        "merge": "アダプターをベースモデルにマージする",
        "convert": "GGUFに変換する",
        "quantize": "量子化して測る",
        "ask": "同じ質問をする",
        "ollama": "Ollamaに入れて質問する",
    },
}


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
    languages: Sequence[str] = ("en", "ja"),
    types: Sequence[str] = ("Q8_0", "Q4_K_M", "Q2_K"),
    device: str | None = None,
    shop: Path | None = None,
    overwrite: bool = False,
    ollama: bool = True,
    console: Console | None = None,
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
    from rich.console import Console

    from ..core.device import machine, versions
    from ..display import write_report
    from ..models.resolve import resolve

    console = console or Console(highlight=False)
    out = Path(out).expanduser()
    shop = shop or data_path("shop")
    # What cannot be run is refused before anything is written.
    resolve(model)
    check_types(types)
    if not languages or not set(languages) <= set(WORDS):
        asked = ", ".join(languages) or "none"
        raise WorkshopError(f"The demo speaks {', '.join(WORDS)}; asked for: {asked}.")
    start = time.perf_counter()
    pages: list[Path] = []
    with claim(out):
        no_ollama = _no_ollama() if ollama else "It was not asked for."
        results = {}
        for language in languages:
            result = _run(
                out / language, language, model, types, device, shop, overwrite, no_ollama, console
            )
            results[language] = result
            _print(result, console)
            pages.append(
                write_report(
                    out
                    / ("report.html" if language == languages[0] else f"report.{language}.html"),
                    language=language,
                    comparison=result.comparison,
                    training=result.training,
                    merging=result.merging,
                    quantization=result.quantization,
                    same_question=(result.question, result.answers),
                    steps=result.steps,
                    machine=machine(),
                    versions=versions(),
                )
            )
        report = {
            "model": model,
            "machine": machine(),
            "versions": versions(),
            "seconds": round(time.perf_counter() - start, 1),
            "languages": {language: result.to_dict() for language, result in results.items()},
        }
        write_json(out / "report.json", report)
    console.print(f"\n{report['seconds']:.0f} s in all.", style="bold")
    for path in [*pages, out / "report.json"]:
        console.print(f"  {path}", markup=False, soft_wrap=True)
    return report


def _run(
    out: Path,
    language: str,
    model: str,
    types: Sequence[str],
    device: str | None,
    shop: Path,
    overwrite: bool,
    no_ollama: str,
    console: Console,
) -> Result:
    from ..dataset.formats import read_conversations
    from ..dataset.questions import read_questions
    from ..evaluation.comparison import Candidate, compare
    from ..evaluation.quantization import quantization_table
    from ..gguf.convert import convert
    from ..metrics.facts import ShopFacts
    from ..runtimes import ask
    from ..training.merge import merge
    from ..training.recipe import LoraRecipe
    from ..training.train import train

    words = WORDS[language]
    facts = ShopFacts.load(shop / "facts.yaml")
    rows = read_conversations(shop / f"train.{language}.jsonl")
    if len(rows) < MANY:
        raise WorkshopError(
            f"{shop / f'train.{language}.jsonl'} has {len(rows)} rows; the demo trains on {MANY}."
        )
    held_out = rows[MANY:][-HELD_OUT:] or rows[-HELD_OUT:]
    questions = read_questions(shop / f"questions.{language}.jsonl")
    recipe = LoraRecipe.for_model(model)
    steps: list[tuple[str, float]] = []
    count = 7 if no_ollama else 8

    @contextmanager
    def step(key: str) -> Iterator[None]:
        console.print(f"[dim]{len(steps) + 1}/{count}[/] {words[key]} …")
        begun = time.perf_counter()
        yield
        steps.append((words[key], round(time.perf_counter() - begun, 2)))

    again: dict[str, Any] = {"device": device, "overwrite": overwrite}
    with step("train few"):
        few = train(
            model,
            rows[:FEW],
            out / f"tuned-{FEW}",
            recipe.replace(epochs=FEW_EPOCHS, batch_size=FEW_BATCH),
            **again,
        )
    with step("train many"):
        many = train(model, rows[:MANY], out / f"tuned-{MANY}", recipe, **again)
    with step("verify"):
        candidates = [
            Candidate(words["base"], model),
            Candidate(words["prompted"], model, system=facts.system_prompt(language)),
            Candidate(words["few"], few.adapter),
            Candidate(words["many"], many.adapter),
        ]
        comparison = compare(candidates, questions, shop=facts, device=device, progress=False)
    with step("merge"):
        merged = merge(many.adapter, out / "model", **again)
    with step("convert"):
        converted = convert(merged.model, out / "model-F16.gguf", overwrite=overwrite)
    with step("quantize"):
        quantization = quantization_table(
            converted.path, types, questions, held_out_conversations=held_out, shop=facts
        )
    with step("ask"):
        chosen = telling_question(comparison)
        question = questions[chosen]
        answers = [(row.label, row.answers[chosen].text.strip()) for row in comparison.rows]
        for made in quantization.rows:
            text = ask(made.path, question.question, system=question.system).text.strip()
            answers.append((f"{words['many']}, {made.type}", text))
    served: Served | str = no_ollama
    if not no_ollama:
        made = next((row for row in quantization.rows if row.type == SERVED), quantization.rows[-1])
        with step("ollama"):
            served = _serve(f"workshop-demo-{language}", made.path, made.type, question)
        if isinstance(served, Served):
            answers.append((f"{words['many']}, {made.type}, Ollama", served.answer))

    training = {words["few"]: few, words["many"]: many}
    return Result(
        language,
        training,
        comparison,
        merged,
        converted,
        quantization,
        question.question,
        answers,
        steps,
        served,
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


def check_types(types: Sequence[str]) -> None:
    """Refuse unknown quantization types before the first file is made. Raises WorkshopError with
    all there are.
    """
    from ..gguf.header import TYPES

    unknown = [kind for kind in types if kind.upper() not in TYPES]
    if unknown:
        raise WorkshopError(
            f"Unknown quantization type: {', '.join(unknown)}. There are: {', '.join(TYPES)}."
        )


def telling_question(comparison: Comparison) -> int:
    """The place of the first question that the last candidate answers fully and the first one does
    not, else 0.
    """
    first, last = comparison.rows[0], comparison.rows[-1]
    for place, (before, after) in enumerate(zip(first.scores, last.scores, strict=True)):
        if after.recall == 1 and not before.recall:
            return place
    return 0


def _print(result: Result, console: Console) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    console.print(result.comparison.table(result.language))
    console.print(result.quantization.table(result.language))
    answers = Table(
        box=box.SIMPLE_HEAD, title=Text(result.question), title_justify="left", show_header=False
    )
    answers.add_column(style="dim")
    answers.add_column(overflow="fold")
    for label, answer in result.answers:
        answers.add_row(Text(label), Text(answer))
    console.print(answers)
    if isinstance(result.ollama, Served):
        said = f"In Ollama: {result.ollama.name}. Talk to it: workshop ollama chat {result.ollama.name}"
    else:
        said = f"Not put into Ollama. {result.ollama}"
    console.print(Text(said), soft_wrap=True)
