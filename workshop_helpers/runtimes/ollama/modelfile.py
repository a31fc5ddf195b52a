"""The Modelfile, Ollama's recipe for a model: which weights, and what is put around them.

A Modelfile trains nothing. Its grammar has no escapes, so it cannot hold every text; `build`
refuses those that it cannot. The reader follows Ollama's own: what it drops is dropped here too,
and said by `check_modelfile`.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ...core.artifacts import atomic_file
from ...core.errors import WorkshopError
from ...dataset.formats import ROLES, Message

Value = bool | int | float | str | tuple[str, ...]

WAY_OUT = (
    "Ollama's HTTP API (/api/create) takes any text: create the model with "
    "`workshop ollama create`, or change the text."
)


@dataclass(frozen=True)
class Parameter:
    """What a PARAMETER may be: its type, the least and the greatest value that make sense."""

    type: type
    least: float | None = None
    most: float | None = None
    above: bool = False  # the least value itself is not allowed


# The options of Ollama's `api.Options`; the bounds are the ranges in which the samplers do what
# their names say.
PARAMETERS: dict[str, Parameter] = {
    "num_ctx": Parameter(int, 1),
    "num_batch": Parameter(int, 1),
    "num_gpu": Parameter(int, -1),
    "main_gpu": Parameter(int, 0),
    "num_thread": Parameter(int, 0),
    "use_mmap": Parameter(bool),
    "num_keep": Parameter(int, -1),
    "num_predict": Parameter(int, -2),
    "seed": Parameter(int),
    "temperature": Parameter(float, 0),
    "top_k": Parameter(int, 0),
    "top_p": Parameter(float, 0, 1),
    "min_p": Parameter(float, 0, 1),
    "typical_p": Parameter(float, 0, 1),
    "repeat_last_n": Parameter(int, -1),
    "repeat_penalty": Parameter(float, 0, above=True),
    "presence_penalty": Parameter(float, -2, 2),
    "frequency_penalty": Parameter(float, -2, 2),
    "stop": Parameter(tuple),
}
# Still met in older Modelfiles; Ollama warns of them, or refuses them, by its version.
RETIRED: dict[str, Parameter] = {
    name: Parameter(type)
    for type, names in (
        (int, "mirostat num_gqa"),
        (float, "mirostat_eta mirostat_tau tfs_z rope_frequency_base rope_frequency_scale"),
        (bool, "penalize_newline numa low_vram f16_kv logits_all vocab_only use_mlock"),
    )
    for name in names.split()
}

_KINDS = {int: "a whole number", float: "a number", bool: "true or false"}
# Go's strconv.ParseBool
_BOOLEANS = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}
_TEXTS = ("system", "template", "adapter", "requires", "renderer", "parser", "draft")
_INSTRUCTIONS = ("from", "parameter", "message", "license", *_TEXTS)
# Between instructions; a # begins a comment there only.
_SKIPPED = re.compile(r"(?:[ \t\r\n]|#[^\r\n]*)*")
_WORD = re.compile(r"[A-Za-z0-9_]+")
_WORD_END = re.compile(r"[ \t\r\n]|\Z")
_NEW_LINE = re.compile(r"\r\n?|\n")
_LINE_END = re.compile(r"[\r\n]|\Z")


@dataclass(frozen=True)
class Modelfile:
    """What a Modelfile says.

    `base` is FROM: a GGUF's path or the name of a model that Ollama has; `projectors` are further
    FROMs, as vision models have them. `messages` (roles system, user, assistant) are put before
    every conversation. Only newer releases of Ollama know `renderer`, `parser` and `draft`.

    Paths count from `folder`: that of the file that was read, else (None) the working directory.
    Where a Modelfile lies is not part of what it says, nor of its equality.
    """

    base: str
    system: str | None = None
    template: str | None = None
    parameters: Mapping[str, Value] = field(default_factory=dict)
    messages: tuple[Message, ...] = ()
    adapter: str | None = None
    licenses: tuple[str, ...] = ()
    requires: str | None = None
    projectors: tuple[str, ...] = ()
    renderer: str | None = None
    parser: str | None = None
    draft: str | None = None
    folder: Path | None = field(default=None, compare=False)

    def path(self, source: str) -> Path:
        """Where a path that the Modelfile names lies; nothing need be there."""
        return _path(source, self.folder or Path())

    def setting(self, **parameters: Value) -> Modelfile:
        """A copy with these parameters set, such as ``setting(temperature=0)``. Raises
        WorkshopError for a name or a value that Ollama does not know.
        """
        made = replace(self, parameters={**self.parameters, **parameters})
        found = (_parameter_problem(name, value) for name, value in parameters.items())
        if problems := [problem for problem in found if problem]:
            raise WorkshopError("\n".join(problems))
        return made

    def text(self) -> str:
        """What stands in the file. Raises WorkshopError for what a Modelfile cannot hold."""
        return build(self)

    def create_options(self) -> dict[str, Any]:
        """All but the weights (FROM, ADAPTER), as /api/create takes it."""
        options: dict[str, Any] = {
            "system": self.system,
            "template": self.template,
            "parameters": {
                name: list(value) if isinstance(value, tuple) else value
                for name, value in self.parameters.items()
            },
            "messages": [{"role": m.role, "content": m.content} for m in self.messages],
            "license": list(self.licenses),
            "requires": self.requires,
        }
        return {name: value for name, value in options.items() if value or value == ""}


def parse(text: str) -> Modelfile:
    """The Modelfile written in `text`, as Ollama reads it: of SYSTEM, TEMPLATE and so on the last
    one counts.

    Reads what `ollama show --modelfile` prints. Unknown parameters are kept as texts, which
    `check_modelfile` names. Raises WorkshopError, with the line, for an unknown instruction or
    role, a value that is not of its parameter's type, a quotation mark without its partner, and a
    Modelfile without FROM.
    """
    said: dict[str, list[tuple[str, Any]]] = {name: [] for name in _INSTRUCTIONS}
    for line, name, key, value in _instructions(text.removeprefix("\ufeff")):
        said[name].append((key, _typed(key, value, line) if name == "parameter" else value))
    values = {name: [value for _, value in found] for name, found in said.items()}
    if not values["from"]:
        raise WorkshopError(
            "The Modelfile has no FROM line. Add one: FROM ./model.gguf, or FROM and a model's "
            "name."
        )
    parameters = dict(said["parameter"])
    if "stop" in parameters:
        parameters["stop"] = tuple(value for key, value in said["parameter"] if key == "stop")
    base, *projectors = values["from"]
    return Modelfile(
        base=base,
        projectors=tuple(projectors),
        parameters=parameters,
        messages=tuple(Message(role, content) for role, content in said["message"]),
        licenses=tuple(values["license"]),
        **{name: values[name][-1] for name in _TEXTS if values[name]},
    )


def read(path: str | Path) -> Modelfile:
    """The Modelfile at `path`; its paths are relative to its folder.

    Raises WorkshopError where it cannot be read, with the file's name.
    """
    path = Path(path)
    try:
        return replace(parse(path.read_bytes().decode("utf-8-sig")), folder=path.parent)
    except (OSError, UnicodeDecodeError) as error:
        raise WorkshopError(f"Cannot read the Modelfile {path} as UTF-8 text: {error}.") from error
    except WorkshopError as error:
        raise WorkshopError(f"{path}: {error}") from error


def _instructions(text: str) -> Iterator[tuple[int, str, str, str]]:
    """(line, instruction in lower case, parameter's name or message's role, value) of each one."""
    at, line, counted = 0, 1, 0
    while True:
        skipped = _SKIPPED.match(text, at)
        assert skipped is not None
        at = skipped.end()
        if at == len(text):
            return
        line += len(_NEW_LINE.findall(text, counted, at))
        counted = at
        name, at = _word(text, at, line)
        name = name.lower()
        if name not in _INSTRUCTIONS:
            near = difflib.get_close_matches(name, _INSTRUCTIONS, n=1, cutoff=0.6)
            hint = f" Did you mean {near[0].upper()}?" if near else ""
            name = name.upper()
            raise WorkshopError(f"line {line}: {name} is not an instruction of a Modelfile.{hint}")
        key = ""
        if name in ("parameter", "message"):
            key, at = _word(text, at, line)
            if name == "message" and key not in ROLES:
                roles = ", ".join(ROLES)
                raise WorkshopError(
                    f"line {line}: {key!r} is not a role: write {roles}, one space before it."
                )
        value, at = _value(text, at, line)
        yield line, name, key, value


def _word(text: str, at: int, line: int) -> tuple[str, int]:
    found = _WORD_END.search(text, at)
    assert found is not None
    word, space = text[at : found.start()], found[0]
    if space not in (" ", "\t"):
        raise WorkshopError(f"line {line}: nothing stands after {word or 'the instruction'}.")
    if not _WORD.fullmatch(word):
        raise WorkshopError(
            f"line {line}: {word!r} is not a word that a Modelfile knows. An instruction and its "
            'value stand on a line, one space between; a longer text stands between """ and """.'
        )
    return word, at + len(word) + 1


def _value(text: str, at: int, line: int) -> tuple[str, int]:
    """A value ends with the first line on which its quotation marks, if any, are closed."""
    mark, begun = "", at
    lines: list[str] = []
    for found in _LINE_END.finditer(text, at):
        end = found.start()
        shown = "".join(c for c in text[begun:end] if c.isprintable() or c in " \t\r\n")
        begun = end
        lines.append(shown)
        raw = shown.strip()
        if len(lines) == 1:
            mark = next((mark for mark in ('"""', '"') if raw.startswith(mark)), "")
            if not mark:
                return raw, end
            raw = raw[len(mark) :]
        if raw.endswith(mark):
            return "".join(lines).strip()[len(mark) : -len(mark)], end
    raise WorkshopError(f"line {line}: the quotation mark {mark} is never closed.")


