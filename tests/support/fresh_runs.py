"""The notebooks, run from their sources: what goes wrong in a run, also what it hides, and how long
it takes.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nbformat.v4 import new_code_cell
from processes import free_port

ROOT = Path(__file__).resolve().parents[2]
GUARD = Path(__file__).with_name("shell_guard.py")


def load_build() -> Any:
    """notebooks/build.py as a module."""
    name = "notebooks_build"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, ROOT / "notebooks" / "build.py")
        assert spec is not None and spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


@contextmanager
def one_kernel() -> Iterator[Any]:
    """A kernel for `run_fresh` to run several notebooks in, one after another. Each begins with no
    variables, as in a kernel of its own; the libraries stay imported, which saves seconds each.
    """
    from jupyter_client import AsyncKernelManager
    from jupyter_core.utils import run_sync

    manager = AsyncKernelManager(kernel_name="python3")
    try:
        yield manager
    finally:
        if manager.has_kernel:
            run_sync(manager.shutdown_kernel)(now=True)


def run_fresh(
    notebook: Any, folder: Path, parameters: dict[str, str] | None = None, kernel: Any = None
) -> float:
    """Run a notebook in `folder`; gives its seconds, the start of a kernel among them unless one of
    `one_kernel` is given.

    AssertionError for a cell that was left out or shows an error, nbclient's exceptions for one
    that fails, a shell command that fails inside it, and a kernel that dies.
    """
    start = time.perf_counter()
    if kernel is not None:
        here = f"%reset -f\nimport os\nos.chdir({str(folder)!r})\ndel os"
        notebook.cells.insert(0, new_code_cell(here))
    guard = [f"--IPKernelApp.exec_files={GUARD}"]
    load_build().execute(notebook, folder, parameters, guard, kernel)
    if kernel is not None:
        del notebook.cells[0]
    seconds = time.perf_counter() - start
    code = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    unrun = [cell.source for cell in code if cell.execution_count is None]
    assert not unrun, f"not run: {unrun[0]}"
    for cell in code:
        for output in cell.outputs:
            assert output.output_type != "error", f"{output.ename} in: {cell.source}"
            # a warning or a log line in front of a class is a fault of the course
            assert output.get("name") != "stderr", f"{output.text} from: {cell.source}"
    return seconds


def run_alone(source: Path, language: str, folder: Path, patch: Any) -> None:
    """Run a chapter and its solutions in a kernel of their own, on a machine without Ollama;
    AssertionError where they give something else than what was recorded.
    """
    import nbformat

    build = load_build()
    patch.setenv("OLLAMA_HOST", no_ollama())
    with one_kernel() as kernel:
        for kind in build.KINDS:
            notebook = build.build(source, language, kind)
            seconds = run_fresh(notebook, folder, kernel=kernel)
            note_seconds(f"{language}/{source.stem} ({kind})", seconds)
            recorded = build.target(source, language, kind=kind)
            found = differences(notebook, nbformat.read(recorded, as_version=4))
            assert not found, found[0]


def differences(fresh: Any, recorded: Any) -> list[str]:
    """Where a notebook that was run gives something else than its recorded outputs, as nbval would
    see it: pictures, and cells tagged nbval-ignore-output, are not compared.
    """
    found = []
    for new, old in zip(fresh.cells, recorded.cells, strict=True):
        if "nbval-ignore-output" in new.metadata.get("tags", []) or new.cell_type != "code":
            continue
        if (here := _shown(new)) != (there := _shown(old)):
            found.append(f"{new.source}\ngives {here}\nrecorded: {there}")
    return found


def _shown(cell: Any) -> list[Any]:
    """What a cell shows, in the order in which it shows it."""
    shown = []
    for output in cell.outputs:
        data = {k: v for k, v in output.get("data", {}).items() if not k.startswith("image/")}
        shown.append((output.output_type, output.get("name"), output.get("text"), data))
    return shown


def no_ollama() -> str:
    """An address where no Ollama answers."""
    return f"http://127.0.0.1:{free_port()}"


# --- how long each took, for people -------------------------------------------------------------


def seconds_file() -> Path:
    """Where the seconds of each notebook are kept as output of the tests."""
    folder = Path(os.environ.get("WORKSHOP_TEST_OUTPUT") or ROOT / "runs" / "test-output")
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "notebook-seconds.json"


def note_seconds(name: str, seconds: float) -> None:
    """Add a line to `seconds_file`; tests of other processes may do the same."""
    from filelock import FileLock

    path = seconds_file()
    with FileLock(path.with_suffix(".lock")):
        found = json.loads(path.read_text("utf-8")) if path.is_file() else {}
        found[name] = round(seconds, 1)
        path.write_text(json.dumps(dict(sorted(found.items())), indent=1), encoding="utf-8")
