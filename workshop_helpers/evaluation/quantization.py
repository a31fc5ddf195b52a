"""What quantization costs and what it saves: one row a type, all measured by llama.cpp on this
machine.

The losses are measured on the answers of held-out conversations, end token included, each token
predicted from the true ones before it. With P the F16 model's distribution over the vocabulary at a
position and Q the quantized model's:

    perplexity       exp(mean of -ln Q(true token))
    KL divergence    mean of sum over the vocabulary of P (ln P - ln Q), in nats
    same top token   share of positions where P and Q hold the same token likeliest

(the definitions of llama.cpp's own `llama-perplexity --kl-divergence`, taken over answers instead
of running text). Harm shows here before it shows in the answers: a well-learned fact survives a lot
of rounding.
"""

from __future__ import annotations

import html
import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import WorkshopError
from ..gguf.header import read_gguf
from ..gguf.logits import Logits, ServerLogits, open_logits
from ..gguf.quantize import quantize
from ..runtimes.llama_cpp import LlamaCppRuntime

if TYPE_CHECKING:
    import numpy as np

    from ..core.device import Device
    from ..dataset.formats import Conversation
    from ..metrics.facts import ShopFacts
    from ..metrics.scoring import Question

SPEED_QUESTIONS, SPEED_TOKENS, SPEED_PASSES = 6, 32, 3
MEMORY = (
    2**28
)  # bytes that the F16 model's distributions may take while they wait; beyond, they are computed anew


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
class QuantizationTable:
    """The rows, the F16 file's first, and how they were measured."""

    rows: list[QuantizationRow]
    questions: int
    held_out_tokens: int
    threads: int
    method: str

    def to_dict(self) -> dict[str, Any]:
        rows = [{**asdict(row), "path": str(row.path)} for row in self.rows]
        return {**asdict(self), "rows": rows}

    def note(self, language: str = "en") -> str:
        """What the figures were measured on, in a sentence."""
        return _NOTE[language].format(
            questions=self.questions,
            tokens=self.held_out_tokens,
            method=self.method,
            threads=self.threads,
        )

    def table(self, language: str = "en") -> Any:
        """The table for the terminal (rich), with headings in `language` ("en" or "ja")."""
        from rich import box
        from rich.table import Table

        caption = f"{_EXPLAINED[language]} {self.note(language)}"
        table = Table(
            box=box.SIMPLE_HEAD, caption=caption, caption_justify="left", padding=(0, 1, 0, 0)
        )
        first, *rest = _SHORT[language]
        table.add_column(first, no_wrap=True)
        for name in rest:
            table.add_column(name, justify="right", no_wrap=True)
        for cells in self.cells():
            table.add_row(*cells)
        return table

    def to_html(self, language: str = "en") -> str:
        """The same table as an HTML fragment."""
        head = "".join(f"<th>{html.escape(name)}</th>" for name in HEADINGS[language])
        body = "".join(
            f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in cells)}</tr>"
            for cells in self.cells()
        )
        note = f"<caption>{html.escape(self.note(language))}</caption>"
        return f'<table class="quantization">{note}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'

    def _repr_html_(self) -> str:
        return self.to_html()

    def cells(self) -> Iterator[list[str]]:
        """The rows as texts, in the order of `HEADINGS`."""
        for row in self.rows:
            yield [
                row.type + (f" ({row.fallback}*)" if row.fallback else ""),
                f"{row.size_bytes / 1e6:,.1f}",
                f"{row.bits_per_weight:.2f}",
                "–" if row.recall is None else f"{row.recall:.0%}",
                f"{row.perplexity:.3f}",
                f"{row.kl_to_f16:.4f}",
                f"{row.same_top_token:.1%}",
                f"{row.load_seconds:.2f}",
                f"{row.prompt_tokens_per_second:,.0f}",
                f"{row.generation_tokens_per_second:,.0f}",
            ]


