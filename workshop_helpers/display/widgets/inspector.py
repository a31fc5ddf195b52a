"""The GGUF inspector: what lies in the file, to search and to read."""

from __future__ import annotations

from html import escape
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.wordings import say
from ...gguf.artifact import GgufReport
from ...gguf.contents import header_bytes, shortened, tokenizer_facts, type_shares
from ...gguf.header import GgufFile, read_gguf
from ..colours import SERIES
from ..html import Html
from .base import View
from .pieces import bytes_text, framed, guarded, heading, note, pairs, small_table

if TYPE_CHECKING:
    import ipywidgets

PARTS = ("overview", "metadata", "tensors", "tokenizer", "template")
_TEMPLATE = "tokenizer.chat_template"
_HEADER = "#7a8288"
_FEW = 16  # tensors in the picture that is read without widgets: one layer's


class Inspector(View):
    """See `inspect_gguf`. The controls, once built: `chosen` (one of `PARTS`) and `search`."""

    def __init__(self, file: str | Path | GgufReport, language: str = "en") -> None:
        self.gguf: GgufFile = read_gguf(file.path if isinstance(file, GgufReport) else file)
        self.language = language

    # ---- what is shown -----------------------------------------------------------------------

    def overview(self) -> str:
        """What the file is, and the share of each type in it."""
        file = self.gguf
        facts = {
            "type": file.type,
            "size": bytes_text(file.size_bytes),
            "architecture": file.metadata.get("general.architecture", "?"),
            "weights": f"{sum(tensor.weights for tensor in file.tensors):,}",
            "bits": f"{file.bits_per_weight:.2f}",
            "tensors": f"{len(file.tensors):,}",
            "layers": file.of_architecture("block_count"),
            "context": f"{file.context_length:,}" if file.context_length else None,
        }
        known = {self._say(n): str(v) for n, v in facts.items() if v is not None}
        return f"{heading(file.path.name)}{pairs(known)}{self._shares()}"

    def _shares(self) -> str:
        """The file as a bar: the header, and the tensors of each type."""
        head = header_bytes(self.gguf)
        parts = [(one.type, one.tensors, one.size_bytes) for one in type_shares(self.gguf)]
        parts.append((self._say("header"), 0, head))
        colours = [*(c for c, _ in zip(cycle(SERIES), parts[1:], strict=False)), _HEADER]
        pieces = "".join(
            f'<span style="flex:{size} 1 2px;background:{colour};height:1.3em;'
            'border-right:2px solid #fff8"></span>'
            for (_, _, size), colour in zip(parts, colours, strict=True)
        )
        rows = []
        for (name, tensors, size), colour in zip(parts, colours, strict=True):
            share = f"{100 * size / self.gguf.size_bytes:.3g} %"
            sample = f'<span style="color:{colour}">■</span> {bytes_text(size)}'
            rows.append((name, [f"{tensors:,}" if tensors else "–", sample, share]))
        columns = [self._say(name) for name in ("type", "tensors", "size", "share")]
        return (
            f'{heading(self._say("shares"))}<div style="display:flex;margin:.3em 0;'
            f'max-width:44em">{pieces}</div>{small_table(columns, rows)}'
        )

    def metadata(self, search: str = "") -> str:
        """Keys and values; of those only the ones in which `search` is found."""
        found = {
            key: shortened(value)
            for key, value in self.gguf.metadata.items()
            if _matches(search, key, shortened(value))
        }
        return self._counted(len(found), len(self.gguf.metadata)) + pairs(found)

    def tensors(self, search: str = "", most: int | None = None) -> str:
        """Name, shape, type and bytes, at `most` so many; of those only the ones in which `search`
        is found.
        """
        found = [t for t in self.gguf.tensors if _matches(search, t.name, t.type)][:most]
        rows = [(t.name, ["×".join(map(str, t.shape)), t.type, f"{t.size_bytes:,}"]) for t in found]
        head = [self._say(name) for name in ("name", "shape", "type", "bytes")]
        return self._counted(len(found), len(self.gguf.tensors)) + small_table(head, rows)

    def tokenizer(self) -> str:
        """What the file says about its tokenizer."""
        facts = tokenizer_facts(self.gguf)
        named = {self._say(f"tokenizer-{name}"): value for name, value in facts.items()}
        return pairs(named) if named else note(self._say("no-tokenizer"))

    def template(self) -> str:
        """The chat template as it stands in the file."""
        text = self.gguf.metadata.get(_TEMPLATE)
        if not isinstance(text, str):
            return note(self._say("no-template"))
        style = "white-space:pre-wrap;overflow-wrap:anywhere;font-size:.9em;line-height:1.5"
        return f'<pre style="{style}">{escape(text)}</pre>'

    def part(self, name: str, search: str = "") -> str:
        """The HTML of one of `PARTS`."""
        searched = {"metadata": self.metadata, "tensors": self.tensors}
        if name in searched:
            return searched[name](search)
        return {"tokenizer": self.tokenizer, "template": self.template}.get(name, self.overview)()

    def fallback(self) -> Html:
        file = self.gguf
        parts = {name: self.part(name) for name in PARTS[1:]} | {"tensors": self.tensors(most=_FEW)}
        folded = "".join(
            f'<details style="margin:.5em 0"><summary style="cursor:pointer;font-weight:600">'
            f"{escape(self._say(name))}</summary>{html}</details>"
            for name, html in parts.items()
        )
        lines = [f"{file.path.name}: {file.type}, {bytes_text(file.size_bytes)}"]
        for one in type_shares(file):
            lines.append(f"{one.type}: {one.tensors:,} tensors, {bytes_text(one.size_bytes)}")
        lines += [f"{name}: {value}" for name, value in tokenizer_facts(file).items()]
        return Html(framed(self.overview() + folded), "\n".join(lines))

    def _say(self, code: str, **values: Any) -> str:
        return say(f"widgets.inspector-{code}", self.language, **values)

    def _counted(self, found: int, of: int) -> str:
        return note(self._say("found", found=f"{found:,}", of=f"{of:,}"))

    # ---- the controls ------------------------------------------------------------------------

    def build(self) -> ipywidgets.Widget:
        import ipywidgets as w

        self.chosen = w.ToggleButtons(
            options=[(self._say(name), name) for name in PARTS],
            value=PARTS[0],
            style={"button_width": "auto"},
        )
        self.search = w.Text(
            description=self._say("search"),
            placeholder="blk.0, Q6_K, eos …",
            continuous_update=True,
            style={"description_width": "5.5em"},
            layout=w.Layout(width="auto", max_width="34em"),
        )
        self._html = w.HTML()
        for control in (self.chosen, self.search):
            control.observe(self._draw, "value")
        self._draw()
        return w.VBox([self.chosen, self.search, self._html])

    def _draw(self, change: Any = None) -> None:
        part = self.chosen.value
        self.search.layout.display = "" if part in ("metadata", "tensors") else "none"
        drawn = guarded(lambda: Html(self.part(part, self.search.value)))
        self._html.value = framed(drawn.html)


def inspect_gguf(file: str | Path | GgufReport, language: str = "en") -> Inspector:
    """What lies in a GGUF: the share of each type, the metadata and the tensors to search, the
    tokenizer, the chat template.

    `file`: a path, or a report of `convert` or `quantize`. Raises WorkshopError for a file that is
    missing, damaged, or no GGUF.
    """
    return Inspector(file, language)


def _matches(search: str, *texts: str) -> bool:
    """Are all words of the search in the texts? In any case of letters."""
    whole = " ".join(texts).casefold()
    return all(word in whole for word in search.casefold().split())
