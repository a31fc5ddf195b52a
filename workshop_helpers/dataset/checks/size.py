"""How long rows are, in characters and in tokens of the model that is to learn them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from statistics import median
from typing import TYPE_CHECKING, Any

from ...core.errors import WorkshopError
from ...models.chat import chat_prompt
from .findings import Finding, finding

if TYPE_CHECKING:
    from ..formats import Conversation
    from .row import Row

BATCH = 256  # rows that are tokenized at once
_NOTHING = re.compile(r"[\W_]*")
# A letter or a figure alone is a right answer to a multiple choice or a sum.
_CHOICE = re.compile(r"[\s(（]*(?:[A-Z]|[0-9]+|[ア-オ]|[○×はい])[\s)）.。]*")


def check_short(row: Row) -> Iterable[Finding]:
    """`too-short` of one row: a question or an answer of a character, or of none but punctuation."""
    if len(row.answer) > 8 and len(row.question) > 8:
        return ()
    found = []
    for text, what in ((row.question, "question"), (row.answer, "answer")):
        text = text.strip()
        if not text or len(text) > 8:
            continue
        if _NOTHING.fullmatch(text):
            words = f"The {what} is only {text!r}."
        elif len(_NOTHING.sub("", text)) < 2 and not _CHOICE.fullmatch(text):
            words = f"The {what} is a single character."
        else:
            continue
        found.append(finding("too-short", row.conversation, words, excerpt=text))
    return found


class Tokens:
    """Counts the tokens of rows as they come, in batches, by the model's own tokenizer and
    template.

    model: a catalogue name or a model folder; max_length: tokens of prompt and answer together.
    Rows beyond it are `too-long`: an error where nothing of the answer is left (trainers drop such
    a row without a word) or its end is lost, each with the text that would be cut.
    """

    def __init__(self, model: Any, max_length: int) -> None:
        from ...models.load import load_tokenizer

        self.tokenizer = load_tokenizer(model)
        self.max_length = max_length
        self.total = 0
        self.lengths: list[int] = []
        self._waiting: list[Conversation] = []

    def add(self, conversation: Conversation) -> list[Finding]:
        """Take a row; findings come when a batch is full."""
        self._waiting.append(conversation)
        return self._count() if len(self._waiting) >= BATCH else []

    def finish(self) -> list[Finding]:
        """Count what still waits."""
        return self._count() if self._waiting else []

    def summary(self) -> dict[str, Any]:
        """Least, median and greatest length of a row in tokens."""
        if not self.lengths:
            return {}
        return {
            "shortest": min(self.lengths),
            "median": median(self.lengths),
            "longest": max(self.lengths),
            "max_length": self.max_length,
        }

    def _count(self) -> list[Finding]:
        found: list[Finding] = []
        texts: list[str] = []
        rows: list[Conversation] = []
        for conversation in self._waiting:
            try:
                texts.append(chat_prompt(self.tokenizer, conversation.to_messages(), answer=True))
            except WorkshopError as error:
                found.append(finding("wrong-order", conversation, str(error)))
                continue
            rows.append(conversation)
        self._waiting = []
        if not texts:
            return found
        encoded = self.tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]
        for conversation, ids in zip(rows, encoded, strict=True):
            self.total += min(len(ids), self.max_length)
            self.lengths.append(len(ids))
            if len(ids) > self.max_length:
                found.append(self._too_long(conversation, ids))
        return found

    def _too_long(self, conversation: Conversation, ids: list[int]) -> Finding:
        prompt = chat_prompt(self.tokenizer, conversation.prompt_messages())
        asked = len(self.tokenizer(prompt, add_special_tokens=False, verbose=False)["input_ids"])
        cut = self.tokenizer.decode(ids[self.max_length :], skip_special_tokens=True)
        words = f"{len(ids):,} tokens; max_length is {self.max_length:,}. "
        if asked >= self.max_length:
            words += f"The prompt alone has {asked:,}: nothing of the answer would be learned."
        else:
            words += f"The last {len(ids) - self.max_length:,} tokens of the answer would be cut."
        # Where the cut begins is what its author must see; the rest of the text is in the file.
        return finding("too-long", conversation, words, excerpt=cut)
