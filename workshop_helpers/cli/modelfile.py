"""`workshop modelfile`: write the Modelfile of a prompted model."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import WorkshopError
from ..core.jsonio import to_json
from .arguments import add_verb, read_text
from .output import OK

if TYPE_CHECKING:
    from ..runtimes.ollama.modelfile import Modelfile

ABOUT = (
    "A prompted model has its base's weights, unchanged, and reads the system text and the examples before every "
    "question: prompt engineering kept in a file, no fine-tuning. With several --from-data files --out is a folder, "
    "and each file gives a variant of its own, such as Modelfile.support and Modelfile.sales."
)


def add_modelfile_verb(verbs: Any) -> None:
    """Add the verb to the subparsers `verbs`."""
    verb = add_verb(
        verbs,
        "modelfile",
        _modelfile,
        "write Ollama's recipe for a prompted model: system text, examples, template, stop texts",
        ABOUT,
    )
    verb.add_argument(
        "model", metavar="MODEL", help="a .gguf file, a catalogue name, or ollama:NAME"
    )
    told = verb.add_mutually_exclusive_group()
    told.add_argument("--system", metavar="TEXT", help="system text: instructions or facts")
    told.add_argument("--system-file", type=Path, metavar="FILE", help="the same from a text file")
    told.add_argument(
        "--facts", choices=("en", "ja"), help="the bundled shop's facts as the system text"
    )
    verb.add_argument(
        "--from-data",
        type=Path,
        nargs="+",
        metavar="FILE",
        default=[],
        help="rows (.jsonl) to choose examples from, so that they cover its topics",
    )
    verb.add_argument(
        "--shots", type=int, default=5, metavar="N", help="how many (default: %(default)s)"
    )
    verb.add_argument(
        "--temperature", type=float, metavar="X", help="0 always takes the likeliest token"
    )
    verb.add_argument(
        "--top-p", type=float, metavar="X", help="draw among the likeliest tokens up to this share"
    )
    verb.add_argument("--out", type=Path, metavar="FILE", help="write it here (default: print it)")


def _modelfile(args: argparse.Namespace) -> int:
    from ..runtimes.ollama.modelfile import build, check_modelfile, write
    from ..runtimes.ollama.prompted import prompted

    if args.shots < 1 and args.from_data:
        raise WorkshopError(f"--shots {args.shots}: choose at least one example from --from-data.")
    made: list[tuple[Path | None, Modelfile]] = []
    for data, out in _places(args):
        modelfile = prompted(
            args.model,
            system=_system(args),
            data=data,
            shots=args.shots if data is not None else 0,
            temperature=args.temperature,
            top_p=args.top_p,
            folder=out.parent if out is not None else None,
        )
        if out is not None:
            write(modelfile, out)
        elif problems := check_modelfile(modelfile, Path.cwd()):
            raise WorkshopError("\n".join(problems))
        made.append((out, modelfile))
    if args.json:
        print(to_json([{"path": out, "modelfile": build(m)} for out, m in made]))
        return OK
    for out, modelfile in made:
        if out is None:
            print(build(modelfile), end="")
            continue
        examples = sum(m.role == "assistant" for m in modelfile.messages)
        print(
            f"{out}: a prompted model, {examples} examples; its weights stay as they are. "
            f"Make it: workshop ollama create {out.suffix.removeprefix('.') or 'my-model'} {out}"
        )
    return OK


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
            "Several --from-data files make several Modelfiles: give --out a folder, and the files different names."
        )
    return [(file, args.out / f"Modelfile.{file.stem}") for file in files]


def _system(args: argparse.Namespace) -> str | None:
    if args.facts is not None:
        from ..metrics.facts import ShopFacts

        return ShopFacts.load().system_prompt(args.facts)
    if args.system_file is not None:
        return read_text(args.system_file)
    return str(args.system) if args.system is not None else None
