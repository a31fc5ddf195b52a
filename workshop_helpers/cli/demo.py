"""`workshop demo`: the main job, from ten rows and a hundred rows to quantized models and a report.

Where an Ollama server answers, the tuned model goes into it and answers there too; where none does,
that step is left out and says so.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.artifacts import data_path
from ..core.errors import WorkshopError
from ..core.ownership import keep_apart
from ..core.wordings import LANGUAGES, say
from .arguments import (
    DEFAULT_TYPES,
    MODEL_HELP,
    add_verb,
    flag,
    option,
    output_path,
    several,
)
from .convert import check_types
from .output import OK, console, show_json
from .walk import Walk, reporting, write_page

if TYPE_CHECKING:
    from rich.console import Console


FEW, MANY = 10, 100
FEW_EPOCHS = 3
# In the batches of the hundred rows, ten rows would make too few steps to teach anything at all.
FEW_BATCH = 2
# The type that most people run, where it is among those made.
SERVED = "Q4_K_M"
# Rows at the end of the training file, never trained on here, on which perplexity is measured.
HELD_OUT = 100
_KIND = "demo report"


def add_demo_verb(verbs: Any) -> None:
    """Add `demo` to the subparsers `verbs`."""
    demo = add_verb(
        verbs, "demo", _demo, "the main job: train, compare, merge, convert, quantize, report",
        "Trains the bundled model on the first 10 and the first 100 rows of the bundled shop, puts "
        "the same held-out questions to every model, and writes OUT/report.html and "
        "OUT/report.json. Needs no network.", device=True, overwrite=True,
    )  # fmt: skip
    demo.add_argument(
        "--language",
        choices=(*LANGUAGES, "both"),
        default="both",
        help="the shop's language (default: %(default)s, one after the other)",
    )
    base = f"the base model: {MODEL_HELP} (default: %(default)s)"
    option(demo, "--model", "MODEL", base, default="mame")
    types = "quantization types (default: Q8_0 Q4_K_M Q2_K)"
    several(demo, "--to", "TYPE", types, default=DEFAULT_TYPES)
    where = "where to write (default: %(default)s)"
    option(demo, "--out", "DIR", where, output_path, default=Path("runs/demo"))
    flag(
        demo,
        "--no-ollama",
        "leave Ollama alone (else a server that answers gets the model workshop-demo-LANGUAGE)",
    )


def _demo(args: argparse.Namespace) -> int:
    # With --json stdout is the report's alone.
    quiet = contextlib.redirect_stdout(sys.stderr) if args.json else contextlib.nullcontext()
    with quiet:
        report = run_demo(
            args.out,
            model=args.model,
            languages=LANGUAGES if args.language == "both" else (args.language,),
            types=args.to,
            device=args.device,
            overwrite=args.overwrite,
            ollama=not args.no_ollama,
            screen=console(),
        )
    if args.json:
        show_json(report)
    return OK


def run_demo(
    out: Path | str = Path("runs/demo"),
    *,
    model: str = "mame",
    languages: Sequence[str] = LANGUAGES,
    types: Sequence[str] = DEFAULT_TYPES,
    device: str | None = None,
    shop: Path | None = None,
    overwrite: bool = False,
    ollama: bool = True,
    screen: Console | None = None,
) -> dict[str, Any]:
    """Run the main job for each of `languages` and write ``report.json`` and ``report.html`` to the
    folder `out`.

    `shop` is a folder as ``data/shop``: facts.yaml, train.LANGUAGE.jsonl, questions.LANGUAGE.jsonl.
    The first language's page is report.html, a further one's report.LANGUAGE.html; models lie in
    `out`/LANGUAGE. Stages whose result exists are skipped. With `ollama`, and
    where a server answers (OLLAMA_HOST, else this machine's), it then has the tuned model as
    "workshop-demo-LANGUAGE". Returns what report.json holds. Raises WorkshopError as the stages do,
    and when another run is at work in `out`.
    """
    from ..core.device import machine, versions
    from ..models.resolve import folders_of, resolve

    out = Path(out).expanduser()
    # What cannot be run is refused before anything is written.
    shop = shop or data_path("shop")
    keep_apart(out, [*folders_of(resolve(model)), shop])
    check_types(types)
    if not languages or not set(languages) <= set(LANGUAGES):
        asked = ", ".join(languages) or "none"
        raise WorkshopError(f"The demo speaks {', '.join(LANGUAGES)}; asked for: {asked}.")
    screen = screen or console()
    about = {"machine": machine(), "versions": versions()}
    pages = [out / f"report.{language}.html" for language in languages]
    pages[0] = out / "report.html"
    head: dict[str, Any] = {"model": model, **about, "languages": {}}
    with reporting(out, pages, _KIND, screen, overwrite=overwrite, **head) as report:
        no_ollama = _no_ollama() if ollama else "It was not asked for."
        for language, path in zip(languages, pages, strict=True):
            walk = Walk(
                language, out / language, model, types, device, overwrite, screen,
                7 if no_ollama else 8, shop / f"train.{language}.jsonl",
            )  # fmt: skip
            _walk(walk, shop)
            served = {"left_out": no_ollama} if no_ollama else _serve(walk)
            walk.show()
            said = "Not put into Ollama. {left_out}"
            if "name" in served:
                said = "In Ollama: {name}. Talk to it: workshop ollama chat {name}"
            screen.print(said.format(**served), markup=False, soft_wrap=True)
            write_page(walk, path, _KIND, **about)
            report["languages"][language] = {**walk.to_dict(), "ollama": served}
    return report


def _walk(walk: Walk, shop: Path) -> None:
    from ..dataset.formats import read_conversations
    from ..dataset.questions import read_questions
    from ..evaluation.candidates import Candidate
    from ..metrics.facts import ShopFacts

    facts, file = ShopFacts.load(shop / "facts.yaml"), shop / f"questions.{walk.language}.jsonl"
    questions, rows = read_questions(file), read_conversations(walk.data)
    if len(rows) < MANY:
        raise WorkshopError(f"{walk.data} has {len(rows)} rows; the demo trains on {MANY}.")
    how = ("--epochs", FEW_EPOCHS, "--batch-size", FEW_BATCH)
    changes = {"epochs": FEW_EPOCHS, "batch_size": FEW_BATCH}
    few, many = (
        walk.train(rows[:n], walk.out / f"tuned-{n}", "--rows", n, *options, **recipe)
        for n, options, recipe in ((FEW, how, changes), (MANY, (), {}))
    )
    system = facts.system_prompt(walk.language)
    candidates = [
        Candidate(say("candidates.base", walk.language), walk.model),
        Candidate(say("candidates.prompt", walk.language), walk.model, system=system),
        Candidate(walk.tuned(FEW), few.adapter),
        Candidate(walk.tuned(MANY), many.adapter),
    ]
    walk.compare(candidates, questions, file, facts)
    walk.make_smaller(many.adapter, rows[MANY:][-HELD_OUT:] or rows[-HELD_OUT:])


def _serve(walk: Walk) -> dict[str, Any]:
    """The tuned model in Ollama, asked, or why not: a server's trouble does not cost what is made
    already.
    """
    from ..runtimes.ollama.client import Ollama
    from ..runtimes.ollama.prompted import prompted
    from ..runtimes.ollama.runtime import OllamaRuntime

    rows = walk.quantization.rows
    made = next((row for row in rows if row.type == SERVED), rows[-1])
    name = f"workshop-demo-{walk.language}"
    try:
        with walk.step("ollama"), Ollama() as server:
            # Without a system text or examples this is the tuned model alone, with its own
            # template and stop text.
            server.create(name, prompted(made.path))
            about = {"name": name, "host": server.host, "version": server.version()}
            with OllamaRuntime(name) as runtime:
                answer = runtime.answer([walk.question.messages()])[0].text
                timings = [asdict(one) for one in runtime.timings[:1]]
    except WorkshopError as error:
        return {"left_out": str(error)}
    walk.answers.append((walk.tuned(MANY, made.type, "Ollama"), answer))
    return {**about, "type": made.type, "answer": answer, "timings": next(iter(timings), None)}


def _no_ollama() -> str:
    """Why no model can be put into Ollama now; nothing where it can."""
    from ..runtimes.ollama.client import Ollama

    try:
        with Ollama(timeout=5) as server:
            server.need()
    except WorkshopError as error:
        return str(error)
    return ""
