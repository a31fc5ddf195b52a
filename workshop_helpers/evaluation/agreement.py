"""The same model in two runtimes: how often it answers the same, and where the answers part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..dataset.questions import read_questions
from ..gguf.logits import Logits, open_logits
from ..metrics.scoring import Question

if TYPE_CHECKING:
    from ..core.device import Device
    from ..models.chat import Answer


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
    """Asks the same model in Transformers and in llama.cpp, greedily, and finds where answers part.

    They may: llama.cpp keeps keys and values in F16, and a near tie can fall the other way.
    """
    from ..models.load import load_tokenizer
    from ..models.resolve import resolve
    from ..runtimes import open_runtime

    asked = read_questions(questions) if isinstance(questions, str | Path) else list(questions)
    messages = [q.messages() for q in asked]
    answers = []
    for one in (model, gguf):
        with open_runtime(one, device=device) as runtime:
            answers.append(runtime.answer(messages, max_new_tokens=max_new_tokens))
    tokenizer = load_tokenizer(resolve(model))
    logits = open_logits(gguf)
    try:
        compared = [
            _difference(question, a, b, tokenizer, logits)
            for question, a, b in zip(asked, *answers, strict=True)
        ]
    finally:
        logits.close()
    differences = [one for one in compared if one is not None]
    return Agreement(1 - len(differences) / max(1, len(asked)), len(asked), differences)


def _difference(
    question: Question, a: Answer, b: Answer, tokenizer: Any, logits: Logits
) -> Difference | None:
    """Where the answer `b` of llama.cpp parts from `a` of Transformers; None where it does not."""
    from ..models.chat import chat_prompt

    end = tokenizer.eos_token_id
    left, right = [*(a.token_ids or ()), end], [*(b.token_ids or ()), end]
    at = next((i for i, (x, y) in enumerate(zip(left, right, strict=False)) if x != y), None)
    if at is None:
        return None
    prompt = tokenizer(chat_prompt(tokenizer, question.messages()), add_special_tokens=False)
    read = [*prompt["input_ids"], *right[: at + 1]]
    likely = logits.log_probabilities(read, len(read) - 1)[0]
    words = [tokenizer.decode([ids[at]], skip_special_tokens=True) for ids in (left, right)]
    gap = float(likely[right[at]] - likely[left[at]])
    return Difference(question.question, at, words[0], words[1], gap)
