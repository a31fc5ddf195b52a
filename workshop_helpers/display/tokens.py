"""A training row as the model sees it: token by token, with the mark of which ones it is taught."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

from ..models import chat_prompt
from ..records import Conversation
from .html import Html


@dataclass(frozen=True)
class Token:
    """One token: its `id`, its `text` (hex bytes where it is a part of a character), whether it carries `loss`."""

    id: int
    text: str
    loss: bool


def row_tokens(tokenizer: Any, conversation: Conversation) -> list[Token]:
    """The tokens of a training row in the model's own template.

    Loss is counted on what comes after the prompt (completion-only loss): the answer and the token that ends it.
    """
    prompt = chat_prompt(tokenizer, conversation.prompt_messages())
    whole = chat_prompt(tokenizer, conversation.to_messages(), answer=True)
    start = len(_ids(tokenizer, prompt))
    return [
        Token(id, _text(tokenizer, id), at >= start) for at, id in enumerate(_ids(tokenizer, whole))
    ]


def show_tokens(tokenizer: Any, conversation: Conversation) -> Html:
    """The row's tokens as boxes; those that carry loss are green. As text: those between ⟦ and ⟧."""
    boxes, text, inside = [], [], False
    for token in row_tokens(tokenizer, conversation):
        ground = "#2da44e44" if token.loss else "#8882"
        shown = escape(token.text).replace("\n", "↵").replace(" ", "␣")
        boxes.append(
            f'<span title="{token.id}" style="background:{ground};border-radius:3px;padding:.1em .25em;margin:1px;'
            f'display:inline-block;white-space:pre">{shown}</span>{"<br>" if token.text.endswith(chr(10)) else ""}'
        )
        if token.loss and not inside:
            text.append("⟦")
            inside = True
        text.append(token.text)
    if inside:
        text.append("⟧")
    return Html(
        f'<div style="font-family:monospace;line-height:1.9">{"".join(boxes)}</div>', "".join(text)
    )


def _ids(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def _text(tokenizer: Any, id: int) -> str:
    text = str(tokenizer.decode([id]))
    if "\ufffd" not in text:
        return text
    # A byte-level vocabulary may cut a character; its symbols stand for one byte each.
    piece = str(tokenizer.convert_ids_to_tokens(id))
    return "".join(f"⟨{_BYTES.get(symbol, ord(symbol)):02X}⟩" for symbol in piece)


def _byte_symbols() -> dict[str, int]:
    """Symbol → byte, as byte-level BPE writes them (GPT-2's table): printable ones stand for themselves, the others
    are moved above U+0100 in order."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    moved = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {
        chr(256 + n): byte for n, byte in enumerate(moved)
    }


_BYTES = _byte_symbols()
