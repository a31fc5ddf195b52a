"""The check of a training set: each row and the set as a whole, in one pass and bounded memory.

The quick check leaves out tokens and near duplicates. In a large set it checks amounts and number
formats only in a sample of the rows; `summary["examined"]` gives its size.
"""

from __future__ import annotations

import contextlib
import gc
import itertools
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...core.errors import WorkshopError
from ...core.progress import Bar
from ...metrics.facts import ShopFacts
from ...models.resolve import ModelRef, resolve
from ..formats import Conversation, Fault, Pairs, RowReader, open_rows
from ..formats.encodings import spoken
from .amounts import Topics, enough, estimate
from .consistency import Answers, KnownFacts, Statements
from .content import content_findings
from .findings import (
    MOST_FINDINGS,
    RULES,
    CheckReport,
    Finding,
    Place,
    finding,
    in_order,
    shorten,
    word,
)
from .leakage import HeldOut, Leakage, read_held_out
from .personal import hide, personal_findings
from .prefilter import CONTENT, PERSONAL, find_signs, scanned
from .repetition import NearDuplicates, Openings, check_repeated, may_repeat
from .row import CheckedRow, Places, Rows, SetCheck
from .size import Tokens, check_short, may_be_short
from .structure import OtherFields
from .style import Languages, Manners, NumberFormats, check_language, check_leftovers, may_mix

# Rows per call of `Checker.take`, and for which each check is called after the other in a set that
# is not large: it says which of too many findings are kept.
WAITING, BATCH = 1024, 32
_MOST_WAITING = 8_000_000  # characters
DEFAULT_MAX_LENGTH = 512  # LoraRecipe's default; this room cannot import it
Seen = Iterator[tuple[bool, int]]  # of `scanned`
Paths = str | Path | Sequence[str | Path]


def check_rows(
    paths: Paths,
    *,
    against: Paths = (),
    model: str | Path | ModelRef = "mame",
    max_length: int | None = None,
    quick: bool = False,
    facts: str | Path | ShopFacts | None = None,
    aim: str | None = None,
    language: str = "en",
    progress: bool = True,
    format: str | None = None,
    columns: Mapping[str, str] | None = None,
    encoding: str | None = None,
    take: str | None = None,
    tokens_per_second: float | None = None,
    price_per_hour: float | None = None,
) -> CheckReport:
    """Check one or several files of training rows as one set.

    against: validation and test files whose questions must not be trained on. model: its tokenizer
    and template count the tokens; max_length: default from the model's recipe. quick: leave out
    tokens and near duplicates. facts: known facts, or their file (default: a `facts.yaml` in the
    folder of the first file). aim: "try", "useful" or "good". language: in which the report shows
    itself. format, columns, encoding, take: as for `open_rows`. tokens_per_second, price_per_hour:
    for the estimate.

    The summary contains rows, tokens (None if quick), seconds, files (container, format, encoding,
    reason), examined, lengths, languages, manners, openings, topics, other_fields and estimate.
    Raises WorkshopError for a file that cannot be opened and for an unknown model or aim; problems
    inside a file are findings.
    """
    files, held = _listed(paths), _listed(against)
    if not files:
        raise WorkshopError("No file to check. Name at least one file of training rows.")
    _not_against_itself(files, held)
    enough(0, aim, "")  # raises for an unknown aim before minutes of work
    begun = time.perf_counter()
    checker = Checker(
        held_out=[question for path in held for question in read_held_out(path)] if held else None,
        model=None if quick else model,
        max_length=max_length,
        facts=_facts(facts, files[0]),
        large=quick,
    )
    reading = {"format": format, "columns": columns, "encoding": encoding, "take": take}
    with Bar("checked", None, "rows", shown=progress) as bar, _few_collections():
        sources = [_read(checker, path, bar, reading) for path in files]
    report = checker.finish(aim, tokens_per_second, price_per_hour)
    report.language = language
    report.summary = {
        "rows": checker.rows,
        "tokens": report.summary.pop("tokens"),
        "seconds": round(time.perf_counter() - begun, 3),
        "quick": quick,
        "model": None if quick else str(model.name if isinstance(model, ModelRef) else model),
        "files": sources,
        "against": [str(path) for path in held],
        **report.summary,
    }
    return report


