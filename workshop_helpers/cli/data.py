"""`workshop data …`: check, clean, split, convert, preview and make training rows.

`data check` exits with 0 when nothing but notes was found, 1 for warnings, 2 for errors; the other
verbs as `workshop` does everywhere.
"""

from __future__ import annotations

import argparse
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.cards import begin_card, file_hash, write_card
from ..core.ownership import keep_apart, refuse_other
from .arguments import (
    READ_HELP,
    above_zero,
    add_group,
    add_overwrite,
    add_reading,
    add_verb,
    at_least_one,
    flag,
    given,
    option,
    output_path,
    read_options,
    several,
)
from .output import OK, first_ten, show

if TYPE_CHECKING:
    from ..dataset.checks.split import SplitReport

WIDTH = 120
_REPORT = "report of a check"
_WEIGHED = 1000  # rows of a file on which the base model is tried


def add_data_verbs(verbs: Any) -> None:
    """Add `data` and its verbs to the subparsers `verbs`."""
    data = add_group(
        verbs, "data", "check, clean, split, convert, preview and make training rows", "."
    )
    verb = partial(add_verb, data)
    for add in (_add_check, _add_clean, _add_split, _add_convert, _add_preview, _add_imports,
                _add_synthesize):  # fmt: skip
        add(verb)


def _in_and_out(to: Any, what: str, made: str) -> None:
    option(to, "file", "IN", what, Path)
    option(to, "out", "OUT", made, output_path)
    add_overwrite(to)


def _seed(to: Any) -> None:
    option(to, "--seed", "N", "(default: %(default)s)", int, default=0)


def _against(to: Any, what: str) -> None:
    several(to, "--against", "FILE", what, Path, action="extend", default=[])


def _skip_faults(to: Any) -> None:
    flag(to, "--skip-faults", "leave out rows that cannot be read")


def _formulas(to: Any) -> None:
    flag(to, "--formulas", "no apostrophe in CSV before what a spreadsheet would compute (=, +, …)")


def _report_language(to: Any) -> None:
    to.add_argument(
        "--language", choices=("en", "ja"), help="of the report (default: the terminal's)"
    )


