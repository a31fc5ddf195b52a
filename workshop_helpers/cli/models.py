"""`workshop models`: what the course knows."""

from __future__ import annotations

import argparse
from typing import Any

from .arguments import add_verb
from .output import OK, show, table


def add_models_verb(verbs: Any) -> None:
    """Add `models` to the subparsers `verbs`."""
    add_verb(verbs, "models", _models, "the models that the course knows: size, memory, licence")


def _models(args: argparse.Namespace) -> int:
    from ..models.catalogue import CATALOGUE

    entries = list(CATALOGUE.values())
    gated = " (gated: accept it on the model's page)"
    rows = [
        {
            "name": entry.name,
            "hub id": entry.hub_id or "bundled",
            "parameters": f"{entry.parameters / 1e6:,.1f} M",
            "languages": ", ".join(entry.languages),
            "LoRA GB": f"{entry.lora_memory_gb:g}",
            "QLoRA GB": "-" if entry.qlora_memory_gb is None else f"{entry.qlora_memory_gb:g}",
            "licence": entry.licence + (gated if entry.gated else ""),
        }
        for entry in entries
    ]
    listed = table(
        list(rows[0]),
        [list(row.values()) for row in rows],
        right=("parameters", "LoRA GB", "QLoRA GB"),
        title="Models that the course knows",
    )
    estimated = ", ".join(entry.name for entry in entries if not entry.measured)
    note = f"Memory is estimated, not measured, for: {estimated}." if estimated else None
    show(args, [entry.to_dict() for entry in entries], listed, note)
    return OK
