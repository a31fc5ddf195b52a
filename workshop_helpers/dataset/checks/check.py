"""The check of a training set: every row by itself, then the set as a whole, in one pass and in
bounded memory.

Quick: everything but tokenizing and near duplicates. In a large set the quick check looks at
amounts and number formats in a sample of the rows only; `summary["examined"]` says in how many.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ...core.errors import WorkshopError
from ...metrics.facts import ShopFacts
from ...models.resolve import ModelRef, resolve
from .amounts import Topics, enough, estimate
from .consistency import Answers, KnownFacts, Statements
from .findings import MOST_FINDINGS, CheckReport, Finding, in_order
from .leakage import HeldOut, Leakage, read_held_out
from .places import Places
from .prefilter import CONTENT, PERSONAL, first_look
from .repetition import NearDuplicates, Openings, check_repeated
from .row import Row
from .size import Tokens, check_short
from .structure import check_structure, from_fault, no_rows, other_encoding
from .style import Languages, Manners, NumberFormats, check_language, check_leftovers

if TYPE_CHECKING:
    from ..formats import Conversation

BATCH = 32  # rows that go through the checks together
DEFAULT_MAX_LENGTH = 512  # as LoraRecipe's, which stands above this module
Paths = str | Path | Sequence[str | Path]


class SetCheck(Protocol):
    """A check of the set as a whole, fed row by row."""

    def add(self, row: Row) -> Iterable[Finding]: ...
    def finish(self) -> list[Finding]: ...


def check(
    paths: Paths,
    *,
    against: Paths = (),
    model: str | Path | ModelRef = "mame",
    max_length: int | None = None,
    quick: bool = False,
    facts: str | Path | None = None,
    aim: str | None = None,
    progress: bool = True,
    format: str | None = None,
    columns: Mapping[str, str] | None = None,
    encoding: str | None = None,
    tokens_per_second: float | None = None,
    price_per_hour: float | None = None,
) -> CheckReport:
    """Everything that is wrong with one or several files of training rows, taken together as one
    set.

    against: validation and test files whose questions must not be trained on. model: whose
    tokenizer and template count the tokens; max_length: None takes the model's recipe's. quick:
    leave out tokens and near duplicates. facts: a facts file; None takes a `facts.yaml` beside the
    first file, where there is one. aim: "try", "useful" or "good". format, columns, encoding: as
    `records.open_rows` takes them. tokens_per_second, price_per_hour: for the estimate.

    The summary holds rows, tokens (None if quick), seconds, files (container, format, encoding, and
    why), examined, and what was measured: lengths, languages, manners, openings, topics, estimate.
    Raises WorkshopError for a file that cannot be opened, an unknown model or aim; what is wrong
    inside is a finding.
    """
    files, held = _listed(paths), _listed(against)
    if not files:
        raise WorkshopError("No file to check. Name at least one file of training rows.")
    _not_against_itself(files, held)
    enough(0, aim, "")  # says before minutes of work that there is no such aim
    begun = time.perf_counter()
    checker = Checker(
        held_out=[question for path in held for question in read_held_out(path)] if held else None,
        model=None if quick else model,
        max_length=max_length,
        facts=_facts(facts, files[0]),
        large=quick,
    )
    sources = [
        _read(checker, path, _Progress(progress), format, columns, encoding) for path in files
    ]
    report = checker.finish(aim, tokens_per_second, price_per_hour)
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


def _listed(paths: Paths) -> list[Path]:
    return [Path(path) for path in ((paths,) if isinstance(paths, str | Path) else paths)]


def _not_against_itself(files: list[Path], held: list[Path]) -> None:
    for path in held:
        if any(path.exists() and file.exists() and path.samefile(file) for file in files):
            raise WorkshopError(
                f"{path} is checked against itself, so every row would leak. Name the validation or test file."
            )


def _facts(facts: str | Path | None, first: Path) -> ShopFacts | None:
    if facts is not None:
        return ShopFacts.load(facts)
    beside = first.with_name("facts.yaml")
    if not beside.is_file():
        return None
    try:
        return ShopFacts.load(beside)
    except WorkshopError:
        return None  # a file of that name that nobody has asked for need not be ours


def _read(
    checker: Checker,
    path: Path,
    progress: _Progress,
    format: str | None,
    columns: Mapping[str, str] | None,
    encoding: str | None,
) -> dict[str, Any]:
    from ..formats import Conversation, open_rows

    before = checker.rows
    faults = 0
    waiting: list[Conversation] = []
    with open_rows(path, format=format, columns=columns, encoding=encoding) as reader:
        checker.places.open(str(path))
        for row in reader:
            if isinstance(row, Conversation):
                waiting.append(row)
                if len(waiting) == BATCH:
                    checker.take(waiting)
                    waiting.clear()
                    progress(checker.rows)
            else:
                faults += 1
                checker.keep([from_fault(row)])
        checker.take(waiting)
        source = reader.source
    progress.close()
    rows = checker.rows - before
    if not rows and not faults:
        checker.keep([no_rows(str(path))])
    if source.encoding not in ("", "unknown", "utf-8", "utf-8-sig", "ascii"):
        checker.keep([other_encoding(str(path), source.encoding)])
    return {
        "file": str(path),
        "rows": rows,
        "faults": faults,
        "container": source.container,
        "format": source.format,
        "encoding": source.encoding,
        "reason": str(source.reason),
    }


class _Progress:
    """Rows so far, on a terminal's error stream; nothing elsewhere."""

    def __init__(self, wanted: bool) -> None:
        self._on = wanted and sys.stderr.isatty()
        self._shown = 0

    def __call__(self, rows: int) -> None:
        if self._on and rows - self._shown >= 1024:
            self._shown = rows
            print(f"\rchecked {rows:,} rows", end="", file=sys.stderr, flush=True)

    def close(self) -> None:
        """Leave the line free for what follows."""
        if self._on:
            print("\r" + " " * 40 + "\r", end="", file=sys.stderr, flush=True)


