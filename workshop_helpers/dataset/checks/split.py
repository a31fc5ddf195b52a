"""A training file in two or three parts, so that what is tested was not trained on.

Rows that say nearly the same are one group and stay on one side: shuffled apart they would leak.
Where rows have a topic, every side gets its share of each.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ...core.artifacts import atomic_directory
from ...core.cards import file_hash, write_card
from ...core.errors import WorkshopError
from .leakage import asked, content_words
from .similarity import plain

if TYPE_CHECKING:
    from ..formats import Conversation

NAMES = {2: ("train", "test"), 3: ("train", "validation", "test")}
NEAR = 0.7  # stricter than the check for leakage (0.8), so that what is split here passes there


@dataclass
class SplitReport:
    """What a split did. files, rows: by side; groups: how many sets of rows stay together; largest:
    rows of the greatest one; topics: how many there are; notes: what could not be done, and why.
    """

    out: Path
    files: dict[str, Path]
    rows: dict[str, int]
    groups: int
    largest: int
    topics: int
    notes: list[str] = field(default_factory=list)


def split(
    source: str | Path,
    out_dir: str | Path,
    *,
    ratios: Sequence[float] = (8, 1, 1),
    seed: int = 0,
    format: str | None = None,
    columns: Mapping[str, str] | None = None,
    encoding: str | None = None,
) -> SplitReport:
    """Write train, validation and test files (two ratios: train and test) into a folder; the source
    stays as it is.

    ratios: how the rows are shared out; seed: the same one gives the same sides. Needs datasketch.
    Raises WorkshopError for ratios that make no sense and for rows that cannot be read (clean them
    first).
    """
    source, out_dir = Path(source), Path(out_dir)
    names = _names(ratios)
    groups, topics = _groups(source, format, columns, encoding)
    notes: list[str] = []
    sides = _share(groups, topics, ratios, seed)
    rows = sum(len(group) for group in groups)
    counts = [sides.count(number) for number in range(len(names))]
    if rows < len(names):
        notes.append(f"{rows} rows are too few for {len(names)} sides: some stay empty.")
    elif len(groups) < len(names):
        notes.append(
            f"The rows form {len(groups)} groups of near duplicates, which stay together: "
            f"{len(names) - len(groups)} sides stay empty. Write rows that differ more."
        )
    files: dict[str, str] = {}
    with atomic_directory(out_dir) as folder:
        for number, name in enumerate(names):
            if counts[number]:
                files[name] = _write(
                    source, folder, name, sides, number, format, columns, encoding
                ).name
        report = SplitReport(
            out_dir,
            {name: out_dir / file for name, file in files.items()},
            dict(zip(names, counts, strict=True)),
            len(groups),
            max((len(group) for group in groups), default=0),
            len({topic for topic in topics if topic is not None}),
            notes,
        )
        card = {
            "kind": "split",
            "source": source.name,
            "data": file_hash(source),
            "ratios": list(ratios),
            "seed": seed,
            "rows": report.rows,
            "groups": report.groups,
            "notes": notes,
        }
        write_card(folder, card)
    return report


def _names(ratios: Sequence[float]) -> tuple[str, ...]:
    if len(ratios) not in NAMES or any(not ratio > 0 for ratio in ratios):
        shown = ":".join(f"{ratio:g}" for ratio in ratios)
        raise WorkshopError(
            f"The ratios {shown} cannot be used. Give two or three numbers above 0, such as 8:1:1."
        )
    return NAMES[len(ratios)]


def _rows(
    source: Path,
    format: str | None,
    columns: Mapping[str, str] | None,
    encoding: str | None,
) -> Iterator[Conversation]:
    from ..formats import Conversation, open_rows

    faults = []
    with open_rows(source, format=format, columns=columns, encoding=encoding) as reader:
        for row in reader:
            if isinstance(row, Conversation):
                yield row
            else:
                faults.append(str(row))
    if faults:
        more = [f"… and {len(faults) - 10} more."] if len(faults) > 10 else []
        fix = "Correct these rows, or leave them out with `workshop data clean --skip-faults`."
        raise WorkshopError("\n".join([*faults[:10], *more, fix]))


def _groups(
    source: Path,
    format: str | None,
    columns: Mapping[str, str] | None,
    encoding: str | None,
) -> tuple[list[list[int]], list[str | None]]:
    """Rows that must stay together, by number; and the topic of each row."""
    from .similarity import Similar

    # The question alone decides: a test asks it again, whatever the answer is.
    similar = Similar(NEAR)
    parents: list[int] = []
    topics: list[str | None] = []
    same: dict[object, int] = {}

    def root(number: int) -> int:
        while parents[number] != number:
            parents[number] = parents[parents[number]]
            number = parents[number]
        return number

    for number, row in enumerate(_rows(source, format, columns, encoding)):
        parents.append(number)
        topic = row.extra.get("topic") or row.extra.get("category") if row.extra else None
        topics.append(topic if isinstance(topic, str) else None)
        question = asked(row)
        near = similar.add_and_nearest(question)
        if near is not None:
            parents[number] = root(near[0])
        for key in (plain(question), content_words(question)):
            if key and same.setdefault(key, number) != number:
                parents[root(number)] = root(same[key])
    if not parents:
        raise WorkshopError(f"{source} holds no rows, so there is nothing to split.")
    members: dict[int, list[int]] = {}
    for number in range(len(parents)):
        members.setdefault(root(number), []).append(number)
    return list(members.values()), topics


def _share(
    groups: list[list[int]],
    topics: list[str | None],
    ratios: Sequence[float],
    seed: int,
) -> list[int]:
    """The side of each row: groups are dealt, large ones first, to the side that lacks most of
    their topic.
    """
    shuffled = sorted(groups, key=lambda group: group[0])
    random.Random(seed).shuffle(shuffled)
    shuffled.sort(key=len, reverse=True)
    total = sum(ratios)
    wanted = [ratio / total for ratio in ratios]
    rows = len(topics)
    per_topic: dict[str | None, int] = {}
    for topic in topics:
        per_topic[topic] = per_topic.get(topic, 0) + 1
    filled = [0] * len(ratios)
    filled_topic: dict[tuple[str | None, int], int] = {}
    sides = [0] * rows
    left = len(shuffled)
    for group in shuffled:
        topic = topics[group[0]]
        empty = [side for side in range(len(ratios)) if not filled[side]]

        def lack(side: int, topic: str | None = topic) -> tuple[float, float]:
            of_topic = filled_topic.get((topic, side), 0)
            return (
                wanted[side] - of_topic / per_topic[topic],
                wanted[side] - filled[side] / rows,
            )

        # The last groups go to sides that have nothing yet; a small test is better than none.
        choice = empty if empty and left <= len(empty) else range(len(ratios))
        best = max(choice, key=lambda side: (sum(lack(side)), -side))
        for number in group:
            sides[number] = best
        filled[best] += len(group)
        filled_topic[topic, best] = filled_topic.get((topic, best), 0) + len(group)
        left -= 1
    return sides


def _write(
    source: Path,
    folder: Path,
    name: str,
    sides: list[int],
    side: int,
    format: str | None,
    columns: Mapping[str, str] | None,
    encoding: str | None,
) -> Path:
    from ..formats import open_rows, write_conversations

    with open_rows(source, format=format, columns=columns, encoding=encoding) as reader:
        known = reader.source.format
    suffix = source.suffix if source.suffix.lower() != ".gz" else "".join(source.suffixes[-2:])
    out = folder / f"{name}{suffix}"
    rows = _rows(source, format, columns, encoding)
    chosen = (row for row, own in zip(rows, sides, strict=True) if own == side)
    keep = known if known not in ("unknown", "plain") else None
    write_conversations(chosen, out, format=keep, columns=columns)
    return out
