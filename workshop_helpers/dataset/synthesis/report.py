"""What a run of synthesis has to tell."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class SynthesisReport:
    """The rows that were written, and what they cost.

    `kept`: how many rows lie in `path`; `tries`: how many were asked for. `rejected`: (reason,
    text) of each one that was not kept. `prompt_tokens`, `tokens`: read and written, kept or not,
    over all runs that went into the file. `cost`: in the currency of the prices, None where none
    were given. `seconds`: of this run. `resumed`: rows that an earlier, stopped run had left.
    `reused`: nothing was asked, the file of an equal run was there.
    """

    path: Path
    model: str
    language: str
    kept: int
    wanted: int
    tries: int = 0
    rejected: list[tuple[str, str]] = field(default_factory=list)
    prompt_tokens: int = 0
    tokens: int = 0
    cost: float | None = None
    seconds: float = 0.0
    resumed: int = 0
    reused: bool = False

    @property
    def reasons(self) -> Counter[str]:
        """How often each reason led to a reject, without its detail (after the colon)."""
        return Counter(reason.partition(":")[0] for reason, _ in self.rejected)

    def to_dict(self) -> dict[str, Any]:
        """All of it, as JSON takes it."""
        return asdict(self) | {
            "path": str(self.path),
            "reasons": dict(self.reasons.most_common()),
            "rejected": [{"reason": reason, "text": text} for reason, text in self.rejected],
            "seconds": round(self.seconds, 3),
        }

    @classmethod
    def from_dict(cls, stored: dict[str, Any], **changes: Any) -> SynthesisReport:
        """The report that `to_dict` gave, with changes. Raises KeyError or TypeError for others."""
        rejected = [(entry["reason"], entry["text"]) for entry in stored["rejected"]]
        given = {key: value for key, value in stored.items() if key != "reasons"}
        return cls(**given | {"rejected": rejected} | changes)

    def __str__(self) -> str:
        told = f"{self.kept} of {self.wanted} rows kept after {self.tries} tries, in {self.path}."
        if self.rejected:
            told += f" Rejected: {self.counted_reasons()}."
        told += f" {self.prompt_tokens:,} tokens read, {self.tokens:,} written"
        return told + (f", cost {self.cost:.4f}." if self.cost is not None else ".")

    def counted_reasons(self) -> str:
        """The reasons and how often each came, the most frequent first."""
        return ", ".join(f"{count} {reason}" for reason, count in self.reasons.most_common())
