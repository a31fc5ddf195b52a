"""`workshop ollama …`: look after an Ollama server's models, ask them, put them side by side."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import Closing, WorkshopError
from ..core.progress import Bar
from .arguments import (
    Run,
    add_group,
    add_longest_answer,
    add_verb,
    at_least_one,
    flag,
    option,
    several,
)
from .chat import AS_TYPED_HELP, CHAT_HELP, talk
from .output import OK, WRONG, console, megabytes, show, table

if TYPE_CHECKING:
    from ..runtimes.ollama.client import Ollama, Stream
    from ..runtimes.ollama.facts import Layer, OllamaFacts

PLAIN_HELP = (
    "of a .gguf: set no template, stop texts and num_predict, but leave them to Ollama, which "
    "takes the template of its own that is most like the file's"
)


def add_ollama_verbs(verbs: Any) -> None:
    """Add `ollama` and its verbs to the subparsers `verbs`."""
    summary = "make, look at, ask and compare models of an Ollama server"
    inner = add_group(verbs, "ollama", summary, " (OLLAMA_HOST, else this machine's).")
    _verb(
        inner, "doctor", _doctor, "is Ollama there, and new enough", "Exit code 1 when it is not."
    )
    _add_making(inner)
    _verb(inner, "list", _list, "the models that the server has")
    about = _verb(inner, "show", _show, "what a model is made of")
    option(about, "name", "NAME", "its name")
    flag(about, "--modelfile", "print its Modelfile")
    option(about, "--against", "NAME", "show which parts it shares with this model")
    several(_verb(inner, "rm", _remove, "remove models"), "names", "NAME", "their names")
    _add_asking(inner)


def _verb(inner: Any, name: str, run: Run, summary: str, more: str = "") -> argparse.ArgumentParser:
    added = add_verb(inner, name, run, summary, more, json=name != "chat")
    option(added, "--host", "URL", "the server (default: OLLAMA_HOST)")
    if name in ("create", "ask", "chat", "compare"):
        option(added, "--system", "TEXT", "system text: instructions or facts")
    return added


def _add_making(inner: Any) -> None:
    create = _verb(
        inner, "create", _create, "make a model from a GGUF, a Modelfile or a model that is there",
        "Over the HTTP API: files are uploaded only where the server does not have them, and texts "
        "may hold anything. A model made from a .gguf is asked one question, and so is llama.cpp. "
        "Exit code 1: their answers differ, or a Modelfile has a fault.",
    )  # fmt: skip
    option(create, "name", "NAME", "the new model's name, such as shop-bot")
    source = "a .gguf file, a Modelfile, or the name of a model of the server"
    option(create, "source", "SOURCE", source)
    option(create, "--adapter", "FILE.gguf", "a GGUF adapter to put on", Path)
    flag(create, "--plain", PLAIN_HELP)

    pull = _verb(
        inner, "pull", _pull, "fetch a model from Ollama's library",
        "The server fetches it. What it has is not fetched again, and a fetch that broke off goes "
        "on where it can.",
    )  # fmt: skip
    option(pull, "name", "NAME", "such as llama3.2:1b, or HOST/NAMESPACE/NAME for another registry")
    flag(pull, "--insecure", "the registry speaks plain HTTP (a local one)")


def _add_asking(inner: Any) -> None:
    same = "The same question gives the same answer."
    ask = _verb(inner, "ask", _ask, "ask a model one question", same)
    chat = _verb(inner, "chat", _chat, "talk with a model", CHAT_HELP)
    flag(chat, "--as-typed", AS_TYPED_HELP)
    for verb in (ask, chat):
        option(verb, "name", "NAME", "its name")
    option(ask, "question", "QUESTION", "the question, in quotes")

    about = "the same questions to several models, side by side"
    compare = _verb(inner, "compare", _compare, about)
    several(compare, "names", "NAME", "two models or more")
    compare.add_argument(
        "-q", "--question", action="append", default=[], metavar="TEXT", help="may be repeated"
    )
    option(compare, "--questions", "FILE", "questions, one JSON object a line", Path)
    option(compare, "--limit", "N", "only the first N questions", at_least_one)
    for verb in (ask, chat, compare):
        add_longest_answer(verb)


def _server(args: argparse.Namespace) -> Ollama:
    from ..runtimes.ollama.client import Ollama

    return Ollama(args.host)


def _plain_name(name: str) -> str:
    """Both shop-bot and ollama:shop-bot name a model here."""
    from ..models.resolve import OLLAMA, check_ollama_name

    return check_ollama_name(name.removeprefix(OLLAMA))


def _doctor(args: argparse.Namespace) -> int:
    import shutil

    from ..runtimes.ollama.client import OLDEST

    found: dict[str, Any] = {"command": shutil.which("ollama"), "problems": []}
    with _server(args) as server:
        found["host"] = server.host
        try:
            found["version"] = server.version()
            server.need()
            found["models"] = [model.name for model in server.models()]
        except WorkshopError as error:
            found["problems"].append(str(error))
    version = f"{found.get('version')} (needed: {'.'.join(map(str, OLDEST))} or newer)"
    models = ", ".join(found.get("models", ())) or "none yet"
    show(
        args,
        found,
        ("command", found["command"] or "not on the PATH (it is not needed: the HTTP API is)"),
        ("server", found["host"]),
        ("version", version) if "version" in found else None,
        ("models", models) if "models" in found else None,
        *(("problem", problem) for problem in found["problems"]),
    )
    return WRONG if found["problems"] else OK


def _list(args: argparse.Namespace) -> int:
    with _server(args) as server:
        models = server.models()
    columns = {
        "name": [one.name for one in models],
        "family": [one.family for one in models],
        "parameters": [one.parameters for one in models],
        "type": [one.quantization for one in models],
        "size": [megabytes(one.size_bytes) for one in models],
        "digest": [one.digest[:12] for one in models],
        "changed": [one.modified[:16].replace("T", " ") for one in models],
    }
    none = (
        "No models yet. `workshop ollama create NAME FILE.gguf` makes one, "
        "`workshop ollama pull NAME` fetches one."
    )
    show(args, models, _fitting(columns) if models else none)
    return OK


def _fitting(columns: dict[str, list[str]]) -> Any:
    """A table of as many columns as the terminal has room for: fewer ones, not pieces of names."""
    from rich import box
    from rich.measure import Measurement

    screen = console()
    wide = screen.options.update(max_width=10_000)
    for dropped in (None, "digest", "family", "parameters", "changed"):
        columns.pop(dropped or "", None)
        rows = zip(*columns.values(), strict=True)
        made = table(list(columns), rows, right=("parameters", "size"), box=box.SIMPLE_HEAD)
        if Measurement.get(screen, wide, made).maximum <= screen.width:
            break
    return made


def _show(args: argparse.Namespace) -> int:
    name = _plain_name(args.name)
    if args.against:
        from ..runtimes.ollama.layers import proof

        found = proof(_plain_name(args.against), name, host=args.host)
        show(args, found, found)
        return OK
    with _server(args) as server:
        facts, layers = server.show(name), server.layers(name)
    told = [facts.modelfile.removesuffix("\n")] if args.modelfile else _facts_lines(facts, layers)
    show(args, {**vars(facts), "layers": layers}, *told)
    return OK


def _facts_lines(facts: OllamaFacts, layers: Sequence[Layer]) -> list[tuple[str, str] | None]:
    # a text of several lines stands below its first one
    texts = (facts.system, facts.template)
    system, template = (f"\n{'':11}".join(text.splitlines()) for text in texts)
    parameters = (
        ("parameter", f"{key} {one}")
        for key, value in facts.parameters.items()
        for one in ([value] if isinstance(value, str) else value)
    )
    return [
        ("model", f"{facts.name}: {facts.family}, {facts.parameter_size}, {facts.quantization}"),
        ("context", f"{facts.context_length or 'unknown'} tokens"),
        ("can", ", ".join(facts.capabilities) or "unknown"),
        *parameters,
        ("system", system) if system else None,
        ("template", template),
        *_layer_lines(layers, sizes=True),
    ]


def _layer_lines(layers: Sequence[Layer], *, sizes: bool = False) -> list[tuple[str, str]]:
    def line(one: Layer) -> str:
        size = f"  {one.size_bytes:,} bytes" if sizes and one.size_bytes is not None else ""
        return f"{one.kind:<9} {one.digest or 'digest unknown'}{size}"

    return [("layer", line(one)) for one in layers]


def _create(args: argparse.Namespace) -> int:
    from ..runtimes.ollama.modelfile import Modelfile, check_modelfile

    name, told = _plain_name(args.name), None
    problems: list[str] = []
    with _server(args) as server:
        source = _source(args.source, server)
        if isinstance(source, Path) and not args.plain:
            source, told = _with_its_chat(source)
        elif isinstance(source, Modelfile):
            # the server takes what it does not know, and does nothing with it
            faults = check_modelfile(source)
            problems = [one for one in faults if one.startswith(("PARAMETER ", "SYSTEM "))]
        with _Progress(not args.json) as progress:
            server.create(name, source, adapter=args.adapter, system=args.system, progress=progress)
        if told and args.adapter is None and isinstance(source, Modelfile):
            from ..runtimes.ollama.sameness import difference

            try:
                found = difference(name, Path(args.source), system=args.system, host=args.host)
                problems += [found] if found else []
            except WorkshopError as error:  # the model is made all the same
                told += f". It was not compared with llama.cpp: {error}"
        _show_made(args, server, name, set=told, problems=problems)
    return WRONG if problems else OK


def _show_made(args: argparse.Namespace, server: Ollama, name: str, **beside: Any) -> None:
    layers = server.layers(name)
    show(
        args,
        {"model": name, "host": server.host, "layers": layers, **beside},
        ("model", f"{name}, on {server.host}"),
        *_layer_lines(layers),
        ("set", beside["set"]) if beside.get("set") else None,
        *(("problem", one) for one in beside.get("problems", ())),
        ("ask it", f'workshop ask ollama:{name} "…"'),
    )


def _with_its_chat(path: Path) -> tuple[Any, str]:
    """The GGUF with the template, stop texts and num_predict that its own chat template asks for,
    as `workshop modelfile` writes them, else the bare file; and, in a sentence, what was set.

    Raises WorkshopError for a file that is missing or damaged.
    """
    from dataclasses import replace

    from ..gguf.header import read_gguf
    from ..models.resolve import ModelRef
    from ..runtimes.ollama.prompted import prompted

    if path.is_dir() or read_gguf(path).metadata.get("general.type") == "adapter":
        return path, ""  # which `Ollama.create` refuses, and says why
    try:
        made = prompted(ModelRef("gguf", path.name, path))  # with any suffix
    except WorkshopError as error:
        return path, f"nothing; Ollama's own detection of the template is used. {error}"
    stop = made.parameters["stop"]
    assert isinstance(stop, tuple)
    return replace(made, base=str(path)), (
        f"the file's own chat template, stop texts {' '.join(stop)}, and num_predict "
        f"{made.parameters['num_predict']} (--plain leaves all three to Ollama)"
    )


def _pull(args: argparse.Namespace) -> int:
    name = _plain_name(args.name)
    with _server(args) as server:
        with _Progress(not args.json) as progress:
            server.pull(name, progress=progress, insecure=args.insecure)
        _show_made(args, server, name)
    return OK


def _source(given: str, server: Ollama) -> Any:
    """A path (of a GGUF, or of what `Ollama.create` refuses), a Modelfile that was read, or a
    model's name. Raises WorkshopError for anything else.
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
            f"{path} is not a GGUF. Convert the model that it belongs to: "
            f"`workshop gguf {path.parent} --out model-F16.gguf`."
        )
    with path.open("rb") as file:
        if file.read(4) == b"GGUF":
            return path
    return read(path)


