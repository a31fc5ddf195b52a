"""A model's own chat template, read and written again as a TEMPLATE for Ollama.

A model carries its chat template as Jinja; Ollama wants a Go template, and where none is given it
guesses one by likeness. Here nothing is guessed: the Jinja template is asked to write a few marked
conversations, the pieces between the marks are the format, and it must then write other
conversations exactly as the Jinja template does.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ...core.errors import WorkshopError
from ...gguf.header import GgufFile, read_gguf
from ...models.chat import Messages, chat_prompt
from ...models.load import load_tokenizer
from ...models.rendering import render
from ...models.resolve import ModelRef, resolve

# (messages, whether they end with the answer already) → the text that the model sees
Render = Callable[[Messages, bool], str]


@dataclass(frozen=True)
class Turn:
    """The text before and after a turn's text; `trimmed`: without spaces at its ends."""

    before: str
    after: str
    trimmed: bool = False

    def write(self, text: str) -> str:
        return f"{self.before}{text.strip() if self.trimmed else text}{self.after}"


@dataclass(frozen=True)
class ChatFormat:
    """How conversations become text, in pieces.

    `opening` comes before everything; `bare` replaces the system turn where there is no system
    text (a default one, perhaps). `inside`: the system text has no separate turn, it begins the
    first user turn, and `system.after` parts it from the question. `prompt` opens the answer;
    `stop` are the texts at which an answer ends.
    """

    opening: str
    bare: str
    system: Turn
    user: Turn
    answer: Turn
    prompt: str
    inside: bool
    stop: tuple[str, ...]

    def write(self, messages: Messages) -> str:
        """The text that `template` makes Ollama write for `messages`, open for the answer."""
        text, told = self.opening, None
        for number, message in enumerate(messages):
            content = message["content"]
            if number == 0 and message["role"] != "system":
                text += self.bare
            if message["role"] == "system":
                told = self.system.write(content)
                text += "" if self.inside else told
            elif message["role"] == "assistant":
                text += self.answer.write(content)
            elif self.inside and told is not None and number == 1:
                text += self.user.before + told + self.user.write(content)[len(self.user.before) :]
            else:
                text += self.user.write(content)
        return text + self.prompt

    @property
    def template(self) -> str:
        """The Go template that makes Ollama (0.7 or newer) write what `write` writes.

        Line breaks are inside the braces, where they are not part of the text.
        """
        told, user, answer = map(_go_turn, (self.system, self.user, self.answer))
        if self.inside:
            first = told.replace(".Content", "(index $.Messages 0).Content")
            condition = 'and (eq $number 1) (eq (index $.Messages 0).Role "system")'
            before = _go(self.user.before)
            user = f"{before}{_if(condition, first)}{user[len(before) :]}"
        turns = {"system": self.system, "user": self.user, "assistant": self.answer}
        alike = {
            (turn.before.replace(role, "\0"), turn.after, turn.trimmed)
            for role, turn in turns.items()
        }
        if len(alike) == 1 and "user" in self.user.before:
            each = user.replace("user", "{{ .Role }}", 1)
            loop = "{{ range .Messages\n}}"
        else:
            each = (
                f'{{{{ if eq .Role "user"\n}}}}{user}'
                f'{{{{ else if eq .Role "assistant"\n}}}}{answer}{{{{ end\n}}}}'
            )
            if not self.inside:
                each = f'{{{{ if eq .Role "system"\n}}}}{told}{{{{ else }}}}{each}{{{{ end\n}}}}'
            loop = "{{ range $number, $message := .Messages\n}}"
        bare = _if('ne (index .Messages 0).Role "system"', _go(self.bare)) if self.bare else ""
        trim = _TRIM if any(turn.trimmed for turn in turns.values()) else ""
        return f"{trim}{_go(self.opening)}{bare}{loop}{each}{{{{ end\n}}}}{_go(self.prompt)}"


