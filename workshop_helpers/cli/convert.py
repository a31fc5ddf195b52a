"""`workshop gguf` and `workshop quantize`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import WorkshopError
from .arguments import DEFAULT_TYPES, add_verb, flag, given, option, output_path, several
from .output import OK, WRONG, again, megabytes, show, show_json

if TYPE_CHECKING:
    from ..gguf.artifact import GgufReport


def add_convert_verbs(verbs: Any) -> None:
    """Add `gguf` and `quantize` to the subparsers `verbs`."""
    gguf = add_verb(
        verbs, "gguf", _gguf, "convert a model to llama.cpp's file format",
        "Uses llama.cpp's own converter, then opens the file and checks it. Exit code 1: the check "
        "found a problem.",
        overwrite=True,
    )  # fmt: skip
    what = "a catalogue name or a model folder (merge an adapter first, or see --as-adapter)"
    option(gguf, "model", "MODEL", what)
    option(gguf, "--out", "FILE.gguf", "the file to write", output_path, required=True)
    formats = "number format: f16, bf16 or f32; for an adapter also q8_0 (default: %(default)s)"
    gguf.add_argument("--type", default="f16", help=formats)
    alone = "MODEL is an adapter folder; write the adapter alone, to be put on a GGUF of its base"
    flag(gguf, "--as-adapter", alone)
    option(gguf, "--converter", "DIR", "another llama.cpp checkout than the installed one", Path)

    quantize = add_verb(
        verbs, "quantize", _quantize, "make a GGUF file smaller",
        "Writes model-Q8_0.gguf and so on beside model-F16.gguf. Exit code 1: the check of a file "
        "found a problem.",
        overwrite=True,
    )  # fmt: skip
    option(quantize, "file", "FILE.gguf", "an F16, BF16 or F32 file", Path)
    types = "types, such as Q8_0 Q6_K Q5_K_M Q4_K_M Q3_K_M Q2_K (default: Q8_0 Q4_K_M Q2_K)"
    several(quantize, "--to", "TYPE", types, default=DEFAULT_TYPES)
    where = "folder for the files (default: beside FILE.gguf)"
    option(quantize, "--out-dir", "DIR", where, output_path)


def _gguf(args: argparse.Namespace) -> int:
    from ..gguf.adapter import convert_adapter
    from ..gguf.convert import convert

    how = given(args, "type", "converter", "overwrite")
    if not args.as_adapter:
        report = convert(args.model, args.out, **how)
        show(args, report, *_file_lines(report))
        return WRONG if report.check.problems else OK
    made = convert_adapter(args.model, args.out, **how)
    show(
        args,
        made,
        ("file", f"{made.path}{again(made.reused)}"),
        ("size", f"{megabytes(made.size_bytes)}, {made.tensors} adapted matrices ({made.type})"),
        ("base", f"{made.base}: answers only on a GGUF of this model"),
    )
    return OK


def _quantize(args: argparse.Namespace) -> int:
    from ..gguf.quantize import default_name, quantize

    check_types(args.to)
    reports = []
    for kind in args.to:
        name = default_name(args.file, kind.upper())
        out = name if args.out_dir is None else args.out_dir / name.name
        reports.append(quantize(args.file, kind, out, overwrite=args.overwrite))
        if not args.json:  # each as soon as it is made
            show(args, reports[-1], *_file_lines(reports[-1]))
    if args.json:
        show_json([report.to_dict() for report in reports])
    return WRONG if any(report.check.problems for report in reports) else OK


def _file_lines(report: GgufReport) -> list[tuple[str, str]]:
    from ..gguf.check import ASKED

    size = megabytes(report.size_bytes)
    lines = [
        ("file", f"{report.path}{again(report.reused)}"),
        ("size", f"{size}, {report.bits_per_weight:.2f} bits per weight ({report.type})"),
        ("check", f"asked {ASKED!r}, it answers {report.check.answer!r}"),
    ]
    if report.fallback:
        name, wanted, got = report.fallback[0]
        count = len(report.fallback)
        why = "could not take their type: their rows do not divide by 256"
        lines.append(("fell back", f"{count} tensors {why} (for example {name}: {wanted} → {got})"))
    return lines + [("problem", problem) for problem in report.check.problems]


def check_types(types: Sequence[str]) -> None:
    """Refuse unknown quantization types before the first file is made. Raises WorkshopError with
    all there are.
    """
    from ..gguf.header import TYPES

    unknown = [kind for kind in types if kind.upper() not in TYPES]
    if unknown:
        raise WorkshopError(
            f"Unknown quantization type: {', '.join(unknown)}. There are: {', '.join(TYPES)}."
        )
