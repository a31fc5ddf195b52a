"""Findings of a check, their rules, and the report.

The names of rules are stable: scripts, notebooks and readers of `--json` rely on them. Texts of
rules are in rules.yaml, messages of findings in checks.yaml.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from ...core.showing import Shown
from ...core.wordings import Wording, say

SEVERITIES = ("error", "warning", "note")
EXCERPT = 160  # maximum length of an excerpt in characters
MOST_FINDINGS = 2_000  # kept per rule and severity; the rest is only counted

_BY_SEVERITY = {
    "error": """invalid-json missing-field invalid-csv unreadable row-too-large wrong-role
        wrong-order preference not-learned empty-question empty-answer empty-file encoding mojibake
        control-character special-token secret too-long duplicate contradicting-fact leakage
        pii-card pii-my-number""",
    "warning": """invisible-character html placeholder boilerplate too-short near-duplicate echo
        conflicting-answers low-diversity repeated-text pii-email pii-phone pii-ssn pii-postal-code
        pii-address pii-name mixed-language mixed-politeness too-few
        unread-field""",
    "note": "mixed-number-format whitespace unbalanced",
}
# Each rule, and the default severity of its findings.
RULES: Mapping[str, str] = {
    rule: severity for severity, rules in _BY_SEVERITY.items() for rule in rules.split()
}


def rule_text(rule: str, what: str, language: str = "en") -> str:
    """The "title", "why" or "fix" of a rule; for an unknown rule, its name or ""."""
    if rule not in RULES:
        return rule if what == "title" else ""
    return say(f"rules.{rule}.{what}", language)


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault at one place.

    line: from 1 (0: the whole file); wording: what is wrong; advice: what to do, if it differs from
    the rule's; excerpt: with personal data masked; other_line, other_file: the second row, if the
    finding is about two.
    """

    rule: str
    severity: str
    file: str
    line: int
    wording: Wording
    advice: Wording | None = None
    excerpt: str = ""
    other_line: int | None = None
    other_file: str | None = None

    @property
    def message(self) -> str:
        """What is wrong, in English."""
        return self.wording.said()

    @property
    def fix(self) -> str:
        """What to do, in English."""
        return self.advice.said() if self.advice else rule_text(self.rule, "fix")

    def to_dict(self) -> dict[str, Any]:
        """The finding as `--json` prints it."""
        keys = "rule", "severity", "file", "line", "message", "fix", "excerpt"
        found = {key: getattr(self, key) for key in keys}
        found["why"] = rule_text(self.rule, "why")
        others = {"other_line": self.other_line, "other_file": self.other_file}
        return found | {key: value for key, value in others.items() if value is not None}

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.severity}: {self.rule}: {self.message} {self.fix}"


class Placed(Protocol):
    """Anything with a file and a line: a Conversation, a Fault, a `Place`."""

    @property
    def file(self) -> str | None: ...
    @property
    def line(self) -> int | None: ...


@dataclass(frozen=True, slots=True)
class Place:
    """The file and line of a row; line 0 is the whole file."""

    file: str
    line: int = 0


def finding(
    rule: str,
    at: Placed,
    code: str,
    /,
    *,
    excerpt: str = "",
    severity: str | None = None,
    advice: Wording | None = None,
    other: Placed | None = None,
    **values: Any,
) -> Finding:
    """A finding at a row's place. code: an entry of checks.yaml, filled with `values`.

    severity, advice: default from the rule; other: the second row, if the finding is about two.
    Raises ValueError for an unknown rule or severity.
    """
    if rule not in RULES:
        raise ValueError(f"{rule!r} is not a rule; add it to RULES")
    severity = severity or RULES[rule]
    if severity not in SEVERITIES:
        raise ValueError(f"{severity!r} is not a severity; choose from {', '.join(SEVERITIES)}")
    wording, place = word(code, **values), (at.file or "", at.line or 0)
    found = Finding(rule, severity, *place, wording, advice, shorten(excerpt))
    if other is None:
        return found
    other_file = other.file if other.file != at.file else None
    return replace(found, other_line=other.line, other_file=other_file)


