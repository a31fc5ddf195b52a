"""Every Japanese notebook runs alone from an empty folder, beside a real Ollama, and so do its
solutions; then, where its artifacts lie now, nbval runs the recorded one once more, without Ollama,
and compares: the outputs are what the cells give. Cells tagged nbval-ignore-output hold times, and
figures of a trained model, which another processor may round differently; they must run, the others
must give the same.

(`test_from_scratch_en.py` has the English ones, `test_other_model.py` another model: several files,
so that two processes can share the work.)
"""

from __future__ import annotations

import time

import nbformat
import pytest
from fresh_runs import load_build, no_ollama, note_seconds, one_kernel, run_fresh
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbval_runs import run_again, said
from ollama_server import OllamaServer

build = load_build()
SOURCES = build.sources()
# Its solution trains for a minute: in English only, the code is the same.
LONG = ("05_before_after",)
pytest.importorskip("nbval")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def ollama(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    """Address of an Ollama, or of none on a machine that has none."""
    try:
        binary = request.getfixturevalue("ollama_binary")
    except pytest.skip.Exception:
        yield no_ollama()
        return
    with OllamaServer(tmp_path_factory.mktemp("ollama"), binary) as server:
        yield server.host


@pytest.fixture(scope="module")
def kernel(ollama):
    """One for all solutions; the notebooks have each their own."""
    with pytest.MonkeyPatch.context() as patch, one_kernel() as kernel:
        patch.setenv("OLLAMA_HOST", ollama)
        yield kernel


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_notebook_and_its_solutions_run_alone(source, ollama, kernel, tmp_path, monkeypatch):
    monkeypatch.setenv("OLLAMA_HOST", ollama)
    seconds = run_fresh(build.build(source, "ja"), tmp_path)
    note_seconds(f"ja/{source.stem}", seconds)
    if build.has_exercises(source) and source.stem not in LONG:
        # in the same folder: what the notebook has made is found
        seconds = run_fresh(build.build(source, "ja", "solutions"), tmp_path, kernel=kernel)
        note_seconds(f"ja/{source.stem} (solutions)", seconds)
    recorded = build.target(source, "ja")
    done = run_again(tmp_path, recorded)
    assert done.returncode == 0, said(done)
    cells = [c for c in nbformat.read(recorded, as_version=4).cells if c.cell_type == "code"]
    assert f"{len(cells)} passed" in said(done), "a cell was left out"


# ---- what the gate sees ----------------------------------------------------------------------


def bad(*cells: str, tags: tuple[str, ...] = ()):
    made = [nbformat.v4.new_code_cell('MODEL = "mame"', metadata={"tags": ["parameters"]})]
    made += [nbformat.v4.new_code_cell(cell, metadata={"tags": list(tags)}) for cell in cells]
    return nbformat.v4.new_notebook(cells=made)


@pytest.mark.parametrize(
    "cell",
    [
        "!exit 3",
        "!exit 3\n!true",
        "lines = !exit 3",
        "%pip install ./no-such-folder",
        "1 / 0",
    ],
)
def test_a_failure_is_seen_also_one_that_the_kernel_hides(cell, tmp_path):
    with pytest.raises(CellExecutionError, match="ended with [13]|ZeroDivision"):
        run_fresh(bad(cell), tmp_path)


def test_a_shell_command_that_works_is_no_failure(tmp_path):
    notebook = bad("where = !pwd\n!echo {where[0]}\nassert where")
    run_fresh(notebook, tmp_path)
    assert str(tmp_path) in notebook.cells[-1].outputs[0].text


def test_a_cell_that_is_left_out_is_seen(tmp_path):
    with pytest.raises(AssertionError, match="not run: 1 \\+ 1"):
        run_fresh(bad("1 + 1", tags=("skip-execution",)), tmp_path)


def test_an_error_that_a_cell_may_raise_is_seen(tmp_path):
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        run_fresh(bad("1 / 0", tags=("raises-exception",)), tmp_path)


def test_a_dead_kernel_is_seen_in_seconds(tmp_path):
    start = time.perf_counter()
    with pytest.raises(DeadKernelError):
        run_fresh(bad("import os\nos._exit(1)"), tmp_path)
    assert time.perf_counter() - start < 30