@contextlib.contextmanager
def _few_collections() -> Iterator[None]:
    """Python looks for cycles rarely: rows have none, and looking takes a tenth of the time."""
    before = gc.get_threshold()
    gc.set_threshold(100_000, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _listed(paths: Paths) -> list[Path]:
    return [Path(path) for path in ((paths,) if isinstance(paths, str | Path) else paths)]


def _not_against_itself(files: list[Path], held: list[Path]) -> None:
    for path in held:
        if any(path.exists() and file.exists() and path.samefile(file) for file in files):
            raise WorkshopError(
                f"{path} is checked against itself, so every row would leak. "
                "Name the validation or test file."
            )


def _facts(facts: str | Path | ShopFacts | None, first: Path) -> ShopFacts | None:
    if isinstance(facts, ShopFacts):
        return facts
    if facts is not None:
        return ShopFacts.load(facts)
    beside = first.with_name("facts.yaml")
    try:
        return ShopFacts.load(beside) if beside.is_file() else None
    except WorkshopError:
        return None  # it was not requested, and may belong to another tool


def _read(checker: Checker, path: Path, bar: Bar, reading: dict[str, Any]) -> dict[str, Any]:
    rows, faults = checker.rows, checker.faults
    with open_rows(path, **reading) as reader:
        checker.places.open(str(path))
        for batch, seen in _scanned_ahead(_batches(reader, checker)):
            checker.take(batch, seen)
            bar.reach(checker.rows)
        source = reader.source
    rows, faults = checker.rows - rows, checker.faults - faults
    start = Place(str(path), 1)
    if not rows and not faults:
        checker.keep([finding("empty-file", start, "no-rows")])
    if source.encoding not in ("", "unknown", "utf-8", "utf-8-sig", "ascii"):
        # The file was read correctly, but other tools may not detect the encoding.
        name, advice = spoken(source.encoding), word("to-utf-8")
        told: dict[str, Any] = {"severity": "note", "advice": advice, "name": name}
        checker.keep([finding("encoding", start, "other-encoding", **told)])
    how = {key: getattr(source, key) for key in ("container", "format", "encoding", "reason")}
    return {"file": str(path), "rows": rows, "faults": faults, **how}


def _batches(reader: RowReader, checker: Checker) -> Iterator[Sequence[Conversation]]:
    waiting: list[Conversation] = []
    size = 0
    for rows in reader.batches():
        if isinstance(rows, Pairs):
            yield waiting
            yield rows
            waiting, size = [], 0
            continue
        for row in rows:
            if not isinstance(row, Conversation):
                checker.faults += 1
                checker.keep([_from_fault(row)])
                continue
            waiting.append(row)
            size += len(row.messages[-1].content)
            if len(waiting) == WAITING or size > _MOST_WAITING:
                yield waiting
                waiting, size = [], 0
    yield waiting


def _scanned_ahead(
    batches: Iterable[Sequence[Conversation]],
) -> Iterator[tuple[Sequence[Conversation], Seen]]:
    """Batches, each with its scan, which goes on while the batch before is checked."""
    before: list[tuple[Sequence[Conversation], Seen]] = []
    for batch in batches:
        before.append((batch, scanned(batch)))
        if len(before) > 1:
            yield before.pop(0)
        del batch
    yield from before


def _from_fault(fault: Fault) -> Finding:
    """A reader's fault as a finding of the same rule."""
    told = fault.file, fault.line, fault.message, fault.fix, shorten(fault.excerpt)
    return Finding(fault.rule, RULES.get(fault.rule, "error"), *told)


class Checker:
    """All checks of one set of rows: call `take` for the rows, then `finish`.

    held_out: questions that must not be trained on; model: None leaves out tokens and near
    duplicates; facts: the known facts; large: check amounts only in a sample of the rows.
    """

    def __init__(
        self,
        *,
        held_out: Iterable[HeldOut] | None = None,
        model: str | Path | ModelRef | None = None,
        max_length: int | None = None,
        facts: ShopFacts | None = None,
        large: bool = False,
    ) -> None:
        self.places = places = Places()
        self.rows = self.faults = 0
        self._findings: list[Finding] = []
        self._counts: Counter[tuple[str, str]] = Counter()
        self._large = large
        self._ref = resolve(model) if model is not None else None
        self._tokens: Tokens | None = None
        self._formats, self._statements = NumberFormats(places), Statements(places)
        self._sampled: list[SetCheck] = [self._formats, self._statements]
        if facts is not None:
            self._sampled.append(KnownFacts(places, facts))
        kinds = (Answers, Languages, Manners, OtherFields, Openings, Topics)
        self._every: list[SetCheck] = [kind(places) for kind in kinds]
        if held_out is not None:
            self._every.append(Leakage(places, held_out, near=model is not None))
        if self._ref is not None:
            recipe = self._ref.origin.recipe if self._ref.origin else {}
            most = max_length or int(recipe.get("max_length", DEFAULT_MAX_LENGTH))
            self._tokens = Tokens(places, self._ref, most)
            self._every += [NearDuplicates(places), self._tokens]

    def keep(self, findings: Iterable[Finding]) -> None:
        """Count findings, and keep at most MOST_FINDINGS of each rule and severity."""
        for found in findings:
            key = (found.rule, found.severity)
            self._counts[key] += 1
            if self._counts[key] <= MOST_FINDINGS:
                self._findings.append(_masked(found))

    def take(self, conversations: Sequence[Conversation], seen: Seen | None = None) -> None:
        """Check rows, and add them to the checks of the set. seen: their scan, already begun."""
        seen = seen or scanned(conversations)
        step = max(1, len(conversations)) if self._large else BATCH
        if not self._large:
            conversations = list(conversations)  # each is looked at several times
        for start in range(0, len(conversations), step):
            some = conversations[start : start + step]
            self._take(Rows(self.places.add(some), some, itertools.islice(seen, len(some))))

    def _take(self, rows: Rows) -> None:
        """Check a few rows, check by check."""
        self.rows += len(rows)
        for may_find, check in _OF_ROWS:
            for place in may_find(rows):
                self.keep(check(rows[place]))
        for one in self._every:
            self.keep(one.take(rows))
        for sampled in self._sampled:
            first, every = sampled.SAMPLE if self._large else SetCheck.SAMPLE
            for place, number in enumerate(rows.numbers):
                if number < first or number % every == 0:
                    self.keep(sampled.add(rows[place]))

    def finish(
        self,
        aim: str | None = None,
        tokens_per_second: float | None = None,
        price_per_hour: float | None = None,
    ) -> CheckReport:
        """Run the checks of the whole set and return the report; call it once, at the end."""
        checks, files, tokens = (*self._every, *self._sampled), self.places.files, self._tokens
        for check in checks:
            self.keep(check.finish())
        if files and self.rows:
            self.keep(enough(self.rows, aim, files[0]))
        examined = {"amounts": self._statements.rows, "number formats": self._formats.rows}
        summary: dict[str, Any] = {"tokens": None, "examined": examined, "lengths": {}}
        for check in checks:
            summary |= check.summary()
        if tokens is not None and self._ref is not None and self.rows:
            summary["estimate"] = estimate(
                tokens.total,
                self._ref,
                tokens_per_second=tokens_per_second,
                price_per_hour=price_per_hour,
                tokenizer=tokens.tokenizer,
            )
        return CheckReport(_without_twice(in_order(self._findings, files)), summary, self._counts)


def check_texts(row: CheckedRow) -> Iterable[Finding]:
    """Findings of content and personal data in one row, if the prefilter finds signs of them."""
    signs = find_signs(row.messages)
    if not signs:
        return ()
    found = content_findings(row.conversation) if signs & CONTENT else []
    return found + personal_findings(row.conversation) if signs & PERSONAL else found


def _not_plain(rows: Rows) -> list[int]:
    return [place for place, plain in enumerate(rows.plain) if not plain]


# The checks of single rows, each behind the search for the places of those that it must look at.
_OF_ROWS: tuple[
    tuple[Callable[[Rows], list[int]], Callable[[CheckedRow], Iterable[Finding]]], ...
] = (
    (_not_plain, check_texts),
    (may_be_short, check_short),
    (may_repeat, check_repeated),
    (_not_plain, check_leftovers),
    (may_mix, check_language),
)


# A cut excerpt may end in part of an address or number, which no pattern matches.
_CUT = re.compile(
    r"^…[A-Za-z_.+%-]*[@\d][\w.+%@-]*|(?<![\w.+%@-])[A-Za-z_.+%-]*[@\d][\w.+%@-]*…$", re.ASCII
)


def _masked(found: Finding) -> Finding:
    """The finding with personal data in its excerpt masked: reports are shared."""
    if not found.excerpt or found.rule.startswith(("pii-", "secret")):
        return found
    return replace(found, excerpt=hide(_CUT.sub("…", found.excerpt)))


def _without_twice(findings: list[Finding]) -> list[Finding]:
    """Without findings that repeat a stronger one about the same rows."""
    exact = {(f.file, f.line) for f in findings if f.rule in ("duplicate", "contradicting-fact")}
    seen: set[tuple[object, ...]] = set()
    kept = []
    for found in findings:
        place = (found.file, found.line)
        key = (*place, found.rule, found.other_file, found.other_line, found.excerpt)
        weaker = found.rule in ("near-duplicate", "conflicting-answers")
        if (weaker and place in exact and found.other_line is not None) or key in seen:
            continue
        seen.add(key)
        kept.append(found)
    return kept
