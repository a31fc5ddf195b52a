"""`workshop evaluate`: figures with their intervals, likeness to references, and a judge."""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ..core.cards import begin_card, write_card
from ..core.errors import WorkshopError
from ..core.ownership import refuse_other
from .arguments import (
    MODEL_HELP,
    add_longest_answer,
    add_overwrite,
    add_verb,
    at_least_one,
    given,
    option,
    output_path,
    several,
)
from .evaluate import check_writable, inputs_of, told
from .output import OK, show

_KIND = "evaluation"


def add_evaluating_verb(verbs: Any) -> None:
    """Add `evaluate` to the subparsers `verbs`."""
    added = add_verb(
        verbs, "evaluate", _evaluate,
        "measure answers: facts with intervals, perplexity, ROUGE/BLEU/chrF, a judge",
        "The questions are those of `workshop verify`. Where they have a reference, the models' "
        "perplexity on it is measured, and how like it the answers are. The first MODEL is what "
        "the others are compared with, by their differences and by the judge.",
        device=True,
    )  # fmt: skip
    several(added, "models", "MODEL", MODEL_HELP)
    asked = "the questions, or rows: .jsonl, .csv …"
    option(added, "--questions", "FILE", asked, Path, required=True)
    known = "facts.yaml: what else is right (default: the one beside the questions)"
    option(added, "--facts", "FILE", known, Path)
    option(added, "--limit", "N", "ask only the first N questions", at_least_one)
    option(added, "--out", "FILE", "write figures and every answer here (.json)", output_path)
    add_overwrite(added)
    add_longest_answer(added)
    group = added.add_argument_group("a language model as the judge")
    option(
        group, "--judge", "URL", "any OpenAI-compatible server, such as http://localhost:11434/v1"
    )
    option(group, "--judge-model", "NAME", "its model (default: the only one)")
    option(group, "--key-env", "NAME", "environment variable with its key (OPENAI_API_KEY)")


def _evaluate(args: argparse.Namespace) -> int:
    from ..core.jsonio import write_json
    from ..display import as_table
    from ..display.evaluated import judge_lines
    from ..evaluation.candidates import Candidate
    from ..evaluation.evaluate import evaluate
    from ..evaluation.shop import questions_of
    from ..runtimes.openai import ChatServer

    models = list(dict.fromkeys(args.models))
    _check(args, models)
    questions = questions_of(args.questions, args.facts)[: args.limit]
    inputs: dict[str, Any] = {}
    if args.out is not None:
        inputs = {**inputs_of(args, args.out), **given(args, "judge", "judge_model")}
        check_writable(args.out)
        refuse_other(args.out, _KIND, inputs, overwrite=args.overwrite)
    candidates = [Candidate(model, model) for model in models]
    how = {**given(args, "device", "max_new_tokens"), "progress": not args.json and told}
    with ExitStack() as opened:
        if args.judge is not None:
            judge = ChatServer(args.judge, args.judge_model, key_env=args.key_env)
            how["server"] = opened.enter_context(judge)
        found = evaluate(candidates, questions, **how)
    if args.out is not None:
        begin_card(args.out, _KIND, inputs)
        write_json(args.out, found.to_dict())
        size = args.out.stat().st_size
        write_card(args.out, {"kind": _KIND, "inputs": inputs, "size_bytes": size})
    where = None if args.out is None else f"Figures and answers: {args.out}"
    show(args, found, as_table(found, "en").rich(), *judge_lines(found, "en"), where)
    return OK


def _check(args: argparse.Namespace, models: list[str]) -> None:
    """Say before minutes of work what cannot go together."""
    if args.judge is None and (args.judge_model or args.key_env):
        name = "--judge-model" if args.judge_model else "--key-env"
        raise WorkshopError(
            f"{name} is given, but no judge. Name its server: --judge http://localhost:11434/v1"
        )
    if args.judge is not None and len(models) < 2:
        raise WorkshopError(
            "A judge compares two answers, and there is one model. Name the one it is to be "
            f"compared with first: workshop evaluate mame {models[0]} …"
        )
