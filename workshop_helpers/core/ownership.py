"""What a command may write, and where: never onto what it reads, and never over what it did not
make itself.

All verbs that write ask here before they begin: `keep_apart` about what is read, `refuse_other`
about what is there already. `atomic_file` and `atomic_directory` look once more when they put the
result in its place.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .artifacts import WAY_OUT, AlreadyThere, absolute, already_there, refuse_foreign_folder
from .cards import card_path, read_card, same_inputs
from .errors import WorkshopError

# What tells how something was made, not of what: a new version of the course makes it again.
_TOOLS = ("converter", "runner", "stopped")
_SHORT = 40  # characters of a value that says something; longer ones are hashes, lists, texts
_NAMED = 4  # differences that are named


def keep_apart(out: Path | str, inputs: Iterable[Path | str | None]) -> None:
    """Raise WorkshopError where the file or folder to write is one of the `inputs` (paths; None is
    passed over), lies in one, or holds one: as the disk sees it, so links, other spellings and hard
    links are seen through. The card beside a file `out` is written, too, and counts.
    """
    final = absolute(out)
    targets = (final,) if final.is_dir() else (final, card_path(final))
    for given in inputs:
        if given is None:
            continue
        source = Path(given).expanduser()
        # A link, and what it points to: to replace the folder of either would lose it.
        places = {Path.cwd() / source, source.resolve()}
        if any(_same(target, place) for target in targets for place in places):
            raise WorkshopError(
                f"{out} would overwrite what is to be read ({given}). Give the result another name."
            )
        if any(_same(final, parent) for place in places for parent in place.parents):
            raise WorkshopError(
                f"{given}, which is to be read, lies in {out}, which is to be written. "
                "Choose another place for the result."
            )
        if source.is_dir() and any(_same(parent, source) for parent in final.parents):
            raise WorkshopError(
                f"{out} lies in {given}, which is to be read. Choose a place outside of it."
            )


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:  # one of them is not there
        return one == other


def refuse_other(out: Path | str, kind: str, inputs: dict[str, Any], *, overwrite: bool) -> None:
    """Raise WorkshopError (`AlreadyThere`, where `overwrite` would help), before any work, where
    `out` holds anything but what its card calls the result of the same `kind` and of equal
    `inputs`; the sentence says what is there.

    With `overwrite` a file is replaced whatever it is, and a folder where the same verb made it and
    nothing else lies in it: one gives up one's own results with it, not other files.
    """
    final = absolute(out)
    if not final.exists():
        return
    if final.is_dir():
        refuse_foreign_folder(final, {"kind": kind, "inputs": inputs})
    if overwrite or (final.is_dir() and not any(final.iterdir())):
        return
    card = read_card(final)
    if card is None or card.get("kind") != kind:
        raise already_there(out)
    made = f" on {card['made'][:10]}" if isinstance(card.get("made"), str) else ""
    if other := _differences(_without_tools(card.get("inputs")), _without_tools(inputs)):
        raise AlreadyThere(f"{out} was made{made} of other inputs ({other}). {WAY_OUT}")
    if "size_bytes" in card and card["size_bytes"] != final.stat().st_size:
        raise AlreadyThere(f"{out} has been changed since it was made{made}. {WAY_OUT}")


def _without_tools(inputs: Any) -> dict[str, Any]:
    inputs = inputs if isinstance(inputs, dict) else {}
    return {name: value for name, value in inputs.items() if name not in _TOOLS}


def _differences(before: dict[str, Any], now: dict[str, Any]) -> str:
    """What differs, such as "rows 10, now 100; another data"; nothing where nothing does."""
    flat = {}
    for name in (*before, *now):
        old, new = before.get(name), now.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            flat.update({part: (old.get(part), new.get(part)) for part in (*old, *new)})
        else:
            flat[name] = (old, new)
    found = [
        f"{name.replace('_', ' ')} {old}, now {new}"
        if len(str(old)) <= _SHORT and len(str(new)) <= _SHORT
        else f"another {name.replace('_', ' ')}"
        for name, (old, new) in flat.items()
        if not same_inputs(old, new)
    ]
    return "; ".join(found[:_NAMED]) + ("; …" if found[_NAMED:] else "")


def refuse_foreign_file(out: Path | str, kind: str, *, overwrite: bool) -> None:
    """Raise WorkshopError where a file `out` is there whose card does not call it a `kind`, without
    `overwrite`: for a view that tells of the newest run, whatever its inputs.
    """
    if absolute(out).exists() and not overwrite and (read_card(out) or {}).get("kind") != kind:
        raise already_there(out)
