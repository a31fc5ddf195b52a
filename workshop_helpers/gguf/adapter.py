"""Adapter folder → GGUF adapter: small enough to keep many beside one base, for llama.cpp and for
Ollama's ADAPTER.

The merged model is the plain way. This is the other one: the base is stored once, and each task
adds a file of a few hundredths of its size. The adapter is added while the model runs, to a base of
any quantization.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from ..core.artifacts import atomic_file, claim
from ..core.cards import card_path, equal_card, file_hash
from ..core.errors import WorkshopError, explain_os_errors
from ..models.identity import identity
from ..models.load import model_folder
from ..models.resolve import resolve
from .artifact import write_report_card
from .convert import find_converter
from .header import read_gguf

TYPES = ("f32", "f16", "bf16", "q8_0")


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
    """Turns the adapter folder that `train` wrote into the GGUF file `out`, of type f32, f16, bf16
    or q8_0.

    Runs llama.cpp's own converter in a process of its own. The same adapter into the same file
    again does no work; `out` appears whole or not at all. Raises WorkshopError for what is no
    adapter, an unknown type, a full disk, and a conversion that fails.
    """
    ref, out = resolve(adapter), Path(out)
    kind = type.lower()
    if ref.kind != "adapter" or ref.path is None or ref.base is None:
        raise WorkshopError(
            f"{ref.name} is no adapter folder. A whole model becomes a GGUF with `workshop gguf {adapter} --out {out}`."
        )
    if kind not in TYPES:
        raise WorkshopError(f"{type} is no type for an adapter. Choose from {', '.join(TYPES)}.")
    if out.suffix != ".gguf" or "{" in out.name:
        raise WorkshopError(
            f"The name of a GGUF ends in .gguf and holds no braces; {out.name} does not do."
        )
    tool = find_converter(converter)
    script = tool / "convert_lora_to_gguf.py"
    if not script.is_file():
        raise WorkshopError(
            f"There is no convert_lora_to_gguf.py in {tool}: name a newer checkout."
        )
    inputs = {"adapter": identity(ref), "type": kind, "converter": file_hash(script)}
    if not overwrite and (found := _found(out, inputs)) is not None:
        return found
    started = time.perf_counter()
    with explain_os_errors(f"write {out.name}", out), claim(out):
        need = (ref.path / "adapter_model.safetensors").stat().st_size * 2 + 2**20
        with atomic_file(out, needs_bytes=need) as temporary:
            _run(script, tool, model_folder(ref.base), ref.path, temporary, kind)
            file = read_gguf(temporary)
            if file.metadata.get("general.type") != "adapter" or not file.tensors:
                raise WorkshopError(
                    f"The conversion of {ref.path} made a file without an adapter in it."
                )
            card_path(out).unlink(missing_ok=True)
        report = AdapterReport(
            path=out,
            type=kind,
            base=ref.base.name,
            tensors=len(file.tensors) // 2,
            size_bytes=file.size_bytes,
            seconds=round(time.perf_counter() - started, 3),
        )
        write_report_card(report, "gguf-adapter", inputs)
    return report


def _run(script: Path, tool: Path, base: Path, adapter: Path, out: Path, kind: str) -> None:
    # the gguf-py beside the converter first: PyPI's lags behind it
    path = os.pathsep.join(p for p in (str(tool / "gguf-py"), os.environ.get("PYTHONPATH")) if p)
    done = subprocess.run(
        [
            sys.executable, "-X", "utf8", str(script), "--base", str(base.resolve()), "--outfile", str(out.resolve()),
            "--outtype", kind, str(adapter.resolve()),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONPATH": path, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"},
    )  # fmt: skip
    if done.returncode:
        lines = [x for x in done.stdout.decode("utf-8", errors="replace").splitlines() if x.strip()]
        raise WorkshopError(
            f"The conversion of the adapter {adapter} failed: {lines[-1] if lines else done.returncode}"
        ) from RuntimeError("\n".join(lines[-30:]))


def _found(out: Path, inputs: dict[str, str]) -> AdapterReport | None:
    card = equal_card(out, inputs)
    if card is None:
        return None
    fields = ("type", "base", "tensors", "size_bytes", "seconds")
    return AdapterReport(path=out, reused=True, **{k: card[k] for k in fields})
