"""What a model on Ollama is made from: a GGUF or a model of the server, perhaps with an adapter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...core.errors import WorkshopError
from ...gguf.header import read_gguf
from .modelfile import Modelfile, is_path


@dataclass(frozen=True)
class Source:
    """`weights`: the GGUF to upload, None where `base` names a model of the server. `adapter`: a
    GGUF put on them. `options`: what the Modelfile says beside, as /api/create takes it.
    """

    base: str
    weights: Path | None
    adapter: Path | None
    options: Mapping[str, Any]


def read_source(source: str | Path | Modelfile, adapter: str | Path | None) -> Source:
    """What `Ollama.create` is given, with its files found and looked at.

    Some releases of Ollama end at a damaged file, so nothing is uploaded that is not whole. Raises
    WorkshopError for a file that is missing, damaged or of the wrong kind, and for a Modelfile that
    says what the HTTP API does not take.
    """
    beside = Path(adapter).expanduser() if adapter is not None else None
    if isinstance(source, Modelfile):
        _check_over_http(source)
        base, weights, options = source.base, _weights(source), source.create_options()
        if beside is None and source.adapter:
            beside = source.path(source.adapter)
    else:
        base, weights, options = str(source), None, {}
        if isinstance(source, Path) or source.lower().endswith(".gguf"):
            weights = Path(source).expanduser()
    if weights is not None:
        _check_weights(weights)
    if beside is not None:
        _check_adapter(beside)
    return Source(base, weights, beside, options)


def _check_over_http(modelfile: Modelfile) -> None:
    if modelfile.projectors:
        raise WorkshopError(
            "A Modelfile with several FROM lines is not made here: use `ollama create`."
        )
    if unknown := [name for name in ("draft", "parser", "renderer") if getattr(modelfile, name)]:
        raise WorkshopError(
            f"{', '.join(unknown).upper()} cannot be given over the HTTP API: use `ollama create`."
        )


def _weights(modelfile: Modelfile) -> Path | None:
    """The file that FROM names, None where it names a model; a file goes before a model, as for
    Ollama. Raises WorkshopError for a path that leads to no file.
    """
    path = modelfile.path(modelfile.base)
    if path.is_file():
        return path
    if not is_path(modelfile.base):
        return None
    if path.is_dir():
        return path  # refused later, like any other folder
    where = "the Modelfile's folder" if modelfile.folder is not None else "the working directory"
    raise WorkshopError(
        f"FROM {modelfile.base}: there is no file {path}. Paths count from {where}; a model's name "
        "has no ./ before it and does not end like a file's."
    )


def _check_weights(path: Path) -> None:
    if path.is_dir():
        is_adapter = (path / "adapter_config.json").is_file()
        raise WorkshopError(
            f"{path} is an adapter folder. Merge it, then convert the model: "
            f"`workshop merge {path} --out model`, `workshop gguf model --out model-F16.gguf`."
            if is_adapter
            else f"{path} is a folder. Convert the model first: "
            f"`workshop gguf {path} --out model-F16.gguf`."
        )
    if read_gguf(path).metadata.get("general.type") == "adapter":
        raise WorkshopError(
            f"{path} is an adapter and runs only on the model it was trained on. Name that model's "
            "GGUF, or its name on the server, as the source, and this file as its adapter "
            "(`--adapter`)."
        )


def _check_adapter(path: Path) -> None:
    makes = "`workshop gguf ADAPTER --as-adapter --out FILE.gguf` makes a GGUF of an adapter folder"
    if not path.exists():
        raise WorkshopError(f"There is no file {path}. {makes}.")
    if path.is_dir():
        raise WorkshopError(f"{path} is a folder. {makes}.")
    kind = read_gguf(path).metadata.get("general.type")
    if kind not in (None, "adapter"):
        raise WorkshopError(
            f"{path} is a {kind}, not an adapter: it is what an adapter would be put on. {makes}."
        )
