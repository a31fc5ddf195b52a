"""`workshop demo`: the main job, from ten rows and a hundred rows to quantized models and a report.

Where an Ollama server answers, the tuned model goes into it and answers there too; where none does,
that step is left out and says so.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
from collections.abc import Iterator, Sequence
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
        help="the shop's language (default: those that the model was made for, of en and ja; two "
        "side by side where the model is small)",
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
            languages=_languages(args.language, args.model),
            types=args.to,
            device=args.device,
            overwrite=args.overwrite,
            ollama=not args.no_ollama,
            screen=console(),
        )
    if args.json:
        show_json(report)
    return OK


def _languages(asked: str | None, model: str) -> Sequence[str]:
    """In which the demo is run; says so where it leaves one out by itself."""
    from ..models.resolve import resolve

    if asked is not None:
        return LANGUAGES if asked == "both" else (asked,)
    origin = resolve(model).origin
    spoken = [one for one in LANGUAGES if origin is None or one in origin.languages]
    if spoken and len(spoken) < len(LANGUAGES):
        print(f"{model} was made for {spoken[0]}: that alone. --language both runs both.")
    return spoken or LANGUAGES


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
    side_by_side: bool | None = None,
    screen: Console | None = None,
) -> dict[str, Any]:
    """Run the main job for each of `languages` and write ``report.json`` and ``report.html`` to the
    folder `out`.

    `shop` is a folder as ``data/shop``: facts.yaml, train.LANGUAGE.jsonl, questions.LANGUAGE.jsonl.
    The first language's page is report.html, a further one's report.LANGUAGE.html; models lie in
    `out`/LANGUAGE. Stages whose result exists are skipped. With `ollama`, and
    where a server answers (OLLAMA_HOST, else this machine's), it then has the tuned model as
    "workshop-demo-LANGUAGE". `side_by_side`: each language in a process of its own, with its share
    of the cores (None: where the model is small and runs on the CPU). Returns what report.json
    holds. Raises WorkshopError as the stages do, and when another run is at work in `out`.
    """
    from ..core.device import cores, machine, versions
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
    if side_by_side is None:
        side_by_side = len(languages) > 1 and _fits_twice(model, device)
    threads = max(1, cores() // len(languages)) if side_by_side else None
    head: dict[str, Any] = {"model": model, **about, "side_by_side": side_by_side, "languages": {}}
    with reporting(out, pages, _KIND, screen, overwrite=overwrite, **head) as report:
        how = {
            **{"model": model, "types": list(types), "device": device, "overwrite": overwrite},
            **{"shop": str(shop), "no_ollama": _no_ollama() if ollama else "It was not asked for."},
            **{"about": about, "threads": threads},
        }
        plans = [
            {"language": language, "out": str(out / language), "page": str(page), **how}
            for language, page in zip(languages, pages, strict=True)
        ]
        walk = _side_by_side if side_by_side else _in_turn
        for language, found in zip(languages, walk(plans, screen), strict=True):
            report["languages"][language] = found
    return report


def _fits_twice(model: str, device: str | None) -> bool:
    """Whether two trainings at a time are quicker than one after the other, and fit into half of
    the memory.
    """
    from ..core.device import cores, memory_bytes
    from ..models.load import pick_device
    from ..models.resolve import resolve

    ref = resolve(model)
    needed = ref.origin.lora_memory_gb if ref.origin else None
    fits = needed is not None and 2 * needed * 1e9 <= memory_bytes() / 2
    return fits and cores() > 1 and pick_device(device, ref).name == "cpu"


def _in_turn(plans: Sequence[dict[str, Any]], screen: Console) -> Iterator[dict[str, Any]]:
    for plan in plans:
        yield in_one_language(screen=screen, **plan)


def _side_by_side(plans: Sequence[dict[str, Any]], screen: Console) -> Iterator[dict[str, Any]]:
    """The first language here, the others in processes of their own. What those say is shown when
    they have ended, as if they had come one after the other.
    """
    from concurrent.futures import ThreadPoolExecutor

    from ..core.child import Child

    first, *others = plans
    look = {"width": screen.width, "colours": screen.is_terminal and not screen.legacy_windows}
    names = ", ".join(plan["language"] for plan in plans)
    screen.print(
        f"[dim]Side by side: {names}, with {first['threads']} of the processor's threads each. "
        "Speeds are those of a busy machine.[/]"
    )
    with contextlib.ExitStack() as stack:
        pool = ThreadPoolExecutor(len(others))
        stack.callback(pool.shutdown, wait=False, cancel_futures=True)
        running = []
        for plan in others:
            who = f"The demo in {plan['language']}"
            child = stack.enter_context(Child("cli.demo:Beside", plan["out"], who=who, **look))
            running.append(pool.submit(child.call, "walk", **plan))
        yield in_one_language(screen=screen, **first)
        for one in running:
            found = one.result()
            screen.file.write(found["said"])
            yield found["report"]


class Beside:
    """The demo in one language, in a child process."""

    def __init__(self, width: int, colours: bool) -> None:
        self.screen = console(width, file=io.StringIO(), force_terminal=colours)

    def walk(self, **plan: Any) -> dict[str, Any]:
        """What report.json holds of it, and what is said on the screen."""
        report = in_one_language(screen=self.screen, **plan)
        return {"report": report, "said": self.screen.file.getvalue()}


def in_one_language(
    *,
    language: str,
    out: str,
    page: str,
    model: str,
    types: Sequence[str],
    device: str | None,
    overwrite: bool,
    shop: str,
    no_ollama: str,
    about: dict[str, Any],
    threads: int | None,
    screen: Console,
) -> dict[str, Any]:
    """The main job in one language: what report.json holds of it. `no_ollama`: why Ollama is left
    out, if it is; `threads`: of torch, where it may not have them all.
    """
    walk = Walk(
        language, Path(out), model, types, device, overwrite, screen,
        7 if no_ollama else 8, Path(shop) / f"train.{language}.jsonl",
    )  # fmt: skip
    with _torch_threads(threads):
        _walk(walk, Path(shop))
    served = {"left_out": no_ollama} if no_ollama else _serve(walk)
    walk.show()
    said = "Not put into Ollama. {left_out}"
    if "name" in served:
        said = "In Ollama: {name}. Talk to it: workshop ollama chat {name}"
    screen.print(said.format(**served), markup=False, soft_wrap=True)
    write_page(walk, Path(page), _KIND, **about)
    return {**walk.to_dict(), "ollama": served}


@contextlib.contextmanager
def _torch_threads(count: int | None) -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


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
