"""The talk's three demos, each as one command: what is done, and beside it what to say.

1: fine-tune and verify; 2: the same by prompting alone; 3: the way into Ollama.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.artifacts import claim, runs_folder
from ..core.cards import file_hash, fingerprint, read_card
from ..core.errors import WorkshopError
from ..core.ownership import keep_apart
from ..core.progress import Bar
from ..display.colours import BLUE
from .own import DEMO, OLLAMA_RECORD, OwnFolder
from .presenting import Presenter, size

if TYPE_CHECKING:
    from ..evaluation.comparison import CandidateResult, Comparison
    from ..evaluation.shop import Shop, ShopQuestions
    from ..gguf.artifact import GgufReport
    from ..runtimes.ollama.modelfile import Modelfile
    from ..runtimes.places import Place, Served
    from ..training.recipe import LoraRecipe
    from ..training.report import TrainingProgress, TrainingReport

# The questions whose answers are read aloud, by their places: a price, a deadline, opening hours.
READ_ALOUD = (0, 8, 20)
# Rows of the data that are shown.
SHOWN_ROWS = 3
# Few rows make too few steps in the recipe's own batches: these are the talk's three epochs.
FEW, FEW_EPOCHS, FEW_BATCH = 20, 3, 2
# At most so many lines of the loss, however long the training.
LOSS_LINES, LOSS_BAR = 15, 36
SERVED = "Q4_K_M"


@dataclass
class Demo:
    """A demo being shown: `model` and `shop`'s rows in `folder`, on the presenter's screen."""

    show: Presenter
    folder: OwnFolder
    model: str
    shop: Shop
    device: str | None = None
    anew: bool = False

    @property
    def out(self) -> Path:
        """Where the artifacts of this model and language lie."""
        return self.folder.path / runs_folder(self.model, self.shop.language).name

    @property
    def aloud(self) -> ShopQuestions:
        """The questions whose answers are read aloud."""
        from ..evaluation.shop import ShopQuestions

        questions = self.shop.questions
        return ShopQuestions([questions[place] for place in READ_ALOUD], questions.facts)


@contextmanager
def open_demo(
    name: str,
    show: Presenter,
    out: Path,
    model: str,
    *,
    device: str | None = None,
    anew: bool = False,
) -> Iterator[Demo]:
    """The demo `name` with its folder `out` claimed. WorkshopError where the folder is somebody
    else's or in use, and for a model that is not there.
    """
    from .. import __version__
    from ..evaluation.shop import Shop
    from ..models.identity import identity
    from ..models.resolve import folders_of, resolve

    ref, shop = resolve(model), Shop(show.language)
    keep_apart(out, folders_of(ref))
    rows = file_hash(shop.file("train"))
    of = fingerprint({"course": __version__, "model": identity(ref), "rows": rows})
    folder = OwnFolder.open(out, DEMO, name)
    with claim(out):
        # Of another model, other rows or an older course: our own artifacts give way to new ones.
        changed = folder.note(runs_folder(model, shop.language).name, of)
        yield Demo(show, folder, model, shop, device, anew or changed)


# --- 1: fine-tune and verify ----------------------------------------------------------------------


def demo1(
    demo: Demo, rows: int, *, questions: int | None = None, reuse: bool = False
) -> Comparison:
    """Train on the shop's first `rows` rows, before everyone's eyes, and ask before and after.

    It trains each time, for a training is what people came to see; with `reuse` an equal earlier
    one is shown instead, and said to be so. The first `questions` held-out questions are asked, or
    all of them.
    """
    from ..display.tables import as_table
    from ..evaluation.comparison import compare
    from ..evaluation.manner import manner

    show, shop = demo.show, demo.shop
    show.steps = 5
    data, recipe = rows_of(shop, rows), recipe_of(demo.model, rows)
    asked = shop.questions[:questions]

    show.step("step-rows", "note-rows", n=rows)
    for row in data[:SHOWN_ROWS]:
        show.show(_spoken(row.question, row.answer))
    show.told("rows-more", shown=min(SHOWN_ROWS, rows), n=rows, file=shop.file("train").name)

    show.step("step-recipe", "note-recipe", n=rows)
    show.show(_facts(show, base=demo.model, recipe=_recipe(show, recipe, rows)))

    show.step("step-train", "note-train", n=rows)
    report = _train(demo, data, recipe, anew=not reuse)
    show.show(_trained(show, report))

    show.step("step-before-after", "note-before-after", n=rows)
    show.told("asking", n=len(asked))
    tried: dict[str, Any] = {"base": demo.model, f"{rows}": report}
    result = compare(tried, asked, device=demo.device)
    _read_aloud(demo, result, telling(result))
    show.show(as_table(result, show.language).rich())

    show.step("step-learned", n=rows)
    manners = manner(result)
    show.show(as_table(manners, show.language).rich())
    before, after = result.rows
    learned = "little" if (after.summary.recall or 0) < 0.5 else "much"
    show.note(f"note-learned-{learned}", n=rows)
    show.told(
        "learned", n=rows, before=_share(before.summary.recall), after=_share(after.summary.recall),
        changed=_share(1 - manners.rows[1].unchanged),
        wrong=sum(bool(s.contradicted or s.unsupported) for s in after.scores),
        questions=len(result.questions),
    )  # fmt: skip
    return result


def telling(result: Comparison) -> tuple[int, ...]:
    """The places of the questions that are read aloud, and of the first ones that the last
    candidate answers otherwise than the first: wrong, and right.
    """
    before, after = result.rows[0], result.rows[-1]
    changed = [
        place for place in range(len(result.questions))
        if before.answers[place].text != after.answers[place].text
    ]  # fmt: skip
    scores = after.scores
    wrong = (n for n in changed if scores[n].contradicted or scores[n].unsupported)
    right = (n for n in changed if scores[n].recall == 1)
    found = [place for some in (wrong, right) for place in [*some][:1]]
    return tuple(sorted({*READ_ALOUD[:2], *(found or changed[:1])}))


def rows_of(shop: Shop, rows: int) -> list[Any]:
    """The shop's first rows. WorkshopError where there are fewer."""
    if rows > len(shop.train):
        raise WorkshopError(
            f"The shop has {len(shop.train)} rows, and {rows} were asked for. Give --rows "
            f"{len(shop.train)} or less."
        )
    return shop.train[:rows]


