"""`workshop data …`: check, clean, split, convert, preview and make training rows.

`data check` exits with 0 when nothing but notes was found, 1 for warnings, 2 for errors; the other
verbs as `workshop` does everywhere.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from ..core.errors import WorkshopError
from ..core.jsonio import to_json
from .parts import OK, add_verb, console

READ_HELP = "training rows: .jsonl, .json, .csv, .tsv, .xlsx, .parquet or .txt, also .gz"


def add_data_verbs(subparsers: Any, common: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Add `data` and its verbs to a parser's subparsers; `common` holds the options that every verb
    has.
    """
    summary = "check, clean, split, convert, preview and make training rows"
    data = subparsers.add_parser(
        "data", help=summary, description=f"{summary[0].upper()}{summary[1:]}.", parents=[common]
    )
    verbs = data.add_subparsers(title="verbs", metavar="VERB", required=True)

    verb = partial(add_verb, verbs, common, json="print the result as JSON")
    _add_check(verb)
    _add_clean_and_split(verb)
    _add_convert_and_preview(verb)
    _add_making(verb)
    return data


Verb = Callable[..., argparse.ArgumentParser]


def _reading(added: argparse.ArgumentParser) -> None:
    group = added.add_argument_group("how the file is read (found out by itself otherwise)")
    group.add_argument("--format", metavar="NAME", help="alpaca, messages, sharegpt, gemini, …")
    group.add_argument("--question-column", metavar="NAME", help="column that holds the question")
    group.add_argument("--answer-column", metavar="NAME", help="column that holds the answer")
    group.add_argument("--encoding", metavar="NAME", help="utf-8, cp932, euc_jp, …")


def _read_options(args: argparse.Namespace) -> dict[str, Any]:
    columns = {
        name: value
        for name, value in (("question", args.question_column), ("answer", args.answer_column))
        if value
    }
    return {"format": args.format, "columns": columns or None, "encoding": args.encoding}


def _language(added: argparse.ArgumentParser) -> None:
    added.add_argument(
        "--language", choices=("en", "ja"), help="of the report (default: the terminal's)"
    )


def _labels(args: argparse.Namespace) -> str:
    if args.language:
        return str(args.language)
    locale = next(
        (os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), ""
    )
    return "ja" if locale.startswith("ja") else "en"


# --- check ----------------------------------------------------------------------------------------


def _add_check(verb: Verb) -> None:
    added = verb(
        "check", _check, "find every fault of training rows before they are trained on",
        "Several files are one set. Exit code 0: clean, or notes only; 1: warnings; 2: errors.",
    )  # fmt: skip
    added.add_argument("files", nargs="+", type=Path, metavar="FILE", help=READ_HELP)
    added.add_argument(
        "--against", nargs="+", action="extend", default=[], type=Path, metavar="FILE",
        help="validation or test rows, or a questions file: nothing of it may stand in FILE",
    )  # fmt: skip
    added.add_argument("--html", type=Path, metavar="FILE", help="write a report to look at")
    added.add_argument(
        "--quick", action="store_true", help="leave out tokens and near duplicates: a million rows"
    )
    added.add_argument(
        "--model", default="mame", help="whose tokenizer counts the tokens (default: %(default)s)"
    )
    added.add_argument(
        "--max-length", type=int, metavar="N", help="tokens of a row (default: the model's recipe)"
    )
    added.add_argument(
        "--facts", type=Path, metavar="FILE", help="facts.yaml (default: the one beside FILE)"
    )
    added.add_argument("--aim", choices=("try", "useful", "good"), help="how many rows are enough")
    added.add_argument(
        "--tokens-per-second", type=float, metavar="X", help="training speed, for the estimate"
    )
    added.add_argument(
        "--price-per-hour", type=float, metavar="X", help="of the machine, for the estimate"
    )
    _language(added)
    _reading(added)


