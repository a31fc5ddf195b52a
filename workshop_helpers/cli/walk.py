"""The way from rows to quantized models and a report, walked in one go: by `workshop demo` on the
bundled shop, by `workshop try` on rows of one's own.
"""

from __future__ import annotations

import contextlib
import shlex
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.artifacts import claim
from ..core.cards import write_card
from ..core.jsonio import write_json
from ..core.ownership import refuse_foreign_file
from ..core.wordings import say
from .output import table

if TYPE_CHECKING:
    from rich.console import Console

    from ..dataset.formats import Conversation
    from ..evaluation.candidates import Candidate
    from ..evaluation.comparison import Comparison
    from ..metrics.facts import ShopFacts
    from ..metrics.scoring import Question
    from ..training.recipe import LoraRecipe
    from ..training.report import TrainingReport


@dataclass
class Walk:
    """The steps in one language, of one base model, in the folder `out`; each finds what it made
    before. `count`: how many steps there will be. `data`: the file of rows, as the commands that
    are shown name it.
    """

    language: str
    out: Path
    model: str
    types: Sequence[str]
    device: str | None
    overwrite: bool
    screen: Console
    count: int
    data: Path
    steps: list[tuple[str, float]] = field(default_factory=list)  # name, seconds
    trainings: dict[str, TrainingReport] = field(default_factory=dict)

    def say(self, code: str, **values: Any) -> str:
        return say(f"walk.{code}", self.language, **values)

    def tuned(self, rows: int, *more: str) -> str:
        """What the model that was tuned on so many rows is called."""
        return ", ".join([say("candidates.tuned", self.language, n=rows), *more])

    @contextlib.contextmanager
    def step(self, code: str, *command: object, **values: Any) -> Iterator[None]:
        """Say what is done, and the command that does it, and take its time."""
        name = self.say(code, **values)
        self.screen.print(f"[dim]{len(self.steps) + 1}/{self.count}[/] {name} …")
        if command:
            self.tell(shlex.join(["workshop", *map(str, command)]), style="dim")
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.steps.append((name, round(time.perf_counter() - begun, 2)))

    def tell(self, text: object, **style: Any) -> None:
        """A line below the step's name."""
        self.screen.print(f"    {text}", markup=False, soft_wrap=True, **style)

    def train(
        self, rows: list[Conversation], out: Path, *options: object, **changes: Any
    ) -> TrainingReport:
        """`changes` to the model's recipe, and how the command says them: `options`."""
        from ..training.recipe import LoraRecipe
        from ..training.train import train

        recipe: LoraRecipe = LoraRecipe.for_model(self.model).replace(**changes)
        command = ("train", "--model", self.model, "--data", self.data, "--out", out, *options)
        with self.step("train", *command, n=len(rows)):
            again: dict[str, Any] = {"device": self.device, "overwrite": self.overwrite}
            made = train(self.model, rows, out, recipe, **again)
        self.trainings[self.tuned(len(rows))] = made
        return made

    def compare(
        self, candidates: list[Candidate], questions: list[Question], file: Path,
        shop: ShopFacts | None = None,
    ) -> None:  # fmt: skip
        from ..evaluation.comparison import compare

        self.questions, self.shop = questions, shop
        models = dict.fromkeys(str(candidate.model) for candidate in candidates)
        how: dict[str, Any] = {"device": self.device, "progress": False}
        with self.step("verify", "verify", *models, "--questions", file):
            self.comparison = compare(candidates, questions, shop=shop, **how)

    def make_smaller(self, adapter: Path, held_out: list[Conversation]) -> None:
        """Merge, convert, quantize; then all are asked one question that training settled."""
        from ..evaluation.quantization import quantization_table
        from ..gguf.convert import convert
        from ..training.merge import merge

        model, gguf = self.out / "model", self.out / "model-F16.gguf"
        with self.step("merge", "merge", adapter, "--out", model):
            self.merged = merge(adapter, model, device=self.device, overwrite=self.overwrite)
        with self.step("convert", "gguf", model, "--out", gguf):
            self.converted = convert(self.merged.model, gguf, overwrite=self.overwrite)
        with self.step("quantize", "quantize", gguf, "--to", *self.types):
            self.quantization = quantization_table(
                self.converted.path, self.types, self.questions, shop=self.shop,
                held_out_conversations=held_out, overwrite=self.overwrite,
            )  # fmt: skip
        asked = telling_question(self.comparison)
        self.question = self.questions[asked]
        # Those that were compared have answered already.
        rows = self.comparison.rows
        self.answers = [(row.label, row.answers[asked].text.strip()) for row in rows]
        tuned = rows[-1].label
        with self.step("ask"):
            for made in self.quantization.rows:
                self.answers.append((f"{tuned}, {made.type}", self.ask(made.path)))

    def ask(self, model: Path) -> str:
        """The answer to the question that all are asked."""
        from ..runtimes import ask

        return ask(model, self.question.question, system=self.question.system).text.strip()

    def reports(self) -> dict[str, Any]:
        """What the page shows, as `write_report` takes it."""
        return {
            "training": self.trainings,
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
            "training": {label: made.to_dict() for label, made in self.trainings.items()},
            "comparison": self.comparison.to_dict(),
            "merging": self.merged.to_dict(),
            "gguf": self.converted.to_dict(),
            "quantization": self.quantization.to_dict(),
            "same_question": answers,
            "steps": dict(self.steps),
        }

    def show(self) -> None:
        """The tables, and the one question with everybody's answer."""
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


def write_page(walk: Walk, path: Path, kind: str, **more: Any) -> None:
    """The walk's report as a page; `more`: other parts of it, as `write_report` takes them."""
    from ..display import write_report

    write_report(path, language=walk.language, **walk.reports(), **more)
    write_card(path, {"kind": kind})


def telling_question(comparison: Comparison) -> int:
    """The place of the first question that the last candidate answers fully and the first one does
    not, else 0.
    """
    first, last = comparison.rows[0], comparison.rows[-1]
    for place, (before, after) in enumerate(zip(first.scores, last.scores, strict=True)):
        if after.recall == 1 and not before.recall:
            return place
    return 0


@contextlib.contextmanager
def reporting(
    out: Path,
    pages: Sequence[Path],
    kind: str,
    screen: Console,
    *,
    overwrite: bool,
    language: str = "en",
    **head: Any,
) -> Iterator[dict[str, Any]]:
    """Hold `out` while the block walks, writes its `pages` and fills the report that begins with
    `head`; then write report.json, and name the files on the screen.
    """
    start = time.perf_counter()
    report, file = {**head, "seconds": 0.0}, out / "report.json"
    with claim(out):
        for path in (*pages, file):
            refuse_foreign_file(path, kind, overwrite=overwrite)
        yield report
        report["seconds"] = round(time.perf_counter() - start, 1)
        write_json(file, report)
        write_card(file, {"kind": kind})
    screen.print("\n" + say("walk.all", language, n=round(report["seconds"])), style="bold")
    for path in (*pages, file):
        screen.print(f"  {path}", markup=False, soft_wrap=True)
