"""One row in every format: what stands in the file is that format, and the same row comes back."""

from __future__ import annotations

import json

import pytest

from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.dataset.formats import Conversation, Message, detect_format
from workshop_helpers.dataset.formats.samples import SAMPLES, row_in_formats
from workshop_helpers.display import view

ROW = Conversation((Message("user", "送料は、\n<いくら>？"), Message("assistant", "500円です。")))


def test_the_same_row_comes_back_from_every_format():
    found = row_in_formats(ROW)
    assert list(found.written) == list(SAMPLES)
    assert all(row.messages == ROW.messages for row in found.read.values())


def test_each_text_is_of_its_format():
    written = row_in_formats(ROW).written
    for name, (file, format) in SAMPLES.items():
        if file.endswith(".jsonl"):
            assert detect_format(json.loads(written[name])) == format
    assert written["CSV"].splitlines()[0] == "question,answer"


def test_a_row_that_a_format_cannot_hold_is_refused():
    turns = (Message("user", "a"), Message("assistant", "b")) * 2
    with pytest.raises(WorkshopError):
        row_in_formats(Conversation(turns))


@pytest.mark.parametrize(("language", "word"), [("en", "the same row"), ("ja", "同じ行")])
def test_the_formats_are_shown_side_by_side(language, word):
    shown = view(row_in_formats(ROW, language))
    assert shown.html.count(word) == len(SAMPLES)
    assert "&lt;いくら&gt;" in shown.html and "ShareGPT" in shown.text