def _language(args: argparse.Namespace) -> str:
    if args.language:
        return str(args.language)
    named = (os.environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    return "ja" if next(filter(None, named), "").startswith("ja") else "en"


def _add_check(verb: Any) -> None:
    check = verb(
        "check", _check, "find every fault of training rows before they are trained on",
        "Several files are one set. Exit code 0: clean, or notes only; 1: warnings; 2: errors.",
    )  # fmt: skip
    several(check, "files", "FILE", READ_HELP, Path)
    held_out = "validation or test rows, or a questions file: nothing of it may stand in FILE"
    _against(check, held_out)
    option(check, "--html", "FILE", "write a report to look at", output_path)
    add_overwrite(check)
    flag(check, "--quick", "leave out tokens and near duplicates: a million rows")
    tokenizer = "whose tokenizer counts the tokens (default: %(default)s)"
    check.add_argument("--model", default="mame", help=tokenizer)
    longest = "tokens of a row (default: the model's recipe)"
    option(check, "--max-length", "N", longest, at_least_one)
    option(check, "--facts", "FILE", "facts.yaml (default: the one beside FILE)", Path)
    check.add_argument("--aim", choices=("try", "useful", "good"), help="how many rows are enough")
    speed = "training speed, for the estimate"
    option(check, "--tokens-per-second", "X", speed, above_zero)
    option(check, "--price-per-hour", "X", "of the machine, for the estimate", above_zero)
    _report_language(check)
    add_reading(check)


def _check(args: argparse.Namespace) -> int:
    from ..core.wordings import say
    from ..dataset.checks import check_rows
    from ..display.findings import afterword, findings_table, write_findings

    asked = given(args, "model", "max_length", "quick", "aim", "tokens_per_second",
                  "price_per_hour")  # fmt: skip
    language, where = _language(args), None
    if args.html is not None:
        # also facts that merely lie beside the rows
        facts = args.facts or args.files[0].with_name("facts.yaml")
        read = [*args.files, *args.against, *([facts] if facts.is_file() else [])]
        keep_apart(args.html, [*read, facts, args.model])
        hashes = [file_hash(file) for file in read if file.is_file()]
        inputs = {"rows": hashes, "language": language, **asked, **read_options(args)}
        refuse_other(args.html, _REPORT, inputs, overwrite=args.overwrite)
    report = check_rows(
        args.files, progress=not args.json, **given(args, "against", "facts"), **asked,
        **read_options(args),
    )  # fmt: skip
    if args.html is not None:
        begin_card(args.html, _REPORT, inputs)
        size = write_findings(report, args.html, language).stat().st_size
        write_card(args.html, {"kind": _REPORT, "inputs": inputs, "size_bytes": size})
        where = say("findings.report", language, path=args.html)
    said = [] if args.quick else _weigh(args, report)
    after = "\n".join([*afterword(report, language), *(one.said(language) for one in said)])
    show(args, report, findings_table(report, language), after, where, width=WIDTH)
    return report.exit_code


def _weigh(args: argparse.Namespace, report: Any) -> list[Any]:
    """What to say of the base model for these rows: nothing without torch, or where none can be
    read.
    """
    import itertools

    from ..dataset.formats import Conversation, open_rows
    from ..evaluation.fit import weigh_base

    rows: list[Any] = []
    for file in args.files:
        with open_rows(file, **read_options(args)) as reader:
            every = (row for row in reader if isinstance(row, Conversation))
            rows += itertools.islice(every, _WEIGHED)
    if not rows:
        return []
    try:
        fit, better, said = weigh_base(args.model, rows)
    except ModuleNotFoundError:  # the rows can be checked without what trains on them
        return []
    report.summary["base"] = {**fit.to_dict(), "better": better and better.to_dict()}
    return said


def _add_clean(verb: Any) -> None:
    clean = verb(
        "clean", _clean, "make the safe repairs in a copy, and log each of them",
        "White space, characters, exact duplicates; lists and code keep their lines. IN stays as "
        "it is.",
    )  # fmt: skip
    _in_and_out(clean, READ_HELP, "the cleaned file")
    flag(clean, "--mask", "also put stand-ins for names, numbers, addresses")
    flag(clean, "--no-nfc", "leave composed characters as is")
    _skip_faults(clean)
    add_reading(clean)


def _clean(args: argparse.Namespace) -> int:
    from ..dataset.checks import clean

    how = {"mask_personal": args.mask, "nfc": not args.no_nfc,
           **given(args, "skip_faults", "overwrite")}  # fmt: skip
    report = clean(args.file, args.out, **how, **read_options(args))
    changes = [change.diff().removesuffix("\n") for change in report.changes]
    told = ", ".join(f"{count:,} × {rule}" for rule, count in report.counts.items()) or "nothing"
    left_out = f"{len(report.faults):,} rows that cannot be read"
    show(
        args,
        {**vars(report), "counts": report.counts},
        *first_ten(changes, f"… and {{}} more changes in {report.log}"),
        ("changed", told),
        ("left out", left_out) if report.faults else None,
        _rejected(report.rejected),
        ("file", f"{report.out}: {report.kept:,} of {report.rows:,} rows"),
        None if report.log is None else ("log", report.log),
    )
    return OK


def _rejected(count: int) -> tuple[str, str] | None:
    return ("left out", f"{count:,} rows with rejected answers") if count else None


def _add_split(verb: Any) -> None:
    split = verb(
        "split", _split, "share rows out to train, validation and test files",
        "Near duplicates stay on one side; every side gets its share of each topic.",
    )  # fmt: skip
    option(split, "file", "FILE", READ_HELP, Path)
    option(split, "--out", "DIR", "a new folder", output_path, required=True)
    add_overwrite(split)
    parts = "train:validation:test, or train:test (default: 8:1:1)"
    option(split, "--ratios", "8:1:1", parts, _ratios, default=(8.0, 1.0, 1.0))
    _seed(split)
    add_reading(split)


def _ratios(text: str) -> tuple[float, ...]:
    return tuple(float(part) for part in text.split(":"))


_ratios.__name__ = "ratio such as 8:1:1"  # argparse names the type in its message


def _split(args: argparse.Namespace) -> int:
    from ..dataset.checks import split

    how = {**given(args, "ratios", "seed", "overwrite"), **read_options(args)}
    report = split(args.file, args.out, **how)
    sides = [
        (name, f"{rows:,} rows  {report.files.get(name, '(empty: not written)')}")
        for name, rows in report.rows.items()
    ]
    together = f"{report.groups:,}; near duplicates stay together, at most {report.largest:,} rows"
    notes = [("note", note) for note in report.notes]
    drawn = f"{report.questions}: facts drawn for {report.scored:,} of {len(report.asked):,}; edit"
    questions = [("questions", f"{drawn} them there"), *_drawn(report)] if report.questions else []
    show(args, report, *sides, ("groups", together), *notes, *questions)
    return OK


def _drawn(report: SplitReport) -> list[str]:
    """The first questions with the facts that a right answer must state."""
    facts = ["; ".join(" | ".join(item) for item in one.expected()) for one in report.asked]
    lines = [f"{one.question} → {f or '–'}" for one, f in zip(report.asked, facts, strict=True)]
    return [f"  {line}" for line in first_ten(lines, "… and {} more")]


def _add_convert(verb: Any) -> None:
    convert = verb(
        "convert", _convert, "write rows in another format",
        "The container goes by the name of OUT. What the format cannot hold is refused.",
    )  # fmt: skip
    _in_and_out(convert, READ_HELP, "the file to write")
    option(convert, "--to", "FORMAT", "alpaca, messages, sharegpt, gemini, …")
    flag(convert, "--nfc", "write characters in one part (NFC)")
    _formulas(convert)
    _skip_faults(convert)
    add_reading(convert)


def _convert(args: argparse.Namespace) -> int:
    from ..dataset.formats import convert

    how = given(args, "to", "nfc", "skip_faults", "formulas", "overwrite")
    report = convert(args.file, args.out, **how, **read_options(args))
    left_out = first_ten(report.faults, "… and {} more rows")
    show(
        args,
        report,
        ("read", report.source.reason),
        ("file", f"{report.out}: {report.rows:,} rows"),
        ("NFC", f"{report.normalised:,} texts normalised") if report.normalised else None,
        _rejected(report.rejected),
        *[("left out", fault) for fault in left_out],
    )
    return OK


def _add_preview(verb: Any) -> None:
    preview = verb("preview", _preview, "what the model really sees: template, tokens, loss")
    option(preview, "file", "FILE", READ_HELP, Path)
    preview.add_argument("--model", default="mame", help="whose template (default: %(default)s)")
    option(preview, "--rows", "N", "how many (default: %(default)s)", int, default=3)
    option(preview, "--max-length", "N", "tokens of a row", int)
    _report_language(preview)
    add_reading(preview)


def _preview(args: argparse.Namespace) -> int:
    from ..display.preview import preview

    how = {**given(args, "model", "rows", "max_length"), **read_options(args)}
    shown = preview(args.file, language=_language(args), **how)
    show(args, [row.to_dict() for row in shown], shown, width=WIDTH)
    return OK


def _add_imports(verb: Any) -> None:
    def source(added: Any, what: str) -> None:
        _in_and_out(added, what, "the rows to write")
        option(added, "--to", "FORMAT", "format of the rows")
        _formulas(added)

    table = verb("from-csv", _from_csv, "rows from a table: CSV, TSV or Excel")
    source(table, "the table")
    option(table, "--question", "COLUMN", "its column of questions")
    option(table, "--answer", "COLUMN", "its column of answers")

    page = verb("from-faq", _from_faq, "rows from a FAQ page: HTML or Markdown")
    source(page, "the page, saved as a file")

    code = verb("from-python", _from_python, "rows from Python code: docstring to implementation")
    source(code, "a .py file or a folder of them")
    code.add_argument("--language", choices=("en", "ja"), default="en", help="of the instructions")


def _from_csv(args: argparse.Namespace) -> int:
    from ..dataset.importers import rows_from_table

    return _write(args, rows_from_table(args.file, question=args.question, answer=args.answer))


def _from_faq(args: argparse.Namespace) -> int:
    from ..dataset.importers import rows_from_faq

    return _write(args, rows_from_faq(args.file))


def _from_python(args: argparse.Namespace) -> int:
    from ..dataset.importers import rows_from_python

    return _write(args, rows_from_python(args.file, language=args.language))


def _write(args: argparse.Namespace, rows: Any) -> int:
    from ..dataset.formats import write_conversations

    keep_apart(args.out, [args.file])
    how = {"format": args.to, **given(args, "overwrite", "formulas")}
    report = write_conversations(rows, args.out, **how)
    show(
        args,
        {**vars(report), "skipped": dict(rows.skipped), "note": rows.note},
        ("made", rows.summary()),
        ("file", f"{report.path} ({report.format})"),
        ("next", f"workshop data check {report.path}"),
    )
    return OK


def _add_synthesize(verb: Any) -> None:
    added = verb(
        "synthesize", _synthesize, "new rows from a language model, each checked before it is kept",
        "Paraphrases the rows of --source, or writes rows from --facts, through any "
        "OpenAI-compatible server. The key is read from the environment.",
    )  # fmt: skip
    option(added, "out", "OUT", "the rows to write", output_path)
    option(added, "--source", "FILE", "rows to paraphrase", Path)
    option(added, "--facts", "FILE", "facts.yaml to write rows from", Path)
    added.add_argument("--language", choices=("en", "ja"), default="en", help="(default: en)")
    option(added, "--count", "N", "rows (default: %(default)s)", int, default=20)
    server = "the server's API (default: %(default)s)"
    option(added, "--server", "URL", server, default="http://localhost:11434/v1")
    option(added, "--model", "NAME", "its name there (default: the only one)")
    offline = "run a catalogue model, a folder or a GGUF file here, without a server"
    option(added, "--offline-model", "MODEL", offline)
    _against(added, "held-out questions that must not come up")
    option(added, "--temperature", "X", "(default: %(default)s)", float, default=0.8)
    _seed(added)
    option(added, "--key-env", "NAME", "environment variable with the key (OPENAI_API_KEY)")
    added.add_argument(
        "--prices", nargs=2, type=float, metavar=("READ", "WRITTEN"),
        help="of a million tokens, for the cost",
    )  # fmt: skip
    add_overwrite(added)


def _synthesize(args: argparse.Namespace) -> int:
    from ..dataset.synthesis import Asking, Sources, synthesize
    from ..models.resolve import folders_of, resolve
    from ..runtimes.writers import writer_for

    if args.offline_model is not None:
        keep_apart(args.out, folders_of(resolve(args.offline_model)))
    report = synthesize(
        args.out,
        Sources(args.language, args.source, args.facts, args.against),
        writer_for(args.server, args.model, args.offline_model, key_env=args.key_env),
        count=args.count,
        asking=Asking(temperature=args.temperature, seed=args.seed),
        prices=tuple(args.prices) if args.prices else None,
        overwrite=args.overwrite,
        progress=not args.json,
    )
    rejected = [f"{reason}: {text[:80]!r}" for reason, text in report.rejected]
    lines = first_ten(rejected, "… and {} more (--json lists them)")
    show(args, report, str(report), *[("rejected", line) for line in lines])
    return OK
