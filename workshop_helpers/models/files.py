"""The files of a model folder: whole safetensors, no pickles."""

from __future__ import annotations

import math
import shutil
from collections import Counter
from fnmatch import fnmatch
from pathlib import Path, PurePath

from ..core.errors import WorkshopError, first_line, from_extra
from ..core.jsonio import read_json

PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
# What lies beside a model's weights and belongs to every model made of it: llama.cpp's converter
# wants Gemma's tokenizer.model.
_COPIED = (
    "tokenizer*", "special_tokens*", "added_tokens*", "vocab*", "merges*", "chat_template*",
    "generation_config*", "*.model", "*.jinja", "license*", "notice*",
)  # fmt: skip


def copy_beside_weights(folder: Path, out: Path) -> None:
    """Copy tokenizer, template and licence of a model folder to `out`, byte for byte."""
    for file in folder.iterdir():
        if file.is_file() and any(fnmatch(file.name.lower(), pattern) for pattern in _COPIED):
            shutil.copyfile(file, out / file.name)


def check_model_folder(folder: Path, missing: str | None = None) -> None:
    """Raise WorkshopError unless `folder` is a model folder with whole safetensors files.

    `missing`: what to say of a folder without a config.json.
    """
    config = folder / "config.json"
    if not config.is_file():
        missing = missing or f"{folder} is no model folder: it has no config.json."
        raise missing_weights(folder, missing)
    read_json(config, dict)
    files = weight_files(folder)
    if not files:
        raise missing_weights(
            folder, f"The model folder {folder} holds no weights (*.safetensors)."
        )
    for file in files:
        stored_tensors(file)


def stored_tensors(file: Path) -> dict[str, tuple[str, tuple[int, ...]]]:
    """The tensors of a safetensors file: the dtype ("F32", "BF16", …) and the shape of each.

    Raises WorkshopError for a file that is cut short, damaged or missing.
    """
    if not file.is_file():
        raise WorkshopError(f"There is no file {file}.")
    with from_extra("train", "safetensors, which reads weights,"):
        import numpy  # noqa: F401  (safe_open loads it)
        from safetensors import SafetensorError, safe_open
    try:
        with safe_open(file, framework="numpy") as tensors:
            slices = {name: tensors.get_slice(name) for name in tensors.keys()}  # noqa: SIM118
            return {n: (part.get_dtype(), tuple(part.get_shape())) for n, part in slices.items()}
    except (SafetensorError, OSError) as error:
        raise WorkshopError(
            f"{file} ({file.stat().st_size} bytes) is no whole safetensors file: "
            f"{first_line(error)}. The file is cut short or damaged: copy, download or make it "
            "again."
        ) from error


def stored_dtype(folder: Path) -> str:
    """The dtype ("fp32", "bf16", "fp16") of most of the weights in a model folder."""
    weights: Counter[str] = Counter()
    for file in weight_files(folder):
        for dtype, shape in stored_tensors(file).values():
            weights[dtype] += math.prod(shape)
    most = weights.most_common(1)[0][0] if weights else "F32"
    return {"F32": "fp32", "BF16": "bf16", "F16": "fp16"}.get(most, "fp32")


def count_weights(folder: Path) -> int:
    """Number of weights in the safetensors of a model folder; 0 where there are none."""
    files = weight_files(folder)
    return sum(math.prod(shape) for file in files for _, shape in stored_tensors(file).values())


def missing_weights(folder: Path, otherwise: str) -> WorkshopError:
    """The error for a folder without safetensors: its pickles are refused, else `otherwise`."""
    # training_args.bin of a trainer is in many folders and is not a weight file.
    files = sorted(p for p in folder.glob("*") if p.name != "training_args.bin")
    pickles = [p for p in files if p.suffix.lower() in PICKLES]
    return pickle_refused(pickles[0]) if pickles else WorkshopError(otherwise)


def pickle_refused(path: Path) -> WorkshopError:
    """The error for a pickle, which nothing here loads."""
    return WorkshopError(
        f"{path} is a pickle: loading it can run any code, so it is refused. Use a revision of the "
        "model with safetensors files, or convert it on a machine you can throw away."
    )


def weight_files(folder: Path) -> list[Path]:
    """Safetensors of a model folder. WorkshopError where its index names one that is missing."""
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        single = folder / "model.safetensors"
        return [single] if single.is_file() else []
    named = read_json(index, dict).get("weight_map", {})
    files = list(named.values()) if isinstance(named, dict) else [named]
    again = "Copy or download the model again."
    if not all(isinstance(file, str) for file in files):
        raise WorkshopError(f"weight_map in {index} does not give a file for each tensor. {again}")
    shards = sorted(set(files))
    for shard in shards:
        # A shard lies beside its index, so that a folder cannot name the files of another place.
        if shard != PurePath(shard).name or len(shard) > 200 or "\\" in shard:
            raise WorkshopError(
                f"{index} names {shard[:60]!r}, which is no file beside it. {again}"
            )
        if not (folder / shard).is_file():
            raise WorkshopError(f"{index} names {shard}, which is not there. {again}")
    return [folder / shard for shard in shards]
