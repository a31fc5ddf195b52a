"""`workshop modelfile`: write the Modelfile of a prompted model."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import WorkshopError
from ..core.ownership import keep_apart
from ..core.wordings import LANGUAGES
from .arguments import (
    add_overwrite,
    add_system_text,
    add_verb,
    option,
    output_path,
    several,
    system_text,
)
from .output import OK, show

if TYPE_CHECKING:
    from ..runtimes.ollama.modelfile import Modelfile

ABOUT = (
    "A prompted model has its base's weights, unchanged, and reads the system text and the "
    "examples before every question: prompt engineering kept in a file, no fine-tuning. With "
    "several --from-data files --out is a folder, and each file gives a variant of its own, such "
    "as Modelfile.support and Modelfile.sales."
)


def add_modelfile_verb(verbs: Any) -> None:
    """Add the verb to the subparsers `verbs`."""
    summary = (
        "write Ollama's recipe for a prompted model: system text, examples, template, stop texts"
    )
    verb = add_verb(verbs, "modelfile", _modelfile, summary, ABOUT)
    option(verb, "model", "MODEL", "a .gguf file, a catalogue name, or ollama:NAME")
    add_system_text(verb).add_argument(
        "--facts", choices=LANGUAGES, help="the bundled shop's facts as the system text"
    )
    rows = "rows (.jsonl) to choose examples from, so that they cover its topics"
    several(verb, "--from-data", "FILE", rows, Path, default=[])
    option(verb, "--shots", "N", "how many (default: %(default)s)", int, default=5)
    option(verb, "--temperature", "X", "0 always takes the likeliest token", float)
    option(verb, "--top-p", "X", "draw among the likeliest tokens up to this share", float)
    option(verb, "--out", "FILE", "write it here (default: print it)", output_path)
    add_overwrite(verb)


def _modelfile(args: argparse.Namespace) -> int:
    from ..metrics.facts import ShopFacts
    from ..models.resolve import folders_of, resolve
    from ..runtimes.ollama.modelfile import build, check_modelfile, write
    from ..runtimes.ollama.prompted import prompted

    if args.shots < 1 and args.from_data:
        raise WorkshopError(f"--shots {args.shots}: choose at least one example from --from-data.")
    system = ShopFacts.load().system_prompt(args.facts) if args.facts else system_text(args)
    made: list[tuple[Path | None, Modelfile]] = []
    places = _places(args)
    read = [*folders_of(resolve(args.model)), args.system_file, *args.from_data]
    for _, out in places:
        if out is not None:
            keep_apart(out, read)
    for data, out in places:
        modelfile = prompted(
            args.model,
            system=system,
            data=data,
            shots=args.shots if data is not None else 0,
            temperature=args.temperature,
            top_p=args.top_p,
            folder=out.parent if out is not None else None,
        )
        if out is not None:
            write(modelfile, out, overwrite=args.overwrite)
        elif problems := check_modelfile(modelfile, Path.cwd()):
            raise WorkshopError("\n".join(problems))
        made.append((out, modelfile))
    show(
        args,
        [{"path": out, "modelfile": build(modelfile)} for out, modelfile in made],
        *(_line(modelfile, out) for out, modelfile in made),
    )
    return OK


def _line(modelfile: Modelfile, out: Path | None) -> str:
    from ..runtimes.ollama.modelfile import build

    if out is None:
        return build(modelfile).removesuffix("\n")
    examples = sum(m.role == "assistant" for m in modelfile.messages)
    return (
        f"{out}: a prompted model, {examples} examples; its weights stay as they are. "
        f"Make it: workshop ollama create {out.suffix.removeprefix('.') or 'my-model'} {out}"
    )


def _places(args: argparse.Namespace) -> list[tuple[Path | None, Path | None]]:
    """(rows to choose examples from, file to write) for each Modelfile."""
    files: list[Path] = args.from_data
    if len(files) < 2:
        if args.out is not None and args.out.is_dir():
            raise WorkshopError(
                f"{args.out} is a folder. Give --out a file name, such as {args.out / 'Modelfile'}."
            )
        return [(files[0] if files else None, args.out)]
    stems = [file.stem for file in files]
    if args.out is None or len(set(stems)) < len(stems):
        raise WorkshopError(
            "Several --from-data files make several Modelfiles: give --out a folder, and the files "
            "different names."
        )
    return [(file, args.out / f"Modelfile.{file.stem}") for file in files]