def _typed(name: str, value: str, line: int) -> Value:
    known = PARAMETERS.get(name) or RETIRED.get(name)
    if known is None or known.type is tuple:
        return value
    try:
        if known.type is bool:
            return _BOOLEANS[value]
        # Python reads 1_000 and full-width digits as numbers; Go does not
        if not re.fullmatch(r"[-+]?[0-9.]+([eE][-+]?[0-9]+)?", value):
            raise ValueError(value)
        number = int(value) if known.type is int else float(value)
        if not abs(number) < 2**63:  # also what is too large for a number, which JSON cannot hold
            raise ValueError(value)
        return number
    except (KeyError, ValueError) as error:
        kind = _KINDS[known.type]
        raise WorkshopError(
            f"line {line}: PARAMETER {name} takes {kind}, not {value!r}."
        ) from error


def build(modelfile: Modelfile) -> str:
    """The text of a Modelfile that Ollama reads back as `modelfile`.

    Raises WorkshopError for what the grammar cannot hold (\"\"\" in a text, characters that
    Ollama's reader drops without a word), naming the field and the way out.
    """
    parts = [("FROM", source) for source in (modelfile.base, *modelfile.projectors)]
    parts += [(name.upper(), getattr(modelfile, name)) for name in _TEXTS]
    for name, setting in modelfile.parameters.items():
        if not _WORD.fullmatch(name):
            raise WorkshopError(f"{name!r} cannot be the name of a PARAMETER.")
        for one in setting if isinstance(setting, tuple) else (setting,):
            shown = str(one).lower() if isinstance(one, bool) else str(one)
            parts.append((f"PARAMETER {name}", shown))
    for message in modelfile.messages:
        if message.role not in ROLES:
            raise WorkshopError(f"{message.role!r} is not a role: write {', '.join(ROLES)}.")
        parts.append((f"MESSAGE {message.role}", message.content))
    parts += [("LICENSE", text) for text in modelfile.licenses]
    return "".join(
        f"{where} {_written(text, where)}\n" for where, text in parts if text is not None
    )