def _check(args: argparse.Namespace) -> int:
    from ..dataset.checks import check

    for name in ("max_length", "tokens_per_second", "price_per_hour"):
        value = getattr(args, name)
        if value is not None and value <= 0:
            raise WorkshopError(f"--{name.replace('_', '-')} is {value}; it must be above 0.")
    if args.html is not None:
        _not_over(args.html, [*args.files, *args.against])
    report = check(
        args.files,
        against=args.against,
        model=args.model,
        max_length=args.max_length,
        quick=args.quick,
        facts=args.facts,
        aim=args.aim,
        progress=not args.json,
        tokens_per_second=args.tokens_per_second,
        price_per_hour=args.price_per_hour,
        **_read_options(args),
    )
    language = _labels(args)
    if args.html is not None:
        from ..display.findings import write_findings

        write_findings(report, args.html, language)
    if args.json:
        print(to_json(report.to_dict()))
    else:
        from ..display.findings import LABELS, afterword, findings_table

        console(120).print(findings_table(report, language))
        print("\n".join(afterword(report, language)))
        if args.html is not None:
            print(LABELS[language]["report"].format(path=args.html))
    return report.exit_code


def _not_over(out: Path, inputs: list[Path]) -> None:
    for path in inputs:
        if out.exists() and path.exists() and out.samefile(path):
            raise WorkshopError(f"{out} is one of the files to be read. Give it another name.")


# --- clean and split ------------------------------------------------------------------------------


def _add_clean_and_split(verb: Verb) -> None:
    added = verb(
        "clean", _clean, "make the safe repairs in a copy, and log each of them",
        "White space, characters, exact duplicates; lists and code keep their lines. IN stays as it is.",
    )  # fmt: skip
    added.add_argument("file", type=Path, metavar="IN", help=READ_HELP)
    added.add_argument("out", type=Path, metavar="OUT", help="the cleaned file")
    added.add_argument(
        "--mask", action="store_true", help="also mask e-mail addresses, names, numbers"
    )
    added.add_argument("--no-nfc", action="store_true", help="leave composed characters as is")
    added.add_argument(
        "--skip-faults", action="store_true", help="leave out rows that cannot be read"
    )
    _reading(added)

    added = verb(
        "split", _split, "share rows out to train, validation and test files",
        "Near duplicates stay on one side; every side gets its share of each topic.",
    )  # fmt: skip
    added.add_argument("file", type=Path, metavar="FILE", help=READ_HELP)
    added.add_argument("--out", required=True, type=Path, metavar="DIR", help="a new folder")
    added.add_argument(
        "--ratios", type=_ratios, default=(8.0, 1.0, 1.0), metavar="8:1:1",
        help="train:validation:test, or train:test (default: 8:1:1)",
    )  # fmt: skip
    added.add_argument("--seed", type=int, default=0, metavar="N", help="(default: %(default)s)")
    _reading(added)


def _ratios(text: str) -> tuple[float, ...]:
    return tuple(float(part) for part in text.split(":"))


_ratios.__name__ = "ratio such as 8:1:1"  # argparse names the type in its message


def _clean(args: argparse.Namespace) -> int:
    from ..dataset.checks import clean

    report = clean(
        args.file,
        args.out,
        mask_personal=args.mask,
        nfc=not args.no_nfc,
        skip_faults=args.skip_faults,
        **_read_options(args),
    )
    if args.json:
        print(to_json({**vars(report), "counts": report.counts}))
        return OK
    for change in report.changes[:10]:
        print(change.diff(), end="")
    if len(report.changes) > 10:
        print(f"… and {len(report.changes) - 10:,} more changes in {report.log}")
    told = ", ".join(f"{count:,} × {rule}" for rule, count in report.counts.items()) or "nothing"
    print(f"changed    {told}")
    if report.faults:
        print(f"left out   {len(report.faults):,} rows that cannot be read")
    print(f"file       {report.out}: {report.kept:,} of {report.rows:,} rows")
    if report.log is not None:
        print(f"log        {report.log}")
    return OK


