"""`workshop card` and `workshop push`: a card from what was recorded, and the way to the Hub."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .arguments import add_verb, flag, option, output_path
from .output import MISTAKE, OK, show


def add_publish_verbs(verbs: Any) -> None:
    """Add `card` and `push` to the subparsers `verbs`."""
    card = add_verb(
        verbs, "card", _card, "write the model card (README.md) of an adapter or a model",
        "Data, recipe, scores, forgetting and the licence of the base, from what was recorded; "
        "what was not measured says so.", overwrite=True,
    )  # fmt: skip
    option(card, "folder", "FOLDER", "an adapter or a model that the course made", Path)
    where = "the file (default: beside FOLDER, FOLDER.README.md; push sends it as README.md)"
    option(card, "--out", "FILE", where, output_path)
    option(card, "--name", "NAME", "the model's name (default: the folder's)")
    card.add_argument("--language", choices=("en", "ja"), default="en", help="of the text")
    scores = "what `workshop verify … --json` printed"
    option(card, "--scores", "FILE", scores, Path)
    option(card, "--forgetting", "FILE", "what `probe(…).to_dict()` gave, as JSON", Path)
    licence = "the Hub's name of the licence, for a base that is not in `workshop models`"
    option(card, "--license", "ID", licence)
    push = add_verb(
        verbs, "push", _push, "send a model and its card to the Hub",
        "Lists what would be sent, and sends nothing without --really. Keys, personal data, "
        "pickles and files that are no part of a model stay here.",
    )  # fmt: skip
    option(push, "folder", "FOLDER", "an adapter or a model", Path)
    option(push, "repo", "OWNER/NAME", "the repository; made if it is not there")
    flag(push, "--really", "send it")
    flag(push, "--public", "let everybody see a repository that is made now")
    option(push, "--endpoint", "URL", "another Hub (default: HF_ENDPOINT, or huggingface.co)")
    token = "environment variable with the token (default: %(default)s, or `hf auth login`)"
    option(push, "--key-env", "NAME", token, default="HF_TOKEN")


def _card(args: argparse.Namespace) -> int:
    from ..training.model_card import write_model_card

    path = write_model_card(
        args.folder, args.out, name=args.name, language=args.language, licence=args.license,
        scores=args.scores, forgetting=args.forgetting, overwrite=args.overwrite,
    )  # fmt: skip
    show(args, {"card": path}, ("card", str(path)))
    return OK


def _push(args: argparse.Namespace) -> int:
    from ..training.push import push

    plan, address = push(
        args.folder, args.repo, really=args.really, public=args.public, endpoint=args.endpoint,
        key_env=args.key_env,
    )  # fmt: skip
    show(
        args, {**plan.to_dict(), "commit": address},
        *((f"{size:,}", name) for name, size in plan.files.items()),
        ("bytes", f"{plan.bytes:,} in {len(plan.files)} files"),
        *(("stays", f"{name}: {why}") for name, why in plan.left.items()),
        *(("note", one) for one in plan.warnings),
        *(("✗", one) for one in plan.faults),
        ("sent", address) if address else "Nothing was sent. With --really it is.",
    )  # fmt: skip
    return MISTAKE if plan.faults else OK
