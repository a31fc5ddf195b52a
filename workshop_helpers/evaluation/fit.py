"""Does a base model know what rows are about, and which base would be the better one here?

`mame` was raised on shops. How far other rows lie from that is measured: the loss of their answers
under the untuned base, a byte, against the loss of the shop's. A model of the hub has read about
everything; of it only the languages are known that its makers state.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.artifacts import data_path
from ..core.device import Device
from ..core.wordings import Wording
from ..dataset.formats import Conversation, read_conversations
from ..metrics.language import detect_language
from ..models.choices import ModelChoice, model_choices
from ..models.resolve import ModelRef, resolve
from ..training.loss import summed_loss
from ..training.measure import training_seconds
from ..training.recipe import LoraRecipe

# Own library, school and clinic rows: 2.2 to 2.9 times the shop's loss; a help desk's: 3.4.
OUTSIDE = 1.6
_SAMPLE = 48
_LONGEST = 2000  # characters of a row that is measured
# On a processor the smallest model that speaks the language trains while one waits; on a GPU the
# largest up to this does.
_LARGEST = 1_600_000_000


@dataclass(frozen=True)
class Fit:
    """How `model` stands to rows in `language` ("en", "ja", "?"): whether it speaks that, and the
    `loss` of their answers beside the `usual` one of rows it was made for (nats a byte, untuned;
    None where it was made for nothing special).
    """

    model: str
    language: str
    speaks: bool
    loss: float | None = None
    usual: float | None = None

    @property
    def ratio(self) -> float | None:
        """How many times the usual loss."""
        return self.loss / self.usual if self.loss and self.usual else None

    @property
    def inside(self) -> bool:
        """Whether the rows are of the kind that the model was made for."""
        return self.speaks and (self.ratio is None or self.ratio <= OUTSIDE)

    def sentence(self) -> Wording | None:
        """What to know before training on it; None where nothing speaks against it."""
        if self.inside:
            return None
        values = {"model": self.model, "language": language_name(self.language)}
        if not self.speaks:
            return Wording("fit.not-spoken", values)
        return Wording("fit.outside", {**values, "ratio": self.ratio})

    def to_dict(self) -> dict[str, Any]:
        return {**vars(self), "ratio": self.ratio, "inside": self.inside}


def rows_fit(
    model: str | Path | ModelRef, rows: Sequence[Conversation], device: Device | str | None = None
) -> Fit:
    """Measure how a model of the catalogue, or one made of it, stands to rows."""
    ref = resolve(model)
    language = rows_language(rows)
    entry = ref.origin
    if entry is None or ref.kind not in ("catalogue", "folder"):
        return Fit(ref.name, language, True)
    # The catalogue's lists name what the makers state; "?" is nothing to hold against a model.
    speaks = language == "?" or language in entry.languages
    if entry.source != "bundled" or not speaks or language == "?":
        return Fit(ref.name, language, speaks)
    usual = _sample(read_conversations(data_path("shop", f"train.{language}.jsonl")))
    sample = _sample(rows)
    if not sample:
        return Fit(ref.name, language, speaks)

    from ..models.load import load_model, load_tokenizer, pick_device

    tokenizer, loaded = load_tokenizer(ref), load_model(ref, pick_device(device, ref))
    of_rows, of_usual = (
        summed_loss(tokenizer, loaded, some)[0] / sum(len(row.answer.encode()) for row in some)
        for some in (sample, usual)
    )
    return Fit(ref.name, language, speaks, round(of_rows, 4), round(of_usual, 4))


def _sample(rows: Sequence[Conversation]) -> list[Conversation]:
    """Rows from all over the set, none of them long."""
    short = [row for row in rows if sum(len(m.content) for m in row.messages) <= _LONGEST]
    return list(short[:: max(1, len(short) // _SAMPLE)][:_SAMPLE])


def rows_language(rows: Sequence[Conversation]) -> str:
    """The language that most rows are in."""
    return Counter(detect_language(row.answer) for row in rows).most_common(1)[0][0]


@dataclass(frozen=True)
class Base:
    """A base model for rows on this machine: how it fits them, and its training's `seconds`
    (measured here where the weights are, else worked out from this machine's speed).
    """

    choice: ModelChoice
    language: str
    seconds: float

    @property
    def name(self) -> str:
        """Its name in the catalogue."""
        return self.choice.entry.name

    def sentence(self) -> Wording:
        """Name, size, memory and time; and how to get it, where it is not here."""
        entry = self.choice.entry
        code = "better-here" if self.choice.here else f"better-{entry.source}"
        terms = bool(entry.gated) and not self.choice.here
        return Wording(
            f"fit.{code}-terms" if terms else f"fit.{code}",
            {
                "model": entry.name,
                "language": language_name(self.language),
                "millions": entry.parameters / 1e6,
                "memory": self.choice.needs_gb,
                "time": duration(self.seconds),
                "megabytes": (entry.package.size_bytes if entry.package else 2 * entry.parameters)
                / 1e6,
            },
        )

    def to_dict(self) -> dict[str, Any]:
        entry = self.choice.entry
        about = {"model": entry.name, "here": self.choice.here, "memory_gb": self.choice.needs_gb}
        return {**about, "seconds": round(self.seconds, 1)}


def weigh_base(
    model: str | Path | ModelRef,
    rows: Sequence[Conversation],
    device: Device | str | None = None,
    *,
    measured: bool = False,
) -> tuple[Fit, Base | None, list[Wording]]:
    """How a base fits the rows; where it does not, the better one; and what to say of it, which is
    nothing where it fits. `measured`: the better one's time is, which opens it.
    """
    fit = rows_fit(model, rows, device)
    said = fit.sentence()
    if said is None:
        return fit, None, []
    better = better_base(rows, than=fit, device=device, measured=measured)
    other = Wording("fit.no-better", {"language": language_name(fit.language)})
    return fit, better, [said, better.sentence() if better else other]


def better_base(
    rows: Sequence[Conversation],
    *,
    than: Fit,
    device: Device | str | None = None,
    measured: bool = False,
) -> Base | None:
    """The model of the catalogue to tune on these rows on this machine instead of one that they do
    not fit; None where there is none.
    """
    fitting = [
        choice
        for choice in model_choices().choices
        if choice.fits
        and choice.entry.source != "bundled"
        and choice.entry.name != than.model
        and than.language in choice.entry.languages
    ]
    if not fitting:
        return None

    def order(choice: ModelChoice) -> tuple[bool, float]:
        size = choice.entry.parameters
        if choice.device.name != "cpu":
            size = -size if size <= _LARGEST else size
        # Terms are the reader's to accept.
        return choice.entry.gated and not choice.here, size

    best = min(fitting, key=order)
    recipe = LoraRecipe.for_model(best.entry.name)
    here = measured and best.here
    seconds = training_seconds(best.entry.name, rows, recipe, device, here=here)
    return Base(best, than.language, seconds)


def recorded(model: str, language: str) -> tuple[float, float] | None:
    """The least and the most of the facts (shares) that a model stated on the sets of own rows that
    were measured, from results/own_rows.json; None where none was.
    """
    path = Path(__file__).resolve().parents[2] / "results" / "own_rows.json"
    try:
        found = [
            one["tuned"]["recall"]
            for one in json.loads(path.read_text(encoding="utf-8"))["runs"]
            if (one["model"], one["language"]) == (model, language)
        ]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return (min(found), max(found)) if found else None


def duration(seconds: float) -> Wording:
    """A time as people say it: seconds up to two minutes, then minutes."""
    code, value = ("seconds", seconds) if seconds < 100 else ("minutes", seconds / 60)
    return Wording(f"fit.{code}", {"n": max(1, round(value))})


def language_name(code: str) -> Wording:
    return Wording(f"fit.language-{code if code in ('en', 'ja') else 'other'}")
