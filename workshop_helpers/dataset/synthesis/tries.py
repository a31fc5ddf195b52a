"""One try after the other until there are enough rows; what came of each is written down at once."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...core.jsonio import to_json
from ...models.chat import Answer
from ...runtimes.writers import Writer
from ..formats import Conversation, Message
from .keeper import Draft, Keeper
from .prompts import answer_request, clean_reply, question_request


@dataclass(frozen=True)
class Progress:
    """Told to a `progress` function after each try."""

    kept: int
    wanted: int
    tries: int


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
    """What was tried so far, in a hidden file beside the result: one line a try, written at once."""

    def __init__(self, out: Path, key: str, *, fresh: bool) -> None:
        out = out.resolve()
        # Other settings have a file of their own, so none of them takes another's rows away.
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
                entry = json.loads(line)
                messages = tuple(Message(m["role"], m["content"]) for m in entry.get("row", ()))
                if not messages:
                    self.rejected.append((entry["reason"], entry["text"]))
                self._count(entry)
            except (ValueError, KeyError, TypeError, AttributeError):
                continue
            if messages:
                row = Conversation(messages, extra=entry.get("extra", {}))
                self.kept.append(row)
                keeper.remember(row.question, row.answer)
        return len(self.kept)

    def _count(self, entry: dict[str, Any]) -> None:
        self.numbers.add(int(entry["try"]))
        self.prompt_tokens += int(entry["prompt_tokens"])
        self.tokens += int(entry["tokens"])

    def add(self, tried: Tried, row: Conversation | None, reason: str = "") -> None:
        """Write down a try: the row it gave, or None and the reason."""
        entry: dict[str, Any] = {
            "try": tried.number,
            "prompt_tokens": tried.prompt_tokens,
            "tokens": tried.tokens,
        }
        if row is not None:
            self.kept.append(row)
            entry |= {"row": row.to_messages(), "extra": dict(row.extra)}
        else:
            text = "\n".join(t for t in (tried.draft.question, tried.draft.answer) if t)
            self.rejected.append((reason, text))
            entry |= {"reason": reason, "text": text}
        self._count(entry)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, "a", encoding="utf-8", newline="\n") as file:
            file.write(to_json(entry, indent=None) + "\n")

    def remove(self) -> None:
        """Delete the file; the rows lie in the result."""
        self.path.unlink(missing_ok=True)


class Bar:
    """A progress bar on a terminal's stderr, or the caller's own function."""

    def __init__(self, progress: bool | Callable[[Progress], None], wanted: int) -> None:
        self.call = progress if callable(progress) else None
        self.wanted = wanted
        self.bar: Any = None
        if progress is True and sys.stderr.isatty():
            from tqdm import tqdm

            self.bar = tqdm(total=wanted, unit="row", desc="writing", leave=False, file=sys.stderr)

    def show(self, journal: Journal) -> None:
        """Tell how far it has come."""
        if self.call is not None and journal.tries:
            self.call(Progress(len(journal.kept), self.wanted, journal.tries))
        if self.bar is not None:
            self.bar.set_postfix(rejected=len(journal.rejected), refresh=False)
            self.bar.update(len(journal.kept) - self.bar.n)

    def close(self) -> None:
        """Take the bar off the terminal."""
        if self.bar is not None:
            self.bar.close()


def fill(
    writer: Writer,
    keeper: Keeper,
    journal: Journal,
    count: int,
    limit: int,
    seed: int,
    bar: Bar,
) -> None:
    """Try seed after seed until enough rows are kept or `limit` rows were tried."""
    # A try's draws depend on its number alone, so a run that goes on does not repeat itself.
    fresh = (n for n in range(10**12) if n not in journal.numbers)

    def judge(found: Iterable[Tried]) -> None:
        for tried in found:
            reason = keeper.fault(tried.draft)
            if reason is None:
                row = keeper.row(tried.draft)
                keeper.remember(row.question, row.answer)
                journal.add(tried, row)
            else:
                journal.add(tried, None, reason)
            bar.show(journal)

    going: set[Future[list[Tried]]] = set()
    try:
        while True:
            wanted = len(journal.kept) < count
            while wanted and len(going) < (writer.batch if writer.pool else 1):
                size = min(1 if writer.pool else writer.batch, limit - journal.tries - len(going))
                if size < 1:
                    break
                tries = [_start(keeper, seed, next(fresh)) for _ in range(size)]
                if writer.pool is None:
                    judge(_write(writer, keeper, tries, seed))
                    break
                going.add(writer.pool.submit(_write, writer, keeper, tries, seed))
            if not going:
                if len(journal.kept) >= count or journal.tries >= limit:
                    return
                continue
            done, going = wait(going, return_when=FIRST_COMPLETED)
            for one in done:
                judge(one.result())
    except BaseException:
        # What else has come in the meantime was paid for.
        for one in going:
            if one.done() and not one.cancelled() and one.exception() is None:
                judge(one.result())
        raise


def _start(keeper: Keeper, seed: int, number: int) -> Tried:
    """Every seed comes once before one comes again, in an order drawn anew each round."""
    round_, place = divmod(number, len(keeper.seeds))
    order = list(range(len(keeper.seeds)))
    random.Random(f"{seed} round {round_}").shuffle(order)
    one = keeper.seeds[order[place]]
    draft = Draft(one, one.row.question, one.row.answer)
    return Tried(number, draft, random.Random(f"{seed} try {number}"))


def _write(writer: Writer, keeper: Keeper, found: list[Tried], seed: int) -> list[Tried]:
    """Let the model write the drafts of these tries: first the questions, then the answers."""
    language, rewrite = keeper.language, keeper.rewrite
    draw = (seed * 1_000_003 + found[0].number * 2) % 2**31
    if rewrite != "answer":
        requests = [question_request(t.draft.seed, language, t.chance) for t in found]
        for tried, reply in zip(found, writer.write(requests, draw), strict=True):
            tried.draft.question = tried.add(reply)
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
            answer_request(t.draft.seed, t.draft.question, keeper.shop, language, t.chance)
            for t in going
        ]
        for tried, reply in zip(going, writer.write(requests, draw + 1), strict=True):
            tried.draft.answer = tried.add(reply)
    return found
