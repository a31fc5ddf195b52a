"""The explorer of the recorded curves shows what is chosen, and all of it without widgets."""

from __future__ import annotations

import pytest
from well_formed import parsed

from workshop_helpers import learning_map
from workshop_helpers.display.widgets.base import WIDGET_VIEW


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_choice_changes_the_curve(language):
    explorer = learning_map(language).explore()
    varied, boxes, picture = explorer.widget.children
    first = picture.value
    varied.value = "epochs"
    assert picture.value != first
    second = picture.value
    boxes.children[1].value = True
    assert picture.value.count("<svg") == 1 and picture.value != second
    for box in boxes.children:
        box.value = False  # nothing chosen still shows a curve
    assert "<svg" in picture.value


def test_without_widgets_all_curves_are_there():
    bundle = learning_map("en").explore()._repr_mimebundle_()
    assert WIDGET_VIEW in bundle
    assert parsed(bundle["text/html"]).wrong == []
    assert bundle["text/html"].count("<svg") == 3
    assert "Held-out facts by epochs" in bundle["text/plain"]
