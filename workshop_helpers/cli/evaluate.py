"""`workshop ask` and `workshop verify`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import WorkshopError
from .arguments import (
    MODEL_HELP,
    add_longest_answer,
    add_system_text,
    add_verb,
    at_least_one,
    given,
    option,
    several,
    system_text,
)
from .output import OK, show

if TYPE_CHECKING:
    from ..evaluation.comparison import CandidateResult


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
        "(strings that a right answer must contain) and language.", device=True,
    )  # fmt: skip
    several(verify, "models", "MODEL", MODEL_HELP)
    option(verify, "--questions", "FILE", "the questions (.jsonl)", Path, required=True)
    option(verify, "--limit", "N", "ask only the first N questions", at_least_one)
    answers = "write every answer here (.jsonl): model, question, answer, found, missing, seconds"
    option(verify, "--out", "FILE", answers, Path)
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
    from ..dataset.questions import read_questions
    from ..display import as_table
    from ..evaluation.candidates import Candidate
    from ..evaluation.comparison import compare

    questions = read_questions(args.questions)[: args.limit]
    if args.out is not None:
        _check_writable(args.out, not_over=args.questions)
    candidates = [Candidate(model, model) for model in dict.fromkeys(args.models)]
    how = given(args, "device", "max_new_tokens")
    comparison = compare(candidates, questions, progress=not args.json and _told, **how)
    if args.out is not None:
        comparison.answers_jsonl(args.out)
    where = None if args.out is None else f"Every answer: {args.out}"
    show(args, comparison, as_table(comparison, "en").rich(), where)
    return OK


def _told(row: CandidateResult) -> None:
    from ..display import percent

    told = f"{row.label}: {len(row.answers)} answers in {row.seconds:.1f} s"
    print(f"{told}, facts stated {percent(row.summary.recall)}", file=sys.stderr)


def _check_writable(path: Path, *, not_over: Path) -> None:
    """Say before minutes of work that its result could not be written."""
    if path.is_dir():
        raise WorkshopError(
            f"{path} is a folder. Give --out a file name, such as {path / 'answers.jsonl'}."
        )
    if path.exists() and path.samefile(not_over):
        raise WorkshopError(f"--out would overwrite the questions in {path}. Give it another name.")
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise WorkshopError(f"Cannot write to {folder}. Choose a folder you can write to.")
