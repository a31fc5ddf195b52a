"""Adapter folder → GGUF adapter, for llama.cpp and for Ollama's ADAPTER.

The merged model is the plain way. This is the other one: the base is stored once, and each task
adds a file of a few hundredths of its size. The adapter is added while the model runs, to a base of
any quantization.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.cards import file_hash
from ..core.errors import WorkshopError
from ..core.ownership import keep_apart
from ..models.files import stored_tensors
from ..models.identity import identity
from ..models.load import model_folder
from ..models.lora import WEIGHTS, beside_lora
from ..models.resolve import folders_of, resolve
from .artifact import check_name, find_or_make
from .convert import RUNNER, find_converter, run_script
from .header import read_gguf

_TYPES = ("f32", "f16", "bf16", "q8_0")


@dataclass(frozen=True)
class AdapterReport:
    """A GGUF adapter that was made (or found made, `reused`). `base` names the model that it fits,
    `tensors` counts the pairs of matrices.
    """

    path: Path
    type: str
    base: str
    tensors: int
    size_bytes: int
    seconds: float
    reused: bool = False


def convert_adapter(
    adapter: str | Path,
    out: str | Path,
    *,
    type: str = "f16",
    converter: str | Path | None = None,
    overwrite: bool = False,
) -> AdapterReport:
    """Turn the adapter folder that `train` wrote into the GGUF `out`: f32, f16, bf16 or q8_0.

    Runs llama.cpp's converter in a separate process. llama.cpp knows one strength, alpha / rank;
    where the adapter has others (rsLoRA, alpha_pattern), they are folded into its B. The same
    adapter into the same file again does no work; `out` is written atomically. Raises WorkshopError
    for what is not an adapter, one that does more than add B·A (DoRA, trained embeddings), an
    unknown type, a full disk, and a conversion that fails.
    """
    ref, out = resolve(adapter), Path(out)
    kind = type.lower()
    if ref.path is None or ref.base is None:
        raise WorkshopError(
            f"{ref.name} is no adapter folder. A whole model becomes a GGUF with "
            f"`workshop gguf {adapter} --out {out}`."
        )
    if kind not in _TYPES:
        raise WorkshopError(f"{type} is no type for an adapter. Choose from {', '.join(_TYPES)}.")
    script = find_converter(converter) / "convert_lora_to_gguf.py"
    keep_apart(out, [*folders_of(ref), script.parent])
    check_name(out)
    if not script.is_file():
        raise WorkshopError(f"There is no {script.name} in {script.parent}: name a newer checkout.")
    folder, base = ref.path, ref.base
    # most models have no head of their own, and llama.cpp opens none of them with one changed
    heads = (
        ["lm_head"] if any(".lm_head." in name for name in stored_tensors(folder / WEIGHTS)) else []
    )
    if more := beside_lora(folder) or heads:
        raise WorkshopError(
            f"The adapter {folder} does more than llama.cpp can add to a model: {'; '.join(more)}. "
            f"Merge it (`workshop merge {adapter} --out DIR`), and convert the merged model."
        )

    def write(temporary: Path) -> dict[str, Any]:
        _run(script, folder, model_folder(base), temporary, kind)
        file = read_gguf(temporary)
        if file.metadata.get("general.type") != "adapter" or not file.tensors:
            raise WorkshopError(f"The conversion of {folder} made a file without an adapter in it.")
        pairs = len(file.tensors) // 2
        return {
            "type": kind, "base": base.name, "tensors": pairs, "size_bytes": file.size_bytes,
        }  # fmt: skip

    return find_or_make(
        out,
        "gguf-adapter",
        {
            "adapter": identity(ref),
            "type": kind,
            "converter": file_hash(script),
            "runner": file_hash(RUNNER),
        },
        write,
        AdapterReport,
        source=folder,
        needs_bytes=(folder / WEIGHTS).stat().st_size * 2 + 2**20,
        overwrite=overwrite,
    )


def _run(script: Path, adapter: Path, base: Path, out: Path, kind: str) -> None:
    run_script(
        script,
        adapter.resolve(),
        *("--base", base.resolve(), "--outfile", out.resolve(), "--outtype", kind),
        out=out,
        failed=f"The conversion of the adapter {adapter} failed",
    )
