"""New rows written by a model, each checked against the facts before it is kept.

A new row grows from a seed: an existing row, or a fact. The model first asks the seed's question in
other words; then, in a request of its own, it answers that question from all the facts, without
being told which one is meant. Only if the answer states the seed's facts, and no other figure, does
the new question still ask for them: the row is kept. What fails is counted with its reason; nothing
is mended.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...core.artifacts import claim
from ...core.cards import equal_card, file_hash, fingerprint, write_card
from ...core.device import machine, versions
from ...core.errors import WorkshopError
from ...core.wordings import LANGUAGES
from ...metrics.facts import ShopFacts
from ...models.identity import identity
from ...runtimes.openai import DEFAULT_SERVER
from ...runtimes.writers import Asking, open_writer
from ..formats import read_conversations, write_conversations
from ..questions import read_questions
from .keeper import Keeper
from .seeds import find_seeds
from .tries import Bar, Journal, Progress, fill

REWRITES = ("both", "question", "answer")


@dataclass
class SynthesisReport:
    """What came of it.

    `kept`: how many rows lie in `path`; `tries`: how many were asked for. `rejected`: (reason,
    text) of each one that was not kept. `prompt_tokens`, `tokens`: read and written, kept or not,
    over all runs that went into the file. `cost`: in the currency of the prices, None where none
    were given. `seconds`: of this run. `resumed`: rows that an earlier, stopped run had left.
    `reused`: nothing was asked, the file of an equal run was there.
    """

    path: Path
    model: str
    language: str
    kept: int
    wanted: int
    tries: int = 0
    rejected: list[tuple[str, str]] = field(default_factory=list)
    prompt_tokens: int = 0
    tokens: int = 0
    cost: float | None = None
    seconds: float = 0.0
    resumed: int = 0
    reused: bool = False

    @property
    def reasons(self) -> Counter[str]:
        """How often each reason led to a reject; a reason's detail (after the colon) does not
        count.
        """
        return Counter(reason.partition(":")[0] for reason, _ in self.rejected)

    def to_dict(self) -> dict[str, Any]:
        """All of it, as JSON takes it."""
        return {
            "path": str(self.path),
            "model": self.model,
            "language": self.language,
            "kept": self.kept,
            "wanted": self.wanted,
            "tries": self.tries,
            "reasons": dict(self.reasons.most_common()),
            "rejected": [{"reason": reason, "text": text} for reason, text in self.rejected],
            "prompt_tokens": self.prompt_tokens,
            "tokens": self.tokens,
            "cost": self.cost,
            "seconds": round(self.seconds, 3),
            "resumed": self.resumed,
            "reused": self.reused,
        }

    def __str__(self) -> str:
        told = f"{self.kept} of {self.wanted} rows kept after {self.tries} tries, in {self.path}."
        if self.rejected:
            reasons = ", ".join(f"{count} {reason}" for reason, count in self.reasons.most_common())
            told += f" Rejected: {reasons}."
        told += f" {self.prompt_tokens:,} tokens read, {self.tokens:,} written"
        told += f", cost {self.cost:.4f}." if self.cost is not None else "."
        return told


def synthesize(
    out: str | Path,
    *,
    source: str | Path | None = None,
    facts: str | Path | None = None,
    language: str,
    count: int,
    server: str | None = DEFAULT_SERVER,
    model: str | Path | None = None,
    temperature: float | None = 0.8,
    seed: int = 0,
    check: bool = True,
    offline_model: str | Path | None = None,
    rewrite: str | None = None,
    against: Sequence[str | Path] = (),
    key_env: str | None = None,
    prices: tuple[float, float] | None = None,
    tries: int | None = None,
    max_tokens: int = 400,
    parallel: int = 4,
    timeout: float = 120.0,
    retries: int = 4,
    overwrite: bool = False,
    progress: bool | Callable[[Progress], None] = True,
) -> SynthesisReport:
    """Write `count` new rows to `out`, grown from the rows of `source`, from a facts file, or from
    both.

    `facts`: a facts file; True facts are copied from it, and each row is checked against it.
    Without one, a new row must state the figures of the row it comes from. `language`: of the rows,
    "en" or "ja"; seeds in another language are left out. `rewrite`: "both", or only the "question"
    (the answer stays), or only the "answer"; None takes "both", and "answer" for mame, which has
    never learned to ask. `against`: files whose questions must not come up, such as the held-out
    ones.

    `server`: any OpenAI-compatible one; `model`: its name there, None for the only one. Without a
    server (`server` is None, `model` is "mame" at the default address, or `offline_model` names a
    catalogue model, a folder or a GGUF file) the model runs in this process. `temperature`: None
    sends none. `key_env`: see `ChatServer`. `prices`: of a million tokens read and written.
    `tries`: rows to ask for at most (default: 5 · count + 20). `check=False` keeps whatever is well
    formed.

    Rows are kept in a hidden file beside `out` as they come: after a stop the same call goes on.
    Repeated with equal arguments it returns the earlier report, unless `overwrite`.

    Raises WorkshopError for sources without a usable seed, for a server or a model that cannot be
    reached, and when no row at all was kept.
    """
    offline = _offline(server, model, offline_model)
    rewrite = rewrite or ("answer" if offline == "mame" else "both")
    _check_arguments(language, count, temperature, rewrite, prices, tries, parallel)
    if source is None and facts is None:
        raise WorkshopError("Rows grow from rows or facts: give source=, facts= or both.")
    out = Path(out).expanduser()
    if source is not None and out.resolve() == Path(source).expanduser().resolve():
        raise WorkshopError(f"{out} is the source itself. Choose another file for the new rows.")
    shop = ShopFacts.load(facts) if facts is not None else None
    rows = read_conversations(source) if source is not None else []
    seeds = find_seeds(rows, shop, language)
    if not seeds:
        raise WorkshopError(
            f"{source} holds no row in {language!r}, so there is nothing to grow from."
        )
    inputs = {
        "stage": "synthesize",
        "source": file_hash(source) if source is not None else None,
        "facts": file_hash(facts) if facts is not None else None,
        "against": sorted(file_hash(path) for path in against),
        "language": language,
        "model": identity(offline) if offline is not None else str(model or ""),
        "server": None if offline is not None else server,
        "temperature": temperature,
        "seed": seed,
        "rewrite": rewrite,
        "check": check,
        "max_tokens": max_tokens,
    }
    limit = tries if tries is not None else 5 * count + 20
    with claim(out):
        stored = None if overwrite else _stored(out, inputs, count)
        if stored is not None:
            return stored
        started = time.perf_counter()
        held = [row for path in against for row in _questions(path)]
        keeper = Keeper(seeds, rows, held, shop, language, rewrite, check)
        journal = Journal(out, fingerprint(inputs), fresh=overwrite)
        resumed = journal.read(keeper)
        bar = Bar(progress, count)
        bar.show(journal)
        if len(journal.kept) < count and journal.tries < limit:
            asking = Asking(temperature, max_tokens, parallel, timeout, retries)
            with open_writer(offline, server, model, key_env, asking) as writer:
                name = writer.name
                try:
                    fill(writer, keeper, journal, count, limit, seed, bar)
                except (KeyboardInterrupt, WorkshopError) as error:
                    if isinstance(error, WorkshopError) and journal.kept:
                        raise WorkshopError(
                            f"{error} {len(journal.kept)} of {count} rows are kept: the same call goes on from there."
                        ) from error
                    raise
                finally:
                    bar.close()
        else:
            name = str(offline or model)
        report = SynthesisReport(
            path=out,
            model=name,
            language=language,
            kept=min(count, len(journal.kept)),
            wanted=count,
            tries=journal.tries,
            rejected=journal.rejected,
            prompt_tokens=journal.prompt_tokens,
            tokens=journal.tokens,
            cost=_cost(prices, journal.prompt_tokens, journal.tokens),
            seconds=time.perf_counter() - started,
            resumed=resumed,
        )
        if not journal.kept:
            reasons = ", ".join(f"{n} {reason}" for reason, n in report.reasons.most_common())
            raise WorkshopError(
                f"None of {report.tries} rows by {name} could be kept: {reasons}. Try a larger model, another "
                "temperature, or rewrite='answer'."
            )
        write_conversations(journal.kept[:count], out, format="messages")
        write_card(
            out,
            {
                "kind": "synthetic rows",
                "inputs": inputs,
                "prices": list(prices) if prices else None,
                "machine": machine(),
                "versions": versions(),
                "report": {**report.to_dict(), "path": out.name},
            },
        )
        journal.remove()
        return report


def _check_arguments(
    language: str,
    count: int,
    temperature: float | None,
    rewrite: str,
    prices: tuple[float, float] | None,
    tries: int | None,
    parallel: int,
) -> None:
    wrong = [
        (language in LANGUAGES, f'language is "{language}", must be one of {", ".join(LANGUAGES)}'),
        (count >= 1, f"count is {count}, must be at least 1"),
        (
            temperature is None or 0 <= temperature <= 2,
            f"temperature is {temperature}, must be from 0 to 2",
        ),
        (rewrite in REWRITES, f'rewrite is "{rewrite}", must be one of {", ".join(REWRITES)}'),
        (
            prices is None or (len(prices) == 2 and min(prices) >= 0),
            "prices must be two amounts: of a million tokens read, and written",
        ),
        (tries is None or tries >= 1, f"tries is {tries}, must be at least 1"),
        (parallel >= 1, f"parallel is {parallel}, must be at least 1"),
    ]
    faults = [fault for good, fault in wrong if not good]
    if faults:
        raise WorkshopError(f"Rows cannot be written so: {'; '.join(faults)}.")


def _offline(
    server: str | None, model: str | Path | None, offline_model: str | Path | None
) -> str | Path | None:
    """The model to run in this process, or None for a server."""
    if offline_model is not None:
        return offline_model
    if server is None:
        return model or "mame"
    return "mame" if model == "mame" and server == DEFAULT_SERVER else None


def _cost(prices: tuple[float, float] | None, read: int, written: int) -> float | None:
    return None if prices is None else (prices[0] * read + prices[1] * written) / 1e6


def _questions(path: str | Path) -> list[str]:
    """The questions of a training file or of a questions file (which has no answers)."""
    try:
        return [row.question for row in read_conversations(path)]
    except WorkshopError as error:
        try:
            return [question.question for question in read_questions(path)]
        except WorkshopError:
            raise error from None


def _stored(out: Path, inputs: dict[str, Any], count: int) -> SynthesisReport | None:
    """The report of the file in `out`, if it was made from these inputs and has as many rows."""
    card = equal_card(out, inputs)
    if card is None:
        return None
    try:
        report = card["report"]
        if report["wanted"] != count or len(read_conversations(out)) != report["kept"]:
            return None
        return SynthesisReport(
            path=out,
            model=report["model"],
            language=report["language"],
            kept=report["kept"],
            wanted=count,
            tries=report["tries"],
            rejected=[(entry["reason"], entry["text"]) for entry in report["rejected"]],
            prompt_tokens=report["prompt_tokens"],
            tokens=report["tokens"],
            cost=report["cost"],
            seconds=report["seconds"],
            reused=True,
        )
    except (WorkshopError, KeyError, TypeError):
        return None
