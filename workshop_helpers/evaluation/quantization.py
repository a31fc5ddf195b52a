"""What quantization costs and what it saves: one row a type, all measured by llama.cpp on this
machine.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..core.progress import Bar
from ..core.showing import Shown, display
from ..dataset.formats import Conversation, read_conversations
from ..dataset.questions import read_questions
from ..gguf.header import read_gguf
from ..gguf.quantize import quantize
from ..metrics.facts import ShopFacts
from ..metrics.scoring import Question, score_answer, summarise
from ..runtimes.llama_cpp import LlamaCppRuntime
from .candidates import questions_language
from .losses import Losses, held_out_texts
from .shop import ShopQuestions

SPEED_QUESTIONS, SPEED_TOKENS, SPEED_PASSES = 4, 32, 5
_SMALL = 2**30  # bytes of a file that may be open twice
# Figures that another program on the machine changes: medians, and not ordered within their ranges.
TIMED = ("load_seconds", "prompt_tokens_per_second", "generation_tokens_per_second")
LOSSES = ("perplexity", "kl_to_f16", "same_top_token")  # what `Losses.of` gives


@dataclass(frozen=True)
class QuantizationRow:
    """One type: `size_bytes` of the file; `load_seconds` from a warm disk cache; tokens a second
    for one question at a time; `recall` in [0, 1], None when no question names facts; `kl_to_f16`
    in nats; `fallback` counts tensors that could not take the type.

    `ranges`: the least and the most of each figure in `TIMED`, which itself is the median.
    `answers`: to the questions, in their order.
    """

    type: str
    path: Path
    size_bytes: int
    bits_per_weight: float
    load_seconds: float
    prompt_tokens_per_second: float
    generation_tokens_per_second: float
    recall: float | None
    perplexity: float
    kl_to_f16: float
    same_top_token: float
    fallback: int = 0
    ranges: dict[str, tuple[float, float]] = field(default_factory=dict)
    answers: tuple[str, ...] = field(default=(), repr=False)

    def bytes_for(self, weights: int) -> float:
        """Bytes that a model of so many weights takes at these bits a weight: an estimate, since
        each model has its own share of the tensors that get more bits.
        """
        return weights * self.bits_per_weight / 8


@dataclass(frozen=True)
class QuantizationTable(Shown):
    """The rows, the F16 file's first, and how they were measured. `language`: of the questions, in
    which the table shows itself. `asked`, `shop`: the questions that the rows answer, and what
    they were scored by.
    """

    rows: list[QuantizationRow]
    questions: int
    held_out_tokens: int
    threads: int
    method: str
    language: str = "en"
    asked: tuple[Question, ...] = field(default=(), repr=False)
    shop: ShopFacts | None = field(default=None, repr=False)

    def tied(self, figure: str) -> set[str]:
        """The types whose range in a figure of `TIMED` overlaps another type's: no difference was
        measured there.
        """
        ranges = {row.type: row.ranges[figure] for row in self.rows if figure in row.ranges}
        return {
            one
            for one, (low, high) in ranges.items()
            if any(low <= top and least <= high for o, (least, top) in ranges.items() if o != one)
        }

    def best_within(self, size_bytes: float, weights: int | None = None) -> QuantizationRow | None:
        """The type nearest to F16 (least KL divergence) among those that fit into so many bytes:
        as their file, or as a model of `weights` weights. None where none fits.
        """
        fitting = [
            row
            for row in self.rows
            if (row.bytes_for(weights) if weights else row.size_bytes) <= size_bytes
        ]
        return min(fitting, key=lambda row: row.kl_to_f16, default=None)

    def plot(self) -> Any:
        """A plot: facts stated, and KL divergence to F16, against the size of the file."""
        return display().size_against_quality(self)

    def to_dict(self) -> dict[str, Any]:
        """Rows and how they were measured, as JSON takes them."""
        rows = []
        for row in self.rows:
            values = asdict(row)
            del values["answers"]
            rows.append({**values, "path": str(row.path)})
        measured = ("questions", "held_out_tokens", "threads", "method")
        return {"rows": rows, **{name: getattr(self, name) for name in measured}}


def quantization_table(
    f16: str | Path,
    types: Sequence[str],
    questions: str | Path | Sequence[Question],
    *,
    held_out_conversations: str | Path | Sequence[Conversation],
    shop: ShopFacts | None = None,
    threads: int = 1,
    max_new_tokens: int = 160,
    held_out_tokens: int = 4000,
    overwrite: bool = False,
    progress: bool = False,
) -> QuantizationTable:
    """Quantizes the GGUF `f16` to each of `types` (beside it; files already made of it are used,
    unless `overwrite`) and measures them all.

    `questions` (a file, or read) give the fact recall, `shop` what counts as known besides (the
    shop's own questions know it). `held_out_conversations` (a file, or read; rows that were not
    trained on) give the losses, as many of them as hold `held_out_tokens` answer tokens. The row of
    `f16` itself comes first, whether named in `types` or not. One thread by default, so that the
    speeds compare on a shared machine. Raises WorkshopError for an unknown type, a damaged or
    already quantized `f16`, and no held-out conversation.
    """
    source = read_gguf(f16)
    files = [(source.type, source.path, 0)]
    for kind in types:
        if kind.upper() != source.type:
            report = quantize(source.path, kind, overwrite=overwrite)
            files.append((report.type, report.path, len(report.fallback)))
    asked = read_questions(questions) if isinstance(questions, str | Path) else list(questions)
    if shop is None and isinstance(questions, ShopQuestions):
        shop = questions.facts
    rows = held_out_conversations
    rows = read_conversations(rows) if isinstance(rows, str | Path) else list(rows)

    prompts = [q.messages() for q in asked] or [row.prompt_messages() for row in rows]

    with LlamaCppRuntime(source.path, threads=threads) as runtime:
        texts = held_out_texts(runtime.engine, rows, held_out_tokens)

    def measure(file: tuple[str, Path, int]) -> dict[str, Any]:
        kind, path, fallback = file
        with LlamaCppRuntime(path, threads=threads) as runtime:
            opened.callback(runtime.close)
            given = runtime.answer([q.messages() for q in asked], max_new_tokens=max_new_tokens)
        answers = tuple(answer.text for answer in given)
        return {
            **{"type": kind, "path": path, "fallback": fallback, "answers": answers},
            "size_bytes": path.stat().st_size,
            "bits_per_weight": round(read_gguf(path).bits_per_weight, 3),
            "recall": _recall(answers, asked, shop),
            **dict(zip(LOSSES, losses.of(path), strict=True)),
        }

    measured: list[dict[str, Any]] = []
    pool = ThreadPoolExecutor(_at_a_time(source.size_bytes, threads))
    with (
        Losses(source.path, texts, threads) as losses,
        Bar("measuring", len(files) + SPEED_PASSES, "steps", shown=progress) as bar,
        ExitStack() as opened,  # an answer at work ends when its runtime is closed
    ):
        opened.callback(pool.shutdown, wait=False, cancel_futures=True)
        for one in pool.map(measure, files):
            measured.append(one)
            bar.advance()
        passes = []
        for _ in range(SPEED_PASSES):  # by turns: what slows the machine down slows all types down
            passes.append([_speeds(path, prompts, threads) for _, path, _ in files])
            bar.advance()
        about = (len(asked), losses.tokens, threads, losses.method, questions_language(asked))
    timed = [_medians(of_type) for of_type in zip(*passes, strict=True)]
    found = [QuantizationRow(**one, **two) for one, two in zip(measured, timed, strict=True)]
    return QuantizationTable(found, *about, tuple(asked), shop)


def _at_a_time(size_bytes: int, threads: int) -> int:
    """How many files of about this size are asked side by side; their speeds are measured alone."""
    return max(1, min(2, (os.cpu_count() or 1) // threads)) if size_bytes <= _SMALL else 1


def _speeds(path: Path, conversations: list[Any], threads: int) -> tuple[float, float, float]:
    """One pass over the figures of `TIMED`."""
    with LlamaCppRuntime(path, threads=threads) as runtime:
        engine = runtime.engine
        prompts = [engine.render(messages) for messages in conversations[:SPEED_QUESTIONS]]
        found = [engine.complete(p, max_new_tokens=SPEED_TOKENS, ignore_end=True) for p in prompts]
    reading = sum(answer.prompt_seconds for answer in found)
    writing = sum(answer.seconds for answer in found) - reading
    return (
        runtime.load_seconds,
        sum(answer.prompt_tokens for answer in found) / max(1e-9, reading),
        sum(answer.tokens for answer in found) / max(1e-9, writing),
    )


def _medians(passes: Sequence[tuple[float, float, float]]) -> dict[str, Any]:
    """The figures of `TIMED` as medians of the passes, and the `ranges` of each."""
    columns = dict(zip(TIMED, zip(*passes, strict=True), strict=True))
    ranges = {name: (round(min(v), 4), round(max(v), 4)) for name, v in columns.items()}
    medians = {name: round(statistics.median(v), 4) for name, v in columns.items()}
    return {**medians, "ranges": ranges}


def _recall(answers: Sequence[str], asked: list[Question], shop: ShopFacts | None) -> float | None:
    if not any(q.facts for q in asked):
        return None
    scores = [score_answer(a, q, shop) for a, q in zip(answers, asked, strict=True)]
    return summarise(scores).recall