# Go templates have no `trim`, so one is written in them: the byte where text begins, and the last
# byte of text. " %*s" is as long as its number and one: the language has no addition either.
_SPACES = " ".join(
    f'"{chr(n)}"' if n == 32 else f'"\\u{n:04x}"' for n in range(0x3001) if chr(n).isspace()
)
_TRIM = """\
{{ define "trim" }}{{ $from := -1 }}{{ $last := 0 }}{{ $rest := "" }}{{ range $i := len .
}}{{ if $rest }}{{ $rest = slice $rest 1
}}{{ else }}{{ $first := printf "%.1s" (slice $ $i)
}}{{ if eq $first SPACES
}}{{ $rest = slice $first 1
}}{{ else }}{{ $last = $i }}{{ if lt $from 0 }}{{ $from = $i }}{{ end
}}{{ end }}{{ end }}{{ end
}}{{ if ge $from 0 }}{{ slice $ $from (len (printf " %*s" $last "")) }}{{ end
}}{{ end }}""".replace("SPACES", _SPACES)


def _go(text: str) -> str:
    """`text` inside a Go template, where it stands for itself."""
    return text.replace("{{", '{{ "{{" }}')


def _go_turn(turn: Turn) -> str:
    content = '{{ template "trim" .Content }}' if turn.trimmed else "{{ .Content }}"
    return f"{_go(turn.before)}{content}{_go(turn.after)}"


def _if(condition: str, then: str) -> str:
    return f"{{{{ if {condition}\n}}}}{then}{{{{ end\n}}}}"


# Marks in place of texts, to find what a template writes around them.
_TOLD, _ASKED, _SAID, _LAST = "qsystemq", "qaskedq", "qsaidq", "qlastq"


def chat_format(model: str | Path | ModelRef) -> ChatFormat:
    """The format of a chat template: of a `.gguf` file, a model folder or a catalogue model.

    BOS is left out where the runtime puts it in front itself. Raises WorkshopError for a model
    without a template, and for a template that does more than a Go template made here can do.
    """
    ref = resolve(model)
    if ref.kind == "gguf":
        assert ref.path is not None
        file = read_gguf(ref.path)
        return read_format(gguf_render(file), bos=_bos_in_front(file), name=ref.name)
    tokenizer = load_tokenizer(ref)
    return read_format(
        lambda messages, answered: chat_prompt(tokenizer, messages, answer=answered),
        bos=tokenizer.bos_token or "",
        name=ref.name,
    )


def gguf_render(file: GgufFile) -> Render:
    """What renders chats by a GGUF's template as transformers does, without thinking."""
    template = file.metadata.get("tokenizer.chat_template")
    if not template:
        raise WorkshopError(
            f"{file.path} carries no chat template, so there is no telling how its chats are "
            "written. Convert the model again from a folder whose tokenizer has one."
        )
    named = {"bos_token": _token(file, "bos"), "eos_token": _token(file, "eos")}

    return lambda messages, answered: render(template, messages, answered=answered, **named)


def _token(file: GgufFile, name: str) -> str:
    number, tokens = file.token_id(name), file.metadata.get("tokenizer.ggml.tokens") or []
    return str(tokens[number]) if number is not None and number < len(tokens) else ""


def _bos_in_front(file: GgufFile) -> str:
    """The BOS that llama.cpp and Ollama put before every prompt of this model, or ""."""
    kind = file.metadata.get("tokenizer.ggml.model")
    # llama.cpp's own default, for files that do not say: SentencePiece and Llama 3 get one
    usual = kind == "llama" or str(file.metadata.get("tokenizer.ggml.pre")).startswith("llama")
    return _token(file, "bos") if file.metadata.get("tokenizer.ggml.add_bos_token", usual) else ""


def read_format(render: Render, *, bos: str = "", name: str = "the model") -> ChatFormat:
    """The format that `render` writes, found with marked conversations and proved on others.

    `bos` is taken off the start, for the runtime adds it. Raises WorkshopError, with the first
    difference, where the format cannot be taken apart like this.
    """

    def write(*turns: str, answered: bool = False, roles: str = "uauauaua") -> str:
        return render(_conversation(roles, *turns), answered).removeprefix(bos)

    try:
        found = _pieces(write)
    except ValueError as error:
        raise WorkshopError(
            f"The chat template of {name} cannot be written as a Modelfile's TEMPLATE: {error}. "
            "Leave TEMPLATE out, and compare what Ollama then writes."
        ) from error
    for messages in _PROBES:
        wanted = render(messages, False).removeprefix(bos)
        got = found.write(messages)
        if wanted != got:
            at = next((i for i, (a, b) in enumerate(zip(wanted, got, strict=False)) if a != b), 0)
            raise WorkshopError(
                f"The chat template of {name} does more than a Modelfile's TEMPLATE made here can "
                f"do: where it writes {wanted[max(0, at - 20) : at + 20]!r}, TEMPLATE would write "
                f"{got[max(0, at - 20) : at + 20]!r}."
            )
    return found