class _Progress(Closing):
    """Shows on stderr what `Ollama.create` and `pull` report: a bar for what is measured, a line
    for each other step.
    """

    def __init__(self, wanted: bool) -> None:
        self._wanted = wanted and sys.stderr.isatty()
        self._doing = ""
        self._bar: Bar | None = None

    def __call__(self, doing: str, done: int, total: int) -> None:
        if not self._wanted:
            return
        if doing != self._doing:
            self.close()
            self._doing = doing
            if not total:
                print(doing, file=sys.stderr)
        if total:
            self._bar = self._bar or Bar(doing, total, "bytes")
            # the total grows: more parts of a model come into sight while it is fetched
            self._bar.reach(done, total)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def _remove(args: argparse.Namespace) -> int:
    names = [_plain_name(name) for name in args.names]
    with _server(args) as server:
        for name in names:
            server.show(name)  # a misspelt name is told before anything is removed
        for name in names:
            server.remove(name)
            if not args.json:
                print(f"removed    {name}")
    show(args, {"removed": names})
    return OK


def _told(stream: Stream) -> dict[str, Any]:
    return {"answer": stream.text.strip(), "stopped": stream.stopped, "timings": stream.timings}


def _ask(args: argparse.Namespace) -> int:
    from ..models.chat import conversation
    from ..runtimes.ollama.runtime import OllamaRuntime

    name, asked = _plain_name(args.name), conversation(args.question, args.system)
    with OllamaRuntime(name, host=args.host) as runtime:
        stream = runtime.stream(asked, max_new_tokens=args.max_new_tokens)
        for piece in stream:
            if not args.json:
                print(piece, end="", flush=True)
        runtime.finished(stream, asked)
    told = {"model": name, "question": args.question, "system": args.system, **_told(stream)}
    show(args, told, "")
    if not args.json:
        print(f"({stream.timings}{'' if stream.stopped else '; cut off'})", file=sys.stderr)
    return OK


