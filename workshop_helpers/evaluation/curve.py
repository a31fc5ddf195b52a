"""Does a model need more rows, other wordings, more epochs, or is it too small? Short trainings on
growing shares of the rows, and one with half of the epochs, tell more than a rule of thumb.
"""

from __future__ import annotations

import math
import random
import shutil
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.artifacts import AlreadyThere, absolute, claim, refuse_foreign_folder
from ..core.cards import fingerprint, write_card
from ..core.device import machine, versions
from ..core.errors import WorkshopError, foreign
from ..core.jsonio import read_json, write_json
from ..core.ownership import keep_apart, refuse_other
from ..core.progress import Bar
from ..core.showing import Shown, display
from ..dataset.checks.amounts import topic_of
from ..dataset.formats import Conversation
from ..dataset.questions import question_of
from ..metrics.drawing import draw_facts
from ..metrics.scoring import Question, Score
from ..metrics.surfaces import states
from ..models.identity import identity
from ..models.resolve import ModelRef, folders_of, resolve
from ..runtimes import open_runtime
from ..training.measure import training_seconds
from ..training.recipe import LoraRecipe
from ..training.report import TrainingProgress
from ..training.rows import rows_hash
from ..training.train import train
from .advice import CurveAdvice, Measured, advise
from .candidates import Candidate, questions_language
from .comparison import ask_all
from .saturation import Estimate, Saturation, wilson
from .shop import ShopQuestions

if TYPE_CHECKING:
    from ..core.device import Device

KIND = "curve"
REPORT, PARTS = "report.json", "parts"
# Which share of the rows is trained on, with which share of the epochs.
WHOLE = ((1 / 8, 1.0), (1 / 4, 1.0), (1 / 2, 1.0), (1.0, 1.0), (1.0, 0.5))
QUICK = WHOLE[1:]
SEEDS = (0, 1)
LEAST_ROWS, LEAST_QUESTIONS = 16, 8
GOAL = 0.9  # of the facts: what counts as learned
# The standard deviation of recall between trainings that differ by chance alone, until the seeds
# tell: that of the recorded ones on 100 rows (results/learning_map.json).
LUCK, _TRUST = 0.05, 2
_OWN_ROWS = 40  # training rows that are asked, too
_TIMED = 8  # questions by which answering is timed


@dataclass(frozen=True)
class Trained:
    """One training and what its model then stated.

    `stated`: of each question, the share of its facts. `own`: the same over training rows that were
    asked, on average (None: they were not, or hold no facts). `unseen`: the share of all facts that
    is missed and stands in none of its rows. `loss`: the last on its own rows. `seconds`: training
    and answering.
    """

    rows: int
    epochs: float
    seed: int
    stated: tuple[float, ...]
    own: float | None
    unseen: float
    loss: float
    seconds: float

    @property
    def recall(self) -> float:
        """Mean over the questions."""
        return statistics.fmean(self.stated)


@dataclass(frozen=True)
class Point:
    """The trainings that differ in nothing but their seed."""

    trainings: tuple[Trained, ...]

    @property
    def rows(self) -> int:
        return self.trainings[0].rows

    @property
    def epochs(self) -> float:
        return self.trainings[0].epochs

    @property
    def recall(self) -> Estimate:
        """Mean of the trainings, with the interval that so few questions leave."""
        mean = self.mean("recall") or 0.0
        low, high = wilson(mean, len(self.trainings[0].stated))
        return Estimate(low, mean, high)

    def mean(self, name: str) -> float | None:
        """The mean of a figure; None where it is not known."""
        known = [value for one in self.trainings if (value := getattr(one, name)) is not None]
        return statistics.fmean(known) if known else None

    def gain(self, other: Point, luck: float) -> tuple[float, float]:
        """How much more is stated here than there, question by question, and the standard error."""
        here, there = (
            [
                statistics.fmean(of_one)
                for of_one in zip(*(t.stated for t in p.trainings), strict=True)
            ]
            for p in (self, other)
        )
        found = [a - b for a, b in zip(here, there, strict=True)]
        chance = luck * luck * (1 / len(self.trainings) + 1 / len(other.trainings))
        return statistics.fmean(found), math.sqrt(statistics.variance(found) / len(found) + chance)


