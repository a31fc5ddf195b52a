"""A fingerprint of a model, equal for equal content."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ..core.cards import file_hash, fingerprint
from .files import read_json_object
from .load import model_folder
from .resolve import ModelRef, resolve


def identity(model: ModelRef | str | Path) -> str:
    """A fingerprint of a model's weights, configuration and tokenizer: equal for equal content,
    wherever it lies.

    A hub model is its id and revision. Of files above 512 MB only the header and both ends are
    read.
    """
    ref = resolve(model)
    if ref.entry is not None and ref.entry.hub_id is not None and ref.kind == "catalogue":
        return f"{ref.entry.hub_id}@{ref.entry.revision}"
    if ref.path is None:
        model_folder(ref)  # says why there is none
    assert ref.path is not None
    if ref.path.is_file():
        return fingerprint({"file": _content_hash(ref.path)})
    parts = {
        file.name: _content_hash(file)
        for file in sorted(ref.path.iterdir())
        if file.suffix in (".safetensors", ".json", ".jinja", ".model")
        and file.name not in ("card.json", "adapter_config.json")
    }
    if ref.base is not None:
        config = read_json_object(ref.path / "adapter_config.json")
        config.pop("base_model_name_or_path", None)
        parts["adapter_config"] = fingerprint(config)
        parts["base"] = identity(ref.base)
    return fingerprint(parts)


def _content_hash(file: Path) -> str:
    size = file.stat().st_size
    if size <= 512 * 1024**2:
        return file_hash(file)
    digest = hashlib.sha256(str(size).encode())
    with file.open("rb") as stream:
        digest.update(stream.read(4 * 1024**2))
        stream.seek(-4 * 1024**2, 2)
        digest.update(stream.read())
    return digest.hexdigest()