def _chat(args: argparse.Namespace) -> int:
    from ..runtimes.chat import Chat
    from ..runtimes.ollama.runtime import OllamaRuntime

    name = _plain_name(args.name)
    with OllamaRuntime(name, host=args.host, greedy=False) as runtime:
        chat = Chat(runtime, system=args.system, max_new_tokens=args.max_new_tokens)
        return talk(chat, f"{name} on {runtime.server.host}", as_typed=args.as_typed)


def _compare(args: argparse.Namespace) -> int:
    from ..models.chat import conversation
    from ..runtimes.ollama.runtime import OllamaRuntime

    names = [_plain_name(name) for name in dict.fromkeys(args.names)]
    asked = [conversation(text, args.system) for text in args.question]
    if args.questions is not None:
        from ..dataset.questions import read_questions

        for one in read_questions(args.questions):
            asked.append(conversation(one.question, args.system) if args.system else one.messages())
    if not asked:
        raise WorkshopError("There is nothing to ask: give --question TEXT or --questions FILE.")
    results = []
    with ExitStack() as stack:
        runtimes = {n: stack.enter_context(OllamaRuntime(n, host=args.host)) for n in names}
        for messages in asked[: args.limit]:
            question = messages[-1]["content"]
            streams = {
                name: runtime.stream(messages, max_new_tokens=args.max_new_tokens)
                for name, runtime in runtimes.items()
            }
            (_wait if args.json else _side_by_side)(question, streams)
            for name, runtime in runtimes.items():
                runtime.finished(streams[name], messages)
            told = {name: _told(stream) for name, stream in streams.items()}
            results.append({"question": question, "answers": told})
    show(args, results)
    return OK


