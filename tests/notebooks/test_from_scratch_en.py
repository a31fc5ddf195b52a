"""Every English notebook runs alone from an empty folder, on a machine without Ollama, and so do
its solutions.
"""

from __future__ import annotations

import pytest
from fresh_runs import load_build, no_ollama, note_seconds, run_fresh

build = load_build()
SOURCES = build.sources()
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_notebook_runs_alone(source, tmp_path, monkeypatch):
    monkeypatch.setenv("OLLAMA_HOST", no_ollama())
    note_seconds(f"en/{source.stem}", run_fresh(build.build(source, "en"), tmp_path))


@pytest.mark.parametrize(
    "source", [s for s in SOURCES if build.has_exercises(s)], ids=lambda path: path.stem
)
def test_solutions_run_alone(source, tmp_path, monkeypatch):
    monkeypatch.setenv("OLLAMA_HOST", no_ollama())
    seconds = run_fresh(build.build(source, "en", "solutions"), tmp_path)
    note_seconds(f"en/{source.stem} (solutions)", seconds)