def _split(args: argparse.Namespace) -> int:
    from ..dataset.checks import split

    report = split(args.file, args.out, ratios=args.ratios, seed=args.seed, **_read_options(args))
    if args.json:
        print(to_json(report))
        return OK
    for name, rows in report.rows.items():
        print(f"{name:11}{rows:,} rows  {report.files.get(name, '(empty: not written)')}")
    print(
        f"{'groups':11}{report.groups:,}; near duplicates stay together, at most {report.largest:,} rows"
    )
    for note in report.notes:
        print(f"{'note':11}{note}")
    return OK


# --- convert and preview --------------------------------------------------------------------------


def _add_convert_and_preview(verb: Verb) -> None:
    added = verb(
        "convert", _convert, "write rows in another format",
        "The container goes by the name of OUT. What the format cannot hold is refused.",
    )  # fmt: skip
    added.add_argument("file", type=Path, metavar="IN", help=READ_HELP)
    added.add_argument("out", type=Path, metavar="OUT", help="the file to write")
    added.add_argument("--to", metavar="FORMAT", help="alpaca, messages, sharegpt, gemini, …")
    added.add_argument("--nfc", action="store_true", help="write characters in one part (NFC)")
    added.add_argument(
        "--skip-faults", action="store_true", help="leave out rows that cannot be read"
    )
    _reading(added)

    added = verb("preview", _preview, "what the model really sees: template, tokens, loss")
    added.add_argument("file", type=Path, metavar="FILE", help=READ_HELP)
    added.add_argument("--model", default="mame", help="whose template (default: %(default)s)")
    added.add_argument(
        "--rows", type=int, default=3, metavar="N", help="how many (default: %(default)s)"
    )
    added.add_argument("--max-length", type=int, metavar="N", help="tokens of a row")
    _language(added)


def _convert(args: argparse.Namespace) -> int:
    from ..dataset.formats import convert

    report = convert(
        args.file,
        args.out,
        to=args.to,
        nfc=args.nfc,
        skip_faults=args.skip_faults,
        **_read_options(args),
    )
    if args.json:
        print(to_json(report))
        return OK
    print(f"read       {report.source.reason}")
    print(f"file       {report.out}: {report.rows:,} rows")
    if report.normalised:
        print(f"NFC        {report.normalised:,} texts normalised")
    for fault in report.faults[:10]:
        print(f"left out   {fault}")
    if len(report.faults) > 10:
        print(f"left out   … and {len(report.faults) - 10:,} more rows")
    return OK


def _preview(args: argparse.Namespace) -> int:
    from ..display.preview import preview

    shown = preview(
        args.file,
        model=args.model,
        rows=args.rows,
        max_length=args.max_length,
        language=_labels(args),
    )
    if args.json:
        print(to_json([row.to_dict() for row in shown]))
    else:
        console(120).print(shown)
    return OK


# --- making rows ----------------------------------------------------------------------------------