# Streams by the names of the models; iterating over one lets its model write.
Streams = dict[str, "Stream"]


def _wait(question: str, streams: Streams) -> None:
    for stream in streams.values():
        for _ in stream:
            pass


def _side_by_side(question: str, streams: Streams) -> None:
    """Write the answers into columns as they come, one model after the other: at the same time
    they would share the processor, and each would look slow.
    """
    from rich.live import Live

    screen = console()
    if not screen.is_terminal:
        _wait(question, streams)
        screen.print(_columns(question, streams))
        return
    with Live(console=screen, refresh_per_second=12, vertical_overflow="visible") as live:
        for stream in streams.values():
            for _ in stream:
                live.update(_columns(question, streams))
        live.update(_columns(question, streams))


def _columns(question: str, streams: Streams) -> Any:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.ROUNDED, title=Text(question), title_justify="left", show_footer=True)
    for name, stream in streams.items():
        speed = ""
        if timings := stream.timings:
            cut = "" if stream.stopped else ", cut off"
            speed = f"{timings.tokens} tokens, {timings.tokens_per_second:,.0f}/s{cut}"
        table.add_column(Text(name), Text(speed), ratio=1, overflow="fold")
    table.add_row(*(Text(stream.text.strip()) for stream in streams.values()))
    return table