def _pieces(write: Callable[..., str]) -> ChatFormat:
    def cut(text: str, *marks: str) -> list[str]:
        pieces = []
        for mark in marks:
            piece, seen, text = text.partition(mark)
            if not seen:
                raise ValueError(f"it changes or leaves out the text of a turn ({mark})")
            pieces.append(piece)
        return [*pieces, text]

    start, user_after = cut(write(_ASKED, answered=True), _ASKED)
    # the last answer may be written otherwise than earlier ones: a thinking model's has its
    # thoughts in front
    answer_after = cut(write(_ASKED, _SAID, answered=True), _SAID)[-1]
    _, between, again, end = cut(write(_ASKED, _SAID, _LAST), _ASKED, _SAID, _LAST)
    answer_before = _without(between, user_after, at_end=False)
    user_before = _without(again, answer_after, at_end=False)
    told, parted, _ = cut(write(_TOLD, _ASKED, roles="su", answered=True), _TOLD, _ASKED)
    inside = not parted.endswith(user_before)
    bare = _without(start, user_before)
    if inside:
        system, opening = ("", parted), _without(told, user_before)
        bare = _without(bare, opening, at_end=False)
    else:
        system, opening = (told, _without(parted, user_before)), ""
    end_mark = _mark(answer_after)
    if not end_mark:
        raise ValueError("nothing marks the end of an answer")

    def trims(mark: str, *turns: str, roles: str) -> bool:
        return f" {mark}\n" not in write(*turns, roles=roles)

    told_trims = trims(_TOLD, f" {_TOLD}\n", _ASKED, roles="su")
    asked_trims = trims(_ASKED, f" {_ASKED}\n", roles="u")
    said_trims = trims(_SAID, _ASKED, f" {_SAID}\n", _LAST, roles="uau")
    return ChatFormat(
        opening=opening,
        bare=bare,
        system=Turn(*system, told_trims),
        user=Turn(user_before, user_after, asked_trims),
        answer=Turn(answer_before, answer_after, said_trims),
        prompt=_without(end, user_after, at_end=False),
        inside=inside,
        stop=tuple(dict.fromkeys(mark for mark in (end_mark, _mark(user_before)) if mark)),
    )


def _without(text: str, part: str, *, at_end: bool = True) -> str:
    if not (text.endswith(part) if at_end else text.startswith(part)):
        raise ValueError(f"{part!r} does not stand where it stood before")
    return text.removesuffix(part) if at_end else text.removeprefix(part)


def _mark(text: str) -> str:
    """The marker that begins or ends a turn: a token in angle brackets, else the first word."""
    word = next(iter(text.split()), "")
    found = re.match(r"<\|[^|>]*\|>|<[^<>]+>", word)
    return found.group() if found else word


def _conversation(roles: str, *turns: str) -> Messages:
    names = {"s": "system", "u": "user", "a": "assistant"}
    return [{"role": names[r], "content": t} for r, t in zip(roles, turns, strict=False)]


_PROBES: tuple[Messages, ...] = (
    _conversation("u", "Hello"),
    _conversation("su", "Be brief.", "送料は？"),
    _conversation("uau", "  two \n\n", "  spaces\t", "　全角　"),
    _conversation("suauau", "\n a \n", "b", "c", "d", "e", "f"),
    _conversation("suau", "S", "{{ .Prompt }} {% if %} 100%", '<b>x</b> \\n "q"', "`'"),
    _conversation("uau", "a\r\nb", "\n\nc\n\n", "\t"),
)
