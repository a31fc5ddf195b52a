"""How often the scorer is right: its verdicts on answers that were labelled by hand.

    python -m benchmarks.scoring [--quick] [--before] [--wrong]

The cases and the rules they were labelled by are in tests/data/scoring/cases.yaml. For each verdict
(stated, missing, contradicted, invented), precision is the share of the scorer's findings that the
labels have too, recall the share of the labels that it found. A piece of text is the same finding
where one of the two holds the other.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks.common import ROOT, Settings, earlier, parser, percent, save, settings, table
from workshop_helpers.metrics.scoring import Question, score_answer

CASES = ROOT / "tests" / "data" / "scoring" / "cases.yaml"
TITLE = {"en": "Whether answers are scored rightly", "ja": "採点は正しいか"}
TARGETS = {"precision_at_least": 0.98, "recall_at_least": 0.98}
VERDICTS = ("stated", "missing", "contradicted", "invented")
Verdicts = dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Case:
    """A question with an answer, and what each verdict is by the labels."""

    id: str
    question: Question
    answer: str
    unseen: bool
    right: Verdicts

    @property
    def language(self) -> str:
        """The language of the question, "en" or "ja"."""
        return self.id[:2]

    def found(self) -> Verdicts:
        """What the scorer says."""
        score = score_answer(self.answer, self.question)
        said = (score.found, score.missing, score.contradicted, score.unsupported)
        return dict(zip(VERDICTS, said, strict=True))


def read_cases(path: Path = CASES) -> list[Case]:
    """The labelled cases; `right` is what both readers say."""
    return [_case(one) for one in yaml.safe_load(path.read_text(encoding="utf-8"))]


def _case(one: dict[str, Any]) -> Case:
    facts = tuple(f if isinstance(f, str) else tuple(f) for f in one["facts"])
    question = Question(
        one["question"], "\n".join(one.get("allowed", ())), facts, language=one["id"][:2]
    )
    stated, contradicted, invented = one["first"]
    names = [item[0] for item in question.expected()]
    right = {
        "stated": tuple(names[n] for n in stated),
        "missing": tuple(name for n, name in enumerate(names) if n not in stated),
        "contradicted": tuple(contradicted),
        "invented": tuple(invented),
    }
    return Case(one["id"], question, one["answer"], one.get("unseen", False), right)


def same(one: str, other: str) -> bool:
    """Whether two pieces of an answer are the same finding: one holds the other."""
    return one in other or other in one


def errors(found: Sequence[str], right: Sequence[str]) -> tuple[list[str], list[str]]:
    """What was found and is not right, and what is right and was not found."""
    return (
        [one for one in found if not any(same(one, other) for other in right)],
        [one for one in right if not any(same(one, other) for other in found)],
    )


def measure(cases: Sequence[Case]) -> dict[str, Any]:
    """Precision and recall of every verdict, with the counts they are made of; and the number of
    answers on which every verdict is right.
    """
    counts: dict[str, Counter[str]] = {verdict: Counter() for verdict in VERDICTS}
    wholly = 0
    for case in cases:
        faults = 0
        for verdict, found in case.found().items():
            false, missed = errors(found, case.right[verdict])
            counts[verdict] += Counter(
                found=len(found), false=len(false), labelled=len(case.right[verdict]),
                missed=len(missed),
            )  # fmt: skip
            faults += len(false) + len(missed)
        wholly += not faults
    verdicts = {verdict: _shares(counts[verdict]) for verdict in VERDICTS}
    return {"cases": len(cases), "wholly_right": wholly, **verdicts}


def _shares(count: Counter[str]) -> dict[str, Any]:
    def share(wrong: str, of: str) -> float | None:
        return round(1 - count[wrong] / count[of], 4) if count[of] else None

    return {
        "precision": share("false", "found"),
        "recall": share("missed", "labelled"),
        **{name: count[name] for name in ("found", "false", "labelled", "missed")},
    }


def groups(cases: Sequence[Case], languages: Sequence[str]) -> Iterator[tuple[str, list[Case]]]:
    """All cases, those that nobody looked at while the scorer was mended, and each language's."""
    yield "all", list(cases)
    yield "unseen", [case for case in cases if case.unseen]
    for language in languages:
        yield language, [case for case in cases if case.language == language]


def met(figures: dict[str, Any]) -> bool:
    """Whether every verdict of all cases reaches both targets."""
    shares = [figures["all"][verdict] for verdict in VERDICTS]
    return all(
        (one[name] or 0) >= TARGETS[f"{name}_at_least"]
        for one in shares
        for name in ("precision", "recall")
    )


def main(arguments: list[str]) -> int:
    """Score the cases, print a table and save the figures."""
    made = parser(__doc__ or "", model=False)
    made.add_argument("--before", action="store_true", help="note them as those to be improved on")
    made.add_argument("--wrong", action="store_true", help="list the seen cases it gets wrong")
    args = made.parse_args(arguments)
    asked = settings("scoring", args)
    cases = [case for case in read_cases() if case.language in asked.languages]
    cases = cases[::10] if asked.quick else cases
    figures = {name: measure(group) for name, group in groups(cases, asked.languages)}
    report(figures)
    if args.wrong:
        show_wrong(cases)
        return 0
    before = figures if args.before else _before(asked)
    save(asked, {"title": TITLE, "targets": TARGETS, "met": met(figures), "before": before,
                 **figures})  # fmt: skip
    return 0


def _before(asked: Settings) -> dict[str, Any] | None:
    return earlier(asked, ["before"]).get("before")


def show_wrong(cases: Sequence[Case]) -> None:
    """Print the cases that the scorer gets wrong; the unseen ones stay unseen."""
    for case in cases:
        for verdict, found in case.found().items():
            false, missed = errors(found, case.right[verdict])
            if not case.unseen and (false or missed):
                facts = case.question.facts
                print(f"{case.id} {verdict}: false {false}, missed {missed} · {facts} · "
                      f"{case.answer!r}")  # fmt: skip


def report(figures: dict[str, Any]) -> None:
    """The figures as a table."""
    lines = [
        (f"{name}: {verdict}", str(one["labelled"]), percent(one["precision"]),
         percent(one["recall"]))
        for name, group in figures.items()
        for verdict, one in ((verdict, group[verdict]) for verdict in VERDICTS)
    ]  # fmt: skip
    table("Whether answers are scored rightly", ("", "labelled", "precision", "recall"), lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
