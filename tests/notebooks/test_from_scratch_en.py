"""Every English notebook runs alone from an empty folder, on a machine without Ollama, and gives
what was recorded; so do its solutions. (For the Japanese ones nbval compares: `test_recorded.py`.)
"""

from __future__ import annotations

import nbformat
import pytest
from fresh_runs import differences, load_build, no_ollama, note_seconds, run_fresh

build = load_build()
SOURCES = build.sources()
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def run_and_compare(source, kind, folder, monkeypatch) -> float:
    """Run a notebook as it is built now; gives its seconds. AssertionError where it gives something
    else than what was recorded.
    """
    monkeypatch.setenv("OLLAMA_HOST", no_ollama())
    notebook = build.build(source, "en", kind)
    seconds = run_fresh(notebook, folder)
    recorded = nbformat.read(build.target(source, "en", kind=kind), as_version=4)
    found = differences(notebook, recorded)
    assert not found, found[0]
    return seconds


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_notebook_runs_alone_and_gives_what_was_recorded(source, tmp_path, monkeypatch):
    seconds = run_and_compare(source, "notebook", tmp_path, monkeypatch)
    note_seconds(f"en/{source.stem}", seconds)


@pytest.mark.parametrize(
    "source", [s for s in SOURCES if build.has_exercises(s)], ids=lambda path: path.stem
)
def test_solutions_run_alone_and_give_what_was_recorded(source, tmp_path, monkeypatch):
    seconds = run_and_compare(source, "solutions", tmp_path, monkeypatch)
    note_seconds(f"en/{source.stem} (solutions)", seconds)


def test_a_stale_output_is_seen():
    def notebook(text: str, tags: list[str]):
        output = nbformat.v4.new_output("stream", name="stdout", text=text)
        cell = nbformat.v4.new_code_cell("f()", outputs=[output], metadata={"tags": tags})
        return nbformat.v4.new_notebook(cells=[cell])

    now, stale = notebook("12 rows", []), notebook("10 rows", [])
    assert differences(now, now) == []
    assert "12 rows" in differences(now, stale)[0]
    assert differences(notebook("1 s", ["nbval-ignore-output"]), notebook("2 s", [])) == []
