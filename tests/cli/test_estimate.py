"""`workshop estimate`: memory, the batch that fits, time and price, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import run

from workshop_helpers.training.estimate import Shape, estimate_memory
from workshop_helpers.training.prices import load_prices


def report(capfd, *arguments: object) -> dict:
    code, out, err = run(capfd, *arguments, "--json")
    assert code == 0, err
    return json.loads(out)


def refused(capfd, *arguments: object) -> str:
    code, out, err = run(capfd, *arguments)
    assert (code, out) == (2, "")
    return err


def test_the_terms_are_those_of_the_model_and_add_up(capfd):
    found = report(capfd, "estimate", "mame", "--batch", 8, "--length", 100, "--bits", 32)
    wanted = estimate_memory(Shape.of("mame"), batch=8, length=100, width=4)
    assert found["terms_bytes"] == {name: round(size) for name, size in wanted.terms.items()}
    assert found["peak_bytes"] == round(wanted.peak)
    assert found["parameters"] == 5_773_568


def test_the_batch_that_fits_shrinks_with_length_and_a_model_may_not_fit_at_all(capfd):
    ask = ("estimate", "7B", "--method", "qlora", "--recompute", "--memory", 24, "--length")
    short, long = (report(capfd, *ask, length)["largest_batch"] for length in (512, 4096))
    assert short > long > 0
    assert report(capfd, "estimate", "70B", "--memory", 24)["largest_batch"] == 0


def test_time_and_price_come_from_the_list_that_is_given(capfd, tmp_path: Path):
    own = tmp_path / "mine.yaml"
    own.write_text(
        "date: 2026-11-30\nsource: me\ncurrency: JPY\n"
        "gpus:\n  card: {memory_gb: 10, tflops: 100, per_hour: 360}\n"
    )
    ask = ("estimate", "1B", "--rows", 100, "--epochs", 3, "--length", 100, "--gpu", "card")
    cost = report(capfd, *ask, "--prices", own)["cost"]
    # 30,000 tokens · 4 · 10^9 operations at 35 % of 10^14 a second
    assert cost["tokens"] == 30_000
    assert cost["seconds"] == round(30_000 * 4e9 / 35e12)
    assert cost["price"] == pytest.approx(30_000 * 4e9 / 35e12 / 10, abs=1e-4)
    assert (cost["currency"], cost["prices_of"]) == ("JPY", "2026-11-30")


def test_the_bundled_prices_say_their_day_and_their_source():
    prices = load_prices()
    assert prices.date == "2026-02-20" and "guide" in prices.source
    assert prices.gpu("rtx-4090").per_hour == 0.44


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nothing-like-it",), "nothing-like-it"),
        (("7B", "--gpu", "abacus"), "abacus"),
        (("7B", "--gpu", "card", "--prices", "absent.yaml"), "absent.yaml"),
    ],
)
def test_what_cannot_be_estimated_is_said(capfd, arguments, said):
    assert said in refused(capfd, "estimate", *arguments)


@pytest.mark.parametrize("text", ["", "gpus: 3", "date: x\nsource: y\ncurrency: z\ngpus: {a: {}}"])
def test_a_file_that_is_no_price_list_is_said(capfd, tmp_path: Path, text: str):
    (tmp_path / "p.yaml").write_text(text)
    said = refused(capfd, "estimate", "7B", "--gpu", "a", "--prices", tmp_path / "p.yaml")
    assert "no price list" in said


def test_a_batch_of_nothing_is_refused_by_the_parser(capfd):
    code, out, err = run(capfd, "estimate", "7B", "--batch", 0)
    assert (code, out) == (2, "") and "--batch" in err
