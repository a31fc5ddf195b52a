"""A row as the checks see it: what several of them ask is found out once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...metrics.language import bytes_per_character, quick_language

if TYPE_CHECKING:
    from ..formats import Conversation


class Row:
    """A conversation that ends with a question and an answer; its number in the set counts from 0.

    asked, said: their languages, as `quick_language` tells them; density: bytes of UTF-8 for a
    character of the answer.
    """

    __slots__ = (
        "answer",
        "asked",
        "conversation",
        "density",
        "messages",
        "number",
        "question",
        "said",
    )

    def __init__(self, number: int, conversation: Conversation) -> None:
        self.number = number
        self.conversation = conversation
        self.messages = messages = conversation.messages
        self.question = question = messages[-2].content
        self.answer = answer = messages[-1].content
        self.density = density = bytes_per_character(answer)
        self.said = quick_language(answer, density)
        self.asked = quick_language(question, bytes_per_character(question))
