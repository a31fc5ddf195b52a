"""A GGUF file as an artifact: written, checked, named, with a card."""

from __future__ import annotations

import os
import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..core.artifacts import atomic_file, claim
from ..core.cards import card_path, equal_card, write_card
from ..core.errors import WorkshopError, explain_os_errors
from .check import GgufCheck, Reference, check_gguf
from .header import GgufFile, read_gguf

# What a K-quant becomes where rows do not divide by 256 (`tensor_type_fallback` in
# llama-quant.cpp), read backwards.
_FELL_FROM = {"Q4_0": "Q2_K", "Q5_0": "Q4_K", "Q5_1": "Q5_K", "Q8_0": "Q6_K"}


@dataclass(frozen=True)
class GgufReport:
    """A GGUF that was made (or found made, `reused`): `bits_per_weight` as stored, `tensors`
    counted by type, `fallback` lists (tensor, type wanted, type got) where rows did not divide by
    256.
    """

    path: Path
    type: str
    size_bytes: int
    bits_per_weight: float
    tensors: dict[str, int]
    seconds: float
    check: GgufCheck
    fallback: list[tuple[str, str, str]] = field(default_factory=list)
    reused: bool = False

    def to_dict(self) -> dict[str, Any]:
        return {
            **asdict(self),
            "path": str(self.path),
            "fallback": [list(f) for f in self.fallback],
        }


def type_named(name: str, among: Any) -> str:
    wanted = name.upper()
    if wanted in among:
        return wanted
    from difflib import get_close_matches

    near = get_close_matches(wanted, list(among), n=3, cutoff=0.4)
    raise WorkshopError(
        f"{name} is not a type this can make. "
        + (f"Nearest: {', '.join(near)}. " if near else "")
        + f"All: {', '.join(among)}."
    )


def raise_if_full(path: Path) -> None:
    """Raises the OSError of a full disk, if that is what ended the writing of `path`: native
    writers do not say.
    """
    with path.open("ab") as file:
        file.write(b"\0" * 2**20)
        file.flush()
        os.fsync(file.fileno())


def _fallbacks(file: GgufFile, log: list[str]) -> list[tuple[str, str, str]]:
    """Tensors that could not take the K-quant meant for them: what llama.cpp said, and what it did
    without a word (the embedding of a model that shares it with the output head).
    """
    if "_K" not in file.type:
        return []
    said = re.findall(
        r"warning: (\S+)\s+- ncols\s+\d+ not divisible by \d+ \(required for type\s+(\w+)\)",
        "\n".join(log),
    )
    wanted = {name: kind.upper() for name, kind in said}
    return [
        (t.name, wanted.get(t.name, _FELL_FROM[t.type]), t.type)
        for t in file.tensors
        if len(t.shape) > 1 and t.shape[0] % 256 and t.type in _FELL_FROM
    ]


def make_gguf(
    out: Path,
    kind: str,
    inputs: dict[str, Any],
    need: int,
    write: Any,
    tokenizer_source: Path,
    overwrite: bool,
    log: list[str] | None = None,
    reference: Callable[[Path], Reference | None] = lambda _: None,
) -> GgufReport:
    """Writes, checks and names one GGUF, or finds it made."""
    if not overwrite and (found := _found(out, inputs)) is not None:
        return found
    started = time.perf_counter()
    doing = f"write {out.name}"
    with explain_os_errors(doing, out), claim(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(out, needs_bytes=need) as temporary:
            write(temporary)
            file = read_gguf(temporary)
            checked = check_gguf(temporary, tokenizer_source, reference)
            if not checked.loads:
                reason = checked.problems[-1].replace(str(temporary), out.name)
                raise WorkshopError(
                    f"The GGUF that was made does not load, so it was thrown away: {reason}"
                )
            # an old card must not vouch for the new file, should we die between the two
            card_path(out).unlink(missing_ok=True)
        report = GgufReport(
            path=out,
            type=kind,
            size_bytes=file.size_bytes,
            bits_per_weight=round(file.bits_per_weight, 3),
            tensors=dict(Counter(t.type for t in file.tensors)),
            seconds=round(time.perf_counter() - started, 3),
            check=checked,
            fallback=_fallbacks(file, log or []),
        )
        write_report_card(report, "gguf", inputs)
    return report


def write_report_card(report: Any, kind: str, inputs: dict[str, Any]) -> None:
    """Writes the card beside a GGUF: `inputs`, and what its report (a dataclass with `path` and
    `reused`) says.
    """
    from ..core.device import machine, versions

    figures = {k: v for k, v in vars(report).items() if k not in ("path", "reused")}
    about = {"kind": kind, "inputs": inputs, "machine": machine(), "versions": versions()}
    write_card(report.path, {**about, **figures})


def _found(out: Path, inputs: dict[str, Any]) -> GgufReport | None:
    card = equal_card(out, inputs)
    if card is None:
        return None
    return GgufReport(
        path=out,
        check=GgufCheck(**card["check"]),
        fallback=[(f[0], f[1], f[2]) for f in card["fallback"]],
        reused=True,
        **{k: card[k] for k in ("type", "size_bytes", "bits_per_weight", "tensors", "seconds")},
    )
