"""A training row as the model sees it: token by token, with the mark of which ones it is taught."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from ..core.outside import shown
from ..dataset.formats import Conversation
from ..models.chat import chat_prompt
from ..models.rendering import Refused
from .colours import BLUE, VERMILLION
from .html import Html

# What training does with a token, and how it looks on a page: told apart by the line below it, too.
KINDS = ("read", "learned", "cut")
STYLES = {
    "read": "background:#8882;border-bottom:3px solid transparent",
    "learned": f"background:{BLUE}33;border-bottom:3px solid {BLUE}",
    "cut": f"background:{VERMILLION}26;border-bottom:3px dashed {VERMILLION};"
    "text-decoration:line-through",
}


@dataclass(frozen=True)
class Token:
    """One token: its `id`, its `text` (hex bytes where it is a part of a character), whether it
    carries `loss`.

    `cut`: it is beyond `max_length`, so the model never sees it.
    """

    id: int
    text: str
    loss: bool
    cut: bool = False

    @property
    def kind(self) -> str:
        """One of `KINDS`."""
        return "cut" if self.cut else "learned" if self.loss else "read"

    @property
    def shown(self) -> str:
        """The text with spaces, line ends, control and direction characters made visible."""
        return "".join(_VISIBLE.get(character) or visible(character) for character in self.text)


def row_tokens(tokenizer: Any, conversation: Conversation) -> list[Token]:
    """The tokens of a training row in the model's own template.

    Loss is counted on what comes after the prompt (completion-only loss): the answer and the token
    that ends it.
    """
    prompt = chat_prompt(tokenizer, conversation.prompt_messages())
    whole = chat_prompt(tokenizer, conversation.to_messages(), answer=True)
    start = len(_ids(tokenizer, prompt))
    return [
        Token(id, token_text(tokenizer, id), at >= start)
        for at, id in enumerate(_ids(tokenizer, whole))
    ]


def role_lengths(tokenizer: Any, conversation: Conversation) -> list[tuple[str, int]]:
    """The roles of a row in the order of the template, each with the number of its tokens.

    A template's own markers count to the message they stand around. Where it writes messages
    otherwise than one after the other, the roles of the prompt are one: "prompt".
    """
    messages = conversation.to_messages()
    whole = _ids(tokenizer, chat_prompt(tokenizer, messages, answer=True))
    ends = []
    for count in range(1, len(messages)):
        try:
            part = _ids(tokenizer, chat_prompt(tokenizer, messages[:count], answer=True))
        except Refused:  # such as a template that refuses a system text alone
            part = []
        ends.append(len(part) if part and part == whole[: len(part)] else None)
    if any(end is None for end in ends):
        start = len(_ids(tokenizer, chat_prompt(tokenizer, messages[:-1])))
        return [("prompt", start), ("assistant", len(whole) - start)]
    bounds = [0, *(end or 0 for end in ends), len(whole)]
    return [
        (message["role"], bounds[place + 1] - bounds[place])
        for place, message in enumerate(messages)
    ]


def show_tokens(tokenizer: Any, conversation: Conversation) -> Html:
    """The row's tokens as boxes; underlined ones carry loss. As text: those between ⟦ and ⟧."""
    return token_boxes(row_tokens(tokenizer, conversation))


def token_boxes(tokens: Sequence[Token]) -> Html:
    """Tokens as boxes: with loss blue and underlined, grey without, struck through where cut off.

    As text: those with loss between ⟦ and ⟧, the cut ones between ✂ and ✂.
    """
    boxes, text, open_mark = [], [], ""
    for token in tokens:
        boxes.append(
            f'<span title="{token.id}" style="{STYLES[token.kind]};border-radius:3px;'
            'padding:.1em .25em;margin:1px;display:inline-block;white-space:pre">'
            f"{escape(token.shown)}</span>{'<br>' if token.text.endswith(chr(10)) else ''}"
        )
        mark = {"cut": "✂", "learned": "⟦", "read": ""}[token.kind]
        if mark != open_mark:
            text += [_CLOSING[open_mark], mark]
            open_mark = mark
        text.append(shown(token.text))
    text.append(_CLOSING[open_mark])
    return Html(
        f'<div style="font-family:monospace;line-height:2.1">{"".join(boxes)}</div>', "".join(text)
    )


# Neighbours in two shades, so that the borders of the tokens can be seen.
SHADES = {
    "read": ("on grey23", "on grey35"),
    "learned": ("black on green3", "black on spring_green3"),
    "cut": ("strike on dark_red", "strike on red3"),
}


def rich_tokens(tokens: Sequence[Token]) -> Any:
    """The tokens as a rich Text."""
    from rich.text import Text

    text = Text()
    for at, token in enumerate(tokens):
        text.append(token.shown, style=SHADES[token.kind][at % 2])
        if token.text.endswith("\n"):
            text.append("\n")
    return text


_CLOSING = {"": "", "⟦": "⟧", "✂": "✂"}
_VISIBLE = {" ": "␣", "\n": "↵", "\t": "⇥", "\x7f": "␡", "\u3000": "□"}


def visible(character: str) -> str:
    """A character, or a sign for one that controls: no escape sequence may reach a terminal, no
    mark turn the text.
    """
    if character < " ":
        return chr(0x2400 + ord(character))
    controls = unicodedata.category(character) in ("Cc", "Cf")
    return f"⟨U+{ord(character):04X}⟩" if controls else character


def _ids(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def token_text(tokenizer: Any, id: int) -> str:
    """The text of one token; where it is a part of a character, its bytes as ⟨E3⟩⟨81⟩."""
    text = str(tokenizer.decode([id]))
    if "\ufffd" not in text:
        return text
    # A byte-level vocabulary may cut a character; its symbols stand for one byte each.
    piece = str(tokenizer.convert_ids_to_tokens(id))
    return "".join(f"⟨{_BYTES.get(symbol, ord(symbol)):02X}⟩" for symbol in piece)


def _byte_symbols() -> dict[str, int]:
    """Symbol → byte, as byte-level BPE writes them (GPT-2's table): printable ones stand for
    themselves, the others are moved above U+0100 in order.
    """
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    moved = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {
        chr(256 + n): byte for n, byte in enumerate(moved)
    }


_BYTES = _byte_symbols()