def word(name: str, /, **values: Any) -> Wording:
    """An entry of checks.yaml."""
    return Wording(f"checks.{name}", values)


def where(place: Placed, beside: Placed) -> Wording:
    """The place of a row; its file is named if `beside` is in another file."""
    if place.file == beside.file:
        return word("line", line=place.line)
    file = place.file or ""
    return word("line-of", line=place.line, file=Path(file))


def who(role: str, number: int | None = None) -> Wording:
    """The subject of a sentence about a turn; number: given if a row has many turns."""
    turn = word("turn", n=number) if number else ""
    return word(role if role in ("user", "assistant", "system") else "somebody", turn=turn)


def shorten(text: str, most: int = EXCERPT) -> str:
    """The text, cut to `most` characters with "…" if it is longer."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def around(text: str, start: int, end: int, most: int = EXCERPT) -> str:
    """The part of a text around text[start:end], with "…" where it is cut."""
    room = max(0, most - (end - start)) // 2
    first, last = max(0, start - room), min(len(text), end + room)
    cut = text[first:last]
    return f"{'…' if first else ''}{cut}{'…' if last < len(text) else ''}"


@dataclass
class CheckReport(Shown):
    """The result of a check, shown as a table in `language`.

    findings: in the order of files and lines, at most 2,000 per rule; summary: see `check_rows`;
    found: the number of findings per (rule, severity), also beyond those 2,000.
    """

    findings: list[Finding]
    summary: dict[str, Any] = field(default_factory=dict)
    found: Mapping[tuple[str, str], int] = field(default_factory=dict)
    language: str = "en"

    def _counted(self) -> list[tuple[str, str, int]]:
        # Count the list, unless it was cut: duplicate findings are removed from it.
        listed = Counter((found.rule, found.severity) for found in self.findings)
        totals = {key: self.found.get(key, 0) for key in listed}
        return [
            (*key, totals[key] if totals[key] > MOST_FINDINGS else n)
            for key, n in sorted(listed.items())
        ]

    @property
    def counts(self) -> dict[str, int]:
        """The number of findings per rule."""
        counted: Counter[str] = Counter()
        for rule, _, times in self._counted():
            counted[rule] += times
        return dict(counted)

    @property
    def severities(self) -> dict[str, int]:
        """The number of errors, warnings and notes."""
        counted = dict.fromkeys(SEVERITIES, 0)
        for _, severity, times in self._counted():
            counted[severity] += times
        return counted

    @property
    def exit_code(self) -> int:
        """0: clean or only notes; 1: warnings; 2: errors."""
        counted = self.severities
        return 2 if counted["error"] else 1 if counted["warning"] else 0

    def of(self, rule: str) -> list[Finding]:
        """The findings of one rule."""
        return [found for found in self.findings if found.rule == rule]

    def to_dict(self) -> dict[str, Any]:
        """`findings` and `summary`, as `workshop data check --json` prints them."""
        summary: dict[str, Any] = _in_english(self.summary)
        return {
            "findings": [found.to_dict() for found in self.findings],
            "summary": {**summary, "counts": self.counts, "severities": self.severities},
        }


def _in_english(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _in_english(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_in_english(one) for one in value]
    return value.said() if isinstance(value, Wording) else value


def in_order(findings: Iterable[Finding], files: Iterable[str] = ()) -> list[Finding]:
    """Findings by file (in the order given, then by name), line, severity and rule."""
    place = {file: number for number, file in enumerate(files)}

    def key(f: Finding) -> tuple[int, str, int, int, str]:
        return place.get(f.file, len(place)), f.file, f.line, SEVERITIES.index(f.severity), f.rule

    return sorted(findings, key=key)
