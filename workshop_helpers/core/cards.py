"""Cards beside artifacts: how one was made, and whether an equal one exists already."""

from __future__ import annotations

import hashlib
import os
import time
import warnings
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from .artifacts import CARD, MEBIBYTE, absolute, json_text
from .errors import Note, WorkshopError
from .jsonio import jsonable, read_json, write_json


class Outdated(Note):
    """What answers was made from something that has been replaced since."""


def file_hash(path: Path | str) -> str:
    """SHA-256 (hex) of a file, or of a folder's names and files without cards and hidden files."""
    path = Path(path)
    digest = hashlib.sha256()
    if path.is_dir():
        for child in sorted(path.rglob("*")):
            name = child.relative_to(path)
            hidden = any(part.startswith(".") for part in name.parts)
            if child.is_file() and child.name != CARD and not hidden:
                line = f"{name.as_posix()}\0{file_hash(child)}\n"
                digest.update(line.encode("utf-8", "surrogateescape"))
        return digest.hexdigest()
    with open(path, "rb") as handle:
        while block := handle.read(8 * MEBIBYTE):
            digest.update(block)
    return digest.hexdigest()


def fingerprint(obj: Any) -> str:
    """SHA-256 (hex) of the canonical JSON of `obj`, independent of the order of keys."""
    text = json_text(jsonable(obj), indent=None, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def same_inputs(one: Any, other: Any) -> bool:
    """Whether two inputs of a card say the same; 64 and 64.0 do."""
    return bool(jsonable(one) == jsonable(other))


def card_path(artifact: Path | str) -> Path:
    """Where an artifact's card lies: ``card.json`` in a folder, ``X.card.json`` beside a file X."""
    artifact = Path(artifact)
    return artifact / CARD if artifact.is_dir() else artifact.with_name(f"{artifact.name}.{CARD}")


def write_card(artifact: Path | str, card: dict[str, Any]) -> None:
    """Write the card of an artifact: kind, inputs (hashes, recipe, seed), versions, machine,
    seconds, figures. ``made`` (ISO time, UTC) is added when it is missing.
    """
    made = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    write_json(card_path(artifact), {"made": made, **card})


def begin_card(file: Path | str, kind: str, inputs: dict[str, Any]) -> None:
    """Call it before `file` gets its name, and `write_card` after it. A run that ends between the
    two leaves no old card to vouch for the new file, and no new file that an equal run takes for
    somebody else's.
    """
    if Path(file).exists():
        card_path(file).unlink(missing_ok=True)
    else:
        write_card(file, {"kind": kind, "inputs": inputs, "begun": True})


def read_card(artifact: Path | str) -> dict[str, Any] | None:
    """The card of an artifact, or None when it has none or one that cannot be read."""
    try:
        card: dict[str, Any] = read_json(card_path(artifact), dict)
    except WorkshopError:
        return None
    return card


def made_from(source: Path | str | None, out: Path | str) -> dict[str, Any] | None:
    """For the card of `out`: where the artifact lies that it is made from, and of which inputs that
    is; None for a source without a card.
    """
    card = read_card(source) if source is not None and Path(source).exists() else None
    if card is None or source is None:
        return None
    try:
        path = os.path.relpath(absolute(source), absolute(out).parent)
    except ValueError:  # on another drive of Windows
        path = str(absolute(source))
    return {"path": Path(path).as_posix(), "inputs": fingerprint(card.get("inputs"))}


def ancestry(artifact: Path | str) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The place and card of `artifact`, of what it was made from, and so on: nearest first, as far
    as cards lead.
    """
    place, seen = absolute(artifact), set()
    while place not in seen and (card := read_card(place) if place.exists() else None) is not None:
        seen.add(place)
        yield place, card
        origin = card.get("from")
        if not isinstance(origin, dict) or not isinstance(origin.get("path"), str):
            return
        place = absolute(place.parent / origin["path"])


def outdated(artifact: Path | str) -> str | None:
    """A sentence where what `artifact` was made from has been replaced since, however many steps
    ago; None where it has not, or cannot be told. Reads cards alone.
    """
    for (_, made), (source, card) in pairwise(ancestry(artifact)):
        if fingerprint(card.get("inputs")) != made["from"].get("inputs"):
            return (
                f"{artifact} was made before {source} was replaced, and answers as that was. "
                "Make it again with --overwrite (in Python overwrite=True)."
            )
    return None


def warn_outdated(artifact: Path | str | None) -> None:
    """Warn (`Outdated`) as `outdated` says, in the name of the caller's caller."""
    if artifact is not None and (why := outdated(artifact)):
        warnings.warn(why, Outdated, stacklevel=3)


def equal_card(artifact: Path | str, inputs: dict[str, Any]) -> dict[str, Any] | None:
    """The card of an existing artifact made from equal `inputs`, else None.

    A file whose card says `size_bytes` must have that size.
    """
    artifact = Path(artifact)
    card = read_card(artifact) if artifact.exists() else None
    if card is None or "begun" in card or not same_inputs(card.get("inputs"), inputs):
        return None
    if "size_bytes" in card and card["size_bytes"] != artifact.stat().st_size:
        return None
    return card
