"""Sampling is part of the protocol: a seed repeats its draws, and a draw is one from the softmax."""

from __future__ import annotations

from pathlib import Path

import pytest

from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.gguf.convert import convert
from workshop_helpers.models.chat import Sampling
from workshop_helpers.runtimes import open_runtime

QUESTION = [{"role": "user", "content": "How much is standard shipping?"}]


@pytest.mark.parametrize("kind", ["transformers", "llama.cpp"])
def test_a_seed_repeats_its_draws_and_each_conversation_has_its_own(
    kind: str, tiny_model: Path, tmp_path: Path
) -> None:
    model = tiny_model if kind == "transformers" else convert(tiny_model, tmp_path / "m.gguf").path
    with open_runtime(model) as runtime:

        def ids(sampling: Sampling | None) -> list[tuple[int, ...] | None]:
            found = runtime.answer([QUESTION] * 3, max_new_tokens=12, sampling=sampling)
            return [answer.token_ids for answer in found]

        assert runtime.name == kind
        first = ids(Sampling(1.0, seed=3))
        assert first == ids(Sampling(1.0, seed=3)) != ids(Sampling(1.0, seed=9))
        assert len(set(first)) == 3
        assert ids(Sampling(1e-6)) == ids(None)


def test_a_temperature_is_above_zero() -> None:
    with pytest.raises(WorkshopError, match="temperature"):
        Sampling(0.0)
