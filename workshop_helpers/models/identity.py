"""A fingerprint of a model, equal for equal content."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ..core.artifacts import CARD, MEBIBYTE
from ..core.cards import file_hash, fingerprint
from ..core.jsonio import read_json
from .load import model_folder
from .packages.get import package_inputs
from .resolve import ModelRef, resolve


def identity(model: ModelRef | str | Path) -> str:
    """A fingerprint of a model's weights, configuration and tokenizer, wherever they lie.

    A hub model is its id and revision, a packaged one the SHA-256 of its file. Of files above
    512 MB only the size and both ends are read.
    """
    ref = resolve(model)
    if ref.kind == "catalogue" and ref.entry is not None and ref.entry.package is not None:
        return fingerprint(package_inputs(ref.entry.package))
    if ref.kind == "catalogue" and ref.entry is not None and ref.entry.hub_id is not None:
        return f"{ref.entry.hub_id}@{ref.entry.revision}"
    path = ref.path or model_folder(ref)  # which says why a model on Ollama has no folder
    if path.is_file():
        return fingerprint({"file": _content_hash(path)})
    parts = {
        file.name: _content_hash(file)
        for file in sorted(path.iterdir())
        if file.suffix in (".safetensors", ".json", ".jinja", ".model")
        and file.name not in (CARD, "adapter_config.json")
    }
    if ref.base is not None:
        config = read_json(path / "adapter_config.json", dict)
        config.pop("base_model_name_or_path", None)
        parts["adapter_config"] = fingerprint(config)
        parts["base"] = identity(ref.base)
    return fingerprint(parts)


def _content_hash(file: Path) -> str:
    size = file.stat().st_size
    if size <= 512 * MEBIBYTE:
        return file_hash(file)
    digest = hashlib.sha256(str(size).encode())
    with file.open("rb") as stream:
        digest.update(stream.read(4 * MEBIBYTE))
        stream.seek(-4 * MEBIBYTE, 2)
        digest.update(stream.read())
    return digest.hexdigest()
