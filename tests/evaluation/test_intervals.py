"""Intervals hold the mean as often as they say, and pairs and groups change them as they should."""

from __future__ import annotations

import random

import pytest

from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.evaluation.intervals import bootstrap, difference


def test_the_interval_holds_the_true_mean_about_95_times_of_100():
    dice = random.Random(0)
    held = 0
    for turn in range(200):
        drawn = [float(dice.random() < 0.7) for _ in range(90)]
        found = bootstrap(drawn, seed=turn)
        held += found.low <= 0.7 <= found.high
    assert 0.88 <= held / 200 <= 0.99


def test_it_is_the_same_again_and_narrower_with_more_values():
    few, many = [0.0, 1.0] * 10, [0.0, 1.0] * 160
    assert bootstrap(few) == bootstrap(few)
    width = [found.high - found.low for found in map(bootstrap, (few, many))]
    assert width[0] / width[1] == pytest.approx(4, rel=0.2)
    assert bootstrap([1.0] * 5).low == 1


def test_values_that_stand_and_fall_together_widen_the_interval():
    values = [1.0] * 45 + [0.0] * 45
    groups = [place // 3 for place in range(90)]
    alone, together = bootstrap(values), bootstrap(values, groups)
    assert together.mean == alone.mean == 0.5
    assert together.high - together.low > 1.4 * (alone.high - alone.low)


def test_a_small_but_steady_gain_shows_in_pairs_only():
    dice = random.Random(1)
    before = [float(dice.random() < 0.5) for _ in range(90)]
    after = list(before)
    for place in [n for n, value in enumerate(before) if not value][:8]:
        after[place] = 1.0
    paired, unpaired = difference(before, after), difference(before, after, paired=False)
    assert paired.mean == pytest.approx(unpaired.mean) == pytest.approx(8 / 90)
    assert paired.low > 0 > unpaired.low


def test_what_cannot_be_paired_or_drawn_is_refused():
    with pytest.raises(WorkshopError, match="no values"):
        bootstrap([])
    with pytest.raises(WorkshopError, match="groups"):
        bootstrap([1.0, 0.0], ["a"])
    with pytest.raises(WorkshopError, match="no pairs"):
        difference([1.0], [1.0, 0.0])