@dataclass(frozen=True)
class RowsCurve(Shown):
    """What growing shares of the rows taught `model`, and the advice that follows.

    `rows`, `epochs`: all of the rows, and the recipe's epochs; `planned`: so many trainings make
    the whole curve; `language`: the questions'.
    """

    model: str
    language: str
    rows: int
    epochs: float
    questions: int
    planned: int
    trainings: tuple[Trained, ...] = ()
    goal: float = GOAL

    def _points(self, epochs: float) -> list[Point]:
        groups: dict[int, list[Trained]] = {}
        for one in self.trainings:
            if one.epochs == epochs:
                groups.setdefault(one.rows, []).append(one)
        return [Point(tuple(groups[rows])) for rows in sorted(groups)]

    @cached_property
    def points(self) -> list[Point]:
        """The shares of the rows at the recipe's epochs, the smallest first."""
        return self._points(self.epochs)

    @property
    def full(self) -> Point | None:
        """All rows, at the recipe's epochs."""
        return next((point for point in self.points if point.rows == self.rows), None)

    @property
    def fewer_epochs(self) -> Point | None:
        """All rows with half of the epochs."""
        return next(iter(self._points(self.epochs / 2)), None)

    @property
    def luck(self) -> float:
        """The standard deviation of recall between trainings that differ by their seed alone."""
        spreads = [
            statistics.variance([one.recall for one in point.trainings])
            for point in self.points
            if len(point.trainings) > 1
        ]
        return math.sqrt((sum(spreads) + _TRUST * LUCK**2) / (len(spreads) + _TRUST))

    @cached_property
    def fit(self) -> Saturation:
        """The curves through the points. The questions are the same everywhere, so that luck alone
        moves a point.
        """
        return Saturation(
            [point.rows for point in self.points],
            [point.recall.middle for point in self.points],
            [self.luck / math.sqrt(len(point.trainings)) for point in self.points],
            self.luck,
        )

    def at(self, rows: float) -> Estimate | None:
        """What one training on so many rows would state of these questions, at the same epochs;
        None where there are too few points for a curve.
        """
        return self.fit.at(rows) if self.fit.tells else None

    @property
    def measured(self) -> Measured | None:
        """What advice rests on; None before all rows were trained on."""
        full, fewer = self.full, self.fewer_epochs
        if full is None:
            return None
        return Measured(
            self.rows, self.epochs, self.goal, full.recall, full.mean("own"),
            full.mean("unseen") or 0.0, self.at(2 * self.rows),
            fewer.recall.middle if fewer else None,
            full.gain(fewer, self.luck) if fewer else None,
        )  # fmt: skip

    @property
    def advice(self) -> list[CurveAdvice]:
        """What to do next, each with the measurement behind it."""
        return advise(self.measured)

    def plot(self) -> Any:
        """The curve as a plot."""
        return display().rows_curve_plot(self)

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it: the trainings, and what follows from them."""
        doubled = self.at(2 * self.rows)
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {
            **values,
            "trainings": [asdict(one) for one in self.trainings],
            "points": [
                {
                    "rows": p.rows, "epochs": p.epochs, "recall": asdict(p.recall),
                    "own": p.mean("own"), "loss": p.mean("loss"),
                }
                for p in [*self.points, *filter(None, [self.fewer_epochs])]
            ],
            "doubled": doubled and {"rows": 2 * self.rows, **asdict(doubled)},
            "advice": [
                {"kind": one.kind, "what": one.what.said(self.language),
                 "why": one.why.said(self.language)}
                for one in self.advice
            ],
        }  # fmt: skip

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> RowsCurve:
        kept = {name: values[name] for name in cls.__dataclass_fields__}
        kept["trainings"] = tuple(
            Trained(**{**one, "stated": tuple(one["stated"])}) for one in kept["trainings"]
        )
        return cls(**kept)


def in_order(rows: Sequence[Conversation], seed: int) -> list[Conversation]:
    """The rows in an order by chance of which each beginning holds every subject in its share: a
    row's topic, else the facts that its answer states.
    """
    chance, groups = random.Random(seed), dict[object, list[Conversation]]()
    for row in rows:
        groups.setdefault(topic_of(row.extra) or draw_facts(row.answer), []).append(row)
    placed: list[tuple[float, Conversation]] = []
    for members in groups.values():
        chance.shuffle(members)
        shift = chance.random()
        placed += [((n + shift) / len(members), row) for n, row in enumerate(members)]
    return [row for _, row in sorted(placed, key=lambda pair: pair[0])]


def plan_curve(
    model: str | Path | ModelRef,
    rows: Sequence[Conversation],
    questions: Sequence[Question],
    out: str | Path,
    *,
    recipe: LoraRecipe | None = None,
    parts: tuple[tuple[float, float], ...] = WHOLE,
    seeds: tuple[int, ...] = SEEDS,
    device: Device | str | None = None,
    overwrite: bool = False,
) -> CurvePlan:
    """What `CurvePlan.run` will train: an eighth, a quarter, a half and all of the `rows`, each the
    beginning of the next, and all with half of the recipe's epochs (`parts`), with two `seeds`.
    The held-out `questions` that have facts are asked.

    `out` is a folder of its own; trainings noted there for the same model, rows, questions and
    recipe are not done again. Raises WorkshopError for too few rows or questions with facts, and
    for a folder that holds something else, or another curve without `overwrite`.
    """
    ref, out, rows = resolve(model), Path(out).expanduser(), list(rows)
    recipe = (recipe or LoraRecipe.for_model(ref)).replace(general_rows=0.0, seed=0)
    own = absolute(out / PARTS)  # which `workshop curve` has split off
    read = {row.file for row in rows if row.file and absolute(row.file).parent != own}
    keep_apart(out, [*folders_of(ref), *sorted(read)])
    scored = [question for question in questions if question.facts]
    if isinstance(questions, ShopQuestions):
        scored = ShopQuestions(scored, questions.facts)
    inputs = {
        "model": identity(ref),
        "data": rows_hash(rows),
        "rows": len(rows),
        "questions": fingerprint([vars(question) for question in scored]),
        "recipe": recipe.to_dict(),
    }
    refuse_other(out / REPORT, KIND, inputs, overwrite=overwrite)
    refuse_foreign(out)
    _refuse_few(len(rows), len(questions), len(scored))
    planned = len(parts) * len(seeds)
    curve = RowsCurve(
        ref.name, questions_language(scored), len(rows), recipe.epochs, len(scored), planned
    )
    if (out / REPORT).exists() and not overwrite:
        with foreign(out / REPORT):
            noted = RowsCurve.from_dict(read_json(out / REPORT, dict)).trainings
            curve = replace(curve, trainings=noted)
    else:
        write_json(out / REPORT, curve.to_dict())
        write_card(
            out / REPORT,
            {"kind": KIND, "inputs": inputs, "machine": machine(), "versions": versions()},
        )
    return CurvePlan(ref, rows, scored, out, recipe, device, parts, seeds, curve)


def refuse_foreign(out: Path) -> None:
    """A folder in which others' files lie is not filled with ours."""
    if out.exists() and not (out / REPORT).exists():
        there = sorted(path.name for path in out.iterdir() if not path.name.startswith("."))
        if there := [name for name in there if name != PARTS]:
            raise WorkshopError(
                f"{out} already holds other files ({', '.join(there[:3])}). Choose a new or an "
                "empty folder."
            )


