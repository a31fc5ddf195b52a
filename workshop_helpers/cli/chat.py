"""`workshop chat`: a conversation on the terminal, with whatever the course runs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ..core.errors import WorkshopError
from .arguments import (
    MODEL_HELP,
    add_longest_answer,
    add_system_text,
    add_verb,
    flag,
    option,
    system_text,
)
from .output import OK
from .stopping import settled

if TYPE_CHECKING:
    from ..evaluation.familiar import Familiar
    from ..models.resolve import ModelRef
    from ..runtimes.chat import Chat

CHAT_HELP = (
    "/reset forgets the conversation, /system TEXT sets the system text, /history shows what is "
    "sent along, /bye or Ctrl-D ends; Ctrl-C stops an answer"
)
AS_TYPED_HELP = (
    "ask in the very letters that were typed; otherwise capitals alone, wide letters and doubled "
    "marks are tidied first, and what is asked instead is shown"
)


def add_chat_verb(verbs: Any) -> None:
    """Add `chat` to the subparsers `verbs`."""
    about = "The model is loaded once and remembers what was said. "
    chat = add_verb(verbs, "chat", _chat, "talk with a model", about + CHAT_HELP + ".", json=False,
                    device=True)  # fmt: skip
    option(chat, "model", "MODEL", MODEL_HELP)
    add_system_text(chat)
    add_longest_answer(chat)
    flag(chat, "--as-typed", AS_TYPED_HELP)


def _chat(args: argparse.Namespace) -> int:
    from ..models.resolve import resolve
    from ..runtimes import open_runtime
    from ..runtimes.chat import Chat

    system, ref = system_text(args), resolve(args.model)
    with open_runtime(ref, device=args.device, batch_size=1) as runtime:
        chat = Chat(runtime, system=system, max_new_tokens=args.max_new_tokens)
        who = f"{args.model} by {runtime.name}"
        return talk(chat, who, as_typed=args.as_typed, warn=warning(ref))


def warning(ref: ModelRef) -> Callable[[str], str | None]:
    """What there is to say before the answer to a question: see `Familiar`."""
    from ..evaluation.familiar import Familiar, bundled_origin
    from ..metrics.language import detect_language

    known = bundled_origin(ref)
    if known is None:
        return lambda question: None
    # Torch is imported for it, while the first question is being typed.
    loading: Future[Familiar] = ThreadPoolExecutor(1).submit(Familiar, *known)

    def warn(question: str) -> str | None:
        try:
            said = loading.result().sentences([question])[0]
        except (WorkshopError, ImportError):  # a GGUF is also answered where no torch is installed
            return None
        language = "ja" if detect_language(question) == "ja" else "en"
        return None if said is None else said.said(language)

    return warn


def talk(
    chat: Chat,
    who: str,
    *,
    as_typed: bool = False,
    warn: Callable[[str], str | None] = lambda question: None,
) -> int:
    """Read lines and print the answers until the input ends; `who` answers. Gives the exit code.

    Questions are tidied (see `tidied`) unless `as_typed`. What `warn` says of a question is printed
    before its answer.
    """
    from ..runtimes.tidy import tidied

    at_a_terminal = sys.stdin.isatty()
    if at_a_terminal:
        with suppress(ImportError):  # Windows has none, and needs none
            import readline  # noqa: F401  (arrow keys and history for input())
    _note(f"{who}. {CHAT_HELP}.")
    while True:
        try:
            line = input("> " if at_a_terminal else "").strip()
        except (EOFError, KeyboardInterrupt):
            print()
            return OK
        command, _, rest = line.partition(" ")
        if command in ("/bye", "/exit", "/quit"):
            return OK
        if command == "/reset":
            chat.reset()
            _note("(forgotten)")
        elif command == "/system":
            chat.system = rest.strip() or None
            _note(f"(system text: {chat.system or 'none'})")
        elif command == "/history":
            for message in chat.history:
                _note(f"{message['role']:9}  {message['content']}")
        elif command.startswith("/"):
            _note(f"There is no {command}. {CHAT_HELP}.")
        elif line:
            asked = line if as_typed else tidied(line)
            if asked != line:
                _note(f"(asked as: {asked})")
            if said := warn(asked):
                _note(f"({said})")
            _turn(chat, asked)


def _turn(chat: Chat, line: str) -> None:
    """One answer. Ctrl-C and an error end the answer, not the conversation."""
    pieces = chat.stream(line)
    try:
        for piece in pieces:
            print(piece, end="", flush=True)
        print()
        answer = chat.answer
        if answer is not None:
            cut = "" if answer.stopped else "; cut off, --max-new-tokens allows more"
            _note(f"({answer.prompt_tokens} → {answer.tokens} tokens, {answer.seconds:.1f} s{cut})")
    except KeyboardInterrupt:
        pieces.close()
        settled()
        print()
        _note("(stopped)")
    except WorkshopError as error:
        print()
        _note(f"workshop: {error}")


def _note(text: str) -> None:
    print(text, file=sys.stderr)