def _add_making(verb: Verb) -> None:
    def source(added: argparse.ArgumentParser, what: str) -> None:
        added.add_argument("file", type=Path, metavar="IN", help=what)
        added.add_argument("out", type=Path, metavar="OUT", help="the rows to write")
        added.add_argument("--to", metavar="FORMAT", help="format of the rows")

    added = verb("from-csv", _from_csv, "rows from a table: CSV, TSV or Excel")
    source(added, "the table")
    added.add_argument("--question", metavar="COLUMN", help="its column of questions")
    added.add_argument("--answer", metavar="COLUMN", help="its column of answers")

    added = verb("from-faq", _from_faq, "rows from a FAQ page: HTML or Markdown")
    source(added, "the page, saved as a file")

    added = verb("from-python", _from_python, "rows from Python code: docstring to implementation")
    source(added, "a .py file or a folder of them")
    added.add_argument("--language", choices=("en", "ja"), default="en", help="of the instructions")

    added = verb(
        "synthesize", _synthesize, "new rows from a language model, each checked before it is kept",
        "Paraphrases the rows of --source, or writes rows from --facts, through any OpenAI-compatible server. The key "
        "is read from the environment.",
    )  # fmt: skip
    added.add_argument("out", type=Path, metavar="OUT", help="the rows to write")
    added.add_argument("--source", type=Path, metavar="FILE", help="rows to paraphrase")
    added.add_argument("--facts", type=Path, metavar="FILE", help="facts.yaml to write rows from")
    added.add_argument("--language", choices=("en", "ja"), default="en", help="(default: en)")
    added.add_argument(
        "--count", type=int, default=20, metavar="N", help="rows (default: %(default)s)"
    )
    added.add_argument(
        "--server", metavar="URL", default="http://localhost:11434/v1",
        help="the server's API (default: %(default)s)",
    )  # fmt: skip
    added.add_argument("--model", metavar="NAME", help="its name there (default: the only one)")
    added.add_argument(
        "--offline-model", metavar="MODEL",
        help="run a catalogue model, a folder or a GGUF file here, without a server",
    )  # fmt: skip
    added.add_argument(
        "--against", nargs="+", action="extend", default=[], type=Path, metavar="FILE",
        help="held-out questions that must not come up",
    )  # fmt: skip
    added.add_argument(
        "--temperature", type=float, default=0.8, metavar="X", help="(default: %(default)s)"
    )
    added.add_argument("--seed", type=int, default=0, metavar="N", help="(default: %(default)s)")
    added.add_argument(
        "--key-env", metavar="NAME", help="environment variable with the key (OPENAI_API_KEY)"
    )
    added.add_argument(
        "--prices", nargs=2, type=float, metavar=("READ", "WRITTEN"),
        help="of a million tokens, for the cost",
    )  # fmt: skip
    added.add_argument("--overwrite", action="store_true", help="make OUT again")


def _from_csv(args: argparse.Namespace) -> int:
    from ..dataset.importers import rows_from_table

    return _made(args, rows_from_table(args.file, question=args.question, answer=args.answer))


def _from_faq(args: argparse.Namespace) -> int:
    from ..dataset.importers import rows_from_faq

    return _made(args, rows_from_faq(args.file))


def _from_python(args: argparse.Namespace) -> int:
    from ..dataset.importers import rows_from_python

    return _made(args, rows_from_python(args.file, language=args.language))


def _made(args: argparse.Namespace, rows: Any) -> int:
    from ..dataset.formats import write_conversations

    _not_over(args.out, [args.file])
    report = write_conversations(rows, args.out, format=args.to)
    if args.json:
        print(to_json({**vars(report), "skipped": dict(rows.skipped), "note": rows.note}))
        return OK
    print(f"made       {rows.summary()}")
    print(f"file       {report.path} ({report.format})")
    print(f"next       workshop data check {report.path}")
    return OK


def _synthesize(args: argparse.Namespace) -> int:
    from ..dataset.synthesis import synthesize

    report = synthesize(
        args.out,
        source=args.source,
        facts=args.facts,
        language=args.language,
        count=args.count,
        server=args.server,
        model=args.model,
        offline_model=args.offline_model,
        against=args.against,
        temperature=args.temperature,
        seed=args.seed,
        key_env=args.key_env,
        prices=tuple(args.prices) if args.prices else None,
        overwrite=args.overwrite,
        progress=not args.json,
    )
    if args.json:
        print(to_json(report.to_dict()))
        return OK
    print(report)
    for reason, text in report.rejected[:10]:
        print(f"rejected   {reason}: {text[:80]!r}")
    if len(report.rejected) > 10:
        print(f"rejected   … and {len(report.rejected) - 10:,} more (--json lists them)")
    return OK
