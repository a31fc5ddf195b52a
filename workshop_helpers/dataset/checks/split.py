"""Splitting a training file into two or three parts without leakage.

Near duplicates form a group and stay on one side. If rows have a topic, every side gets its share
of each topic.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...core.artifacts import atomic_directory
from ...core.cards import file_hash, write_card
from ...core.errors import WorkshopError
from ...core.ownership import keep_apart
from ...metrics.scoring import Question
from ..formats import Conversation, open_rows, write_conversations
from ..formats.faults import raise_faults
from ..questions import question_of, write_questions
from .amounts import topic_of
from .clean import format_to_write
from .leakage import asked, content_words
from .similarity import Similar, plain

NAMES = {2: ("train", "test"), 3: ("train", "validation", "test")}
QUESTIONS = "questions.jsonl"
NEAR = 0.7  # stricter than the leakage check (0.8), so that a split passes it


@dataclass
class SplitReport:
    """The result of a split.

    files, rows: by side; groups: the number of groups of rows that stay together; largest: rows of
    the largest group; topics: the number of topics; notes: what could not be done, and why.
    questions: the file of the test side's questions, asked those in it (none and None where that
    side is empty).
    """

    out: Path
    files: dict[str, Path]
    rows: dict[str, int]
    groups: int
    largest: int
    topics: int
    notes: list[str]
    questions: Path | None = None
    asked: tuple[Question, ...] = ()

    @property
    def scored(self) -> int:
        """How many of the questions have facts to score an answer by."""
        return sum(bool(question.facts) for question in self.asked)


def split(
    source: str | Path,
    out_dir: str | Path,
    *,
    ratios: Sequence[float] = (8, 1, 1),
    seed: int = 0,
    format: str | None = None,
    columns: Mapping[str, str] | None = None,
    encoding: str | None = None,
    take: str | None = None,
    overwrite: bool = False,
) -> SplitReport:
    """Write train, validation and test files (with two ratios, train and test) into a folder, and
    questions.jsonl: what the test side asks, with facts drawn from its answers, to be edited.

    The same seed gives the same sides. The source stays as it is, and so does each row. format,
    columns, encoding, take: as for `open_rows`. Needs numpy. Raises
    WorkshopError for invalid ratios, for unreadable rows (clean them first), for a folder that
    holds the source or files that no split made, and one of another split without overwrite.
    """

    source, out_dir = Path(source), Path(out_dir)
    names = _names(ratios)
    keep_apart(out_dir, [source])
    reading = {"format": format, "columns": columns, "encoding": encoding, "take": take}
    rows, known = _read(source, reading)
    topics = [topic_of(row.extra) for row in rows]
    groups = _groups([asked(row) for row in rows])
    sides = _share(groups, topics, ratios, seed)
    suffix = source.suffix if source.suffix.lower() != ".gz" else "".join(source.suffixes[-2:])
    report = SplitReport(
        out_dir,
        {name: out_dir / f"{name}{suffix}" for side, name in enumerate(names) if side in sides},
        {name: sides.count(side) for side, name in enumerate(names)},
        len(groups),
        max(map(len, groups)),
        len(set(topics) - {""}),
        _notes(len(rows), len(groups), len(names)),
    )
    with atomic_directory(out_dir, overwrite=overwrite) as folder:
        for side, name in enumerate(names):
            if name in report.files:
                chosen = (row for row, own in zip(rows, sides, strict=True) if own == side)
                file = folder / report.files[name].name
                write_conversations(chosen, file, format=known, as_read=True)
        if "test" in report.files:
            test = (row for row, own in zip(rows, sides, strict=True) if own == len(names) - 1)
            report.asked = tuple(map(question_of, test))
            report.questions = out_dir / QUESTIONS
            write_questions(report.asked, folder / QUESTIONS)
        card = {
            "kind": "split",
            "source": source.name,
            "data": file_hash(source),
            "ratios": list(ratios),
            "seed": seed,
            "rows": report.rows,
            "groups": report.groups,
            "notes": report.notes,
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


def _notes(rows: int, groups: int, sides: int) -> list[str]:
    if rows < sides:
        are = "row is" if rows == 1 else "rows are"
        return [f"{rows} {are} too few for {sides} sides: some stay empty."]
    if groups < sides:
        return [
            f"The rows form {groups} groups of near duplicates, which stay together: "
            f"{sides - groups} sides stay empty. Write rows that differ more."
        ]
    return []


def _read(source: Path, reading: dict[str, Any]) -> tuple[list[Conversation], str | None]:

    with open_rows(source, **reading) as reader:
        found = list(reader)
        known = format_to_write(reader.source)
    rows = [row for row in found if isinstance(row, Conversation)]
    faults = [row for row in found if not isinstance(row, Conversation)]
    also = ["Correct these rows, or leave them out with `workshop data clean --skip-faults`."]
    raise_faults(source, faults, also=also)
    if not rows:
        raise WorkshopError(f"{source} contains no rows, so there is nothing to split.")
    return rows, known


def _groups(questions: Sequence[str]) -> list[list[int]]:
    """Groups of rows that must stay together, by number."""
    # Only the question matters, since a test asks only that.
    similar = Similar(NEAR)
    parents = list(range(len(questions)))
    same: dict[object, int] = {}

    def root(number: int) -> int:
        while parents[number] != number:
            parents[number] = parents[parents[number]]
            number = parents[number]
        return number

    for number, question in enumerate(questions):
        near = similar.nearest(question, keep=True)
        if near is not None:
            parents[number] = root(near[0])
        for key in (plain(question), content_words(question)):
            if key and same.setdefault(key, number) != number:
                parents[root(number)] = root(same[key])
    members: dict[int, list[int]] = {}
    for number in range(len(parents)):
        members.setdefault(root(number), []).append(number)
    return list(members.values())


def _share(
    groups: list[list[int]], topics: list[str], ratios: Sequence[float], seed: int
) -> list[int]:
    """The side of each row: groups, largest first, go to the side that most lacks their topic."""
    shuffled = sorted(groups, key=lambda group: group[0])
    random.Random(seed).shuffle(shuffled)
    shuffled.sort(key=len, reverse=True)
    wanted = [ratio / sum(ratios) for ratio in ratios]
    of_topic = Counter(topics)
    filled: Counter[int] = Counter()  # rows of each side
    filled_topic: Counter[tuple[str, int]] = Counter()
    sides = [0] * len(topics)
    for dealt, group in enumerate(shuffled):
        topic = topics[group[0]]
        lacks = [
            (share - filled_topic[topic, side] / of_topic[topic])
            + (share - filled[side] / len(topics))
            for side, share in enumerate(wanted)
        ]
        empty = [side for side in range(len(ratios)) if not filled[side]]
        # The last groups go to empty sides: a small test set is better than none.
        choice = empty if len(shuffled) - dealt <= len(empty) else range(len(ratios))
        best = max(choice, key=lacks.__getitem__)
        for number in group:
            sides[number] = best
        filled[best] += len(group)
        filled_topic[topic, best] += len(group)
    return sides