class Checker:
    """All checks of one set, for rows wherever they come from: `row` by row or several at a time,
    then `finish`.

    held_out: questions that must not be trained on; model: None leaves out tokens and near
    duplicates; facts: what is known; large: look at amounts in a sample of the rows only, so that a
    million rows take seconds.
    """

    # In a large set: the first so many rows, and every so manieth after them.
    AMOUNTS = (1_000, 1_000)
    FORMATS = (10_000, 100)

    def __init__(
        self,
        *,
        held_out: Iterable[HeldOut] | None = None,
        model: str | Path | ModelRef | None = None,
        max_length: int | None = None,
        facts: ShopFacts | None = None,
        large: bool = False,
    ) -> None:
        self.places = Places()
        self.rows = 0
        self._findings: list[Finding] = []
        self._counts: dict[tuple[str, str], int] = {}
        self._answers = Answers(self.places)
        self._openings = Openings(self.places)
        self._manners = Manners(self.places)
        self._languages = Languages(self.places)
        self._topics = Topics(self.places)
        self._formats = NumberFormats(self.places)
        self._statements = Statements(self.places)
        self._known = KnownFacts(facts) if facts is not None else None
        self._large = large
        self._ref = resolve(model) if model is not None else None
        self._tokens: Tokens | None = None
        self._set_checks: list[SetCheck] = [
            self._answers,
            self._openings,
            self._manners,
            self._languages,
            self._topics,
        ]
        self._leakage: Leakage | None = None
        if held_out is not None:
            self._leakage = Leakage(held_out, near=model is not None)
            self._set_checks.append(self._leakage)
        if self._ref is not None:
            recipe = self._ref.origin.recipe if self._ref.origin else {}
            self._tokens = Tokens(
                self._ref, max_length or int(recipe.get("max_length", DEFAULT_MAX_LENGTH))
            )
            self._set_checks.append(NearDuplicates(self.places))
        self._checks: tuple[Callable[[Row], Iterable[Finding]], ...] = (
            check_texts,
            check_short,
            check_repeated,
            check_leftovers,
            check_language,
            *[one.add for one in self._set_checks],
        )

    def keep(self, findings: Iterable[Finding]) -> None:
        """Count findings, and keep them as long as there are not thousands of the same rule."""
        for found in findings:
            key = (found.rule, found.severity)
            times = self._counts.get(key, 0)
            self._counts[key] = times + 1
            if times < MOST_FINDINGS:
                self._findings.append(_masked(found))

    def row(self, conversation: Conversation) -> None:
        """Check one row, and take it into account for the set."""
        self.take([conversation])

    def take(self, conversations: Sequence[Conversation]) -> None:
        """As `row`, for several: check by check, so that each one's code stays in the processor's
        cache meanwhile.
        """
        rows: list[Row] = []
        for conversation in conversations:
            number = self.places.add(conversation)
            found = check_structure(conversation)
            if found:
                # Its turns are not what the other checks take them for.
                self.keep(found)
            else:
                rows.append(Row(number, conversation))
        self.rows += len(conversations)
        for check_row in self._checks:
            for row in rows:
                found = check_row(row)
                if found:
                    self.keep(found)
        for row in rows:
            self._count(row)

    def _count(self, row: Row) -> None:
        """What is costly: tokens and amounts."""
        if self._tokens is not None:
            self.keep(self._tokens.add(row.conversation))
        if self._sampled(row.number, self.FORMATS):
            self._formats.add(row)
            if self._sampled(row.number, self.AMOUNTS):
                self._statements.add(row)
                if self._known is not None:
                    self.keep(self._known.check(row.conversation))

    def _sampled(self, number: int, sample: tuple[int, int]) -> bool:
        return not self._large or number < sample[0] or number % sample[1] == 0

    def finish(
        self,
        aim: str | None = None,
        tokens_per_second: float | None = None,
        price_per_hour: float | None = None,
    ) -> CheckReport:
        """What only the whole set shows, and the report. Call it once, after the last row."""
        for one in (*self._set_checks, self._formats, self._statements):
            self.keep(one.finish())
        if self._tokens is not None:
            self.keep(self._tokens.finish())
        files = self.places.files
        if files and self.rows:
            self.keep(enough(self.rows, aim, files[0]))
        summary: dict[str, Any] = {
            "tokens": self._tokens.total if self._tokens else None,
            "examined": {
                "amounts": self._statements.rows,
                "number formats": self._formats.rows,
            },
            "lengths": self._tokens.summary() if self._tokens else {},
            "languages": self._languages.summary(),
            "manners": self._manners.summary(),
            "openings": self._openings.summary(),
            "topics": self._topics.counted,
        }
        if self._leakage is not None:
            summary["held_out"] = self._leakage.questions
        if self._tokens is not None and self._ref is not None and self.rows:
            summary["estimate"] = asdict(
                estimate(
                    self._tokens.total,
                    self._ref,
                    tokens_per_second=tokens_per_second,
                    price_per_hour=price_per_hour,
                    tokenizer=self._tokens.tokenizer,
                )
            )
        return CheckReport(_without_twice(in_order(self._findings, files)), summary, self._counts)


def check_texts(row: Row) -> Iterable[Finding]:
    """What `content` and `personal` find in one row; both rest on one look at it, which shows that
    most are clean.
    """
    signs = first_look(row.messages)
    if not signs:
        return ()
    from .content import content_findings
    from .personal import personal_findings

    found = content_findings(row.conversation) if signs & CONTENT else []
    return found + personal_findings(row.conversation) if signs & PERSONAL else found


# Where an excerpt was cut, half of an address or a number may stand that no pattern knows any more.
_CUT = re.compile(r"^…[\w.+%@-]*[@\d][\w.+%@-]*|[\w.+%@-]*[@\d][\w.+%@-]*…$", re.ASCII)


def _masked(found: Finding) -> Finding:
    """The finding without personal data in its excerpt: a report is passed around."""
    from .personal import mask

    if not found.excerpt or found.rule.startswith(("pii-", "secret")):
        return found
    return replace(found, excerpt=mask(_CUT.sub("…", found.excerpt))[0])


def _without_twice(findings: list[Finding]) -> list[Finding]:
    """One finding where two checks say the same of the same two rows."""
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
