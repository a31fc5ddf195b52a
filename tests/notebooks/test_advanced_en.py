"""The English notebooks of the guide beyond the talk; see `test_advanced.py`."""

from __future__ import annotations

import pytest
from fresh_runs import load_build, run_alone

build = load_build()
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.mark.parametrize("source", build.advanced(), ids=lambda path: path.stem)
def test_a_notebook_and_its_solutions_give_what_was_recorded(source, tmp_path, monkeypatch):
    run_alone(source, "en", tmp_path, monkeypatch)
