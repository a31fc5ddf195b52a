"""What all tests share: small real models, the bundled model, a browser, and no network."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fresh_runs import seconds_file
from lab import NoBrowser, open_browser
from ollama_server import HOW, NoOllama, OllamaServer, answers, find_binary
from tiny_models import save_tiny_model

from workshop_helpers.core.jsonio import read_json

_BEGAN = time.time()

# Set before any test imports a Hugging Face library: a test that needs the network is a broken
# test.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("MPLBACKEND", "Agg")
# The figures in these tests were chosen for the processor; a GPU is asked for by name where it is
# tested.
os.environ.setdefault("WORKSHOP_DEVICE", "cpu")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first: the longest must not be the last that a worker begins."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How long each notebook took, where this run has run some."""
    path = seconds_file()
    if path.is_file() and path.stat().st_mtime >= _BEGAN:
        terminalreporter.section("seconds of the notebooks, also of earlier runs, the slowest last")
        for name, seconds in sorted(read_json(path, dict).items(), key=lambda pair: pair[1]):
            terminalreporter.line(f"{seconds:7.1f}  {name}")


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of this test run, the same for all its workers; see `made_once`."""
    folder = tmp_path_factory.getbasetemp()
    # under xdist each worker has a folder of its own inside the run's
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a small random model. Shared by the whole session: read it, never write into it."""
    return save_tiny_model(tmp_path_factory.mktemp("tiny") / "tiny-model")


@pytest.fixture(scope="session")
def mame() -> Path:
    """Folder of the bundled base model."""
    from workshop_helpers.core.artifacts import data_path

    return data_path("mame")


@pytest.fixture(scope="session")
def mame_gguf(tmp_path_factory: pytest.TempPathFactory, mame: Path) -> Path:
    """The bundled model as an F16 GGUF. Read it only."""
    from workshop_helpers.gguf.convert import convert

    return convert(mame, tmp_path_factory.mktemp("gguf") / "mame-F16.gguf").path


# --- a browser --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Playwright's Browser, for one file of tests: no longer than needed, as nbclient does not work
    beside it.
    """
    try:
        opened = open_browser()
        found = opened.__enter__()
    except NoBrowser as reason:
        # a failure where a skip would hide that nothing was tested
        if os.environ.get("WORKSHOP_REQUIRE_BROWSER", "0") not in ("", "0"):
            pytest.fail(str(reason), pytrace=False)
        pytest.skip(str(reason))
    yield found
    opened.__exit__(None, None, None)


# --- Ollama ---------------------------------------------------------------------------------------


def _without_ollama(reason: object) -> None:
    """Skip, but fail where a skip would hide that nothing was tested."""
    if os.environ.get("WORKSHOP_REQUIRE_OLLAMA", "0") not in ("", "0"):
        pytest.fail(str(reason), pytrace=False)
    pytest.skip(str(reason))


@pytest.fixture(scope="session")
def ollama_binary() -> Path:
    """An `ollama` that can be started: for tests that need a server of their own, to kill or to
    look into.
    """
    try:
        return find_binary()
    except NoOllama as reason:
        _without_ollama(reason)
        raise


@pytest.fixture(scope="session")
def ollama_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a real Ollama server. It may be the user's own: give models names of their own and
    remove them.

    Ask with the option num_thread 1 (or create models with it): Ollama counts the machine's cores,
    not the ones this process may use, and two threads on one core are a hundred times slower than
    one.
    """
    named = os.environ.get("OLLAMA_HOST")
    if named:
        host = named if "://" in named else f"http://{named}"
        if not answers(host):
            _without_ollama(f"OLLAMA_HOST names {named}, but no Ollama answers there. {HOW}")
        yield host
        return
    try:
        server = OllamaServer(tmp_path_factory.mktemp("ollama")).start()
    except NoOllama as reason:
        _without_ollama(reason)
        raise
    with server:
        yield server.host
