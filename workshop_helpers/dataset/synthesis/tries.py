"""One try after the other until there are enough rows; each is written down at once."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...core.jsonio import to_json
from ...core.progress import Bar
from ...models.chat import Answer
from ..formats import Conversation, Message
from .keeper import Draft, Keeper
from .prompts import answer_request, clean_reply, question_request
from .writer import Writer


@dataclass(frozen=True)
class Asking:
    """How a model is asked.

    `temperature`: None leaves it to the model. `max_tokens`: of an answer. `tries`: rows to ask for
    at most (default: 5 · count + 20). `seed`: for all random draws.
    """

    temperature: float | None = 0.8
    max_tokens: int = 400
    tries: int | None = None
    seed: int = 0


@dataclass
class Tried:
    """A draft, the number of its try, and what it cost."""

    number: int
    draft: Draft
    chance: random.Random
    prompt_tokens: int = 0
    tokens: int = 0

    def add(self, reply: Answer) -> str:
        """Take a reply into account; its text, cleaned."""
        self.prompt_tokens += reply.prompt_tokens
        self.tokens += reply.tokens
        self.draft.cut = self.draft.cut or not reply.stopped
        return clean_reply(reply.text)


class Journal:
    """What was tried so far, in a hidden file beside the result: one line a try."""

    def __init__(self, out: Path, key: str, *, fresh: bool) -> None:
        out = out.resolve()
        # Each combination of settings has its own file, so runs keep each other's rows.
        self.path = out.with_name(f".{out.name}.{key[:12]}.tries")
        if fresh:
            self.path.unlink(missing_ok=True)
        self.kept: list[Conversation] = []
        self.rejected: list[tuple[str, str]] = []
        self.numbers: set[int] = set()
        self.prompt_tokens = self.tokens = 0

    @property
    def tries(self) -> int:
        """How many rows were asked for so far."""
        return len(self.kept) + len(self.rejected)

    def read(self, keeper: Keeper) -> int:
        """Take over what an earlier run left; the number of rows it had kept."""
        try:
            text = self.path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return 0
        if text and not text.endswith("\n"):
            # Killed while it wrote: the next line must not join this one.
            with open(self.path, "a", encoding="utf-8") as file:
                file.write("\n")
        for line in text.split("\n"):
            try:
                row = self._take(json.loads(line))
            except (ValueError, KeyError, TypeError, AttributeError):
                continue
            if row is not None:
                keeper.remember(row.question, row.answer)
        return len(self.kept)

    def _take(self, entry: dict[str, Any]) -> Conversation | None:
        """Count an entry; its row, if it has one."""
        number, read, written = (int(entry[key]) for key in ("try", "prompt_tokens", "tokens"))
        row = None
        if messages := tuple(Message(m["role"], m["content"]) for m in entry.get("row", ())):
            row = Conversation(messages, extra=entry.get("extra", {}))
            self.kept.append(row)
        else:
            self.rejected.append((entry["reason"], entry["text"]))
        self.numbers.add(number)
        self.prompt_tokens += read
        self.tokens += written
        return row

    def add(self, tried: Tried, row: Conversation | None, reason: str | None) -> None:
        """Write down a try: the row it gave, or None and the reason."""
        entry: dict[str, Any] = {
            "try": tried.number,
            "prompt_tokens": tried.prompt_tokens,
            "tokens": tried.tokens,
        }
        if row is not None:
            entry |= {"row": row.to_messages(), "extra": dict(row.extra)}
        else:
            text = "\n".join(t for t in (tried.draft.question, tried.draft.answer) if t)
            entry |= {"reason": reason, "text": text}
        self._take(entry)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, "a", encoding="utf-8", newline="\n") as file:
            file.write(to_json(entry, indent=None) + "\n")

    def remove(self) -> None:
        """Delete the file; the rows lie in the result."""
        self.path.unlink(missing_ok=True)


def fill(
    writer: Writer,
    keeper: Keeper,
    journal: Journal,
    asking: Asking,
    count: int,
    limit: int,
    bar: Bar,
) -> None:
    """Try seed after seed until enough rows are kept or `limit` rows were tried."""
    # A try's draws depend only on its number, so a continued run does not repeat itself.
    fresh = (number for number in itertools.count() if number not in journal.numbers)

    def judge(found: Iterable[Tried]) -> None:
        for tried in found:
            reason = keeper.fault(tried.draft)
            row = keeper.row(tried.draft) if reason is None else None
            if row is not None:
                keeper.remember(row.question, row.answer)
            journal.add(tried, row, reason)
            bar.reach(len(journal.kept), note=f"{len(journal.rejected)} rejected")

    pool = ThreadPoolExecutor(writer.parallel)
    submit = pool.submit if writer.parallel > 1 else _now
    going: set[Future[list[Tried]]] = set()
    try:
        while True:
            while len(journal.kept) < count and len(going) < writer.parallel:
                size = min(writer.batch, limit - journal.tries - len(going) * writer.batch)
                if size < 1:
                    break
                tries = [_start(keeper, asking.seed, next(fresh)) for _ in range(size)]
                going.add(submit(_write, writer, keeper, tries, asking))
            if not going:
                return
            done, going = wait(going, return_when=FIRST_COMPLETED)
            for one in done:
                judge(one.result())
    except BaseException:
        # What else has come in the meantime was paid for.
        for one in going:
            if one.done() and not one.cancelled() and one.exception() is None:
                judge(one.result())
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _now(function: Callable[..., list[Tried]], *arguments: Any) -> Future[list[Tried]]:
    """Work that is done at once, in this thread, where an interrupt reaches it."""
    future: Future[list[Tried]] = Future()
    future.set_result(function(*arguments))
    return future


def _start(keeper: Keeper, seed: int, number: int) -> Tried:
    """Every seed once per round, in a new random order each round."""
    seeds = keeper.material.seeds
    round_, place = divmod(number, len(seeds))
    order = list(range(len(seeds)))
    random.Random(f"{seed} round {round_}").shuffle(order)
    one = seeds[order[place]]
    draft = Draft(one, one.row.question, one.row.answer)
    return Tried(number, draft, random.Random(f"{seed} try {number}"))


def _write(writer: Writer, keeper: Keeper, found: list[Tried], asking: Asking) -> list[Tried]:
    """Let the model write the drafts of these tries: first the questions, then the answers."""
    language, rewrite = keeper.material.language, keeper.rewrite
    draw = (asking.seed * 1_000_003 + found[0].number * 2) % 2**31

    def write(requests: list[Any], tries: list[Tried], seed: int) -> list[str]:
        replies = writer.write(
            requests, temperature=asking.temperature, max_tokens=asking.max_tokens, seed=seed
        )
        return [tried.add(reply) for tried, reply in zip(tries, replies, strict=True)]

    if rewrite != "answer":
        requests = [question_request(t.draft.seed, language, t.chance) for t in found]
        for tried, text in zip(found, write(requests, found, draw), strict=True):
            tried.draft.question = text
    # A question that is no good already needs no answer; a new question alone is tried out where
    # there are facts.
    going = [
        t
        for t in found
        if not t.draft.cut
        and t.draft.question
        and (rewrite != "question" or (keeper.check and t.draft.seed.facts))
        and keeper.wrong_question(t.draft) is None
    ]
    if going:
        requests = [
            answer_request(t.draft.seed, t.draft.question, keeper.material, t.chance) for t in going
        ]
        for tried, text in zip(going, write(requests, going, draw + 1), strict=True):
            tried.draft.answer = text
    return found
