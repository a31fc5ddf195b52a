"""Models stay open between questions that come up, and are let go of."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tiny_models import save_tiny_model

from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.evaluation.candidates import Candidate
from workshop_helpers.evaluation.live import OpenModels
from workshop_helpers.metrics.scoring import Question

HOW_MUCH = Question("How much?", facts=("$6.99",))


def test_a_model_is_opened_once_and_answers_with_its_score(tiny_model: Path) -> None:
    with OpenModels(device="cpu") as models:
        base = models.ask(Candidate("base", tiny_model), HOW_MUCH, max_new_tokens=4)
        opened = models._open[str(tiny_model)]
        prompted = Candidate("prompt", str(tiny_model), system="Standard shipping is $6.99. " * 3)
        prompt = models.ask(prompted, HOW_MUCH, max_new_tokens=4)
        assert models._open == {str(tiny_model): opened}
        assert base.scores[0].missing == ("$6.99",)
        assert prompt.answers[0].prompt_tokens > base.answers[0].prompt_tokens + 10
        assert 0 < base.answers[0].seconds <= base.seconds
    assert models.names == ()


def test_a_model_makes_room_for_another_where_both_do_not_fit(
    tiny_model: Path, tmp_path: Path
) -> None:
    other = save_tiny_model(tmp_path / "other")
    with OpenModels(device="cpu", limit=1) as models:
        models.ask(Candidate("one", tiny_model), HOW_MUCH, max_new_tokens=1)
        models.ask(Candidate("two", other), HOW_MUCH, max_new_tokens=1)
        assert models.names == (str(other),)
    with OpenModels(device="cpu", limit=10**9) as models:
        models.ask(Candidate("one", tiny_model), HOW_MUCH, max_new_tokens=1)
        models.ask(Candidate("two", other), HOW_MUCH, max_new_tokens=1)
        assert models.names == (str(tiny_model), str(other))


def test_what_cannot_be_asked_is_said(tiny_model: Path, tmp_path: Path) -> None:
    with OpenModels(device="cpu") as models:
        with pytest.raises(WorkshopError, match="no such folder"):
            models.ask(Candidate("gone", tmp_path / "gone"), HOW_MUCH)
        with pytest.raises(WorkshopError, match="question is empty"):
            models.ask(Candidate("base", tiny_model), Question(" "))
        assert models.names == ()


def test_the_end_of_the_process_closes_them(tiny_model: Path) -> None:
    code = """
import sys
from workshop_helpers.evaluation.candidates import Candidate
from workshop_helpers.evaluation.live import OpenModels
from workshop_helpers.metrics.scoring import Question
models = OpenModels(device="cpu")
models.ask(Candidate("base", sys.argv[1]), Question("Hi"), max_new_tokens=1)
runtime = models._open[sys.argv[1]]
close = runtime.close
runtime.close = lambda: (close(), print("closed"))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tiny_model)], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "closed\n"), done.stderr
