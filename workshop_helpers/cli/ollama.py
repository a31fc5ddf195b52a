"""`workshop ollama …`: look after the models of an Ollama server, ask them, and put them side by
side.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import WorkshopError
from ..core.jsonio import to_json
from .arguments import Run, add_group, add_longest_answer, add_verb, at_least_one
from .output import OK, WRONG, console, megabytes

if TYPE_CHECKING:
    from ..runtimes.ollama.client import Layer, Ollama

CHAT_HELP = (
    "/reset forgets the conversation, /system TEXT sets the system text, /bye or Ctrl-D ends; "
    "Ctrl-C stops an answer"
)


def add_ollama_verbs(verbs: Any) -> None:
    """Add `ollama` and its verbs to the subparsers `verbs`."""
    inner = add_group(
        verbs,
        "ollama",
        "make, look at, ask and compare models of an Ollama server",
        " (OLLAMA_HOST, else this machine's).",
    )

    def verb(name: str, run: Run, summary: str, more: str = "") -> argparse.ArgumentParser:
        added = add_verb(inner, name, run, summary, more, json=name != "chat")
        added.add_argument("--host", metavar="URL", help="the server (default: OLLAMA_HOST)")
        return added

    verb("doctor", _doctor, "is Ollama there, and new enough", "Exit code 1 when it is not.")

    add = verb(
        "create", _create, "make a model from a GGUF, a Modelfile or a model that is there",
        "Over the HTTP API: files are uploaded only where the server does not have them, and texts may hold anything.",
    )  # fmt: skip
    add.add_argument("name", metavar="NAME", help="the new model's name, such as shop-bot")
    add.add_argument(
        "source",
        metavar="SOURCE",
        help="a .gguf file, a Modelfile, or the name of a model of the server",
    )
    add.add_argument("--adapter", type=Path, metavar="FILE.gguf", help="a GGUF adapter to put on")
    add.add_argument(
        "--plain",
        action="store_true",
        help="of a .gguf: set no template, stop texts and num_predict, but leave them to Ollama, which takes the "
        "template of its own that is most like the file's",
    )
    _system(add)

    add = verb(
        "pull", _pull, "fetch a model from Ollama's library",
        "The server fetches it. What it has is not fetched again, and a fetch that broke off goes on where it can.",
    )  # fmt: skip
    add.add_argument(
        "name",
        metavar="NAME",
        help="such as llama3.2:1b, or HOST/NAMESPACE/NAME for another registry",
    )
    add.add_argument(
        "--insecure", action="store_true", help="the registry speaks plain HTTP (a local one)"
    )

    verb("list", _list, "the models that the server has")

    add = verb("show", _show, "what a model is made of")
    add.add_argument("name", metavar="NAME")
    add.add_argument("--modelfile", action="store_true", help="print its Modelfile")
    add.add_argument("--against", metavar="NAME", help="show which parts it shares with this model")

    add = verb("rm", _remove, "remove models")
    add.add_argument("names", nargs="+", metavar="NAME")

    add = verb("ask", _ask, "ask a model one question", "The same question gives the same answer.")
    add.add_argument("name", metavar="NAME")
    add.add_argument("question", metavar="QUESTION", help="the question, in quotes")
    _system(add)
    add_longest_answer(add)

    add = verb("chat", _chat, "talk with a model", CHAT_HELP)
    add.add_argument("name", metavar="NAME")
    _system(add)
    add_longest_answer(add)

    add = verb("compare", _compare, "the same questions to several models, side by side")
    add.add_argument("names", nargs="+", metavar="NAME", help="two models or more")
    add.add_argument(
        "-q", "--question", action="append", default=[], metavar="TEXT", help="may be repeated"
    )
    add.add_argument(
        "--questions", type=Path, metavar="FILE", help="questions, one JSON object a line"
    )
    add.add_argument("--limit", type=at_least_one, metavar="N", help="only the first N questions")
    _system(add)
    add_longest_answer(add)


def _system(added: argparse.ArgumentParser) -> None:
    added.add_argument("--system", metavar="TEXT", help="system text: instructions or facts")


def _plain_name(name: str) -> str:
    """Both shop-bot and ollama:shop-bot name a model here."""
    from ..models.resolve import OLLAMA, check_ollama_name

    return check_ollama_name(name.removeprefix(OLLAMA))


# --- looking --------------------------------------------------------------------------------------


def _doctor(args: argparse.Namespace) -> int:
    import shutil

    from ..runtimes.ollama.client import OLDEST, Ollama

    found: dict[str, Any] = {"command": shutil.which("ollama"), "problems": []}
    with Ollama(args.host) as server:
        found["host"] = server.host
        try:
            found["version"] = server.version()
            server.need()
            found["models"] = [model.name for model in server.models()]
        except WorkshopError as error:
            found["problems"].append(str(error))
    if args.json:
        print(to_json(found))
    else:
        oldest = ".".join(map(str, OLDEST))
        print(
            f"command    {found['command'] or 'not on the PATH (it is not needed: the HTTP API is)'}"
        )
        print(f"server     {found['host']}")
        if "version" in found:
            print(f"version    {found['version']} (needed: {oldest} or newer)")
        if "models" in found:
            print(f"models     {', '.join(found['models']) or 'none yet'}")
        for problem in found["problems"]:
            print(f"problem    {problem}")
    return WRONG if found["problems"] else OK


def _list(args: argparse.Namespace) -> int:
    from ..runtimes.ollama.client import Ollama

    with Ollama(args.host) as server:
        models = server.models()
    if args.json:
        print(to_json(models))
        return OK
    if not models:
        print(
            "No models yet. `workshop ollama create NAME FILE.gguf` makes one, `workshop ollama pull NAME` fetches one."
        )
        return OK
    from rich import box
    from rich.measure import Measurement
    from rich.table import Table

    columns = {
        "name": [one.name for one in models],
        "family": [one.family for one in models],
        "parameters": [one.parameters for one in models],
        "type": [one.quantization for one in models],
        "size": [megabytes(one.size_bytes) for one in models],
        "digest": [one.digest[:12] for one in models],
        "changed": [one.modified[:16].replace("T", " ") for one in models],
    }
    screen = console()
    wide = screen.options.update(max_width=10_000)
    # a narrow terminal gets fewer columns, not pieces of names
    for dropped in (None, "digest", "family", "parameters", "changed"):
        columns.pop(dropped or "", None)
        table = Table(box=box.SIMPLE_HEAD)
        for heading in columns:
            right = heading in ("parameters", "size")
            table.add_column(heading, justify="right" if right else "left", overflow="fold")
        for row in zip(*columns.values(), strict=True):
            table.add_row(*row)
        if Measurement.get(screen, wide, table).maximum <= screen.width:
            break
    screen.print(table)
    return OK


def _show(args: argparse.Namespace) -> int:
    from ..runtimes.ollama.client import Ollama
    from ..runtimes.ollama.layers import proof

    name = _plain_name(args.name)
    if args.against:
        found = proof(_plain_name(args.against), name, host=args.host)
        if args.json:
            print(to_json(found.to_dict()))
        else:
            console().print(found)
        return OK
    with Ollama(args.host) as server:
        facts, layers = server.show(name), server.layers(name)
    if args.json:
        print(to_json({**vars(facts), "layers": layers}))
    elif args.modelfile:
        print(facts.modelfile, end="" if facts.modelfile.endswith("\n") else "\n")
    else:
        print(
            f"model      {facts.name}: {facts.family}, {facts.parameter_size}, {facts.quantization}"
        )
        print(f"context    {facts.context_length or 'unknown'} tokens")
        print(f"can        {', '.join(facts.capabilities) or 'unknown'}")
        for key, value in facts.parameters.items():
            for one in [value] if isinstance(value, str) else value:
                print(f"parameter  {key} {one}")
        if facts.system:
            print(f"system     {_below(facts.system)}")
        print(f"template   {_below(facts.template)}")
        for layer in layers:
            size = "" if layer.size_bytes is None else f"  {layer.size_bytes:,} bytes"
            print(f"layer      {layer.kind:<9} {layer.digest or 'digest unknown'}{size}")
    return OK


def _below(text: str) -> str:
    """A text of several lines, all of them below its first one."""
    return "\n".join(text.splitlines()).replace("\n", "\n" + " " * 11)


# --- making and removing --------------------------------------------------------------------------


def _create(args: argparse.Namespace) -> int:
    from ..runtimes.ollama.client import Ollama
    from ..runtimes.ollama.modelfile import Modelfile, check

    name = _plain_name(args.name)
    with Ollama(args.host) as server, _Progress(not args.json) as progress:
        source = _source(args.source, server)
        told: str | None = None
        problems: list[str] = []
        if isinstance(source, Path) and not args.plain:
            source, told = _with_its_chat(source)
        elif isinstance(source, Modelfile):
            # the server takes what it does not know, and does nothing with it
            problems = [one for one in check(source) if one.startswith(("PARAMETER ", "SYSTEM "))]
        server.create(name, source, adapter=args.adapter, system=args.system, progress=progress)
        layers = server.layers(name)
    if args.json:
        made = {"model": name, "host": server.host, "layers": layers}
        print(to_json({**made, "set": told, "problems": problems}))
    else:
        _made(name, server.host, layers, told, problems)
    return WRONG if problems else OK


def _made(
    name: str,
    host: str,
    layers: Sequence[Layer],
    told: str | None = None,
    problems: Sequence[str] = (),
) -> None:
    print(f"model      {name}, on {host}")
    for layer in layers:
        print(f"layer      {layer.kind:<9} {layer.digest or 'digest unknown'}")
    if told:
        print(f"set        {told}")
    for problem in problems:
        print(f"problem    {problem}")
    print(f'ask it     workshop ask ollama:{name} "…"')


def _with_its_chat(path: Path) -> tuple[Any, str]:
    """The GGUF with the template, stop texts and num_predict that its own chat template asks for,
    as `workshop modelfile` writes them; the bare file where none can be read off it. And, in a
    sentence, what was set.

    Raises WorkshopError for a file that is missing or damaged.
    """
    from dataclasses import replace

    from ..gguf.header import read_gguf
    from ..models.resolve import ModelRef
    from ..runtimes.ollama.prompted import prompted

    if path.is_dir() or read_gguf(path).metadata.get("general.type") == "adapter":
        return path, ""  # which `Ollama.create` refuses, and says why
    try:
        made = prompted(ModelRef("gguf", path.name, path))  # whatever its name ends in
    except WorkshopError as error:
        return path, f"nothing; Ollama's own detection of the template is used. {error}"
    stop = made.parameters["stop"]
    assert isinstance(stop, tuple)
    return replace(made, base=str(path)), (
        f"the file's own chat template, stop texts {' '.join(stop)}, and num_predict "
        f"{made.parameters['num_predict']} (--plain leaves all three to Ollama)"
    )


def _pull(args: argparse.Namespace) -> int:
    from ..runtimes.ollama.client import Ollama

    name = _plain_name(args.name)
    with Ollama(args.host) as server, _Progress(not args.json) as progress:
        server.pull(name, progress=progress, insecure=args.insecure)
        layers = server.layers(name)
    if args.json:
        print(to_json({"model": name, "host": server.host, "layers": layers}))
    else:
        _made(name, server.host, layers)
    return OK


def _source(given: str, server: Ollama) -> Any:
    """A path (of a GGUF, or of what `Ollama.create` refuses in words), a Modelfile that was read,
    or a model's name.

    Raises WorkshopError for what is none of them.
    """
    from ..models.files import PICKLES
    from ..models.resolve import OLLAMA
    from ..runtimes.ollama.modelfile import is_path, read

    if given.startswith(OLLAMA):
        return _plain_name(given)
    path = Path(given).expanduser()
    if path.suffix.lower() == ".gguf" or path.is_dir():
        return path
    if not path.is_file():
        if is_path(given):
            raise WorkshopError(f"There is no file {path}.")
        server.need()
        try:
            server.show(name := _plain_name(given))
        except WorkshopError as error:
            raise WorkshopError(f"There is no file {path}, and no such model: {error}") from error
        return name
    if path.suffix.lower() in (*PICKLES, ".safetensors"):
        raise WorkshopError(
            f"{path} is no GGUF. Convert the model that it belongs to: `workshop gguf {path.parent} --out "
            "model-F16.gguf`."
        )
    with path.open("rb") as file:
        if file.read(4) == b"GGUF":
            return path
    return read(path)


class _Progress:
    """What `Ollama.create` and `pull` report, on stderr: a bar for what is measured, a line for
    each other step.
    """

    def __init__(self, wanted: bool) -> None:
        self._wanted = wanted and sys.stderr.isatty()
        self._doing = ""
        self._bar: Any = None

    def __call__(self, doing: str, done: int, total: int) -> None:
        if not self._wanted:
            return
        if total:
            if doing != self._doing:
                self._end()
            if self._bar is None:
                from tqdm import tqdm

                self._bar = tqdm(
                    total=total, unit="B", unit_scale=True, desc=doing, leave=False, file=sys.stderr
                )
            self._bar.total = total  # further parts of a model come into sight while it is fetched
            self._bar.update(done - self._bar.n)
        elif doing != self._doing:
            self._end()
            print(doing, file=sys.stderr)
        self._doing = doing

    def _end(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *exception: object) -> None:
        self._end()


def _remove(args: argparse.Namespace) -> int:
    from ..runtimes.ollama.client import Ollama

    names = [_plain_name(name) for name in args.names]
    with Ollama(args.host) as server:
        for name in names:
            server.show(name)  # a misspelt name is told before anything is removed
        for name in names:
            server.remove(name)
            if not args.json:
                print(f"removed    {name}")
    if args.json:
        print(to_json({"removed": names}))
    return OK


# --- asking ---------------------------------------------------------------------------------------


def _messages(question: str, system: str | None) -> list[dict[str, str]]:
    if not question.strip():
        raise WorkshopError("The question is empty.")
    first = [{"role": "system", "content": system}] if system else []
    return [*first, {"role": "user", "content": question}]


def _ask(args: argparse.Namespace) -> int:
    from ..runtimes.ollama.runtime import OllamaRuntime

    name, messages = _plain_name(args.name), _messages(args.question, args.system)
    with OllamaRuntime(name, host=args.host) as runtime:
        stream = runtime.stream(messages, max_new_tokens=args.max_new_tokens)
        for piece in stream:
            if not args.json:
                print(piece, end="", flush=True)
        runtime.finished(stream, messages)
    if args.json:
        print(to_json({
            "model": name, "question": args.question, "system": args.system, "answer": stream.text.strip(),
            "stopped": stream.stopped, "timings": stream.timings,
        }))  # fmt: skip
        return OK
    print()
    print(f"({stream.timings}{'' if stream.stopped else '; cut off'})", file=sys.stderr)
    return OK


def _chat(args: argparse.Namespace) -> int:
    from ..runtimes.ollama.client import Ollama
    from ..runtimes.ollama.runtime import Chat

    name = _plain_name(args.name)
    with Ollama(args.host) as server:
        chat = Chat(server, name, system=args.system, options={"num_predict": args.max_new_tokens})
        print(f"{name} on {server.host}. {CHAT_HELP}.", file=sys.stderr)
        while True:
            try:
                line = input("> " if sys.stdin.isatty() else "").strip()
            except (EOFError, KeyboardInterrupt):
                print()
                return OK
            if line in ("/bye", "/exit", "/quit"):
                return OK
            if line == "/reset":
                chat.reset()
                print("(forgotten)", file=sys.stderr)
            elif line == "/system" or line.startswith("/system "):
                chat.system = line.removeprefix("/system").strip() or None
                print(f"(system text: {chat.system or 'none'})", file=sys.stderr)
            elif line:
                _turn(chat, line)


def _turn(chat: Any, line: str) -> None:
    """One answer on the terminal. Ctrl-C ends the answer, not the conversation; nor does an error
    of the server.
    """
    pieces = chat.say(line)
    try:
        for piece in pieces:
            print(piece, end="", flush=True)
        print()
        print(f"({chat.timings})", file=sys.stderr)
    except KeyboardInterrupt:
        pieces.close()
        print("\n(stopped)", file=sys.stderr)
    except WorkshopError as error:
        print(f"\nworkshop: {error}", file=sys.stderr)


def _compare(args: argparse.Namespace) -> int:
    from contextlib import ExitStack

    from ..runtimes.ollama.runtime import OllamaRuntime

    names = [_plain_name(name) for name in dict.fromkeys(args.names)]
    asked = [_messages(text, args.system) for text in args.question]
    if args.questions is not None:
        from ..dataset.questions import read_questions

        for question in read_questions(args.questions):
            asked.append(
                _messages(question.question, args.system) if args.system else question.messages()
            )
    if not asked:
        raise WorkshopError("There is nothing to ask: give --question TEXT or --questions FILE.")
    results = []
    with ExitStack() as stack:
        runtimes = {
            name: stack.enter_context(OllamaRuntime(name, host=args.host)) for name in names
        }
        for messages in asked[: args.limit]:
            streams = {
                name: runtime.stream(messages, max_new_tokens=args.max_new_tokens)
                for name, runtime in runtimes.items()
            }
            _side_by_side(messages[-1]["content"], streams, show=not args.json)
            for name, runtime in runtimes.items():
                runtime.finished(streams[name], messages)
            results.append(
                {
                    "question": messages[-1]["content"],
                    "answers": {
                        name: {
                            "answer": stream.text.strip(),
                            "stopped": stream.stopped,
                            "timings": stream.timings,
                        }
                        for name, stream in streams.items()
                    },
                }
            )
    if args.json:
        print(to_json(results))
    return OK


def _side_by_side(question: str, streams: dict[str, Any], *, show: bool) -> None:
    """Writes the answers into columns as they come, one model after the other: at the same time
    they would share the processor, and each would look slow.
    """
    if not show:
        for stream in streams.values():
            for _ in stream:
                pass
        return
    from rich.live import Live

    screen = console()
    if not screen.is_terminal:
        for stream in streams.values():
            for _ in stream:
                pass
        screen.print(_columns(question, streams))
        return
    with Live(console=screen, refresh_per_second=12, vertical_overflow="visible") as live:
        for stream in streams.values():
            for _ in stream:
                live.update(_columns(question, streams))
        live.update(_columns(question, streams))


def _columns(question: str, streams: dict[str, Any]) -> Any:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.ROUNDED, title=Text(question), title_justify="left", show_footer=True)
    for name, stream in streams.items():
        timings = stream.timings
        speed = (
            f"{timings.tokens} tokens, {timings.tokens_per_second:,.0f}/s"
            + ("" if stream.stopped else ", cut off")
            if timings
            else ""
        )
        table.add_column(Text(name), Text(speed), ratio=1, overflow="fold")
    table.add_row(*(Text(stream.text.strip()) for stream in streams.values()))
    return table
