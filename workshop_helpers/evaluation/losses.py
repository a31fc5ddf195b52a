"""What rounding does to a model's predictions, on the answers of held-out conversations.

The end token is counted, and each token is predicted from the true ones before it. With P the F16
model's distribution over the vocabulary at a position and Q the quantized model's:

    perplexity       exp(mean of -ln Q(true token))
    KL divergence    mean of sum over the vocabulary of P (ln P - ln Q), in nats
    same top token   share of positions where P and Q hold the same token likeliest

(the definitions of llama.cpp's own `llama-perplexity --kl-divergence`, taken over answers instead
of running text). Harm shows here before it shows in the answers: a well-learned fact survives a lot
of rounding.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import Closing, WorkshopError
from ..gguf.logits import Logits, ServerLogits, open_logits

if TYPE_CHECKING:
    import numpy as np

    from ..dataset.formats import Conversation
    from ..gguf.engine import LlamaEngine

# Maximum bytes of kept F16 distributions; beyond that they are computed again.
MEMORY = 2**28

# Token ids of a conversation, and where its answer begins.
Text = tuple[list[int], int]


def held_out_texts(
    engine: LlamaEngine, rows: Sequence[Conversation], answer_tokens: int
) -> list[Text]:
    """As many whole conversations as hold `answer_tokens`, written with the model's own template.

    Raises WorkshopError where there is none that fits into the model's context.
    """
    end = engine.file.metadata.get("tokenizer.ggml.eos_token_id")
    texts: list[Text] = []
    for row in rows:
        prompt = engine.tokenize(engine.render(row.prompt_messages()))
        answer = engine.tokenize(row.answer) + ([end] if end is not None else [])
        if len(prompt) + len(answer) > engine.context:
            continue
        texts.append((prompt + answer, len(prompt)))
        if count_answers(texts) >= answer_tokens:
            break
    if not texts:
        raise WorkshopError(
            "There is no held-out conversation (or none fits into the context): nothing to measure "
            "on."
        )
    return texts


def count_answers(texts: Sequence[Text]) -> int:
    """Answer tokens in all."""
    return sum(len(ids) - start for ids, start in texts)


class Losses(Closing):
    """Compares quantized files with the F16 model at `path`, over `texts`.

    Its distributions are kept in memory if they fit, else computed again. `tokens`: answer tokens
    that count; `method`: how llama.cpp gives the probabilities. Several threads may call `of`.
    """

    def __init__(self, path: Path, texts: list[Text], threads: int) -> None:
        self.path, self.texts, self.threads = path, texts, threads
        self._kept: dict[int, np.ndarray] = {}
        self._lock = threading.Lock()
        self._model = self._open(path)
        self.method = self._model.method
        if isinstance(self._model, ServerLogits):  # slow: a tenth must do
            self.texts = texts[: max(1, len(texts) // 10)]
        self.tokens = count_answers(self.texts)

    def close(self) -> None:
        self._model.close()

    def of(self, path: Path) -> tuple[float, float, float]:
        """(perplexity, KL divergence in nats, share of equal top tokens) of the GGUF at `path`."""
        import numpy as np

        same_file = path == self.path
        other = self._model if same_file else self._open(path)
        loss = divergence = 0.0
        same = 0
        try:
            for index, (ids, start) in enumerate(self.texts):
                p = self._distributions(index)
                q = p if same_file else other.log_probabilities(ids, start)
                loss -= float(q[np.arange(len(q)), ids[start:]].sum(dtype=np.float64))
                divergence += float((np.exp(p) * (p - q)).sum(dtype=np.float64))
                same += int((p.argmax(-1) == q.argmax(-1)).sum())
        finally:
            if not same_file:
                other.close()
        return math.exp(loss / self.tokens), max(0.0, divergence / self.tokens), same / self.tokens

    def _distributions(self, index: int) -> np.ndarray:
        with self._lock:
            if index in self._kept:
                return self._kept[index]
            found = self._model.log_probabilities(*self.texts[index])
            if sum(kept.nbytes for kept in self._kept.values()) + found.nbytes <= MEMORY:
                self._kept[index] = found
            return found

    def _open(self, path: Path) -> Logits:
        longest = max(len(ids) for ids, _ in self.texts)
        return open_logits(path, context=max(256, longest), threads=self.threads)
