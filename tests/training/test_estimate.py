"""What a training will take: the terms follow their formulas, and the shape is the model's own."""

from __future__ import annotations

import pytest

from workshop_helpers import estimate_cost, estimate_recipe, libraries_bytes
from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.training.estimate import (
    Shape,
    activation_bytes,
    estimate_memory,
    largest_batch,
    logits_bytes,
)
from workshop_helpers.training.recipe import LoraRecipe

SHAPE = Shape(1_000_000, 2, 100, 300, 50, 1000)


def test_an_adapter_has_rank_times_in_plus_out_weights_for_each_matrix():
    assert SHAPE.adapter_parameters(8, ("up_proj",)) == 2 * 8 * (100 + 300)
    every = 2 * 8 * (2 * 200 + 2 * 150 + 3 * 400)
    assert SHAPE.adapter_parameters(8) == every
    assert SHAPE.adapter_parameters(16) == 2 * every


def test_the_adapter_of_the_bundled_model_is_counted_as_the_trainer_counts_it():
    recipe = LoraRecipe.for_model("mame")
    shape = Shape.of("mame")
    assert shape.parameters == 5_773_568
    # What TrainingReport.trainable says for this recipe.
    assert shape.adapter_parameters(recipe.rank, recipe.target_modules) == 589_824
    assert estimate_recipe("mame", recipe, 60).trainable == 589_824


def test_full_training_holds_sixteen_bytes_a_weight_and_lora_hardly_more_than_the_weights():
    full = estimate_memory(SHAPE, "full")
    assert full.weights + full.gradients + full.optimizer == 16 * SHAPE.parameters
    assert full.adapter == 0 and full.trainable == SHAPE.parameters
    lora = estimate_memory(SHAPE, "lora", rank=1)
    assert lora.weights == 2 * SHAPE.parameters
    assert lora.adapter + lora.gradients + lora.optimizer == 16 * SHAPE.adapter_parameters(1)
    assert lora.total == sum(lora.terms.values()) < full.total


def test_four_bits_leave_the_embedding_as_it_is():
    qlora = estimate_memory(SHAPE, "qlora").weights
    embedding = 1000 * 100
    assert qlora == pytest.approx(2 * embedding + (1_000_000 - embedding) * 4.127 / 8)


def test_activations_grow_with_batch_and_length_and_shrink_when_recomputed():
    layer = 4 * 300 + 6 * 100 + 2 * 50
    assert activation_bytes(100, SHAPE, 2) == 100 * 2 * 2 * layer
    assert activation_bytes(200, SHAPE, 2) == 200 * 2 * 2 * layer
    recomputed = activation_bytes(100, SHAPE, 2, recomputed=True)
    assert recomputed == 100 * 2 * (2 * 100 + layer)
    assert logits_bytes(100, 1000) == 100 * 12 * 1000
    # The usual proportions give what the literature counts.
    usual = Shape.typical(8e9)
    per_token = activation_bytes(1, usual, 2) / usual.layers / usual.hidden
    assert per_token == pytest.approx(34, rel=0.02)


def test_answers_alone_get_logits_and_less_learning_keeps_less():
    all_of_it, some = (estimate_memory(SHAPE, length=64, answers=n) for n in (None, 16))
    assert some.logits == all_of_it.logits / 4 and some.activations == all_of_it.activations
    kept = [estimate_memory(SHAPE, m, modules=n).activations for m, n in LEARNS]
    assert kept == sorted(kept) and len(set(kept)) == 3


LEARNS = (("lora", ("up_proj",)), ("lora", None), ("full", None))


def test_the_peak_holds_gradients_or_activations_not_both():
    found = estimate_memory(SHAPE, "full", batch=1, length=8)
    assert found.peak == found.weights + found.optimizer + found.gradients
    found = estimate_memory(SHAPE, "lora", batch=64)
    assert found.peak == found.total - found.gradients
    # Nor a layer that is computed again and the logits.
    found = estimate_memory(SHAPE, "lora", batch=64, checkpointing=True)
    tokens = 64 * 512
    inputs, layer = tokens * 2 * 2 * 100, tokens * 2 * (4 * 300 + 6 * 100 + 2 * 50)
    assert found.activations == inputs + layer and found.recomputed == layer < found.logits
    assert found.peak == found.weights + found.adapter + found.optimizer + inputs + found.logits


@pytest.mark.parametrize("memory", [1e7, 4e7, 1e9])
def test_the_largest_batch_fits_and_one_more_row_does_not(memory):
    batch = largest_batch(SHAPE, memory, "lora", length=64)
    assert batch > 0
    assert estimate_memory(SHAPE, batch=batch, length=64).peak <= memory
    assert estimate_memory(SHAPE, batch=batch + 1, length=64).peak > memory
    assert largest_batch(SHAPE, 1e6) == 0


@pytest.mark.parametrize(
    ("parameters", "layers", "hidden"),
    [(1.1e9, 22, 2048), (3.1e9, 36, 2048), (7e9, 32, 4096), (70e9, 80, 8192)],
)
def test_the_usual_proportions_are_near_those_of_known_models(parameters, layers, hidden):
    """What activations depend on: layers times width."""
    shape = Shape.typical(parameters)
    assert shape.layers * shape.hidden == pytest.approx(layers * hidden, rel=0.15)


def test_cost_is_tokens_by_speed_by_price():
    found = estimate_cost(100, 50, 3, 1000, 0.5)
    assert (found.tokens, found.seconds) == (15_000, 15.0)
    assert found.price == pytest.approx(15 / 3600 * 0.5)
    for speed, price in ((0, 1), (-1, 1), (1, -1), (float("nan"), 1)):
        with pytest.raises(WorkshopError, match="Tokens per second"):
            estimate_cost(1, 1, 1, speed, price)


def test_another_method_is_refused():
    with pytest.raises(WorkshopError, match="full, lora, qlora"):
        estimate_memory(SHAPE, "prefix")


@pytest.mark.slow
def test_the_libraries_of_a_training_are_weighed_apart_from_this_process():
    ballast = bytearray(2**30)
    ballast[:: 2**12] = b"x" * len(ballast[:: 2**12])
    assert 1e8 < libraries_bytes() < 1e9
    del ballast
