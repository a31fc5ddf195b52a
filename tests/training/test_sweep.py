"""A sweep trains once for each recipe, measures on rows that no training saw, and shows both."""

from __future__ import annotations

from pathlib import Path

import pytest
from training_rows import rows, talk

from workshop_helpers.core.device import choose_device
from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.display import as_table
from workshop_helpers.display.sweep import sweep_plot
from workshop_helpers.evaluation.sweep import Sweep, sweep
from workshop_helpers.training.loss import held_out_loss
from workshop_helpers.training.recipe import LoraRecipe
from workshop_helpers.training.train import train

RECIPE = LoraRecipe(rank=4, epochs=2, learning_rate=5e-3)
HELD_OUT = rows(16)[12:]


@pytest.fixture(scope="module")
def swept(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Sweep, Path]:
    folder = tmp_path_factory.mktemp("sweep")
    values = {"rank": (1,), "learning_rate": (5e-3, 1e-5), "epochs": (4,)}
    return sweep(tiny_model, rows(8), HELD_OUT, RECIPE, folder, **values), folder


def test_each_setting_is_varied_alone_and_the_recipe_is_trained_once(
    swept: tuple[Sweep, Path],
) -> None:
    found, folder = swept
    assert [(row.setting, row.value) for row in found.rows] == [
        ("rank", 1), ("rank", 4), ("learning_rate", 1e-5), ("learning_rate", 5e-3),
        ("epochs", 2), ("epochs", 4),
    ]  # fmt: skip
    names = sorted(p.name for p in folder.iterdir() if not p.name.startswith("."))
    assert names == ["as-it-is", "epochs-4", "learning_rate-1e-05", "rank-1"]
    own = [row for row in found.rows if row.value == getattr(RECIPE, row.setting)]
    assert len(own) == 3 and len({row.held_out for row in own}) == 1
    assert [row.steps for row in found.of("epochs")] == [4, 8]
    small, usual = found.of("rank")
    assert usual.trainable == 4 * small.trainable


def test_what_is_measured_is_what_was_learned(swept: tuple[Sweep, Path]) -> None:
    found, folder = swept
    slow, usual = found.of("learning_rate")
    assert slow.held_out == pytest.approx(found.before, rel=0.01)  # it hardly moved
    assert usual.held_out < found.before - 0.3
    assert usual.held_out == held_out_loss(folder / "as-it-is", HELD_OUT)


def test_the_held_out_loss_is_the_one_that_training_counts(
    tiny_model: Path, tmp_path: Path
) -> None:
    mixed = [*rows(3), talk("No." * 9, "Yes, and gladly. " * 6)]
    device = choose_device("cpu")
    recipe = RECIPE.replace(batch_size=4, epochs=1)
    report = train(tiny_model, mixed, tmp_path / "a", recipe, device=device)
    # A new adapter changes nothing: the first step's loss is the base's.
    assert held_out_loss(tiny_model, mixed) == pytest.approx(report.losses[0][2], abs=2e-4)
    one_by_one = held_out_loss(tiny_model, mixed, batch_size=1)
    assert one_by_one == pytest.approx(held_out_loss(tiny_model, mixed), abs=1e-4)
    with pytest.raises(WorkshopError, match="no rows"):
        held_out_loss(tiny_model, [])


@pytest.mark.parametrize(("language", "word"), [("en", "held-out"), ("ja", "未学習")])
def test_plot_and_table_say_how_small_it_was(
    swept: tuple[Sweep, Path], language: str, word: str
) -> None:
    found, _ = swept
    plot, table = sweep_plot(found, language), as_table(found, language)
    assert len(plot.figure.axes) == 3
    ticks = [tick.get_text() for tick in plot.figure.axes[0].get_xticklabels()]
    assert ticks == ["1", "4*"]
    assert "8" in plot.description and "4" in plot.description
    assert len(table.rows) == 6 and word in " ".join(table.head)
    assert f"{found.before:.3f}" in table.caption and table.rows[1][1] == "4*"
    assert found._repr_mimebundle_()["text/html"].count("<tr>") == 7
