"""The files of a model folder: whole safetensors, no pickles."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

from ..core.errors import WorkshopError, first_line

PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")


def stored_dtype(folder: Path) -> str:
    """The dtype ("fp32", "bf16", "fp16") of most of the weights in a model folder, read from the
    file headers.
    """
    sizes: dict[str, int] = {}
    for file in _weight_files(folder):
        for tensor, about in check_safetensors(file).items():
            if tensor != "__metadata__":
                start, end = about["data_offsets"]
                sizes[about["dtype"]] = sizes.get(about["dtype"], 0) + end - start
    largest = max(sizes, key=lambda name: sizes[name], default="F32")
    return {"F32": "fp32", "BF16": "bf16", "F16": "fp16"}.get(largest, "fp32")


def check_safetensors(file: Path) -> dict[str, Any]:
    """The header of a safetensors file, tensor by tensor, after checking that the file is as long
    as it says.

    Raises WorkshopError for a file that is cut short, damaged or missing.
    """
    if not file.is_file():
        raise WorkshopError(f"There is no file {file}.")
    size = file.stat().st_size
    again = "The file is cut short or damaged: copy, download or make it again."
    with file.open("rb") as stream:
        start = stream.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else -1
        if not 0 < length <= size - 8:
            raise WorkshopError(f"{file} is no whole safetensors file ({size} bytes). {again}")
        try:
            header = json.loads(stream.read(length))
            ends = [
                about["data_offsets"][1] for name, about in header.items() if name != "__metadata__"
            ]
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            raise WorkshopError(f"{file} has no readable safetensors header. {again}") from error
    expected = 8 + length + max(ends, default=0)
    if size != expected:
        raise WorkshopError(f"{file} has {size} bytes where its header says {expected}. {again}")
    return dict(header)


def check_folder(folder: Path) -> None:
    """Raise WorkshopError unless `folder` is a model folder with whole safetensors files."""
    check_model_folder(folder, missing=f"{folder} is no model folder: it has no config.json.")


def adapter_tensors(folder: Path) -> list[str]:
    return [
        name
        for name in check_safetensors(folder / "adapter_model.safetensors")
        if name != "__metadata__"
    ]


def check_model_folder(folder: Path, *, missing: str) -> None:
    config = folder / "config.json"
    if not config.is_file():
        pickles = pickles_in(folder) if folder.is_dir() else []
        raise WorkshopError(pickle_message(pickles[0]) if pickles else missing)
    read_json_object(config)
    files = _weight_files(folder)
    if not files:
        pickles = pickles_in(folder)
        if pickles:
            raise WorkshopError(pickle_message(pickles[0]))
        raise WorkshopError(f"The model folder {folder} holds no weights (*.safetensors).")
    for file in files:
        check_safetensors(file)


def _weight_files(folder: Path) -> list[Path]:
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        shards = sorted(set(read_json_object(index).get("weight_map", {}).values()))
        for shard in shards:
            if not (folder / shard).is_file():
                raise WorkshopError(
                    f"{index} names {shard}, which is not there. Copy or download the model again."
                )
        return [folder / shard for shard in shards]
    single = folder / "model.safetensors"
    return [single] if single.is_file() else []


def read_json_object(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WorkshopError(f"{path} cannot be read as JSON: {first_line(error)}") from error
    if not isinstance(content, dict):
        raise WorkshopError(f"{path} should hold a JSON object.")
    return content


def pickles_in(folder: Path) -> list[Path]:
    # training_args.bin of a trainer lies in many folders and is no weight file.
    return [
        p
        for p in sorted(folder.iterdir())
        if p.suffix.lower() in PICKLES and p.name != "training_args.bin"
    ]


def pickle_message(path: Path) -> str:
    return (
        f"{path} is a pickle: loading it can run any code, so it is refused. "
        "Use a revision of the model with safetensors files, or convert it on a machine you can throw away."
    )