def write(modelfile: Modelfile, path: str | Path, *, overwrite: bool = True) -> Path:
    """Write the Modelfile to `path` atomically, and return the path.

    Raises WorkshopError for what `build` refuses and `check_modelfile` finds, and for another file
    that is there already, without `overwrite`.
    """
    path = Path(path)
    text = build(modelfile)
    if problems := check_modelfile(modelfile, path.parent):
        raise WorkshopError("\n".join(problems))
    with atomic_file(path, overwrite=overwrite) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")
    return path


def _written(text: str, where: str) -> str:
    """A value as a Modelfile holds it: bare where that is safe, else between three marks."""
    if '"""' in text:
        raise WorkshopError(
            f'The text of {where} holds """, and a Modelfile has no way to write that. {WAY_OUT}'
        )
    lost = sorted({c for c in text if not (c.isprintable() or c in "\t\r\n")})
    if lost:
        named = ", ".join(f"U+{ord(c):04X}" for c in lost[:5])
        raise WorkshopError(
            f"The text of {where} holds {named}: Ollama drops such characters from a Modelfile "
            f"without a word (the full-width space U+3000 is one of them). {WAY_OUT}"
        )
    # the text's quotation marks would be read as the value's
    plain = text == text.strip() and text and text[0] != '"' and not set(text) & set("\r\n")
    return text if plain else f'"""{text}"""'


