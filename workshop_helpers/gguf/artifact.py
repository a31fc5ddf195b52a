"""A GGUF file as an artifact: found by its card, or written, checked, named and given a card."""

from __future__ import annotations

import os
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from ..core.artifacts import atomic_file, claim
from ..core.cards import begin_card, equal_card, made_from, write_card
from ..core.device import machine, versions
from ..core.errors import WorkshopError, explain_os_errors
from ..core.ownership import refuse_other
from ..models.resolve import check_utf8
from .check import Expected, GgufCheck, check_gguf
from .header import GgufFile, read_gguf

_R = TypeVar("_R")
# What a K-quant becomes where rows do not divide by 256 (`tensor_type_fallback` in
# llama-quant.cpp), read backwards.
_FELL_FROM = {"Q4_0": "Q2_K", "Q5_0": "Q4_K", "Q5_1": "Q5_K", "Q8_0": "Q6_K"}

_ABOUT = (
    "made",
    "kind",
    "inputs",
    "machine",
    "versions",
    "from",
)  # what a card holds beside the figures


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
        fallback = [list(names) for names in self.fallback]
        return {**asdict(self), "path": str(self.path), "fallback": fallback}

    @classmethod
    def of_card(
        cls, *, check: dict[str, Any], fallback: list[list[str]], **rest: Any
    ) -> GgufReport:
        found = [(name, wanted, got) for name, wanted, got in fallback]
        return cls(check=GgufCheck(**check), fallback=found, **rest)


def type_named(name: str, among: Iterable[str]) -> str:
    """`name` in capitals, one of `among`; WorkshopError with the nearest types where it is none."""
    wanted = name.upper()
    if wanted in among:
        return wanted
    near = get_close_matches(wanted, among, n=3, cutoff=0.4)
    hint = f"Nearest: {', '.join(near)}. " if near else ""
    raise WorkshopError(f"{name} is not a type this can make. {hint}All: {', '.join(among)}.")


def check_name(out: Path) -> None:
    """Refuse a name that is not a GGUF's; the converter would fill in braces."""
    check_utf8(out)
    if out.suffix != ".gguf" or "{" in out.name:
        raise WorkshopError(
            f"{out.name} is no name for a GGUF: it must end in .gguf and contain no braces."
        )


def raise_if_full(path: Path) -> None:
    """Raise the OSError of a full disk if it ended the writing of `path`: native code is silent."""
    with path.open("ab") as file:
        file.write(b"\0" * 2**20)
        file.flush()
        os.fsync(file.fileno())


def find_or_make(
    out: Path,
    kind: str,
    inputs: dict[str, Any],
    write: Callable[[Path], dict[str, Any]],
    restore: Callable[..., _R],
    *,
    source: Path,
    needs_bytes: int,
    overwrite: bool,
) -> _R:
    """The report of the GGUF `out`: found made of equal `inputs` (unless `overwrite`), else made
    from the model in `source`.

    `write` writes the file that it is given, checks it, and returns the report's figures as a card
    holds them; `restore` makes a report of them, `path` and `reused`. Raises WorkshopError for
    another file in `out` without `overwrite`, a full disk, a second run on the same file, and what
    `write` refuses.
    """
    refuse_other(out, kind, inputs, overwrite=overwrite)
    card = None if overwrite else equal_card(out, inputs)
    if card is not None:
        found = {name: value for name, value in card.items() if name not in _ABOUT}
        return restore(path=out, reused=True, **found)
    started = time.perf_counter()
    with explain_os_errors(f"write {out.name}", out), claim(out):
        with atomic_file(out, needs_bytes=needs_bytes) as temporary:
            figures = write(temporary)
            begin_card(out, kind, inputs)
        figures["seconds"] = round(time.perf_counter() - started, 3)
        about = {"kind": kind, "inputs": inputs, "machine": machine(), "versions": versions()}
        write_card(out, {**about, "from": made_from(source, out), **figures})
    return restore(path=out, **figures)


def make_checked(
    out: Path,
    type: str,
    inputs: dict[str, Any],
    write: Callable[[Path], list[str]],
    tokenizer_source: Path,
    *,
    needs_bytes: int,
    overwrite: bool,
    expected: Callable[[Path], Expected | None] = lambda _: None,
) -> GgufReport:
    """A whole model's GGUF by `find_or_make`, opened in llama.cpp before it gets its name.

    `write` returns llama.cpp's log; `tokenizer_source` and `expected` are those of `check_gguf`.
    """

    def write_and_check(temporary: Path) -> dict[str, Any]:
        log = write(temporary)
        file = read_gguf(temporary)
        checked = check_gguf(temporary, tokenizer_source, expected)
        if not checked.loads:
            reason = checked.problems[-1].replace(str(temporary), out.name)
            raise WorkshopError(
                f"The GGUF that was made does not load, so it was thrown away: {reason}"
            )
        return {
            "type": type,
            "size_bytes": file.size_bytes,
            "bits_per_weight": round(file.bits_per_weight, 3),
            "tensors": dict(Counter(t.type for t in file.tensors)),
            "check": asdict(checked),
            "fallback": _fallbacks(file, log),
        }

    return find_or_make(
        out,
        "gguf",
        inputs,
        write_and_check,
        GgufReport.of_card,
        source=tokenizer_source,
        needs_bytes=needs_bytes,
        overwrite=overwrite,
    )


def _fallbacks(file: GgufFile, log: list[str]) -> list[list[str]]:
    """Tensors that could not take the K-quant meant for them: what llama.cpp said, and what it did
    silently (the embedding of a model that shares it with the output head).
    """
    if "_K" not in file.type:
        return []
    said = re.findall(
        r"warning: (\S+)\s+- ncols\s+\d+ not divisible by \d+ \(required for type\s+(\w+)\)",
        "\n".join(log),
    )
    wanted = {name: kind.upper() for name, kind in said}
    return [
        [t.name, wanted.get(t.name, _FELL_FROM[t.type]), t.type]
        for t in file.tensors
        if len(t.shape) > 1 and t.shape[0] % 256 and t.type in _FELL_FROM
    ]
