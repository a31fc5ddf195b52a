"""Which models of the catalogue this machine can train, shown in both languages."""

from __future__ import annotations

from dataclasses import replace

import pytest

from workshop_helpers.core.device import choose_device
from workshop_helpers.display import view
from workshop_helpers.display.tables import unbroken
from workshop_helpers.models.catalogue import CATALOGUE
from workshop_helpers.models.choices import ModelChoice, model_choices


def choice(name: str, gb: float | None, dtype: str = "bf16") -> ModelChoice:
    memory = None if gb is None else int(gb * 1e9)
    device = replace(choose_device("cpu"), memory_bytes=memory, dtype=dtype)
    return ModelChoice(CATALOGUE[name], device, here=False)


def test_a_model_fits_within_what_the_device_has_to_give():
    assert choice("llama3.2-1b", 6.0).fits
    assert not choice("llama3.2-1b", 5.0).fits  # 4.5 GB are more than four fifths of it
    assert choice("llama3.2-1b", None).fits


def test_32_bits_a_weight_need_two_bytes_more():
    more = choice("llama3.2-1b", 8, "fp32").needs_gb - choice("llama3.2-1b", 8).needs_gb
    assert more == pytest.approx(2 * CATALOGUE["llama3.2-1b"].parameters / 1e9)


def test_the_bundled_model_is_here_and_the_others_are_looked_up_without_the_network():
    found = model_choices("en")
    assert [one.entry.name for one in found.choices] == list(CATALOGUE)
    assert found.choices[0].here and "mame" in found.fitting


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", ("to be accepted", "about 4.0 GB", "1.1 B")), ("ja", ("同意が必要", "約4.0 GB"))],
)
def test_the_table_says_what_a_chooser_asks(language, words):
    shown = view(model_choices(language)).html()
    assert all(unbroken(word) in shown for word in (*words, "Apache-2.0", "mame"))
