"""From an F16 GGUF to a quantized one."""

from __future__ import annotations

import os
import re
import warnings
from pathlib import Path

from ..core.cards import ancestry, file_hash, warn_outdated
from ..core.child import Child
from ..core.errors import Note, WorkshopError, from_extra
from ..core.ownership import keep_apart
from ..models.catalogue import CATALOGUE
from ..models.resolve import check_utf8
from .artifact import GgufReport, make_checked, raise_if_full, type_named
from .header import FLOAT_TYPES, TYPES, read_gguf


class OldGrid(Note):
    """A tuned model is rounded to the very type that its base was opened up from."""


def quantize(
    source: str | Path, type: str, out: str | Path | None = None, *, overwrite: bool = False
) -> GgufReport:
    """Write `source` (an F32, F16 or BF16 GGUF) as `type` to `out`, else to its `default_name`.

    The report lists every tensor whose rows did not divide by 256 and so fell back to another type.
    Repeating the same call does no work. `out` is written atomically. Warns (`OldGrid`) where the
    type is that which a tuned model's base was opened up from. Raises WorkshopError for an unknown
    type (nearest names given), a source that is damaged or already quantized, a full disk, a second
    run on the same file.
    """
    kind = type_named(type, TYPES)
    file = read_gguf(source)
    warn_outdated(file.path)
    if file.type not in FLOAT_TYPES:
        raise WorkshopError(
            f"{file.path} is {file.type} already, and quantizing twice adds one loss to another. "
            "Start from its F16 file."
        )
    if (base := opened_from(file.path)) and base[1] == kind:
        warnings.warn(
            f"{base[0]}, as it comes in its package, was opened up from {kind}. Its weights still "
            "lie on that grid, and rounding back to it takes much of the tuning away. Q8_0 keeps "
            "what was learned.",
            OldGrid,
            stacklevel=2,
        )
    out = Path(out) if out is not None else default_name(file.path, kind)
    keep_apart(out, [file.path])
    check_utf8(out)
    return make_checked(
        out,
        kind,
        {"source": file_hash(file.path), "type": kind},
        lambda temporary: _run_quantizer(file.path, temporary, kind),
        file.path,
        needs_bytes=file.size_bytes,
        overwrite=overwrite,
    )


def opened_from(model: Path) -> tuple[str, str] | None:
    """The name of the base that a tuned model was made from, and the type which that was opened up
    from, as far as cards tell; None for an untuned one, and for a base of full weights.
    """
    cards = [card for _, card in ancestry(model)]
    inputs = [card.get("inputs") for card in cards]
    if not any(isinstance(one, dict) and one.get("stage") == "train" for one in inputs):
        return None
    origins = [card.get("origin") for card in cards]
    bases = ((name, entry.package) for name, entry in CATALOGUE.items() if name in origins)
    return next(((name, package.type) for name, package in bases if package), None)


def default_name(source: Path, kind: str) -> Path:
    """model-F16.gguf → model-Q4_K_M.gguf; a name without a type gets one."""
    stem = re.sub(rf"[-.]({'|'.join(TYPES)})$", "", source.stem, flags=re.IGNORECASE)
    return source.with_name(f"{stem}-{kind}.gguf")


def _run_quantizer(source: Path, out: Path, kind: str) -> list[str]:
    """Run llama.cpp's quantizer and give back the lines of its log."""
    try:
        with Child("gguf.quantize:Quantizer", source) as child:
            said = child.call("run", source=str(source), out=str(out), type=TYPES[kind])
    except WorkshopError as err:
        raise_if_full(out)
        raise WorkshopError(f"{source} could not be quantized to {kind}: {err}") from err
    return str(said).splitlines()


class Quantizer:
    """llama.cpp's quantizer, in the child process."""

    def run(self, source: str, out: str, type: int) -> str:
        with from_extra("gguf", "The quantizer (cyllama)"):
            from cyllama.llama import llama_cpp
        said: list[str] = []
        llama_cpp.set_log_callback(lambda level, text: said.append(text))
        parameters = llama_cpp.LlamaModelQuantizeParams()
        parameters.ftype = type
        parameters.nthread = os.cpu_count() or 1
        try:
            llama_cpp.model_quantize(source, out, parameters)
        except RuntimeError as err:
            reasons = (t.strip() for t in said if "fail" in t.lower() or "error" in t.lower())
            raise WorkshopError(next(reasons, str(err))) from err
        return "".join(said)
