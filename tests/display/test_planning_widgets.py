"""The decision helper, the cost sliders and the agenda clock: what they show follows what is
chosen, errors are told, and all of it can be read without widgets.
"""

from __future__ import annotations

import re
import time

import pytest
from well_formed import parsed

from workshop_helpers import agenda_clock, cost_sliders, decision_helper
from workshop_helpers.display.widgets.base import WIDGET_VIEW

MAKERS = (agenda_clock, cost_sliders, decision_helper)
JAPANESE = re.compile("[ぁ-ん]")


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("language", ["en", "ja"])
def test_without_widgets_there_is_a_picture_in_the_language(make, language):
    bundle = make(language)._repr_mimebundle_()
    assert WIDGET_VIEW in bundle
    assert parsed(bundle["text/html"]).wrong == []
    for kind in ("text/html", "text/plain"):
        assert bool(JAPANESE.search(bundle[kind])) == (language == "ja")


def fields(widget):
    """Controls of the sliders by their description."""
    return {child.description: child for child in widget.children[:-1]}


def test_memory_and_cost_follow_the_sliders():
    widget = cost_sliders("en").widget
    picture, controls = widget.children[-1], fields(widget)
    assert "parameters × 2 bytes" in picture.value
    controls["method"].value = "full"
    assert "parameters × 4 bytes" in picture.value and "none: the weights" in picture.value
    assert "type in the tokens per second" in picture.value
    controls["tokens per second"].value = "1,000"
    assert "1.5 minutes" in picture.value or "90.0 seconds" in picture.value
    assert "type in your price" in picture.value
    controls["price per hour"].value = "3.6"
    assert "Cost: 0.09," in picture.value
    controls["rows"].value = 1000
    assert "Cost: 0.90," in picture.value


@pytest.mark.parametrize("typed", ["fast", "-3", "0", "nan"])
def test_what_is_no_speed_is_said_in_the_widget(typed):
    widget = cost_sliders("ja").widget
    fields(widget)["1秒あたりトークン数"].value = typed
    shown = widget.children[-1].value
    assert f"「{typed}」は使えません" in shown and "メモリ" in shown
    fields(widget)["1秒あたりトークン数"].value = ""
    assert "使えません" not in widget.children[-1].value


def test_the_sliders_begin_where_they_are_asked_to():
    text = cost_sliders("en", parameters=7e9, rows=500, method="qlora").fallback().text
    assert "parameters: 7B" in text and "rows: 500" in text and "QLoRA" in text


def test_the_advice_follows_the_answers():
    widget = decision_helper("en").widget
    *lines, picture = widget.children
    answers = [line.children[1] for line in lines]
    assert "→ A prompt" in picture.value
    for place in (3, 4, 5):  # manner, volume, measured
        answers[place].value = True
    answers[-1].value = 100
    assert "→ A small training" in picture.value and "Beware" in picture.value
    answers[2].value = True  # the facts change often
    assert "→ A prompt" in picture.value and "Beware" not in picture.value


def test_the_clock_runs_while_it_is_started_and_not_longer():
    widget = agenda_clock("en").widget
    face, buttons, table, _ = widget.children
    start, pause, forward, back, reset = buttons.children
    assert "0:00 of 50:00" in face.value and "paused" in face.value
    start.click()
    assert "running" in face.value
    deadline = time.monotonic() + 5
    while "0:00 of" in face.value and time.monotonic() < deadline:
        time.sleep(0.1)
    assert "0:00 of" not in face.value
    pause.click()
    stands = face.value
    time.sleep(1.3)
    assert face.value == stands and "paused" in stands
    forward.click()
    assert "▶ 2. What Ollama" in table.value
    back.click()
    reset.click()
    assert "0:00 of 50:00" in face.value and "▶ 1. " in table.value


def test_the_clock_warns_when_it_is_late():
    clock = agenda_clock("en")
    clock.clock.start(0.0)
    assert "1:00 left" in clock.face(240.0) and "⚠" not in clock.face(240.0)
    assert "⚠ 2:00 late" in clock.face(420.0)


def test_a_talk_with_questions_within_its_time_is_shortened():
    clock = agenda_clock("en", minutes=45)
    assert "40:30–45:00" in clock.table() and "shortened alike to 45" in clock.note
    assert "shortened" not in agenda_clock("en").note
