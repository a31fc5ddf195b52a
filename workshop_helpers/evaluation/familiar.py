"""Whether a question is of the kind that a small model was made for, or tuned on.

`mame` was raised on what customers ask shops. It answers any other question too, in the same calm
voice; what gives it away is the question, not the answer: its loss under the untuned base is that
of no usual question.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..core.artifacts import absolute, data_path
from ..core.cards import ancestry
from ..core.wordings import Wording
from ..metrics.language import detect_language
from ..models.catalogue import CATALOGUE, CatalogueEntry
from ..models.resolve import ModelRef, resolve
from ..training.loss import question_losses

# The loss (nats a byte) that 95 % of the shop's training questions stay below, by language.
USUAL = {"en": 1.91, "ja": 1.73}
_SHORT = 12  # bytes: of "Thanks!" or "And abroad?" the loss says nothing


class Familiar:
    """Tells usual questions from others for `entry`, a bundled model, and what was tuned from it:
    `usual` is the loss that 95 % of the questions it was tuned on stay below, where that is known.
    Loads the base.
    """

    def __init__(self, entry: CatalogueEntry, usual: float | None = None) -> None:
        from ..models.load import load_model, load_tokenizer, pick_device

        ref = resolve(entry.name)
        self.name, self.usual = entry.name, usual or 0.0
        self._tokenizer, self._model = load_tokenizer(ref), load_model(ref, pick_device("cpu", ref))

    def losses(self, questions: Sequence[str]) -> list[float]:
        """Each question's loss under the untuned base (nats a byte)."""
        return question_losses(self._tokenizer, self._model, questions)

    def sentences(self, questions: Sequence[str]) -> list[Wording | None]:
        """For each question what to know before its answer; None where it is a usual one."""
        found = zip(questions, self.losses(questions), strict=True)
        return [self._sentence(question, loss) for question, loss in found]

    def _sentence(self, question: str, loss: float) -> Wording | None:
        usual = max(self.usual, USUAL["ja" if detect_language(question) == "ja" else "en"])
        values = {"model": self.name, "loss": loss, "usual": usual}
        short = len(question.strip().encode("utf-8", "replace")) <= _SHORT
        return Wording("fit.unusual-question", values) if loss > usual and not short else None


def bundled_origin(model: str | Path | ModelRef) -> tuple[CatalogueEntry, float | None] | None:
    """The bundled model that `model` is or was made from, as far as cards tell, and the `usual`
    loss of the questions it was tuned on; None for every other model. Loads nothing.
    """
    ref = resolve(model)
    line = list(ancestry(ref.path)) if ref.path else []
    named = [ref.origin.name if ref.origin else None, *(card.get("origin") for _, card in line)]
    for entry in CATALOGUE.values():
        if entry.source != "bundled":
            continue
        folder = absolute(data_path(entry.name))
        if entry.name in named or any(place == folder for place, _ in line):
            return entry, next(filter(None, (_usual(card) for _, card in line)), None)
    return None


def _usual(card: dict[str, Any]) -> float | None:
    report = card.get("report")
    value = report.get("question_loss") if isinstance(report, dict) else None
    return float(value) if isinstance(value, int | float) else None
