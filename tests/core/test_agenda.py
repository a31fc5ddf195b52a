"""The talk's clock: sections that fit, time that stops when it is paused, and what is late."""

from __future__ import annotations

import pytest

from workshop_helpers.core.agenda import PLANNED, SECTIONS, Clock, agenda


def test_the_sections_add_up_to_five_minutes_more_than_are_announced():
    assert len(SECTIONS) == 8
    assert sum(section.minutes for section in SECTIONS) == PLANNED + 5
    fitted = agenda(PLANNED)
    assert sum(section.minutes for section in fitted) == pytest.approx(PLANNED)
    assert fitted[2].minutes / fitted[0].minutes == 2


def test_each_section_has_its_notebooks_in_the_order_of_the_course():
    names = [name for section in SECTIONS for name in section.notebooks]
    assert sorted(set(names)) == list(dict.fromkeys(names))
    assert [name[:2] for name in dict.fromkeys(names)] == [f"{n:02d}" for n in range(1, 11)]


def test_a_pause_does_not_count():
    clock = Clock(agenda())
    clock.start(100.0)
    clock.start(150.0)  # runs already
    clock.pause(160.0)
    assert (clock.running, clock.elapsed(1000.0)) == (False, 60.0)
    clock.start(1000.0)
    assert clock.elapsed(1030.0) == 90.0
    clock.reset()
    assert (clock.at, clock.elapsed(2000.0), clock.running) == (0, 0.0, False)


def test_late_is_what_runs_beyond_the_end_of_the_section():
    clock = Clock(agenda())
    clock.start(0.0)
    assert clock.left(240.0) == 60
    assert clock.left(310.0) == -10
    clock.move(1)
    assert clock.left(310.0) == 290
    clock.move(100)
    assert clock.last and clock.due(clock.at) == 3000
    clock.move(-100)
    assert clock.at == 0
