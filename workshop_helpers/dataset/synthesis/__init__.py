"""New rows written by a model, each checked against the facts before it is kept.

A new row grows from a seed: an existing row, or a fact. The model first asks the seed's question in
other words; then, in a request of its own, it answers that question from all the facts, without
being told which one is meant. Only if the answer states the seed's facts, and no other figure, does
the new question still ask for them: the row is kept. What fails is counted with its reason; nothing
is mended.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from ...core.artifacts import claim
from ...core.cards import begin_card, equal_card, fingerprint, write_card
from ...core.device import machine, versions
from ...core.errors import WorkshopError
from ...core.ownership import keep_apart, refuse_other
from ...core.progress import Bar
from ...core.wordings import LANGUAGES
from ..formats import read_conversations, write_conversations
from .keeper import Keeper
from .report import SynthesisReport
from .seeds import Sources
from .tries import Asking, Journal, fill
from .writer import Writer

__all__ = ["Asking", "Sources", "SynthesisReport", "Writer", "synthesize"]

_KIND = "synthetic rows"
REWRITES = ("both", "question", "answer")


def synthesize(
    out: str | Path,
    sources: Sources,
    writer: Writer,
    *,
    count: int,
    asking: Asking | None = None,
    rewrite: str | None = None,
    check: bool = True,
    prices: tuple[float, float] | None = None,
    overwrite: bool = False,
    progress: bool = True,
) -> SynthesisReport:
    """Write `count` new rows to `out`, grown from `sources` by `writer`.

    `writer`: see `runtimes.writers.writer_for`; it is opened when there is something to ask.
    `asking`: how it is asked; None takes the defaults. `rewrite`: "both", or only the "question"
    (the answer stays), or only the "answer"; None takes "both", or "answer" for a writer that
    cannot ask. `check=False` keeps all well-formed rows. `prices`: per million tokens read and
    written.

    Rows are kept in a hidden file beside `out` as they come: after a stop the same call continues.
    Repeated with equal arguments it returns the earlier report, unless `overwrite`, without which
    nothing else in `out` is replaced.

    Raises WorkshopError for sources without a usable seed, for a server or a model that cannot be
    reached, and when no row at all was kept.
    """
    asking = asking or Asking()
    rewrite = rewrite or ("both" if writer.can_ask else "answer")
    _check_arguments(sources, count, asking, rewrite, prices)
    out = Path(out).expanduser()
    keep_apart(out, [sources.rows, sources.facts, *sources.against])
    material = sources.load()
    inputs = {
        "stage": "synthesize",
        **sources.inputs,
        **writer.inputs,
        "temperature": asking.temperature,
        "seed": asking.seed,
        "rewrite": rewrite,
        "check": check,
        "max_tokens": asking.max_tokens,
    }
    with claim(out):
        refuse_other(out, _KIND, inputs, overwrite=overwrite)
        stored = None if overwrite else _stored(out, inputs, count)
        if stored is not None:
            return stored
        started = time.perf_counter()
        keeper = Keeper(material, rewrite, check)
        journal = Journal(out, fingerprint(inputs), fresh=overwrite)
        resumed = journal.read(keeper)
        _fill(writer, keeper, journal, asking, count, progress)
        report = SynthesisReport(
            path=out,
            model=writer.name,
            language=sources.language,
            kept=min(count, len(journal.kept)),
            wanted=count,
            tries=journal.tries,
            rejected=journal.rejected,
            prompt_tokens=journal.prompt_tokens,
            tokens=journal.tokens,
            seconds=time.perf_counter() - started,
            resumed=resumed,
        )
        if prices:
            report.cost = (prices[0] * report.prompt_tokens + prices[1] * report.tokens) / 1e6
        _save(report, journal, {"inputs": inputs, "prices": list(prices) if prices else None})
        return report


def _save(report: SynthesisReport, journal: Journal, told: dict[str, Any]) -> None:
    """Write the rows and their card. Raises WorkshopError where no row was kept."""
    if not journal.kept:
        raise WorkshopError(
            f"None of {report.tries} rows by {report.model} could be kept: "
            f"{report.counted_reasons()}. Try a larger model, another temperature, or "
            "rewrite='answer'."
        )
    begin_card(report.path, _KIND, told["inputs"])
    write_conversations(journal.kept[: report.wanted], report.path, format="messages")
    size = report.path.stat().st_size
    card = {"kind": _KIND, "size_bytes": size, **told, "machine": machine(), "versions": versions()}
    write_card(report.path, card | {"report": {**report.to_dict(), "path": report.path.name}})
    journal.remove()


def _fill(
    writer: Writer, keeper: Keeper, journal: Journal, asking: Asking, count: int, progress: bool
) -> None:
    """Open the writer and let it write until the journal holds enough rows, if it does not yet."""
    limit = asking.tries or 5 * count + 20
    if len(journal.kept) >= count or journal.tries >= limit:
        return
    done = len(journal.kept)
    try:
        with writer, Bar("writing", count, "rows", shown=progress, completed=done) as bar:
            fill(writer, keeper, journal, asking, count, limit, bar)
    except WorkshopError as error:
        if not journal.kept:
            raise
        raise WorkshopError(
            f"{error} {len(journal.kept)} of {count} rows are kept: the same call goes on from "
            "there."
        ) from error


def _check_arguments(
    sources: Sources,
    count: int,
    asking: Asking,
    rewrite: str,
    prices: tuple[float, float] | None,
) -> None:
    language, temperature, tries = sources.language, asking.temperature, asking.tries
    wrong = {
        f'language is "{language}", must be one of {", ".join(LANGUAGES)}': language
        not in LANGUAGES,
        f"count is {count}, must be at least 1": count < 1,
        f"temperature is {temperature}, must be from 0 to 2": not 0 <= (temperature or 0) <= 2,
        f'rewrite is "{rewrite}", must be one of {", ".join(REWRITES)}': rewrite not in REWRITES,
        "prices must be two amounts: of a million tokens read, and written": prices is not None
        and (len(prices) != 2 or min(prices) < 0),
        f"tries is {tries}, must be at least 1": tries is not None and tries < 1,
    }
    faults = [fault for fault, found in wrong.items() if found]
    if faults:
        raise WorkshopError(f"Rows cannot be written so: {'; '.join(faults)}.")


def _stored(out: Path, inputs: dict[str, Any], count: int) -> SynthesisReport | None:
    """The report of the file in `out`, if it was made from these inputs and has as many rows."""
    card = equal_card(out, inputs)
    if card is None:
        return None
    try:
        report = SynthesisReport.from_dict(card["report"], path=out, resumed=0, reused=True)
        same = report.wanted == count and len(read_conversations(out)) == report.kept
    except (WorkshopError, KeyError, TypeError):
        return None
    return report if same else None
