"""`workshop try`: rows of one's own, from the file to a quantized model and a report.

Each step is the command that it shows, with its defaults; a step whose result is there is not done
again.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.artifacts import AlreadyThere, data_path
from ..core.errors import WorkshopError
from ..core.ownership import keep_apart
from ..core.wordings import say
from .arguments import (
    DEFAULT_TYPES,
    MODEL_HELP,
    READ_HELP,
    add_reading,
    add_verb,
    flag,
    option,
    output_path,
    read_options,
    several,
)
from .convert import check_types
from .output import OK, console, show_json
from .walk import Walk, reporting, write_page

if TYPE_CHECKING:
    from rich.console import Console

    from ..dataset.formats import Conversation
    from ..evaluation.fit import Base, Fit

_KIND = "try report"
_RATIOS = (4.0, 1.0)
_NAMED = 5  # rules of findings that are named
_OTHERS = 100
# The type to chat with, where it is among those made.
SERVED, CAREFUL = "Q4_K_M", "Q8_0"  # the second where the first would take the tuning away
Agree = Callable[[str], bool]


def add_own_verb(verbs: Any) -> None:
    """Add `try` to the subparsers `verbs`."""
    own = add_verb(
        verbs, "try", _try, "your own rows, all the way: check, train, score, quantize, report",
        "Walks check, clean, split, train, verify, merge, gguf and quantize with good defaults, "
        "shows each as the command that you could type, and writes OUT/report.html. Asks before "
        "it downloads or replaces something; goes on where it was stopped.",
        device=True, overwrite=True,
    )  # fmt: skip
    option(own, "file", "FILE", READ_HELP, Path)
    asked = "held-out questions: .jsonl, or rows (default: a fifth of FILE is kept back for them)"
    option(own, "--questions", "FILE", asked, Path)
    base = f"the base model: {MODEL_HELP} (default: the best for the rows and this machine)"
    option(own, "--model", "MODEL", base)
    types = "quantization types (default: Q8_0 Q4_K_M Q2_K)"
    several(own, "--to", "TYPE", types, default=DEFAULT_TYPES)
    where = "where to write (default: runs/ and the name of FILE)"
    option(own, "--out", "DIR", where, output_path)
    flag(own, "--yes", "agree to what would be asked")
    add_reading(own)


def _try(args: argparse.Namespace) -> int:
    # With --json stdout is the report's alone.
    quiet = contextlib.redirect_stdout(sys.stderr) if args.json else contextlib.nullcontext()
    with quiet:
        report = run_try(
            args.file,
            args.out,
            questions=args.questions,
            model=args.model,
            types=args.to,
            device=args.device,
            overwrite=args.overwrite,
            agree=(lambda question: True) if args.yes else at_the_terminal,
            screen=console(),
            **read_options(args),
        )
    if args.json:
        show_json(report)
    return OK


def at_the_terminal(question: str) -> bool:
    """Ask the person; WorkshopError where nobody sits there."""
    if not sys.stdin.isatty():
        raise WorkshopError(f"{question} Nobody is there to ask: --yes agrees.")
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes", "はい")


def run_try(
    file: Path,
    out: Path | None = None,
    *,
    questions: Path | None = None,
    model: str | None = None,
    types: Sequence[str] = DEFAULT_TYPES,
    device: str | None = None,
    overwrite: bool = False,
    agree: Agree = at_the_terminal,
    screen: Console | None = None,
    **reading: Any,
) -> dict[str, Any]:
    """Take the rows in `file` all the way, into the folder `out`, and write ``report.html`` and
    ``report.json`` there; returns what the latter holds.

    `questions`: held-out questions, by default a fifth of the rows. `model`: by default the one
    that fits the rows' subject and language, and the machine. `agree` is asked before a download,
    and before results of other inputs are replaced. `reading`: as `open_rows` takes it. Raises
    WorkshopError as the steps do, and for rows with errors that cleaning does not mend.
    """
    from ..models.resolve import folders_of, resolve

    # What cannot be run is refused before anything is written.
    out = Path(out or Path("runs") / file.stem).expanduser()
    keep_apart(out, [file, questions, *(folders_of(resolve(model)) if model else ())])
    check_types(types)
    screen = screen or console()
    made = _Own(file, out, questions, model, types, device, agree, screen, reading)
    try:
        return made.walk(overwrite)
    except AlreadyThere as error:
        if overwrite or not agree(f"{error} Make all anew?"):
            raise
        return made.walk(overwrite=True)


class _Own:
    """What `run_try` was asked for; `walk` does it."""

    def __init__(
        self, file: Path, out: Path, questions: Path | None, model: str | None,
        types: Sequence[str], device: str | None, agree: Agree, screen: Console,
        reading: dict[str, Any],
    ) -> None:  # fmt: skip
        self.file, self.out, self.asked, self.model = file, out, questions, model
        self.types, self.device, self.agree, self.screen = types, device, agree, screen
        self.reading = reading

    def walk(self, overwrite: bool) -> dict[str, Any]:
        from ..core.device import machine, versions

        about = {"machine": machine(), "versions": versions()}
        page, head = self.out / "report.html", {"file": str(self.file), **about}
        language, seen = self._language(), self.screen
        with reporting(
            self.out, [page], _KIND, seen, overwrite=overwrite, language=language, **head
        ) as report:
            # The model is known when the rows are weighed.
            walk = Walk(
                language,
                self.out,
                self.model or "",
                self.types,
                self.device,
                overwrite,
                self.screen,
                count=10 if self.asked is None else 9,
                data=self.file,
            )
            report["check"] = self._check(walk)
            rows, test = self._prepare(walk)
            report["base"] = self._weigh(walk, rows)
            self._train_and_compare(walk, rows)
            walk.make_smaller(self.adapter, test or self._not_trained_on(walk.language))
            walk.show()
            title = say("display.report-own", walk.language, file=self.file.name)
            write_page(walk, page, _KIND, title=title, **about)
            report |= {"model": walk.model, "language": walk.language, **walk.to_dict()}
        self._goodbye(walk)
        return report

    def _language(self) -> str:
        """In which the walk is told: the rows' own."""
        from ..dataset.formats import Conversation, open_rows
        from ..evaluation.fit import rows_language

        with open_rows(self.file, **self.reading) as reader:
            rows = [row for row in itertools.islice(reader, 50) if isinstance(row, Conversation)]
        return "ja" if rows and rows_language(rows) == "ja" else "en"

    def _not_trained_on(self, language: str) -> list[Conversation]:
        """Where no row was kept back, the shop's serve to measure what quantization costs."""
        from ..dataset.formats import read_conversations

        return read_conversations(data_path("shop", f"train.{language}.jsonl"), limit=_OTHERS)

    def _check(self, walk: Walk) -> dict[str, Any]:
        """The findings by rule. Errors may still be mended by cleaning."""
        from ..dataset.checks import check_rows

        against = ("--against", self.asked) if self.asked else ()
        with walk.step("check", "data", "check", self.file, *against):
            report = check_rows(
                self.file, against=[self.asked] if self.asked else (), progress=False,
                **self.reading,
            )  # fmt: skip
            counts = Counter(found.severity for found in report.findings)
            kinds = {kind: counts[kind] for kind in ("error", "warning", "note")}
            walk.tell(walk.say("found", rows=report.summary["rows"], **kinds))
            rules = Counter(f.rule for f in report.findings if f.severity != "note")
            for rule, count in rules.most_common(_NAMED):
                walk.tell(f"{count} × {rule}")
        return {"rows": report.summary["rows"], "findings": dict(counts), "rules": dict(rules)}

    def _prepare(self, walk: Walk) -> tuple[list[Conversation], list[Conversation]]:
        """The rows to train on, and those kept back, of the cleaned copy."""
        from ..dataset.checks import clean, split
        from ..dataset.formats import read_conversations

        suffixes = self.file.suffixes[-2 if self.file.suffix.lower() == ".gz" else -1 :]
        copy = self.out / f"clean{''.join(suffixes)}"
        again: dict[str, Any] = {"overwrite": walk.overwrite}
        columns: dict[str, Any] = {"columns": self.reading.get("columns")}
        with walk.step("clean", "data", "clean", self.file, copy):
            cleaned = clean(self.file, copy, **again, **self.reading)
            for rule, count in cleaned.counts.items():
                walk.tell(f"{count} × {rule}")
        self._refuse_errors(copy, columns)
        walk.data, rows, test = copy, read_conversations(copy, **columns), []
        if self.asked is None:
            parts, ratios = self.out / "parts", ":".join(f"{one:g}" for one in _RATIOS)
            with walk.step("split", "data", "split", copy, "--out", parts, "--ratios", ratios):
                shared = split(copy, parts, ratios=_RATIOS, **again, **columns)
                for note in shared.notes:
                    walk.tell(note)
                if shared.questions is None:
                    raise WorkshopError(
                        f"{self.file} leaves no row to ask about. Write rows that differ more, or "
                        "give questions of your own: --questions FILE."
                    )
                scored, asked = shared.scored, len(shared.asked)
                walk.tell(walk.say("asked", n=scored, all=asked, file=shared.questions))
            walk.data, self.questions = shared.files["train"], shared.questions
            rows = read_conversations(walk.data, **columns)
            test = read_conversations(shared.files["test"], **columns)
        else:
            self.questions = self.asked
        return rows, test

    def _refuse_errors(self, copy: Path, columns: dict[str, Any]) -> None:
        from ..dataset.checks import check_rows

        report = check_rows(copy, quick=True, progress=False, **columns)
        errors = [found for found in report.findings if found.severity == "error"]
        if errors:
            raise WorkshopError(
                f"{len(errors)} errors are left after cleaning, the first in line "
                f"{errors[0].line}: {errors[0].message} `workshop data check {copy}` names each, "
                f"with its remedy. Mend them in {self.file}, and run this again."
            )

    def _weigh(self, walk: Walk, rows: list[Conversation]) -> dict[str, Any]:
        """Choose the base where none was named, and say what to expect."""
        from ..evaluation.fit import weigh_base

        with walk.step("weigh"):
            fit, better, said = weigh_base(self.model or "mame", rows, self.device, measured=True)
            for sentence in said:
                walk.tell(sentence.said(walk.language))
            walk.model = self.model or self._choose(walk, fit, better)
            for model in dict.fromkeys((walk.model, fit.model)):
                walk.tell(self._expected(walk, fit, model))
            walk.tell(self._takes(walk, rows))
        return {**fit.to_dict(), "better": better and better.to_dict()}

    def _choose(self, walk: Walk, fit: Fit, better: Base | None) -> str:
        """The better base, once it is here; the bundled one where it is not to be had."""
        from ..models.packages.get import get_model

        if better is None:
            return fit.model
        entry = better.choice.entry
        if not better.choice.here:
            question = say("walk.fetch", walk.language, model=entry.name, licence=entry.licence)
            if entry.gated or not self.agree(question):
                return fit.model
            get_model(entry.name)
        return entry.name

    def _expected(self, walk: Walk, fit: Fit, model: str) -> str:
        from ..evaluation.fit import recorded

        found = recorded(model, walk.language)
        values: dict[str, Any] = {"model": model}
        if fit.inside and model == fit.model and not found:
            return say("walk.known", walk.language, **values)
        if found is None:
            return say("fit.expect-unknown", walk.language, **values)
        shares = dict.fromkeys(f"{share:.0%}" for share in found)  # one where both are alike
        return say("fit.expect", walk.language, **values, share="–".join(shares))

    def _takes(self, walk: Walk, rows: list[Conversation]) -> str:
        from ..evaluation.fit import duration
        from ..training.measure import training_seconds
        from ..training.recipe import LoraRecipe

        recipe = LoraRecipe.for_model(walk.model)
        seconds = training_seconds(walk.model, rows, recipe, self.device)
        values = {"model": walk.model, "rows": len(rows), "time": duration(seconds)}
        return say("fit.takes", walk.language, **values)

    def _train_and_compare(self, walk: Walk, rows: list[Conversation]) -> None:
        from ..evaluation.candidates import Candidate
        from ..evaluation.shop import questions_of

        questions = questions_of(self.questions)
        self.adapter = walk.train(rows, self.out / "adapter").adapter
        base, tuned = say("candidates.base", walk.language), walk.tuned(len(rows))
        candidates = [Candidate(base, walk.model), Candidate(tuned, self.adapter)]
        walk.compare(candidates, questions, self.questions)

    def _goodbye(self, walk: Walk) -> None:
        from ..gguf.quantize import opened_from

        made = walk.quantization.rows
        base = opened_from(made[0].path)
        served = CAREFUL if base and base[1] == SERVED else SERVED
        file = next((row.path for row in made if row.type == served), made[-1].path)
        self.screen.print(say("walk.chat", walk.language), style="bold")
        for command in (f"chat {file}", f"ollama create {self.file.stem} {file}"):
            self.screen.print(f"  workshop {command}", markup=False, soft_wrap=True)
