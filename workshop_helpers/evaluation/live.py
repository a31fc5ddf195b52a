"""Questions that come up while people watch: models that stay open between them."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

from ..core.errors import Closing, WorkshopError, first_line
from ..metrics.facts import ShopFacts
from ..metrics.scoring import Question
from ..models.resolve import ModelRef, resolve
from .candidates import Candidate
from .comparison import CandidateResult, ask_all

if TYPE_CHECKING:
    from ..core.device import Device
    from ..runtimes.base import Runtime


class OpenModels(Closing):
    """Models that are opened when they are first asked and stay open: until `close`, the end of the
    process, or until others need their memory.

    `limit`: bytes of weights that may be open together; None takes half of the memory that is free
    now. The model that is asked is open whatever it weighs.
    """

    def __init__(self, *, device: Device | str | None = None, limit: int | None = None) -> None:
        self._device, self._limit = device, limit
        self._open: dict[str, Runtime] = {}
        # Also at the end of the process, and when nobody holds this any more.
        self._end = weakref.finalize(self, _close_all, self._open)

    @property
    def names(self) -> tuple[str, ...]:
        """The models that are open, as their candidates name them."""
        return tuple(self._open)

    def ask(
        self,
        candidate: Candidate,
        question: Question,
        shop: ShopFacts | None = None,
        *,
        max_new_tokens: int = 160,
    ) -> CandidateResult:
        """The candidate's answer to one question and its score; its seconds are without opening.

        Raises WorkshopError for a model that cannot be opened or asked, whatever the reason.
        """
        if not question.question.strip():
            raise WorkshopError("The question is empty.")
        try:
            runtime = self._runtime(str(candidate.model))
            return ask_all(runtime, candidate, [question], shop, max_new_tokens, False)
        except WorkshopError:
            raise
        except Exception as error:  # a package that is missing, memory that is full
            raise WorkshopError(f"{candidate.model}: {first_line(error)}.") from error

    def _runtime(self, model: str) -> Runtime:
        from ..runtimes import open_runtime

        if model not in self._open:
            self._make_room(resolve(model))
            self._open[model] = open_runtime(model, device=self._device)
        return self._open[model]

    def _make_room(self, ref: ModelRef) -> None:
        if self._limit is None:
            import psutil

            self._limit = psutil.virtual_memory().available // 2
        weights = sum(_bytes(resolve(model)) for model in self._open)
        if weights + _bytes(ref) > self._limit:
            _close_all(self._open)

    def close(self) -> None:
        """Close them all; they are opened again when they are asked again."""
        _close_all(self._open)


def _close_all(runtimes: dict[str, Runtime]) -> None:
    while runtimes:
        runtimes.popitem()[1].close()


def _bytes(ref: ModelRef) -> int:
    """What the weights take in memory, about: in 32 bits, or as the GGUF file holds them. What
    Ollama runs is Ollama's affair.
    """
    if ref.kind == "gguf" and ref.path is not None:
        return ref.path.stat().st_size
    if ref.origin is not None:
        return 4 * ref.origin.parameters
    whole = ref.base or ref
    files = whole.path.glob("*.safetensors") if whole.path else ()
    return 2 * sum(file.stat().st_size for file in files)
