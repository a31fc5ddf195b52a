"""The models the course knows, and how a MODEL string becomes a tokenizer and weights.

A MODEL string is a catalogue name (`mame`), a model folder, an adapter folder, a `.gguf` file, or
`ollama:NAME` for a model that an Ollama server has. Everything but the bundled model comes from a
folder in the end: a hub model is looked up in the local cache first and fetched, at its pinned
revision, only when it is not there. Weights are safetensors; pickles are refused and no code of a
model runs.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.artifacts import data_path
from ..core.cards import read_card
from ..core.errors import WorkshopError
from .catalogue import CATALOGUE, CatalogueEntry, entry_named
from .files import (
    PICKLES,
    check_folder,
    check_model_folder,
    check_safetensors,
    pickle_message,
    pickles_in,
    read_json_object,
)

if TYPE_CHECKING:
    pass

OLLAMA = "ollama:"
# host/namespace/name:tag, of which only the name must be there.
_OLLAMA_NAME = re.compile(
    r"([a-z0-9_][\w.:-]{0,349}/)?([a-z0-9_][\w-]{0,79}/)?[a-z0-9_][\w.-]{0,79}(:[a-z0-9_][\w.-]{0,79})?",
    re.ASCII | re.IGNORECASE,
)


@dataclass(frozen=True)
class ModelRef:
    """What a MODEL string means. `path` is None for a hub model, which `model_folder` finds or
    fetches, and for a model of kind "ollama", whose `name` an Ollama server knows.
    """

    kind: str  # "catalogue" | "folder" | "adapter" | "gguf" | "ollama"
    name: str
    path: Path | None
    entry: CatalogueEntry | None = None
    base: ModelRef | None = None

    @property
    def origin(self) -> CatalogueEntry | None:
        """The catalogue entry this model or its base comes from, if one is known."""
        return self.entry or (self.base.origin if self.base else None)


def resolve(model: str | Path | ModelRef) -> ModelRef:
    """The model that a catalogue name, hub id of the catalogue, folder, `.gguf` file or
    `ollama:NAME` stands for.

    Raises WorkshopError for an unknown name (with the nearest ones), a folder that is no model,
    pickled weights, and weights that are cut short. Loads nothing, and does not ask Ollama whether
    it has the model.
    """
    if isinstance(model, ModelRef):
        return model
    if isinstance(model, str) and model.startswith(OLLAMA):
        return ModelRef("ollama", check_ollama_name(model[len(OLLAMA) :]), None)
    entry = entry_named(model) if isinstance(model, str) else None
    if entry is not None:
        if entry.hub_id:
            return ModelRef("catalogue", entry.name, None, entry)
        folder = data_path(entry.name)
        check_model_folder(folder, missing=f"The bundled model {entry.name} is not at {folder}.")
        return ModelRef("catalogue", entry.name, folder, entry)
    path = Path(model).expanduser()
    if path.suffix.lower() == ".gguf" and not path.is_dir():
        return _resolve_gguf(path)
    if path.suffix.lower() in PICKLES and path.is_file():
        raise WorkshopError(pickle_message(path))
    if path.is_dir():
        if (path / "adapter_config.json").is_file():
            return _resolve_adapter(path)
        check_folder(path)
        return ModelRef("folder", path.name or str(path), path, _entry_of_card(path))
    if path.is_file():
        raise WorkshopError(
            f"{path} is a file, but no .gguf. Give a model folder, an adapter folder or a .gguf file."
        )
    raise WorkshopError(_unknown_message(str(model)))


def check_ollama_name(name: str) -> str:
    """`name` itself, where Ollama takes it for a model's name. Raises WorkshopError with the rule
    otherwise.
    """
    if _OLLAMA_NAME.fullmatch(name):
        return name
    raise WorkshopError(
        f"{name!r} is no name for a model on Ollama. It takes ASCII letters, digits, _ - and . (the first a letter, "
        "digit or _; 80 at most), and perhaps a tag after a colon, such as shop-bot:q4."
    )


def _entry_of_card(folder: Path) -> CatalogueEntry | None:
    """A merged model's card names the model it comes from, which knows the right recipe and
    licence.
    """
    card = read_card(folder) or {}
    origin = card.get("origin")
    return CATALOGUE.get(origin) if isinstance(origin, str) else None


def _resolve_gguf(path: Path) -> ModelRef:
    if not path.is_file():
        raise WorkshopError(
            f"There is no file {path}. Make one with `workshop gguf MODEL --out {path.name}`."
        )
    with path.open("rb") as stream:
        if stream.read(4) != b"GGUF":
            raise WorkshopError(
                f"{path} is no GGUF file: it does not start with GGUF. Convert the model again."
            )
    return ModelRef("gguf", path.name, path)


def _resolve_adapter(path: Path) -> ModelRef:
    config = read_json_object(path / "adapter_config.json")
    weights = path / "adapter_model.safetensors"
    if not weights.is_file():
        pickles = pickles_in(path)
        if pickles:
            raise WorkshopError(pickle_message(pickles[0]))
        raise WorkshopError(f"The adapter {path} has no adapter_model.safetensors. Train it again.")
    check_safetensors(weights)
    named = config.get("base_model_name_or_path")
    if not isinstance(named, str) or not named:
        raise WorkshopError(
            f"{path / 'adapter_config.json'} does not name its base model (base_model_name_or_path)."
        )
    base: ModelRef | None = None
    if entry_named(named) is None:
        # A base folder moved together with its adapter is still found beside it.
        for candidate in (Path(named), path / named, path.parent / Path(named).name):
            if candidate.is_dir():
                base = resolve(candidate)
                break
        else:
            raise WorkshopError(
                f"The adapter {path} was trained on {named}, which is not on this machine and not in the catalogue. "
                f"Put the model there, or correct base_model_name_or_path in {path / 'adapter_config.json'}."
            )
    base = base or resolve(named)
    if base.kind == "adapter":
        raise WorkshopError(
            f"The adapter {path} names another adapter, {named}, as its base. Merge that one first."
        )
    return ModelRef("adapter", path.name, path, None, base)


def _unknown_message(model: str) -> str:
    wanted = model.strip().lower()
    names = list(CATALOGUE)
    near = difflib.get_close_matches(wanted, names, n=3, cutoff=0.5)
    near += [n for n in names if n not in near and (wanted in n or n.split("-")[0] in wanted)]
    hint = f"Did you mean {' or '.join(near[:3])}? " if near else ""
    looks_like_path = any(mark in model for mark in ("/", "\\")) or model.startswith(".")
    what = (
        "no such folder or file"
        if looks_like_path
        else "neither in the catalogue nor a folder or file"
    )
    return f"Unknown model {model!r}: {what}. {hint}`workshop models` lists the catalogue: {', '.join(names)}."


def with_article(kind: str) -> str:
    return {"adapter": "an adapter", "gguf": "a GGUF file"}.get(kind, f"a {kind}")
