"""What decides whether facts are learned: the recorded trainings by rows, epochs and learning rate.

`benchmarks/learning_map.py` measures them; here they are read, picked and summed up.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..core.artifacts import results_path
from ..core.errors import WorkshopError
from ..core.jsonio import read_json
from ..core.showing import Shown
from ..core.wordings import LANGUAGES, say
from ..training.recipe import LoraRecipe

# What is varied, one at a time.
VARIED = ("rows", "epochs", "learning_rate")
MANY = 100  # the rows that a model's recipe is for


@dataclass(frozen=True)
class Training:
    """One training and what its model then answered to the held-out questions.

    `drawn`: rows chosen by chance instead of the first ones; `seed` orders them in training.
    `recall`: share of the facts stated; `contradicted`, `unsupported`: shares of answers with a
    wrong, with an invented figure. All three and `final_loss` are None where training `diverged`.
    `general`: share of 60 questions of general knowledge answered rightly, after it;
    `processor_seconds` and `peak_bytes`: of the training, in time of one core and in memory of the
    process. These three are None where they were not noted. `machine`: where, if not where the
    model was measured first.
    """

    model: str
    language: str
    rows: int
    epochs: float
    learning_rate: float
    batch_size: int
    seed: int
    drawn: bool
    recall: float | None = None
    contradicted: float | None = None
    unsupported: float | None = None
    final_loss: float | None = None
    general: float | None = None
    processor_seconds: float | None = None
    peak_bytes: int | None = None
    diverged: bool = False
    machine: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Setting:
    """The trainings of one model that differ in nothing but chance: order and choice of rows."""

    trainings: tuple[Training, ...]

    @property
    def first(self) -> Training:
        return self.trainings[0]

    def spread(self, name: str) -> tuple[float, float, float] | None:
        """Least, median and greatest of a score; None where every training diverged."""
        values = [getattr(one, name) for one in self.trainings]
        known = [value for value in values if value is not None]
        return (min(known), statistics.median(known), max(known)) if known else None

    @property
    def recall(self) -> float:
        """The median; 0 where every training diverged."""
        return (self.spread("recall") or (0.0, 0.0, 0.0))[1]


@dataclass(frozen=True)
class Source:
    """Where and when a model's trainings were measured, and the recipe they start from."""

    made: str
    machine: dict[str, Any]
    recipe: LoraRecipe
    questions: int

    def said(self, language: str) -> str:
        values = {**self.machine, "made": self.made[:10], "questions": self.questions}
        return say("learning.source", language, **values)


@dataclass(frozen=True)
class LearningMap(Shown):
    """Recorded trainings in one `language`, and by model the source of its figures."""

    trainings: tuple[Training, ...]
    sources: dict[str, Source]
    language: str

    @property
    def models(self) -> tuple[str, ...]:
        return tuple(self.sources)

    @property
    def source(self) -> str:
        """Machine, date and number of questions, model by model, as a sentence."""
        told = {f"{model}: {one.said(self.language)}" for model, one in self.sources.items()}
        return " / ".join(sorted(told))

    @property
    def settings(self) -> list[Setting]:
        """The trainings by what was set, in order of model, rows, epochs and rate."""
        return _grouped(self.trainings, _key)

    def curve(self, by: str, model: str | None = None) -> list[Setting]:
        """The settings in which nothing but `by` ("rows", "epochs", "learning_rate") differs from
        the recipe for 100 rows, in its order; of `model`, or of the first one.

        Raises WorkshopError for another `by`, and a model that was not measured.
        """
        if by not in VARIED:
            raise WorkshopError(f"{by!r} was not varied. There are: {', '.join(VARIED)}.")
        model = model or self.models[0]
        if model not in self.sources:
            raise WorkshopError(
                f"{model} is not among the recorded models: {', '.join(self.models)}."
            )
        recipe = self.sources[model].recipe
        usual = {
            "rows": MANY,
            "epochs": recipe.epochs,
            "learning_rate": recipe.learning_rate,
            "batch_size": recipe.batch_size,
            "model": model,
        }
        del usual[by]
        chosen = [one for one in self.settings if usual.items() <= vars(one.first).items()]
        return sorted(chosen, key=lambda one: float(getattr(one.first, by)))

    def at(self, by: str, value: float, model: str | None = None) -> Setting:
        """The setting of a curve at this value. WorkshopError where it was not measured."""
        found = self.curve(by, model)
        for one in found:
            if getattr(one.first, by) == value:
                return one
        known = ", ".join(f"{getattr(one.first, by):g}" for one in found)
        raise WorkshopError(f"{by}={value:g} was not measured. There are: {known}.")

    def plot(self, by: str, here: dict[float, float] | None = None) -> Any:
        """The curve as a plot; `here`: recall measured just now, by the same values of `by`."""
        from ..core.showing import display

        return display().learning_curve(self, by, here)

    def explore(self) -> Any:
        """All curves in a widget."""
        from ..core.showing import display

        return display().curve_explorer(self)


def _key(one: Training) -> tuple[Any, ...]:
    return (one.model, one.rows, one.epochs, one.learning_rate, one.batch_size)


def _grouped(
    trainings: tuple[Training, ...], key: Callable[[Training], tuple[Any, ...]]
) -> list[Setting]:
    groups: dict[tuple[Any, ...], list[Training]] = {}
    for one in trainings:
        groups.setdefault(key(one), []).append(one)
    return [Setting(tuple(groups[name])) for name in sorted(groups)]


def learning_map(language: str) -> LearningMap:
    """The recorded trainings (results/learning_map.json) with questions in "en" or "ja".

    Raises WorkshopError for another language, and where the file is missing.
    """
    if language not in LANGUAGES:
        raise WorkshopError(f'Nothing was measured in "{language}"; choose from en, ja.')
    found = read_json(results_path("learning_map.json"), dict)
    trainings = tuple(Training(**run) for run in found["runs"] if run["language"] == language)
    sources = {
        name: Source(
            about["made"],
            about["machine"],
            LoraRecipe(**about["recipe"]),
            about["questions"][language],
        )
        for name, about in found["models"].items()
        if language in about["questions"]
    }
    return LearningMap(trainings, sources, language)