# What it costs before how fast it is.
HEADINGS = {
    "en": ("type", "MB", "bits/weight", "facts stated", "perplexity", "KL to F16", "same top token", "load s",
           "prompt tok/s", "answer tok/s"),
    "ja": ("形式", "MB", "ビット/重み", "事実の再現率", "パープレキシティ", "F16とのKL", "最有力トークンの一致率",
           "読み込み (秒)", "入力 tok/s", "生成 tok/s"),
}  # fmt: skip
# A terminal is 80 characters wide: short headings there, explained below the table.
_SHORT = {
    "en": ("type", "MB", "bits", "facts", "ppl", "KL", "top", "load", "in/s", "out/s"),
    "ja": ("形式", "MB", "bits", "事実", "ppl", "KL", "一致", "読込", "入力/s", "生成/s"),
}
_EXPLAINED = {
    "en": "bits: per weight; facts: stated; ppl: perplexity; KL: to F16; top: same top token; load: seconds; "
    "in/s, out/s: tokens of prompt and answer a second.",
    "ja": "bits：重み1個あたり。事実：再現率。ppl：パープレキシティ。KL：F16との差。一致：最有力トークンの一致率。"
    "読込：秒。入力/s・生成/s：1秒あたりのトークン数。",
}
_NOTE = {
    "en": "{questions} questions; perplexity, KL divergence and top token over {tokens} tokens of held-out answers "
    "({method}). Threads: {threads}. (n*): n tensors fell back to another type.",
    "ja": "質問{questions}問。パープレキシティ・KL・最有力トークンは、学習に使っていない回答の{tokens}トークンで計算"
    "（{method}）。スレッド数：{threads}。(n*)：n個のテンソルは別の形式で保存。",
}


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

    `questions` (a file, or read) give the fact recall; `held_out_conversations` (a file, or read;
    rows that were not trained on) give the losses, as many of them as hold `held_out_tokens` answer
    tokens. The row of `f16` itself comes first, whether named in `types` or not. One thread by
    default, so that the speeds compare on a shared machine. Raises WorkshopError for an unknown
    type, a damaged or already quantized `f16`, and no held-out conversation.
    """
    from ..dataset.formats import read_conversations
    from ..dataset.questions import read_questions

    source = read_gguf(f16)
    files = [(source.type, source.path, 0)]
    for kind in types:
        if kind.upper() != source.type:
            report = quantize(source.path, kind)
            files.append((report.type, report.path, len(report.fallback)))
    asked = read_questions(questions) if isinstance(questions, str | Path) else list(questions)
    rows = (
        read_conversations(held_out_conversations)
        if isinstance(held_out_conversations, str | Path)
        else list(held_out_conversations)
    )

    made, texts = [], _Texts([], 0)
    reference: _Reference | None = None
    try:
        for kind, path, fallback in _bar(files, progress):
            with LlamaCppRuntime(path, threads=threads) as runtime:
                if reference is None:
                    texts = _held_out(runtime, rows, held_out_tokens)
                    reference = _Reference(path, texts, threads)
                prompt_speed, answer_speed = _speed(runtime, asked, rows)
                recall = _recall(runtime, asked, shop, max_new_tokens)
                load_seconds = runtime.load_seconds
            perplexity, divergence, same = reference.compare(path, threads)
            made.append(
                QuantizationRow(
                    type=kind,
                    path=path,
                    size_bytes=path.stat().st_size,
                    bits_per_weight=round(read_gguf(path).bits_per_weight, 3),
                    load_seconds=round(load_seconds, 4),
                    prompt_tokens_per_second=round(prompt_speed, 1),
                    generation_tokens_per_second=round(answer_speed, 1),
                    recall=recall,
                    perplexity=perplexity,
                    kl_to_f16=divergence,
                    same_top_token=same,
                    fallback=fallback,
                )
            )
        assert reference is not None
        return QuantizationTable(made, len(asked), texts.tokens, threads, reference.method)
    finally:
        if reference is not None:
            reference.close()


# --- Speed and recall -----------------------------------------------------------------------------


def _speed(
    runtime: LlamaCppRuntime, asked: list[Question], rows: list[Conversation]
) -> tuple[float, float]:
    """Tokens a second reading prompts and writing answers, one at a time: the median of three
    passes.
    """
    messages = [q.messages() for q in asked[:SPEED_QUESTIONS]] or [
        r.prompt_messages() for r in rows[:SPEED_QUESTIONS]
    ]
    prompts = [runtime.engine.render(m) for m in messages]
    read, written = [], []
    for _ in range(SPEED_PASSES):
        found = [
            runtime.engine.complete(p, max_new_tokens=SPEED_TOKENS, ignore_end=True)
            for p in prompts
        ]
        read.append(
            sum(f.prompt_tokens for f in found) / max(1e-9, sum(f.prompt_seconds for f in found))
        )
        written.append(
            sum(f.tokens for f in found)
            / max(1e-9, sum(f.seconds - f.prompt_seconds for f in found))
        )
    return statistics.median(read), statistics.median(written)


def _recall(
    runtime: LlamaCppRuntime, asked: list[Question], shop: ShopFacts | None, max_new_tokens: int
) -> float | None:
    from ..metrics.scoring import score_answer, summarise

    if not any(q.facts for q in asked):
        return None
    answers = runtime.answer([q.messages() for q in asked], max_new_tokens=max_new_tokens)
    return summarise(
        [score_answer(a.text, q, shop) for a, q in zip(answers, asked, strict=True)]
    ).recall


# --- Losses ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Texts:
    """Held-out conversations as (token ids, where the answer starts), and the answer tokens in all."""

    items: list[tuple[list[int], int]]
    tokens: int

    @property
    def longest(self) -> int:
        return max((len(ids) for ids, _ in self.items), default=0)


def _held_out(runtime: LlamaCppRuntime, rows: list[Conversation], limit: int) -> _Texts:
    """As many whole conversations as hold `limit` answer tokens, written with the model's own
    template.
    """
    end = runtime.engine.file.metadata.get("tokenizer.ggml.eos_token_id")
    items, tokens = [], 0
    for row in rows:
        prompt = runtime.engine.tokenize(runtime.engine.render(row.prompt_messages()))
        answer = runtime.engine.tokenize(row.answer) + ([end] if end is not None else [])
        if len(prompt) + len(answer) > runtime.engine.context:
            continue
        items.append((prompt + answer, len(prompt)))
        tokens += len(answer)
        if tokens >= limit:
            break
    if not items:
        raise WorkshopError(
            "There is no held-out conversation (or none fits into the context): nothing to measure on."
        )
    return _Texts(items, tokens)


@dataclass
class _Reference:
    """The F16 model's distributions over the held-out texts, kept in memory while they fit, else
    computed anew.
    """

    path: Path
    texts: _Texts
    threads: int
    _model: Logits = field(init=False)
    _kept: dict[int, np.ndarray] = field(init=False, default_factory=dict)
    _bytes: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self._model = self._open(self.path, self.threads)
        if isinstance(self._model, ServerLogits):  # slow: a tenth must do
            items = self.texts.items[: max(1, len(self.texts.items) // 10)]
            self.texts = _Texts(items, sum(len(ids) - start for ids, start in items))

    @property
    def method(self) -> str:
        return self._model.method

    def close(self) -> None:
        self._model.close()

    def compare(self, path: Path, threads: int) -> tuple[float, float, float]:
        """(perplexity, KL divergence in nats, share of equal top tokens) of the GGUF at `path`."""
        import numpy as np

        same_file = path == self.path
        other = self._model if same_file else self._open(path, threads)
        loss = divergence = 0.0
        same = count = 0
        try:
            for index, (ids, start) in enumerate(self.texts.items):
                p = self._distributions(index)
                q = p if same_file else other.log_probabilities(ids, start)
                loss -= float(q[np.arange(len(q)), ids[start:]].sum(dtype=np.float64))
                divergence += float((np.exp(p) * (p - q)).sum(dtype=np.float64))
                same += int((p.argmax(-1) == q.argmax(-1)).sum())
                count += len(q)
        finally:
            if not same_file:
                other.close()
        return math.exp(loss / count), max(0.0, divergence / count), same / count

    def _distributions(self, index: int) -> np.ndarray:
        if index in self._kept:
            return self._kept[index]
        ids, start = self.texts.items[index]
        found = self._model.log_probabilities(ids, start)
        if self._bytes + found.nbytes <= MEMORY:
            self._kept[index] = found
            self._bytes += found.nbytes
        return found

    def _open(self, path: Path, threads: int) -> Logits:
        return open_logits(path, context=max(256, self.texts.longest), threads=threads)


# --- The same model in two runtimes ---------------------------------------------------------------


@dataclass(frozen=True)
class Difference:
    """Where two greedy answers part: the token at position `at` in each ("" where one had ended),
    and by how many nats llama.cpp held its own the likelier of the two (near 0: a tie that rounding
    decides).
    """

    question: str
    at: int
    transformers: str
    llama_cpp: str
    gap: float


@dataclass(frozen=True)
class Agreement:
    """`equal`: share of questions whose greedy answers are the same token for token."""

    equal: float
    questions: int
    differences: list[Difference]


def agreement(
    model: str | Path,
    gguf: str | Path,
    questions: str | Path | Sequence[Question],
    *,
    max_new_tokens: int = 64,
    device: Device | str | None = None,
) -> Agreement:
    """Asks the same model in Transformers and in llama.cpp, greedily, and finds where the answers
    part.

    They may: llama.cpp keeps keys and values in F16, and a near tie can fall the other way.
    """
    from ..dataset.questions import read_questions
    from ..models.chat import chat_prompt
    from ..models.load import load_tokenizer
    from ..models.resolve import resolve
    from ..runtimes import open_runtime

    asked = read_questions(questions) if isinstance(questions, str | Path) else list(questions)
    messages = [q.messages() for q in asked]
    with open_runtime(model, device=device) as runtime:
        theirs = runtime.answer(messages, max_new_tokens=max_new_tokens)
    with LlamaCppRuntime(gguf) as runtime:
        ours = runtime.answer(messages, max_new_tokens=max_new_tokens)
    tokenizer = load_tokenizer(resolve(model))
    ends, differences = tokenizer.eos_token_id, []
    logits = open_logits(gguf)
    try:
        for question, a, b in zip(asked, theirs, ours, strict=True):
            left, right = [*(a.token_ids or ()), ends], [*(b.token_ids or ()), ends]
            at = next(
                (i for i, (x, y) in enumerate(zip(left, right, strict=False)) if x != y), None
            )
            if at is None:
                continue
            prompt = tokenizer(
                chat_prompt(tokenizer, question.messages()), add_special_tokens=False
            )
            read = [*prompt["input_ids"], *right[: at + 1]]
            likely = logits.log_probabilities(read, len(read) - 1)[0]
            words = [
                tokenizer.decode(ids[at : at + 1], skip_special_tokens=True)
                for ids in (left, right)
            ]
            gap = float(likely[right[at]] - likely[left[at]])
            differences.append(Difference(question.question, at, words[0], words[1], gap))
    finally:
        logits.close()
    return Agreement(1 - len(differences) / max(1, len(asked)), len(asked), differences)


def _bar(items: list[Any], progress: bool) -> Any:
    if not progress:
        return items
    from tqdm.auto import tqdm

    return tqdm(items, desc="measuring", unit="type")
