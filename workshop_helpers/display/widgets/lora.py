"""The LoRA view: what a trained adapter adds to a layer, and what a lower rank would keep of it."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.errors import WorkshopError
from ...core.wordings import say
from ...models.lora import LoraMatrices, lora_layers, lora_matrices
from ...training.report import TrainingReport
from ..html import Html
from ..lora import lora_picture, rank_plot, rank_sentence
from .base import View
from .pieces import failure, note, small_table

if TYPE_CHECKING:
    import ipywidgets


class LoraView(View):
    """See `lora_view`. The controls, once built: `layer` and `rank`."""

    def __init__(self, adapter: str | Path | TrainingReport, language: str = "en") -> None:
        self.adapter = adapter.adapter if isinstance(adapter, TrainingReport) else adapter
        self.language = language
        self.layers = lora_layers(self.adapter)
        self._read = lora_matrices(self.adapter, self.layers[0])

    @property
    def first_rank(self) -> int:
        """The rank that is shown first: an eighth of the adapter's own."""
        return max(1, self._read.rank // 8)

    def matrices(self, layer: str) -> LoraMatrices:
        """Those of a layer; the last one read is kept."""
        if self._read.layer != layer:
            self._read = lora_matrices(self.adapter, layer)
        return self._read

    def picture(self, layer: str, rank: int) -> Html:
        """What is shown of a layer at a rank."""
        matrices = self.matrices(layer)
        rank = min(rank, matrices.rank)
        sentence = rank_sentence(matrices, rank, self.language)
        ranks = sorted({2**n for n in range(matrices.rank.bit_length())} | {rank, matrices.rank})
        rows = [
            (
                f"{k}{' ◀' if k == rank else ''}",
                [self._share(matrices, k), f"{matrices.parameters(k):,}"],
            )
            for k in ranks
            if k <= matrices.rank
        ]
        head = [self._say("rank"), self._say("kept-column"), self._say("parameters")]
        html = (
            '<div style="max-width:52rem">'
            f'<p style="font-size:1.15em;margin:.3em 0"><b>{escape(sentence)}</b></p>'
            f"{lora_picture(matrices, self.language, rank).svg()}"
            f"{note(self._say('colours'))}"
            f"{rank_plot(matrices, rank, self.language).svg()}"
            f"{small_table(head, rows)}</div>"
        )
        return Html(html, sentence)

    def fallback(self) -> Html:
        return self.picture(self.layers[0], self.first_rank)

    def build(self) -> ipywidgets.Widget:
        import ipywidgets

        self.layer = ipywidgets.Dropdown(options=self.layers, description=self._say("layer"))
        self.rank = ipywidgets.IntSlider(
            self.first_rank, 1, self._read.rank, description=self._say("rank"),
            continuous_update=False,
        )  # fmt: skip
        for control in (self.layer, self.rank):
            control.layout.width = "auto"
            control.layout.max_width = "34rem"
            control.observe(self._show, "value")
        self._picture = ipywidgets.HTML(self.fallback().html)
        return ipywidgets.VBox([self.layer, self.rank, self._picture])

    def _show(self, change: Any) -> None:
        try:
            self.rank.max = self.matrices(self.layer.value).rank
            shown = self.picture(self.layer.value, self.rank.value)
        except WorkshopError as error:
            shown = failure(error)
        self._picture.value = shown.html

    def _share(self, matrices: LoraMatrices, rank: int) -> str:
        return f"{100 * matrices.kept(rank):.1f} %"

    def _say(self, name: str) -> str:
        return say(f"lora.{name}", self.language)


def lora_view(adapter: str | Path | TrainingReport, language: str = "en") -> LoraView:
    """W, A and B of a trained adapter's layer, drawn from the real weights, with a slider for the
    rank: what share of the change a lower rank keeps, and how many parameters it needs.

    `adapter`: its folder, or the report of its training. Raises WorkshopError for what is none.
    """
    return LoraView(adapter, language)
