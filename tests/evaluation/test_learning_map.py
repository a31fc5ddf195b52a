"""The recorded trainings: read, picked, summed up and drawn, and never more than was measured."""

from __future__ import annotations

import json

import pytest

from workshop_helpers import learning_map
from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.display import learning_curve, view
from workshop_helpers.evaluation import learning_map as module
from workshop_helpers.training.recipe import LoraRecipe

RECIPE = LoraRecipe(epochs=10, learning_rate=3e-3, batch_size=4)
MACHINE = {"cpu": "A CPU", "cores": 2, "memory_gb": 8.0, "os": "Linux x86_64"}


def run(rows: int, recall: float | None, model: str = "a", **changed: object) -> dict[str, object]:
    usual = {"epochs": 10, "learning_rate": 3e-3, "batch_size": 4, "seed": 0, "drawn": False}
    scores = {"recall": recall, "contradicted": 0.1, "unsupported": 0.0, "final_loss": 0.5}
    if recall is None:
        scores = {"diverged": True}
    return {"model": model, "language": "en", "rows": rows, **usual, **scores, **changed}


@pytest.fixture
def found(tmp_path, monkeypatch):
    about = {"made": "2026-11-29T01:02:03Z", "machine": MACHINE, "recipe": RECIPE.to_dict()}
    about |= {"questions": {"en": 90, "ja": 90}}
    runs = [
        run(100, 0.9),
        run(100, 0.8, seed=1, drawn=True) | {"machine": {"cpu": "another"}},
        run(100, 0.94, seed=2),
        run(10, 0.3),
        run(10, 0.02, epochs=3, batch_size=2),
        run(100, 0.4, epochs=3),
        run(100, None, learning_rate=9e-3),
        run(100, 0.5, "b"),
        run(100, 0.7) | {"language": "ja"},
    ]
    path = tmp_path / "learning_map.json"
    path.write_text(json.dumps({"models": {"a": about, "b": about}, "runs": runs}), "utf-8")
    monkeypatch.setattr(module, "results_path", lambda name: path.with_name(name))
    return learning_map("en")


def test_a_curve_varies_one_thing_and_keeps_the_rest_of_the_recipe(found):
    rows = found.curve("rows", "a")
    assert [one.first.rows for one in rows] == [10, 100]
    assert rows[0].recall == 0.3  # not that of the talk's recipe, which has other epochs
    assert [one.first.epochs for one in found.curve("epochs")] == [3, 10]
    assert found.at("rows", 100).spread("recall") == (0.8, 0.9, 0.94)
    assert found.at("rows", 100, "b").recall == 0.5


def test_what_was_not_measured_is_not_there(found):
    with pytest.raises(WorkshopError, match="There are: 10, 100"):
        found.at("rows", 50)
    with pytest.raises(WorkshopError, match="not varied"):
        found.curve("rank")
    with pytest.raises(WorkshopError, match="recorded models: a, b"):
        found.curve("rows", "c")
    with pytest.raises(WorkshopError, match="choose from en, ja"):
        learning_map("fr")


def test_a_training_that_diverged_has_no_scores_and_no_point(found):
    last = found.curve("learning_rate")[-1]
    assert (last.spread("recall"), last.recall) == (None, 0.0)
    (line, *_) = learning_curve(found, "learning_rate").figure.axes[0].lines
    assert list(line.get_xdata()) == [3e-3]
    assert "diverged" in view(found).text()


def test_machine_and_date_are_told_with_the_figures(found):
    assert "2026-11-29" in found.source and "A CPU, 2 cores" in found.source
    assert found.source in view(found).html()
    assert "90\u00a0% (80–94\u00a0%)" in view(found).html()  # no line ends before a unit


def test_the_readers_own_trainings_lie_beside_the_recorded_ones(found):
    plot = found.plot("epochs", {3: 0.25})
    own = plot.figure.axes[0].lines[-1]
    assert (list(own.get_xdata()), list(own.get_ydata())) == ([3], [25.0])
    assert "measured here, just now 3: 25 %" in plot.description


def test_the_bundled_map_is_that_of_the_bundled_model():
    for language in ("en", "ja"):
        recorded = learning_map(language)
        assert recorded.models[0] == "mame"
        assert recorded.sources["mame"].recipe == LoraRecipe.for_model("mame")
        for by in module.VARIED:
            assert len(recorded.curve(by)) >= 4
