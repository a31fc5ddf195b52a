"""A conversation with any model, whatever runs it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Protocol

from ..models.chat import Answer, Messages, conversation
from .base import Reply


class Replying(Protocol):
    """What a conversation can be held with: a runtime, or a model that a place serves."""

    @property
    def reply(self) -> Callable[..., Reply]:
        """The answer to messages, of which the last one is a user's."""


class Chat:
    """A conversation: `history` holds every message of it, and goes along with each question;
    `system` stands before them. `how` goes to the model's `reply`. `answer`: the last whole one.
    """

    def __init__(self, model: Replying, *, system: str | None = None, **how: Any) -> None:
        self.model, self.system, self.how = model, system, how
        self.history: list[dict[str, str]] = []
        self.answer: Answer | None = None

    def say(self, text: str) -> Answer:
        """The answer to `text` and all that was said before. WorkshopError for an empty text."""
        for _ in self.stream(text):
            pass
        assert self.answer is not None
        return self.answer

    def stream(self, text: str) -> Generator[str, None, None]:
        """The same, piece by piece.

        An answer that is broken off (the iterator closed, Ctrl-C, an error of a server) stays in
        the history as far as it came; where nothing came, the question is forgotten too.
        """
        first = [{"role": "system", "content": self.system}] if self.system else []
        asked: Messages = [*first, *self.history, *(question := conversation(text))]
        reply: Reply = self.model.reply(asked, **self.how)
        told, self.answer = "", None
        try:
            for piece in reply:
                told += piece
                yield piece
            self.answer = reply.answer
            told = self.answer.text
        finally:
            reply.close()
            if told or self.answer is not None:
                self.history += [*question, {"role": "assistant", "content": told}]

    def reset(self) -> None:
        """Forget what was said; the system text stays."""
        self.history.clear()
