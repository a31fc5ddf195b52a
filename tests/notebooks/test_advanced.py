"""The Japanese notebooks of the guide beyond the talk run alone, each in a kernel and a folder of
its own, and give what was recorded. (`test_advanced_en.py` has the English ones: two files, so that
two processes can share the work.)
"""

from __future__ import annotations

import pytest
from fresh_runs import load_build, run_alone

build = load_build()
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.mark.parametrize("source", build.advanced(), ids=lambda path: path.stem)
def test_a_notebook_and_its_solutions_give_what_was_recorded(source, tmp_path, monkeypatch):
    run_alone(source, "ja", tmp_path, monkeypatch)
