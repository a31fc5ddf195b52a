"""The block microscope: what a quantized file stores of a few real weights, and what comes back."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.errors import WorkshopError
from ...core.wordings import say
from ...gguf.artifact import GgufReport
from ...gguf.blocks import (
    LAYOUTS,
    Block,
    RoundingError,
    block_weights,
    find_tensor,
    read_block,
    read_restored,
    read_weights,
    rounding_error,
)
from ...gguf.header import FLOAT_TYPES, GgufFile, Tensor, read_gguf
from ..colours import BLUE, ORANGE, PURPLE, SKY, VERMILLION
from ..html import Html
from .base import View
from .pieces import FLOW, bar, framed, guarded, heading, note, small_table

if TYPE_CHECKING:
    import ipywidgets

# The fields of a block, each in a colour of its own and named beside it.
_FIELDS = {"scale": ORANGE, "minimum": VERMILLION, "scales": PURPLE, "high": SKY, "quants": BLUE}
_WIDE = 256  # weights over which the files are compared: a block of the K-types


class Microscope(View):
    """See `microscope`. The controls, once built: `file`, `tensor`, `block` and `group`."""

    def __init__(self, files: Sequence[str | Path | GgufReport], language: str = "en") -> None:
        read = [read_gguf(f.path if isinstance(f, GgufReport) else f) for f in files]
        originals = [file for file in read if file.type in FLOAT_TYPES]
        self.files = {_name(file): file for file in read if file.type not in FLOAT_TYPES}
        if not originals or not self.files:
            raise WorkshopError(
                "The microscope compares an F16 (F32, BF16) GGUF with quantized ones made from it: "
                "give it at least one of each."
            )
        self.original, self.language = originals[0], language
        self.tensors = [
            t.name for t in self.original.tensors if len(t.shape) > 1 and t.type in FLOAT_TYPES
        ]
        for file in self.files.values():
            _check_same_model(self.original, file)

    # ---- what is shown -----------------------------------------------------------------------

    def first(self) -> tuple[str, str]:
        """The file and the tensor that are shown first."""
        file = "Q4_K_M" if "Q4_K_M" in self.files else next(iter(self.files))
        usual = (name for name in self.tensors if "ffn_gate" in name)
        return file, next(usual, self.tensors[0])

    def picture(self, file: str, tensor: str, number: int, group: int) -> Html:
        """Block `number` of a tensor in one of the files, with the weights of one of its groups.

        Raises WorkshopError for a block that is not there or of a type that is not taken apart.
        """
        block = read_block(self.files[file], tensor, number)
        original = read_weights(self.original, tensor, block.start, len(block.values))
        error = rounding_error(block.values, original)
        html = "".join(
            [
                self._headline(file, block),
                self._bytes(block),
                _chart(block, original, group),
                note(self._say("chart")),
                self._sum(block, group),
                _weights(block, original, group),
                note(self._say("cells")),
                self._groups(block, group),
                heading(self._say("error", **_told(error))),
                self._compared(tensor, block.start),
            ]
        )
        name = self._say("text", type=block.type, tensor=tensor, number=f"{number:,}")
        integers = " ".join(map(str, block.integers[: block.group]))
        text = f"{name}\n{integers}\n{self._say('error', **_told(error))}"
        return Html(framed(html), text)

    def _say(self, code: str, **values: Any) -> str:
        return say(f"widgets.microscope-{code}", self.language, **values)

    def _headline(self, file: str, block: Block) -> str:
        weights = len(block.integers)
        bits = f"{block.bits_per_weight:.6g}"
        size, plain = block.size_bytes, 2 * weights
        told = self._say("headline", weights=weights, bytes=size, bits=bits, plain=plain)
        first, last = f"{block.start:,}", f"{block.start + weights - 1:,}"
        place = self._say("place", tensor=block.tensor, first=first, last=last)
        # Q4_K_M, for example, gives some tensors six bits
        other = block.type not in file
        inside = note(self._say("inside", file=file, type=block.type)) if other else ""
        return (
            '<p style="margin:.3em 0;font-size:1.15em">'
            f"<b>{block.type}</b>　{escape(told)}</p>{note(place)}{inside}"
        )

    def _bytes(self, block: Block) -> str:
        """The fields of the block as a bar in their true order and length, and their names."""
        pieces, names = [], []
        for field, size in block.fields.items():
            colour = _FIELDS[field]
            pieces.append(
                f'<span style="flex:{size} 1 4px;background:{colour};height:1.1em;'
                'border-right:2px solid #fff8"></span>'
            )
            told = escape(self._say(f"field-{field}", bytes=size))
            names.append(
                f'<span style="white-space:nowrap"><span style="color:{colour}">■</span> '
                f"{told}</span>"
            )
        return (
            f'<div style="display:flex;margin:.3em 0">{"".join(pieces)}</div>'
            f'<div style="{FLOW};gap:.1em 1.2em;font-size:.9em">{"".join(names)}</div>'
        )

    def _sum(self, block: Block, group: int) -> str:
        """How the group's step and offset come about, in figures."""
        step = _number(block.steps[group])
        if block.scales:
            step = f"{_number(block.scale)} × {_number(block.scales[group])} = {step}"
        lines = [self._say("step", sum=step)]
        if block.minimum is not None:
            offset = _number(block.offsets[group])
            if block.minimums:
                offset = f"−{_number(block.minimum)} × {block.minimums[group]} = {offset}"
            lines.append(self._say("offset", sum=offset))
        lines.append(self._say("formula" if block.minimum is None else "formula-offset"))
        first, most = group * block.group, len(block.steps) - 1
        last = first + block.group - 1
        title = self._say("group", number=group, most=most, first=first, last=last)
        style = "margin:.2em 0;line-height:1.7;font-variant-numeric:tabular-nums"
        return heading(title) + f'<p style="{style}">{"<br>".join(map(escape, lines))}</p>'

    def _groups(self, block: Block, group: int) -> str:
        """The integers that stand for the steps and offsets of all groups."""
        if not block.scales:
            return ""
        minimums = [f"−{minimum}" for minimum in block.minimums] or [""] * len(block.scales)
        boxes = "".join(
            _box("", _number(scale), minimum, "#8882", chosen=number == group)
            for number, (scale, minimum) in enumerate(zip(block.scales, minimums, strict=True))
        )
        told = self._say("groups-offset" if block.minimums else "groups")
        return f'<div style="{FLOW}">{boxes}</div>{note(told)}'

    def _compared(self, tensor: str, start: int) -> str:
        """The same weights in all files: their type, bits and error."""
        start = start // _WIDE * _WIDE
        count = min(_WIDE, find_tensor(self.original, tensor).weights - start)
        original = read_weights(self.original, tensor, start, count)
        found = []
        for name, file in self.files.items():
            if find_tensor(file, tensor).type in LAYOUTS:
                bits = read_block(file, tensor, 0).bits_per_weight
                error = rounding_error(read_restored(file, tensor, start, count), original)
                found.append((name, find_tensor(file, tensor).type, bits, error.relative))
        most = max((relative for *_, relative in found), default=0.0) or 1.0
        rows = [
            (name, [kind, f"{bits:.6g}", _percent(relative) + bar(relative / most, VERMILLION)])
            for name, kind, bits, relative in found
        ]
        head = [self._say(name) for name in ("file", "type", "bits", "relative")]
        return note(self._say("compared", n=count)) + small_table(head, rows)

    def fallback(self) -> Html:
        return guarded(lambda: self.picture(*self.first(), 0, 0))

    # ---- the controls ------------------------------------------------------------------------

    def build(self) -> ipywidgets.Widget:
        import ipywidgets as w

        first_file, first_tensor = self.first()
        style = {"description_width": "5.5em"}
        layout = w.Layout(width="auto", max_width="34em")
        self.file = w.ToggleButtons(
            options=list(self.files),
            value=first_file,
            description=self._say("file"),
            style={**style, "button_width": "auto"},
        )
        self.tensor = w.Dropdown(
            options=self.tensors,
            value=first_tensor,
            description=self._say("tensor"),
            style=style,
            layout=layout,
        )
        self.block, self.group = (
            w.IntSlider(
                description=self._say(name), continuous_update=False, style=style, layout=layout
            )
            for name in ("block", "group-slider")
        )
        self._html = w.HTML()
        self._start, self._fitting = 0, False
        for control in (self.file, self.tensor):
            control.observe(self._fit, "value")
        self.block.observe(self._turn, "value")
        self.group.observe(self._draw, "value")
        self._fit()
        return w.VBox([self.file, self.tensor, self.block, self.group, self._html])

    def _stored(self) -> Tensor:
        return find_tensor(self.files[self.file.value], self.tensor.value)

    def _fit(self, change: Any = None) -> None:
        """Fit the sliders to another file or tensor; the place among the weights stays."""
        stored = self._stored()
        readable = stored.type in LAYOUTS
        size = block_weights(stored.type) if readable else stored.weights
        groups = (
            len(read_block(self.files[self.file.value], stored.name, 0).steps) if readable else 1
        )
        self._fitting = True  # the sliders' own changes are not the user's
        self.block.max = stored.weights // size - 1
        self.block.value = min(self._start // size, self.block.max)
        self.group.max = groups - 1
        self.group.layout.display = "" if groups > 1 else "none"
        self._fitting = False
        self._draw()

    def _turn(self, change: Any) -> None:
        if not self._fitting:
            self._start = self.block.value * block_weights(self._stored().type)
            self._draw()

    def _draw(self, change: Any = None) -> None:
        if not self._fitting:
            chosen = self.file.value, self.tensor.value, self.block.value, self.group.value
            self._html.value = guarded(lambda: self.picture(*chosen)).html


def microscope(files: Sequence[str | Path | GgufReport], language: str = "en") -> Microscope:
    """A block of real weights under the microscope: what they were, the integers and scales that a
    type stores of them, what comes back, and the error. One picks the file, the tensor and the
    block.

    `files`: an F16 GGUF and the ones quantized from it, as paths or as reports of `convert` and
    `quantize`. Raises WorkshopError for damaged files, for files of different models, and where the
    original or a quantized one is missing.
    """
    return Microscope(files, language)


def _name(file: GgufFile) -> str:
    return file.type if file.type != "?" else file.path.stem


def _check_same_model(original: GgufFile, file: GgufFile) -> None:
    shapes, others = ({t.name: t.shape for t in one.tensors} for one in (original, file))
    if shapes != others:
        raise WorkshopError(
            f"{file.path.name} and {original.path.name} are of different models: their tensors are "
            "not the same."
        )


def _number(value: float) -> str:
    return f"{value:.5g}".replace("-", "−")


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %"


def _told(error: RoundingError) -> dict[str, str]:
    return {
        "mean": f"{error.mean:.2g}",
        "largest": f"{error.largest:.2g}",
        "relative": _percent(error.relative),
    }


def _box(above: str, middle: str, below: str, ground: str, *, chosen: bool = False) -> str:
    """A number, with smaller ones above and below it."""
    line = f"2px solid {ORANGE}" if chosen else "1px solid #8886"
    small = 'style="display:block;font-size:.78em;opacity:.85"'
    top = f"<span {small}>{escape(above)}</span>" if above else ""
    bottom = f"<span {small}>{escape(below)}</span>" if below else ""
    return (
        f'<span style="flex:0 0 auto;min-width:2.6em;padding:.15em .3em;text-align:center;'
        f"line-height:1.35;border:{line};border-radius:5px;background:{ground};"
        f'font-variant-numeric:tabular-nums">{top}<b>{escape(middle)}</b>{bottom}</span>'
    )


def _weights(block: Block, original: Sequence[float], group: int) -> str:
    """The weights of a group, a box each: the original, its integer, what comes back."""
    places = range(group * block.group, (group + 1) * block.group)
    most = max(1, *(abs(block.integers[place]) for place in places))
    boxes = []
    for place in places:
        integer = block.integers[place]
        colour = BLUE if integer >= 0 else ORANGE  # the sign is written, too
        ground = f"{colour}{round(0x50 * abs(integer) / most):02x}"
        before, after = (f"{one[place]:.4f}".replace("-", "−") for one in (original, block.values))
        boxes.append(_box(before, _number(integer), after, ground))
    return f'<div style="{FLOW}">{"".join(boxes)}</div>'


def _chart(block: Block, original: Sequence[float], group: int) -> str:
    """The block as a drawing: dots are original weights, the stepped line is what comes back."""
    width, height, count = 640.0, 150.0, len(original)
    top = max(map(abs, [*original, *block.values])) or 1.0
    step = width / count

    def y(value: float) -> float:
        return height / 2 - value / top * (height / 2 - 6)

    dots = "".join(
        f"M{(place + 0.5) * step:.1f} {y(weight):.1f}h0" for place, weight in enumerate(original)
    )
    path = "".join(
        f"{'L' if place else 'M'}{place * step:.1f} {y(value):.1f}H{(place + 1) * step:.1f}"
        for place, value in enumerate(block.values)
    )
    fixed = 'vector-effect="non-scaling-stroke"'  # the drawing is stretched, its strokes are not
    left, wide = group * block.group * step, block.group * step
    shade = f'<rect x="{left:.1f}" width="{wide:.1f}" height="{height:g}" fill="{ORANGE}33"/>'
    return (
        f'<svg role="img" viewBox="0 0 {width:g} {height:g}" preserveAspectRatio="none" '
        'style="display:block;width:100%;height:9.5em">'
        f'{shade if len(block.steps) > 1 else ""}<path d="M0 {height / 2:g}H{width:g}" '
        f'stroke="currentColor" stroke-opacity=".35"/><path d="{path}" fill="none" '
        f'stroke="{BLUE}" stroke-width="2" {fixed}/><path d="{dots}" stroke="currentColor" '
        f'stroke-width="{4 if count > 64 else 7}" stroke-linecap="round" {fixed}/></svg>'
    )