def recipe_of(model: str, rows: int) -> LoraRecipe:
    """The model's own recipe; for few rows in smaller batches, so that there are steps at all."""
    from ..training.recipe import LoraRecipe

    recipe = LoraRecipe.for_model(model)
    return recipe.replace(epochs=FEW_EPOCHS, batch_size=FEW_BATCH) if rows <= FEW else recipe


def _train(demo: Demo, data: list[Any], recipe: LoraRecipe, *, anew: bool) -> TrainingReport:
    """The adapter, its loss going down on the screen, or an equal one that was found."""
    from ..training.checkpoints import remove_work, work_folder
    from ..training.train import train

    show, out = demo.show, demo.out / f"tuned-{len(data)}"
    demo.folder.begin(out)
    if anew:
        # What a killed run left would be gone on with, and half of the steps would not be seen.
        remove_work(work_folder(out))
    show.told("loading")
    report = train(
        demo.model, data, out, recipe, device=demo.device, overwrite=anew, progress=Loss(show)
    )
    demo.folder.made(out)
    if report.reused:
        _found(demo, out)
    return report


class Loss:
    """Shows the loss of a training as it goes down, a line for each of some steps."""

    def __init__(self, show: Presenter) -> None:
        self.show, self.first = show, 0.0

    def __call__(self, progress: TrainingProgress) -> None:
        self.first = self.first or progress.loss
        every = -(-progress.steps // LOSS_LINES)
        if progress.step == 1 or progress.step % every == 0 or progress.step == progress.steps:
            from rich.text import Text

            bar = "█" * max(1, round(LOSS_BAR * min(1.0, progress.loss / self.first)))
            done = self.show.say("loss", step=progress.step, steps=progress.steps)
            self.show.show(Text(f"  {done}  {progress.loss:6.3f}  ").append(bar, BLUE))


# --- 2: the same by prompting alone ---------------------------------------------------------------


def demo2(demo: Demo, questions: int) -> Comparison:
    """Make a prompted model of the shop's facts, ask it the same questions, and show that the
    weights are still the same. The first `questions` held-out questions are scored.
    """
    from ..display.tables import as_table
    from ..evaluation.comparison import Comparison
    from ..runtimes.ollama.modelfile import write
    from ..runtimes.ollama.prompted import prompted

    show, shop = demo.show, demo.shop
    show.steps = 5
    asked = shop.questions[:questions]
    place = _place(demo)
    with place:
        show.step("step-prompt", "note-prompt")
        show.show(_inset(shop.system_prompt))

        show.step("step-modelfile", "note-modelfile")
        f16 = _gguf(demo, demo.model, "base-F16.gguf")
        before = file_hash(f16.path)
        plain = prompted(f16.path, folder=demo.out).setting(temperature=0, repeat_penalty=1)
        told = prompted(f16.path, system=shop.system_prompt, folder=demo.out)
        told = told.setting(temperature=0, repeat_penalty=1)
        modelfile = write(told, demo.out / "Modelfile")
        demo.folder.made(modelfile)
        show.show(_inset(_shortened(told, show)))

        show.step("step-create", "note-create")
        _tell_where(show, place)
        name = f"demo2-{shop.language}"
        with show.timed("creating", name=name) as took:
            base, made = place.create(f"{name}-base", plain), place.create(name, told)
        show.told("created", name=made.name, seconds=took.seconds)

        show.step("step-same-questions", "note-same-questions", n=len(asked))
        rows = [_ask(demo, base, asked, "base"), _ask(demo, made, asked, "prompt")]
        result = Comparison(list(asked), rows, shop.facts)
        _read_aloud(demo, result)
        show.show(as_table(result, show.language).rich())

        show.step("step-proof", "note-proof")
        show.show(as_table(place.proof(base, made), show.language).rich())
        same = made.weights == base.weights == before == file_hash(f16.path)
        show.told("same-weights" if same else "other-weights", digest=before)
    if _on_ollama(place):
        show.told("taken-away", names=[base.name, made.name])
    return result


def _ask(demo: Demo, served: Served, asked: ShopQuestions, label: str) -> CandidateResult:
    """The answers of a served model to the questions, scored."""
    from ..evaluation.candidates import Candidate, candidate_name
    from ..evaluation.comparison import CandidateResult
    from ..metrics.scoring import score_answer, summarise

    told = served.modelfile
    name = candidate_name(label, demo.show.language)
    candidate = Candidate(label, served.name, system=told.system, name=name)
    answers, begun = [], time.perf_counter()
    with Bar(name, len(asked)) as bar:
        for question in asked:
            answers.append(served.ask(question.question))
            bar.advance()
    seconds = time.perf_counter() - begun
    scores = [
        score_answer(answer.text, candidate.judged(question), asked.facts)
        for answer, question in zip(answers, asked, strict=True)
    ]
    return CandidateResult(candidate, answers, scores, summarise(scores), seconds)


# --- 3: the way into Ollama -----------------------------------------------------------------------


def demo3(demo: Demo, rows: int) -> CandidateResult:
    """Take a tuned model all the way: adapter, merged, GGUF, Q4_K_M, Modelfile, created, asked."""
    from ..gguf.quantize import quantize
    from ..runtimes.ollama.modelfile import write
    from ..runtimes.ollama.prompted import prompted
    from ..training.merge import merge

    show, out = demo.show, demo.out
    show.steps = 7
    steps: list[tuple[str, Path | None, float, bool]] = []
    data, recipe = rows_of(demo.shop, rows), recipe_of(demo.model, rows)

    show.step("step-adapter", "note-adapter", n=rows)
    trained = _train(demo, data, recipe, anew=demo.anew)
    show.files(trained.adapter)
    steps.append(("adapter", trained.adapter, trained.seconds, trained.reused))

    show.step("step-merge", "note-merge")
    model = out / f"model-{rows}"
    demo.folder.begin(model)
    with show.timed("merging"):
        merged = merge(trained.adapter, model, device=demo.device, overwrite=demo.anew)
    demo.folder.made(merged.model)
    show.files(merged.model)
    steps.append(("merged", merged.model, merged.seconds, merged.reused))

    show.step("step-gguf", "note-gguf")
    f16 = _gguf(demo, merged.model, f"model-{rows}-F16.gguf")
    steps.append(("gguf", f16.path, f16.seconds, f16.reused))

    show.step("step-quantize", "note-quantize")
    small = out / f"model-{rows}-{SERVED}.gguf"
    demo.folder.begin(small)
    with show.timed("quantizing", type=SERVED):
        quantized = quantize(f16.path, SERVED, small, overwrite=demo.anew)
    demo.folder.made(small)
    show.files(f16.path, small)
    show.told("smaller", share=quantized.size_bytes / f16.size_bytes,
              bits=quantized.bits_per_weight)  # fmt: skip
    steps.append(("quantized", small, quantized.seconds, quantized.reused))

    show.step("step-its-modelfile", "note-its-modelfile")
    told = prompted(small, folder=out).setting(temperature=0, repeat_penalty=1)
    demo.folder.made(write(told, out / "Modelfile"))
    show.show(_inset(told.text()))

    place = _place(demo)
    with place:
        show.step("step-create", "note-created-of")
        _tell_where(show, place)
        name = f"demo3-{demo.shop.language}"
        with show.timed("creating", name=name) as took:
            served = place.create(name, told)
        steps.append(("made", None, took.seconds, False))

        show.step("step-asked", "note-asked", n=rows)
        result = _ask(demo, served, demo.aloud, f"{rows}")
        _aloud(demo, [result])
        if _on_ollama(place):
            place.keep(served)
    steps.append(("answers", None, result.seconds, False))
    show.show(_way(show, steps))
    if _on_ollama(place):
        show.told("stays", name=served.name)
    return result


def _gguf(demo: Demo, model: str | Path, name: str) -> GgufReport:
    from ..gguf.convert import convert

    out = demo.out / name
    demo.folder.begin(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with demo.show.timed("converting", name=name):
        report = convert(model, out, overwrite=demo.anew)
    demo.folder.made(out)
    if report.reused:
        _found(demo, out)
    else:
        demo.show.told("converted", name=name, seconds=report.seconds, size=size(report.size_bytes))
    return report


# --- what all have --------------------------------------------------------------------------------


def _place(demo: Demo) -> Place:
    """Where models run, with a record of what is made on an Ollama server."""
    from ..runtimes.places import place_to_run

    place = place_to_run(demo.show.language)
    place.record = demo.folder.path / OLLAMA_RECORD
    return place


def _on_ollama(place: Place) -> bool:
    from ..runtimes.places import OnOllama

    return isinstance(place, OnOllama)


def _tell_where(show: Presenter, place: Place) -> None:
    show.told("on-ollama" if _on_ollama(place) else "in-process", name=place.name)


def _found(demo: Demo, out: Path) -> None:
    """Say that nothing was made, and when it was."""
    made = str((read_card(out) or {}).get("made", "?")).replace("T", " ").replace("Z", " UTC")
    demo.show.told("found", name=out.name, made=made)


def _read_aloud(demo: Demo, result: Comparison, chosen: Sequence[int] = READ_ALOUD) -> None:
    from ..display.terminal import answers_on_terminal

    places = [place for place in chosen if place < len(result.questions)]
    demo.show.show(answers_on_terminal(result.side_by_side(places), demo.show.language))
    demo.show.told("marks")


def _aloud(demo: Demo, rows: Sequence[CandidateResult]) -> None:
    from ..display.terminal import answers_on_terminal
    from ..evaluation.comparison import Comparison

    asked = Comparison(list(demo.aloud), list(rows), demo.shop.facts)
    everything = asked.side_by_side(range(len(asked.questions)))
    demo.show.show(answers_on_terminal(everything, demo.show.language))
    demo.show.told("marks")


def _share(share: float | None) -> str:
    from ..display.tables import percent

    return percent(share).replace(" ", "")  # a line must not break between the two


def _spoken(question: str, answer: str) -> Any:
    from rich.text import Text

    return Text("? ", "bold").append(question, "bold").append(f"\n  {answer}\n")


def _inset(text: str) -> Any:
    from rich.padding import Padding
    from rich.text import Text

    return Padding(Text(text.strip()), (0, 2))


def _shortened(modelfile: Modelfile, show: Presenter) -> str:
    """The Modelfile, with the middle of the system text, which was shown already, left out."""
    first, *middle, last = (modelfile.system or "").splitlines()
    whole = modelfile.system or ""
    gap = show.say("lines-left-out", n=len(middle))
    return modelfile.text().replace(whole, f"{first}\n{gap}\n{last}")


def _facts(show: Presenter, **named: str) -> Any:
    """Lines of a name and a value."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    for code, value in named.items():
        table.add_row(Text(f"  {show.say(code.replace('_', '-'))}", "dim"), Text(value))
    return table


def _recipe(show: Presenter, recipe: LoraRecipe, rows: int) -> str:
    return show.say(
        "recipe-said", rank=recipe.rank, alpha=recipe.alpha, rate=recipe.learning_rate,
        epochs=recipe.epochs, batch=recipe.batch_size, n=rows,
    )  # fmt: skip


def _trained(show: Presenter, report: TrainingReport) -> Any:
    first = report.losses[0][2] if report.losses else float("nan")
    return _facts(
        show,
        trainable=show.say(
            "trainable-said", trainable=report.trainable, total=report.total,
            share=report.trainable / report.total,
        ),
        fell=show.say("fell-said", first=first, last=report.final_loss, steps=len(report.losses)),
        took=show.say("took-said", seconds=report.seconds, device=_short(report.device)),
    )  # fmt: skip


def _short(device: str) -> str:
    """The device without its reasons, which stand in brackets."""
    while (without := re.sub(r"(?<!\s)\s*\([^()]*\)", "", device)) != device:
        device = without
    return device


def _way(show: Presenter, steps: Sequence[tuple[str, Path | None, float, bool]]) -> Any:
    """The whole way as a table: each step with its file, size and seconds."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for code, justify in (("way", "left"), ("file", "left"), ("size", "right"), ("time", "right")):
        table.add_column(Text(show.say(code)), justify=justify)  # type: ignore[arg-type]
    for code, path, seconds, reused in steps:
        took = show.seconds(seconds) + (" *" if reused else "")
        weight = "" if path is None else size(_bytes(path))
        table.add_row(show.say(code), path.name if path else "", weight, took)
    if any(reused for *_, reused in steps):
        table.caption, table.caption_justify = show.say("found-before"), "left"
    return table


def _bytes(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