def check_modelfile(modelfile: Modelfile, folder: str | Path | None = None) -> list[str]:
    """What is wrong with `modelfile` in `folder` (its own by default), a sentence each.

    Looks for paths that are not there (Ollama would take them for a model's name), weights that
    Ollama imports wrongly, parameters that are unknown or out of range, texts that were meant as
    comments, and texts that `build` refuses.
    """
    folder = Path(folder) if folder is not None else modelfile.folder or Path()
    found = [_source_problem(one, folder) for one in (modelfile.base, *modelfile.projectors)]
    if modelfile.adapter is not None and not _path(modelfile.adapter, folder).exists():
        found.append(f"ADAPTER {modelfile.adapter}: there is no such file in {folder}.")
    found += [_parameter_problem(name, value) for name, value in modelfile.parameters.items()]
    if modelfile.system is not None and re.match(r"[ \t]+#", modelfile.system):
        found.append(
            'SYSTEM begins with #: after """ that is not a comment; the model would read it. Put '
            "comments on lines of their own."
        )
    release = r"v?\d+\.\d+\.\d+([-+][0-9A-Za-z.+-]+)?"
    if modelfile.requires is not None and not re.fullmatch(release, modelfile.requires):
        found.append(f"REQUIRES {modelfile.requires}: write a release of Ollama, such as 0.14.0.")
    try:
        build(modelfile)
    except WorkshopError as error:
        found.append(str(error))
    return [problem for problem in found if problem is not None]


def is_path(source: str) -> bool:
    """Whether a FROM is meant as a file or folder, by its looks; a model's name is not."""
    return bool(
        re.match(r"[./~\\]|[A-Za-z]:[\\/]", source)
        or "\\" in source
        or re.search(r"\.(gguf|safetensors|bin)$", source, re.IGNORECASE)
    )


def _path(source: str, folder: Path) -> Path:
    # as Ollama does it: ".." is taken off before anything is looked up, so the folder need not be
    # there yet
    return Path(os.path.normpath(folder / Path(source).expanduser()))


# host/namespace/name:tag, of which only the name must be there (Ollama's `types/model`)
_NAME = re.compile(
    r"([A-Za-z0-9_][\w.:-]{0,349}/)?([A-Za-z0-9_][\w-]{0,79}/)?"
    r"[A-Za-z0-9_][\w.-]{0,79}(:[A-Za-z0-9_][\w.-]{0,79})?",
    re.ASCII,
)


def _source_problem(source: str, folder: Path) -> str | None:
    path = _path(source, folder)
    if not source.strip():
        return "FROM is empty: name a GGUF or a model."
    if path.is_dir():
        return (
            f"FROM {source} is a folder. Ollama reads safetensors of transformers 5 wrongly and "
            f"answers gibberish: convert it first (`workshop gguf {source} --out model.gguf`) and "
            "write FROM ./model.gguf."
        )
    if path.is_file():
        with path.open("rb") as file:
            whole = file.read(4) == b"GGUF"
        return None if whole else f"FROM {source} is not a GGUF file: it does not begin with GGUF."
    if re.search(r"\s#", source):
        return (
            f"FROM {source}: a # after a value does not begin a comment, it is part of the name. "
            "Put the comment on a line of its own."
        )
    if is_path(source):
        return (
            f"FROM {source}: there is no such file in {folder}, and Ollama would take it for a "
            "model's name. Correct the path (it counts from the Modelfile's folder), or send the "
            "file over the HTTP API (`workshop ollama create`)."
        )
    if not _NAME.fullmatch(source):
        return f"FROM {source} is neither a file nor a name that Ollama allows."
    return None


def _parameter_problem(name: str, value: Value) -> str | None:
    problem = _value_problem(name, value)
    shown = ", ".join(map(str, value)) if isinstance(value, tuple) else value
    return problem and f"PARAMETER {name} {shown}: {problem}"


def _value_problem(name: str, value: Value) -> str | None:
    known = PARAMETERS.get(name)
    if known is None:
        if name in RETIRED:
            return "Ollama has given this parameter up. Delete the line."
        near = difflib.get_close_matches(name, PARAMETERS, n=2, cutoff=0.5)
        hint = f" Did you mean {' or '.join(near)}?" if near else ""
        return f"there is no such parameter.{hint}"
    if known.type is tuple:
        if not isinstance(value, tuple) or not all(isinstance(text, str) for text in value):
            return "give stop as a tuple of texts."
        return "an empty text would stop every answer at once." if "" in value else None
    # for Python True is an int, and an int is as good as a float
    kinds = (int, float) if known.type is float else known.type
    if not isinstance(value, kinds) or isinstance(value, bool) is not (known.type is bool):
        return f"it takes {_KINDS[known.type]}."
    assert isinstance(value, int | float)
    least, most = known.least, known.most
    if least is not None and not (value > least if known.above else value >= least):
        return f"it must be {'above' if known.above else 'at least'} {least:g}."
    if most is not None and not value <= most:
        return f"it must be at most {most:g}."
    return None
