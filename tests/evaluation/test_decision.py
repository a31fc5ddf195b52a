"""Advice: the cheap steps first, a reason that rests on something, and one answer for each case."""

from __future__ import annotations

from itertools import product

import pytest

from workshop_helpers import advise
from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.evaluation.decision import QUESTIONS, ROWS, STEPS, Situation, figures, rule

TRAINED = {"manner": True, "volume": True, "measured": True}


@pytest.mark.parametrize(
    ("changes", "step"),
    [
        ({}, "prompt"),
        ({"facts": False}, "prompt"),
        ({"rows": 1000}, "prompt"),  # rows alone are no reason
        ({"change": True, **TRAINED, "rows": 1000}, "prompt"),
        ({"change": True, "fit": False}, "retrieval"),
        ({"fit": False, "rows": 10}, "retrieval"),
        ({"manner": True}, "prompt"),  # not before it was measured
        (TRAINED, "examples"),
        ({**TRAINED, "rows": 10}, "examples"),
        ({**TRAINED, "rows": 100}, "small"),
        ({**TRAINED, "rows": 1000}, "large"),
        ({"fit": False, "rows": 100}, "small"),
    ],
)
def test_advice_for_a_situation(changes, step):
    assert advise("en", **changes).step == step


def test_every_situation_has_advice_with_a_reason_in_both_languages():
    steps = set()
    for values in product((True, False), repeat=len(QUESTIONS)):
        for rows in ROWS:
            situation = Situation(**dict(zip(QUESTIONS, values, strict=True)), rows=rows)
            steps.add(rule(situation))
    told = {
        language: [
            advise(language, **changes)
            for changes in ({}, {"change": True}, TRAINED, {**TRAINED, "rows": 100})
        ]
        for language in ("en", "ja")
    }
    assert len(steps) == 8
    for advices in told.values():
        assert all(one.why and one.rests_on and one.notebooks for one in advices)
        assert [bool(one.beware) for one in advices] == [False, False, False, True]
        assert all(one.step in STEPS for one in advices)


def test_training_is_never_advised_without_rows_or_against_change():
    for values in product((True, False), repeat=len(QUESTIONS)):
        situation = Situation(**dict(zip(QUESTIONS, values, strict=True)), rows=1000)
        if situation.facts and situation.change:
            assert advise("en", situation).step in ("prompt", "retrieval")
        assert advise("en", situation, rows=0).step not in ("small", "large")


def test_the_figures_are_the_recorded_ones():
    found = figures("ja")
    assert found["prompted"] == "94\u00a0%"  # results/learning.json: 0.9389
    assert found["prompted"] in advise("ja").rests_on
    assert int(found["hundred"][:-2]) > int(found["hundred_few"][:-2])


def test_what_is_no_situation_is_refused():
    with pytest.raises(WorkshopError, match="0, 10, 100, 1000"):
        advise("en", rows=7)
    with pytest.raises(WorkshopError, match="choose from en, ja"):
        advise("fr")
