"""How long the steps of the course will take on this machine: a little of each is done and timed,
the rest is multiplied.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from ..core.artifacts import data_path
from ..core.errors import WorkshopError
from ..core.progress import Bar
from ..core.showing import Shown
from ..gguf.convert import convert
from ..gguf.quantize import quantize
from ..models.chat import conversation
from ..models.files import count_weights
from ..models.load import model_folder
from ..models.resolve import ModelRef, resolve
from ..runtimes import open_runtime
from ..training.merge import merge
from ..training.recipe import LoraRecipe
from ..training.report import TrainingProgress
from ..training.train import train
from .shop import Shop

CANDIDATES = 4  # asked in chapter 05
TYPES = 3  # made in chapter 07
REASONS = ("too-large", "cut-short")  # why a step was not tried: entries of timing.yaml
_LEAST = 3  # steps that are timed at least, however long they take
# A model up to this size is merged, converted and quantized for the measurement itself.
_SMALL = 100_000_000
_COPIED = 64  # MB that are written to find the disk's speed
_MB = 10**6


@dataclass(frozen=True)
class StepTime:
    """One step of the course: what was measured of it, and how much of that is to be done.

    `step` and `unit`: entries of timing.yaml; `rows`: that a training is on. `start`: seconds
    before the first unit, such as loading the model. `measured`: seconds that `units` of them took.
    `todo`: units in the course; `times`: how often it starts. `by`: the other model that was
    measured, if the own one is too large. `reason`: an entry, or an error's sentence, why nothing
    could be measured.
    """

    step: str
    unit: str = ""
    rows: int = 0
    start: float = 0.0
    measured: float = 0.0
    units: float = 0.0
    todo: float = 0.0
    times: int = 1
    by: str = ""
    reason: str = ""

    @property
    def seconds(self) -> float | None:
        """Seconds expected; None where nothing was measured."""
        if self.reason:
            return None
        each = self.measured / self.units if self.units else 0.0
        return self.times * self.start + each * self.todo


@dataclass(frozen=True)
class StepTimes(Shown):
    """All steps of the course with a `model`, shown as a table in `language`."""

    model: str
    steps: tuple[StepTime, ...]
    language: str = "en"

    @property
    def seconds(self) -> float:
        """Seconds expected for all of them that could be measured."""
        return sum(step.seconds or 0.0 for step in self.steps)

    def of(self, step: str, rows: int = 0) -> StepTime:
        """A step; of "train" the one with so many `rows`. KeyError where there is none."""
        return {(one.step, one.rows): one for one in self.steps}[step, rows]


def time_steps(
    model: str | Path | ModelRef,
    shop: Shop,
    recipes: Mapping[int, LoraRecipe],
    *,
    seconds: float = 3.0,
    progress: bool = True,
) -> StepTimes:
    """Time a part of each step of the course with `model`, and multiply.

    recipes: number of the shop's rows → the recipe to train on them with. seconds: for each
    measurement that can be cut short; of a large model three steps take longer. Everything that is
    made is removed again. What cannot be measured, such as a conversion without the tools, has the
    reason beside it.

    Raises WorkshopError for a model that cannot be trained, or that is not here and cannot be
    fetched.
    """
    ref = resolve(model)
    weights = count_weights(model_folder(ref))
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        steps: list[StepTime] = []
        parts: list[Callable[[], Iterable[StepTime]]] = [_libraries]
        for rows, recipe in sorted(recipes.items()):
            # A small model's shortest training is let finish: its adapter is what is merged below.
            limit = 5 * seconds if weights <= _SMALL and rows == min(recipes) else seconds
            parts.append(partial(_training, ref, shop, work, rows, recipe, limit))
        parts.append(partial(_answers, ref, shop, seconds))
        parts.append(partial(_files, ref, work, weights, min(recipes)))
        with Bar("measured", len(parts), "parts", shown=progress) as bar:
            for part in parts:
                steps += part()
                bar.advance()
    return StepTimes(ref.name, tuple(steps), shop.language)


def _libraries() -> Iterator[StepTime]:
    """What every notebook pays once: importing what trains. Nothing where that is done."""
    if "trl" in sys.modules:
        return
    begun = time.perf_counter()
    import peft  # noqa: F401
    import transformers  # noqa: F401

    from ..training.trainer import course_trainer

    course_trainer(LoraRecipe())
    yield StepTime("libraries", start=time.perf_counter() - begun)


class _Enough(Exception):
    """Ends a training that has told what it was asked."""


def _training(
    ref: ModelRef, shop: Shop, work: Path, rows: int, recipe: LoraRecipe, seconds: float
) -> Iterator[StepTime]:
    begun = time.perf_counter()
    ends: list[float] = []
    todo = 0

    def tell(step: TrainingProgress) -> None:
        nonlocal todo
        todo = step.steps
        ends.append(time.perf_counter() - begun)
        if _LEAST < len(ends) < todo and ends[-1] - ends[0] > seconds:
            raise _Enough

    with contextlib.suppress(_Enough):
        train(ref, shop.train[:rows], work / f"tuned-{rows}", recipe, progress=tell)
    # The first step makes what all others use again, so it counts as a part of the start.
    took, done = ends[-1] - ends[0], len(ends) - 1
    yield StepTime("train", "unit-steps", rows, ends[0], took, done, todo - 1)


def _answers(ref: ModelRef, shop: Shop, seconds: float) -> Iterator[StepTime]:
    begun = time.perf_counter()
    with open_runtime(ref) as runtime:
        start = time.perf_counter() - begun
        asked = [conversation(question.question) for question in shop.questions]
        # A larger batch costs less for each answer; it is tried as long as that does not take long.
        most = min(getattr(runtime, "batch_size", 1) or len(asked), len(asked))
        count, took = 0, 0.0
        while took < 2 * seconds and count < most:
            count = min(4 * count or 4, len(asked))
            took = _timed(lambda: runtime.answer(asked[:count]))  # noqa: B023
    todo = CANDIDATES * len(shop.questions)
    yield StepTime("answers", "unit-answers", 0, start, took, count, todo, times=CANDIDATES)


def _files(ref: ModelRef, work: Path, weights: int, rows: int) -> Iterator[StepTime]:
    """Merging, converting and quantizing: of a large model by mame's times and the disk's speed."""
    small, adapter = weights <= _SMALL, work / f"tuned-{rows}"
    if small and adapter.is_dir():
        yield StepTime("merge", start=_timed(lambda: merge(adapter, work / "model")))
    else:
        yield StepTime("merge", reason="cut-short" if small else "too-large")
    source, by = (model_folder(ref), "") if small else (data_path("mame"), "mame")
    f16 = work / "model-F16.gguf"
    try:
        took = _timed(lambda: convert(source, f16))
    except WorkshopError as error:
        yield StepTime("convert", reason=str(error))
        return
    step = StepTime("convert", start=took, by=by)
    if not small:
        more = 2 * (weights - count_weights(source)) / _MB
        written = _timed(lambda: _write(work / "copy", _COPIED))
        step = replace(step, unit="unit-megabytes", measured=written, units=_COPIED, todo=more)
    yield step
    try:
        took = _timed(lambda: quantize(f16, "Q4_K_M"))
    except WorkshopError as error:
        yield StepTime("quantize", reason=str(error))
        return
    step = StepTime("quantize", "unit-files", measured=took, units=1, todo=TYPES, by=by)
    if not small:
        millions, own = count_weights(source) / 1e6, weights / 1e6
        step = replace(step, unit="unit-weights", units=millions, todo=TYPES * own)
    yield step


def _timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def _write(path: Path, megabytes: int) -> None:
    """Weights as the converter handles them: cast, written, and read again for their hash."""
    import torch

    block = torch.ones(megabytes * _MB // 2, dtype=torch.bfloat16)
    path.write_bytes(block.to(torch.float16).numpy().tobytes())
    path.read_bytes()