def _refuse_few(rows: int, questions: int, scored: int) -> None:
    if rows < LEAST_ROWS:
        raise WorkshopError(
            f"{rows} rows are too few for a curve: an eighth of them teaches nothing. Give at "
            f"least {LEAST_ROWS}; with fewer, more rows are the advice."
        )
    if scored < LEAST_QUESTIONS:
        raise WorkshopError(
            f"{scored} of the {questions} questions have facts to score an answer by, too few to "
            f"tell one training from another: {LEAST_QUESTIONS} are needed. Add `facts` to the "
            "questions, or give a file of more: --questions FILE."
        )


# Told of the curve so far, and of how much of the work is done (0 to 1), after each step; True as
# its answer ends the work.
Progress = Callable[[RowsCurve, float], object]


@dataclass
class CurvePlan:
    """The trainings of a curve, before they run: `run` does those that are not yet noted."""

    ref: ModelRef
    rows: list[Conversation]
    questions: Sequence[Question]
    out: Path
    recipe: LoraRecipe
    device: Device | str | None
    parts: tuple[tuple[float, float], ...]
    seeds: tuple[int, ...]
    curve: RowsCurve

    @property
    def report(self) -> Path:
        """Where each training is noted."""
        return self.out / REPORT

    def planned(self) -> list[tuple[int, LoraRecipe]]:
        """Rows and recipe of each training, in an order in which a part is of use, too."""
        return [
            (
                round(share * len(self.rows)),
                self.recipe.replace(epochs=self.recipe.epochs * times, seed=seed),
            )
            for seed in self.seeds
            for share, times in self.parts
        ]

    def missing(self) -> list[tuple[int, LoraRecipe]]:
        """Those that are not done."""
        done = {(one.rows, one.epochs, one.seed) for one in self.curve.trainings}
        return [(n, r) for n, r in self.planned() if (n, r.epochs, r.seed) not in done]

    def seconds(self) -> float:
        """What the missing trainings and their answers take on this machine as busy as it is now,
        by two steps of training and a few answers of the untuned model.
        """
        todo = self.missing()
        if not todo:
            return 0.0
        whole = training_seconds(self.ref, self.rows, self.recipe, self.device)
        share = sum(_steps(n, r) for n, r in todo) / _steps(len(self.rows), self.recipe)
        answers = len(todo) * len(self.questions)
        answers += sum(n == len(self.rows) for n, _ in todo) * min(_OWN_ROWS, len(self.rows))
        return whole * share + answers * self._answer_seconds()

    def _answer_seconds(self) -> float:
        length = statistics.fmean(len(row.answer.encode()) for row in self.rows) / 4
        asked = [question.messages() for question in self.questions[:_TIMED]]
        with open_runtime(self.ref, device=self.device) as runtime:
            runtime.answer(asked[:1], max_new_tokens=1)
            begun = time.perf_counter()
            runtime.answer(asked, max_new_tokens=round(length) + 1)
            return (time.perf_counter() - begun) / len(asked)

    def run(self, progress: bool | Progress = True) -> RowsCurve:
        """Do what is missing, and note each training in OUT/report.json as soon as it is done.

        A run that was interrupted loses no finished training; the same call goes on. `progress`
        shows a bar in a terminal, or is called. Raises WorkshopError as `train` does.
        """
        todo = self.missing()
        done, whole = 0, sum(_steps(n, r) for n, r in todo)
        with claim(self.out), Bar("curve", whole, "steps", shown=progress is True) as bar:
            for n, recipe in todo:

                def tell(step: TrainingProgress, n: int = n, done: int = done) -> bool:
                    note = f"{n} rows, loss {step.loss:.2f}"
                    bar.reach(done + step.step, whole, note=note)
                    share = (done + step.step) / whole
                    return callable(progress) and progress(self.curve, min(share, 1)) is True

                made = self._train(n, recipe, tell)
                if made is None:
                    return self.curve
                self.curve = replace(self.curve, trainings=(*self.curve.trainings, made))
                write_json(self.report, self.curve.to_dict())
                done += _steps(n, recipe)
            write_json(self.report, self.curve.to_dict())
        if callable(progress):
            progress(self.curve, 1.0)
        return self.curve

    def _train(
        self, n: int, recipe: LoraRecipe, tell: Callable[[TrainingProgress], bool]
    ) -> Trained | None:
        """Train and ask; None where it was asked to stop. The adapter is not kept."""
        begun, chosen = time.perf_counter(), in_order(self.rows, recipe.seed)[:n]
        out = self.out / "trainings" / f"{n}-rows-{recipe.epochs:g}-epochs-seed-{recipe.seed}"
        how: dict[str, Any] = {"device": self.device, "progress": tell}
        try:
            report = train(self.ref, chosen, out, recipe, **how)
        except AlreadyThere:  # of other rows, which `plan_curve` was told to replace
            report = train(self.ref, chosen, out, recipe, overwrite=True, **how)
        if report.stopped:
            return None
        own = self._own_questions(chosen) if n == len(self.rows) else []
        facts = self.questions.facts if isinstance(self.questions, ShopQuestions) else None
        with open_runtime(out, device=self.device) as runtime:
            candidate = Candidate("tuned", out)
            scores, of_own = (
                ask_all(runtime, candidate, asked, facts, 160, False).scores if asked else []
                for asked in (self.questions, own)
            )
        refuse_foreign_folder(out)
        shutil.rmtree(out)
        recalls = [score.recall for score in of_own if score.recall is not None]
        return Trained(
            n, recipe.epochs, recipe.seed, tuple(round(score.recall or 0.0, 4) for score in scores),
            statistics.fmean(recalls) if recalls else None, _unseen(self.questions, scores, chosen),
            round(report.final_loss, 4), round(time.perf_counter() - begun, 1),
        )  # fmt: skip

    def _own_questions(self, rows: list[Conversation]) -> list[Question]:
        return [asked for row in rows if (asked := question_of(row)).facts][:_OWN_ROWS]


def _steps(rows: int, recipe: LoraRecipe) -> int:
    return math.ceil(math.ceil(rows / recipe.batch_size) * recipe.epochs)


def _unseen(
    questions: Sequence[Question], scores: Sequence[Score], rows: Sequence[Conversation]
) -> float:
    """The share of the facts that is missed and stands in no answer of these rows."""

    @cache
    def stands(item: tuple[str, ...]) -> bool:
        return any(states(row.answer, surface) for row in rows for surface in item)

    return statistics.fmean(
        statistics.fmean(item[0] in score.missing and not stands(item) for item in asked.expected())
        for asked, score in zip(questions, scores, strict=True)
    )
