"""The length of rows, in characters and in the model's tokens."""

from __future__ import annotations

import re
from collections.abc import Iterable
from concurrent.futures import Future
from statistics import median
from typing import Any

from ...core.errors import first_line
from ...models.chat import chat_prompt, chat_prompts
from ...models.rendering import Refused
from .findings import Finding, who
from .row import CheckedRow, Places, Rows, SetCheck, begin

BATCH = 256  # rows that are tokenized at once
_EMOJI = re.compile("[\u2600-\u27bf\U0001f000-\U0001faff]")
_NOTHING = re.compile(r"[\W_]*")
# A single letter, number or Chinese character can be a correct answer.
_CHOICE = re.compile(r"[\s(（]*(?:[A-Z]|[0-9]+|[ア-オ]|[○×はい]|[一-龥])[\s)）.。]*")


def may_be_short(rows: Rows) -> list[int]:
    """The places of rows that `check_short` must look at."""
    texts = enumerate(zip(rows.questions, rows.answers, strict=True))
    return [place for place, (question, answer) in texts if len(answer) <= 8 or len(question) <= 8]


def check_short(row: CheckedRow) -> Iterable[Finding]:
    """`too-short`: a question or answer of one character or only punctuation."""
    found = []
    for text, role in ((row.question, "user"), (row.answer, "assistant")):
        text = text.strip()
        if not text or len(text) > 8:
            continue
        if _NOTHING.fullmatch(text):
            if _EMOJI.search(text):
                continue
            code = "only-punctuation"
        elif len(_NOTHING.sub("", text)) < 2 and not _CHOICE.fullmatch(text):
            code = "single-character"
        else:
            continue
        found.append(row.finding("too-short", code, excerpt=text, who=who(role), text=text))
    return found


class Tokens(SetCheck):
    """Counts the tokens of rows, in batches, with the model's tokenizer and template.

    model: a catalogue name or a model folder; max_length: tokens of prompt and answer together.
    Longer rows are `too-long`, with the text that would be cut as the excerpt.
    """

    def __init__(self, places: Places, model: Any, max_length: int) -> None:
        from ...models.load import load_tokenizer

        super().__init__(places)
        self.tokenizer = load_tokenizer(model, counting=True)
        self.max_length = max_length
        self.total = 0
        self.lengths: list[int] = []
        self._waiting: list[CheckedRow] = []
        self._begun: Future[list[Finding]] | None = None

    def add(self, row: CheckedRow) -> Iterable[Finding]:
        self._waiting.append(row)
        return self._next() if len(self._waiting) >= BATCH else ()

    def finish(self) -> list[Finding]:
        return self._next() + self._next()

    def _next(self) -> list[Finding]:
        """Findings in the rows before; the waiting ones are counted while others are checked."""
        found = self._begun.result() if self._begun is not None else []
        self._begun = begin(self._counted, self._waiting)
        self._waiting = []
        return found

    def summary(self) -> dict[str, Any]:
        """The tokens to train on; the shortest, median and longest row."""
        if not self.lengths:
            return {"tokens": self.total}
        least, greatest = min(self.lengths), max(self.lengths)
        lengths = {"shortest": least, "median": median(self.lengths), "longest": greatest}
        return {"tokens": self.total, "lengths": {**lengths, "max_length": self.max_length}}

    def _counted(self, waiting: list[CheckedRow]) -> list[Finding]:
        found: list[Finding] = []
        texts: list[str] = []
        rows: list[CheckedRow] = []
        turns = [row.conversation.to_messages() for row in waiting]
        made = chat_prompts(self.tokenizer, turns, answer=True) if turns else []
        for row, text in zip(waiting, made, strict=True):
            if isinstance(text, Refused):
                roles = ", ".join(message.role for message in row.messages)
                values = {"roles": roles, "reason": first_line(text.__cause__ or text)}
                found.append(row.finding("wrong-order", "template-refuses", **values))
            else:
                texts.append(text)
                rows.append(row)
        for row, text, count in zip(rows, texts, token_counts(self.tokenizer, texts), strict=True):
            self.total += min(count, self.max_length)
            self.lengths.append(count)
            if count > self.max_length:
                found.append(self._too_long(row, text))
        return found

    def _too_long(self, row: CheckedRow, text: str) -> Finding:
        most = self.max_length
        ids = self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        prompt = chat_prompt(self.tokenizer, row.conversation.prompt_messages())
        (asked,) = token_counts(self.tokenizer, [prompt])
        # The excerpt starts at the cut.
        lost = self.tokenizer.decode(ids[most:], skip_special_tokens=True)
        code = "no-room" if asked >= most else "cut-off"
        values = {"n": len(ids), "most": most, "prompt": asked, "cut": len(ids) - most}
        return row.finding("too-long", code, excerpt=lost, **values)


def token_counts(tokenizer: Any, texts: list[str]) -> list[int]:
    """The number of each text's tokens, without those that the tokenizer would put around it."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        ids = tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]
        return [len(one) for one in ids]
    # A third faster than the tokenizer itself: without offsets, and no lists are made of the ids.
    backend.no_truncation()  # the file may ask for both
    backend.no_padding()
    return [len(one) for one in backend.encode_batch_fast(texts, add_special_tokens=False)]
