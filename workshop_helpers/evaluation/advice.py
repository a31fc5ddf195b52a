"""From what a curve of trainings measured to what is missing: rows, wordings, epochs, or a larger
model. The rules are plain and can be read here.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ..core.wordings import Wording
from .saturation import Estimate

RISE = 0.03  # a gain in recall that counts
KNOWN = 0.9  # of their own facts: training rows that count as learned
WIDE = 0.3  # an interval that tells nothing


@dataclass(frozen=True)
class Measured:
    """What advice rests on; shares of the facts from 0 to 1, None where not measured.

    `rows`, `epochs`: of the training that `recall` is of; `own`: recall on its own rows; `unseen`:
    facts missed that stand in none of them. `doubled`: what twice the rows would give.
    `half_epochs`: recall with half of the epochs, and `gained`, what the other half gained, with
    its standard error.
    """

    rows: int
    epochs: float
    goal: float
    recall: Estimate
    own: float | None = None
    unseen: float = 0.0
    doubled: Estimate | None = None
    half_epochs: float | None = None
    gained: tuple[float, float] | None = None


@dataclass(frozen=True)
class CurveAdvice:
    """One piece of advice: its kind, `what` to do, and `why`: the measurement behind it."""

    kind: str
    what: Wording
    why: Wording


def advise(found: Measured | None) -> list[CurveAdvice]:
    """What to do next, the most telling first. Never empty: where nothing tells, it says so."""
    if found is None:
        return [_said("unfinished", {})]
    values = _values(found)
    if found.recall.middle >= found.goal:
        return [_said("enough", values)]
    rising_by_epochs = found.gained is not None and found.gained[0] > max(RISE, 2 * found.gained[1])
    if found.own is not None and found.own < KNOWN:  # what else is measured rests on learned rows
        if found.gained is None:
            return [_said("unfinished", values)]
        return [_said("epochs" if rising_by_epochs else "not-learned", values)]
    advice = [_by_rows(found, values)]
    if found.unseen >= RISE:
        advice.append(_said("unseen", values))
    if found.own is not None and 1 - found.recall.middle - found.unseen >= RISE:
        advice.append(_said("wordings", values))
    if found.own is None and rising_by_epochs:
        advice.append(_said("epochs-unasked", values))
    if advice[0].kind == "flat" and found.unseen < RISE and found.own is not None:
        advice.append(_said("model", values))
    return advice


def _by_rows(found: Measured, values: dict[str, Any]) -> CurveAdvice:
    """What the curve over the rows says."""
    if found.doubled is None:
        return _said("too-few", values)
    if found.doubled.high - found.doubled.low > WIDE:
        return _said("cannot-tell", values)
    rises = found.doubled.middle - found.recall.middle >= RISE
    return _said("rows" if rises else "flat", values)


def _said(kind: str, values: dict[str, Any]) -> CurveAdvice:
    return CurveAdvice(kind, Wording(f"curve.{kind}", values), Wording(f"curve.{kind}-why", values))


def _values(found: Measured) -> dict[str, Any]:
    values: dict[str, Any] = {**asdict(found), "twice": 2 * found.rows, "half": found.epochs / 2}
    for name in ("recall", "doubled"):
        for end, share in (values.pop(name) or {}).items():
            values[f"{name}_{end}"] = share
    values["seen"] = max(0.0, 1 - found.recall.middle - found.unseen)
    return values
