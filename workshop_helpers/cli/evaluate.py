"""`workshop ask` and `workshop verify`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.cards import begin_card, file_hash, write_card
from ..core.errors import WorkshopError
from ..core.ownership import keep_apart, refuse_other
from .arguments import (
    MODEL_HELP,
    add_longest_answer,
    add_overwrite,
    add_system_text,
    add_verb,
    at_least_one,
    given,
    option,
    output_path,
    several,
    system_text,
)
from .output import OK, show

if TYPE_CHECKING:
    from ..evaluation.comparison import CandidateResult, Comparison

_KIND, _PAGE = "answers", "report of answers"


def add_evaluate_verbs(verbs: Any) -> None:
    """Add `ask` and `verify` to the subparsers `verbs`."""
    ask = add_verb(verbs, "ask", _ask, "ask a model one question", device=True)
    option(ask, "model", "MODEL", MODEL_HELP)
    several(ask, "question", "QUESTION", "the question, in quotes")
    add_system_text(ask)
    add_longest_answer(ask)

    verify = add_verb(
        verbs, "verify", _verify, "put the same questions to several models and score the answers",
        "A questions file has one JSON object a line: question, and optionally system, facts "
        "(strings that a right answer must contain), reference (a right answer) and language. Or a "
        "table or rows: where there are no facts, they are drawn from the answers.", device=True,
    )  # fmt: skip
    several(verify, "models", "MODEL", MODEL_HELP)
    asked = "the questions, or rows: .jsonl, .csv …"
    option(verify, "--questions", "FILE", asked, Path, required=True)
    known = "facts.yaml: what else is right (default: the one beside the questions)"
    option(verify, "--facts", "FILE", known, Path)
    option(verify, "--limit", "N", "ask only the first N questions", at_least_one)
    answers = "write every answer here (.jsonl), with what is found, missing or wrong, and why"
    option(verify, "--out", "FILE", answers, output_path)
    page = "write a report to look at: table, answers, what is wrong and why"
    option(verify, "--html", "FILE", page, output_path)
    add_overwrite(verify)
    add_longest_answer(verify)


def _ask(args: argparse.Namespace) -> int:
    from ..runtimes import ask

    question = " ".join(args.question)
    if len(args.question) > 1:
        raise WorkshopError(
            f"The question came as {len(args.question)} words. Put it in quotes, since a shell "
            f'takes signs such as ? and \' for its own: workshop ask {args.model} "{question}"'
        )
    if not question.strip():
        raise WorkshopError(
            'The question is empty. Write it in quotes: workshop ask mame "How much is shipping?"'
        )
    asked = {"model": args.model, "question": question, "system": system_text(args)}
    answer = ask(**asked, **given(args, "device", "max_new_tokens"))
    told = {"tokens": answer.tokens, "seconds": answer.seconds, "stopped": answer.stopped}
    show(args, {**asked, "answer": answer.text, **told}, answer.text)
    if not answer.stopped and not args.json:
        cut = f"(cut off after {answer.tokens} tokens; --max-new-tokens allows more)"
        print(cut, file=sys.stderr)
    return OK


def _verify(args: argparse.Namespace) -> int:
    from ..display import as_table
    from ..evaluation.candidates import Candidate
    from ..evaluation.comparison import compare
    from ..evaluation.shop import questions_of

    questions = questions_of(args.questions, args.facts)[: args.limit]
    written = {file: kind for file, kind in ((args.out, _KIND), (args.html, _PAGE)) if file}
    inputs = {file: inputs_of(args, file) for file in written}
    for file, kind in written.items():
        check_writable(file)
        refuse_other(file, kind, inputs[file], overwrite=args.overwrite)
    if args.out is not None and args.out == args.html:
        raise WorkshopError(f"--out and --html both name {args.out}. Give each a file of its own.")
    candidates = [Candidate(model, model) for model in dict.fromkeys(args.models)]
    how = given(args, "device", "max_new_tokens")
    comparison = compare(candidates, questions, progress=not args.json and told, **how)
    for file, kind in written.items():
        begin_card(file, kind, inputs[file])
        if kind == _KIND:
            comparison.answers_jsonl(file)
        else:
            _write_page(comparison, file, args.questions.name)
        write_card(file, {"kind": kind, "inputs": inputs[file], "size_bytes": file.stat().st_size})
    where = None if args.out is None else f"Every answer: {args.out}"
    look = None if args.html is None else f"To look at: {args.html}"
    show(args, comparison, as_table(comparison, "en").rich(), *_judged(comparison), where, look)
    return OK


def _write_page(comparison: Comparison, file: Path, name: str) -> None:
    from ..core.device import machine, versions
    from ..core.wordings import say
    from ..display import write_report

    title = say("display.report-scored", comparison.language, file=name)
    about = {"machine": machine(), "versions": versions()}
    write_report(file, language=comparison.language, title=title, comparison=comparison, **about)


def _judged(comparison: Comparison) -> list[Any]:
    """Which answers are not right and why, and what could not be judged."""
    from ..core.wordings import say
    from ..display.tables import faults_table

    faults = faults_table(comparison, "en")
    without, asked = comparison.unscored(), len(comparison.questions)
    nothing = not any(score.judged for row in comparison.rows for score in row.scores)
    some = say("scoring.some", n=without, all=asked) if without else None
    return [faults and faults.rich(), say("scoring.nothing") if nothing else some]


def told(row: CandidateResult) -> None:
    """Tell that a model has answered."""
    from ..display import percent

    done = f"{row.label}: {len(row.answers)} answers in {row.seconds:.1f} s"
    print(f"{done}, facts stated {percent(row.summary.recall)}", file=sys.stderr)


def inputs_of(args: argparse.Namespace, file: Path) -> dict[str, Any]:
    """What the answers are made of. Raises WorkshopError where `file`, to be written, is a part of
    it.
    """
    from ..models.identity import identity
    from ..models.resolve import folders_of, resolve

    refs = {model: resolve(model) for model in args.models}
    read = [file for file in (args.questions, args.facts) if file is not None]
    keep_apart(file, [*read, *(f for ref in refs.values() for f in folders_of(ref))])
    of_models = {m: identity(r) if r.kind != "ollama" else m for m, r in refs.items()}
    asked = {"questions": file_hash(args.questions), **given(args, "limit", "max_new_tokens")}
    if args.facts is not None:
        asked["facts"] = file_hash(args.facts)
    return {"models": of_models, **asked}


def check_writable(path: Path) -> None:
    """Say before minutes of work that its result could not be written."""
    if path.is_dir():
        raise WorkshopError(
            f"{path} is a folder. Give --out a file name, such as {path / 'answers.jsonl'}."
        )
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise WorkshopError(f"Cannot write to {folder}. Choose a folder you can write to.")
