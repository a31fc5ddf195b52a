"""What quantization costs and what it saves: one row a type, all measured by llama.cpp on this
machine.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
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

SPEED_QUESTIONS, SPEED_TOKENS, SPEED_PASSES = 6, 32, 3


@dataclass(frozen=True)
class QuantizationRow:
    """One type: `size_bytes` of the file; `load_seconds` from a warm disk cache; tokens a second
    for one question at a time; `recall` in [0, 1], None when no question names facts; `kl_to_f16`
    in nats; `fallback` counts tensors that could not take the type.
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


@dataclass(frozen=True)
class QuantizationTable(Shown):
    """The rows, the F16 file's first, and how they were measured. `language`: of the questions, in
    which the table shows itself.
    """

    rows: list[QuantizationRow]
    questions: int
    held_out_tokens: int
    threads: int
    method: str
    language: str = "en"

    def plot(self) -> Any:
        """A plot: facts stated, and KL divergence to F16, against the size of the file."""
        return display().size_against_quality(self)

    def to_dict(self) -> dict[str, Any]:
        """Rows and how they were measured, as JSON takes them."""
        values = asdict(self)
        del values["language"]
        for row in values["rows"]:
            row["path"] = str(row["path"])
        return values


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
    progress: bool = False,
) -> QuantizationTable:
    """Quantizes the GGUF `f16` to each of `types` (beside it; files already made are used) and
    measures them all.

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
            report = quantize(source.path, kind)
            files.append((report.type, report.path, len(report.fallback)))
    asked = read_questions(questions) if isinstance(questions, str | Path) else list(questions)
    if shop is None and isinstance(questions, ShopQuestions):
        shop = questions.facts
    rows = held_out_conversations
    rows = read_conversations(rows) if isinstance(rows, str | Path) else list(rows)

    prompts = [q.messages() for q in asked] or [row.prompt_messages() for row in rows]

    with LlamaCppRuntime(source.path, threads=threads) as runtime:
        texts = held_out_texts(runtime.engine, rows, held_out_tokens)
    measured = []
    with (
        Losses(source.path, texts, threads) as losses,
        Bar("measuring", len(files), "types", shown=progress) as bar,
    ):
        for kind, path, fallback in files:
            with LlamaCppRuntime(path, threads=threads) as runtime:
                speeds = _speeds(runtime, prompts[:SPEED_QUESTIONS])
                recall = _recall(runtime, asked, shop, max_new_tokens)
            measured.append(
                QuantizationRow(
                    kind,
                    path,
                    path.stat().st_size,
                    round(read_gguf(path).bits_per_weight, 3),
                    round(runtime.load_seconds, 4),
                    *speeds,
                    recall,
                    *losses.of(path),
                    fallback,
                )
            )
            bar.advance()
        language = questions_language(asked)
        return QuantizationTable(
            measured, len(asked), losses.tokens, threads, losses.method, language
        )


def _speeds(runtime: LlamaCppRuntime, conversations: list[Any]) -> tuple[float, float]:
    """Tokens per second for prompts and for answers, one at a time: the median of passes."""
    engine = runtime.engine
    prompts = [engine.render(messages) for messages in conversations]
    read, written = [], []
    for _ in range(SPEED_PASSES):
        found = [engine.complete(p, max_new_tokens=SPEED_TOKENS, ignore_end=True) for p in prompts]
        reading = sum(answer.prompt_seconds for answer in found)
        writing = sum(answer.seconds for answer in found) - reading
        read.append(sum(answer.prompt_tokens for answer in found) / max(1e-9, reading))
        written.append(sum(answer.tokens for answer in found) / max(1e-9, writing))
    return round(statistics.median(read), 1), round(statistics.median(written), 1)


def _recall(
    runtime: LlamaCppRuntime, asked: list[Question], shop: ShopFacts | None, max_new_tokens: int
) -> float | None:
    if not any(q.facts for q in asked):
        return None
    answers = runtime.answer([q.messages() for q in asked], max_new_tokens=max_new_tokens)
    scores = [score_answer(a.text, q, shop) for a, q in zip(answers, asked, strict=True)]
    return summarise(scores).recall
