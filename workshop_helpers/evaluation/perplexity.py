"""How surprised a model is by right answers: perplexity, and bits for a character.

    perplexity          exp(nats / tokens)
    bits per character  nats / ln 2 / characters

Only the reference answer and the token that ends it count, each token predicted from the question
and the true ones before it. Perplexity is for a token, and a token is what a model's own tokenizer
makes it, so the figures of two tokenizers cannot be compared; bits per character can.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import WorkshopError
from ..metrics.scoring import Question

if TYPE_CHECKING:
    from ..core.device import Device

_BATCH = 16
# Token ids of question and answer, and where the answer begins.
_Text = tuple[list[int], int]


@dataclass(frozen=True)
class ReferenceLoss:
    """What the reference answers cost a model: `nats` in all, over so many tokens (the ends of the
    answers among them) and characters.
    """

    nats: float
    tokens: int
    characters: int

    @property
    def perplexity(self) -> float:
        """exp of the mean loss of a token."""
        return math.exp(self.nats / self.tokens)

    @property
    def bits_per_character(self) -> float:
        """Bits that the model would need to write down a character of the answers."""
        return self.nats / math.log(2) / self.characters

    def to_dict(self) -> dict[str, float]:
        """The fields and both figures, as JSON takes them."""
        return {
            "nats": round(self.nats, 3),
            "tokens": self.tokens,
            "characters": self.characters,
            "perplexity": round(self.perplexity, 4),
            "bits_per_character": round(self.bits_per_character, 4),
        }


def reference_loss(
    model: str | Path, questions: Sequence[Question], *, device: Device | str | None = None
) -> ReferenceLoss:
    """What the references of `questions` cost the model: a catalogue name, a model or adapter
    folder, or a GGUF file. Questions without a reference are left out.

    Raises WorkshopError where none has one, and for a model behind Ollama, which gives no
    probabilities.
    """
    from ..models.resolve import resolve

    asked = [question for question in questions if question.reference]
    if not asked:
        raise WorkshopError("No question has a reference answer: there is nothing to measure on.")
    ref = resolve(model)
    if ref.kind == "ollama":
        raise WorkshopError(f"Ollama gives no probabilities of {ref.name}. Give its GGUF file.")
    if ref.kind == "gguf" and ref.path is not None:
        nats, tokens = _by_llama_cpp(ref.path, asked)
    else:
        nats, tokens = _by_transformers(ref, asked, device)
    return ReferenceLoss(nats, tokens, sum(len(q.reference or "") for q in asked))


def _by_transformers(ref: Any, asked: Sequence[Question], device: Any) -> tuple[float, int]:
    """Nats and tokens of the references."""
    import torch

    from ..models.chat import chat_prompt, stop_token_ids
    from ..models.load import load_model, load_tokenizer, pick_device

    tokenizer = load_tokenizer(ref)
    network = load_model(ref, pick_device(device, ref))
    end = stop_token_ids(tokenizer, network)[:1]

    def ids(text: str) -> list[int]:
        return list(tokenizer(text, add_special_tokens=False)["input_ids"])

    texts: list[_Text] = []
    for question in asked:
        prompt = ids(chat_prompt(tokenizer, question.messages()))
        texts.append((prompt + ids(question.reference or "") + end, len(prompt)))
    nats = 0.0
    with torch.inference_mode():
        for first in range(0, len(texts), _BATCH):
            nats += _batch_nats(network, texts[first : first + _BATCH])
    return nats, sum(len(text) - start for text, start in texts)


def _batch_nats(network: Any, texts: Sequence[_Text]) -> float:
    """Nats of the answers of a batch. The filling behind a short text is no part of it: its labels
    are -100, which cross_entropy leaves out.
    """
    import torch

    longest = max(len(ids) for ids, _ in texts)
    given = torch.zeros(len(texts), longest, dtype=torch.long)
    mask = torch.zeros_like(given)
    labels = torch.full_like(given, -100)
    for row, (ids, start) in enumerate(texts):
        given[row, : len(ids)] = torch.tensor(ids)
        mask[row, : len(ids)] = 1
        labels[row, start : len(ids)] = torch.tensor(ids[start:])
    given, mask, labels = (one.to(network.device) for one in (given, mask, labels))
    logits = network(input_ids=given, attention_mask=mask).logits[:, :-1].float()
    flat = logits.reshape(-1, logits.shape[-1])
    loss = torch.nn.functional.cross_entropy(flat, labels[:, 1:].reshape(-1), reduction="sum")
    return float(loss)


def _by_llama_cpp(path: Path, asked: Sequence[Question]) -> tuple[float, int]:
    """The same by llama.cpp."""
    from ..gguf.engine import LlamaEngine
    from ..gguf.logits import open_logits

    texts: list[_Text] = []
    with LlamaEngine(path) as engine:
        end = engine.file.metadata.get("tokenizer.ggml.eos_token_id")
        for question in asked:
            prompt = engine.tokenize(engine.render(question.messages()))
            answer = engine.tokenize(question.reference or "") + ([] if end is None else [end])
            texts.append((prompt + answer, len(prompt)))
    nats, longest = 0.0, max(len(ids) for ids, _ in texts)
    with open_logits(path, context=max(256, longest)) as logits:
        for ids, start in texts:
            likely = logits.log_probabilities(ids, start)
            nats -= float(likely[range(len(likely)), ids[start:]].sum(dtype="float64"))
    return nats, sum(len(ids) - start for ids, start in texts)
