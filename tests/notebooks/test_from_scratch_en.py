"""The English notebooks run from scratch in the order of the course, on a machine without Ollama,
and give what was recorded; so do their solutions. What a chapter makes is there for the next, as
on a learner's machine; that each runs alone is shown with the Japanese ones, whose code is the
same. (Of those nbval compares the recorded ones.)
"""

from __future__ import annotations

import nbformat
import pytest
from fresh_runs import differences, load_build, no_ollama, note_seconds, one_kernel, run_fresh

build = load_build()
SOURCES = build.sources()
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def run_and_compare(source, kind, folder, kernel) -> float:
    """Run a notebook as it is built now; gives its seconds. AssertionError where it gives something
    else than what was recorded.
    """
    notebook = build.build(source, "en", kind)
    seconds = run_fresh(notebook, folder, kernel=kernel)
    recorded = nbformat.read(build.target(source, "en", kind=kind), as_version=4)
    found = differences(notebook, recorded)
    assert not found, found[0]
    return seconds


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """The folder in which a learner works through the course; empty at first."""
    return tmp_path_factory.mktemp("course")


@pytest.fixture(scope="module")
def kernel():
    """One for all, without an Ollama: that each chapter runs in a kernel of its own is shown with
    the Japanese ones.
    """
    with pytest.MonkeyPatch.context() as patch, one_kernel() as kernel:
        patch.setenv("OLLAMA_HOST", no_ollama())
        yield kernel


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_notebook_and_its_solutions_give_what_was_recorded(source, course, kernel):
    seconds = run_and_compare(source, "notebook", course, kernel)
    note_seconds(f"en/{source.stem}", seconds)
    if build.has_exercises(source):
        seconds = run_and_compare(source, "solutions", course, kernel)
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
